#include "sim/sim_client.h"

#include <algorithm>

#include <fmt/core.h>

namespace smb3d::test {

namespace {

constexpr std::uint64_t max_file = 200'000;
constexpr std::uint16_t dialects[] = {0x0202, 0x0210, 0x0300, 0x0302, 0x0311};

}  // namespace

SimClient::SimClient(TestServer& server, unsigned number, std::uint64_t seed)
    : server_(server), number_(number), chance_(seed * 1000 + number) {}

void SimClient::complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = fmt::format("client {}: {}", number_, what);
}

void SimClient::run(unsigned operations) {
    for (unsigned i = 0; i < operations && !over_ && complaint_.empty(); ++i) {
        if (client_ == nullptr && !connect()) continue;
        step();
    }
    client_.reset();  // with whatever is open
    spare_.reset();
}

void SimClient::drop_connection() {
    client_.reset();
    spare_.reset();
    handles_.clear();
}

bool SimClient::connect() {
    client_ = std::make_unique<TestClient>(server_, fmt::format("192.0.2.{}", number_ + 1));
    handles_.clear();
    if (client_->refused()) {
        if (!stop_expected_) complain("the server refused a connection");
        over_ = true;
        client_.reset();
        return false;
    }
    const bool on = client_->log_on(dialects[chance_.below(std::size(dialects))],
                                    chance_.one_in(2) ? "2/sim" : "sim");
    if (!on) {
        drop_connection();  // an administrator was quicker
        return false;
    }
    client_->encrypt = client_->seal != nullptr && chance_.one_in(3);
    return true;
}

bool SimClient::noted(const Reply& reply) {
    if (reply.bad_signature) complain("a response with a wrong signature");
    if (reply.lost) {
        if (!stop_expected_ && client_->encrypt && client_->disconnected()) {
            // An administrator ended the session while the request was on its way: a sealed message
            // of a session that is gone cannot be read, and ends the connection.
            drop_connection();
            return false;
        }
        if (administrator_expected_ && client_->ended()) {
            drop_connection();
            return false;
        }
        if (!stop_expected_) {
            complain(fmt::format("{} was not answered, the connection {}", operation_,
                                 client_->ended() ? "has ended" : "stands"));
        }
        over_ = true;
        return false;
    }
    if (reply.ok()) {
        ++succeeded_;
        return true;
    }
    if (reply.status() == NtStatus::USER_SESSION_DELETED ||
        reply.status() == NtStatus::NETWORK_NAME_DELETED) {
        drop_connection();
    }
    return false;
}

void SimClient::step() {
    switch (chance_.below(24)) {
        case 0:
        case 1:
        case 2:
            return open_own();
        case 3:
        case 4:
            return open_shared();
        case 5:
        case 6:
        case 7:
        case 8:
            return write_some();
        case 9:
        case 10:
        case 11:
            return read_some();
        case 12:
        case 13:
            return close_one();
        case 14:
            return rename_one();
        case 15:
            return remove_one();
        case 16:
            return list_some();
        case 17:
            return lock_one();
        case 18:
            return wait_for_lock();
        case 19:
        case 20:
            return burst();
        case 21:
            return compound();
        case 22:
            return chance_.one_in(3) ? reconnect_tree() : open_shared();
        default:
            if (chance_.one_in(4)) return drop_connection();
            if (chance_.one_in(4)) return renew_session();
            return change_channel();
    }
}

SimClient::Handle* SimClient::some_handle() {
    if (handles_.empty()) return nullptr;
    return &handles_[chance_.below(handles_.size())];
}

Message SimClient::some_data() {
    const std::uint64_t size = chance_.one_in(8) ? chance_.below(60'000) : 1 + chance_.below(500);
    Message data(size);
    for (std::byte& byte : data) byte = static_cast<std::byte>(chance_.below(256));
    return data;
}

void SimClient::open_own() {
    operation_ = "open_own";
    if (handles_.size() > 8) return close_one();
    std::string name;
    if (!model_.empty() && !chance_.one_in(3)) {
        auto it = model_.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(chance_.below(model_.size())));
        name = it->first;
    } else {
        name = fmt::format("own{}-{}", number_, names_++);
    }
    const bool known = model_.contains(name);
    const Reply reply = client_->create(name);
    if (!noted(reply)) return;
    handles_.push_back({reply.body<wire::CreateResponse>().file_id, name, true});
    if (!known) model_[name];
    if (reply.body<wire::CreateResponse>().end_of_file != model_[name].size()) {
        complain(fmt::format("{} has {} bytes, not {}", name,
                             reply.body<wire::CreateResponse>().end_of_file, model_[name].size()));
    }
}

