#include "durable/store.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iterator>

#include <fcntl.h>
#include <fmt/core.h>
#include <lmdb.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/log.h"

namespace smb3d::durable {

namespace {

constexpr auto component = log::Component::engine;
constexpr std::size_t max_batch = 4096;
constexpr std::size_t reserved_pages = 256;
constexpr std::chrono::seconds retry_interval{1};

// A transaction that is aborted unless it was committed.
class Transaction {
  public:
    Transaction(MDB_env* environment, unsigned flags) {
        error_ = ::mdb_txn_begin(environment, nullptr, flags, &transaction_);
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction() {
        if (transaction_ != nullptr) ::mdb_txn_abort(transaction_);
    }
    int error() const { return error_; }
    MDB_txn* get() const { return transaction_; }
    int commit() { return ::mdb_txn_commit(std::exchange(transaction_, nullptr)); }

  private:
    MDB_txn* transaction_{nullptr};
    int error_{0};
};

// Keys are big-endian, so that records come in the order of their ids.
struct Key {
    explicit Key(std::uint64_t id) {
        for (std::size_t i = 0; i < 8; ++i)
            bytes[i] = static_cast<std::uint8_t>(id >> (56 - 8 * i));
    }
    MDB_val value() { return {sizeof bytes, bytes}; }
    std::uint8_t bytes[8];
};

constexpr std::time_t epoch_2026 = 1'767'225'600;
constexpr std::uint32_t max_boot = 0xFF'FFFF;  // the engine has 24 bits for it

bool is_damage(int error) {
    return error == MDB_CORRUPTED || error == MDB_INVALID || error == MDB_PAGE_NOTFOUND ||
           error == MDB_VERSION_MISMATCH || error == MDB_PANIC || error == MDB_BAD_TXN ||
           error == MDB_INCOMPATIBLE;
}

NtStatus to_status(int error) {
    switch (error) {
        case 0:
            return NtStatus::SUCCESS;
        case MDB_MAP_FULL:
        case ENOSPC:
        case EDQUOT:
            return NtStatus::DISK_FULL;
        default:
            return NtStatus::UNEXPECTED_IO_ERROR;
    }
}

void ignore(void*, Result<void>&&) {}

}  // namespace

std::expected<std::unique_ptr<Store>, std::string> Store::open(StoreOptions options) {
    std::unique_ptr<Store> store(new Store(std::move(options)));
    int error = store->prepare();
    if (is_damage(error)) {
        // What it says cannot be used, but the server shall give persistent handles again.
        const std::string& path = store->options_.directory;
        const std::string aside = path + ".damaged";
        log::error(component, "{}: {}: moved to {}; the handles in it are lost", path,
                   ::mdb_strerror(error), aside);
        std::error_code moved;
        std::filesystem::remove_all(aside, moved);
        std::filesystem::rename(path, aside, moved);
        if (!moved) error = store->prepare();
    }
    if (error != 0) {
        return std::unexpected(
            fmt::format("{}: {}", store->options_.directory, ::mdb_strerror(error)));
    }
    Store* self = store.get();
    store->committer_ = std::thread([self] {
        ::pthread_setname_np(::pthread_self(), "durable");
        self->run();
    });
    return store;
}

Store::~Store() { assert(!committer_.joinable()); }

int Store::prepare() {
    int error = open_environment();
    if (error == 0) error = take_boot_number();
    if (error != 0 && environment_ != nullptr) {
        ::mdb_env_close(std::exchange(environment_, nullptr));
    }
    return error;
}

// A file that was cut off is read as zeros instead of killing the process: LMDB maps it.
int Store::fill_up() {
    MDB_envinfo info{};
    MDB_stat stat{};
    int fd = -1;
    int error = ::mdb_env_info(environment_, &info);
    if (error == 0) error = ::mdb_env_stat(environment_, &stat);
    if (error == 0) error = ::mdb_env_get_fd(environment_, &fd);
    if (error != 0) return error;
    const auto needed = static_cast<::off_t>((info.me_last_pgno + 1) * stat.ms_psize);
    struct ::stat file {};
    if (::fstat(fd, &file) != 0) return errno;
    if (file.st_size >= needed) return 0;
    return ::ftruncate(fd, needed) == 0 ? 0 : errno;
}

int Store::open_environment() {
    if (::mkdir(options_.directory.c_str(), 0700) != 0 && errno != EEXIST) return errno;
    int error = ::mdb_env_create(&environment_);
    if (error == 0) error = ::mdb_env_set_maxdbs(environment_, 4);
    if (error == 0) error = ::mdb_env_set_mapsize(environment_, options_.map_size);
    if (error == 0) {
        // Read transactions are the owner's thread only; the instance lock keeps others out.
        error = ::mdb_env_open(environment_, options_.directory.c_str(), MDB_NOTLS, 0600);
    }
    if (error == 0) error = fill_up();
    if (error != 0) return error;
    Transaction transaction(environment_, 0);
    error = transaction.error();
    if (error == 0) error = ::mdb_dbi_open(transaction.get(), "opens", MDB_CREATE, &opens_);
    if (error == 0) error = ::mdb_dbi_open(transaction.get(), "meta", MDB_CREATE, &meta_);
    if (error == 0) error = transaction.commit();
    return error;
}

int Store::take_boot_number() {
    static char name[] = "boot";
    MDB_val key{sizeof name - 1, name};
    Transaction transaction(environment_, 0);
    int error = transaction.error();
    if (error != 0) return error;
    MDB_val value{};
    error = ::mdb_get(transaction.get(), meta_, &key, &value);
    // A new database begins where no earlier one (lost, moved aside) can have come to.
    auto last = static_cast<std::uint32_t>((::time(nullptr) - epoch_2026) / 60);
    if (error == 0) {
        if (value.mv_size != sizeof last) return MDB_CORRUPTED;
        std::memcpy(&last, value.mv_data, sizeof last);
    } else if (error != MDB_NOTFOUND) {
        return error;
    }
    boot_ = (last + 1) & max_boot;
    if (boot_ == 0) boot_ = 1;
    value = {sizeof boot_, &boot_};
    error = ::mdb_put(transaction.get(), meta_, &key, &value, 0);
    if (error == 0) error = transaction.commit();
    return error;
}

std::vector<Record> Store::load() {
    std::vector<Record> records;
    std::vector<std::uint64_t> bad;
    Transaction transaction(environment_, MDB_RDONLY);
    MDB_cursor* cursor = nullptr;
    int error = transaction.error();
    if (error == 0) error = ::mdb_cursor_open(transaction.get(), opens_, &cursor);
    if (error != 0) {
        log::error(component, "{}: {}", options_.directory, ::mdb_strerror(error));
        return records;
    }
    MDB_val key{};
    MDB_val value{};
    while ((error = ::mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        std::uint64_t id = 0;
        for (std::size_t i = 0; i < key.mv_size && i < 8; ++i) {
            id = id << 8 | static_cast<const std::uint8_t*>(key.mv_data)[i];
        }
        auto record = decode({static_cast<const std::byte*>(value.mv_data), value.mv_size});
        if (key.mv_size == 8 && record && record->persistent_id == id) {
            records.push_back(std::move(*record));
        } else {
            log::warn(component, "{}: the record of handle {:#x} is damaged and is dropped",
                      options_.directory, id);
            dropped_.fetch_add(1, std::memory_order_relaxed);
            if (key.mv_size == 8) bad.push_back(id);
        }
    }
    if (error != MDB_NOTFOUND) {
        log::error(component, "{}: reading stopped: {}", options_.directory, ::mdb_strerror(error));
    }
    ::mdb_cursor_close(cursor);
    for (const std::uint64_t id : bad) erase(id);
    return records;
}

void Store::put(Kind kind, const Record& record, vfs::Done<void> done) {
    std::vector<std::byte> value = encode(record);
    if (value.empty()) {
        done(fail(NtStatus::INSUFFICIENT_RESOURCES));
        return;
    }
    submit({kind, record.persistent_id, std::move(value), done});
}

void Store::put(const Record& record, vfs::Done<void> done) { put(Kind::put, record, done); }
void Store::put_new(const Record& record, vfs::Done<void> done) {
    put(Kind::put_new, record, done);
}
void Store::put_later(const Record& record, vfs::Done<void> done) {
    put(Kind::put_later, record, done);
}

void Store::erase(std::uint64_t persistent_id, vfs::Done<void> done) {
    submit({Kind::erase, persistent_id, {}, done});
}

void Store::erase(std::uint64_t persistent_id) {
    erase(persistent_id, vfs::Done<void>(ignore, nullptr));
}

void Store::barrier(vfs::Done<void> done) { submit({Kind::barrier, 0, {}, done}); }

void Store::submit(Request request) {
    const vfs::Done<void> done = request.done;
    bool closed = false;
    bool first = false;
    {
        auto queue = queue_.lock();
        closed = queue->closing;
        first = queue->requests.empty();
        if (!closed) queue->requests.push_back(std::move(request));
    }
    if (closed) {
        done(fail(NtStatus::UNEXPECTED_IO_ERROR));
    } else if (first) {
        wake_.release();
    }
}

void Store::close() {
    if (!committer_.joinable()) return;
    queue_.lock()->closing = true;
    wake_.release();
    committer_.join();
    ::mdb_env_close(std::exchange(environment_, nullptr));
}

void Store::run() {
    while (true) {
        if (owed_.empty()) {
            wake_.acquire();
        } else {
            static_cast<void>(wake_.try_acquire_for(retry_interval));
        }
        std::vector<Request> batch;
        // Before what came later for the same handles.
        for (const auto& [id, value] : owed_) {
            const Kind kind = value.empty() ? Kind::erase : Kind::put_later;
            batch.push_back({kind, id, value, vfs::Done<void>(ignore, nullptr)});
        }
        bool closing = false;
        {
            auto queue = queue_.lock();
            std::move(queue->requests.begin(), queue->requests.end(), std::back_inserter(batch));
            queue->requests.clear();
            closing = queue->closing;
        }
        if (!batch.empty()) commit(batch);
        if (closing) return;
    }
}

void Store::commit(std::vector<Request>& batch) {
    at(Step::batch_taken);
    requests_.fetch_add(batch.size(), std::memory_order_relaxed);
    const std::span<Request> all(batch);
    for (std::size_t begin = 0; begin < all.size(); begin += max_batch) {
        const auto part = all.subspan(begin, std::min(max_batch, all.size() - begin));
        const int together = write(part);
        if (together == 0) at(Step::committed);
        for (std::size_t i = 0; i < part.size(); ++i) {
            const bool again = together != 0 && part.size() > 1;
            told(part[i], again ? write(part.subspan(i, 1)) : together);
        }
    }
    at(Step::told);
}

void Store::told(Request& request, int error) {
    if (request.kind == Kind::barrier) return request.done({});
    if (error == 0) {
        owed_.erase(request.id);
        owed_count_.store(owed_.size(), std::memory_order_relaxed);
        return request.done({});
    }
    failures_.fetch_add(1, std::memory_order_relaxed);
    const bool owed = request.kind == Kind::erase || request.kind == Kind::put_later;
    // Once is enough for what is tried again every second.
    if (!owed || !owed_.contains(request.id)) {
        log::error(component, "{}: handle {:#x} cannot be {}: {}", options_.directory, request.id,
                   request.kind == Kind::erase ? "erased" : "written", ::mdb_strerror(error));
    }
    if (owed) owed_[request.id] = std::move(request.value);
    owed_count_.store(owed_.size(), std::memory_order_relaxed);
    request.done(fail(to_status(error)));
}

int Store::write(std::span<const Request> requests) {
    Transaction transaction(environment_, 0);
    if (transaction.error() != 0) return transaction.error();
    at(Step::transaction_begun);
    for (const Request& request : requests) {
        if (const int error = write_one(transaction.get(), request); error != 0) return error;
    }
    at(Step::records_written);
    const int error = transaction.commit();
    if (error == 0) commits_.fetch_add(1, std::memory_order_relaxed);
    return error;
}

int Store::write_one(MDB_txn* transaction, const Request& request) {
    if (request.kind == Kind::barrier) return 0;
    if (options_.fail) {
        if (const int error = options_.fail(request.id); error != 0) return error;
    }
    Key key(request.id);
    MDB_val name = key.value();
    if (request.kind == Kind::erase) {
        const int error = ::mdb_del(transaction, opens_, &name, nullptr);
        return error == MDB_NOTFOUND ? 0 : error;
    }
    if (request.kind == Kind::put_new) {
        if (const int error = check_room(transaction); error != 0) return error;
    }
    // LMDB takes a pointer to what may not be const, and copies it.
    MDB_val value{request.value.size(), const_cast<std::byte*>(request.value.data())};
    return ::mdb_put(transaction, opens_, &name, &value, 0);
}

// Every change writes pages anew: some must be left when no more handles fit.
int Store::check_room(MDB_txn* transaction) {
    MDB_envinfo info{};
    MDB_stat stat{};
    int fd = -1;
    int error = ::mdb_env_info(environment_, &info);
    if (error == 0) error = ::mdb_stat(transaction, opens_, &stat);
    if (error == 0) error = ::mdb_env_get_fd(environment_, &fd);
    if (error != 0) return error;
    const std::size_t pages = info.me_mapsize / stat.ms_psize;
    const std::size_t reserve = std::min(reserved_pages, pages / 4);
    const std::size_t used = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    if (used + reserve > pages) return MDB_MAP_FULL;
    const std::uint64_t wanted =
        std::uint64_t{std::min(info.me_last_pgno + 1 + reserve, pages)} * stat.ms_psize;
    if (wanted <= allocated_) return 0;
    if (::fallocate(fd, 0, 0, static_cast<::off_t>(wanted)) != 0) {
        // A file system that cannot promise room is taken as it is.
        if (errno != EOPNOTSUPP && errno != ENOSYS) return errno;
    }
    allocated_ = wanted;
    return 0;
}

StoreStatistics Store::statistics() const {
    return {requests_.load(std::memory_order_relaxed), commits_.load(std::memory_order_relaxed),
            failures_.load(std::memory_order_relaxed), dropped_.load(std::memory_order_relaxed),
            owed_count_.load(std::memory_order_relaxed)};
}

}  // namespace smb3d::durable
