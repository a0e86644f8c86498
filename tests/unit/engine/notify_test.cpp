// CHANGE_NOTIFY: [MS-SMB2] 3.3.5.19, 3.3.4.2, 3.3.5.10, 3.3.5.16; what operations report:
// [MS-FSA] 2.1.4.1.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/utf16.h"
#include "client/test_client.h"
#include "fsa/change_notify.h"
#include "fscc/file_info.h"
#include "fscc/notify.h"

namespace smb3d::test {
namespace {

namespace filter = fsa::change;
constexpr std::uint32_t names = filter::file_name | filter::dir_name;
constexpr std::uint32_t directory_access = 0x001201BF;  // list, add, attributes
constexpr std::uint32_t delete_right = 0x00010000;

constexpr CreateOptions a_directory{.access = directory_access, .options = 0x1};
constexpr CreateOptions a_doomed_directory{.access = directory_access | delete_right,
                                           .options = 0x1};

struct Event {
    std::uint32_t action{0};
    std::string name;
    friend bool operator==(const Event&, const Event&) = default;
};
using Events = std::vector<Event>;
constexpr std::uint32_t added = 1;
constexpr std::uint32_t removed = 2;
constexpr std::uint32_t modified = 3;
constexpr std::uint32_t old_name = 4;
constexpr std::uint32_t new_name = 5;

void PrintTo(const Event& event, std::ostream* out) { *out << event.action << ":" << event.name; }

Events events_of(const Reply& reply) {
    Events events;
    const auto body = reply.body<wire::ChangeNotifyResponse>();
    wire::NextListReader list(body.output.bytes, fscc::notify_alignment, 1000);
    Bytes entry;
    while (list.next(entry)) {
        const auto record = wire::parse_entry<fscc::FileNotifyInformation>(entry);
        EXPECT_TRUE(record);
        if (!record) break;
        events.push_back({static_cast<std::uint32_t>(record->action),
                          utf16le_to_utf8(record->file_name).value_or("?")});
    }
    EXPECT_TRUE(list.ok());
    return events;
}

// One who watches and one who changes, on two loops.
class Notify : public ::testing::Test {
  protected:
    Notify() : server_({.loops = 2}), watcher_(server_), changer_(server_) {
        EXPECT_TRUE(watcher_.log_on());
        EXPECT_TRUE(changer_.log_on());
        watcher_.credits_to_ask = 64;
        directory_ = open_directory(watcher_, "dir");
    }
    ~Notify() override {
        watcher_.disconnect();
        changer_.disconnect();
        EXPECT_TRUE(TestServer::eventually([this] { return server_.all_released(); }))
            << server_.leftovers();
    }
    static wire::FileId open_directory(TestClient& client, std::string_view name,
                                       const CreateOptions& options = a_directory) {
        const Reply reply = client.create(name, options);
        EXPECT_TRUE(reply.ok());
        return reply.body<wire::CreateResponse>().file_id;
    }
    static wire::ChangeNotifyRequest request(wire::FileId file, std::uint32_t mask,
                                             bool tree = false, std::uint32_t length = 1000) {
        wire::ChangeNotifyRequest request;
        request.file_id = file;
        request.completion_filter = mask;
        request.flags = tree ? wire::watch_tree : std::uint16_t{0};
        request.output_buffer_length = length;
        return request;
    }
    // A request that waits.
    std::uint64_t begin(std::uint32_t mask = names, bool tree = false) {
        const std::uint64_t id = watcher_.send(watcher_.make(request(directory_, mask, tree)));
        const Reply interim = watcher_.wait_interim(id);
        EXPECT_EQ(interim.header.nt_status(), NtStatus::PENDING);
        EXPECT_TRUE(interim.header.is_async());
        EXPECT_GE(interim.header.credits, 1);
        return id;
    }
    // The first request, taken back: from now on changes are kept.
    void watch(std::uint32_t mask = names, bool tree = false) {
        const std::uint64_t id = begin(mask, tree);
        watcher_.cancel(id);
        EXPECT_EQ(watcher_.wait(id).status(), NtStatus::CANCELLED);
    }
    Events collect() { return events_of(watcher_.call(request(directory_, names))); }
    wire::FileId make(std::string_view name) {
        const Reply reply = changer_.create(name);
        EXPECT_TRUE(reply.ok());
        return reply.body<wire::CreateResponse>().file_id;
    }

