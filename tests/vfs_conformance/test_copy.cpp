// copy_range: what File::copy_range promises, and what it leaves to the engine.
#include "vfs_conformance/backends.h"

namespace smb3d::test {
namespace {

std::string pattern(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return out;
}

// Whether the file has this and nothing else.
bool holds(Operations& ops, const std::string& path, const std::string& content) {
    auto file = ops.open(path, {.access = vfs::access_read_data});
    if (!file) return false;
    const auto data = ops.read(*file->file, 0, content.size() + 1);
    return ops.close(*file->file) && data && *data == content;
}

// "from" with this content, open for reading, and an empty "to".
class TwoFiles {
  public:
    TwoFiles(Operations& ops, const std::string& content) : ops_(ops) {
        ops.put("from", content);
        auto source = ops.open("from", {.access = vfs::access_read_data});
        auto target = ops.create("to");
        EXPECT_TRUE(source && target);
        if (source) from = source->file;
        if (target) to = target->file;
    }
    ~TwoFiles() {
        EXPECT_TRUE(ops_.close(*from));
        EXPECT_TRUE(ops_.close(*to));
    }
    Result<std::uint64_t> copy(std::uint64_t source_offset, std::uint64_t offset,
                               std::uint64_t length) {
        return ops_.copy(*to, {from.get(), source_offset, offset, length, false});
    }
    std::shared_ptr<vfs::File> from;
    std::shared_ptr<vfs::File> to;

  private:
    Operations& ops_;
};

TEST_P(VfsConformance, CopiesWhatIsAskedFor) {
    const std::string content = pattern(10'000'123);  // several pieces, and a part of a page
    TwoFiles files(ops(), content);
    EXPECT_EQ(files.copy(0, 0, content.size()).value_or(0), content.size());
    EXPECT_TRUE(holds(ops(), "to", content));
    EXPECT_EQ(files.copy(5, 3, 7).value_or(0), 7U);
    EXPECT_EQ(ops().read(*files.to, 0, 16).value_or(""),
              content.substr(0, 3) + content.substr(5, 7) + content.substr(10, 6));
    // An odd offset and length, beyond the end: what is between is zeros.
    EXPECT_EQ(files.copy(1'000'001, 12'000'003, 3'000'000).value_or(0), 3'000'000U);
    EXPECT_EQ(ops().read(*files.to, 12'000'003, 3'000'000).value_or(""),
              content.substr(1'000'001, 3'000'000));
    EXPECT_EQ(ops().read(*files.to, 11'000'000, 100).value_or(""), std::string(100, '\0'));
}

TEST_P(VfsConformance, CopyEndsWhereTheSourceEnds) {
    const std::string content = pattern(700'001);
    TwoFiles files(ops(), content);
    EXPECT_EQ(files.copy(0, 0, 5'000'000).value_or(0), content.size());
    EXPECT_EQ(ops().get("to"), content);
    EXPECT_EQ(files.copy(content.size(), 0, 10).value_or(9), 0U);
    EXPECT_EQ(files.copy(INT64_MAX - 20, 0, 10).value_or(9), 0U);
    EXPECT_EQ(ops().stat(*files.to).value_or(vfs::FileStat{}).end_of_file, content.size());
    EXPECT_EQ(status_of(files.copy(0, INT64_MAX - 5, 10)), "STATUS_INVALID_PARAMETER");
    EXPECT_EQ(status_of(files.copy(UINT64_MAX, 0, 10)), "STATUS_INVALID_PARAMETER");
}

TEST_P(VfsConformance, CopiesWithinOneFile) {
    const std::string content = pattern(600'000);
    ops().put("f", content);
    auto file = ops().open("f");
    ASSERT_TRUE(file);
    vfs::CopyRequest request{file->file.get(), 0, 600'000, 600'000, false};
    EXPECT_EQ(ops().copy(*file->file, request).value_or(0), 600'000U);
    EXPECT_TRUE(holds(ops(), "f", content + content));
    // Ranges that overlap are the engine's business.
    request.offset = 1000;
    EXPECT_EQ(status_of(ops().copy(*file->file, request)), "STATUS_NOT_SUPPORTED");
    EXPECT_TRUE(holds(ops(), "f", content + content));
    EXPECT_TRUE(ops().close(*file->file));
}

TEST_P(VfsConformance, CopyNeedsTheAccessOfReadAndWrite) {
    ops().put("from", "data");
    ops().put("to", "");
    auto reader = ops().open("from", {.access = vfs::access_read_data});
    auto writer = ops().open("to", {.access = vfs::access_write_data});
    auto looker = ops().open("to", {.access = vfs::access_attributes});
    auto directory = ops().open("", {.kind = vfs::WantKind::directory});
    ASSERT_TRUE(reader && writer && looker && directory);
    const auto copy = [&](const vfs::OpenReply& to, const vfs::OpenReply& from) {
        return status_of(ops().copy(*to.file, {from.file.get(), 0, 0, 4, false}));
    };
    EXPECT_EQ(copy(*writer, *reader), "STATUS_SUCCESS");
    EXPECT_EQ(copy(*reader, *reader), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(copy(*writer, *writer), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(copy(*looker, *reader), "STATUS_ACCESS_DENIED");
    EXPECT_EQ(copy(*writer, *directory), "STATUS_INVALID_DEVICE_REQUEST");
    EXPECT_EQ(ops().get("to"), "data");
    for (auto* open : {&reader, &writer, &looker, &directory}) {
        EXPECT_TRUE(ops().close(*(*open)->file));
    }
}

TEST_P(VfsConformance, ACloneIsWholeOrNotAtAll) {
    const std::string content = pattern(1U << 20);
    TwoFiles files(ops(), content);
    const auto cloned = ops().copy(*files.to, {files.from.get(), 0, 0, content.size(), true});
    if (ops().share().capabilities().block_cloning) {
        EXPECT_EQ(cloned.value_or(0), content.size());
        EXPECT_EQ(ops().get("to"), content);
    } else {
        EXPECT_EQ(status_of(cloned), "STATUS_NOT_SUPPORTED");
        EXPECT_EQ(ops().get("to"), "");
    }
}

TEST_P(VfsConformance, CancelledCopiesEnd) {
    TwoFiles files(ops(), pattern(9'000'000));
    const vfs::CopyRequest request{files.from.get(), 0, 0, 9'000'000, false};
    for (int i = 0; i < 10; ++i) {
        vfs::Cancellation cancel;
        auto copying = ops().begin<std::uint64_t>(
            [&](const auto& context, auto done) { files.to->copy_range(context, request, done); },
            &cancel);
        cancel.request();
        const auto result = copying.get();
        EXPECT_TRUE(result || result.error() == NtStatus::CANCELLED);
    }
}

}  // namespace
}  // namespace smb3d::test
