// Links and listeners: sending, back-pressure, closing, many connections, shortage.
#include <algorithm>
#include <chrono>
#include <thread>

#include <sys/resource.h>

#include "link_fixture.h"

namespace smb3d::transport {
namespace {

using namespace std::chrono_literals;

class SocketLinkTest : public SocketTest {};
INSTANTIATE_TEST_SUITE_P(Kinds, SocketLinkTest, ::testing::Values("io_uring", "epoll"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(SocketLinkTest, EchoesMessagesOfAllSizesInOrder) {
    on_message_ = echo;
    on_start_ = [](Peer& peer) { peer.link().set_max_message(2U << 20); };
    listen();
    Client client(listener_->address());
    std::vector<std::string> sent;
    for (const std::size_t size :
         {1U, 2U, 100U, 8191U, 8192U, 8193U, 16384U, 70'000U, 1'100'000U}) {
        sent.push_back(pattern(size, static_cast<std::uint32_t>(size)));
    }
    std::thread writer([&] {
        for (int round = 0; round < 5; ++round) {
            for (const std::string& message : sent) EXPECT_TRUE(client.write(framed(message)));
        }
    });
    for (int round = 0; round < 5; ++round) {
        for (const std::string& message : sent) EXPECT_EQ(client.read_message(), message);
    }
    writer.join();
    client.close();
    EXPECT_EQ(wait_peer()->wait_closed(), "the peer closed the connection");
    EXPECT_EQ(pool_in_use(), 0U);
}

TEST_P(SocketLinkTest, ThousandsOfSmallMessages) {
    on_message_ = echo;
    listen();
    Client client(listener_->address());
    constexpr int count = 5000;
    std::thread writer([&] {
        for (int i = 0; i < count; ++i) {
            EXPECT_TRUE(client.write(framed("message " + std::to_string(i))));
        }
    });
    for (int i = 0; i < count; ++i) {
        EXPECT_EQ(client.read_message(), "message " + std::to_string(i));
        if (HasFailure()) break;
    }
    if (HasFailure()) client.end_output();
    writer.join();
}

TEST_P(SocketLinkTest, TellsItsAddressesAndLoop) {
    listen();
    EXPECT_NE(listener_->address().text, "127.0.0.1:0");
    Client client(listener_->address());
    const auto peer = wait_peer();
    run_on(*loops_[1], [&] {
        EXPECT_EQ(peer->link().peer().host, "127.0.0.1");
        EXPECT_EQ(peer->link().local().text, listener_->address().text);
        EXPECT_EQ(&peer->link().loop(), loops_[1].get());
        EXPECT_STREQ(peer->link().kind(), "tcp");
        EXPECT_FALSE(peer->link().secure());
        EXPECT_EQ(peer->link().rdma(), nullptr);
    });
}

TEST_P(SocketLinkTest, ASlowReaderIsSeenInTheQueueAndDrains) {
    limits_.send_high_water = 4U << 20;
    limits_.send_low_water = 1U << 20;
    listen();
    Client client(listener_->address(), 65536);
    const auto peer = wait_peer();
    const std::string message = pattern(1U << 20, 9);
    constexpr int count = 24;
    std::size_t queued = 0;
    run_on(*loops_[1], [&] {
        const Buffer buffer = text_buffer(message);
        for (int i = 0; i < count; ++i) peer->link().send({buffer});
        queued = peer->link().send_queued();
        EXPECT_GT(queued, peer->link().send_high_water());
        peer->link().pause_receive();
    });
    std::this_thread::sleep_for(20ms);
    run_on(*loops_[1], [&] {
        EXPECT_LE(peer->link().send_queued(), queued);
        EXPECT_GT(peer->link().send_queued(), 0U);
    });
    for (int i = 0; i < count; ++i) ASSERT_EQ(client.read_message(), message) << i;
    EXPECT_EQ(peer->wait_drained(), 1);
    run_on(*loops_[1], [&] { EXPECT_EQ(peer->link().send_queued(), 0U); });
}

TEST_P(SocketLinkTest, WhoTakesNothingIsCutOff) {
    limits_.send_stall_ms = 100;
    listen();
    Client client(listener_->address(), 4096);
    const auto peer = wait_peer();
    run_on(*loops_[1], [&] {
        const Buffer buffer = text_buffer(pattern(8U << 20, 1));
        for (int i = 0; i < 4; ++i) peer->link().send({buffer});
    });
    EXPECT_EQ(peer->wait_closed(), "the peer does not take what is sent to it");
}

TEST_P(SocketLinkTest, WhoTakesItSlowlyIsNotCutOff) {
    limits_.send_stall_ms = 500;
    listen();
    Client client(listener_->address(), 16384);
    const auto peer = wait_peer();
    // One message, and so one send: its progress is known to TCP only.
    const std::string message = pattern(12U << 20, 5);
    run_on(*loops_[1], [&] { peer->link().send({text_buffer(message)}); });
    std::string got = client.read(4);
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < 1500ms) {
        got += client.read(65536);
        std::this_thread::sleep_for(10ms);
    }
    got += client.read(message.size() + 4 - got.size());
    ASSERT_EQ(got.size(), message.size() + 4);
    EXPECT_TRUE(got.substr(4) == message);  // too long to be printed
    EXPECT_FALSE(peer->closed());
}

TEST_P(SocketLinkTest, PausedLinksDeliverNothing) {
    on_message_ = [](Peer& peer, Buffer message) {
        peer.link().pause_receive();
        peer.record(std::string(reinterpret_cast<const char*>(message.data()), message.size()));
    };
    listen();
    Client client(listener_->address());
    const std::vector<std::string> sent{pattern(10, 1), pattern(60'000, 2), pattern(20, 3),
                                        pattern(65'000, 4)};
    std::string bytes;
    for (const std::string& message : sent) bytes += framed(message);
    ASSERT_TRUE(client.write(bytes));
    const auto peer = wait_peer();
    for (std::size_t i = 1; i <= sent.size(); ++i) {
        ASSERT_EQ(peer->wait_messages(i).size(), i);
        std::this_thread::sleep_for(10ms);
        EXPECT_EQ(peer->messages().size(), i);
        run_on(*loops_[1], [&] {
            const std::size_t before = peer->messages().size();
            peer->link().resume_receive();
            EXPECT_EQ(peer->messages().size(), before) << "delivered inside resume_receive()";
        });
    }
    EXPECT_EQ(peer->messages(), sent);
}

TEST_P(SocketLinkTest, HalfClosedPeersGetWhatIsQueued) {
    on_message_ = [](Peer& peer, Buffer) {
        const Buffer reply = text_buffer(pattern(3U << 20, 77));
        peer.link().send({reply});
    };
    listen();
    Client client(listener_->address());
    ASSERT_TRUE(client.write(framed("give")));
    client.end_output();
    EXPECT_EQ(client.read_message(), pattern(3U << 20, 77));
    EXPECT_TRUE(client.at_end());
    EXPECT_EQ(wait_peer()->wait_closed(), "the peer closed the connection");
}

TEST_P(SocketLinkTest, ClosingWithFlushSendsFirst) {
    const std::string reply = pattern(5U << 20, 3);
    on_message_ = [&](Peer& peer, Buffer) {
        peer.link().send({text_buffer(reply)});
        peer.link().close("had enough", true);
        peer.link().close("had more than enough", true);
        peer.link().send({text_buffer("never")});
    };
    listen();
    Client client(listener_->address());
    // More input than anyone reads: it must not destroy what is under way to the client.
    ASSERT_TRUE(client.write(framed("one") + framed("two") + pattern(3000, 1)));
    EXPECT_EQ(client.read_message(), reply);
    EXPECT_EQ(client.read(1), "");
    EXPECT_EQ(wait_peer()->wait_closed(), "had enough");
}

TEST_P(SocketLinkTest, TheFlushIsBounded) {
    limits_.close_flush_ms = 50;
    listen();
    Client client(listener_->address(), 4096);
    const auto peer = wait_peer();
    const auto begin = std::chrono::steady_clock::now();
    run_on(*loops_[1], [&] {
        const Buffer buffer = text_buffer(pattern(8U << 20, 1));
        for (int i = 0; i < 4; ++i) peer->link().send({buffer});
        peer->link().close("bye", true);
    });
    EXPECT_EQ(peer->wait_closed(), "bye");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_P(SocketLinkTest, ClosesAtOnceInEveryState) {
    // From inside on_message(), from start, while sending, while a large message is half received.
    on_message_ = [](Peer& peer, Buffer message) {
        if (message.size() == 5) peer.link().close("inside", false);
    };
    on_start_ = [](Peer& peer) { peer.link().set_max_message(9U << 20); };
    listen();
    {
        Client client(listener_->address());
        ASSERT_TRUE(client.write(framed("close") + framed("and more")));
        EXPECT_EQ(wait_peer(0)->wait_closed(), "inside");
    }
    {
        Client client(listener_->address());
        const auto peer = wait_peer(1);
        run_on(*loops_[1], [&] { peer->link().close("idle", false); });
        EXPECT_EQ(peer->wait_closed(), "idle");
        EXPECT_TRUE(client.at_end());
    }
    {
        Client client(listener_->address(), 4096);
        ASSERT_TRUE(client.write(framed(pattern(8U << 20, 1)).substr(0, 3'000'000)));
        const auto peer = wait_peer(2);
        std::this_thread::sleep_for(10ms);
        run_on(*loops_[1], [&] {
            const Buffer buffer = text_buffer(pattern(8U << 20, 1));
            for (int i = 0; i < 4; ++i) peer->link().send({buffer});
            peer->link().close("busy", false);
        });
        EXPECT_EQ(peer->wait_closed(), "busy");
    }
    {
        Client client(listener_->address());
        const auto peer = wait_peer(3);
        client.reset();
        EXPECT_NE(peer->wait_closed().find("reset by peer"), std::string::npos);
    }
    EXPECT_EQ(pool_in_use(), 0U);
}

TEST_P(SocketLinkTest, RefusedConnectionsAreClosed) {
    listen();
    refuse_ = true;
    Client refused(listener_->address());
    EXPECT_TRUE(refused.at_end());
    refuse_ = false;
    Client admitted(listener_->address());
    ASSERT_TRUE(admitted.write(framed("hello")));
    EXPECT_EQ(wait_peer()->wait_messages(1).size(), 1U);
    EXPECT_EQ(peer_count(), 1U);
}

TEST_P(SocketLinkTest, AThousandConnectionsAndNoDescriptorLeft) {
    on_message_ = echo;
    listen();
    const std::size_t before = open_descriptors();
    constexpr std::size_t count = 1000;
    {
        std::vector<std::unique_ptr<Client>> clients;
        for (std::size_t i = 0; i < count; ++i) {
            clients.push_back(std::make_unique<Client>(listener_->address()));
            ASSERT_TRUE(clients.back()->connected()) << i;
        }
        for (std::size_t i = 0; i < count; ++i) {
            ASSERT_TRUE(clients[i]->write(framed("client " + std::to_string(i))));
        }
        for (std::size_t i = 0; i < count; ++i) {
            ASSERT_EQ(clients[i]->read_message(), "client " + std::to_string(i));
        }
        ASSERT_NE(wait_peer(count - 1), nullptr);
        // Idle connections hold no buffer.
        EXPECT_EQ(pool_in_use(), 0U);
    }
    for (std::size_t i = 0; i < count; ++i) {
        EXPECT_EQ(wait_peer(i)->wait_closed(), "the peer closed the connection");
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST_P(SocketLinkTest, ListensOnIpv6AndBoth) {
    listen("[::1]:0", 0);
    EXPECT_EQ(listener_->address().host, "::1");
    Client client(listener_->address());
    ASSERT_TRUE(client.connected());
    ASSERT_TRUE(client.write(framed("six")));
    EXPECT_EQ(wait_peer(0)->wait_messages(1), std::vector<std::string>{"six"});

    std::unique_ptr<Listener> both;
    run_on(*loops_[0], [&] {
        auto result = transport_.listen(
            *loops_[0], ":0", limits_, [this](const Address&) { return loops_[0].get(); },
            [this](std::unique_ptr<Link> link) { take(std::move(link)); });
        ASSERT_TRUE(result.has_value()) << result.error();
        both = std::move(*result);
    });
    auto v4 = parse_address("127.0.0.1:1");
    ASSERT_TRUE(v4.has_value());
    const auto* bound = reinterpret_cast<const ::sockaddr_in6*>(&both->address().storage);
    reinterpret_cast<::sockaddr_in*>(&v4->storage)->sin_port = bound->sin6_port;
    Client four(*v4);
    ASSERT_TRUE(four.connected());
    const auto peer = wait_peer(1);
    ASSERT_NE(peer, nullptr);
    run_on(*loops_[0], [&] { EXPECT_EQ(peer->link().peer().host, "127.0.0.1"); });
    std::promise<void> closed;
    both->stop([&] { closed.set_value(); });
    closed.get_future().wait();
    run_on(*loops_[0], [] {});
}

TEST_P(SocketLinkTest, SaysWhyItCannotListen) {
    listen();
    run_on(*loops_[0], [&] {
        const auto taken =
            transport_.listen(*loops_[0], listener_->address().text, limits_, {}, {});
        ASSERT_FALSE(taken.has_value());
        EXPECT_EQ(taken.error(),
                  listener_->address().text + ": cannot be used: Address already in use");
        const auto foreign = transport_.listen(*loops_[0], "192.0.2.1:0", limits_, {}, {});
        ASSERT_FALSE(foreign.has_value());
        EXPECT_NE(foreign.error().find("cannot be used"), std::string::npos) << foreign.error();
        const auto malformed = transport_.listen(*loops_[0], "nonsense", limits_, {}, {});
        ASSERT_FALSE(malformed.has_value());
    });
}

TEST_P(SocketLinkTest, WithoutDescriptorsExistingWorkGoesOn) {
    std::atomic<int> warnings{0};
    SocketOptions options;
    options.warn = [&](const std::string&) { ++warnings; };
    transport_ = SocketTransport(options);
    on_message_ = echo;
    // Before the first accept: io_uring notes the limit when an operation begins.
    ::rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    ::rlimit tight = limit;
    tight.rlim_cur = 200;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    listen();
    Client first(listener_->address());
    ASSERT_TRUE(first.write(framed("one")));
    EXPECT_EQ(first.read_message(), "one");

    std::vector<int> hogs;
    for (int hog = ::dup(0); hog >= 0; hog = ::dup(0)) hogs.push_back(hog);
    ASSERT_FALSE(hogs.empty());
    ::close(hogs.back());  // room for the client's own socket, and no more
    hogs.pop_back();
    Client second(listener_->address());
    EXPECT_TRUE(second.connected());
    EXPECT_TRUE(second.at_end()) << "told by the reserve";
    ASSERT_TRUE(first.write(framed("two")));
    EXPECT_EQ(first.read_message(), "two");
    for (int i = 0; i < 200 && warnings.load() == 0; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(warnings.load(), 1);
    for (const int hog : hogs) ::close(hog);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);

    Client third(listener_->address());
    ASSERT_TRUE(third.write(framed("three")));
    EXPECT_EQ(third.read_message(), "three");
}

}  // namespace
}  // namespace smb3d::transport
