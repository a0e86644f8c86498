#include "daemon/server_view.h"

#include <ctime>
#include <map>

#include "base/utf16.h"
#include "engine/share_access.h"

namespace smb3d::daemon {

namespace {

std::uint32_t seconds_since(std::uint64_t filetime) {
    constexpr std::uint64_t to_unix = 116444736000000000ULL;
    const auto now = static_cast<std::uint64_t>(std::time(nullptr)) * 10000000 + to_unix;
    return now > filetime ? static_cast<std::uint32_t>((now - filetime) / 10000000) : 0;
}

// "192.0.2.7:51324" or "[2001:db8::7]:51324" -> the address alone.
std::string host_of(const std::string& peer) {
    std::string host = peer.substr(0, peer.rfind(':'));
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    return host;
}

}  // namespace

pipe::ServerIdentity DaemonView::identity() const {
    pipe::ServerIdentity identity;
    if (engine::Server* engine = server()) {
        const auto config = engine->config();
        identity.netbios_name = config->netbios_name;
        identity.dns_name = config->dns_name;
        identity.domain = config->domain;
        identity.comment = config->comment;
        identity.max_sessions = config->max_sessions;
    }
    return identity;
}

// [MS-SRVS] 3.1.4.8: to administrators all; to others those that would let them in, so that a share
// of somebody else's is as if it were not there.
std::vector<pipe::ShareEntry> DaemonView::shares(const Caller& caller) const {
    std::vector<pipe::ShareEntry> list;
    engine::Server* engine = server();
    if (engine == nullptr) return list;
    std::map<std::string, std::size_t> uses;
    for (const auto& share : engine->shares()) uses[share.name] = share.trees;
    const auto config = engine->config();
    for (const auto& [folded, policy] : config->shares) {
        if (!administrator(caller) && !engine::share_access(*policy, caller)) continue;
        pipe::ShareEntry entry;
        entry.name = policy->name;
        entry.comment = policy->comment;
        entry.path = policy->path;
        entry.ipc = policy->backend->capabilities().is_pipe;
        entry.hidden = policy->hidden;
        entry.current_uses = static_cast<std::uint32_t>(uses[policy->name]);
        entry.max_uses = policy->max_connections;
        entry.caching = static_cast<std::uint32_t>(policy->caching);
        entry.access_based_enumeration = policy->access_based_enumeration;
        entry.encrypt = policy->encrypt;
        list.push_back(std::move(entry));
    }
    return list;
}

std::vector<pipe::SessionEntry> DaemonView::sessions() const {
    std::vector<pipe::SessionEntry> list;
    engine::Server* engine = server();
    if (engine == nullptr) return list;
    for (const auto& session : engine->sessions()) {
        pipe::SessionEntry entry;
        if (!session.channels.empty()) entry.client = host_of(session.channels.front().peer);
        entry.user = session.user;
        entry.opens = static_cast<std::uint32_t>(session.opens);
        entry.active_seconds = seconds_since(session.since);
        entry.guest = session.guest;
        list.push_back(std::move(entry));
    }
    return list;
}

std::vector<pipe::ConnectionEntry> DaemonView::connections() const {
    std::vector<pipe::ConnectionEntry> list;
    engine::Server* engine = server();
    if (engine == nullptr) return list;
    std::uint32_t id = 0;
    for (const auto& session : engine->sessions()) {
        for (const std::string& share : session.trees) {
            pipe::ConnectionEntry entry;
            entry.id = ++id;
            entry.share = share;
            if (!session.channels.empty()) entry.client = host_of(session.channels.front().peer);
            entry.user = session.user;
            entry.ipc = equal_folded(share, "IPC$");
            entry.active_seconds = seconds_since(session.since);
            list.push_back(std::move(entry));
        }
    }
    return list;
}

std::vector<pipe::OpenEntry> DaemonView::opens() const {
    std::vector<pipe::OpenEntry> list;
    engine::Server* engine = server();
    if (engine == nullptr) return list;
    for (const auto& open : engine->opens()) {
        pipe::OpenEntry entry;
        entry.id = static_cast<std::uint32_t>(open.id);
        entry.access = open.access;
        entry.locks = static_cast<std::uint32_t>(open.locks);
        entry.path = open.path.empty() ? open.share : open.share + "/" + open.path;
        entry.user = open.user;
        entry.client = host_of(open.peer);
        list.push_back(std::move(entry));
    }
    return list;
}

// [MS-SRVS] 2.2.4.7: an open's id has 32 bits there, the engine's has 64; what is ambiguous is not
// closed.
bool DaemonView::close_open(std::uint32_t id) const {
    engine::Server* engine = server();
    if (engine == nullptr) return false;
    std::uint64_t found = 0;
    std::size_t count = 0;
    for (const auto& open : engine->opens()) {
        if (static_cast<std::uint32_t>(open.id) != id) continue;
        found = open.id;
        ++count;
    }
    return count == 1 && engine->close_open(found);
}

std::size_t DaemonView::end_sessions(const std::string& client, const std::string& user) const {
    engine::Server* engine = server();
    if (engine == nullptr) return 0;
    std::size_t ended = 0;
    for (const auto& session : engine->sessions()) {
        const bool from_client =
            client.empty() ||
            (!session.channels.empty() && host_of(session.channels.front().peer) == client);
        const bool of_user = user.empty() || equal_folded(session.user, user);
        if (from_client && of_user && engine->end_session(session.id)) ++ended;
    }
    return ended;
}

}  // namespace smb3d::daemon
