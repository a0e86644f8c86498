// Oplocks: who may cache what of a file, and how it is taken back.
//
// Purpose: one state machine for traditional oplocks and for leases ("granular" oplocks): a Grant
//   says what its holder may cache (reads, its handle, writes).  A level II oplock is R, an
//   exclusive one RW, a batch one RWH.  Oplocks is the list of one file; fsa::File guards it and
//   offers its operations to all others.
// Spec: [MS-FSA] 2.1.1.10 (Oplock), 2.1.4.12 (what breaks it), 2.1.5.18 (request), 2.1.5.19
//   (acknowledge); [MS-SMB2] 3.3.1.12 (Lease), 3.3.4.6, 3.3.4.7, 3.3.5.22 for what is told.
// Thread: none of its own.  Lifetime: the File's; a Grant lives on in the opens that refer to it.
// Errors: NtStatus as the specification names them.
//
//   A Grant's states:
//                          +---------+   conflict, ack required   +----------+
//     request granted ---> | settled | -------------------------> | breaking | --+ acknowledged,
//     but
//                          +---------+ <------------------------- +----------+ <-+ more is required
//                               |         acknowledged, timed out       |
//                               +--> gone: last open closed <-----------+
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fsa/byte_range_lock.h"
#include "smb3d/status.h"

namespace smb3d::fsa {

// What may be cached: the bits of [MS-SMB2] 2.2.13.2.8 LeaseState.
using CacheState = std::uint32_t;
namespace cache {
inline constexpr CacheState none = 0;
inline constexpr CacheState read = 0x1;
inline constexpr CacheState handle = 0x2;
inline constexpr CacheState write = 0x4;
inline constexpr CacheState all = read | handle | write;
}  // namespace cache

// The combinations that exist: R, RH, RW, RWH; anything else asked for is nothing.
constexpr CacheState legal_state(CacheState state) {
    state &= cache::all;
    return (state & cache::read) != 0 ? state : cache::none;
}

// [MS-FSA] 2.1.1.6 TargetOplockKey: opens with the same key share one grant and never break it.
// The engine builds it from client GUID and lease key.
struct OplockKey {
    std::array<std::uint8_t, 32> bytes{};
    bool empty() const { return bytes == std::array<std::uint8_t, 32>{}; }
    friend bool operator==(const OplockKey&, const OplockKey&) = default;
};

struct OplockKeyHash {
    std::size_t operator()(const OplockKey& key) const noexcept;
};

struct Grant;

// A holder has to be told that its grant shrinks.
struct BreakNotice {
    std::shared_ptr<Grant> grant;
    CacheState from{0};
    CacheState to{0};
    std::uint16_t epoch{0};
    bool acknowledge{false};  // the grant is `breaking` until the holder has answered
    std::uint32_t number{0};  // of this break, for Oplocks::time_out
};
using BreakList = std::vector<BreakNotice>;

// Whom a grant was given to: how a break reaches it.  Called with no lock of fsa held, on whatever
// thread caused the break; must not block.
class CacheHolder {
  public:
    virtual ~CacheHolder() = default;
    virtual void cache_broken(const BreakNotice& notice) = 0;
    // The break of this BreakNotice::number, one to be acknowledged, is over: answered, timed out,
    // or the last open went.  Called like cache_broken, which may be on its way with a later one.
    virtual void break_over(std::uint32_t number) { static_cast<void>(number); }
};

// What one holder may cache.  Guarded by its File, but for what is const.
struct Grant {
    Grant(OplockKey lease_key, std::shared_ptr<CacheHolder> to_whom)
        : key(lease_key), holder(std::move(to_whom)) {}

    const OplockKey key;  // empty: a traditional oplock, of one open
    const std::shared_ptr<CacheHolder> holder;

    CacheState state{cache::none};
    bool breaking{false};
    CacheState break_to{cache::none};  // what the holder was asked to go down to
    CacheState required{cache::none};  // what others need it to go down to, by now
    std::uint16_t epoch{0};
    std::uint32_t break_number{0};
    std::uint32_t opens{0};
    bool listed{false};

