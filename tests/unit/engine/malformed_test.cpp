// Bodies that are cut off or wrong: each gets a status or ends the connection, and the server goes
// on.  [MS-SMB2] 3.3.5.2.
#include <memory>

#include <gtest/gtest.h>

#include "client/test_client.h"

namespace smb3d::test {
namespace {

class Malformed : public ::testing::Test {
  protected:
    void SetUp() override { connect(); }

    void connect() {
        client_ = std::make_unique<TestClient>(server_);
        client_->credits_to_ask = 64;
        ASSERT_TRUE(client_->log_on(0x0302));
        client_->sign = false;  // not what is tried here, and slow
        const Reply file = client_->create("file");
        ASSERT_TRUE(file.ok());
        file_ = file.body<wire::CreateResponse>().file_id;
        const Reply folder = client_->create("folder", {.access = 0x81, .options = 1});
        ASSERT_TRUE(folder.ok());
        folder_ = folder.body<wire::CreateResponse>().file_id;
    }

    template <wire::Body Body>
    void add(const Body& body) {
        bodies_.emplace_back(Body::command, wire::to_bytes(body));
    }

    void make_bodies() {
        bodies_.clear();
        add_session_bodies();
        add_open_bodies();
        add_data_bodies();
        add_ioctl_bodies();
        add_folder_bodies();
        add_info_bodies();
    }

    void add_session_bodies() {
        wire::SessionSetupRequest setup;
        setup.security_buffer = data_;
        add(setup);
        add(wire::LogoffRequest{});
        wire::TreeConnectRequest tree;
        const Message path = utf16("\\\\test\\data");
        tree.path_name = path;
        add(tree);
        add(wire::TreeDisconnectRequest{});
        add(wire::EchoRequest{});
    }

    void add_open_bodies() {
        wire::CreateContextBuilder contexts;
        contexts.add("MxAc", Bytes(data_).first(8));
        contexts.add("AlSi", Bytes(data_).first(8));
        wire::CreateRequest create;
        create.desired_access = 0x0012019F;
        create.create_disposition = wire::CreateDisposition::open_if;
        create.share_access = 7;
        create.name = name_;
        create.create_contexts = contexts.bytes();
        add(create);
        wire::CloseRequest close;
        close.file_id = file_;
        add(close);
        wire::OplockBreakAcknowledgment oplock;
        oplock.file_id = file_;
        add(oplock);
    }

    void add_data_bodies() {
        wire::FlushRequest flush;
        flush.file_id = file_;
        add(flush);
        wire::ReadRequest read;
        read.file_id = file_;
        read.length = 100;
        add(read);
        wire::WriteRequest write;
        write.file_id = file_;
        write.data = Bytes(data_);
        add(write);
        wire::LockRequest lock;
        lock.file_id = file_;
        lock.locks.push_back({0, 1, wire::lock_flags::shared_lock});
        add(lock);
    }

    void add_ioctl_bodies() {
        wire::IoctlRequest ioctl;
        ioctl.ctl_code = 0x00140204;
        ioctl.file_id = wire::file_id_any;
        ioctl.flags = 1;
        ioctl.max_output_response = 100;
        ioctl.input = data_;
        add(ioctl);
        ioctl.file_id = file_;
        for (const std::uint32_t code :
             {0x000980C8U, 0x000940CFU, 0x001440F2U, 0x00140078U, 0x000900A8U}) {
            ioctl.ctl_code = code;
            add(ioctl);
        }
    }

    void add_folder_bodies() {
        wire::QueryDirectoryRequest list;
        list.file_id = folder_;
        list.file_information_class = 37;
        list.output_buffer_length = 4096;
        list.file_name = name_;
        add(list);
        wire::ChangeNotifyRequest notify;
        notify.file_id = folder_;
        notify.completion_filter = 1;
        notify.output_buffer_length = 100;
        add(notify);
    }

    void add_info_bodies() {
        wire::QueryInfoRequest query;
        query.file_id = file_;
        query.file_info_class = 18;
        query.output_buffer_length = 4096;
        query.input = data_;
        add(query);
        query.info_type = wire::InfoType::security;
        query.file_info_class = 0;
        add(query);
        wire::SetInfoRequest set;
        set.file_id = file_;
        set.buffer = data_;
        for (const unsigned info_class : {4U, 10U, 11U, 13U, 15U, 19U, 20U, 64U, 65U}) {
            set.file_info_class = static_cast<std::uint8_t>(info_class);
            add(set);
        }
        set.info_type = wire::InfoType::security;
        add(set);
    }

