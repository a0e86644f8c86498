// AccountRecord: one entry of accounts.toml, and reading and writing the file as a whole.
//
// Purpose: private to src/auth: what AccountFile and AccountSnapshot share.
// Thread: any.  Writers hold the lock that lock_accounts() gives; readers need none, since the file
// is replaced at once. Errors: sentences for the administrator.
#pragma once

#include "auth/accounts.h"

namespace smb3d::auth {

struct AccountRecord {
    AccountInfo info;
    NtHash nt_hash;
};

// No file: no records.
Told<std::vector<AccountRecord>> read_accounts(const std::string& path);

// Replaces the file: either all of it is new on stable storage, or nothing has changed.
Told<void> write_accounts(const std::string& path, const std::vector<AccountRecord>& records);

// Closes the lock's descriptor, which ends the lock.
class AccountLock {
  public:
    explicit AccountLock(int fd) : fd_(fd) {}
    AccountLock(AccountLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    AccountLock& operator=(AccountLock&&) = delete;
    ~AccountLock();

  private:
    int fd_;
};
Told<AccountLock> lock_accounts(const std::string& path);  // waits ten seconds at most

}  // namespace smb3d::auth