void SimClient::open_shared() {
    operation_ = "open_shared";
    if (handles_.size() > 8) return close_one();
    CreateOptions options;
    options.disposition = static_cast<wire::CreateDisposition>(chance_.below(6));
    if (chance_.one_in(6)) options.share = static_cast<std::uint32_t>(chance_.below(8));
    if (chance_.one_in(8)) options.options |= wire::create_options::delete_on_close;
    const std::string name = shared_name();
    const Reply reply = client_->create(name, options);
    if (noted(reply)) handles_.push_back({reply.body<wire::CreateResponse>().file_id, name, false});
}

void SimClient::write_some() {
    operation_ = "write_some";
    const Handle* handle = some_handle();
    if (handle == nullptr) return open_own();
    const std::string name = handle->name;
    const bool own = handle->own;
    const std::uint64_t offset = chance_.below(max_file / 2);
    const Message data = some_data();
    const Reply reply = client_->write(handle->id, offset, data);
    if (!own) {
        noted(reply);
        return;
    }
    if (!noted(reply)) return forget(name);
    auto content = model_.find(name);
    if (content == model_.end()) return;
    if (reply.body<wire::WriteResponse>().count != data.size()) complain("a short write");
    if (content->second.size() < offset + data.size()) content->second.resize(offset + data.size());
    std::copy(data.begin(), data.end(),
              content->second.begin() + static_cast<std::ptrdiff_t>(offset));
}

void SimClient::check_read(const Handle& handle, std::uint64_t offset, std::uint32_t length,
                           const Reply& reply) {
    auto content = model_.find(handle.name);
    if (!handle.own || content == model_.end()) return;
    const Message& expected = content->second;
    if (reply.status() == NtStatus::END_OF_FILE) {
        if (offset < expected.size()) complain("END_OF_FILE within " + handle.name);
        return;
    }
    if (!reply.ok()) return;
    const auto body = reply.body<wire::ReadResponse>();
    const Bytes data = body.data.bytes;
    if (data.empty() || data.size() > length || offset + data.size() > expected.size() ||
        !std::equal(data.begin(), data.end(),
                    expected.begin() + static_cast<std::ptrdiff_t>(offset))) {
        complain(fmt::format("{}: {} bytes at {} are not what was written", handle.name,
                             data.size(), offset));
    }
}