    // Sends it; false if neither an answer nor the end of the connection comes.
    bool survives(wire::Command command, Message body) {
        const std::uint64_t id = client_->send(client_->make_raw(command, std::move(body)));
        client_->cancel(id);  // in case it waits
        const Reply reply = client_->wait(id);
        const bool gone = reply.lost;
        if (gone && !client_->disconnected()) return false;
        const bool out = !gone && (reply.status() == NtStatus::USER_SESSION_DELETED ||
                                   reply.status() == NtStatus::NETWORK_NAME_DELETED ||
                                   reply.status() == NtStatus::FILE_CLOSED);
        if (gone || out || reply.ok()) recover();
        return true;
    }
    // What the request has ended is there again.
    void recover() {
        if (client_->query_info(file_, wire::InfoType::file, 5).ok() &&
            client_->query_info(folder_, wire::InfoType::file, 5).ok()) {
            return;
        }
        connect();
    }

    TestServer server_;
    std::unique_ptr<TestClient> client_;
    const Message name_ = utf16("some name");
    const Message data_ = Message(24, std::byte{1});
    wire::FileId file_;
    wire::FileId folder_;
    std::vector<std::pair<wire::Command, Message>> bodies_;
};

TEST_F(Malformed, EveryCommandAtEveryLength_3_3_5_2) {
    make_bodies();
    for (std::size_t i = 0; i < bodies_.size(); ++i) {
        const std::size_t size = bodies_[i].second.size();
        for (std::size_t length = 0; length < size; ++length) {
            make_bodies();  // with the ids of now
            const auto& [command, body] = bodies_[i];
            Message cut(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(length));
            ASSERT_TRUE(survives(command, std::move(cut)))
                << "command " << static_cast<int>(command) << ", " << length << " bytes";
        }
    }
    client_.reset();
    EXPECT_TRUE(server_.all_released()) << server_.leftovers();
}

TEST_F(Malformed, EveryCommandWithEveryByteChanged_3_3_5_2) {
    make_bodies();
    for (std::size_t i = 0; i < bodies_.size(); ++i) {
        for (std::size_t at = 2; at < bodies_[i].second.size(); ++at) {
            for (const unsigned value : {0xFFU, 0x01U}) {
                make_bodies();
                auto [command, body] = bodies_[i];
                body[at] ^= static_cast<std::byte>(value);
                ASSERT_TRUE(survives(command, std::move(body)))
                    << "command " << static_cast<int>(command) << ", byte " << at;
            }
        }
    }
    client_.reset();
    EXPECT_TRUE(server_.all_released()) << server_.leftovers();
}

TEST_F(Malformed, AWrongStructureSizeIsInvalid_3_3_5_2) {
    make_bodies();
    for (auto [command, body] : bodies_) {
        body[0] ^= std::byte{2};
        const Reply reply = client_->wait(client_->send(client_->make_raw(command, body)));
        EXPECT_EQ(reply.status(), NtStatus::INVALID_PARAMETER) << static_cast<int>(command);
    }
}

TEST_F(Malformed, MessagesThatAreNone_3_3_5_2) {
    for (const std::size_t size : {1U, 3U, 4U, 63U}) {
        for (const unsigned first : {0xFEU, 0xFDU, 0xFCU, 0xFFU, 0x00U}) {
            Message message(size);
            const Message magic{static_cast<std::byte>(first), std::byte{'S'}, std::byte{'M'},
                                std::byte{'B'}};
            std::copy_n(magic.begin(), std::min(size, magic.size()), message.begin());
            TestClient client(server_);
            client.send_message(message);
            EXPECT_TRUE(client.disconnected()) << size << " " << first;
        }
    }
}

TEST_F(Malformed, NegotiateAtEveryLength_3_3_5_4) {
    wire::NegotiateContexts contexts;
    contexts.preauth_integrity.emplace().hash_algorithms = {1};
    contexts.encryption.emplace().ciphers = {2, 1};
    contexts.signing.emplace().signing_algorithms = {2};
    const wire::NegotiateContextBuilder builder(contexts);
    wire::NegotiateRequest request;
    request.dialects = {0x0210, 0x0311};
    request.negotiate_contexts = builder.contexts();
    const Message body = wire::to_bytes(request);
    for (std::size_t length = 0; length < body.size(); ++length) {
        TestClient client(server_);
        Message cut(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(length));
        const Reply reply =
            client.wait(client.send(client.make_raw(wire::Command::negotiate, std::move(cut))));
        EXPECT_TRUE(is_error(reply.status()) || client.disconnected()) << length;
    }
}

}  // namespace
}  // namespace smb3d::test
