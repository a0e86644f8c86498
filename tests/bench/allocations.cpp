// How often the engine allocates in one request, in steady state.
//
//   allocations [folder]     the folder for the POSIX back end's files: /tmp if nothing is said
//
// malloc of this program counts what the loop's thread asks it for: the engine with its protection
// of messages, over the back end in memory and over vfs_posix, without a socket.  READ, WRITE, ECHO
// and queries must not allocate at all, whether signed, encrypted or neither; the program fails if
// they do.  CREATE makes an Open and what belongs to it, and some queries answer with a name: their
// figures are printed.
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf16.h"
#include "client/test_client.h"
#include "engine/server_impl.h"
#include "fscc/info_class.h"
#include "support/allocation_count.h"
#include "vfs_posix/posix_share.h"

namespace {

thread_local bool is_counted = false;
std::atomic<std::uint64_t> allocations{0};

void count() {
    if (is_counted && smb3d::test::allocations_not_counted == 0) {
        allocations.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace

// [malloc(3), glibc] The C library's own, under the names that it keeps for those who replace it.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
    count();
    return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
    count();
    return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
    count();
    return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    count();
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
    count();
    *memory = __libc_memalign(alignment, size);
    return *memory == nullptr ? ENOMEM : 0;
}
}

namespace {

using namespace smb3d;
using namespace smb3d::test;

constexpr int warm_up = 30;
constexpr int rounds = 100;

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "allocations: {}\n", why);
    std::exit(1);
}

struct Protection {
    const char* name;
    std::uint16_t signing;  // 0: not signed
    std::uint16_t cipher;   // 0: not encrypted
};
constexpr Protection protections[] = {
    {"plain", 0, 0},
    {"GMAC", wire::signing::aes_gmac, 0},
    {"CMAC", wire::signing::aes_cmac, 0},
    {"GCM", 0, wire::cipher::aes_128_gcm},
    {"CCM", 0, wire::cipher::aes_128_ccm},
};

class Bench {
  public:
    Bench(const std::shared_ptr<vfs::Share>& backend, const Protection& protection)
        : server_({.configure = [](engine::ServerConfig& c) { c.signing_required = false; },
                   .policy =
                       [&backend](engine::SharePolicy& policy) {
                           if (backend) policy.backend = backend;
                       }}),
          client_(server_) {
        NegotiateOptions options;
        options.signing = {protection.signing != 0 ? protection.signing : wire::signing::aes_gmac};
        options.ciphers = {protection.cipher != 0 ? protection.cipher : wire::cipher::aes_128_gcm};
        client_.credits_to_ask = 64;
        if (!client_.negotiate(options).ok() || !client_.session_setup("alice").ok() ||
            !client_.tree_connect("data").ok()) {
            give_up("the client cannot log on");
        }
        client_.sign = protection.signing != 0;
        client_.encrypt = protection.cipher != 0;
        const test::Reply made = client_.create("data.bin");
        if (!made.ok()) give_up(fmt::format("CREATE: {}", status_name(made.status())));
        file_ = made.body<wire::CreateResponse>().file_id;
        mark_loop(true);
    }
    ~Bench() { mark_loop(false); }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    // Allocations of the loop's thread for each call of `one`.
    double measure(const std::function<bool()>& one) {
        std::uint64_t before = 0;
        for (int i = 0; i < warm_up + rounds; ++i) {
            if (i == warm_up) before = settled();
            if (!one()) give_up("a request failed");
        }
        return static_cast<double>(settled() - before) / rounds;
    }

