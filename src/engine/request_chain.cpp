#include "engine/request_chain.h"

#include <new>

#include "base/log.h"
#include "base/tick_clock.h"
#include "engine/dispatch.h"
#include "engine/receive.h"
#include "engine/respond.h"
#include "engine/server_impl.h"
#include "wire/compound.h"

namespace smb3d::engine {

Loop& Call::loop() const { return connection.loop(); }
ServerImpl& Call::server() const { return connection.server(); }
const ServerConfig& Call::config() const { return *chain.config(); }
Dialect Call::dialect() const { return connection.negotiated.dialect; }

bool Call::go_async() {
    if (async_id != 0) return true;
    // [MS-SMB2] 3.3.4.2: only the last of a compound may be answered later.  Deviation: a CREATE
    // that waits for an oplock break is, wherever it stands, as with Windows
    // (smb2.compound_async.getinfo_middle).
    const bool may = last || header.command == wire::Command::create;
    if (!may || !connection.register_async(*this)) return false;
    Response interim = interim_response(*this);
    chain.send_interim(std::move(interim));
    return true;
}

void RequestChain::start(Connection& connection, Buffer message, std::shared_ptr<Session> session) {
    auto* chain = new RequestChain(connection, std::move(message), std::move(session));
    LoopState& local = connection.local();
    const std::size_t under_way = local.chains_under_way;
    connection.enlist(*chain);
    chain->run();
    if (local.chains_under_way != under_way) local.slow.watch();
}

RequestChain::RequestChain(Connection& connection, Buffer message, std::shared_ptr<Session> session)
    : connection_(connection),
      message_(std::move(message)),
      encryption_session_(std::move(session)),
      config_(connection.local().config),
      began_ns_(connection.loop().now_ns()) {}

namespace {

// The whole chain is bounded before anything of it is done: [MS-SMB2] 3.3.5.2.7.
bool is_well_formed(Bytes message) {
    wire::ChainReader reader(message);
    wire::ChainPart part;
    while (reader.next(part)) {
    }
    return reader.fault() == wire::ChainFault::none;
}

}  // namespace

namespace {

void note(Call& call, const Response& response) {
    const auto command = static_cast<std::size_t>(call.header.command);
    if (command >= wire::command_count) return;
    const TickClock& clock = TickClock::get();
    Activity::Sample sample;
    sample.error = static_cast<std::uint32_t>(response.status) >= 0xC0000000;
    sample.waited = call.async_id != 0;
    sample.bytes_in = call.message.size();
    sample.bytes_out = response.head.size() + response.data.size();
    sample.nanoseconds = clock.nanoseconds(clock.now() - call.began);
    LoopState& local = call.connection.local();
    local.activity.commands[command].record(sample);
    call.connection.activity().activity.record(sample);
    if (call.tree && call.tree->activity) {
        call.tree->activity->of(call.loop().index()).record(sample);
    }
}

}  // namespace

Detached RequestChain::run() {
    if (!is_well_formed(message_.bytes())) {
        connection_.disconnect("a malformed message or compound");
    } else {
        wire::ChainReader reader(message_.bytes());
        wire::ChainPart part;
        while (reader.next(part)) {
            Task<bool> task = run_part(part);
            const bool go_on = co_await task;
            if (!go_on || connection_.closing()) break;
        }
    }
    call_.reset();
    if (!connection_.closing()) flush_responses();
    Connection& connection = connection_;
    connection.delist(*this);
    delete this;
}

Task<bool> RequestChain::run_part(wire::ChainPart part) {
    call_.emplace(connection_, *this);
    Call& call = *call_;
    call.began = TickClock::get().now();
    call.header = part.header;
    call.message = part.message;
    call.first = part.offset == 0;
    call.last = part.last;
    call.related = part.header.is_related();
    call.signed_request = part.header.is_signed();
    call.encrypted = encryption_session_ != nullptr;
    // [MS-SMB2] 3.3.5.2.7.1: an unrelated request starts anew.
    if (!call.related) related_ = {};

    Verification verification = verify_header(call);
    if (verification.disconnect.empty()) verification = verify_rights(call);
    if (!verification.disconnect.empty()) {
        connection_.disconnect(std::string(verification.disconnect));
        co_return false;
    }
    if (part.header.command == wire::Command::cancel) {
        // [MS-SMB2] 3.3.5.16: never answered, whatever is wrong with it.
        if (verification.status == NtStatus::SUCCESS) connection_.cancel_request(part.header);
        call_.reset();
        co_return true;
    }
    connection_.local().requests.fetch_add(1, std::memory_order_relaxed);

    Result<Response> result = fail(verification.status);
    if (verification.status == NtStatus::SUCCESS) {
        try {
            Task<Result<Response>> task = find_command(part.header.command)->run(call);
            result = co_await task;
        } catch (const std::bad_alloc&) {
            result = fail(NtStatus::INSUFFICIENT_RESOURCES);
        }
    }
    if (part.header.command == wire::Command::create && !result) {
        related_.create_failure = result.error();
    }
    finish(std::move(result));
    co_return true;
}

void RequestChain::finish(Result<Response>&& result) {
    Call& call = *call_;
    call.open.release();
    if (call.async_id != 0) connection_.unregister_async(call);
    Response response = result ? std::move(*result) : error_response(call, result.error());
    write_header(call, response);
    note(call, response);
    Answered answered;
    answered.hash = call.hash_response;
    answered.response = std::move(response);
    if (call.sign_response && call.signer) {
        answered.signer = call.signer;
        answered.fields = {call.header.message_id, true, false};
    }
    answered_.push_back(std::move(answered));
    // The hash takes the message as it is sent, and may be gone after the next wait.
    if (answered_.back().hash != nullptr && !connection_.closing()) flush_responses();
    // Kept for the seal of the last send: what the tree or the session demands, the request has met
    // already.
    call_.reset();
}

void RequestChain::flush_responses() {
    if (answered_.empty()) return;
    send_parts(connection_, answered_, encryption_session_);
    answered_.clear();
}

void RequestChain::send_interim(Response interim) {
    // What has been answered goes first: the rest of this compound may take long.
    flush_responses();
    OutgoingPart part;
    part.response = std::move(interim);
    // [MS-SMB2] 3.3.4.1.1: interim responses are not signed.
    send_parts(connection_, std::span(&part, 1), encryption_session_);
}

}  // namespace smb3d::engine
