#include "auth/accounts.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fmt/core.h>

#include "auth/account_records.h"
#include "auth/as_server.h"
#include "auth/ntlm_crypto.h"
#include "base/log.h"
#include "base/utf16.h"
#include "crypto/random.h"
#include "dtyp/sid.h"

namespace smb3d::auth {

namespace {

std::unexpected<std::string> told(std::string text) { return std::unexpected(std::move(text)); }

struct SystemUser {
    std::string name;
    std::uint32_t uid{0};
    std::uint32_t gid{0};
};

// nullopt: there is none; an error: the name service could not say.
Told<std::optional<SystemUser>> find_system_user(const std::string& name) {
    constexpr std::size_t largest = 1U << 20U;
    std::vector<char> buffer(4096);
    ::passwd entry{};
    ::passwd* found = nullptr;
    for (;;) {
        const int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error == EINTR) continue;
        if (error == ERANGE && buffer.size() < largest) {
            buffer.resize(buffer.size() * 2);
            continue;
        }
        // getpwnam_r(3): several values of errno mean no more than "not found".
        if (error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM ||
            error == ERANGE) {
            return told(
                fmt::format("looking up the system user '{}': {}", name, std::strerror(error)));
        }
        break;
    }
    if (found == nullptr) return std::optional<SystemUser>();
    return SystemUser{entry.pw_name, entry.pw_uid, entry.pw_gid};
}

std::vector<std::uint32_t> groups_of(const SystemUser& user) {
    constexpr int most = 65536;  // NGROUPS_MAX
    int count = 64;
    std::vector<::gid_t> groups(static_cast<std::size_t>(count));
    while (::getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) < 0) {
        if (count > most || groups.size() >= static_cast<std::size_t>(most)) {
            count = most;
            break;
        }
        count = std::max(count, static_cast<int>(groups.size()) * 2);
        groups.resize(static_cast<std::size_t>(count));
    }
    groups.resize(std::min(groups.size(), static_cast<std::size_t>(std::max(count, 0))));
    std::erase(groups, user.gid);
    return {groups.begin(), groups.end()};
}

// The characters that [MS-SAMR] 3.1.1.6 keeps out of account names, and '@', which divides name and
// domain.
Told<void> check_name(std::string_view name) {
    constexpr std::size_t longest = 256;
    constexpr std::string_view forbidden = "\"/\\[]:;|=,+*?<>@";
    if (name.empty()) return told("an account needs a name");
    if (!utf8_to_utf16(name) || utf16_length(name) > longest) {
        return told("an account's name must be UTF-8 of at most 256 characters");
    }
    for (const char c : name) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F ||
            forbidden.find(c) != forbidden.npos) {
            return told(fmt::format(
                "an account's name must not have control characters nor any of {}", forbidden));
        }
    }
    return {};
}

std::string utc_now() {
    const ::time_t now = ::time(nullptr);
    ::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    const std::size_t size = ::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), size};
}

auto find_record(std::vector<AccountRecord>& records, std::string_view name) {
    return std::ranges::find_if(records, [name](const AccountRecord& record) {
        return equal_folded(record.info.name, name);
    });
}

// Reads, changes and writes the file as one step.  `change` yields Told<void>.
template <class Change>
Told<void> change_accounts(const std::string& path, Change change) {
    auto lock = lock_accounts(path);
    if (!lock) return told(std::move(lock.error()));
    auto records = read_accounts(path);
    if (!records) return told(std::move(records.error()));
    if (Told<void> changed = change(*records); !changed) return changed;
    return write_accounts(path, *records);
}

template <class Change>
Told<void> change_account(const std::string& path, std::string_view name, Change change) {
    return change_accounts(path, [&](std::vector<AccountRecord>& records) -> Told<void> {
        const auto found = find_record(records, name);
        if (found == records.end()) return told(fmt::format("there is no account '{}'", name));
        change(records, found);
        return {};
    });
}

std::array<std::uint64_t, 5> stamp_file(const char* path) {
    struct stat status {};
    if (::stat(path, &status) != 0) return {};
    constexpr std::uint64_t second = 1'000'000'000;
    const auto ns = [](const ::timespec& time) {
        return static_cast<std::uint64_t>(time.tv_sec) * second +
               static_cast<std::uint64_t>(time.tv_nsec);
    };
    return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
            ns(status.st_mtim), ns(status.st_ctim)};
}

}  // namespace

