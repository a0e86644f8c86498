// Server-side copy: [MS-SMB2] 3.3.5.15.5, 3.3.5.15.6; and extents: [MS-FSA] 2.1.5.10.4, 2.1.5.10.6.
#include <algorithm>
#include <array>
#include <cstring>

#include <gtest/gtest.h>

#include "client/test_client.h"
#include "fscc/fsctl.h"

namespace smb3d::test {
namespace {

constexpr auto resume_key_code = static_cast<std::uint32_t>(fscc::Fsctl::srv_request_resume_key);
constexpr auto copychunk_code = static_cast<std::uint32_t>(fscc::Fsctl::srv_copychunk);
constexpr auto copychunk_write_code = static_cast<std::uint32_t>(fscc::Fsctl::srv_copychunk_write);
constexpr auto duplicate_code = static_cast<std::uint32_t>(fscc::Fsctl::duplicate_extents_to_file);
constexpr auto trim_code = static_cast<std::uint32_t>(fscc::Fsctl::file_level_trim);
constexpr std::uint32_t lock_exclusive = 0x12;  // and fail at once

constexpr std::uint32_t read_only = 0x00120089;
constexpr std::uint32_t write_only = 0x00120116;
constexpr std::uint32_t read_write = 0x0013019F;

Message pattern(std::size_t size) {
    Message out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i * 31 + i / 253);
    return out;
}

using Counts = std::array<std::uint32_t, 3>;

class ServerCopy : public ::testing::TestWithParam<bool> {
  protected:
    ServerCopy() : server_(options()), client_(server_) { EXPECT_TRUE(client_.log_on()); }

    // With a back end that copies, and with one that gives up often and moves a little at a time.
    static TestServerOptions options() {
        TestServerOptions out;
        if (GetParam()) out.hostility = Hostility::delayed(5);
        out.configure = [](engine::ServerConfig& config) { config.copy_max_chunk_size = 1U << 20; };
        return out;
    }

    wire::FileId open(std::string_view name, std::uint32_t access = read_write) {
        const Reply reply = client_.create(name, {.access = access});
        EXPECT_TRUE(reply.ok());
        return reply.body<wire::CreateResponse>().file_id;
    }
    wire::FileId file_with(std::string_view name, const Message& content) {
        const wire::FileId file = open(name);
        for (std::size_t at = 0; at < content.size(); at += 65536) {
            const std::size_t size = std::min<std::size_t>(65536, content.size() - at);
            EXPECT_TRUE(client_.write(file, at, Bytes(content).subspan(at, size)).ok());
        }
        return file;
    }
    Message content(wire::FileId file, std::size_t offset, std::size_t size) {
        Message out;
        while (out.size() < size) {
            const auto part =
                static_cast<std::uint32_t>(std::min<std::size_t>(65536, size - out.size()));
            const Reply reply = client_.read(file, offset + out.size(), part);
            if (!reply.ok()) break;
            const Bytes bytes = reply.body<wire::ReadResponse>().data.bytes;
            out.insert(out.end(), bytes.begin(), bytes.end());
            if (bytes.empty()) break;
        }
        return out;
    }
    fscc::ResumeKey key_of(TestClient& client, wire::FileId file) {
        const Reply reply = client.ioctl(file, resume_key_code, {}, 32);
        EXPECT_TRUE(reply.ok());
        const auto response = reply.body<wire::IoctlResponse>();
        EXPECT_EQ(response.output.bytes.size(), 32U);
        const auto key = wire::parse<fscc::SrvRequestResumeKey>(response.output.bytes);
        return key ? key->resume_key : fscc::ResumeKey{};
    }
    Reply copy(wire::FileId to, const fscc::ResumeKey& key, std::vector<fscc::SrvCopychunk> chunks,
               std::uint32_t code = copychunk_code, std::uint32_t max_output = 12) {
        fscc::SrvCopychunkCopy request;
        request.source_key = key;
        request.chunks = std::move(chunks);
        return client_.ioctl(to, code, wire::to_bytes(request), max_output);
    }
    static Counts counts(const Reply& reply) {
        const auto response = reply.body<wire::IoctlResponse>();
        const auto out = wire::parse<fscc::SrvCopychunkResponse>(response.output.bytes);
        if (!out) return {~0U, ~0U, ~0U};
        return {out->chunks_written, out->chunk_bytes_written, out->total_bytes_written};
    }
    static constexpr Counts limits{256, 1U << 20, 16U << 20};

