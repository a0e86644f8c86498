// CHANGE_NOTIFY: [MS-SMB2] 3.3.5.19.
#include "base/utf16.h"
#include "engine/change_report.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/server_impl.h"
#include "fsa/access.h"
#include "fscc/notify.h"

namespace smb3d::engine {

namespace {

// A request that waits: ended by a change, CANCEL, CLOSE or the end of its tree or session.
class NotifyWait : public fsa::NotifyWaiter {
  public:
    explicit NotifyWait(Loop& loop) : NotifyWaiter(&NotifyWait::wake), woken(loop) {}
    Signal woken;

  private:
    static void wake(fsa::NotifyWaiter& waiter) { static_cast<NotifyWait&>(waiter).woken.set(); }
};

struct Canceller {
    fsa::ChangeNotifier& notifier;
    fsa::ShareId share;
    NotifyWait& wait;
};

void cancel_wait(void* context) {
    auto* canceller = static_cast<Canceller*>(context);
    canceller->notifier.cancel(canceller->share, canceller->wait);
}

// Did the request end because what it depends on is going, and not by CANCEL?
bool is_cleanup(Call& call) {
    return call.open->in_flight.closing() || call.tree->ended ||
           call.session->state.lock()->state == SessionState::ended;
}

Task<NtStatus> wait_for_change(Call& call, const fsa::WatchArgs& args, std::uint32_t max_length,
                               NotifyWait& wait) {
    fsa::ChangeNotifier& notifier = call.server().notifier;
    // At once: what the same client changes with its next request counts.
    if (notifier.request(args, max_length, wait)) co_return wait.reply.status;
    // Before the interim response: who has seen that misses nothing that the host changes.
    Task<bool> starting =
        call.server().host_watches.start(call.open.shared(), call.op(Lane::metadata), args.tree);
    co_await starting;
    // Its deletion may have become pending before there was a watch to tell of it.
    if (call.open->fsa->file().delete_pending(*call.open->fsa)) {
        report_disposition(call.server(), *call.open);
    }
    Canceller canceller{notifier, args.share, wait};
    // Before the client can know that it waits.
    WaitRegistration registration(*call.open, call.cancellation);
    const bool listens = call.cancellation.listen(&cancel_wait, &canceller);
    // [MS-SMB2] 3.3.4.2: nothing waits inside a compound but its last part.
    const bool may_wait = call.go_async();
    if (!may_wait || !listens) cancel_wait(&canceller);
    Signal& woken = wait.woken;
    co_await woken;
    call.cancellation.unlisten();
    if (wait.reply.status != NtStatus::CANCELLED) co_return wait.reply.status;
    if (is_cleanup(call)) co_return NtStatus::NOTIFY_CLEANUP;
    if (may_wait) co_return NtStatus::CANCELLED;
    co_return call.last ? NtStatus::INSUFFICIENT_RESOURCES : NtStatus::INTERNAL_ERROR;
}

// False if a name cannot be expressed: never so for what the back ends hand out.
bool write_events(const std::vector<fsa::NotifyEvent>& events, std::vector<std::byte>& out) {
    wire::NextListWriter list(out, fscc::notify_alignment);
    for (const fsa::NotifyEvent& event : events) {
        auto name = utf8_to_utf16(event.name);
        if (!name) return false;
        for (char16_t& unit : *name) unit = unit == u'/' ? u'\\' : unit;
        const std::vector<std::byte> bytes = utf16le_bytes(*name);
        fscc::FileNotifyInformation record;
        record.action = static_cast<fscc::NotifyAction>(event.action);
        record.file_name = bytes;
        if (!list.add(record)) return false;
    }
    return true;
}

}  // namespace

Reply change_notify(Call& call, wire::ChangeNotifyRequest request) {
    if (request.output_buffer_length > call.connection.negotiated.max_transact) {
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    if (!call.open->fsa || !call.open->is_directory()) co_return fail(NtStatus::INVALID_PARAMETER);
    // CVE-2020-14318
    const auto allowed = fsa::check_operation(fsa::Operation::notify, call.open->granted_access);
    if (!allowed) co_return fail(allowed.error());
    fsa::WatchArgs args;
    args.share = share_id(*call.tree);
    args.open = call.open->persistent_id;
    args.source = watch_source(*call.tree);
    args.path = call.open->store_path();
    args.tree = (request.flags & wire::watch_tree) != 0;
    args.filter = request.completion_filter;
    args.case_sensitive = !call.tree->capabilities.case_insensitive;
    NotifyWait wait(call.loop());
    Task<NtStatus> waiting = wait_for_change(call, args, request.output_buffer_length, wait);
    const NtStatus status = co_await waiting;
    if (status != NtStatus::SUCCESS) co_return fail(status);
    std::vector<std::byte> records;
    if (!write_events(wait.reply.events, records)) co_return fail(NtStatus::NOTIFY_ENUM_DIR);
    wire::ChangeNotifyResponse response;
    response.output = Bytes(records);
    co_return reply(call, response);
}

}  // namespace smb3d::engine
