#include "vfs_conformance/harness.h"

#include <algorithm>
#include <filesystem>

#include <stdlib.h>
#include <unistd.h>

namespace smb3d::test {

bool LoopHarness::start(const std::string& kind, std::string& why) {
    if (kind == "io_uring" && !loop::uring_works(why)) return false;
    workers_.start(4, "worker");
    loop::LoopOptions options;
    options.buffers = &buffers_;
    options.pool = &workers_;
    loop_ = kind == "io_uring" ? loop::make_uring_loop(0, options, why)
                               : loop::make_epoll_loop(0, options, why);
    if (loop_ == nullptr) return false;
    thread_.start(*loop_, "loop");
    return true;
}

void LoopHarness::stop() {
    if (loop_ == nullptr) return;
    workers_.stop();
    thread_.stop();
    loop_.reset();
}

void LoopHarness::run_on_loop(std::function<void()> function) {
    struct Call : Work {
        std::function<void()> function;
        std::promise<void> done;
    } call;
    call.function = std::move(function);
    call.run = [](Work* work) {
        auto* self = static_cast<Call*>(work);
        self->function();
        self->done.set_value();
    };
    auto finished = call.done.get_future();
    loop_->post(call);
    finished.wait();
}

Operations::~Operations() { check_done_counts(); }

void Operations::check_done_counts() {
    for (const DoneCounter& counter : counters_) EXPECT_EQ(counter.count.load(), 1);
}

Result<vfs::OpenReply> Operations::open(const std::string& path, const OpenOptions& options) {
    vfs::OpenRequest request;
    request.path = path;
    request.disposition = options.disposition;
    request.kind = options.kind;
    request.access = options.access;
    request.create_attributes = options.attributes;
    request.open_reparse_point = options.reparse_point;
    request.exact_case = options.exact_case;
    return wait<vfs::OpenReply>([&](const vfs::OpContext& context, vfs::Done<vfs::OpenReply> done) {
        share_->open(context, request, done);
    });
}

Result<vfs::OpenReply> Operations::create(const std::string& path) {
    return open(path, {.disposition = vfs::Disposition::create, .kind = vfs::WantKind::file});
}

Result<vfs::OpenReply> Operations::make_directory(const std::string& path) {
    return open(path, {.disposition = vfs::Disposition::create,
                       .kind = vfs::WantKind::directory,
                       .access = vfs::access_read_data});
}

void Operations::put(const std::string& path, const std::string& content) {
    auto reply =
        open(path, {.disposition = vfs::Disposition::open_or_create, .kind = vfs::WantKind::file});
    ASSERT_TRUE(reply) << path << ": " << status_of(reply);
    auto sized = set_size(*reply->file, 0);
    EXPECT_TRUE(sized) << status_of(sized);
    auto written = write(*reply->file, 0, content);
    EXPECT_TRUE(written) << status_of(written);
    EXPECT_TRUE(close(*reply->file));
}

std::string Operations::get(const std::string& path) {
    auto reply = open(path, {.kind = vfs::WantKind::file, .access = vfs::access_read_data});
    if (!reply) return "<" + status_of(reply) + ">";
    const auto size = stat(*reply->file);
    auto data = read(*reply->file, 0, size ? size->end_of_file : 0);
    EXPECT_TRUE(close(*reply->file));
    return data ? *data : "<" + status_of(data) + ">";
}

NtStatus Operations::exists(const std::string& path) {
    auto reply = open(path, {.access = vfs::access_attributes});
    if (!reply) return reply.error();
    EXPECT_TRUE(close(*reply->file));
    return NtStatus::SUCCESS;
}

Result<void> Operations::close(vfs::File& file) {
    return wait<void>(
        [&](const vfs::OpContext& context, vfs::Done<void> done) { file.close(context, done); });
}

Result<vfs::FileStat> Operations::stat(vfs::File& file) {
    return wait<vfs::FileStat>([&](const vfs::OpContext& context, vfs::Done<vfs::FileStat> done) {
        file.stat(context, done);
    });
}

Result<vfs::FileStat> Operations::stat_path(const std::string& path) {
    auto reply = open(path, {.access = vfs::access_attributes});
    if (!reply) return fail(reply.error());
    auto stat_now = stat(*reply->file);
    EXPECT_TRUE(close(*reply->file));
    return stat_now;
}

Result<void> Operations::set_stat(vfs::File& file, const vfs::StatChange& change) {
    return wait<void>([&](const vfs::OpContext& context, vfs::Done<void> done) {
        file.set_stat(context, change, done);
    });
}

Result<std::string> Operations::read(vfs::File& file, std::uint64_t offset, std::size_t size) {
    // Two pieces, so that vectored I/O is what is tested.
    std::string data(size, '?');
    const std::size_t first = size / 3;
    const ::iovec into[2] = {{data.data(), first}, {data.data() + first, size - first}};
    auto count = wait<std::size_t>([&](const vfs::OpContext& context, vfs::Done<std::size_t> done) {
        file.read(context, offset, into, done);
    });
    if (!count) return fail(count.error());
    data.resize(*count);
    return data;
}

Result<std::size_t> Operations::write(vfs::File& file, std::uint64_t offset,
                                      const std::string& data, bool through) {
    auto* bytes = const_cast<char*>(data.data());
    const std::size_t first = data.size() / 2;
    const ::iovec from[2] = {{bytes, first}, {bytes + first, data.size() - first}};
    return wait<std::size_t>([&](const vfs::OpContext& context, vfs::Done<std::size_t> done) {
        file.write(context, offset, from, through, done);
    });
}

Result<void> Operations::flush(vfs::File& file) {
    return wait<void>(
        [&](const vfs::OpContext& context, vfs::Done<void> done) { file.flush(context, done); });
}

Result<void> Operations::set_size(vfs::File& file, std::uint64_t size) {
    return wait<void>([&](const vfs::OpContext& context, vfs::Done<void> done) {
        file.set_size(context, size, done);
    });
}

Result<void> Operations::allocate(vfs::File& file, std::uint64_t size) {
    return wait<void>([&](const vfs::OpContext& context, vfs::Done<void> done) {
        file.allocate(context, size, done);
    });
}

Result<std::vector<vfs::Range>> Operations::ranges(vfs::File& file, vfs::Range within,
                                                   std::size_t most) {
    return wait<std::vector<vfs::Range>>(
        [&](const vfs::OpContext& context, vfs::Done<std::vector<vfs::Range>> done) {
            file.allocated_ranges(context, within, most, done);
        });
}

Result<void> Operations::zero(vfs::File& file, vfs::Range range) {
    return wait<void>([&](const vfs::OpContext& context, vfs::Done<void> done) {
        file.zero_range(context, range, done);
    });
}

Result<void> Operations::remove(const std::string& path, vfs::FileId id) {
    return wait<void>([&](const vfs::OpContext& context, vfs::Done<void> done) {
        share_->remove(context, path, id, done);
    });
}

Result<void> Operations::remove(const std::string& path) {
    auto stat_now = stat_path(path);
    if (!stat_now) return fail(stat_now.error());
    return remove(path, stat_now->id);
}

Result<std::string> Operations::rename(const std::string& from, const std::string& to,
                                       bool replace) {
    auto stat_now = stat_path(from);
    if (!stat_now) return fail(stat_now.error());
    const vfs::RenameRequest request{from, stat_now->id, to, replace};
    return wait<std::string>([&](const vfs::OpContext& context, vfs::Done<std::string> done) {
        share_->rename(context, request, done);
    });
}

Result<void> Operations::link(vfs::File& file, const std::string& to, bool replace) {
    vfs::RenameRequest request;
    request.to = to;
    request.replace = replace;
    return wait<void>([&](const vfs::OpContext& context, vfs::Done<void> done) {
        share_->link(context, file, request, done);
    });
}

Result<vfs::VolumeInfo> Operations::volume() {
    return wait<vfs::VolumeInfo>(
        [&](const vfs::OpContext& context, vfs::Done<vfs::VolumeInfo> done) {
            share_->volume_info(context, done);
        });
}

Result<std::vector<Operations::Listed>> Operations::list(vfs::File& directory,
                                                         const vfs::ListRequest& request) {
    auto batch =
        wait<vfs::DirBatch>([&](const vfs::OpContext& context, vfs::Done<vfs::DirBatch> done) {
            directory.list(context, request, done);
        });
    if (!batch) return fail(batch.error());
    std::vector<Listed> out;
    for (const vfs::DirEntry& entry : batch->entries) {
        out.push_back({std::string(entry.name), entry.stat});
    }
    return out;
}

Result<std::uint64_t> Operations::copy(vfs::File& to, vfs::CopyRequest request) {
    std::uint64_t copied = 0;
    while (true) {
        const auto step = wait<std::uint64_t>([&](const vfs::OpContext& context, auto done) {
            to.copy_range(context, request, done);
        });
        if (!step) return fail(step.error());
        EXPECT_LE(*step, request.length);
        copied += *step;
        request.source_offset += *step;
        request.offset += *step;
        request.length -= *step;
        if (*step == 0 || request.length == 0) return copied;
    }
}

std::vector<Operations::Listed> Operations::list_all(const std::string& path, std::size_t batch) {
    std::vector<Listed> out;
    auto reply = open(path, {.kind = vfs::WantKind::directory, .access = vfs::access_read_data});
    EXPECT_TRUE(reply) << path << ": " << status_of(reply);
    if (!reply) return out;
    vfs::ListRequest request;
    request.max_entries = batch;
    while (true) {
        auto part = list(*reply->file, request);
        EXPECT_TRUE(part) << status_of(part);
        if (!part || part->empty()) break;
        EXPECT_LE(part->size(), batch);
        for (Listed& entry : *part) {
            if (entry.name != "." && entry.name != "..") out.push_back(std::move(entry));
        }
    }
    EXPECT_TRUE(close(*reply->file));
    return out;
}

std::vector<std::string> Operations::names(const std::string& path) {
    std::vector<std::string> out;
    for (const Listed& entry : list_all(path)) out.push_back(entry.name);
    std::ranges::sort(out);
    return out;
}

TemporaryFolder::TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "smb3d-vfs-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace smb3d::test