NtHash::~NtHash() { wipe(MutableBytes(value_)); }

Told<NtHash> NtHash::of_password(std::string_view password) {
    constexpr std::size_t longest = 256;
    if (password.empty()) return told("the password is empty");
    auto text = utf8_to_utf16(password);
    if (!text) return told("the password is not UTF-8");
    const bool fits = text->size() <= longest;
    auto value = ntlm::nt_hash(fits ? std::u16string_view(*text) : std::u16string_view());
    wipe(*text);
    if (!fits) return told("the password is longer than 256 characters");
    if (!value)
        return told("OpenSSL on this system has no MD4 (its legacy provider), which NTLM needs");
    NtHash hash(*value);
    wipe(MutableBytes(*value));
    return hash;
}

Told<void> AccountFile::add(std::string_view name, std::string_view password,
                            std::string_view full_name) const {
    if (auto fine = check_name(name); !fine) return fine;
    if (!utf8_to_utf16(full_name)) return told("the full name is not UTF-8");
    const auto user = find_system_user(std::string(name));
    if (!user) return told(user.error());
    if (!*user) {
        return told(fmt::format(
            "'{0}' is not a user of this system, so it could not own files; make it one first, for "
            "instance: useradd --no-create-home --shell /usr/sbin/nologin {0}",
            name));
    }
    const auto hash = NtHash::of_password(password);
    if (!hash) return told(hash.error());
    return change_accounts(path_, [&](std::vector<AccountRecord>& records) -> Told<void> {
        if (find_record(records, name) != records.end()) {
            return told(
                fmt::format("there is an account '{}' already; smb3dctl user passwd changes "
                            "its password",
                            name));
        }
        AccountRecord record;
        record.info.name = (*user)->name;
        record.info.full_name = full_name;
        record.info.created = utc_now();
        record.nt_hash = *hash;
        records.push_back(std::move(record));
        return {};
    });
}

Told<void> AccountFile::set_password(std::string_view name, std::string_view password) const {
    const auto hash = NtHash::of_password(password);
    if (!hash) return told(hash.error());
    return change_account(path_, name, [&](auto&, auto found) { found->nt_hash = *hash; });
}

Told<void> AccountFile::set_disabled(std::string_view name, bool disabled) const {
    return change_account(path_, name, [&](auto&, auto found) { found->info.disabled = disabled; });
}

Told<void> AccountFile::remove(std::string_view name) const {
    return change_account(path_, name, [&](auto& records, auto found) { records.erase(found); });
}

Told<std::vector<AccountInfo>> AccountFile::list() const {
    auto records = read_accounts(path_);
    if (!records) return told(std::move(records.error()));
    std::vector<AccountInfo> out;
    for (AccountRecord& record : *records) out.push_back(std::move(record.info));
    return out;
}

AccountStamp stamp_accounts(const std::string& path) {
    AccountStamp stamp;
    auto* next = stamp.values.data();
    for (const char* file : {path.c_str(), "/etc/passwd", "/etc/group"}) {
        next = std::ranges::copy(as_server([file] { return stamp_file(file); }), next).out;
    }
    return stamp;
}

Told<std::shared_ptr<const AccountSnapshot>> AccountSnapshot::load(
    const std::string& path, const std::string& server, const std::string& guest_account) {
    auto records = as_server([&path] { return read_accounts(path); });
    if (!records) return told(std::move(records.error()));
    std::vector<Account> accounts;
    for (AccountRecord& record : *records) {
        const auto user = find_system_user(record.info.name);
        if (!user) return told(user.error());
        if (!*user) {
            log::warn(log::Component::auth,
                      "account '{}' cannot log on: it is not a user of this system any more",
                      record.info.name);
            continue;
        }
        Account account;
        account.name = record.info.name;
        account.nt_hash = record.nt_hash;
        account.disabled = record.info.disabled;
        account.caller =
            make_caller(account.name, server, (*user)->uid, (*user)->gid, groups_of(**user));
        accounts.push_back(std::move(account));
    }
    std::shared_ptr<const Caller> guest;
    std::shared_ptr<const Caller> anonymous;
    if (!guest_account.empty()) {
        const auto user = find_system_user(guest_account);
        if (!user) return told(user.error());
        if (!*user)
            return told(
                fmt::format("the guest account '{}' is not a user of this system", guest_account));
        if ((*user)->uid == 0) return told("the guest account must not be the superuser");
        guest = make_guest_caller(server, (*user)->uid, (*user)->gid);
        anonymous = make_anonymous_caller((*user)->uid, (*user)->gid);
    }
    return make(std::move(accounts), std::move(guest), std::move(anonymous));
}

