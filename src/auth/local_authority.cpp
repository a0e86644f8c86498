#include "auth/local_authority.h"

#include <atomic>
#include <chrono>
#include <utility>

#include <fmt/core.h>

#include "auth/failed_logons.h"
#include "auth/ntlm.h"
#include "auth/spnego.h"
#include "base/guarded.h"
#include "base/log.h"
#include "crypto/provider.h"

namespace smb3d::auth {

namespace {

using Mechanisms = std::vector<std::shared_ptr<const Mechanism>>;

// Groups may change without any file telling: what was resolved is never older than this.
constexpr std::uint64_t max_age_ns = 300ULL * 1'000'000'000ULL;

std::uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// "192.0.2.7:51324" and "[2001:db8::7]:445" without the port: each connection has another one.
std::string host_of(const std::string& address) {
    if (!address.empty() && address.front() == '[') {
        const auto end = address.find(']');
        return end == std::string::npos ? address : address.substr(1, end - 1);
    }
    const auto colon = address.find(':');
    if (colon == std::string::npos || colon != address.rfind(':')) return address;
    return address.substr(0, colon);
}

}  // namespace

struct LocalAuthority::State {
    State(std::string path, AuthOptions given)
        : account_path(std::move(path)),
          options(std::move(given)),
          failed(options.failed_logon_burst, options.failed_logons_per_minute) {}

    struct Current {
        Mechanisms mechanisms;
        AccountStamp stamp;  // taken before the files were read, so that no change is missed
        std::uint64_t loaded_ns{0};
        std::uint64_t ticket{0};
    };

    bool is_stale() {
        const AccountStamp stamp = stamp_accounts(account_path);
        const std::uint64_t now = now_ns();
        const auto locked = current.lock();
        return locked->stamp != stamp || now - locked->loaded_ns > max_age_ns;
    }

    // Loads without holding the lock; of several at once, the one that began last prevails.
    Told<void> refresh() {
        const std::uint64_t ticket = ++tickets;
        const AccountStamp stamp = stamp_accounts(account_path);
        const bool needs_guest = options.allow_guest || options.allow_anonymous;
        auto loaded = AccountSnapshot::load(account_path, options.netbios_name,
                                            needs_guest ? options.guest_account : std::string());
        Mechanisms mechanisms;
        if (loaded) {
            NtlmOptions ntlm;
            ntlm.netbios_name = options.netbios_name;
            ntlm.dns_name = options.dns_name;
            ntlm.allow_guest = options.allow_guest;
            ntlm.allow_anonymous = options.allow_anonymous;
            ntlm.require_channel_bindings = options.require_channel_bindings;
            mechanisms.push_back(std::make_shared<NtlmMechanism>(std::move(ntlm), *loaded));
        }
        const auto locked = current.lock();
        if (ticket < locked->ticket) return {};
        locked->ticket = ticket;
        locked->stamp = stamp;  // a file that cannot be read is tried again when it has changed
        locked->loaded_ns = now_ns();
        if (!loaded) return std::unexpected(std::move(loaded.error()));
        locked->mechanisms.swap(mechanisms);
        return {};
    }

    Mechanisms mechanisms() { return current.lock()->mechanisms; }

    const std::string account_path;
    const AuthOptions options;
    FailedLogons failed;
    std::atomic<std::uint64_t> tickets{0};
    Guarded<Current, Rank::leaf> current;
};

namespace {

class LocalExchange : public Exchange {
  public:
    LocalExchange(std::shared_ptr<LocalAuthority::State> state, const Peer& peer)
        : state_(std::move(state)), peer_(peer), host_(host_of(peer.address)) {
        stale_ = state_->is_stale();
    }
    bool may_block() const override {
        return acceptor_ == nullptr ? stale_ : acceptor_->may_block();
    }
    Result<Step> step(Bytes token) override;

  private:
    std::shared_ptr<LocalAuthority::State> state_;
    Peer peer_;
    std::string host_;
    bool stale_{false};
    std::unique_ptr<SpnegoAcceptor> acceptor_;
};

Result<Step> LocalExchange::step(Bytes token) {
    if (acceptor_ == nullptr) {
        if (stale_) {
            if (const auto fresh = state_->refresh(); !fresh) {
                log::error(log::Component::auth, "the accounts stay as they were: {}",
                           fresh.error());
            }
        }
        acceptor_ = std::make_unique<SpnegoAcceptor>(state_->mechanisms(), peer_);
    }
    if (!state_->failed.allowed(host_, now_ns())) {
        log::warn(log::Component::auth, "too many failed logons from {}: not even tried", host_);
        return fail(NtStatus::LOGON_FAILURE);
    }
    auto result = acceptor_->step(token);
    if (!result && result.error() == NtStatus::LOGON_FAILURE)
        state_->failed.failed(host_, now_ns());
    return result;
}

}  // namespace

LocalAuthority::LocalAuthority(std::shared_ptr<State> state) : state_(std::move(state)) {}
LocalAuthority::~LocalAuthority() = default;

Told<std::unique_ptr<LocalAuthority>> LocalAuthority::create(std::string account_path,
                                                             AuthOptions options) {
    if (!crypto::has_legacy_algorithms()) return std::unexpected(crypto::library_error());
    auto state = std::make_shared<State>(std::move(account_path), std::move(options));
    if (auto loaded = state->refresh(); !loaded) return std::unexpected(std::move(loaded.error()));
    return std::unique_ptr<LocalAuthority>(new LocalAuthority(std::move(state)));
}

std::vector<std::byte> LocalAuthority::hint() const { return make_neg_hint(state_->mechanisms()); }

std::unique_ptr<Exchange> LocalAuthority::begin(const Peer& peer) const {
    return std::make_unique<LocalExchange>(state_, peer);
}

Told<void> LocalAuthority::reload() const { return state_->refresh(); }

}  // namespace smb3d::auth
