// Store: the records of persistent handles, on disk, with group commit.
//
// Purpose: put() and erase() are queued and return at once; one thread writes all that is queued
//   in one transaction, syncs it and only then tells everybody: many opens share one sync.
// Thread: put, erase and barrier from any thread.  `done` comes on the store's thread: it must not
//   block (engine::Pending posts to the waiter's loop).  open, load and close on the owner's.
// Lifetime: close() before it is destroyed; it writes what is queued and ends the thread.  Records
//   outlive the process: that is what they are for.
// Errors: DISK_FULL if the map or the disk is full, else UNEXPECTED_IO_ERROR: nothing of the batch
//   is kept then (each request is tried again by itself, so that one that does not fit takes no
//   other with it).  New records leave room in file and map for changes of those that are there,
//   so that a full disk refuses handles and does not break promises.  What must get there some time
//   (put_later, erase) is tried again until it does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "durable/record.h"
#include "smb3d/vfs.h"

struct MDB_env;
struct MDB_txn;

namespace smb3d::durable {

// Where the committer is: for tests that kill it there.
enum class Step { batch_taken, transaction_begun, records_written, committed, told };

struct StoreOptions {
    std::string directory;  // made if it is not there; mode 0700
    std::size_t map_size{std::size_t{1} << 28};
    std::function<void(Step)> on_step;
    // What fails instead of being written, with an LMDB error code or errno; 0: it does not.  For
    // tests.
    std::function<int(std::uint64_t id)> fail;
};

struct StoreStatistics {
    std::uint64_t requests{0};
    std::uint64_t commits{0};
    std::uint64_t failures{0};
    std::uint64_t dropped{0};  // records that load() could not read
    std::uint64_t owed{0};     // at present: what failed and is tried again
};

class Store {
  public:
    // Takes the next boot number and writes it; an error is text for the administrator.
    static std::expected<std::unique_ptr<Store>, std::string> open(StoreOptions options);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    // Counts the times that this database was opened; never 0, never the same twice.
    std::uint32_t boot() const { return boot_; }

    // All records that can be read; the others are logged and removed.
    std::vector<Record> load();

    // In the order of the calls.  A later put of the same id replaces the earlier.
    void put(const Record& record, vfs::Done<void> done);
    // ... of a handle that is not there yet: it must leave room for others' changes.
    void put_new(const Record& record, vfs::Done<void> done);
    // If it fails it is tried again, until it is there or a later request for the id is.
    void put_later(const Record& record, vfs::Done<void> done);
    void erase(std::uint64_t persistent_id, vfs::Done<void> done);  // likewise
    // ... that nobody waits for.
    void erase(std::uint64_t persistent_id);
    // All that was asked for before has been tried.
    void barrier(vfs::Done<void> done);

    void close();
    StoreStatistics statistics() const;

  private:
    enum class Kind : std::uint8_t { put, put_new, put_later, erase, barrier };
    struct Request {
        Kind kind{Kind::barrier};
        std::uint64_t id{0};
        std::vector<std::byte> value;
        vfs::Done<void> done;
    };
    struct Queue {
        std::vector<Request> requests;
        bool closing{false};
    };

    explicit Store(StoreOptions options) : options_(std::move(options)) {}
    // LMDB error codes or errno, 0: done.
    int prepare();
    int open_environment();
    int fill_up();
    int take_boot_number();
    void put(Kind kind, const Record& record, vfs::Done<void> done);
    void submit(Request request);
    void run();
    void commit(std::vector<Request>& batch);
    void told(Request& request, int error);
    // An LMDB error code, 0 if it is on disk.
    int write(std::span<const Request> requests);
    int write_one(MDB_txn* transaction, const Request& request);
    int check_room(MDB_txn* transaction);
    void at(Step step) const {
        if (options_.on_step) options_.on_step(step);
    }

    StoreOptions options_;
    MDB_env* environment_{nullptr};
    unsigned opens_{0};  // database handles
    unsigned meta_{0};
    std::uint32_t boot_{0};
    Guarded<Queue, Rank::leaf> queue_;
    std::counting_semaphore<> wake_{0};
    std::thread committer_;
    // The committer's: what must be written yet (empty: erased), and the file's size on the disk.
    std::map<std::uint64_t, std::vector<std::byte>> owed_;
    std::uint64_t allocated_{0};
    std::atomic<std::uint64_t> requests_{0};
    std::atomic<std::uint64_t> commits_{0};
    std::atomic<std::uint64_t> failures_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> owed_count_{0};
};

}  // namespace smb3d::durable
