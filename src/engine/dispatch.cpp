#include "engine/dispatch.h"

#include <algorithm>
#include <array>
#include <concepts>

#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/request_chain.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

Reply refuse(NtStatus status) { co_return fail(status); }

// [MS-SMB2] 3.3.5.2.5: the larger of what the request carries and what its response may; 0 for the
// commands that have neither.
template <class Request>
std::uint64_t payload_size(const Request&) {
    return 0;
}
template <class A, class B>
std::uint64_t larger(A a, B b) {
    return std::max<std::uint64_t>(a, b);
}
std::uint64_t payload_size(const wire::ReadRequest& r) { return r.length; }
std::uint64_t payload_size(const wire::WriteRequest& r) { return r.data.size(); }
std::uint64_t payload_size(const wire::QueryDirectoryRequest& r) { return r.output_buffer_length; }
std::uint64_t payload_size(const wire::ChangeNotifyRequest& r) { return r.output_buffer_length; }
std::uint64_t payload_size(const wire::QueryInfoRequest& r) {
    return larger(r.input.size(), r.output_buffer_length);
}
std::uint64_t payload_size(const wire::SetInfoRequest& r) { return r.buffer.size(); }
std::uint64_t payload_size(const wire::IoctlRequest& r) {
    return larger(r.input.size() + r.output.size(),
                  std::uint64_t{r.max_input_response} + r.max_output_response);
}

// [MS-SMB2] 3.3.5.2.5: Verifying the Credit Charge and the Payload Size.
bool charge_covers(const Call& call, std::uint64_t payload) {
    if (!call.connection.negotiated.supports_multi_credit) return true;
    const std::uint64_t charge = std::max<std::uint16_t>(call.header.credit_charge, 1);
    return payload <= charge * limits::credit_unit;
}

// [MS-SMB2] 3.3.5.2.10: Verifying the Channel Sequence Number.
bool in_order(Call& call) {
    if (!call.connection.negotiated.smb3()) return true;
    const bool counted = call.open.enter_order(
        call.header.channel_sequence(), call.header.is(wire::header_flags::replay_operation));
    const wire::Command command = call.header.command;
    const bool changes = command == wire::Command::write || command == wire::Command::set_info ||
                         command == wire::Command::ioctl;
    return counted || !changes;
}

// [MS-SMB2] 3.3.5.2.7.2: a related request takes the file of the one before.
NtStatus resolve_open(Call& call, wire::FileId id) {
    RelatedState& related = call.chain.related();
    if (call.related) {
        if (related.create_failure != NtStatus::SUCCESS) return related.create_failure;
        if (!related.has_file) return NtStatus::FILE_CLOSED;
        id.persistent_id = related.file_persistent;
        id.volatile_id = related.file_volatile;
    }
    call.open = OpenRef(call.session->find_open(id.volatile_id, id.persistent_id));
    if (!call.open || call.open->tree->id != call.tree->id) {
        call.open.release();
        related.has_file = false;
        return NtStatus::FILE_CLOSED;
    }
    // 3.3.5.2.. most commands: the client has the answer to its CREATE, so that it is no replay.
    if (call.open->replay_eligible.load(std::memory_order_relaxed) && !call.open->is_persistent()) {
        call.server().durable.table.not_replayable(*call.open);
    }
    related.file_persistent = id.persistent_id;
    related.file_volatile = id.volatile_id;
    related.has_file = true;
    related.create_failure = NtStatus::SUCCESS;
    return in_order(call) ? NtStatus::SUCCESS : NtStatus::FILE_NOT_AVAILABLE;
}

template <class Request>
concept NamesOpen = requires(Request r) {
    { r.file_id } -> std::convertible_to<wire::FileId>;
};

// FSCTLs that are sent with FileId all ones, because they ask the server and not a file.
bool needs_open(const auto&) { return true; }
bool needs_open(const wire::IoctlRequest& r) { return !(r.file_id == wire::file_id_any); }

template <class Request, auto handler>
Reply run(Call& call) {
    Result<Request> request = wire::parse<Request>(call.message);
    if (!request) return refuse(request.error());
    if (!charge_covers(call, payload_size(*request))) return refuse(NtStatus::INVALID_PARAMETER);
    if constexpr (NamesOpen<Request>) {
        if (needs_open(*request) || call.related) {
            const NtStatus status = resolve_open(call, request->file_id);
            if (status != NtStatus::SUCCESS) return refuse(status);
        }
    }
    return handler(call, std::move(*request));
}

constexpr bool session = true;
constexpr bool tree = true;
constexpr bool expired_ok = true;

using C = wire::Command;
constexpr std::array<CommandRow, wire::command_count> table = {{
    {C::negotiate, "NEGOTIATE", !session, !tree, expired_ok,
     run<wire::NegotiateRequest, negotiate>},
    {C::session_setup, "SESSION_SETUP", !session, !tree, expired_ok,
     run<wire::SessionSetupRequest, session_setup>},
    {C::logoff, "LOGOFF", session, !tree, expired_ok, run<wire::LogoffRequest, logoff>},
    {C::tree_connect, "TREE_CONNECT", session, !tree, !expired_ok,
     run<wire::TreeConnectRequest, tree_connect>},
    {C::tree_disconnect, "TREE_DISCONNECT", session, tree, expired_ok,
     run<wire::TreeDisconnectRequest, tree_disconnect>},
    {C::create, "CREATE", session, tree, !expired_ok, run<wire::CreateRequest, create>},
    {C::close, "CLOSE", session, tree, expired_ok, run<wire::CloseRequest, close>},
    {C::flush, "FLUSH", session, tree, !expired_ok, run<wire::FlushRequest, flush>},
    {C::read, "READ", session, tree, !expired_ok, run<wire::ReadRequest, read>},
    {C::write, "WRITE", session, tree, !expired_ok, run<wire::WriteRequest, write>},
    {C::lock, "LOCK", session, tree, expired_ok, run<wire::LockRequest, lock>},
    {C::ioctl, "IOCTL", session, tree, !expired_ok, run<wire::IoctlRequest, ioctl>},
    {C::cancel, "CANCEL", !session, !tree, expired_ok, run<wire::CancelRequest, cancel>},
    {C::echo, "ECHO", !session, !tree, expired_ok, run<wire::EchoRequest, echo>},
    {C::query_directory, "QUERY_DIRECTORY", session, tree, !expired_ok,
     run<wire::QueryDirectoryRequest, query_directory>},
    {C::change_notify, "CHANGE_NOTIFY", session, tree, !expired_ok,
     run<wire::ChangeNotifyRequest, change_notify>},
    {C::query_info, "QUERY_INFO", session, tree, !expired_ok,
     run<wire::QueryInfoRequest, query_info>},
    {C::set_info, "SET_INFO", session, tree, !expired_ok, run<wire::SetInfoRequest, set_info>},
    {C::oplock_break, "OPLOCK_BREAK", session, tree, !expired_ok, oplock_break},
}};

// A missing or misplaced row does not compile.
static_assert([] {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (static_cast<std::size_t>(table[i].command) != i || table[i].run == nullptr)
            return false;
    }
    return true;
}());

}  // namespace

const CommandRow* find_command(wire::Command command) {
    const auto index = static_cast<std::size_t>(command);
    return index < table.size() ? &table[index] : nullptr;
}

}  // namespace smb3d::engine
