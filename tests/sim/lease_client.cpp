#include "sim/lease_client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/core.h>

namespace smb3d::test {

using fsa::CacheState;
namespace cache = fsa::cache;

namespace {

constexpr std::uint16_t dialects[] = {0x0311, 0x0210, 0x0302, 0x0300};
constexpr unsigned never_step = ~0U;
// What a break may be on its way to us, or an answer of ours to the server.
constexpr auto slack = std::chrono::milliseconds(300);

bool later(std::uint16_t a, std::uint16_t b) { return static_cast<std::int16_t>(a - b) > 0; }

}  // namespace

std::string name_of(unsigned node, char separator) {
    if (node >= first_directory) return fmt::format("d{}", node - first_directory);
    if (node < stable_files) return fmt::format("d{}{}s{}", node % 2, separator, node);
    return fmt::format("d{}{}m{}", node % 2, separator, node);
}

LeaseClient::LeaseClient(World& world, unsigned number)
    : world_(world), number_(number), dialect_(dialects[number % std::size(dialects)]) {}

// ---- connections

bool LeaseClient::log_on(TestClient& client, bool first) {
    client.keep_notices = true;
    client.client_guid.fill(static_cast<std::uint8_t>(0x10 + number_));
    NegotiateOptions options;
    options.dialects = {dialect_};
    options.capabilities |= wire::capabilities::leasing;
    if (dialect_ >= wire::dialect::smb300) {
        options.capabilities |=
            wire::capabilities::directory_leasing | wire::capabilities::multi_channel;
    }
    if (!client.negotiate(options).ok()) return false;
    if (!first) return client.bind(*main_, "sim").ok();
    if (!client.session_setup("sim").ok() || !client.tree_connect("data").ok()) return false;
    client.encrypt = client.seal != nullptr && number_ % 4 == 2;
    return true;
}

bool LeaseClient::connect() {
    main_ = std::make_unique<TestClient>(world_.server, fmt::format("192.0.2.{}", number_ + 1));
    polled_ = Clock::now();
    if (!log_on(*main_, true)) {
        world_.complain(fmt::format("client {} cannot log on", number_));
        main_.reset();
    }
    return main_ != nullptr;
}

void LeaseClient::add_channel() {
    if (spare_ != nullptr || dialect_ < wire::dialect::smb300) return;
    auto made = std::make_unique<TestClient>(world_.server, fmt::format("192.0.2.{}", number_ + 1));
    if (!log_on(*made, false)) {
        world_.complain(fmt::format("client {} cannot bind a channel", number_));
        return;
    }
    spare_ = std::move(made);
    ++world_.seen.channels;
}

void LeaseClient::drop_channel() {
    if (spare_ == nullptr) return;
    poll();
    if (spare_ == nullptr) return;  // the poll has lost the session
    if (world_.chance.one_in(2)) std::swap(main_, spare_);
    lenient_until_ = Clock::now() + 3 * break_time_out;
    const bool changing =
        std::any_of(outstanding_.begin(), outstanding_.end(), [&](const Outstanding& request) {
            return request.on == main_.get() && changes_names(request);
        });
    if (changing) names_in_doubt();
    forget_requests(main_.get());
    // Breaks of oplocks are sent once; one that was on its way to this channel is lost.
    for (auto& [serial, handle] : handles_) {
        if (!handle.lease) handle.oplock.uncertain = true;
    }
    main_ = std::move(spare_);
}

bool LeaseClient::changes_names(const Outstanding& request) {
    const std::string_view what = request.what;
    return what == "create" || what == "close" || what == "rename" || what == "remove";
}

void LeaseClient::names_in_doubt() {
    no_listing_until_ = Clock::now() + std::chrono::milliseconds(500);
    for (auto& [key, lease] : leases_) {
        if (lease.node >= first_directory) doubt(lease);
    }
}

void LeaseClient::lose_session(bool keep_durable) {
    ++session_;
    lenient_until_ = Clock::now() + 3 * break_time_out;
    names_in_doubt();
    outstanding_.clear();
    for (auto& [serial, handle] : handles_) {
        if (!keep_durable || !handle.durable || handle.busy != 0 || handle.locks_uncertain) {
            continue;
        }
        const Caching& caching = handle.lease ? leases_[*handle.lease].caching : handle.oplock;
        if (!caching.uncertain && away_.size() < 6) away_.push_back({handle, caching.state});
    }
    handles_.clear();
    early_breaks_.clear();
    for (auto& [key, lease] : leases_) {
        const bool v2 = lease.v2;
        const std::uint16_t epoch = lease.epoch;
        const std::uint64_t generation = lease.generation + 1;
        const unsigned node = lease.node;
        lease = {};
        lease.v2 = v2;
        lease.epoch = epoch;
        lease.generation = generation;
        lease.node = node;
    }
    main_.reset();
    spare_.reset();
}

TestClient& LeaseClient::channel() {
    return spare_ != nullptr && world_.chance.one_in(2) ? *spare_ : *main_;
}

// ---- what comes

void LeaseClient::forget_requests(const TestClient* on) {
    std::vector<std::function<void()>> lost;
    std::erase_if(outstanding_, [&](Outstanding& request) {
        if (request.on != on) return false;
        if (request.lost) lost.push_back(std::move(request.lost));
        return true;
    });
    for (const auto& function : lost) function();
}

void LeaseClient::poll_channel(TestClient& client) {
    if (!client.poll()) world_.complain(fmt::format("client {}: the connection ended", number_));
    struct Event {
        Reply reply;
        Done done;
    };
    std::vector<Event> events;
    for (Reply& reply : client.notices) events.push_back({std::move(reply), {}});
    client.notices.clear();
    std::erase_if(outstanding_, [&](Outstanding& request) {
        if (request.on != &client) return false;
        std::optional<Reply> reply = client.take(request.id);
        if (!reply) return false;
        events.push_back({std::move(*reply), std::move(request.done)});
        return true;
    });
    std::sort(events.begin(), events.end(),
              [](const Event& a, const Event& b) { return a.reply.arrival < b.reply.arrival; });
    const unsigned session = session_;
    for (const Event& event : events) {
        if (session != session_) return;  // what came later is of no use any more
        if (event.reply.bad_signature) world_.complain("a wrong signature");
        if (event.done) {
            event.done(event.reply);
        } else {
            notice(event.reply);
        }
    }
}

void LeaseClient::poll() {
    const Clock::time_point began = Clock::now();
    const unsigned session = session_;
    if (main_ != nullptr) poll_channel(*main_);
    if (session == session_ && spare_ != nullptr) poll_channel(*spare_);
    if (main_ != nullptr) answer_breaks(winding_down_);
    polled_ = began;
}

void LeaseClient::notice(const Reply& reply) {
    if (reply.header.command != wire::Command::oplock_break) {
        return world_.complain("an unknown message of the server's own");
    }
    ++world_.seen.breaks;
    if (wire::structure_size_of(reply.message) == wire::lease_break_notification_structure_size) {
        lease_notice(reply.body<wire::LeaseBreakNotification>());
    } else {
        oplock_notice(reply.body<wire::OplockBreakNotification>());
    }
}

LeaseClient::PendingBreak LeaseClient::pending_break(CacheState to, std::uint16_t epoch) {
    PendingBreak pending;
    pending.to = to;
    pending.epoch = epoch;
    pending.not_before = Clock::now() < lenient_until_ ? Clock::time_point() : polled_;
    pending.answer_at = world_.step;
    const std::uint64_t draw = world_.chance.below(24);
    if (winding_down_ || draw > 10) return pending;
    if (draw == 0) {
        pending.manner = Manner::never;
    } else if (draw <= 2) {
        pending.manner = Manner::wrong;
    } else {
        pending.manner = Manner::later;
        pending.answer_at += static_cast<unsigned>(world_.chance.below(40));
    }
    return pending;
}

LeaseClient::LeaseModel& LeaseClient::lease_of(const wire::LeaseKey& key) {
    LeaseModel& lease = leases_[key];
    lease.node = key[1];
    lease.v2 = dialect_ >= wire::dialect::smb300;
    return lease;
}

void LeaseClient::lease_notice(const wire::LeaseBreakNotification& notice) {
    LeaseModel& lease = lease_of(notice.lease_key);
    Caching& caching = lease.caching;
    const bool settled = lease.known && !caching.pending && !caching.uncertain &&
                         lease.creates == 0 && caching.answering == 0;
    if (lease.v2 && lease.known) {
        if (later(lease.epoch, notice.new_epoch)) return;
        const bool next_step = !caching.pending && notice.current_lease_state == caching.state;
        if (lease.epoch == notice.new_epoch && !next_step) return;  // told over two channels
    }
    const bool next = !lease.v2 || notice.new_epoch == static_cast<std::uint16_t>(lease.epoch + 1);
    if (settled && next && notice.current_lease_state != caching.state) {
        world_.complain(fmt::format("client {}: {} is broken from {} but has {}", number_,
                                    name_of(lease.node), notice.current_lease_state,
                                    caching.state));
    }
    lease.known = true;
    lease.epoch = notice.new_epoch;
    caching.state = notice.current_lease_state;
    caching.pending.reset();
    const bool acknowledge = (notice.flags & wire::break_lease_flag_ack_required) != 0;
    if (acknowledge != ((notice.current_lease_state & (cache::write | cache::handle)) != 0)) {
        world_.complain("a break that asks for an answer it does not need, or does not");
    }
    if (acknowledge) {
        caching.pending = pending_break(notice.new_lease_state, notice.new_epoch);
    } else {
        caching.state = notice.new_lease_state;
    }
    doubt(lease);
}

void LeaseClient::oplock_notice(const wire::OplockBreakNotification& notice) {
    const CacheState to = notice.oplock_level == wire::OplockLevel::ii ? cache::read : cache::none;
    for (auto& [serial, handle] : handles_) {
        if (!(handle.id == notice.file_id)) continue;
        Caching& caching = handle.oplock;
        if ((caching.state & (cache::write | cache::handle)) != 0) {
            caching.pending = pending_break(to, 0);
        } else {
            caching.state = to;
        }
        return;
    }
    // Of a CREATE whose answer is lost, or still to come on another channel.
    early_breaks_.insert(notice.file_id.persistent_id);
    wire::OplockBreakAcknowledgment answer;
    answer.oplock_level = notice.oplock_level;
    answer.file_id = notice.file_id;
    issue("answer to an early break", answer, [](const Reply&) {});
}

// ---- answers to breaks

bool LeaseClient::due(const Caching& caching, unsigned step, bool all) {
    if (!caching.pending || caching.pending->answer_at == never_step) return false;
    if (caching.pending->manner == Manner::never) return false;
    return all || caching.pending->answer_at <= step;
}

void LeaseClient::answer_breaks(bool all) {
    std::vector<wire::LeaseKey> keys;
    for (const auto& [key, lease] : leases_) {
        if (due(lease.caching, world_.step, all)) keys.push_back(key);
    }
    for (const auto& key : keys) answer_lease(key, all);
    std::vector<std::uint64_t> serials;
    for (const auto& [serial, handle] : handles_) {
        if (handle.busy == 0 && due(handle.oplock, world_.step, all)) serials.push_back(serial);
    }
    for (const std::uint64_t serial : serials) answer_oplock(serial);
}

void LeaseClient::answer_lease(const wire::LeaseKey& key, bool) {
    LeaseModel& lease = leases_[key];
    if (!lease.dirty) return send_lease_answer(key);
    lease.caching.pending->answer_at = never_step;  // when it is written
    flush(key);
}

// Writes what is cached; then a break that waits for it is answered.
void LeaseClient::flush(const wire::LeaseKey& key) {
    LeaseModel& lease = leases_[key];
    lease.dirty = false;
    const auto handle = std::find_if(handles_.begin(), handles_.end(), [&](const auto& each) {
        return each.second.lease == key && (each.second.access & 2) != 0;
    });
    if (handle == handles_.end() || !lease.value) {
        lease.value.reset();
        if (lease.caching.pending) lease.caching.pending->answer_at = world_.step;
        return;
    }
    wire::WriteRequest request;
    request.file_id = handle->second.id;
    const std::uint64_t value = *lease.value;
    request.data = Bytes(std::as_bytes(std::span(&value, 1)));
    lease.value.reset();
    const auto written = [this, key] {
        LeaseModel& written_lease = leases_[key];
        doubt(written_lease);
        if (written_lease.caching.pending &&
            written_lease.caching.pending->answer_at == never_step) {
            written_lease.caching.pending->answer_at = world_.step;
        }
    };
    issue(
        "flush", request,
        [this, written, key, value, generation = lease.generation](const Reply& reply) {
            LeaseModel& flushed = leases_[key];
            const bool keeps = reply.ok() && flushed.generation == generation &&
                               (flushed.caching.state & cache::read) != 0;
            written();
            if (keeps && !flushed.dirty) flushed.value = value;
        },
        [this, written, key] {
            written();
            leases_[key].caching.uncertain = true;
        });
}

void LeaseClient::send_lease_answer(const wire::LeaseKey& key) {
    LeaseModel& lease = leases_[key];
    Caching& caching = lease.caching;
    PendingBreak& pending = *caching.pending;
    const bool wrong = pending.manner == Manner::wrong;
    wire::LeaseBreakAcknowledgment answer;
    answer.lease_key = key;
    answer.lease_state = pending.to;
    if (wrong) {
        answer.lease_state = cache::all;
    } else if (world_.chance.one_in(6)) {
        answer.lease_state &= world_.chance.one_in(2) ? cache::read : cache::none;
    }
    const std::uint16_t epoch = pending.epoch;
    const Clock::time_point not_before = pending.not_before;
    ++caching.answering;
    if (wrong) {
        pending.manner = Manner::later;
        pending.answer_at = world_.step + 3;
    } else {
        caching.state = answer.lease_state;
        caching.pending.reset();
        if ((caching.state & cache::read) == 0) doubt(lease);
    }
    issue(
        "lease break answer", answer,
        [this, key, epoch, wrong, not_before](const Reply& reply) {
            lease_answered(key, epoch, wrong, not_before, reply.status());
        },
        [this, key] {
            --leases_[key].caching.answering;
            leases_[key].caching.uncertain = true;
        });
}

void LeaseClient::lease_answered(const wire::LeaseKey& key, std::uint16_t epoch, bool wrong,
                                 Clock::time_point not_before, NtStatus status) {
    LeaseModel& lease = leases_[key];
    --lease.caching.answering;
    switch (status) {
        case NtStatus::SUCCESS:
            ++world_.seen.acknowledged;
            if (wrong) world_.complain("a lease break's answer that keeps too much was accepted");
            return;
        case NtStatus::REQUEST_NOT_ACCEPTED:
            ++world_.seen.refused;
            if (!wrong) world_.complain("a right answer to a lease break was refused");
            return;
        case NtStatus::OBJECT_NAME_NOT_FOUND:
            return;  // its last handle is gone
        case NtStatus::UNSUCCESSFUL:
            if (lease.epoch != epoch || !lease.known) return;
            over(lease.caching, not_before);
            lease.dirty = false;
            return doubt(lease);
        default:
            world_.complain(fmt::format("a lease break's answer: {}", status_name(status)));
    }
}

// The server says that the break is over although it was not answered.
void LeaseClient::over(Caching& caching, Clock::time_point not_before) {
    ++world_.seen.timed_out;
    const auto waited = Clock::now() - not_before;
    if (!caching.uncertain && waited + slack < break_time_out) {
        world_.complain(
            fmt::format("client {}: a break was over after {} ms", number_,
                        std::chrono::duration_cast<std::chrono::milliseconds>(waited).count()));
    }
    caching.state = cache::none;
    caching.pending.reset();
}

void LeaseClient::answer_oplock(std::uint64_t serial) {
    Handle& handle = handles_[serial];
    const PendingBreak pending = *handle.oplock.pending;
    handle.oplock.pending.reset();
    const bool wrong = pending.manner == Manner::wrong;
    wire::OplockBreakAcknowledgment answer;
    answer.file_id = handle.id;
    const bool keep = pending.to == cache::read && !world_.chance.one_in(4) && !wrong;
    answer.oplock_level = keep ? wire::OplockLevel::ii : wire::OplockLevel::none;
    if (wrong) answer.oplock_level = wire::OplockLevel::exclusive;
    handle.oplock.state = keep ? cache::read : cache::none;
    ++handle.oplock.answering;
    issue(
        "oplock break answer", answer,
        [this, serial, wrong, pending](const Reply& reply) {
            const auto found = handles_.find(serial);
            if (found == handles_.end()) return;
            Caching& caching = found->second.oplock;
            --caching.answering;
            if (reply.ok()) ++world_.seen.acknowledged;
            if (reply.ok() && wrong) world_.complain("a level that does not exist was accepted");
            if (wrong) ++world_.seen.refused;
            if (!reply.ok() && !wrong) over(caching, pending.not_before);
        },
        [this, serial] {
            const auto found = handles_.find(serial);
            if (found == handles_.end()) return;
            --found->second.oplock.answering;
            found->second.oplock.uncertain = true;
        });
}

// ---- comparing with the server

std::string LeaseClient::compare_caching(Caching& caching, const fsa::Caching& server,
                                         const char* what) {
    if (caching.uncertain || caching.answering != 0) return {};
    if (caching.pending && !server.breaking && server.state == cache::none) {
        over(caching, caching.pending->not_before);
        return {};
    }
    if (server.breaking == caching.pending.has_value() && server.state == caching.state) return {};
    return fmt::format("{}: has {}{}, the server says {}{}", what, caching.state,
                       caching.pending ? " (breaking)" : "", server.state,
                       server.breaking ? " (breaking)" : "");
}

std::string LeaseClient::compare_cached(const LeaseModel& lease) {
    const Caching& caching = lease.caching;
    if ((caching.state & cache::read) == 0 || caching.pending || caching.uncertain) return {};
    if (lease.creates != 0 || lease.closes != 0 || caching.answering != 0) return {};
    const std::string name = name_of(lease.node, '/');
    if (lease.value && !lease.dirty && lease.node < stable_files) {
        const auto content = world_.server.share().content(name);
        std::uint64_t value = 0;
        if (content && content->size() >= sizeof value) {
            std::memcpy(&value, content->data(), sizeof value);
        }
        if (value != *lease.value) return name + ": what is cached is not what is stored";
    }
    if (lease.listing) {
        const auto names = world_.server.share().names_in(name);
        if (!names || std::set<std::string>(names->begin(), names->end()) != *lease.listing) {
            return name + ": the cached listing is not what is there";
        }
    }
    return {};
}

std::string LeaseClient::compare_handle(Handle& handle) {
    const auto session = world_.engine().session_table.find(main_->session_id);
    if (session == nullptr) return "the session is gone";
    const auto open = session->find_open(handle.id.volatile_id, handle.id.persistent_id);
    if (open == nullptr) return name_of(handle.node) + ": a handle that the server does not know";
    fsa::File& file = open->fsa->file();
    if (!handle.locks_uncertain && file.lock_count(*open->fsa) != handle.locks.size()) {
        return fmt::format("{}: {} locks, not {}", name_of(handle.node),
                           file.lock_count(*open->fsa), handle.locks.size());
    }
    const fsa::Caching caching = file.caching(*open->fsa);
    const std::string what = name_of(handle.node) + (handle.lease ? " lease" : " oplock");
    if (!handle.lease) return compare_caching(handle.oplock, caching, what.c_str());
    LeaseModel& lease = leases_[*handle.lease];
    if (lease.creates != 0 || lease.closes != 0) return {};
    const std::string wrong = compare_caching(lease.caching, caching, what.c_str());
    if (!wrong.empty() || lease.caching.uncertain || lease.caching.answering != 0) return wrong;
    if (lease.v2 && caching.epoch != lease.epoch) {
        return fmt::format("{}: epoch {}, the server says {}", what, lease.epoch, caching.epoch);
    }
    return {};
}

std::string LeaseClient::compare() {
    if (main_ == nullptr) return {};
    for (const Outstanding& request : outstanding_) {
        if (request.watches && request.since < world_.created[*request.watches]) {
            return fmt::format("client {}: a watch was not told of a new file", number_);
        }
    }
    for (auto& [serial, handle] : handles_) {
        if (handle.busy != 0) continue;
        const std::string wrong = compare_handle(handle);
        if (!wrong.empty()) return fmt::format("client {}: {}", number_, wrong);
    }
    for (const auto& [key, lease] : leases_) {
        if (lease.handles == 0) continue;
        const std::string wrong = compare_cached(lease);
        if (!wrong.empty()) return fmt::format("client {}: {}", number_, wrong);
    }
    return {};
}

std::string LeaseClient::waiting_for() const {
    std::string text;
    for (const Outstanding& request : outstanding_) {
        text += fmt::format("client {}: {} was not answered; ", number_, request.what);
    }
    return text;
}

void LeaseClient::wind_down() {
    winding_down_ = true;
    for (Outstanding& request : outstanding_) {
        if (!request.may_wait || std::exchange(request.cancelled, true)) continue;
        request.on->cancel(request.id);
    }
}

}  // namespace smb3d::test
