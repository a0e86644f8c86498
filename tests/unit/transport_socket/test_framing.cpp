// [MS-SMB2] 2.1: bytes to messages, whatever the pieces they come in, and what is refused.
#include <chrono>
#include <thread>

#include "link_fixture.h"

namespace smb3d::transport {
namespace {

using namespace std::chrono_literals;

class Framing : public SocketTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, Framing, ::testing::Values("io_uring", "epoll"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(Framing, MsSmb2_2_1_SeveralMessagesInOneReceive) {
    listen();
    Client client(listener_->address());
    std::string bytes;
    std::vector<std::string> sent;
    for (std::uint32_t i = 1; i <= 20; ++i) {
        sent.push_back(pattern(i * 3, i));
        bytes += framed(sent.back());
    }
    ASSERT_TRUE(client.write(bytes));
    EXPECT_EQ(wait_peer()->wait_messages(20), sent);
}

TEST_P(Framing, MsSmb2_2_1_ByteByByte) {
    listen();
    Client client(listener_->address());
    const std::vector<std::string> sent{pattern(1, 1), pattern(37, 2), pattern(90, 3)};
    for (const std::string& message : sent) {
        for (const char byte : framed(message)) {
            ASSERT_TRUE(client.write(std::string(1, byte)));
            std::this_thread::sleep_for(100us);
        }
    }
    EXPECT_EQ(wait_peer()->wait_messages(3), sent);
}

TEST_P(Framing, MsSmb2_2_1_EveryPlaceToCut) {
    listen();
    Client client(listener_->address());
    std::vector<std::string> sent;
    for (std::size_t cut = 1; cut < 18; ++cut) {
        sent.push_back(pattern(5, static_cast<std::uint32_t>(cut)));
        sent.push_back(pattern(5, static_cast<std::uint32_t>(cut + 100)));
        const std::string bytes = framed(sent[sent.size() - 2]) + framed(sent.back());
        ASSERT_TRUE(client.write(bytes.substr(0, cut)));
        std::this_thread::sleep_for(500us);
        ASSERT_TRUE(client.write(bytes.substr(cut)));
    }
    EXPECT_EQ(wait_peer()->wait_messages(sent.size()), sent);
}

TEST_P(Framing, LargeMessagesArriveWholeAndReturnToThePool) {
    on_start_ = [](Peer& peer) { peer.link().set_max_message(9U << 20); };
    listen();
    Client client(listener_->address());
    const std::vector<std::string> sent{pattern(100'000, 1), pattern(8U << 20, 2), pattern(7, 3),
                                        pattern((1U << 20) + 112, 4)};
    for (const std::string& message : sent) ASSERT_TRUE(client.write(framed(message)));
    EXPECT_EQ(wait_peer()->wait_messages(4), sent);
    EXPECT_EQ(pool_in_use(), 0U);
}

TEST_P(Framing, AMessageOverTheLimitEndsTheConnection) {
    listen();
    Client client(listener_->address());
    ASSERT_TRUE(client.write(framed(pattern(65536, 1))));
    EXPECT_EQ(wait_peer()->wait_messages(1).size(), 1U);
    ASSERT_TRUE(client.write(std::string("\x00\x01\x00\x01", 4)));
    EXPECT_EQ(wait_peer()->wait_closed(), "a message of 65537 bytes where 65536 are allowed");
    EXPECT_TRUE(client.at_end());
    EXPECT_EQ(pool_in_use(), 0U);
}

TEST_P(Framing, OtherBytesThanFramesEndTheConnection) {
    const std::pair<std::string, std::string> abuse[] = {
        {std::string("GET / HTTP/1.1\r\n"), "not SMB over TCP: a packet of type 0x47"},
        {std::string("\0\0\0\0", 4), "an empty message"},
        {std::string("\x85\0\0\x01", 4), "not SMB over TCP: a packet of type 0x85"},
        {std::string("\x81\x01\0\0", 4), "a NetBIOS session request out of place"},
        {framed("x") + std::string("\x81\0\0\x44", 4), "a NetBIOS session request out of place"},
        {std::string("\0\0", 2), "the peer closed the connection in the middle of a message"},
        {std::string("\0\0\0\x09"
                     "abc",
                     7),
         "the peer closed the connection in the middle of a message"},
        {framed("whole"), "the peer closed the connection"},
    };
    listen();
    std::size_t number = 0;
    for (const auto& [bytes, reason] : abuse) {
        Client client(listener_->address());
        ASSERT_TRUE(client.write(bytes));
        client.end_output();
        EXPECT_EQ(wait_peer(number++)->wait_closed(), reason);
        EXPECT_EQ(client.read(1), "");
    }
    EXPECT_EQ(pool_in_use(), 0U);
}

TEST_P(Framing, Rfc1002_4_3_SessionRequestIsAnsweredAndKeepAliveIgnored) {
    listen();
    Client client(listener_->address());
    ASSERT_TRUE(client.write(std::string("\x81\0\0\x44", 4) + std::string(68, 'A')));
    EXPECT_EQ(client.read(4), std::string("\x82\0\0\0", 4));
    ASSERT_TRUE(client.write(std::string("\x85\0\0\0", 4) + framed("after")));
    EXPECT_EQ(wait_peer()->wait_messages(1), std::vector<std::string>{"after"});
}

TEST_P(Framing, WhoDoesNotFinishAMessageIsCutOff) {
    limits_.receive_stall_ms = 50;
    listen();
    Client client(listener_->address());
    ASSERT_TRUE(client.write(framed(pattern(100, 1)).substr(0, 50)));
    EXPECT_EQ(wait_peer()->wait_closed(), "the peer does not finish its message");
    EXPECT_TRUE(client.at_end());
}

class SmallPool : public SocketTest {
  protected:
    SmallPool() { pool_options_.ceiling = 300U << 10; }
};
INSTANTIATE_TEST_SUITE_P(Kinds, SmallPool, ::testing::Values("io_uring", "epoll"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(SmallPool, AnExhaustedPoolOnlyDelays) {
    listen();
    Buffer hog = pool_->allocate(200U << 10);
    ASSERT_FALSE(hog.empty());
    Client client(listener_->address());
    const std::vector<std::string> sent{pattern(60'000, 1), pattern(60'000, 2)};
    ASSERT_TRUE(client.write(framed(sent[0]) + framed(sent[1])));
    const auto peer = wait_peer();
    std::this_thread::sleep_for(50ms);
    EXPECT_TRUE(peer->messages().empty());
    EXPECT_GT(pool_->stats().refused, 0U);
    hog.reset();
    EXPECT_EQ(peer->wait_messages(2), sent);
}

}  // namespace
}  // namespace smb3d::transport
