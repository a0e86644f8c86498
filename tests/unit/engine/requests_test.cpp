// Sequence numbers, credits, compounds:
// [MS-SMB2] 3.3.1.1, 3.3.1.2, 3.3.5.2.3, 3.3.5.2.5, 3.3.5.2.7.
#include <gtest/gtest.h>

#include "client/test_client.h"

namespace smb3d::test {
namespace {

wire::CreateRequest create_of(const Message& name, wire::CreateDisposition disposition) {
    wire::CreateRequest request;
    request.desired_access = 0x0013019F;
    request.share_access = wire::share_access::all;
    request.create_disposition = disposition;
    request.name = name;
    return request;
}

class Sequence : public ::testing::Test {
  protected:
    // Sends an ECHO with these; true if the connection ends.
    bool abuse(std::uint16_t dialect, std::uint64_t id_from_next, std::uint16_t charge) {
        TestClient client(server_);
        EXPECT_TRUE(client.log_on(dialect));
        Request echo = client.make(wire::EchoRequest{});
        echo.header.message_id += id_from_next;
        echo.header.credit_charge = charge;
        const std::uint64_t id = client.send(std::move(echo));
        return !client.wait(id).ok() && client.disconnected();
    }
    TestServer server_;
};

TEST_F(Sequence, AMessageIdCountsOnce_3_3_5_2_3) {
    EXPECT_FALSE(abuse(0x0302, 0, 1));
    EXPECT_TRUE(abuse(0x0302, ~std::uint64_t{0}, 1));  // the one before
    EXPECT_TRUE(abuse(0x0302, 100'000, 1));
    EXPECT_FALSE(abuse(0x0302, 3, 1));  // a gap within the window is no abuse
}

TEST_F(Sequence, TheChargeMustBeCovered_3_3_5_2_3) {
    EXPECT_FALSE(abuse(0x0302, 0, 10));
    EXPECT_TRUE(abuse(0x0302, 0, 1000));
    EXPECT_TRUE(abuse(0x0302, 0, 0xFFFF));
    EXPECT_FALSE(abuse(0x0302, 0, 0));
    EXPECT_FALSE(abuse(0x0202, 0, 0xFFFF));  // 2.0.2: reserved, a message is one credit
}

TEST_F(Sequence, CreditsAreGrantedAsAskedUpToTheLimit_3_3_1_2) {
    TestClient client(server_);
    client.credits_to_ask = 7;
    const Reply first = client.negotiate(0x0302);
    EXPECT_EQ(first.header.credits, 7);
    client.credits_to_ask = 0;
    EXPECT_EQ(client.session_setup("alice").header.credits, 1);
    client.credits_to_ask = 0xFFFF;
    EXPECT_TRUE(client.echo().ok());
    EXPECT_EQ(client.credits - client.next_message_id, server_.config().max_credits);
    client.credits_to_ask = 1;
    EXPECT_EQ(client.echo().header.credits, 1);
}

TEST_F(Sequence, ThePayloadMustBePaidFor_3_3_5_2_5) {
    TestClient client(server_);
    ASSERT_TRUE(client.log_on(0x0302));
    const wire::FileId file = client.create("big").body<wire::CreateResponse>().file_id;
    const Message data(65537);
    EXPECT_TRUE(client.write(file, 0, data).ok());
    wire::WriteRequest unpaid;
    unpaid.file_id = file;
    unpaid.data = Bytes(data);
    EXPECT_EQ(client.call(unpaid, 1).status(), NtStatus::INVALID_PARAMETER);
    wire::ReadRequest read;
    read.file_id = file;
    read.length = 65537;
    EXPECT_EQ(client.call(read, 1).status(), NtStatus::INVALID_PARAMETER);
    EXPECT_TRUE(client.call(read, 2).ok());
    EXPECT_EQ(client.query_info(file, wire::InfoType::file, 4, 65537).status(),
              NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(client.query_directory(file, "*", 0, 65537).status(), NtStatus::INVALID_PARAMETER);
}

TEST_F(Sequence, AResponseFromAClientDisconnects_3_3_5_2) {
    TestClient client(server_);
    ASSERT_TRUE(client.log_on(0x0302));
    Request echo = client.make(wire::EchoRequest{});
    echo.header.flags |= wire::header_flags::server_to_redir;
    client.send(std::move(echo));
    EXPECT_TRUE(client.disconnected());
}

TEST_F(Sequence, UnknownCommandsAreRefused_3_3_5_2_6) {
    TestClient client(server_);
    ASSERT_TRUE(client.log_on(0x0302));
    for (const int command : {0x13, 0x14, 0xFFFF}) {
        const Reply reply = client.wait(
            client.send(client.make_raw(static_cast<wire::Command>(command), Message(8))));
        EXPECT_EQ(reply.status(), NtStatus::INVALID_PARAMETER);
    }
}

class Compound : public ::testing::Test {
  protected:
    Compound() : client_(server_) { EXPECT_TRUE(client_.log_on()); }
    std::vector<NtStatus> run(std::vector<Request> requests, bool related) {
        std::vector<NtStatus> statuses;
        for (const std::uint64_t id : client_.send_compound(std::move(requests), related)) {
            const Reply reply = client_.wait(id);
            EXPECT_FALSE(reply.bad_signature);
            EXPECT_TRUE(reply.was_signed);
            statuses.push_back(reply.status());
        }
        return statuses;
    }
    std::vector<Request> create_write_close(wire::CreateDisposition disposition,
                                            wire::FileId id = wire::file_id_any) {
        const Message name = utf16("compound");
        const Message data(100, std::byte{5});
        wire::WriteRequest write;
        write.file_id = id;
        write.data = Bytes(data);
        wire::CloseRequest close;
        close.file_id = id;
        std::vector<Request> requests;
        requests.push_back(client_.make(create_of(name, disposition)));
        requests.push_back(client_.make(write));
        requests.push_back(client_.make(close));
        return requests;
    }
    TestServer server_;
    TestClient client_;
};

constexpr auto ok = NtStatus::SUCCESS;

TEST_F(Compound, RelatedRequestsTakeTheFileOfTheOneBefore_3_3_5_2_7_2) {
    EXPECT_EQ(run(create_write_close(wire::CreateDisposition::create), true),
              (std::vector<NtStatus>{ok, ok, ok}));
    // Whatever they carry themselves counts for nothing.
    EXPECT_EQ(run(create_write_close(wire::CreateDisposition::open, {77, 88}), true),
              (std::vector<NtStatus>{ok, ok, ok}));
    EXPECT_EQ(server_.engine().totals().opens, 0U);
}

TEST_F(Compound, RelatedRequestsTakeSessionAndTree_3_3_5_2_7_2) {
    std::vector<Request> requests = create_write_close(wire::CreateDisposition::open_if);
    for (std::size_t i = 1; i < requests.size(); ++i) {
        requests[i].header.session_id = wire::any_session_id;
        requests[i].header.tree_id = wire::any_tree_id;
    }
    EXPECT_EQ(run(std::move(requests), true), (std::vector<NtStatus>{ok, ok, ok}));
}

TEST_F(Compound, AFailedCreateFailsWhatFollowsWithItsStatus_3_3_5_2_7_2) {
    const NtStatus missing = NtStatus::OBJECT_NAME_NOT_FOUND;
    EXPECT_EQ(run(create_write_close(wire::CreateDisposition::open), true),
              (std::vector<NtStatus>{missing, missing, missing}));
}

TEST_F(Compound, UnrelatedRequestsStandAlone_3_3_5_2_7_1) {
    const Message name = utf16("missing");
    std::vector<Request> requests;
    requests.push_back(client_.make(create_of(name, wire::CreateDisposition::open)));
    requests.push_back(client_.make(wire::EchoRequest{}));
    requests.push_back(client_.make(create_of(name, wire::CreateDisposition::create)));
    EXPECT_EQ(run(std::move(requests), false),
              (std::vector<NtStatus>{NtStatus::OBJECT_NAME_NOT_FOUND, ok, ok}));
}

TEST_F(Compound, TheFirstCannotBeRelated_3_3_5_2_7_2) {
    std::vector<Request> requests = create_write_close(wire::CreateDisposition::open_if);
    requests.front().header.flags |= wire::header_flags::related_operations;
    for (const std::uint64_t id : client_.send_compound(std::move(requests), true)) {
        EXPECT_EQ(client_.wait(id).status(), NtStatus::INVALID_PARAMETER);
    }
    EXPECT_EQ(server_.engine().totals().opens, 0U);
}

TEST_F(Compound, WithoutAFileBeforeIsRefused_3_3_5_2_7_2) {
    wire::CloseRequest close;
    close.file_id = wire::file_id_any;
    const Message path = utf16("\\\\test\\data");
    wire::TreeConnectRequest tree;
    tree.path_name = path;
    std::vector<Request> requests;
    requests.push_back(client_.make(tree));
    requests.push_back(client_.make(close));
    EXPECT_EQ(run(std::move(requests), true), (std::vector<NtStatus>{ok, NtStatus::FILE_CLOSED}));
}

TEST_F(Compound, LogoffInTheMiddleEndsTheRest_3_3_5_2_7_2) {
    std::vector<Request> requests;
    requests.push_back(client_.make(wire::LogoffRequest{}));
    for (Request& request : create_write_close(wire::CreateDisposition::open_if)) {
        requests.push_back(std::move(request));
    }
    const auto ids = client_.send_compound(std::move(requests), true);
    EXPECT_TRUE(client_.wait(ids[0]).ok());
    for (std::size_t i = 1; i < ids.size(); ++i) {
        EXPECT_EQ(client_.wait(ids[i]).status(),
                  i == 1 ? NtStatus::USER_SESSION_DELETED : NtStatus::INVALID_PARAMETER);
    }
    EXPECT_EQ(server_.engine().totals().sessions, 0U);
}

// The list itself is abuse: nothing of it is done.
TEST(CompoundForm, BrokenChainsDisconnect_3_3_5_2_7) {
    TestServer server;
    const auto broken = [&](std::uint32_t next, std::size_t extra) {
        TestClient client(server);
        EXPECT_TRUE(client.log_on(0x0210));
        client.sign = false;
        Request echo = client.make(wire::EchoRequest{});
        echo.header.next_command = next;
        Message message = header_and_body(echo);
        message.resize(message.size() + extra);
        client.send_message(message);
        return client.disconnected();
    };
    EXPECT_TRUE(broken(65, 200));          // misaligned
    EXPECT_TRUE(broken(8, 200));           // into its own header
    EXPECT_TRUE(broken(0xFFFFFFF8, 200));  // beyond the message
    EXPECT_TRUE(broken(1000, 200));
    EXPECT_TRUE(broken(72, 4));    // no whole header there
    EXPECT_TRUE(broken(72, 200));  // zeros are no header
}

// What was not asked for yet is not read ahead: it may go away meanwhile.
TEST(QueryDirectory, ASingleEntryIsNotTheEndOfOthersChanges_3_3_5_18) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    const auto folder =
        client.create("folder", {.access = 0x81, .options = 1}).body<wire::CreateResponse>();
    for (const char* name : {"folder\\a", "folder\\b", "folder\\c"}) {
        const Reply made = client.create(name);
        ASSERT_TRUE(made.ok());
        const wire::FileId id = made.body<wire::CreateResponse>().file_id;
        ASSERT_TRUE(client.close(id).ok());
    }
    const auto single = wire::query_directory_flags::return_single_entry;
    ASSERT_TRUE(client.query_directory(folder.file_id, "*", single, 256).ok());
    for (const char* name : {"folder\\a", "folder\\b", "folder\\c"}) {
        const Reply opened = client.create(name);
        ASSERT_TRUE(opened.ok());
        const wire::FileId id = opened.body<wire::CreateResponse>().file_id;
        ASSERT_TRUE(client.delete_on_close(id).ok());
        ASSERT_TRUE(client.close(id).ok());
    }
    std::size_t left = 0;
    while (client.query_directory(folder.file_id, "*", single, 256).ok()) ++left;
    EXPECT_LE(left, 1U);  // ".."
}

TEST(CompoundForm, TooManyPartsDisconnect_3_3_5_2_7) {
    TestServer server;
    TestClient client(server);
    client.credits_to_ask = 256;
    ASSERT_TRUE(client.log_on());
    const auto echoes = [&](std::size_t count) {
        std::vector<Request> requests;
        for (std::size_t i = 0; i < count; ++i)
            requests.push_back(client.make(wire::EchoRequest{}));
        return client.send_compound(std::move(requests), false);
    };
    for (const std::uint64_t id : echoes(limits::max_compound_parts))
        EXPECT_TRUE(client.wait(id).ok());
    echoes(limits::max_compound_parts + 1);
    EXPECT_TRUE(client.disconnected());
}

TEST(CompoundForm, SealedAsAWhole_3_3_4_1_4) {
    TestServer server;
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    client.encrypt = true;
    std::vector<Request> requests;
    for (int i = 0; i < 3; ++i) requests.push_back(client.make(wire::EchoRequest{}));
    for (const std::uint64_t id : client.send_compound(std::move(requests), false)) {
        const Reply reply = client.wait(id);
        EXPECT_TRUE(reply.ok());
        EXPECT_TRUE(reply.encrypted);
    }
}

}  // namespace
}  // namespace smb3d::test
