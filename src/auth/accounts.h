// Accounts: the local account file, as the administrator changes it and as the daemon reads it.
//
// Purpose: AccountFile adds, changes and lists entries of `accounts.toml` (works whether or not the
// daemon runs);
//   AccountSnapshot is the immutable view that logons use, with uid, gid and groups resolved when
//   it was loaded, so that no logon waits for the name service.
// Spec: [MS-NLMP] 3.3.1 (NTOWFv1, the hash that is kept), [MS-DTYP] 2.4.2 (SIDs).
// Thread: AccountFile: any; changes exclude each other by flock(2) on `accounts.toml.lock`.
// AccountSnapshot: any. Lifetime: a snapshot lives as long as somebody refers to it; it never
// changes. Errors: sentences for the administrator that say what to do.  A file that others may
// read, or that belongs to
//   neither root nor this process's user, is refused.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "smb3d/caller.h"

namespace smb3d::auth {

template <class T>
using Told = std::expected<T, std::string>;  // or a sentence for the administrator

// The NT hash of a password; as secret as the password itself.  Wiped when it goes.
class NtHash {
  public:
    NtHash() = default;
    explicit NtHash(const std::array<std::byte, 16>& value) : value_(value) {}
    NtHash(const NtHash&) = default;
    NtHash& operator=(const NtHash&) = default;
    ~NtHash();
    const std::array<std::byte, 16>& value() const { return value_; }
    // nullopt-like: error if the password is not UTF-8, empty or longer than 256 UTF-16 units.
    static Told<NtHash> of_password(std::string_view password);

  private:
    std::array<std::byte, 16> value_{};
};

// What `list` shows.
struct AccountInfo {
    std::string name;
    std::string full_name;
    std::string created;  // RFC 3339, UTC
    bool disabled{false};
};

class AccountFile {
  public:
    // `path`: of accounts.toml; its directory must exist.
    explicit AccountFile(std::string path) : path_(std::move(path)) {}
    const std::string& path() const { return path_; }

    // `name` must be a user of the system.
    Told<void> add(std::string_view name, std::string_view password,
                   std::string_view full_name = {}) const;
    Told<void> set_password(std::string_view name, std::string_view password) const;
    Told<void> set_disabled(std::string_view name, bool disabled) const;
    Told<void> remove(std::string_view name) const;
    Told<std::vector<AccountInfo>> list() const;  // no file: none

  private:
    std::string path_;
};

struct Account {
    std::string name;
    NtHash nt_hash;
    bool disabled{false};
    std::shared_ptr<const Caller> caller;
};

// Tells whether what a snapshot was made from has changed: the account file, /etc/passwd and
// /etc/group.
struct AccountStamp {
    std::array<std::uint64_t, 15> values{};
    bool operator==(const AccountStamp&) const = default;
};
AccountStamp stamp_accounts(
    const std::string& path);  // a few stat(2); never waits for the name service

class AccountSnapshot {
  public:
    // `server`: what Caller::domain says.  `guest_account`: the system account that guests and
    // anonymous act as; empty if neither is to be let in.  An account without a system user is left
    // out, with a warning.
    static Told<std::shared_ptr<const AccountSnapshot>> load(const std::string& path,
                                                             const std::string& server,
                                                             const std::string& guest_account);
    // Empty but for what is given: for tests.
    static std::shared_ptr<const AccountSnapshot> make(std::vector<Account> accounts,
                                                       std::shared_ptr<const Caller> guest,
                                                       std::shared_ptr<const Caller> anonymous);

    // Compared as Windows does (upper case); null if unknown.
    const Account* find(std::string_view name) const;
    std::size_t size() const { return by_name_.size(); }
    // The hash of no password, to check unknown names against.
    const NtHash& decoy() const { return decoy_; }
    const std::shared_ptr<const Caller>& guest() const { return guest_; }  // null: there is none
    const std::shared_ptr<const Caller>& anonymous() const {
        return anonymous_;
    }  // null: there is none

  private:
    std::map<std::string, Account, std::less<>> by_name_;  // key: fold_name(name)
    NtHash decoy_;
    std::shared_ptr<const Caller> guest_;
    std::shared_ptr<const Caller> anonymous_;
};

// The Caller of a system user: SIDs S-1-22-1-uid, S-1-22-2-gid and the well-known groups of a
// network logon.
std::shared_ptr<const Caller> make_caller(std::string_view name, std::string_view domain,
                                          std::uint32_t uid, std::uint32_t gid,
                                          const std::vector<std::uint32_t>& groups);
std::shared_ptr<const Caller> make_guest_caller(std::string_view domain, std::uint32_t uid,
                                                std::uint32_t gid);
std::shared_ptr<const Caller> make_anonymous_caller(std::uint32_t uid, std::uint32_t gid);

}  // namespace smb3d::auth