    TestServer server_;
    TestClient client_;
};

TEST_P(ServerCopy, ChunksAreCopiedWhereverTheyGo) {
    const Message data = pattern(600'000);
    const wire::FileId from = file_with("from", data);
    const wire::FileId to = open("to");
    const fscc::ResumeKey key = key_of(client_, from);
    EXPECT_EQ(key, key_of(client_, from));  // valid for as long as the file is open
    // The first three follow each other and travel as one.
    const Reply reply = copy(to, key,
                             {{0, 0, 200'000},
                              {200'000, 200'000, 100'000},
                              {300'000, 300'000, 300'000},
                              {1000, 700'000, 5}});
    EXPECT_TRUE(reply.ok());
    EXPECT_EQ(counts(reply), (Counts{4, 0, 600'005}));
    EXPECT_EQ(content(to, 0, data.size()), data);
    EXPECT_EQ(content(to, 600'000, 100'000), Message(100'000));
    EXPECT_EQ(content(to, 700'000, 5), Message(data.begin() + 1000, data.begin() + 1005));
    const Reply none = copy(to, key, {});
    EXPECT_TRUE(none.ok());
    EXPECT_EQ(counts(none), (Counts{0, 0, 0}));
}

TEST_P(ServerCopy, WhatOverlapsIsReadFirst) {
    const Message data = pattern(300'000);
    const wire::FileId file = file_with("file", data);
    const fscc::ResumeKey key = key_of(client_, file);
    EXPECT_EQ(counts(copy(file, key, {{0, 100, 300'000}})), (Counts{1, 0, 300'000}));
    EXPECT_EQ(content(file, 100, data.size()), data);
    // Each sees what the one before has done, the end of the file included.
    EXPECT_EQ(counts(copy(file, key, {{100, 300'100, 300'000}, {600'000, 0, 100}})),
              (Counts{2, 0, 300'100}));
    EXPECT_EQ(content(file, 0, 100), Message(data.end() - 100, data.end()));
}

TEST_P(ServerCopy, LimitsAreTold_3_3_5_15_6_2) {
    const wire::FileId from = file_with("from", pattern(1000));
    const wire::FileId to = open("to");
    const fscc::ResumeKey key = key_of(client_, from);
    const std::vector<std::vector<fscc::SrvCopychunk>> refused = {
        {{0, 0, 0}},
        {{0, 0, (1U << 20) + 1}},
        {{0, 0, 100}, {0, 100, 0}},
        std::vector<fscc::SrvCopychunk>(17, {0, 0, 1U << 20}),
        {{0, ~std::uint64_t{0}, 100}},
        {{~std::uint64_t{0} - 50, 0, 100}},
        {{0, 0x7FFF'FFFF'FFFF'FFFF, 1}},
    };
    for (const auto& chunks : refused) {
        const Reply reply = copy(to, key, chunks);
        EXPECT_EQ(reply.status(), NtStatus::INVALID_PARAMETER);
        EXPECT_EQ(counts(reply), limits);
    }
    fscc::SrvCopychunkCopy many;
    many.source_key = key;
    many.chunks.assign(256, {0, 0, 1});
    Message input = wire::to_bytes(many);
    EXPECT_TRUE(client_.ioctl(to, copychunk_code, input, 12).ok());
    input.resize(input.size() - 1);  // the last chunk is cut off
    const Reply cut = client_.ioctl(to, copychunk_code, input, 12);
    EXPECT_EQ(cut.status(), NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(counts(cut), limits);
    input[24] = std::byte{0xFF};  // ChunkCount
    input[25] = std::byte{0xFF};
    input[26] = std::byte{0xFF};
    EXPECT_EQ(counts(client_.ioctl(to, copychunk_code, input, 12)), limits);
    EXPECT_EQ(copy(to, key, {{0, 0, 10}}, copychunk_code, 11).status(),
              NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(client_.ioctl(to, copychunk_code, Message(31), 12).status(),
              NtStatus::INVALID_PARAMETER);
    EXPECT_EQ(client_.ioctl(from, resume_key_code, {}, 31).status(), NtStatus::INVALID_PARAMETER);
}

TEST_P(ServerCopy, BehindTheEndIsInvalidViewSize) {
    const Message data = pattern(10'000);
    const wire::FileId from = file_with("from", data);
    const wire::FileId to = open("to");
    const fscc::ResumeKey key = key_of(client_, from);
    const Reply reply = copy(to, key, {{0, 0, 4096}, {4096, 4096, 8192}, {0, 0, 1}});
    EXPECT_EQ(reply.status(), NtStatus::INVALID_VIEW_SIZE);
    EXPECT_EQ(counts(reply), (Counts{1, 0, 4096}));
    EXPECT_EQ(content(to, 0, 8192), Message(data.begin(), data.begin() + 4096));
}

TEST_P(ServerCopy, AKeyWorksInItsSessionOnly) {
    const wire::FileId from = file_with("from", pattern(1000));
    const wire::FileId to = open("to");
    fscc::ResumeKey key = key_of(client_, from);
    for (const std::size_t at : {0U, 8U, 16U, 23U}) {
        fscc::ResumeKey wrong = key;
        wrong[at] ^= 1;
        EXPECT_EQ(copy(to, wrong, {{0, 0, 10}}).status(), NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    // The same numbers without having asked for the key.
    const wire::FileId other = open("other");
    fscc::ResumeKey guessed{};
    std::memcpy(guessed.data(), &other.persistent_id, 8);
    std::memcpy(guessed.data() + 8, &other.volatile_id, 8);
    EXPECT_EQ(copy(to, guessed, {{0, 0, 10}}).status(), NtStatus::OBJECT_NAME_NOT_FOUND);

    TestClient stranger(server_);
    ASSERT_TRUE(stranger.log_on());
    const Reply foreign = stranger.create("mine", {.access = read_write});
    fscc::SrvCopychunkCopy request;
    request.source_key = key;
    request.chunks = {{0, 0, 10}};
    EXPECT_EQ(stranger
                  .ioctl(foreign.body<wire::CreateResponse>().file_id, copychunk_code,
                         wire::to_bytes(request), 12)
                  .status(),
              NtStatus::OBJECT_NAME_NOT_FOUND);
    EXPECT_TRUE(client_.close(from).ok());
    EXPECT_EQ(copy(to, key, {{0, 0, 10}}).status(), NtStatus::OBJECT_NAME_NOT_FOUND);
}

TEST_P(ServerCopy, BothSidesNeedTheirRights) {
    file_with("from", pattern(1000));
    file_with("to", pattern(10));
    const wire::FileId reader = open("from", read_only);
    const wire::FileId blind = open("from", write_only);
    const wire::FileId writer = open("to", write_only);
    const wire::FileId both = open("to");
    const wire::FileId looker = open("to", read_only);
    const fscc::ResumeKey key = key_of(client_, reader);
    const std::vector<fscc::SrvCopychunk> chunk = {{0, 0, 100}};
    EXPECT_EQ(copy(both, key_of(client_, blind), chunk).status(), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(copy(looker, key, chunk).status(), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(copy(looker, key, chunk, copychunk_write_code).status(), NtStatus::ACCESS_DENIED);
    EXPECT_EQ(copy(writer, key, chunk).status(), NtStatus::ACCESS_DENIED);
    EXPECT_TRUE(copy(writer, key, chunk, copychunk_write_code).ok());
    EXPECT_TRUE(copy(both, key, chunk).ok());
}

TEST_P(ServerCopy, LocksOfOthersAreKept) {
    const Message data = pattern(10'000);
    const wire::FileId from = file_with("from", data);
    const wire::FileId to = open("to");
    const fscc::ResumeKey key = key_of(client_, from);
    const std::vector<fscc::SrvCopychunk> chunks = {{0, 0, 1000}, {1000, 1000, 1000}};
    for (const char* const name : {"from", "to"}) {
        const wire::FileId locker = open(name);
        EXPECT_TRUE(client_.lock(locker, 1500, 10, lock_exclusive).ok());
        const Reply reply = copy(to, key, chunks);
        EXPECT_EQ(reply.status(), NtStatus::FILE_LOCK_CONFLICT) << name;
        EXPECT_EQ(counts(reply), (Counts{1, 0, 1000})) << name;
        EXPECT_TRUE(client_.close(locker).ok());
    }
    EXPECT_EQ(counts(copy(to, key, chunks)), (Counts{2, 0, 2000}));
}

INSTANTIATE_TEST_SUITE_P(BackEnds, ServerCopy, ::testing::Values(false, true),
                         [](const auto& slow) { return slow.param ? "delayed" : "inline"; });

TEST(ServerCopyFallback, ABackEndThatCannotIsReadAndWritten) {
    TestServerOptions options;
    VfsRule refuse;
    refuse.fail_per_mille = 1000;
    refuse.failure = NtStatus::NOT_SUPPORTED;
    options.hostility.exceptions[VfsOp::copy_range] = refuse;
    TestServer server(options);
    TestClient client(server);
    ASSERT_TRUE(client.log_on());
    const Message data = pattern(65536);
    const wire::FileId from = client.create("from").body<wire::CreateResponse>().file_id;
    const wire::FileId to = client.create("to").body<wire::CreateResponse>().file_id;
    EXPECT_TRUE(client.write(from, 0, data).ok());
    const auto key = wire::parse<fscc::SrvRequestResumeKey>(
        client.ioctl(from, resume_key_code, {}, 32).body<wire::IoctlResponse>().output.bytes);
    ASSERT_TRUE(key);
    fscc::SrvCopychunkCopy request;
    request.source_key = key->resume_key;
    request.chunks = {{0, 0, 65536}, {1, 65536, 100}};
    EXPECT_TRUE(client.ioctl(to, copychunk_code, wire::to_bytes(request), 12).ok());
    const Reply read = client.read(to, 0, 65536);
    const Bytes bytes = read.body<wire::ReadResponse>().data.bytes;
    EXPECT_TRUE(std::ranges::equal(bytes, data));
}

class Extents : public ::testing::Test {
  protected:
    Extents() : server_(options()), client_(server_) { EXPECT_TRUE(client_.log_on()); }
    static TestServerOptions options() { return {}; }
    NtStatus duplicate(wire::FileId to, const fscc::DuplicateExtentsData& wanted) {
        return client_.ioctl(to, duplicate_code, wire::to_bytes(wanted), 0).status();
    }
    TestServer server_;
    TestClient client_;
};

TEST_F(Extents, DuplicatingNeedsAFileSystemThatCan) {
    const wire::FileId file = client_.create("file").body<wire::CreateResponse>().file_id;
    const fscc::DuplicateExtentsData wanted{file.persistent_id, file.volatile_id, 0, 0, 4096};
    EXPECT_EQ(duplicate(file, wanted), NtStatus::INVALID_DEVICE_REQUEST);
}

TEST_F(Extents, TrimmingZerosWholePages) {
    const wire::FileId file = client_.create("file").body<wire::CreateResponse>().file_id;
    const Message data(16384, std::byte{7});
    EXPECT_TRUE(client_.write(file, 0, data).ok());
    fscc::FileLevelTrim trim;
    trim.ranges = {{100, 8192}, {12288, 10}};
    const Reply reply = client_.ioctl(file, trim_code, wire::to_bytes(trim), 4);
    EXPECT_TRUE(reply.ok());
    const auto output = reply.body<wire::IoctlResponse>();
    EXPECT_EQ(Message(output.output.bytes.begin(), output.output.bytes.end()),
              (Message{std::byte{2}, std::byte{0}, std::byte{0}, std::byte{0}}));
    const Reply read = client_.read(file, 0, 16384);
    const Bytes bytes = read.body<wire::ReadResponse>().data.bytes;
    ASSERT_EQ(bytes.size(), data.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const bool trimmed = i >= 4096 && i < 8192;
        ASSERT_EQ(bytes[i], std::byte{static_cast<unsigned char>(trimmed ? 0 : 7)}) << i;
    }
    trim.ranges = {{~std::uint64_t{0} - 5, 100}};
    EXPECT_EQ(client_.ioctl(file, trim_code, wire::to_bytes(trim), 4).status(),
              NtStatus::INTEGER_OVERFLOW);
    trim.ranges.clear();
    EXPECT_EQ(client_.ioctl(file, trim_code, wire::to_bytes(trim), 4).status(),
              NtStatus::INVALID_PARAMETER);
}

}  // namespace
}  // namespace smb3d::test
