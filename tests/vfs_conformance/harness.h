// Harness: a share on a running loop, and its operations as plain calls for tests.
//
// Purpose: what the conformance suite and the tests of single back ends share.  Each call starts
// the operation on the
//   loop's thread as the engine does, waits for it, and notes every `done`: a second one fails the
//   test.
// Thread: the test's.  Errors: an operation that does not end within 30 seconds aborts the program.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/buffer_pool.h"
#include "loop/loop.h"
#include "loop/worker_pool.h"
#include "smb3d/vfs.h"

namespace smb3d::test {

// Loop, workers and everything that a share needs to run.
class LoopHarness {
  public:
    // `kind`: "epoll" or "io_uring".  False (with `why`) if this machine cannot.
    bool start(const std::string& kind, std::string& why);
    void stop();
    ~LoopHarness() { stop(); }
    Loop& loop() { return *loop_; }
    void run_on_loop(std::function<void()> function);

  private:
    SizedBufferPool buffers_;
    loop::WorkerThreads workers_;
    std::unique_ptr<loop::EventLoop> loop_;
    loop::LoopThread thread_;
};

// Counts how often each operation's `done` came.
struct DoneCounter {
    std::atomic<int> count{0};
};

struct OpenOptions {
    vfs::Disposition disposition{vfs::Disposition::open};
    vfs::WantKind kind{vfs::WantKind::any};
    std::uint32_t access{vfs::access_read_data | vfs::access_write_data};
    std::uint32_t attributes{0};
    bool reparse_point{false};
    bool exact_case{false};
};

class Operations {
  public:
    Operations(LoopHarness& harness, std::shared_ptr<vfs::Share> share)
        : harness_(harness), share_(std::move(share)) {}
    ~Operations();

    // Starts an operation on the loop's thread and waits for its result.
    template <class T>
    Result<T> wait(std::function<void(const vfs::OpContext&, vfs::Done<T>)> start);
    // As above, but the result comes with the future, so that several may overlap.
    template <class T>
    std::future<Result<T>> begin(std::function<void(const vfs::OpContext&, vfs::Done<T>)> start,
                                 vfs::Cancellation* cancel = nullptr);

    Result<vfs::OpenReply> open(const std::string& path, const OpenOptions& options = {});
    Result<vfs::OpenReply> create(const std::string& path);  // a file; fails if it exists
    Result<vfs::OpenReply> make_directory(const std::string& path);
    // A file with this content, closed again.
    void put(const std::string& path, const std::string& content);
    std::string get(const std::string& path);  // "<status>" if it cannot be read
    NtStatus exists(const std::string& path);  // SUCCESS, or why an open fails

    Result<void> close(vfs::File& file);
    Result<vfs::FileStat> stat(vfs::File& file);
    Result<vfs::FileStat> stat_path(const std::string& path);
    Result<void> set_stat(vfs::File& file, const vfs::StatChange& change);
    Result<std::string> read(vfs::File& file, std::uint64_t offset, std::size_t size);
    Result<std::size_t> write(vfs::File& file, std::uint64_t offset, const std::string& data,
                              bool through = false);
    Result<void> flush(vfs::File& file);
    Result<void> set_size(vfs::File& file, std::uint64_t size);
    Result<void> allocate(vfs::File& file, std::uint64_t size);
    Result<std::vector<vfs::Range>> ranges(vfs::File& file, vfs::Range within,
                                           std::size_t most = 100);
    Result<void> zero(vfs::File& file, vfs::Range range);
    // The whole range, however many steps it takes; how much came.
    Result<std::uint64_t> copy(vfs::File& to, vfs::CopyRequest request);
    Result<void> remove(const std::string& path, vfs::FileId id);
    Result<void> remove(const std::string& path);  // whatever it is
    Result<std::string> rename(const std::string& from, const std::string& to,
                               bool replace = false);
    Result<void> link(vfs::File& file, const std::string& to, bool replace = false);
    Result<vfs::VolumeInfo> volume();

    struct Listed {
        std::string name;
        vfs::FileStat stat;
    };
    Result<std::vector<Listed>> list(vfs::File& directory, const vfs::ListRequest& request);
    // All entries but "." and "..", by several calls.
    std::vector<Listed> list_all(const std::string& path, std::size_t batch = 100);
    std::vector<std::string> names(const std::string& path);  // sorted

    Caller& caller() { return caller_; }
    vfs::Share& share() { return *share_; }
    LoopHarness& harness() { return harness_; }
    // Fails the test unless every operation's `done` has come exactly once.
    void check_done_counts();

  private:
    LoopHarness& harness_;
    std::shared_ptr<vfs::Share> share_;
    Caller caller_;
    std::deque<DoneCounter> counters_;
    std::vector<std::shared_ptr<void>> keep_;
};

// One operation under way; kept until the test ends, so that a second `done` is seen and not a
// crash.
template <class T>
struct Waited {
    std::promise<Result<T>> promise;
    DoneCounter* counter{nullptr};
    vfs::OpContext context;
    std::function<void(const vfs::OpContext&, vfs::Done<T>)> start;

    static void finished(void* self, Result<T>&& result) {
        auto* waited = static_cast<Waited*>(self);
        if (waited->counter->count.fetch_add(1) == 0) waited->promise.set_value(std::move(result));
    }
};

template <class T>
std::future<Result<T>> Operations::begin(
    std::function<void(const vfs::OpContext&, vfs::Done<T>)> start, vfs::Cancellation* cancel) {
    auto waited = std::make_shared<Waited<T>>();
    waited->counter = &counters_.emplace_back();
    waited->context.caller = &caller_;
    waited->context.loop = &harness_.loop();
    waited->context.cancel = cancel;
    waited->start = std::move(start);
    auto future = waited->promise.get_future();
    keep_.push_back(waited);
    harness_.run_on_loop([waited = waited.get()] {
        waited->start(waited->context, vfs::Done<T>(&Waited<T>::finished, waited));
    });
    return future;
}

template <class T>
Result<T> Operations::wait(std::function<void(const vfs::OpContext&, vfs::Done<T>)> start) {
    auto future = begin<T>(std::move(start));
    if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
        ADD_FAILURE() << "an operation did not end";
        std::abort();
    }
    return future.get();
}

// A folder of its own below the system's temporary one; removed with all it holds.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    const std::string& path() const { return path_; }
    std::string at(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// Statuses are compared and shown by name.
inline std::string name_of(NtStatus status) { return std::string(status_name(status)); }
template <class T>
std::string status_of(const Result<T>& result) {
    return result ? "STATUS_SUCCESS" : name_of(result.error());
}

}  // namespace smb3d::test
