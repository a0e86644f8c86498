// What the daemon tells the RPC services: [MS-SRVS] 3.1.4.8.
#include "daemon/server_view.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "client/test_server.h"

namespace smb3d::daemon {
namespace {

Caller caller_of(const std::string& user, std::uint32_t uid = 1000) {
    Caller caller;
    caller.user = user;
    caller.uid = uid;
    return caller;
}

bool sees_data(const DaemonView& view, const Caller& caller) {
    const auto shares = view.shares(caller);
    return std::any_of(shares.begin(), shares.end(),
                       [](const pipe::ShareEntry& share) { return share.name == "data"; });
}

TEST(DaemonView, ListsTheSharesThatLetTheCallerIn_MsSrvs_3_1_4_8) {
    test::TestServer server({.policy = [](engine::SharePolicy& policy) {
        policy.allowed_users = {"alice", "eve"};
        policy.denied_users = {"eve"};
    }});
    DaemonView view;
    view.bind(server.engine());
    EXPECT_TRUE(sees_data(view, caller_of("Alice")));
    EXPECT_FALSE(sees_data(view, caller_of("bob")));
    EXPECT_FALSE(sees_data(view, caller_of("eve")));
    Caller guest = caller_of("alice");
    guest.guest = true;
    EXPECT_FALSE(sees_data(view, guest));
    EXPECT_TRUE(sees_data(view, caller_of("root", 0)));
    view.unbind();
    EXPECT_TRUE(view.shares(caller_of("alice")).empty());
}

}  // namespace
}  // namespace smb3d::daemon
