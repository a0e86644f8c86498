// FsaWait: a request that waits for something in fsa: a lock, or others' giving up what they cache.
//
// Thread: the request's loop; fsa's waker may run on any.  Lifetime: the request's.
#pragma once

#include "engine/request.h"
#include "engine/task.h"
#include "fsa/file.h"

namespace smb3d::engine {

class FsaWait {
  public:
    explicit FsaWait(Loop& loop) : signal_(loop) {}
    fsa::Waker waker() {
        return {[](void* context, NtStatus status) {
                    auto* self = static_cast<FsaWait*>(context);
                    self->status_ = status;
                    self->signal_.set();
                },
                this};
    }
    Signal& woken() { return signal_; }
    NtStatus status() const { return status_; }

  private:
    NtStatus status_{NtStatus::PENDING};
    Signal signal_;
};

// [MS-FSA] 2.1.5.3: before data or size change through the request's open, and after it.  True:
// what was broken of persistent handles is not on disk yet, and DurableKeeper::breaks_recorded must
// be awaited before the change, or before its answer.
bool break_readers(Call& call);
// ... and waits.
Task<bool> break_readers_recorded(Call& call);

// Waits, answering with an interim response if it may, until `wait` is woken; the request's
// cancellation ends it.  CANCELLED, or SUCCESS: then it is worth trying again.
enum class Interim : std::uint8_t { sent, none };
Task<NtStatus> wait_for_break(Call& call, FsaWait& wait, fsa::BreakWait what,
                              Interim interim = Interim::sent);

// [MS-FSA] 2.1.5.15.3, 2.1.5.15.11: before a file is deleted or renamed through the request's open,
// others close the handles that they only keep.  For a directory, those below it as well.  Without
// an interim response, as with Windows (smb2.compound_async.rename_non_compound_no_async).
Task<NtStatus> break_handles(Call& call);
// ... and before its name is taken by another.
Task<NtStatus> break_handles_of(Call& call, std::shared_ptr<fsa::File> file);

}  // namespace smb3d::engine
