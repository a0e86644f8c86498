// What clients are told of the network: netlink's bytes, the choice of addresses, sysfs, and a real
// namespace whose interfaces come and go.
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "daemon/config_file.h"
#include "daemon/interface_watch.h"
#include "temporary.h"

namespace smb3d::daemon {
namespace {

// Netlink messages as the kernel writes them.
class Builder {
  public:
    template <class Payload>
    Builder& begin(std::uint16_t type, const Payload& payload, std::uint16_t flags = 0) {
        finish();
        start_ = bytes_.size();
        ::nlmsghdr head{};
        head.nlmsg_type = type;
        head.nlmsg_flags = flags;
        put(&head, sizeof head);
        put(&payload, sizeof payload);
        return *this;
    }
    Builder& attribute(std::uint16_t type, const void* data, std::size_t size) {
        ::rtattr head{};
        head.rta_type = type;
        head.rta_len = static_cast<unsigned short>(sizeof head + size);
        put(&head, sizeof head);
        put(data, size);
        return *this;
    }
    std::vector<std::byte> bytes() {
        finish();
        return bytes_;
    }

  private:
    void put(const void* data, std::size_t size) {
        const auto* from = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), from, from + size);
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
    }
    void finish() {
        if (start_ == bytes_.size()) return;
        const auto length = static_cast<std::uint32_t>(bytes_.size() - start_);
        std::memcpy(bytes_.data() + start_, &length, sizeof length);
    }
    std::vector<std::byte> bytes_;
    std::size_t start_{0};
};

void link(Builder& to, int index, const char* name, unsigned flags,
          std::uint16_t type = RTM_NEWLINK, unsigned char family = AF_UNSPEC) {
    ::ifinfomsg info{};
    info.ifi_family = family;
    info.ifi_index = index;
    info.ifi_flags = flags;
    to.begin(type, info).attribute(IFLA_IFNAME, name, std::strlen(name) + 1);
}

void address(Builder& to, unsigned index, const char* text, std::uint32_t flags = 0,
             std::uint16_t type = RTM_NEWADDR) {
    ::ifaddrmsg info{};
    const bool six = std::strchr(text, ':') != nullptr;
    info.ifa_family = six ? AF_INET6 : AF_INET;
    info.ifa_index = index;
    std::array<unsigned char, 16> bytes{};
    ASSERT_EQ(::inet_pton(info.ifa_family, text, bytes.data()), 1);
    to.begin(type, info).attribute(IFA_ADDRESS, bytes.data(), six ? 16 : 4);
    to.attribute(IFA_FLAGS, &flags, sizeof flags);
}

ServedAddress served(const char* text, bool both = false) {
    ServedAddress one;
    one.both_families = both;
    if (std::strchr(text, ':') != nullptr) {
        ::sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        ::inet_pton(AF_INET6, text, &six.sin6_addr);
        std::memcpy(&one.address.storage, &six, sizeof six);
    } else {
        ::sockaddr_in four{};
        four.sin_family = AF_INET;
        ::inet_pton(AF_INET, text, &four.sin_addr);
        std::memcpy(&one.address.storage, &four, sizeof four);
    }
    return one;
}

using test::TemporaryDirectory;

constexpr unsigned running = IFF_UP | IFF_RUNNING;

NetlinkTable some_network() {
    Builder network;
    link(network, 1, "lo", running | IFF_LOOPBACK);
    link(network, 2, "eth0", running);
    link(network, 3, "eth1", IFF_UP);  // no carrier
    link(network, 4, "docker0", running);
    link(network, 5, "ib0", running);
    address(network, 1, "127.0.0.1");
    address(network, 1, "::1");
    address(network, 2, "192.0.2.7");
    address(network, 2, "2001:db8::7");
    address(network, 2, "2001:db8::8", IFA_F_TENTATIVE);
    address(network, 2, "2001:db8::9", IFA_F_TEMPORARY);
    address(network, 2, "fe80::1");
    address(network, 3, "192.0.2.8");
    address(network, 4, "172.17.0.1");
    address(network, 5, "169.254.1.1");
    NetlinkTable table;
    EXPECT_TRUE(table.take(network.bytes()).changed);
    return table;
}

