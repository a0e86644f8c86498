#include "auth/account_records.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fmt/core.h>
#include <toml++/toml.h>

#include "auth/bytes.h"

namespace smb3d::auth {

namespace {

constexpr std::size_t max_file = 32U * 1024U * 1024U;
constexpr std::size_t max_records = 65536;
constexpr std::int64_t format_version = 1;

std::unexpected<std::string> told(std::string text) { return std::unexpected(std::move(text)); }

std::string errno_text() { return std::strerror(errno); }  // NOLINT: glibc's is per thread

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

// Whoever can read the hashes can log on with them.
Told<void> check_guarded(const std::string& path, const struct stat& status) {
    constexpr ::mode_t others = S_IRWXG | S_IRWXO;
    if (!S_ISREG(status.st_mode)) return told(fmt::format("{}: not a regular file", path));
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return told(
            fmt::format("{}: belongs to user id {}, who could put in accounts; run: chown root {}",
                        path, status.st_uid, path));
    }
    if ((status.st_mode & others) != 0) {
        return told(
            fmt::format("{}: others than its owner have access to the password hashes (mode "
                        "{:04o}); run: chmod 600 {}",
                        path, status.st_mode & 07777U, path));
    }
    return {};
}

Told<std::string> read_all(const std::string& path, int fd, std::size_t size) {
    if (size > max_file) return told(fmt::format("{}: larger than {} bytes", path, max_file));
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const ::ssize_t count = ::read(fd, text.data() + done, size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return told(fmt::format("{}: {}", path, errno_text()));
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    text.resize(done);
    return text;
}

std::optional<NtHash> hash_from_hex(std::string_view hex) {
    std::array<std::byte, 16> value{};
    if (hex.size() != 2 * value.size()) return std::nullopt;
    for (std::size_t i = 0; i < hex.size(); ++i) {
        const char c = hex[i];
        unsigned digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<unsigned>(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = static_cast<unsigned>(c - 'A') + 10;
        } else {
            return std::nullopt;
        }
        value[i / 2] = value[i / 2] << 4U | static_cast<std::byte>(digit);
    }
    NtHash hash(value);
    wipe(MutableBytes(value));
    return hash;
}

void put_hex(std::string& to, const NtHash& hash) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const std::byte byte : hash.value()) {
        to += digits[std::to_integer<std::size_t>(byte >> 4U)];
        to += digits[std::to_integer<std::size_t>(byte & std::byte{0x0F})];
    }
}

// One [[account]].
Told<AccountRecord> to_record(const std::string& path, toml::table& table) {
    const auto line = table.source().begin.line;
    AccountRecord record;
    std::optional<NtHash> hash;
    for (auto&& [key, node] : table) {
        auto* text = node.as_string();
        if (key == "name" && text != nullptr) {
            record.info.name = **text;
        } else if (key == "nt_hash" && text != nullptr) {
            hash = hash_from_hex(**text);
            wipe(**text);
        } else if (key == "disabled" && node.is_boolean()) {
            record.info.disabled = **node.as_boolean();
        } else if (key == "full_name" && text != nullptr) {
            record.info.full_name = **text;
        } else if (key == "created" && text != nullptr) {
            record.info.created = **text;
        } else {
            return told(
                fmt::format("{}: the account at line {}: key '{}' is unknown or of the wrong type",
                            path, line, key.str()));
        }
    }
    if (record.info.name.empty()) {
        return told(fmt::format("{}: the account at line {} has no name", path, line));
    }
    if (!hash) {
        return told(fmt::format("{}: the account at line {}: nt_hash must be 32 hexadecimal digits",
                                path, line));
    }
    record.nt_hash = *hash;
    return record;
}

