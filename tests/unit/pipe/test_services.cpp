#include <gtest/gtest.h>

#include "unit/pipe/pipe_fixture.h"

namespace smb3d::pipe::test {
namespace {

struct Share1 {
    std::string name;
    std::uint32_t type{0};
    std::string comment;
    friend bool operator==(const Share1&, const Share1&) = default;
};

// What NetrShareEnum level 1 answered.
struct EnumAnswer {
    std::vector<Share1> shares;
    std::uint32_t total{0};
    std::optional<std::uint32_t> resume;
    std::uint32_t error{0};
};

EnumAnswer read_level1(const Bits& stub) {
    EnumAnswer answer;
    ndr::Reader in(stub);
    EXPECT_EQ(in.u32(), 1U);
    EXPECT_EQ(in.u32(), 1U);
    EXPECT_TRUE(in.pointer());
    const std::uint32_t count = in.u32();
    if (in.pointer()) {
        EXPECT_EQ(in.u32(), count);
        answer.shares.resize(count);
        for (Share1& share : answer.shares) {
            EXPECT_TRUE(in.pointer());
            share.type = in.u32();
            EXPECT_TRUE(in.pointer());
        }
        for (Share1& share : answer.shares) {
            share.name = in.string();
            share.comment = in.string();
        }
    }
    answer.total = in.u32();
    answer.resume = in.unique_u32();
    answer.error = in.u32();
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.remaining(), 0U);
    return answer;
}

std::uint32_t last_word(const std::optional<Bits>& stub) {
    return stub && stub->size() >= 4 ? u32_at(*stub, stub->size() - 4) : 0xDEADBEEF;
}

class Services : public ::testing::Test {
  protected:
    std::shared_ptr<FakeView> view_ = std::make_shared<FakeView>();
};

TEST_F(Services, ShareEnumLevel1_MsSrvs_3_1_4_8) {
    Client client("srvsvc", view_);
    client.bind();
    const auto stub = client.call(15, share_enum_stub(1));
    ASSERT_TRUE(stub);
    const EnumAnswer answer = read_level1(*stub);
    const std::vector<Share1> expected{
        {"test", 0, "files"}, {"backup$", 0x80000000, ""}, {"IPC$", 0x80000003, "IPC"}};
    EXPECT_EQ(answer.shares, expected);  // "secret" is hidden
    EXPECT_EQ(answer.total, 3U);
    EXPECT_EQ(answer.resume, 0U);
    EXPECT_EQ(answer.error, 0U);
}

TEST_F(Services, ShareEnumIsAskedAtCallTime) {
    Client client("srvsvc", view_);
    client.bind();
    ASSERT_TRUE(client.call(15, share_enum_stub(1)));
    view_->shares_.erase(view_->shares_.begin());
    EXPECT_EQ(read_level1(*client.call(15, share_enum_stub(1))).shares.size(), 2U);
}

TEST_F(Services, ShareEnumResumes) {
    Client client("srvsvc", view_);
    client.bind();
    std::vector<std::string> names;
    std::optional<std::uint32_t> resume = 0;
    std::uint32_t error = 234;
    for (int round = 0; error == 234 && round < 10; ++round) {
        const EnumAnswer answer = read_level1(*client.call(15, share_enum_stub(1, 10, resume)));
        error = answer.error;
        resume = answer.resume;
        ASSERT_EQ(answer.shares.size(), 1U);
        names.push_back(answer.shares[0].name);
        EXPECT_EQ(answer.total, 3U - static_cast<std::uint32_t>(round));
    }
    EXPECT_EQ(error, 0U);
    EXPECT_EQ(names, (std::vector<std::string>{"test", "backup$", "IPC$"}));
    // Beyond the end there is nothing, and no crash.
    EXPECT_TRUE(read_level1(*client.call(15, share_enum_stub(1, 10, 0xFFFFFFFF))).shares.empty());
}

TEST_F(Services, AHugeListIsGivenInParts) {
    for (int i = 0; i < 20000; ++i) {
        ShareEntry share;
        share.name = "share number " + std::to_string(i);
        share.comment = std::string(40, 'x');
        view_->shares_.push_back(share);
    }
    Client client("srvsvc", view_);
    client.bind();
    std::size_t seen = 0;
    std::optional<std::uint32_t> resume = 0;
    std::uint32_t error = 234;
    while (error == 234) {
        const auto stub = client.call(15, share_enum_stub(1, 0xFFFFFFFF, resume));
        ASSERT_TRUE(stub);
        EXPECT_LT(stub->size(), max_reply + 4096);
        const EnumAnswer answer = read_level1(*stub);
        seen += answer.shares.size();
        resume = answer.resume;
        error = answer.error;
    }
    EXPECT_EQ(error, 0U);
    EXPECT_EQ(seen, 20003U);
}

struct LevelCase {
    std::uint16_t operation;
    std::uint32_t level;
    std::uint32_t user;
    std::uint32_t anonymous;
};
class ShareLevels : public ::testing::TestWithParam<LevelCase> {};

TEST_P(ShareLevels, MsSrvs_3_1_4_8_and_9_and_10) {
    const LevelCase& c = GetParam();
    for (const bool anonymous : {false, true}) {
        Client client("srvsvc", std::make_shared<FakeView>(),
                      anonymous ? anonymous_caller() : user_caller());
        client.bind();
        Bits stub = share_enum_stub(c.level);
        if (c.operation == 16) {
            ndr::Writer out;
            out.pointer(false);
            out.string("TEST");
            out.u32(c.level);
            stub = out.take();
        }
        EXPECT_EQ(last_word(client.call(c.operation, stub)), anonymous ? c.anonymous : c.user);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, ShareLevels,
    ::testing::Values(LevelCase{15, 0, 0, 0}, LevelCase{15, 1, 0, 0}, LevelCase{15, 2, 0, 5},
                      LevelCase{15, 501, 0, 5}, LevelCase{15, 502, 0, 5}, LevelCase{15, 503, 0, 5},
                      LevelCase{15, 1005, 0, 0}, LevelCase{15, 1501, 124, 124},
                      LevelCase{36, 0, 0, 0}, LevelCase{36, 1, 0, 0}, LevelCase{36, 2, 0, 5},
                      LevelCase{36, 501, 124, 124}, LevelCase{36, 502, 0, 5},
                      LevelCase{16, 0, 0, 0}, LevelCase{16, 1, 0, 0}, LevelCase{16, 2, 0, 5},
                      LevelCase{16, 501, 0, 0}, LevelCase{16, 502, 0, 5}, LevelCase{16, 503, 0, 5},
                      LevelCase{16, 1004, 0, 0}, LevelCase{16, 1005, 0, 0},
                      LevelCase{16, 1006, 0, 0}, LevelCase{16, 1501, 0, 5},
                      LevelCase{16, 9999, 124, 124}));

TEST_F(Services, AnUnknownEnumLevelHasNoContainer) {
    Client client("srvsvc", view_);
    client.bind();
    ndr::Writer out;
    out.pointer(false);
    out.u32(77);
    out.u32(77);
    out.u32(0xFFFFFFFF);
    out.unique_u32(std::nullopt);
    const auto stub = client.call(15, out.view());
    ASSERT_TRUE(stub);
    EXPECT_EQ(to_hex(*stub),
              "4d0000004d000000"
              "00000000"
              "00000000"
              "7c000000");
}

TEST_F(Services, ShareGetInfoLevel2ShowsThePathToAdministratorsOnly) {
    for (const bool root : {false, true}) {
        Client client("srvsvc", view_, root ? root_caller() : user_caller());
        client.bind();
        ndr::Writer out;
        out.pointer(false);
        out.string("test");
        out.u32(2);
        const auto stub = client.call(16, out.view());
        ASSERT_TRUE(stub);
        ndr::Reader in(*stub);
        EXPECT_EQ(in.u32(), 2U);
        EXPECT_TRUE(in.pointer());
        EXPECT_TRUE(in.pointer());
        EXPECT_EQ(in.u32(), 0U);  // STYPE_DISKTREE
        EXPECT_TRUE(in.pointer());
        EXPECT_EQ(in.u32(), 0U);  // permissions
        EXPECT_EQ(in.u32(), 7U);
        EXPECT_EQ(in.u32(), 2U);
        EXPECT_TRUE(in.pointer());
        EXPECT_FALSE(in.pointer());  // password
        EXPECT_EQ(in.string(), "test");
        EXPECT_EQ(in.string(), "files");
        EXPECT_EQ(in.string(), root ? "C:\\srv\\test" : "C:\\test");
        EXPECT_EQ(in.u32(), 0U);
        EXPECT_TRUE(in.ok());
        EXPECT_EQ(in.remaining(), 0U);
    }
}

TEST_F(Services, ShareGetInfoFindsHiddenAndRefusesUnknown) {
    Client client("srvsvc", view_);
    client.bind();
    const auto get = [&](const char* name) {
        ndr::Writer out;
        out.pointer(false);
        out.string(name);
        out.u32(1);
        return last_word(client.call(16, out.view()));
    };
    EXPECT_EQ(get("SECRET"), 0U);
    EXPECT_EQ(get("nowhere"), 2310U);
}

TEST_F(Services, ShareGetInfoLevel1005And502) {
    Client client("srvsvc", view_);
    client.bind();
    ndr::Writer out;
    out.pointer(false);
    out.string("backup$");
    out.u32(1005);
    EXPECT_EQ(to_hex(*client.call(16, out.view())),
              "ed030000"
              "00000200"
              "00080000"
              "00000000");
    ndr::Writer security;
    security.pointer(false);
    security.string("backup$");
    security.u32(1501);
    const auto stub = client.call(16, security.view());
    ASSERT_TRUE(stub);
    EXPECT_EQ(u32_at(*stub, 8), 48U);   // size
    EXPECT_EQ(u32_at(*stub, 16), 48U);  // and as the array's count
    EXPECT_EQ(u32_at(*stub, 20), 0x80040001U);
    EXPECT_EQ(last_word(stub), 0U);
}

TEST_F(Services, SharesCannotBeChanged) {
    for (const bool root : {false, true}) {
        Client client("srvsvc", view_, root ? root_caller() : user_caller());
        client.bind();
        const std::uint32_t expected = root ? 50 : 5;
        ndr::Writer del;
        del.pointer(false);
        del.string("test");
        del.u32(0);
        EXPECT_EQ(last_word(client.call(18, del.view())), expected);
        ndr::Writer set;
        set.pointer(false);
        set.string("test");
        set.u32(1004);
        set.u32(1004);
        set.pointer(true);
        set.pointer(true);
        set.string("new comment");
        set.unique_u32(3);
        const auto stub = client.call(17, set.view());
        ASSERT_TRUE(stub);
        EXPECT_EQ(u32_at(*stub, 4), 3U);
        EXPECT_EQ(last_word(stub), expected);
    }
}

TEST_F(Services, ShareCheckKnowsWhatLevel2Shows) {
    Client client("srvsvc", view_);
    client.bind();
    const auto check = [&](const char* device) {
        ndr::Writer out;
        out.pointer(false);
        out.string(device);
        return to_hex(*client.call(20, out.view()));
    };
    EXPECT_EQ(check("C:\\TEST"), "0000000000000000");
    EXPECT_EQ(check(""), "0300008000000000");  // IPC$
    EXPECT_EQ(check("C:\\other"), "0000000007090000");
}

TEST_F(Services, ServerGetInfo_MsSrvs_3_1_4_17) {
    Client client("srvsvc", view_);
    client.bind();
    const auto get = [&](std::uint32_t level) {
        ndr::Writer out;
        out.pointer(false);
        out.u32(level);
        return client.call(21, out.view());
    };
    const auto info = get(101);
    ASSERT_TRUE(info);
    ndr::Reader in(*info);
    EXPECT_EQ(in.u32(), 101U);
    EXPECT_TRUE(in.pointer());
    EXPECT_EQ(in.u32(), 500U);
    EXPECT_TRUE(in.pointer());
    EXPECT_EQ(in.u32(), 10U);
    EXPECT_EQ(in.u32(), 0U);
    EXPECT_EQ(in.u32(), 0x9803U);
    EXPECT_TRUE(in.pointer());
    EXPECT_EQ(in.string(), "NAS");
    EXPECT_EQ(in.string(), "a server");
    EXPECT_EQ(in.u32(), 0U);
    EXPECT_EQ(in.remaining(), 0U);
    EXPECT_EQ(last_word(get(100)), 0U);
    EXPECT_EQ(last_word(get(102)), 0U);
    EXPECT_EQ(last_word(get(103)), 0U);
    EXPECT_EQ(to_hex(*get(502)),
              "f6010000"
              "00000000"
              "7c000000");  // an arm, but null
    EXPECT_EQ(to_hex(*get(1)),
              "01000000"
              "7c000000");
}

TEST_F(Services, RemoteTod_MsSrvs_3_1_4_24) {
    Client client("srvsvc", view_);
    client.bind();
    ndr::Writer out;
    out.pointer(false);
    const auto before = static_cast<std::uint32_t>(::time(nullptr));
    const auto stub = client.call(28, out.view());
    ASSERT_TRUE(stub);
    ASSERT_EQ(stub->size(), 4U + 12 * 4 + 4);
    EXPECT_NEAR(u32_at(*stub, 4), before, 5);
    EXPECT_LT(u32_at(*stub, 48), 7U);
    EXPECT_EQ(last_word(stub), 0U);
}

TEST_F(Services, NameValidate_MsSrvs_3_1_4_30) {
    Client client("srvsvc", view_);
    client.bind();
    const auto check = [&](const std::string& name, std::uint32_t type, std::uint32_t flags) {
        ndr::Writer out;
        out.pointer(false);
        out.string(name);
        out.u32(type);
        out.u32(flags);
        return last_word(client.call(33, out.view()));
    };
    EXPECT_EQ(check("files", 9, 0), 0U);
    EXPECT_EQ(check("fi/les", 9, 0), 123U);
    EXPECT_EQ(check("fi\x01les", 9, 0), 123U);
    EXPECT_EQ(check("", 9, 0), 123U);
    EXPECT_EQ(check(std::string(80, 'a'), 9, 0), 0U);
    EXPECT_EQ(check(std::string(81, 'a'), 9, 0), 123U);
    EXPECT_EQ(check(std::string(13, 'a'), 9, 0x80000000), 123U);
    EXPECT_EQ(check("files", 9, 1), 87U);
    EXPECT_EQ(check("files", 0, 0), 87U);
    EXPECT_EQ(check("files", 14, 0), 87U);
    for (std::uint32_t type = 1; type < 14; ++type) {  // smbtorture looks for an upper limit
        EXPECT_EQ(check(std::string(4096, 'A'), type, 0), 123U);
        EXPECT_EQ(check(std::string(4096, 'A'), type, 0x80000000), 123U);
    }
}

TEST_F(Services, DiskEnum_MsSrvs_3_1_4_19) {
    Client client("srvsvc", view_);
    client.bind();
    ndr::Writer out;
    out.pointer(false);
    out.u32(0);
    out.u32(0);
    out.pointer(false);
    out.u32(0xFFFFFFFF);
    out.unique_u32(0);
    EXPECT_EQ(to_hex(*client.call(23, out.view())),
              "02000000"
              "00000200"
              "02000000"
              "00000000"
              "02000000"
              "00000000"
              "03000000"
              "43003a000000"
              "0000"
              "00000000"
              "01000000"
              "0000"
              "0000"
              "01000000"
              "04000200"
              "00000000"
              "00000000");
}

Bits enum_stub(int strings, std::uint32_t level, const char* first = nullptr) {
    ndr::Writer out;
    out.pointer(false);
    for (int i = 0; i < strings; ++i) {
        out.pointer(i == 0 && first != nullptr);
        if (i == 0 && first != nullptr) out.string(first);
    }
    out.u32(level);
    out.u32(level);
    out.pointer(true);
    out.u32(0);
    out.pointer(false);
    out.u32(4096);
    out.unique_u32(std::nullopt);
    return out.take();
}

TEST_F(Services, SessionsFilesAndConnectionsAreForAdministrators) {
    view_->sessions_ = {{"192.0.2.1", "alice", 3, 60, 5, false, "tcp"}};
    view_->opens_ = {{77, 0x3, 1, "test/dir/file", "alice", "192.0.2.1"}};
    view_->connections_ = {{5, "test", "192.0.2.1", "alice", false, 3, 60}};
    const struct {
        std::uint16_t operation;
        int strings;
        std::vector<std::uint32_t> levels;
        const char* first;
    } cases[] = {
        {8, 1, {0, 1}, "test"}, {9, 2, {2, 3}, nullptr}, {12, 2, {0, 1, 2, 10, 502}, nullptr}};
    for (const auto& c : cases) {
        for (const std::uint32_t level : c.levels) {
            Client user("srvsvc", view_);
            user.bind();
            const auto refused = user.call(c.operation, enum_stub(c.strings, level, c.first));
            EXPECT_EQ(last_word(refused), 5U);
            EXPECT_EQ(u32_at(*refused, 12), 0U);  // no entries
            Client root("srvsvc", view_, root_caller());
            root.bind();
            const auto given = root.call(c.operation, enum_stub(c.strings, level, c.first));
            EXPECT_EQ(last_word(given), 0U);
            EXPECT_EQ(u32_at(*given, 12), 1U);
        }
    }
}

TEST_F(Services, FilesAreFoundAndClosed) {
    view_->opens_ = {{77, 0x3, 1, "test/dir/file", "alice", "192.0.2.1"}};
    Client root("srvsvc", view_, root_caller());
    root.bind();
    ndr::Writer info;
    info.pointer(false);
    info.u32(77);
    info.u32(3);
    const auto stub = root.call(10, info.view());
    ASSERT_TRUE(stub);
    ndr::Reader in(*stub);
    EXPECT_EQ(in.u32(), 3U);
    EXPECT_TRUE(in.pointer());
    EXPECT_EQ(in.u32(), 77U);
    EXPECT_EQ(in.u32(), 3U);  // read and write
    EXPECT_EQ(in.u32(), 1U);
    EXPECT_TRUE(in.pointer());
    EXPECT_TRUE(in.pointer());
    EXPECT_EQ(in.string(), "test\\dir\\file");
    EXPECT_EQ(in.string(), "alice");
    const auto close = [&](Client& client, std::uint32_t id) {
        ndr::Writer out;
        out.pointer(false);
        out.u32(id);
        return last_word(client.call(11, out.view()));
    };
    EXPECT_EQ(close(root, 77), 0U);
    EXPECT_EQ(close(root, 78), 2314U);
    Client user("srvsvc", view_);
    user.bind();
    EXPECT_EQ(close(user, 77), 5U);
}

TEST_F(Services, SessionDel) {
    const auto end = [&](Client& client, const char* who, const char* user) {
        ndr::Writer out;
        out.pointer(false);
        out.pointer(true);
        out.string(who);
        out.pointer(true);
        out.string(user);
        return last_word(client.call(13, out.view()));
    };
    Client root("srvsvc", view_, root_caller());
    root.bind();
    EXPECT_EQ(end(root, "\\\\192.0.2.1", "alice"), 0U);
    EXPECT_EQ(end(root, "\\\\192.0.2.2", "alice"), 2312U);
    EXPECT_EQ(end(root, "", ""), 87U);
    Client user("srvsvc", view_);
    user.bind();
    EXPECT_EQ(end(user, "\\\\192.0.2.1", "alice"), 5U);
}

TEST_F(Services, WorkstationGetInfo_MsWkst_3_2_4_1) {
    const auto get = [&](Client& client, std::uint32_t level) {
        ndr::Writer out;
        out.pointer(false);
        out.u32(level);
        return client.call(0, out.view());
    };
    Client user("wkssvc", view_);
    user.bind();
    const auto info = get(user, 100);
    ASSERT_TRUE(info);
    ndr::Reader in(*info);
    EXPECT_EQ(in.u32(), 100U);
    EXPECT_TRUE(in.pointer());
    EXPECT_EQ(in.u32(), 500U);
    EXPECT_TRUE(in.pointer());
    EXPECT_TRUE(in.pointer());
    EXPECT_EQ(in.u32(), 10U);
    EXPECT_EQ(in.u32(), 0U);
    EXPECT_EQ(in.string(), "NAS");
    EXPECT_EQ(in.string(), "WORKGROUP");
    EXPECT_EQ(in.u32(), 0U);
    EXPECT_EQ(last_word(get(user, 101)), 0U);
    EXPECT_EQ(last_word(get(user, 102)), 5U);
    EXPECT_EQ(last_word(get(user, 3)), 124U);
    Client root("wkssvc", view_, root_caller());
    root.bind();
    EXPECT_EQ(last_word(get(root, 102)), 0U);
    Client nobody("wkssvc", view_, anonymous_caller());
    nobody.bind();
    EXPECT_EQ(last_word(get(nobody, 100)), 0U);
    EXPECT_EQ(last_word(get(nobody, 101)), 5U);
}

TEST_F(Services, WorkstationEnumerations) {
    Client user("wkssvc", view_);
    user.bind();
    EXPECT_EQ(last_word(user.call(2, enum_stub(0, 0))), 5U);
    EXPECT_EQ(last_word(user.call(5, enum_stub(0, 0))), 0U);
    Client root("wkssvc", view_, root_caller());
    root.bind();
    EXPECT_EQ(last_word(root.call(2, enum_stub(0, 1))), 0U);
}

TEST_F(Services, TransportEnum_MsSrvs_3_1_4_23) {
    Client user("srvsvc", view_);
    user.bind();
    EXPECT_EQ(last_word(user.call(26, enum_stub(0, 0))), 0U);
    EXPECT_EQ(last_word(user.call(26, enum_stub(0, 1))), 0U);
}

TEST_F(Services, PolicyHandles_MsLsad_3_1_4_4) {
    ndr::Writer open;
    open.pointer(false);
    for (int i = 0; i < 7; ++i) open.u32(0);
    Client client("lsarpc", view_);
    client.bind();
    for (std::size_t i = 0; i < max_context_handles; ++i) {
        EXPECT_EQ(last_word(client.call(44, open.view())), 0U);
    }
    EXPECT_EQ(last_word(client.call(6, open.view())), 0xC000009AU);
    EXPECT_FALSE(client.call(0, Bits(20, std::byte{1})));
    EXPECT_EQ(client.fault, 0x1C00001AU);
    Client nobody("lsarpc", view_, anonymous_caller());
    nobody.bind();
    EXPECT_EQ(last_word(nobody.call(44, open.view())), 0xC0000022U);
}

TEST_F(Services, Management_C706_AppendixQ) {
    for (const char* pipe : {"srvsvc", "lsarpc"}) {
        Client client(pipe, view_);
        client.bind(mgmt_interface());
        const auto ids = client.call(0, {});
        ASSERT_TRUE(ids);
        ndr::Reader in(*ids);
        EXPECT_TRUE(in.pointer());
        EXPECT_EQ(in.conformance(4), 4U);
        EXPECT_EQ(in.u32(), 4U);
        for (int i = 0; i < 4; ++i) EXPECT_TRUE(in.pointer());
        for (const Interface* interface :
             {&srvsvc_interface(), &wkssvc_interface(), &lsarpc_interface(), &mgmt_interface()}) {
            EXPECT_EQ(in.uuid(), interface->id.uuid);
            EXPECT_EQ(in.u16(), interface->id.major);
            EXPECT_EQ(in.u16(), interface->id.minor);
        }
        EXPECT_EQ(in.u32(), 0U);
        EXPECT_TRUE(in.ok() && in.remaining() == 0);

        // The bind and two requests; one answer is still to come.
        ndr::Writer room;
        room.u32(9);
        EXPECT_EQ(to_hex(*client.call(1, room.view())),
                  to_hex(from_hex("04000000 04000000 02000000 00000000 03000000 02000000"
                                  "00000000")));
        EXPECT_EQ(to_hex(*client.call(2, {})), to_hex(from_hex("00000000 01000000")));
        EXPECT_EQ(last_word(client.call(3, {})), 5U);
        ndr::Writer name;
        name.u32(10);
        name.u32(100);
        EXPECT_EQ(to_hex(*client.call(4, name.view())),
                  to_hex(from_hex("64000000 00000000 01000000 00000000 d3060000")));
        EXPECT_FALSE(client.call(5, {}));
        EXPECT_EQ(client.fault, 0x1C010002U);
    }
}

// Every operation with every truncation of zeros and of ones: no crash, and always some answer.
TEST_F(Services, EveryOperationTakesAnyBytes) {
    for (const char* pipe : {"srvsvc", "wkssvc", "lsarpc"}) {
        Client client(pipe, view_, root_caller());
        client.bind();
        for (std::uint16_t operation = 0; operation < 64; ++operation) {
            for (std::size_t size = 0; size < 96; size += 4) {
                for (const int fill : {0, 1, 0xFF}) {
                    (void)client.call(operation, Bits(size, static_cast<std::byte>(fill)));
                    ASSERT_FALSE(client.connection.broken());
                }
            }
        }
    }
}

}  // namespace
}  // namespace smb3d::pipe::test
