// LocalAuthority: logons against a real account file, and its changes under a running authority.
#include "auth/local_authority.h"

#include <fstream>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "auth/failed_logons.h"
#include "auth_fixture.h"
#include "temporary_directory.h"

namespace smb3d::auth::test {
namespace {

class LocalLogon : public ::testing::Test {
  protected:
    void SetUp() override { create({}); }
    void create(AuthOptions options) {
        options.netbios_name = "NAS";
        options.dns_name = "nas.example.org";
        auto made = LocalAuthority::create(file_.path(), options);
        ASSERT_TRUE(made) << made.error();
        authority_ = std::move(*made);
    }
    NtStatus log_on_as(const std::string& user, const std::string& password,
                       const std::string& from = "192.0.2.7:1234") {
        const auto exchange = authority_->begin(Peer{from, {}});
        NtlmClientOptions options;
        options.user = user;
        options.password = password;
        NtlmClient client(options);
        return run(*exchange, client).status;
    }

    TemporaryDirectory directory_;
    AccountFile file_{directory_.path() + "/accounts.toml"};
    std::unique_ptr<LocalAuthority> authority_;
};

TEST_F(LocalLogon, ChangesOfTheFileCountAtOnce) {
    EXPECT_EQ(log_on_as("nobody", "secret"), NtStatus::LOGON_FAILURE);
    ASSERT_TRUE(file_.add("nobody", "secret"));
    EXPECT_EQ(log_on_as("nobody", "secret"), NtStatus::SUCCESS);
    ASSERT_TRUE(file_.set_password("nobody", "other"));
    EXPECT_EQ(log_on_as("nobody", "secret"), NtStatus::LOGON_FAILURE);
    EXPECT_EQ(log_on_as("nobody", "other"), NtStatus::SUCCESS);
    ASSERT_TRUE(file_.set_disabled("nobody", true));
    EXPECT_EQ(log_on_as("nobody", "other"), NtStatus::ACCOUNT_DISABLED);
    ASSERT_TRUE(file_.remove("nobody"));
    EXPECT_EQ(log_on_as("nobody", "other"), NtStatus::LOGON_FAILURE);
}

TEST_F(LocalLogon, OnlyReadingTheFileAnewMayBlock) {
    EXPECT_FALSE(authority_->begin(Peer{})->may_block());
    ASSERT_TRUE(file_.add("nobody", "secret"));
    const auto exchange = authority_->begin(Peer{});
    EXPECT_TRUE(exchange->may_block());
    NtlmClientOptions options;
    options.user = "nobody";
    options.password = "secret";
    NtlmClient client(options);
    ASSERT_TRUE(exchange->step(client.first()));
    EXPECT_FALSE(exchange->may_block());
    EXPECT_FALSE(authority_->begin(Peer{})->may_block());
}

TEST_F(LocalLogon, AccountsStayWhenTheFileGoesBad) {
    ASSERT_TRUE(file_.add("nobody", "secret"));
    EXPECT_EQ(log_on_as("nobody", "secret"), NtStatus::SUCCESS);
    ASSERT_EQ(::chmod(file_.path().c_str(), 0644), 0);
    EXPECT_EQ(log_on_as("nobody", "secret"), NtStatus::SUCCESS);
    EXPECT_FALSE(authority_->reload());
    EXPECT_FALSE(LocalAuthority::create(file_.path(), {}));
    ASSERT_EQ(::chmod(file_.path().c_str(), 0600), 0);
    EXPECT_TRUE(authority_->reload());
}

TEST_F(LocalLogon, AnExchangeOutlivesItsAuthority) {
    ASSERT_TRUE(file_.add("nobody", "secret"));
    const auto exchange = authority_->begin(Peer{});
    authority_.reset();
    NtlmClientOptions options;
    options.user = "nobody";
    options.password = "secret";
    NtlmClient client(options);
    EXPECT_EQ(run(*exchange, client).status, NtStatus::SUCCESS);
}

TEST_F(LocalLogon, HintNamesNtlm) {
    const auto parsed = parse_neg_token(authority_->hint());
    ASSERT_TRUE(parsed);
    const auto& hint = std::get<NegTokenInit>(*parsed);
    ASSERT_EQ(hint.mech_types.size(), 1U);
    EXPECT_TRUE(equal_bytes(hint.mech_types[0], oid::ntlmssp()));
}

TEST_F(LocalLogon, GuestsAreOffUnlessAllowed) {
    EXPECT_EQ(log_on_as("", ""), NtStatus::ACCESS_DENIED);
    AuthOptions options;
    options.allow_anonymous = true;
    create(options);
    EXPECT_EQ(log_on_as("", ""), NtStatus::SUCCESS);
}

TEST_F(LocalLogon, TooManyFailuresOfOneAddress) {
    ASSERT_TRUE(file_.add("nobody", "secret"));
    AuthOptions options;
    options.failed_logon_burst = 3;
    options.failed_logons_per_minute = 1;
    create(options);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(log_on_as("nobody", "wrong", "192.0.2.7:" + std::to_string(i)),
                  NtStatus::LOGON_FAILURE);
    }
    EXPECT_EQ(log_on_as("nobody", "secret"), NtStatus::LOGON_FAILURE);
    EXPECT_EQ(log_on_as("nobody", "secret", "192.0.2.8:1"), NtStatus::SUCCESS);
    EXPECT_EQ(log_on_as("nobody", "secret", "[2001:db8::1]:1"), NtStatus::SUCCESS);
}

TEST(FailedLogonTable, RefillsAndCanBeOff) {
    constexpr std::uint64_t second = 1'000'000'000;
    FailedLogons table(2, 60);
    table.failed("a", second);
    EXPECT_TRUE(table.allowed("a", second));
    table.failed("a", second);
    EXPECT_FALSE(table.allowed("a", second));
    EXPECT_TRUE(table.allowed("b", second));
    EXPECT_TRUE(table.allowed("a", 2 * second + second / 10));
    FailedLogons off(0, 0);
    for (int i = 0; i < 100; ++i) off.failed("a", second);
    EXPECT_TRUE(off.allowed("a", second));
    EXPECT_EQ(off.size(), 0U);
}

TEST(FailedLogonTable, IsBounded) {
    FailedLogons table(1, 0);
    for (std::size_t i = 0; i < 3 * FailedLogons::max_addresses; ++i) {
        table.failed(std::to_string(i), 1);
    }
    EXPECT_LE(table.size(), FailedLogons::max_addresses);
}

}  // namespace
}  // namespace smb3d::auth::test