InterfaceHardware hardware_of(const std::string& name) {
    if (name == "ib0") return {100'000'000'000, 8, true};
    if (name == "eth0") return {0, 1, false};
    return {};
}

std::vector<std::string> texts(const engine::NetworkInterfaces& list) {
    std::vector<std::string> all;
    for (const auto& entry : list) all.push_back(address_text(entry));
    return all;
}

using Texts = std::vector<std::string>;

TEST(Interfaces, AreThoseThatClientsCanReach_3_3_5_15_11) {
    const NetlinkTable table = some_network();
    const InterfaceRules rules = parse_config("", "t").config->interfaces;
    const auto list_for = [&](std::vector<ServedAddress> where) {
        return texts(list_interfaces(table, rules, where, hardware_of));
    };
    EXPECT_EQ(list_for({served("0.0.0.0"), served("::")}),
              (Texts{"169.254.1.1", "192.0.2.7", "2001:db8::7"}));
    EXPECT_EQ(list_for({served("::", true)}), (Texts{"169.254.1.1", "192.0.2.7", "2001:db8::7"}));
    EXPECT_EQ(list_for({served("::")}), Texts{"2001:db8::7"});
    EXPECT_EQ(list_for({served("192.0.2.7"), served("127.0.0.1")}), Texts{"192.0.2.7"});
    // Loopback if there is nothing else.
    EXPECT_EQ(list_for({served("127.0.0.1")}), Texts{"127.0.0.1"});
    EXPECT_EQ(list_for({served("2001:db8::7")}), Texts{"2001:db8::7"});
    EXPECT_EQ(list_for({served("192.0.2.99")}), Texts{});
}

TEST(Interfaces, HaveTheirAdaptersPropertiesUnlessTheAdministratorKnowsBetter) {
    const NetlinkTable table = some_network();
    const std::vector<ServedAddress> where = {served("0.0.0.0")};
    auto list = list_interfaces(table, {}, where, hardware_of);
    ASSERT_EQ(list.size(), 3U);  // nothing is excluded without a rule
    EXPECT_EQ(list[0].name, "ib0");
    EXPECT_EQ(list[0].index, 5U);
    EXPECT_EQ(list[0].speed, 100'000'000'000U);
    EXPECT_TRUE(list[0].rss);
    EXPECT_FALSE(list[0].rdma) << "nobody listens for RDMA";
    EXPECT_EQ(list[1].name, "eth0");
    EXPECT_EQ(list[1].speed, 1'000'000'000U) << "an adapter that does not say";
    EXPECT_FALSE(list[1].rss);
    const auto loaded = parse_config(
        "[interface]\nexclude = [\"docker*\", \"169.254.1.1\"]\n"
        "[interface.speed]\neth0 = 25000\n\"eth0.100\" = 10\n"
        "[interface.rss]\neth0 = true\n[interface.rdma]\neth0 = true\n",
        "t");
    ASSERT_TRUE(loaded.config) << loaded.errors.front().text();
    EXPECT_EQ(loaded.config->interfaces.speed.at("eth0.100"), 10U);
    list = list_interfaces(table, loaded.config->interfaces, where, hardware_of);
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].speed, 25'000'000'000U);
    EXPECT_TRUE(list[0].rss && list[0].rdma);
}

TEST(Netlink, KeepsUpWithChanges) {
    NetlinkTable table = some_network();
    const auto take = [&](auto build) {
        Builder message;
        build(message);
        return table.take(message.bytes());
    };
    EXPECT_FALSE(take([](Builder& b) { link(b, 2, "eth0", running); }).changed);
    EXPECT_TRUE(take([](Builder& b) { link(b, 2, "lan0", running); }).changed);
    EXPECT_EQ(table.links().at(2).name, "lan0");
    // A port that leaves its bridge is still there.
    EXPECT_FALSE(
        take([](Builder& b) { link(b, 2, "lan0", running, RTM_DELLINK, AF_BRIDGE); }).changed);
    EXPECT_TRUE(take([](Builder& b) { address(b, 2, "2001:db8::8"); }).changed) << "now usable";
    const std::size_t before = table.addresses().size();
    EXPECT_TRUE(take([](Builder& b) { address(b, 2, "192.0.2.7", 0, RTM_DELADDR); }).changed);
    EXPECT_FALSE(take([](Builder& b) { address(b, 2, "192.0.2.7", 0, RTM_DELADDR); }).changed);
    EXPECT_EQ(table.addresses().size(), before - 1);
    EXPECT_TRUE(take([](Builder& b) { link(b, 2, "lan0", 0, RTM_DELLINK); }).changed);
    EXPECT_FALSE(table.links().contains(2));
    for (const auto& a : table.addresses()) EXPECT_NE(a.index, 2U);
    const int code = -EPERM;
    const auto refused = take([&](Builder& b) { b.begin(NLMSG_ERROR, code); });
    EXPECT_TRUE(refused.done);
    EXPECT_EQ(refused.error, EPERM);
    EXPECT_TRUE(take([](Builder& b) { b.begin(NLMSG_DONE, 0, NLM_F_DUMP_INTR); }).lost);
}

TEST(Netlink, AnErrorThatIsNoErrnoIsAProtocolError) {
    NetlinkTable table;
    for (const int code : {INT_MIN, INT_MIN + 1, -4096, 1, INT_MAX}) {
        Builder message;
        message.begin(NLMSG_ERROR, code);
        EXPECT_EQ(table.take(message.bytes()).error, EPROTO) << code;
    }
    Builder message;
    message.begin(NLMSG_ERROR, 0);  // an acknowledgment
    EXPECT_EQ(table.take(message.bytes()).error, 0);
}

TEST(Netlink, TruncatedBytesAreHarmless) {
    Builder network;
    link(network, 2, "eth0", running);
    address(network, 2, "192.0.2.7");
    const std::vector<std::byte> whole = network.bytes();
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        const std::vector<std::byte> part(whole.begin(),
                                          whole.begin() + static_cast<std::ptrdiff_t>(size));
        NetlinkTable table;
        table.take(part);
        EXPECT_LE(table.links().size(), 1U);
        EXPECT_EQ(table.addresses().size(), size == whole.size() ? 1U : 0U);
    }
}

TEST(Netlink, EndlessNetworksAreBounded) {
    NetlinkTable table;
    Builder many;
    for (unsigned i = 1; i < NetlinkTable::max_entries + 100; ++i) {
        link(many, static_cast<int>(i), "x", running);
        address(many, i, "192.0.2.7");
    }
    table.take(many.bytes());
    EXPECT_EQ(table.links().size(), NetlinkTable::max_entries);
    EXPECT_EQ(table.addresses().size(), NetlinkTable::max_entries);
}

TEST(Hardware, IsReadFromSysfs) {
    const TemporaryDirectory sysfs;
    namespace fs = std::filesystem;
    const fs::path device = fs::path(sysfs.path()) / "class/net/eth0";
    for (const char* queue : {"rx-0", "rx-1", "tx-0"})
        fs::create_directories(device / "queues" / queue);
    std::ofstream(device / "speed") << "25000\n";
    InterfaceHardware found = read_hardware(sysfs.path(), "eth0");
    EXPECT_EQ(found.speed, 25'000'000'000U);
    EXPECT_EQ(found.receive_queues, 2U);
    EXPECT_FALSE(found.rdma);
    std::ofstream(device / "speed") << "-1\n";
    const fs::path port =
        fs::path(sysfs.path()) / "class/infiniband/mlx5_0/ports/1/gid_attrs/ndevs";
    fs::create_directories(port);
    std::ofstream(port / "0") << "eth0\n";
    found = read_hardware(sysfs.path(), "eth0");
    EXPECT_EQ(found.speed, 0U);
    EXPECT_TRUE(found.rdma);
    EXPECT_EQ(read_hardware(sysfs.path(), "../../etc").receive_queues, 0U);
    EXPECT_EQ(read_hardware(sysfs.path(), "none").speed, 0U);
}

bool sh(const std::string& command) { return std::system((command + " 2>/dev/null").c_str()) == 0; }

// Waits for notifications until `condition` holds.
bool until(InterfaceWatch& watch, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        watch.read();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

void watch_a_namespace(std::string& skipped) {
    if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        skipped = "no network namespaces here";
        return;
    }
    InterfaceWatch watch;
    const auto opened = watch.open();
    ASSERT_TRUE(opened) << opened.error();
    const auto list = [&] {
        return texts(list_interfaces(watch.table(), {}, {served("0.0.0.0"), served("::")},
                                     [](const std::string&) { return InterfaceHardware{}; }));
    };
    EXPECT_EQ(list(), Texts{}) << "lo is down in a new namespace";
    if (!sh("ip link set lo up")) {
        skipped = "no ip command";
        return;
    }
    EXPECT_TRUE(until(watch, [&] { return list() == Texts{"127.0.0.1", "::1"}; }));
    if (!sh("ip link add one type veth peer name two") && !sh("ip link add one type dummy")) {
        skipped = "neither veth nor dummy interfaces here";
        return;
    }
    ASSERT_TRUE(sh("ip addr add 192.0.2.7/24 dev one") && sh("ip link set one up"));
    sh("ip link set two up");
    EXPECT_TRUE(until(watch, [&] { return list() == Texts{"192.0.2.7"}; }));
    ASSERT_TRUE(sh("ip addr add 2001:db8::7/64 dev one nodad"));
    EXPECT_TRUE(until(watch, [&] { return list() == Texts{"192.0.2.7", "2001:db8::7"}; }));
    ASSERT_TRUE(sh("ip addr del 192.0.2.7/24 dev one"));
    EXPECT_TRUE(until(watch, [&] { return list() == Texts{"2001:db8::7"}; }));
    // What a fresh look at everything finds is the same.
    InterfaceWatch again;
    ASSERT_TRUE(again.open());
    EXPECT_EQ(again.table().links(), watch.table().links());
    ASSERT_TRUE(sh("ip link del one"));
    EXPECT_TRUE(until(watch, [&] { return list() == Texts{"127.0.0.1", "::1"}; }));
}

TEST(InterfaceWatch, FollowsInterfacesThatComeAndGo) {
    // A namespace is its thread's, and ends with it.
    std::string skipped;
    std::thread([&] { watch_a_namespace(skipped); }).join();
    if (!skipped.empty()) GTEST_SKIP() << skipped;
}

TEST(InterfaceWatch, ReadsTheRealNetwork) {
    InterfaceWatch watch;
    const auto opened = watch.open();
    ASSERT_TRUE(opened) << opened.error();
    EXPECT_FALSE(watch.table().links().empty());
    EXPECT_FALSE(watch.table().addresses().empty());
    EXPECT_FALSE(watch.read());
}

}  // namespace
}  // namespace smb3d::daemon
