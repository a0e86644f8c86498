// The outbox: what is signed or sealed together arrives whole, protected, and in order.
// [MS-SMB2] 3.1.4.1, 3.1.4.3.
#include <algorithm>

#include <gtest/gtest.h>

#include "client/test_client.h"
#include "crypto/provider.h"

namespace smb3d::test {
namespace {

struct Protection {
    const char* name;
    std::uint16_t signing;
    std::uint16_t cipher;
    bool encrypt;
};

class InCompany : public ::testing::TestWithParam<Protection> {
  protected:
    void SetUp() override {
        if (crypto::builtin_provider() == nullptr) GTEST_SKIP() << "nothing gains from company";
    }
    static TestServerOptions options() {
        TestServerOptions out;
        out.configure = [](engine::ServerConfig& config) {
            const auto choice = crypto::choose_provider(crypto::Preference::builtin);
            if (choice) config.crypto = choice->provider;
        };
        return out;
    }
    static bool log_on(TestClient& client) {
        NegotiateOptions wanted;
        wanted.ciphers = {GetParam().cipher};
        wanted.signing = {GetParam().signing};
        if (!client.negotiate(wanted).ok() || !client.session_setup("alice").ok()) return false;
        client.credits_to_ask = 200;
        if (!client.tree_connect("data").ok()) return false;
        client.encrypt = GetParam().encrypt;
        client.sign = !GetParam().encrypt;
        return client.cipher == GetParam().cipher && client.echo().ok();
    }
    static void expect_protected(const Reply& reply) {
        EXPECT_TRUE(reply.ok());
        EXPECT_FALSE(reply.bad_signature);
        EXPECT_EQ(reply.encrypted, GetParam().encrypt);
        EXPECT_EQ(reply.was_signed, !GetParam().encrypt);
    }
    static wire::ReadRequest read_of(wire::FileId file, std::uint64_t offset,
                                     std::uint32_t length) {
        wire::ReadRequest read;
        read.file_id = file;
        read.offset = offset;
        read.length = length;
        return read;
    }
};

TEST_P(InCompany, ManyRequestsOfManyClients) {
    TestServer server(options());
    std::vector<std::unique_ptr<TestClient>> clients;
    std::vector<wire::FileId> files;
    Message content(60'000);
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i * 7);
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<TestClient>(server));
        ASSERT_TRUE(log_on(*clients.back()));
        files.push_back(clients.back()->create("file").body<wire::CreateResponse>().file_id);
    }
    ASSERT_TRUE(clients[0]->write(files[0], 0, content).ok());
    std::vector<std::vector<std::uint64_t>> tickets(clients.size());
    constexpr std::uint32_t requests = 25;
    for (std::uint32_t n = 0; n < requests; ++n) {
        for (std::size_t i = 0; i < clients.size(); ++i) {
            Request read = clients[i]->make(read_of(files[i], n, 100 + n * 2000));
            tickets[i].push_back(clients[i]->send(std::move(read)));
        }
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
        for (std::uint32_t n = 0; n < requests; ++n) {
            const Reply reply = clients[i]->wait(tickets[i][n]);
            expect_protected(reply);
            const Bytes data = reply.body<wire::ReadResponse>().data.bytes;
            ASSERT_EQ(data.size(), 100 + n * 2000);
            ASSERT_TRUE(std::equal(data.begin(), data.end(), content.begin() + n));
        }
    }
}

TEST_P(InCompany, CompoundsAndErrorsBetweenThem) {
    TestServer server(options());
    TestClient client(server);
    ASSERT_TRUE(log_on(client));
    const wire::FileId file = client.create("file").body<wire::CreateResponse>().file_id;
    ASSERT_TRUE(client.write(file, 0, Message(1000)).ok());
    std::vector<std::uint64_t> good;
    std::vector<std::uint64_t> bad;
    for (int n = 0; n < 10; ++n) {
        Request read = client.make(read_of(file, 0, 1000));
        good.push_back(client.send(std::move(read)));
        Request beyond = client.make(read_of(file, 5000, 10));
        bad.push_back(client.send(std::move(beyond)));
        std::vector<Request> pair;
        pair.push_back(client.make(read_of(file, 0, 10)));
        pair.push_back(client.make(read_of(file, 10, 990)));
        for (const std::uint64_t id : client.send_compound(std::move(pair), false)) {
            good.push_back(id);
        }
    }
    for (const std::uint64_t id : good) expect_protected(client.wait(id));
    for (const std::uint64_t id : bad) {
        const Reply reply = client.wait(id);
        EXPECT_EQ(reply.status(), NtStatus::END_OF_FILE);
        EXPECT_FALSE(reply.bad_signature);
    }
    EXPECT_TRUE(client.logoff().ok());
}

TEST_P(InCompany, WhoLeavesMeanwhileIsForgotten) {
    TestServer server(options());
    TestClient stays(server);
    ASSERT_TRUE(log_on(stays));
    for (int round = 0; round < 20; ++round) {
        TestClient leaves(server);
        ASSERT_TRUE(log_on(leaves));
        for (int n = 0; n < 5; ++n) {
            Request echo = leaves.make(wire::EchoRequest{});
            leaves.send(std::move(echo));
            EXPECT_TRUE(stays.echo().ok());
        }
        leaves.disconnect();
    }
    expect_protected(stays.echo());
    stays.disconnect();
    EXPECT_TRUE(TestServer::eventually([&] { return server.all_released(); }))
        << server.leftovers();
}

INSTANTIATE_TEST_SUITE_P(All, InCompany,
                         ::testing::Values(Protection{"cmac", wire::signing::aes_cmac,
                                                      wire::cipher::aes_128_gcm, false},
                                           Protection{"ccm_128", wire::signing::aes_gmac,
                                                      wire::cipher::aes_128_ccm, true},
                                           Protection{"ccm_256", wire::signing::aes_gmac,
                                                      wire::cipher::aes_256_ccm, true}),
                         [](const auto& protection) { return std::string(protection.param.name); });

}  // namespace
}  // namespace smb3d::test
