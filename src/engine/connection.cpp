#include "engine/connection.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "base/filetime.h"
#include "base/log.h"
#include "engine/receive.h"
#include "engine/request_chain.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {
constexpr auto component = log::Component::engine;
constexpr std::size_t max_departed = 8;
}  // namespace

Connection::Connection(ServerImpl& server, LoopState& local, std::uint64_t id,
                       std::unique_ptr<transport::Link> link)
    : window(local.config->max_credits),
      server_(server),
      local_(local),
      id_(id),
      link_(std::move(link)),
      activity_(local.activity.transport(link_->kind())),
      since_(filetime_now()) {
    activity_.connections.add(1);
    authentication_deadline_.owner = this;
    authentication_deadline_.fire = [](Timer* timer) {
        auto* self = static_cast<OwnedTimer*>(timer)->owner;
        self->disconnect("no session was set up within the authentication time limit");
    };
}

Connection::~Connection() { assert(chains_ == nullptr); }

void Connection::start() {
    link_->set_max_message(limits::max_message_unauthenticated);
    arm_authentication_deadline();
    link_->start(*this);
}

void Connection::authenticated() {
    if (authentication_deadline_.armed()) loop().disarm(authentication_deadline_);
    link_->set_max_message(limits::max_message);
}

Channel Connection::describe_channel() const {
    return {id_, peer(), link_->kind(), loop().index(), filetime_now()};
}

void Connection::on_message(Buffer message) {
    if (closing_ || finishing_ || !gate_.enter()) return;
    receive(*this, std::move(message));
    gate_.leave();
}

void Connection::on_send_drained() { update_back_pressure(); }

void Connection::send(BufferChain&& message) {
    if (closing_) return;
    if (held_back > 0) local_.outbox.flush();
    link_->send(std::move(message));
    update_back_pressure();
}

// A client that does not read, or sends more than the server works off, is no longer read from.
void Connection::update_back_pressure() {
    if (closing_ || finishing_) return;
    const bool full = link_->send_queued() > link_->send_high_water() ||
                      chains_under_way_ >= limits::max_requests_in_flight;
    if (full == paused_) return;
    // Once paused, wait until there is room worth resuming for.
    if (paused_ && chains_under_way_ > limits::max_requests_in_flight / 2) return;
    paused_ = full;
    if (full) {
        link_->pause_receive();
    } else {
        link_->resume_receive();
    }
}

void Connection::disconnect(const std::string& reason, bool flush) {
    if (closing_) return;
    if (flush && held_back > 0) local_.outbox.flush();
    closing_ = true;
    if (!flush) log::info(component, "{}: closing the connection: {}", peer(), reason);
    link_->close(reason, flush);
}

void Connection::finish() {
    if (closing_) cancel_all();
    if (closing_ || finishing_) return;
    finishing_ = true;
    if (!paused_) link_->pause_receive();
    paused_ = true;
    // What waits for somebody else's doing (a lock) would never end.
    for (RequestChain* chain = chains_; chain != nullptr; chain = chain->next) {
        Call* call = chain->current();
        if (call != nullptr && call->async_id != 0) call->cancellation.request();
    }
    if (chains_under_way_ == 0) disconnect("the server is stopping", true);
}

void Connection::cut_off() {
    if (!closing_) disconnect("the server is stopping");
}

void Connection::on_closed(const std::string& reason) {
    log::debug(component, "{}: connection closed: {}", peer(), reason);
    closing_ = true;
    local_.outbox.forget(*this);
    if (authentication_deadline_.armed()) loop().disarm(authentication_deadline_);
    for (RequestChain* chain = chains_; chain != nullptr; chain = chain->next) {
        Call* call = chain->current();
        if (call == nullptr) continue;
        if (call->outlives_channel && call->session && has_other_channel(*call->session)) continue;
        call->cancellation.request();
    }
    take_down();
}

void Connection::cancel_all() {
    for (RequestChain* chain = chains_; chain != nullptr; chain = chain->next) {
        if (Call* call = chain->current()) call->cancellation.request();
    }
}

bool Connection::has_other_channel(Session& session) const {
    const auto state = session.state.lock();
    return std::ranges::any_of(state->channels,
                               [this](const Channel& c) { return c.connection_id != id_; });
}

// [MS-SMB2] 3.3.7.1: the loss of a connection releases every session that has no other channel.
Detached Connection::take_down() {
    // Requests first: they hold references to the channels' sessions.
    Signal idle(loop());
    gate_.close([&idle] { idle.set(); });
    std::vector<std::shared_ptr<Session>> orphans;
    for (auto& [session_id, channel] : channels_) {
        auto state = channel.session->state.lock();
        std::erase_if(state->channels, [this](const Channel& c) { return c.connection_id == id_; });
        if (state->channels.empty()) orphans.push_back(channel.session);
    }
    // Waiting operations on the opens of these sessions must end for the gate to become idle, so
    // the sessions go at once; close_open() itself waits for what runs.
    for (const auto& session : orphans) server_.end_session_on(session, loop(), id_);
    co_await idle;
    channels_.clear();
    server_.connection_closed(*this);  // destroys this
}

