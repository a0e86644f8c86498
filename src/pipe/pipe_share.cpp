#include "pipe/pipe_share.h"

#include <array>
#include <atomic>
#include <utility>

#include "base/utf16.h"
#include "pipe/pipe_file.h"

namespace smb3d::pipe {

namespace {

std::span<const PipeService> services() {
    static const std::array<PipeService, 4> table{{
        {"srvsvc", "\\PIPE\\srvsvc", &srvsvc_interface()},
        {"wkssvc", "\\PIPE\\wkssvc", &wkssvc_interface()},
        {"lsarpc", "\\PIPE\\lsass", &lsarpc_interface()},
        {"lsass", "\\PIPE\\lsass", &lsarpc_interface()},
    }};
    return table;
}

// The root of IPC$: where FSCTL_PIPE_WAIT goes, which names a pipe that need not be open.
class PipeRoot : public vfs::File {
  public:
    static vfs::FileStat root_stat() {
        constexpr std::uint32_t attribute_directory = 0x00000010;
        vfs::FileStat stat;
        stat.id = {0x49504324, 0, 0};
        stat.kind = vfs::FileKind::directory;
        stat.attributes = attribute_directory;
        stat.mode = 0555;
        return stat;
    }

    void close(const vfs::OpContext&, vfs::Done<void> done) override { done({}); }
    void stat(const vfs::OpContext&, vfs::Done<vfs::FileStat> done) override { done(root_stat()); }
    void set_stat(const vfs::OpContext&, const vfs::StatChange&, vfs::Done<void> done) override {
        done(fail(NtStatus::NOT_SUPPORTED));
    }
    void control(const vfs::OpContext&, std::uint32_t code, Bytes input, std::size_t,
                 vfs::Done<Buffer> done) override {
        if (code != fsctl_pipe_wait) {
            done(fail(NtStatus::NOT_SUPPORTED));
            return;
        }
        const NtStatus status = wait(input);
        if (status == NtStatus::SUCCESS) {
            done(Buffer());
        } else {
            done(fail(status));
        }
    }

  private:
    // [MS-FSCC] 2.3.49: Timeout, NameLength, TimeoutSpecified, Padding, Name.  Every pipe here can
    // always be opened, so there is nothing to wait for.
    static NtStatus wait(Bytes input) {
        ndr::Reader reader(input);
        (void)reader.bytes(8);
        const std::uint32_t length = reader.u32();
        (void)reader.bytes(2);
        const Bytes name = reader.bytes(length);
        if (!reader.ok()) return NtStatus::INVALID_PARAMETER;
        const auto text = utf16le_to_utf8(name);
        if (!text) return NtStatus::INVALID_PARAMETER;
        return find_pipe(*text) != nullptr ? NtStatus::SUCCESS : NtStatus::OBJECT_NAME_NOT_FOUND;
    }
};

class PipeShare : public vfs::Share {
  public:
    explicit PipeShare(std::shared_ptr<const ServerView> view) : view_(std::move(view)) {}

    vfs::Capabilities capabilities() const override {
        vfs::Capabilities capabilities;
        capabilities.sparse_files = false;
        capabilities.hard_links = false;
        capabilities.is_pipe = true;
        capabilities.max_io = max_pipe_write;
        return capabilities;
    }

    void open(const vfs::OpContext&, const vfs::OpenRequest& request,
              vfs::Done<vfs::OpenReply> done) override {
        done(open_now(request));
    }

  private:
    Result<vfs::OpenReply> open_now(const vfs::OpenRequest& request) {
        vfs::OpenReply reply;
        if (request.path.empty()) {
            if (request.kind == vfs::WantKind::file) return fail(NtStatus::FILE_IS_A_DIRECTORY);
            if (request.disposition == vfs::Disposition::create) {
                return fail(NtStatus::OBJECT_NAME_COLLISION);
            }
            reply.file = std::make_shared<PipeRoot>();
            reply.stat = PipeRoot::root_stat();
            return reply;
        }
        const PipeService* service = find_pipe(request.path);
        if (service == nullptr) return fail(NtStatus::OBJECT_NAME_NOT_FOUND);
        if (request.kind == vfs::WantKind::directory) return fail(NtStatus::NOT_A_DIRECTORY);
        if (request.disposition == vfs::Disposition::create) {
            return fail(NtStatus::OBJECT_NAME_COLLISION);
        }
        const std::uint64_t instance = instances_.fetch_add(1, std::memory_order_relaxed) + 1;
        reply.file = std::make_shared<PipeFile>(*service, view_, instance);
        reply.stat = PipeFile::stat_of(instance);
        reply.path = std::string(service->name);
        return reply;
    }

    const std::shared_ptr<const ServerView> view_;
    std::atomic<std::uint64_t> instances_{0};
};

}  // namespace

std::span<const PipeService> pipe_services() { return services(); }

const PipeService* find_pipe(std::string_view name) {
    // [MS-SMB2] 3.3.5.9: names come without a prefix; some clients send the one of SMB1 all the
    // same.
    const auto is_slash = [](char c) { return c == '\\' || c == '/'; };
    if (!name.empty() && is_slash(name.front())) name.remove_prefix(1);
    constexpr std::string_view prefix = "pipe";
    if (name.size() > prefix.size() && is_slash(name[prefix.size()]) &&
        equal_folded(name.substr(0, prefix.size()), prefix)) {
        name.remove_prefix(prefix.size() + 1);
    }
    for (const PipeService& service : services()) {
        if (equal_folded(service.name, name)) return &service;
    }
    return nullptr;
}

std::shared_ptr<vfs::Share> make_pipe_share(std::shared_ptr<const ServerView> view) {
    return std::make_shared<PipeShare>(std::move(view));
}

}  // namespace smb3d::pipe