    TestServer server_;
    TestClient watcher_;
    TestClient changer_;
    wire::FileId directory_;
};

TEST_F(Notify, WaitsForAChange_3_3_4_2) {
    const std::uint64_t id = begin();
    EXPECT_TRUE(watcher_.echo().ok());
    make("dir\\new");
    const Reply reply = watcher_.wait(id);
    EXPECT_TRUE(reply.ok());
    EXPECT_TRUE(reply.header.is_async());
    EXPECT_EQ(reply.header.credits, 0);
    EXPECT_EQ(events_of(reply), (Events{{added, "new"}}));
}

TEST_F(Notify, KeepsWhatHappensBetweenRequests) {
    watch();
    const wire::FileId file = make("dir\\file");
    EXPECT_TRUE(changer_.rename(file, "dir\\other").ok());
    EXPECT_TRUE(changer_.close(file).ok());
    const wire::FileId sub = open_directory(changer_, "dir\\sub", a_doomed_directory);
    EXPECT_TRUE(changer_.delete_on_close(sub).ok());
    EXPECT_TRUE(changer_.close(sub).ok());
    make("elsewhere");
    make("dir\\file2");
    EXPECT_EQ(collect(), (Events{{added, "file"},
                                 {old_name, "file"},
                                 {new_name, "other"},
                                 {added, "sub"},
                                 {removed, "sub"},
                                 {added, "file2"}}));
}

TEST_F(Notify, ARenameIsOneAnswer) {
    const wire::FileId file = make("dir\\a");
    const std::uint64_t id = begin();
    EXPECT_TRUE(changer_.rename(file, "dir\\b").ok());
    EXPECT_EQ(events_of(watcher_.wait(id)), (Events{{old_name, "a"}, {new_name, "b"}}));
}

TEST_F(Notify, SeesTheWholeTreeIfAskedTo) {
    open_directory(changer_, "dir\\sub");
    watch(names, true);
    const wire::FileId file = make("dir\\sub\\x");
    EXPECT_TRUE(changer_.rename(file, "dir\\y").ok());
    const wire::FileId taken = make("dir\\taken");
    EXPECT_TRUE(changer_.close(taken).ok());
    EXPECT_TRUE(changer_.rename(file, "dir\\taken", true).ok());
    EXPECT_EQ(collect(), (Events{{added, "sub\\x"},
                                 {removed, "sub\\x"},
                                 {added, "y"},
                                 {added, "taken"},
                                 {removed, "y"}}));
}

TEST_F(Notify, TellsOfDataAndAttributes) {
    const wire::FileId file = make("dir\\f");
    watch(filter::size | filter::last_write | filter::attributes);
    const std::vector<std::byte> data(100);
    EXPECT_TRUE(changer_.write(file, 0, data).ok());
    EXPECT_EQ(collect(), (Events{{modified, "f"}}));
    // Within a second of it: not before the handle is flushed or closed.
    EXPECT_TRUE(changer_.write(file, 100, data).ok());
    const std::uint64_t id = watcher_.send(watcher_.make(request(directory_, 0)));
    EXPECT_EQ(watcher_.wait_interim(id).header.nt_status(), NtStatus::PENDING);
    EXPECT_TRUE(changer_.flush(file).ok());
    EXPECT_EQ(events_of(watcher_.wait(id)), (Events{{modified, "f"}}));
    fscc::FileBasicInformation basic;
    basic.file_attributes = 0x2;
    EXPECT_TRUE(changer_.set_info(file, 4, wire::to_bytes(basic)).ok());
    EXPECT_EQ(collect(), (Events{{modified, "f"}}));
    fscc::FileEndOfFileInformation end;
    end.end_of_file = 7;
    EXPECT_TRUE(changer_.set_info(file, 20, wire::to_bytes(end)).ok());
    EXPECT_EQ(collect(), (Events{{modified, "f"}}));
    EXPECT_TRUE(changer_.write(file, 0, data).ok());
    EXPECT_TRUE(changer_.close(file).ok());
    EXPECT_EQ(collect(), (Events{{modified, "f"}}));
}

TEST_F(Notify, OverwritingIsAModification) {
    EXPECT_TRUE(changer_.close(make("dir\\f")).ok());
    watch(names | filter::size);
    EXPECT_TRUE(
        changer_.create("dir\\f", {.disposition = wire::CreateDisposition::overwrite}).ok());
    EXPECT_EQ(collect(), (Events{{modified, "f"}}));
}

TEST_F(Notify, TooMuchIsEnumDir) {
    watch();
    const auto fill = [this] {
        for (int i = 0; i < 40; ++i) {
            EXPECT_TRUE(changer_.close(make("dir\\file-" + std::to_string(i))).ok());
        }
    };
    fill();
    const Reply reply = watcher_.call(request(directory_, names));
    EXPECT_EQ(reply.status(), NtStatus::NOTIFY_ENUM_DIR);
    EXPECT_TRUE(events_of(reply).empty());
    make("dir\\more");
    EXPECT_EQ(collect(), (Events{{added, "more"}}));
}

TEST_F(Notify, CloseEndsIt_3_3_5_10) {
    const std::uint64_t first = begin();
    const std::uint64_t second = begin();
    EXPECT_TRUE(watcher_.close(directory_).ok());
    EXPECT_EQ(watcher_.wait(first).status(), NtStatus::NOTIFY_CLEANUP);
    EXPECT_EQ(watcher_.wait(second).status(), NtStatus::NOTIFY_CLEANUP);
}

TEST_F(Notify, TreeDisconnectEndsIt_3_3_5_8) {
    const std::uint64_t id = begin();
    EXPECT_TRUE(watcher_.tree_disconnect().ok());
    EXPECT_EQ(watcher_.wait(id).status(), NtStatus::NOTIFY_CLEANUP);
}

TEST_F(Notify, LogoffEndsIt_3_3_5_6) {
    const std::uint64_t id = begin();
    EXPECT_TRUE(watcher_.logoff().ok());
    EXPECT_EQ(watcher_.wait(id).status(), NtStatus::NOTIFY_CLEANUP);
}

TEST_F(Notify, EndsWithTheDirectory) {
    const std::uint64_t id = begin();
    const wire::FileId other = open_directory(changer_, "dir", a_doomed_directory);
    EXPECT_TRUE(changer_.delete_on_close(other).ok());
    EXPECT_EQ(watcher_.wait(id).status(), NtStatus::DELETE_PENDING);
    EXPECT_EQ(watcher_.call(request(directory_, names)).status(), NtStatus::DELETE_PENDING);
    EXPECT_TRUE(changer_.close(other).ok());
}

TEST_F(Notify, EndsWithADirectoryThatIsDeletedOnClose) {
    const std::uint64_t id = begin();
    const Reply other = changer_.create(
        "dir", {.access = directory_access | delete_right, .options = 0x1 | 0x1000});
    EXPECT_TRUE(other.ok());
    EXPECT_TRUE(changer_.close(other.body<wire::CreateResponse>().file_id).ok());
    EXPECT_EQ(watcher_.wait(id).status(), NtStatus::DELETE_PENDING);
}

TEST_F(Notify, AConnectionMayBeLostWhileItWaits) {
    begin();
    begin();
    watcher_.disconnect();
    make("dir\\x");
}

TEST_F(Notify, RefusesWhatCannotBeWatched) {
    const wire::FileId file = make("file");
    EXPECT_EQ(changer_.call(request(file, names)).status(), NtStatus::INVALID_PARAMETER);
    TestClient old(server_);
    ASSERT_TRUE(old.log_on(0x0202));
    const wire::FileId too_long = open_directory(old, "dir");
    EXPECT_EQ(old.call(request(too_long, names, false, limits::max_transact_202 + 1)).status(),
              NtStatus::INVALID_PARAMETER);
    old.disconnect();
    const Reply blind = watcher_.create("dir", {.access = 0x80, .options = 0x1});
    EXPECT_TRUE(blind.ok());
    EXPECT_EQ(watcher_.call(request(blind.body<wire::CreateResponse>().file_id, names)).status(),
              NtStatus::ACCESS_DENIED);
}

// [MS-SMB2] 3.3.5.2.7.2, 3.3.4.2
TEST_F(Notify, InACompoundOnlyTheLastWaits) {
    wire::CreateRequest create;
    create.name = {};
    const Message name = utf16("dir");
    create.name = Bytes(name);
    create.desired_access = directory_access;
    create.share_access = wire::share_access::all;
    create.create_disposition = wire::CreateDisposition::open;
    create.create_options = 0x1;
    wire::QueryInfoRequest info;
    info.info_type = wire::InfoType::file;
    info.file_info_class = 4;
    info.output_buffer_length = 100;
    info.file_id = wire::file_id_any;
    const wire::ChangeNotifyRequest notify = request(wire::file_id_any, names);
    auto ids = watcher_.send_compound(
        {watcher_.make(create), watcher_.make(notify), watcher_.make(info)}, true);
    EXPECT_TRUE(watcher_.wait(ids[0]).ok());
    EXPECT_EQ(watcher_.wait(ids[1]).status(), NtStatus::INTERNAL_ERROR);
    EXPECT_TRUE(watcher_.wait(ids[2]).ok());
    ids = watcher_.send_compound({watcher_.make(create), watcher_.make(notify)}, true);
    EXPECT_TRUE(watcher_.wait(ids[0]).ok());
    EXPECT_EQ(watcher_.wait_interim(ids[1]).header.nt_status(), NtStatus::PENDING);
    watcher_.cancel(ids[1]);
    EXPECT_EQ(watcher_.wait(ids[1]).status(), NtStatus::CANCELLED);
}

TEST_F(Notify, TooManyThatWaitAreRefused) {
    watcher_.credits_to_ask = 600;
    EXPECT_TRUE(watcher_.echo().ok());
    std::vector<std::uint64_t> ids;
    for (std::size_t i = 0; i + 1 < limits::max_async_in_flight; ++i) ids.push_back(begin());
    EXPECT_EQ(watcher_.call(request(directory_, names)).status(), NtStatus::INSUFFICIENT_RESOURCES);
    EXPECT_TRUE(watcher_.close(directory_).ok());
    for (const std::uint64_t id : ids) {
        EXPECT_EQ(watcher_.wait(id).status(), NtStatus::NOTIFY_CLEANUP);
    }
}

// What the host does is reported like what clients do.
TEST_F(Notify, HostChangesAreChanges) {
    using Kind = vfs::HostChange::Kind;
    server_.share().support_watches();
    watch(names | filter::size | filter::attributes, true);
    EXPECT_EQ(server_.share().watch_count(), 1U);
    const auto tell = [this](Kind kind, std::string path, std::string from = {}) {
        vfs::HostChange change;
        change.kind = kind;
        change.path = std::move(path);
        change.from = std::move(from);
        server_.share().announce(change);
    };
    tell(Kind::added, "dir/local");
    tell(Kind::modified, "dir/local");
    tell(Kind::renamed, "dir/sub/renamed", "dir/local");
    tell(Kind::removed, "dir/sub/renamed");
    tell(Kind::attributes, "dir/b");
    tell(Kind::added, "beside/it");
    EXPECT_EQ(collect(), (Events{{added, "local"},
                                 {modified, "local"},
                                 {removed, "local"},
                                 {added, "sub\\renamed"},
                                 {removed, "sub\\renamed"},
                                 {modified, "b"}}));
    tell(Kind::lost, "");
    tell(Kind::lost, "dir");
    EXPECT_EQ(watcher_.call(request(directory_, names)).status(), NtStatus::NOTIFY_ENUM_DIR);
    const std::uint64_t id = begin();
    tell(Kind::gone, "dir");
    EXPECT_EQ(watcher_.wait(id).status(), NtStatus::DELETE_PENDING);
    EXPECT_TRUE(watcher_.close(directory_).ok());
    EXPECT_EQ(server_.share().watch_count(), 0U);
}

// Requests, cancellations and changes at once, from two connections on two loops.
TEST_F(Notify, RacesEndInOneAnswerEach) {
    for (int round = 0; round < 100; ++round) {
        const std::uint64_t id = watcher_.send(watcher_.make(request(directory_, names)));
        const std::uint64_t again = watcher_.send(watcher_.make(request(directory_, names)));
        const wire::FileId file = make("dir\\race");
        EXPECT_TRUE(changer_.delete_on_close(file).ok());
        watcher_.cancel(again);
        EXPECT_TRUE(changer_.close(file).ok());
        watcher_.cancel(id);
        for (const std::uint64_t asked : {id, again}) {
            const NtStatus status = watcher_.wait(asked).status();
            EXPECT_TRUE(status == NtStatus::SUCCESS || status == NtStatus::CANCELLED);
        }
    }
}

}  // namespace
}  // namespace smb3d::test
