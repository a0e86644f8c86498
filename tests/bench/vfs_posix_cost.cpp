// What the operations of vfs_posix cost: microseconds each, no network, one operation at a time.
//
// vfs_posix_cost [files] [epoll|io_uring] [folder]: creates `files` files in one directory
// (default 100000) and prints the cost of creating the first and the last tenth.  The two must be
// about equal: nothing may read the directory again.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include <fmt/core.h>
#include <unistd.h>

#include "base/buffer_pool.h"
#include "base/utf16.h"
#include "loop/loop.h"
#include "loop/worker_pool.h"
#include "vfs_posix/posix_share.h"

namespace smb3d {
namespace {

using Clock = std::chrono::steady_clock;

// Runs one operation after the other on the loop's thread, without a thread switch for what
// completes inline.
class Runner {
  public:
    explicit Runner(const std::string& kind) {
        workers_.start(2, "worker");
        loop::LoopOptions options;
        options.buffers = &buffers_;
        options.pool = &workers_;
        std::string why;
        loop_ = kind == "io_uring" ? loop::make_uring_loop(0, options, why)
                                   : loop::make_epoll_loop(0, options, why);
        if (loop_ == nullptr) {
            fmt::print(stderr, "{}\n", why);
            std::exit(1);
        }
        thread_.start(*loop_, "loop");
        context_.loop = loop_.get();
        context_.caller = &caller_;
    }
    ~Runner() {
        workers_.stop();
        thread_.stop();
    }

    template <class T, class Start>
    Result<T> run(Start start) {
        struct Call : Work {
            Start* start;
            const vfs::OpContext* context;
            std::promise<Result<T>> promise;
        } call;
        call.start = &start;
        call.context = &context_;
        call.Work::run = [](Work* work) {
            auto* self = static_cast<Call*>(work);
            (*self->start)(*self->context,
                           vfs::Done<T>(
                               [](void* to, Result<T>&& result) {
                                   static_cast<Call*>(to)->promise.set_value(std::move(result));
                               },
                               self));
        };
        auto future = call.promise.get_future();
        loop_->post(call);
        return future.get();
    }

  private:
    SizedBufferPool buffers_;
    loop::WorkerThreads workers_;
    std::unique_ptr<loop::EventLoop> loop_;
    loop::LoopThread thread_;
    Caller caller_;
    vfs::OpContext context_;
};

void create(Runner& runner, vfs::Share& share, const std::string& path) {
    vfs::OpenRequest request;
    request.path = path;
    request.disposition = vfs::Disposition::open_or_create;
    request.access = vfs::access_read_data | vfs::access_write_data;
    auto reply = runner.run<vfs::OpenReply>(
        [&](const auto& context, auto done) { share.open(context, request, done); });
    if (!reply) {
        fmt::print(stderr, "{}: {}\n", path, status_name(reply.error()));
        std::exit(1);
    }
    (void)runner.run<void>(
        [&](const auto& context, auto done) { reply->file->close(context, done); });
}

void lookup(Runner& runner, vfs::Share& share, const std::string& path) {
    vfs::OpenRequest request;
    request.path = path;
    auto reply = runner.run<vfs::OpenReply>(
        [&](const auto& context, auto done) { share.open(context, request, done); });
    if (reply) {
        (void)runner.run<void>(
            [&](const auto& context, auto done) { reply->file->close(context, done); });
    }
}

template <class One>
double microseconds_each(std::size_t count, One one) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < count; ++i) one(i);
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count() /
           static_cast<double>(count);
}

std::size_t list_all(Runner& runner, vfs::Share& share) {
    vfs::OpenRequest request;
    request.path = "Folder";
    request.access = vfs::access_read_data;
    auto reply = runner.run<vfs::OpenReply>(
        [&](const auto& context, auto done) { share.open(context, request, done); });
    std::size_t count = 0;
    vfs::ListRequest list;
    while (reply) {
        auto batch = runner.run<vfs::DirBatch>(
            [&](const auto& context, auto done) { reply->file->list(context, list, done); });
        if (!batch) break;
        count += batch->entries.size();
        if (batch->end) break;
    }
    return count;
}

int run(std::size_t files, const std::string& kind, const std::string& parent) {
    std::string folder = parent + "/smb3d-bench-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return 1;
    vfs_posix::PosixOptions options;
    options.fold = [](std::string_view name) { return fold_name(name); };
    auto share = vfs_posix::make_posix_share(folder, std::move(options));
    if (!share) {
        fmt::print(stderr, "{}\n", share.error());
        return 1;
    }
    {
        Runner runner(kind);
        std::filesystem::create_directory(folder + "/Folder");
        const std::size_t tenth = files / 10;
        for (std::size_t part = 0; part < 10; ++part) {
            const double each = microseconds_each(tenth, [&](std::size_t i) {
                create(runner, **share, fmt::format("Folder/file-{}", part * tenth + i));
            });
            if (part == 0 || part == 9) {
                fmt::print("create+close, files {:>7} to {:>7}: {:7.1f} us\n", part * tenth,
                           (part + 1) * tenth, each);
            }
        }
        const double hit = microseconds_each(tenth, [&](std::size_t i) {
            lookup(runner, **share, fmt::format("Folder/file-{}", i));
        });
        const double other_case = microseconds_each(tenth, [&](std::size_t i) {
            lookup(runner, **share, fmt::format("FOLDER/FILE-{}", i));
        });
        const double missing = microseconds_each(tenth, [&](std::size_t i) {
            lookup(runner, **share, fmt::format("Folder/none-{}", i));
        });
        std::size_t listed = 0;
        const double list =
            microseconds_each(1, [&](std::size_t) { listed = list_all(runner, **share); });
        fmt::print("open+close, as written:  {:7.1f} us\n", hit);
        fmt::print("open+close, other case:  {:7.1f} us\n", other_case);
        fmt::print("open of a missing name:  {:7.1f} us\n", missing);
        fmt::print("list, for each entry:    {:7.1f} us ({} entries)\n",
                   list / static_cast<double>(listed), listed);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return 0;
}

}  // namespace
}  // namespace smb3d

int main(int argc, char** argv) {
    const std::size_t files = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
    return smb3d::run(files < 10 ? 10 : files, argc > 2 ? argv[2] : "epoll",
                      argc > 3 ? argv[3] : "/tmp");
}
