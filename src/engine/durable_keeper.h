// DurableKeeper: keeps opens for clients that have lost their connection, and on disk those that
//   must survive the server.
//
// Purpose: decides which opens are preserved, parks them, lets them go when their time is over, and
//   writes the records of persistent ones.
// Spec: [MS-SMB2] 3.3.7.1 (which are preserved), 3.3.2.2, 3.3.2.4, 3.3.6.2, 3.3.6.4 (scavenger
//   timers), 3.3.4.6, 3.3.4.7 (breaks of opens without a connection).
// Thread: coroutines on the loop that is their argument; the rest any.
// Lifetime: the server's.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "durable/store.h"
#include "engine/durable_table.h"
#include "engine/task.h"

namespace smb3d::engine {

class ServerImpl;

// Does the open still cache its handle: a batch oplock, or a lease with HANDLE_CACHING, that is not
// being broken?
bool keeps_handle_caching(const Open& open);
// [MS-SMB2] 3.3.7.1: outlives the connection.
bool is_preserved(const Open& open);
bool same_user(const Caller& a, const Caller& b);
// An open object for the owner who has come back; `old` is drained and of no use any more.
std::shared_ptr<Open> successor(const std::shared_ptr<Open>& old);

class DurableKeeper {
  public:
    DurableKeeper(ServerImpl& server, Loop& loop);

    DurableTable table;

    // Before the server has connections.
    void use_store(std::shared_ptr<durable::Store> store) { store_ = std::move(store); }
    durable::Store* store() const { return store_.get(); }

    // The session is lost: true if the open is to be parked, else it must be closed.
    bool begin_leaving(const Open& open);
    // Ends its operations, then lets it wait for its owner.
    Task<bool> park(std::shared_ptr<Open> open, Loop& loop);

    // -- records.  What a client was told must be on disk before: so a promise is recorded after
    //    it was entered into the tables and before the answer, and undone if that fails; what gives
    //    others a chance (an unlock, a break, a close) is recorded before it is done.

    // Writes the open's record as it is now; SUCCESS for an open that is not persistent.  After a
    // failure the tables and the disk differ, until write_later().
    Task<NtStatus> write(std::shared_ptr<Open> open, Loop& loop);
    // The first record of an open that CREATE is making; SUCCESS enters it into the table.  Until
    // then nobody finds it there, but what concerns all persistent opens of the file concerns it.
    Task<NtStatus> write_new(std::shared_ptr<Open> open, Loop& loop);
    // ... of all persistent opens of the file; the first failure.
    Task<NtStatus> write_all(std::shared_ptr<fsa::File> file, Loop& loop);
    // ... without waiting for the disk; what fails is tried again.
    void write_later(Open& open);
    void write_later(const std::vector<std::uint64_t>& persistent_ids);
    // Those whose first record is being written included.
    std::vector<std::shared_ptr<Open>> persistent_opens(const fsa::File& file) const;
    // Where in the store the file is going to be, for the records that are written until then; "":
    // nowhere.
    void set_next_path(const fsa::File& file, const std::string& path);
    // What these opens cache is broken: nobody relies on it before breaks_recorded().
    void record_breaks(const std::vector<std::uint64_t>& persistent_ids);
    bool breaks_unrecorded() const { return unrecorded_.load(std::memory_order_acquire) != 0; }
    Task<bool> breaks_recorded(Loop& loop);
    // A break was not answered: it is over when the records say so, too.  Any thread.
    void time_out(std::shared_ptr<fsa::File> file, std::shared_ptr<fsa::Grant> grant,
                  std::uint32_t number, bool reachable);
    // It is about to be closed: before others have what it had.
    Task<bool> record_close(std::shared_ptr<Open> open, Loop& loop);
    // The records of those that share the lease say what is left of it.
    void lease_changed(Lease& lease);
    Task<NtStatus> write_lease(std::shared_ptr<Lease> lease, Loop& loop);
    Task<bool> erase_record(std::shared_ptr<Open> open, Loop& loop);
    // It is closed: nobody finds it any more.
    Task<bool> forget(std::shared_ptr<Open> open, Loop& loop);

    // An oplock or lease of these opens is broken and nobody could be told.  False if no owner is
    // away.  Else those that are merely durable are closed, and the owners of others have the time
    // of a break to come back and answer: [MS-SMB2] 3.3.4.6, 3.3.4.7.
    bool owner_is_away(const std::vector<std::uint64_t>& persistent_ids);

    // The server ends: closes those that wait, but keeps the records of persistent ones.
    Task<bool> release_all(Loop& loop);
    // Those that wait and of which that is true: of a share that is served no longer, say.
    void end_if(const std::function<bool(const Open&)>& gone);

    void schedule();  // the scavenger
    void stop();      // on its loop

  private:
    void expire();
    void release_detached(std::shared_ptr<Open> open);
    enum class Urgency : std::uint8_t { told, fresh, later };
    void submit(Open& open, Urgency urgency, vfs::Done<void> done);
    Task<NtStatus> write_as(std::shared_ptr<Open> open, Urgency urgency, Loop& loop);
    void break_recorded() { unrecorded_.fetch_sub(1, std::memory_order_release); }

    ServerImpl& server_;
    Loop& loop_;
    std::shared_ptr<durable::Store> store_;
    std::atomic<bool> stopped_{false};
    Guarded<std::vector<std::shared_ptr<Open>>, Rank::leaf> arriving_;  // see write_new()
    std::atomic<std::uint64_t> unrecorded_{0};  // breaks whose records are on their way
    struct OwnedTimer : Timer {
        DurableKeeper* owner{nullptr};
    } scavenger_;
};

// The record of a persistent open as it is now, or is about to be.
durable::Record record_of(const Open& open, const Open::RecordAhead& ahead);

}  // namespace smb3d::engine