    bool echo() { return client_.echo().ok(); }
    bool read(std::uint32_t length) { return client_.read(file_, 0, length).ok(); }
    bool write(const Message& data) { return client_.write(file_, 0, data).ok(); }
    bool query(fscc::FileInfoClass info) {
        return client_.query_info(file_, wire::InfoType::file, static_cast<std::uint8_t>(info))
            .ok();
    }
    bool open_close() {
        const test::Reply made = client_.create("data.bin");
        return made.ok() && client_.close(made.body<wire::CreateResponse>().file_id).ok();
    }
    bool stat_compound() {
        std::vector<Request> parts;
        wire::CreateRequest create;
        create.desired_access = 0x80;
        create.share_access = wire::share_access::all;
        create.create_disposition = wire::CreateDisposition::open;
        const Message name = utf16("data.bin");
        create.name = name;
        parts.push_back(client_.make(create));
        wire::QueryInfoRequest query;
        query.info_type = wire::InfoType::file;
        query.file_info_class = static_cast<std::uint8_t>(fscc::FileInfoClass::all);
        query.output_buffer_length = 4096;
        query.file_id = wire::file_id_any;
        parts.push_back(client_.make(query));
        wire::CloseRequest close;
        close.file_id = wire::file_id_any;
        parts.push_back(client_.make(close));
        const auto ids = client_.send_compound(std::move(parts), true);
        bool ok = true;
        for (const std::uint64_t id : ids) ok = client_.wait(id).ok() && ok;
        return ok;
    }

  private:
    void mark_loop(bool counted) {
        auto& engine = static_cast<engine::ServerImpl&>(server_.engine());
        engine.run_on(server_.loop(0), [counted] { is_counted = counted; });
    }
    // Once the loop has ended what the last request began.
    std::uint64_t settled() {
        std::uint64_t now = 0;
        auto& engine = static_cast<engine::ServerImpl&>(server_.engine());
        engine.run_on(server_.loop(0), [&now] { now = allocations.load(); });
        return now;
    }

    TestServer server_;
    TestClient client_;
    wire::FileId file_{};
};

// False if what must not allocate does.
bool run(const char* name, const std::shared_ptr<vfs::Share>& backend) {
    bool good = true;
    for (const Protection& protection : protections) {
        Bench bench(backend, protection);
        const Message small(4096, std::byte{7});
        const Message large(65536, std::byte{8});
        struct Row {
            const char* what;
            std::function<bool()> one;
            bool free;
        };
        const Row rows[] = {
            {"WRITE 64K", [&] { return bench.write(large); }, true},
            {"WRITE 4K", [&] { return bench.write(small); }, true},
            {"READ 64K", [&] { return bench.read(65536); }, true},
            {"READ 4K", [&] { return bench.read(4096); }, true},
            {"ECHO", [&] { return bench.echo(); }, true},
            {"QUERY_INFO", [&] { return bench.query(fscc::FileInfoClass::network_open); }, true},
            {"QUERY_INFO all", [&] { return bench.query(fscc::FileInfoClass::all); }, false},
            {"CREATE+CLOSE", [&] { return bench.open_close(); }, false},
            {"stat in a compound", [&] { return bench.stat_compound(); }, false},
        };
        for (const Row& row : rows) {
            const double each = bench.measure(row.one);
            const bool bad = row.free && each > 0;
            fmt::print("{:8} {:6} {:20} {:6.2f}{}\n", name, protection.name, row.what, each,
                       bad ? "  TOO MANY" : "");
            good = good && !bad;
        }
    }
    return good;
}

std::shared_ptr<vfs::Share> posix_share(const std::string& folder) {
    vfs_posix::PosixOptions options;
    options.fold = [](std::string_view name) { return fold_name(name); };
    auto share = vfs_posix::make_posix_share(folder, std::move(options));
    if (!share) give_up(share.error());
    return *share;
}

}  // namespace

int main(int argc, char** argv) {
    std::string folder = std::string(argc > 1 ? argv[1] : "/tmp") + "/smb3d-allocations-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr || ::chmod(folder.c_str(), 0777) != 0) {
        give_up("no folder");
    }
    bool good = run("memory", nullptr);
    good = run("posix", posix_share(folder)) && good;
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return good ? 0 : 1;
}