void SimClient::read_some() {
    operation_ = "read_some";
    const Handle* chosen = some_handle();
    if (chosen == nullptr) return open_own();
    const Handle handle = *chosen;
    const std::uint64_t offset = chance_.below(max_file / 2);
    const auto length = static_cast<std::uint32_t>(1 + chance_.below(40'000));
    const Reply reply = client_->read(handle.id, offset, length);
    check_read(handle, offset, length, reply);
    noted(reply);
}

void SimClient::close_one() {
    operation_ = "close_one";
    if (handles_.empty()) return;
    const std::size_t which = chance_.below(handles_.size());
    const wire::FileId id = handles_[which].id;
    handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(which));
    noted(client_->close(id));
}

void SimClient::rename_one() {
    operation_ = "rename_one";
    Handle* handle = some_handle();
    if (handle == nullptr) return;
    if (!handle->own) {
        noted(client_->rename(handle->id, shared_name(), chance_.one_in(2)));
        return;
    }
    // Another open handle of the same file makes no difference to the model: all get the new name.
    const std::string before = handle->name;
    const std::string after = fmt::format("own{}-{}", number_, names_++);
    if (!noted(client_->rename(handle->id, after))) return forget(before);
    if (auto node = model_.extract(before); !node.empty()) {
        node.key() = after;
        model_.insert(std::move(node));
    }
    for (Handle& each : handles_) {
        if (each.name == before) each.name = after;
    }
}

void SimClient::remove_one() {
    operation_ = "remove_one";
    const Handle* handle = some_handle();
    if (handle == nullptr) return;
    forget(handle->name);
    noted(client_->delete_on_close(handle->id));
}

void SimClient::list_some() {
    operation_ = "list_some";
    const Reply root = client_->create("", {.access = 0x81,
                                            .disposition = wire::CreateDisposition::open,
                                            .options = wire::create_options::directory_file});
    if (!noted(root)) return;
    const wire::FileId id = root.body<wire::CreateResponse>().file_id;
    for (int i = 0; i < 50; ++i) {
        const Reply page = client_->query_directory(id, chance_.one_in(3) ? "own*" : "*", 0, 512);
        if (!noted(page)) break;
    }
    if (client_ != nullptr && !over_) noted(client_->close(id));
}

void SimClient::lock_one() {
    operation_ = "lock_one";
    const Handle* handle = some_handle();
    if (handle == nullptr) return;
    // Beyond what is read and written, so that no I/O of the model is refused.
    const std::uint64_t offset = max_file + chance_.below(20);
    const std::uint32_t kind =
        chance_.one_in(3)   ? wire::lock_flags::unlock
        : chance_.one_in(2) ? wire::lock_flags::shared_lock | wire::lock_flags::fail_immediately
                            : wire::lock_flags::exclusive_lock | wire::lock_flags::fail_immediately;
    noted(client_->lock(handle->id, offset, 5, kind));
}

void SimClient::wait_for_lock() {
    operation_ = "wait_for_lock";
    const Handle* handle = some_handle();
    if (handle == nullptr) return;
    wire::LockRequest request;
    request.file_id = handle->id;
    request.locks.push_back({max_file + chance_.below(20), 5, wire::lock_flags::exclusive_lock});
    const std::uint64_t id = client_->send(client_->make(request));
    if (chance_.one_in(3)) return drop_connection();
    if (chance_.one_in(2)) noted(client_->echo());
    if (client_ == nullptr || over_) return;
    client_->cancel(id);
    noted(client_->wait(id));
}

// Many at once, some cancelled; the answers in whatever order.  FLUSH may be stuck until cancelled.
void SimClient::burst() {
    operation_ = "burst";
    const Handle* chosen = some_handle();
    if (chosen == nullptr) return;
    const Handle handle = *chosen;
    std::vector<std::uint64_t> ids;
    for (std::uint64_t i = 0; i < 6; ++i) {
        wire::ReadRequest read;
        read.file_id = handle.id;
        read.offset = i * 1000;
        read.length = 1000;
        ids.push_back(client_->send(client_->make(read)));
        wire::FlushRequest flush;
        flush.file_id = handle.id;
        ids.push_back(client_->send(client_->make(flush)));
    }
    if (chance_.one_in(5)) return drop_connection();
    for (const std::uint64_t id : ids) client_->cancel(id);
    for (const std::uint64_t id : ids) {
        if (client_ == nullptr || over_) return;
        noted(client_->wait(id));
    }
}

void SimClient::compound() {
    operation_ = "compound";
    const Message name = utf16(shared_name());
    wire::CreateRequest create;
    create.desired_access = 0x0013019F;
    create.share_access = wire::share_access::all;
    create.create_disposition = static_cast<wire::CreateDisposition>(1 + chance_.below(3));
    create.name = name;
    const Message data = some_data();
    wire::WriteRequest write;
    write.file_id = wire::file_id_any;
    write.data = Bytes(data);
    wire::CloseRequest close;
    close.file_id = wire::file_id_any;
    std::vector<Request> requests;
    requests.push_back(client_->make(create));
    requests.push_back(client_->make(write));
    requests.push_back(client_->make(close));
    const auto ids = client_->send_compound(std::move(requests), true);
    for (const std::uint64_t id : ids) {
        if (client_ == nullptr || over_) return;
        noted(client_->wait(id));
    }
}

void SimClient::reconnect_tree() {
    operation_ = "reconnect_tree";
    handles_.clear();
    if (!noted(client_->tree_disconnect())) return;
    if (!noted(client_->tree_connect("data"))) drop_connection();
}

void SimClient::renew_session() {
    operation_ = "renew_session";
    handles_.clear();
    spare_.reset();
    if (!noted(client_->logoff())) return;
    client_->encrypt = false;  // the keys went with the session
    if (!noted(client_->session_setup("sim")) || client_ == nullptr ||
        !noted(client_->tree_connect("data"))) {
        drop_connection();
    }
}

// Goes on with the session's other channel: what is open stays open, even if the first is gone.
void SimClient::change_channel() {
    operation_ = "change_channel";
    if (client_->dialect < wire::dialect::smb300) return open_own();
    if (spare_ == nullptr) return add_channel();
    spare_->tree_id = client_->tree_id;
    std::swap(client_, spare_);
    if (chance_.one_in(2)) spare_.reset();
}

void SimClient::add_channel() {
    operation_ = "add_channel";
    spare_ = std::make_unique<TestClient>(server_, fmt::format("192.0.2.{}", number_ + 1));
    if (spare_->refused()) {
        if (!stop_expected_) complain("the server refused a further connection");
        spare_.reset();
        return;
    }
    const bool bound = spare_->negotiate(client_->dialect).ok() &&
                       spare_->bind(*client_, chance_.one_in(2) ? "2/sim" : "sim").ok();
    if (bound) return;
    spare_.reset();
    // The session was there a moment ago: only an administrator or the server's end takes it away.
    if (!stop_expected_ && !administrator_expected_) complain("a channel was not bound");
}

}  // namespace smb3d::test