Told<std::vector<AccountRecord>> to_records(const std::string& path, toml::table& document) {
    std::vector<AccountRecord> records;
    for (auto&& [key, node] : document) {
        if (key == "version") {
            if (node.value<std::int64_t>() == format_version) continue;
            return told(fmt::format("{}: written by another version of smb3d", path));
        }
        auto* list = node.as_array();
        if (key != "account" || list == nullptr) {
            return told(fmt::format("{}: line {}: unknown key '{}'", path, node.source().begin.line,
                                    key.str()));
        }
        if (list->size() > max_records) return told(fmt::format("{}: too many accounts", path));
        for (auto& entry : *list) {
            auto* table = entry.as_table();
            if (table == nullptr) {
                return told(fmt::format("{}: 'account' must be [[account]] tables", path));
            }
            auto record = to_record(path, *table);
            if (!record) return told(std::move(record.error()));
            records.push_back(std::move(*record));
        }
    }
    return records;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string to_text(const std::vector<AccountRecord>& records) {
    std::string text;
    constexpr std::size_t about =
        256;  // no reallocation should leave hashes behind in freed memory
    std::size_t needed = about;
    for (const AccountRecord& record : records) {
        needed += about + 6 * (record.info.name.size() + record.info.full_name.size() +
                               record.info.created.size());
    }
    text.reserve(needed);
    text +=
        "# Accounts of smb3d.  Change them with smb3dctl user.  Who can read this file can log on "
        "as any of "
        "them.\nversion = 1\n";
    for (const AccountRecord& record : records) {
        text += fmt::format("\n[[account]]\nname = {}\nnt_hash = \"", quoted(record.info.name));
        put_hex(text, record.nt_hash);
        text += fmt::format("\"\ndisabled = {}\n", record.info.disabled);
        if (!record.info.full_name.empty()) {
            text += fmt::format("full_name = {}\n", quoted(record.info.full_name));
        }
        if (!record.info.created.empty()) {
            text += fmt::format("created = {}\n", quoted(record.info.created));
        }
    }
    return text;
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ::ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace

Told<std::vector<AccountRecord>> read_accounts(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.get() < 0) {
        if (errno == ENOENT) return std::vector<AccountRecord>();
        if (errno == ELOOP) return told(fmt::format("{}: must not be a symbolic link", path));
        return told(fmt::format("{}: {}", path, errno_text()));
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return told(fmt::format("{}: {}", path, errno_text()));
    if (auto guarded = check_guarded(path, status); !guarded) return told(guarded.error());
    auto text = read_all(path, file.get(), static_cast<std::size_t>(status.st_size));
    if (!text) return told(std::move(text.error()));
    Told<std::vector<AccountRecord>> records;
    try {
        toml::table document = toml::parse(std::string_view(*text), std::string_view(path));
        records = to_records(path, document);
    } catch (const toml::parse_error& error) {
        records = told(fmt::format("{}: line {}, column {}: {}", path, error.source().begin.line,
                                   error.source().begin.column, error.description()));
    }
    wipe(*text);
    return records;
}

Told<void> write_accounts(const std::string& path, const std::vector<AccountRecord>& records) {
    const std::string directory = directory_of(path);
    std::string temporary = path + ".XXXXXX";
    const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
    if (file.get() < 0) {
        return told(fmt::format("a new file in {} cannot be made: {}", directory, errno_text()));
    }
    std::string text = to_text(records);
    const bool written = write_all(file.get(), text) && ::fsync(file.get()) == 0;
    const std::string reason = written ? std::string() : errno_text();
    wipe(text);
    if (!written) {
        ::unlink(temporary.c_str());
        return told(fmt::format("{}: {}", temporary, reason));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const std::string why = errno_text();
        ::unlink(temporary.c_str());
        return told(fmt::format("{}: {}", path, why));
    }
    const Descriptor parent(::open(directory.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
    if (parent.get() < 0 || ::fsync(parent.get()) != 0) {
        return told(fmt::format("{}: {}", directory, errno_text()));
    }
    return {};
}

AccountLock::~AccountLock() {
    if (fd_ >= 0) ::close(fd_);
}

Told<AccountLock> lock_accounts(const std::string& path) {
    constexpr int tries = 200;
    constexpr ::timespec pause{0, 50'000'000};
    const std::string name = path + ".lock";
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return told(fmt::format("{}: {}", name, errno_text()));
    AccountLock lock(fd);
    for (int i = 0; i < tries; ++i) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return told(fmt::format("{}: {}", name, errno_text()));
        }
        ::nanosleep(&pause, nullptr);
    }
    return told(fmt::format("{}: another process is changing the accounts; try again", name));
}

}  // namespace smb3d::auth
