// Addresses as an administrator writes them.
#include <netinet/in.h>

#include <gtest/gtest.h>

#include "transport/socket/socket_transport.h"

namespace smb3d::transport {
namespace {

TEST(SocketAddress, ReadsEveryForm) {
    const auto v4 = parse_address("192.0.2.7:445");
    ASSERT_TRUE(v4.has_value()) << v4.error();
    EXPECT_EQ(v4->text, "192.0.2.7:445");
    EXPECT_EQ(v4->host, "192.0.2.7");
    EXPECT_EQ(v4->storage.ss_family, AF_INET);

    const auto v6 = parse_address("[2001:db8::7]:4450");
    ASSERT_TRUE(v6.has_value()) << v6.error();
    EXPECT_EQ(v6->text, "[2001:db8::7]:4450");
    EXPECT_EQ(v6->host, "2001:db8::7");
    EXPECT_EQ(v6->storage.ss_family, AF_INET6);

    const auto any = parse_address(":0");
    ASSERT_TRUE(any.has_value()) << any.error();
    EXPECT_TRUE(any->text == "[::]:0" || any->text == "0.0.0.0:0") << any->text;

    const auto name = parse_address("localhost:445");
    ASSERT_TRUE(name.has_value()) << name.error();
    EXPECT_TRUE(name->text == "127.0.0.1:445" || name->text == "[::1]:445") << name->text;
}

TEST(SocketAddress, ExplainsWhatIsWrong) {
    const std::pair<const char*, const char*> wrong[] = {
        {"", "no port"},
        {"localhost", "no port"},
        {"127.0.0.1:", "is not a port"},
        {"127.0.0.1:x", "\"x\" is not a port"},
        {"127.0.0.1:65536", "is not a port"},
        {"127.0.0.1:-1", "is not a port"},
        {"127.0.0.1:44 ", "is not a port"},
        {"::1:445", "brackets"},
        {"[::1", "without"},
        {"[]:445", "no address"},
        {"[::1]445", "no port"},
        {"[127.0.0.1]:445", "cannot resolve"},
        {"no such host:445", "cannot resolve"},
    };
    for (const auto& [text, expected] : wrong) {
        const auto result = parse_address(text);
        ASSERT_FALSE(result.has_value()) << text;
        EXPECT_NE(result.error().find(expected), std::string::npos) << result.error();
    }
}

TEST(SocketAddress, ShowsAMappedIpv4PeerAsIpv4) {
    Address address;
    auto* v6 = reinterpret_cast<::sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(1234);
    const unsigned char mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9};
    std::copy(std::begin(mapped), std::end(mapped), v6->sin6_addr.s6_addr);
    address.length = sizeof *v6;
    describe(address);
    EXPECT_EQ(address.text, "192.0.2.9:1234");
    EXPECT_EQ(address.storage.ss_family, AF_INET);
    EXPECT_EQ(address.length, sizeof(::sockaddr_in));
}

}  // namespace
}  // namespace smb3d::transport