    bool is_lease() const { return !key.empty(); }
};

// A break that is over, to be told to its holder; grant null: none is.
struct BreakEnd {
    std::shared_ptr<Grant> grant;
    std::uint32_t number{0};
    void tell() const {
        if (grant != nullptr) grant->holder->break_over(number);
    }
};

// What an open asks for.
struct CacheRequest {
    CacheState state{cache::none};
    std::uint16_t epoch{0};  // a new version 2 lease: the client's
    bool directory{false};
    bool guarded{false};  // no more than File::host_allows has said
};

// What the rest of the file says about a request: [MS-FSA] 2.1.5.18.
struct CacheObstacles {
    bool other_opens{false};  // by others, beyond looking at attributes
    bool byte_range_locks{false};
    CacheState host_allows{cache::all};
};

// Why others' grants must shrink: the Operation of [MS-FSA] 2.1.4.12.
enum class BreakReason : std::uint8_t {
    open,              // an open that reads or writes: writes cached elsewhere must be seen
    open_security,     // ... that reads the security descriptor at most: leases stay
    overwrite,         // ... that replaces the data: nothing cached stays right
    open_break_h,      // ... that fails with SHARING_VIOLATION unless handles are given up
    delete_or_rename,  // cached handles must be closed
    change,            // data or size changes: reads cached elsewhere become wrong
    entries,           // a directory's entries change
    host_read,         // somebody who is no client reads the file
    host_write,        // ... or may change its data
    all,               // the administrator, or a limit
};

class Oplocks {
  public:
    // Shrinks the grants of everybody but `key` as the reason demands, and tells whether the
    // operation must wait: then until the wakers run.  `self`: the grant of the very open that
    // acts, if it is a traditional oplock (a level II oplock is broken by its holder's own writes,
    // an exclusive one is not).
    bool conflict(BreakReason reason, const OplockKey& key, const Grant* self, BreakList& notices);
    // Takes back all of one grant.
    void take_back(const std::shared_ptr<Grant>& grant, BreakList& notices) {
        shrink(grant, cache::none, notices);
    }
    // Is somebody but `key` yet to acknowledge a break?
    bool others_breaking(const OplockKey& key) const;

    // Registers for the next time that a break ends or an open of the file goes.
    LockTicket wait(Waker waker);
    void cancel(LockTicket ticket, WakeList& wakes);
    void wake_all(WakeList& wakes);
    bool anybody_waits() const { return !waiting_.empty(); }

    // [MS-FSA] 2.1.5.18.  A lease's later opens may upgrade it, never shrink it.  Yields the grant,
    // whose state may be none; for a traditional oplock null if nothing can be granted.
    std::shared_ptr<Grant> request(const CacheRequest& request, const OplockKey& key,
                                   std::shared_ptr<CacheHolder> holder,
                                   const CacheObstacles& obstacles);
    // An open goes; with the last one its grant.
    void release(const std::shared_ptr<Grant>& grant, WakeList& wakes);

    // [MS-FSA] 2.1.5.19, [MS-SMB2] 3.3.5.22: UNSUCCESSFUL if no break is under way,
    // REQUEST_NOT_ACCEPTED if the holder wants to keep more than it may.
    Result<void> acknowledge(const std::shared_ptr<Grant>& grant, CacheState state,
                             BreakList& notices, WakeList& wakes);
    // The holder did not answer and has nothing any more, or it cannot be reached and has what it
    // was to go down to.  Nothing happens if that break (BreakNotice::number) is over.
    void time_out(const std::shared_ptr<Grant>& grant, std::uint32_t number, bool reachable,
                  WakeList& wakes);

    std::shared_ptr<Grant> find(const OplockKey& key) const;
    // What is wrong with it as a whole: "" unless there is a defect.
    std::string audit() const;
    const std::vector<std::shared_ptr<Grant>>& grants() const { return grants_; }
    bool has_readers() const;

  private:
    void shrink(const std::shared_ptr<Grant>& grant, CacheState to, BreakList& notices);
    CacheState grantable(const CacheRequest& request, const OplockKey& key,
                         const CacheObstacles& obstacles) const;

    struct Waiting {
        LockTicket ticket;
        Waker waker;
    };
    std::vector<std::shared_ptr<Grant>> grants_;
    std::vector<Waiting> waiting_;
    LockTicket next_ticket_{1};
};

}  // namespace smb3d::fsa