std::shared_ptr<const AccountSnapshot> AccountSnapshot::make(
    std::vector<Account> accounts, std::shared_ptr<const Caller> guest,
    std::shared_ptr<const Caller> anonymous) {
    auto snapshot = std::make_shared<AccountSnapshot>();
    for (Account& account : accounts) {
        std::string key = fold_name(account.name);
        snapshot->by_name_.emplace(std::move(key), std::move(account));
    }
    std::array<std::byte, 16> decoy{};
    crypto::random_bytes(decoy);
    snapshot->decoy_ = NtHash(decoy);
    snapshot->guest_ = std::move(guest);
    snapshot->anonymous_ = std::move(anonymous);
    return snapshot;
}

const Account* AccountSnapshot::find(std::string_view name) const {
    const auto found = by_name_.find(fold_name(name));
    return found == by_name_.end() ? nullptr : &found->second;
}

namespace {

constexpr std::uint64_t bit(Privilege privilege) { return static_cast<std::uint64_t>(privilege); }

void put_sids(Caller& caller, std::initializer_list<dtyp::Sid> sids) {
    for (const dtyp::Sid& sid : sids) caller.sids.push_back(sid.raw());
}

}  // namespace

std::shared_ptr<const Caller> make_caller(std::string_view name, std::string_view domain,
                                          std::uint32_t uid, std::uint32_t gid,
                                          const std::vector<std::uint32_t>& groups) {
    namespace sids = dtyp::sids;
    auto caller = std::make_shared<Caller>();
    caller->uid = uid;
    caller->gid = gid;
    caller->groups = groups;
    caller->user = name;
    caller->domain = domain;
    put_sids(*caller, {sids::unix_user(uid), sids::unix_group(gid)});
    for (const std::uint32_t group : groups) put_sids(*caller, {sids::unix_group(group)});
    put_sids(*caller, {sids::everyone, sids::network, sids::authenticated_users, sids::users});
    caller->privileges = bit(Privilege::change_notify);
    if (uid == 0) {
        put_sids(*caller, {sids::administrators});
        caller->privileges |= bit(Privilege::backup) | bit(Privilege::restore) |
                              bit(Privilege::security) | bit(Privilege::take_ownership);
    }
    return caller;
}

// A guest is in Guests, not in Authenticated Users nor Users.
std::shared_ptr<const Caller> make_guest_caller(std::string_view domain, std::uint32_t uid,
                                                std::uint32_t gid) {
    namespace sids = dtyp::sids;
    auto caller = std::make_shared<Caller>();
    caller->uid = uid;
    caller->gid = gid;
    caller->user = "Guest";
    caller->domain = domain;
    put_sids(*caller, {sids::unix_user(uid), sids::unix_group(gid), sids::everyone, sids::network,
                       sids::guests});
    caller->privileges = bit(Privilege::change_notify);
    caller->guest = true;
    return caller;
}

std::shared_ptr<const Caller> make_anonymous_caller(std::uint32_t uid, std::uint32_t gid) {
    namespace sids = dtyp::sids;
    auto caller = std::make_shared<Caller>();
    caller->uid = uid;
    caller->gid = gid;
    caller->user = "ANONYMOUS LOGON";
    caller->domain = "NT AUTHORITY";
    put_sids(*caller, {sids::anonymous, sids::everyone, sids::network});
    caller->privileges = bit(Privilege::change_notify);
    caller->anonymous = true;
    return caller;
}

}  // namespace smb3d::auth