SessionChannel* Connection::find_channel(std::uint64_t session_id) {
    auto it = channels_.find(session_id);
    return it != channels_.end() ? &it->second : nullptr;
}

SessionChannel& Connection::add_channel(std::shared_ptr<Session> session) {
    SessionChannel& channel = channels_[session->id];
    channel.session = std::move(session);
    return channel;
}

void Connection::drop_channel(std::uint64_t session_id) {
    const auto channel = channels_.find(session_id);
    if (channel == channels_.end()) return;
    if (channel->second.signer) {
        if (departed_.size() == max_departed) departed_.erase(departed_.begin());
        departed_.push_back({session_id, std::move(channel->second.signer)});
    }
    channels_.erase(channel);
    // Without a session the connection is a stranger's again.
    const bool any = channels_.size() > unfinished_logons();
    if (!any && !closing_ && !finishing_) arm_authentication_deadline();
}

std::shared_ptr<const crypto::Signer> Connection::signer_of(std::uint64_t session_id) const {
    const auto channel = channels_.find(session_id);
    if (channel != channels_.end()) return channel->second.signer;
    const auto gone = std::find_if(departed_.rbegin(), departed_.rend(),
                                   [&](const auto& d) { return d.session_id == session_id; });
    return gone != departed_.rend() ? gone->signer : nullptr;
}

std::size_t Connection::unfinished_logons() const {
    return static_cast<std::size_t>(
        std::count_if(channels_.begin(), channels_.end(),
                      [](const auto& entry) { return !entry.second.signer; }));
}

bool Connection::has_user() const {
    return std::any_of(channels_.begin(), channels_.end(), [](const auto& entry) {
        const SessionChannel& channel = entry.second;
        return channel.signer && !channel.session->anonymous && !channel.session->guest;
    });
}

void Connection::arm_authentication_deadline() {
    if (authentication_deadline_.armed()) return;
    loop().arm(authentication_deadline_,
               std::chrono::seconds(local_.config->authentication_seconds));
}

void Connection::enlist(RequestChain& chain) {
    const bool entered = gate_.enter();
    assert(entered);  // on_message() holds the gate
    static_cast<void>(entered);
    chain.next = chains_;
    if (chains_ != nullptr) chains_->previous = &chain;
    chains_ = &chain;
    ++chains_under_way_;
    ++local_.chains_under_way;
    update_back_pressure();
}

void Connection::delist(RequestChain& chain) {
    if (chain.previous != nullptr) chain.previous->next = chain.next;
    if (chain.next != nullptr) chain.next->previous = chain.previous;
    if (chains_ == &chain) chains_ = chain.next;
    --chains_under_way_;
    --local_.chains_under_way;
    update_back_pressure();
    if (finishing_ && chains_under_way_ == 0) disconnect("the server is stopping", true);
    gate_.leave();  // may resume take_down(), which posts: `this` is still there
}

bool Connection::has_overdue(std::uint64_t now_ns) const {
    for (RequestChain* chain = chains_; chain != nullptr; chain = chain->next) {
        if (SlowRequests::overdue(*chain, now_ns)) return true;
    }
    return false;
}

void Connection::answer_overdue(std::uint64_t now_ns) {
    for (RequestChain* chain = chains_; chain != nullptr && !closing_; chain = chain->next) {
        if (SlowRequests::overdue(*chain, now_ns)) chain->current()->go_async();
    }
}

bool Connection::register_async(Call& call) {
    // One less may wait, as with Windows (smbtorture smb2.credits.*_max_async_credits).
    if (async_.size() + 1 >= limits::max_async_in_flight) return false;
    // [MS-SMB2] 3.3.4.2: unique on the connection; the message id is, and never 0 after NEGOTIATE.
    call.async_id = call.header.message_id;
    async_.emplace(call.async_id, &call);
    return true;
}

void Connection::unregister_async(Call& call) { async_.erase(call.async_id); }

void Connection::cancel_request(const wire::Header& header) {
    // [MS-SMB2] 3.3.5.16
    if (header.is_async()) {
        auto it = async_.find(header.async_id);
        if (it != async_.end()) it->second->cancellation.request();
        return;
    }
    for (RequestChain* chain = chains_; chain != nullptr; chain = chain->next) {
        Call* call = chain->current();
        // CANCEL carries the message id of what it cancels: it must not find itself.
        if (call != nullptr && call->header.command != wire::Command::cancel &&
            call->header.message_id == header.message_id) {
            call->cancellation.request();
            return;
        }
    }
}

void Connection::cancel_session(std::uint64_t session_id) {
    for (RequestChain* chain = chains_; chain != nullptr; chain = chain->next) {
        Call* call = chain->current();
        if (call != nullptr && call->session && call->session->id == session_id) {
            call->cancellation.request();
        }
    }
}

}  // namespace smb3d::engine
