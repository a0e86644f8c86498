// What a peer may get wrong, rule by rule.
#include <gtest/gtest.h>

#include "unit/wire/filler.h"
#include "unit/wire/hex.h"
#include "wire/compound.h"
#include "wire/message_list.h"
#include "wire/smb1_negotiate.h"

namespace smb3d::wire::test {

namespace {

// SESSION_SETUP with these SecurityBufferOffset and Length and four bytes of buffer.
bool session_setup_parses(const char* offset_and_length) {
    return parse<SessionSetupRequest>(behind_header(std::string("1900 00 01 00000000 00000000") +
                                                    offset_and_length +
                                                    "0000000000000000 4e544c4d"))
        .has_value();
}

std::vector<std::byte> chain_of(std::initializer_list<std::uint32_t> next_commands) {
    std::vector<std::byte> chain;
    for (const std::uint32_t next : next_commands) {
        Header header;
        header.command = Command::echo;
        header.next_command = next;
        (void)append(header, chain);
        (void)append(EchoRequest{}, chain);
        if (next != 0) chain.resize((chain.size() + 7) / 8 * 8);
    }
    return chain;
}

ChainFault walk(Bytes chain, std::size_t& parts) {
    ChainReader reader(chain);
    ChainPart part;
    parts = 0;
    while (reader.next(part)) ++parts;
    return reader.fault();
}

// The list with one context of this name.
std::vector<std::byte> context_named(std::string_view name_hex) {
    const std::vector<std::byte> name = hex(name_hex);
    std::vector<std::byte> bytes = hex("00000000 1000 0000 0000 0000 00000000");
    bytes[6] = static_cast<std::byte>(name.size());
    bytes.insert(bytes.end(), name.begin(), name.end());
    return bytes;
}

bool contexts_parse(Bytes list, std::size_t* count = nullptr) {
    CreateContextReader reader(list);
    CreateContext context;
    std::size_t found = 0;
    while (reader.next(context)) ++found;
    if (count != nullptr) *count = found;
    return reader.ok();
}

}  // namespace

TEST(Hostile, PartMustLieInsideAndBehindTheFixedPart) {
    EXPECT_TRUE(session_setup_parses("5800 0400"));
    EXPECT_FALSE(session_setup_parses("5800 0500"));  // one byte too long
    EXPECT_FALSE(session_setup_parses("5c00 0100"));  // begins at the end
    EXPECT_FALSE(session_setup_parses("5700 0400"));  // overlaps the fixed part
    EXPECT_FALSE(session_setup_parses("0000 0400"));  // in the header
    EXPECT_FALSE(session_setup_parses("ffff ffff"));
}

// Windows and its clients leave arbitrary offsets where nothing follows.
TEST(Hostile, EmptyPartMayHaveAnyOffset) {
    EXPECT_TRUE(session_setup_parses("0000 0000"));
    EXPECT_TRUE(session_setup_parses("ffff 0000"));
}

TEST(Hostile, OffsetPlusLengthDoesNotWrap) {
    const std::vector<std::byte> message = behind_header(
        "3900 0000 04021400 ffffffffffffffff ffffffffffffffff 78000000 ffffffff 00000000"
        "00000000 00000000 00000000 01000000 00000000 00");
    EXPECT_FALSE(parse<IoctlRequest>(message));
}

TEST(Hostile, NamesHaveAnEvenNumberOfBytes) {
    EXPECT_FALSE(parse<TreeConnectRequest>(behind_header("0900 0000 4800 0300 5c005c")));
}

TEST(Hostile, WrongStructureSize) {
    EXPECT_FALSE(parse<EchoRequest>(behind_header("0500 0000")));
    EXPECT_FALSE(parse<EchoRequest>(behind_header("0400")));
    EXPECT_TRUE(parse<EchoRequest>(behind_header("0400 ffff")));
    EXPECT_FALSE(parse<EchoRequest>(hex("0400 0000")));
}

TEST(Hostile, LockCountBeyondTheMessage) {
    EXPECT_FALSE(
        parse<LockRequest>(behind_header("3000 ff0f 00000000 0100000000000000 0200000000000000"
                                         "0300000000000000 0400000000000000 12000000 00000000")));
}

TEST(Hostile, ChannelInfoIsIgnoredWithoutAChannel) {
    EXPECT_TRUE(parse<ReadRequest>(
        behind_header("3100 50 00 00000100 0010000000000000 0100000000000000 0200000000000000"
                      "01000000 00000000 00000000 ffff ffff 00")));
    EXPECT_FALSE(parse<ReadRequest>(
        behind_header("3100 50 00 00000100 0010000000000000 0100000000000000 0200000000000000"
                      "01000000 01000000 00000000 ffff ffff 00")));
}

TEST(Hostile, NegotiateContextsTwice_3_3_5_4) {
    const std::vector<std::byte> data = hex("0100 0200");
    const NegotiateContext encryption{NegotiateContextType::encryption_capabilities, data};
    EXPECT_TRUE(decode(std::vector{encryption}));
    const auto twice = decode(std::vector{encryption, encryption});
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error(), NtStatus::INVALID_PARAMETER);
    const NegotiateContext unknown{static_cast<NegotiateContextType>(0x7777), data};
    EXPECT_TRUE(decode(std::vector{unknown, unknown, encryption}));
    const NegotiateContext cut{NegotiateContextType::signing_capabilities, Bytes(data).first(3)};
    EXPECT_FALSE(decode(std::vector{cut}));
}

TEST(Hostile, CompoundChain_3_3_5_2_7) {
    std::size_t parts = 0;
    EXPECT_EQ(walk(chain_of({0}), parts), ChainFault::none);
    EXPECT_EQ(parts, 1U);
    EXPECT_EQ(walk(chain_of({72, 72, 0}), parts), ChainFault::none);
    EXPECT_EQ(parts, 3U);
    EXPECT_EQ(walk(chain_of({72, 68, 0}), parts), ChainFault::misaligned_next);
    EXPECT_EQ(parts, 1U);
    EXPECT_EQ(walk(chain_of({56, 0}), parts), ChainFault::next_out_of_range);
    EXPECT_EQ(walk(chain_of({0xFFFFFFF8, 0}), parts), ChainFault::next_out_of_range);
    EXPECT_EQ(walk(chain_of({72, 72}), parts), ChainFault::next_out_of_range);
    EXPECT_EQ(walk(chain_of({64, 0}), parts), ChainFault::bad_header);
    EXPECT_EQ(walk({}, parts), ChainFault::truncated_header);

    std::vector<std::byte> cut = chain_of({72, 0});
    cut.resize(cut.size() - 8);
    EXPECT_EQ(walk(exactly(cut), parts), ChainFault::truncated_header);
    EXPECT_EQ(parts, 1U);

    std::vector<std::byte> endless;
    for (std::size_t i = 0; i <= limits::max_compound_parts; ++i) {
        const std::vector<std::byte> part = chain_of({72});
        endless.insert(endless.end(), part.begin(), part.end());
    }
    EXPECT_EQ(walk(endless, parts), ChainFault::too_many_parts);
    EXPECT_EQ(parts, limits::max_compound_parts);
}

TEST(Hostile, CompoundPartsAreSeparate) {
    const std::vector<std::byte> chain = chain_of({72, 0});
    ChainReader reader(chain);
    ChainPart part;
    ASSERT_TRUE(reader.next(part));
    EXPECT_EQ(part.offset, 0U);
    EXPECT_EQ(part.message.size(), 72U);
    EXPECT_FALSE(part.last);
    ASSERT_TRUE(reader.next(part));
    EXPECT_EQ(part.offset, 72U);
    EXPECT_EQ(part.message.size(), 68U);
    EXPECT_TRUE(part.last);
    EXPECT_TRUE(parse<EchoRequest>(part.message));
    EXPECT_FALSE(reader.next(part));
}

// smbtorture smb2.create.blob: tags of fewer than four bytes are refused, unknown ones are not.
TEST(Hostile, CreateContextTags) {
    EXPECT_FALSE(contexts_parse(context_named("")));
    EXPECT_FALSE(contexts_parse(context_named("78")));
    EXPECT_FALSE(contexts_parse(context_named("7878")));
    EXPECT_FALSE(contexts_parse(context_named("787878")));
    EXPECT_TRUE(contexts_parse(context_named("78787878")));
    EXPECT_TRUE(contexts_parse(context_named("7878787878")));
}

TEST(Hostile, CreateContextList) {
    std::size_t count = 0;
    EXPECT_TRUE(contexts_parse({}, &count));
    EXPECT_EQ(count, 0U);
    CreateContextBuilder builder;
    builder.add(tag::qfid, Bytes{});
    builder.add(tag::rqls, Lease{});
    builder.add(tag::app_instance_id, AppInstanceId{});
    std::vector<std::byte> list(builder.bytes().begin(), builder.bytes().end());
    EXPECT_TRUE(contexts_parse(list, &count));
    EXPECT_EQ(count, 3U);
    for (std::size_t size = 1; size < list.size(); ++size) {
        EXPECT_FALSE(contexts_parse(exactly(Bytes(list).first(size)))) << size;
    }
    for (const int next : {1, 4, 12, 20, 0xF8}) {
        std::vector<std::byte> bad = list;
        bad[0] = static_cast<std::byte>(next);
        EXPECT_FALSE(contexts_parse(exactly(bad))) << next;
    }
}

TEST(Hostile, CreateContextsWithoutEnd) {
    std::vector<std::byte> list;
    for (std::size_t i = 0; i < 2 * limits::max_create_contexts; ++i) {
        std::vector<std::byte> context = context_named("78787878");
        context.resize(24);
        context[0] = std::byte{24};
        list.insert(list.end(), context.begin(), context.end());
    }
    std::size_t count = 0;
    EXPECT_FALSE(contexts_parse(list, &count));
    EXPECT_EQ(count, limits::max_create_contexts);
}

TEST(Hostile, CreateContextDataBeforeItsName) {
    // Data at 16, name at 24.
    const auto bad = hex("00000000 1800 0400 0000 1000 08000000 0000000000000000 52714c73");
    EXPECT_FALSE(contexts_parse(bad));
    // Data not on a multiple of eight.
    const auto odd = hex("00000000 1000 0400 0000 1400 04000000 52714c73 00000000");
    EXPECT_FALSE(contexts_parse(odd));
}

TEST(Lists, WriterInFixedMemoryStopsWhereItIsFull) {
    std::vector<std::byte> memory(64, std::byte{0xEE});
    NextListWriter list(MutableBytes(memory), message_alignment);
    const std::vector<std::byte> name = hex("61626364");
    CreateContext context;
    context.name = name;
    ASSERT_TRUE(list.add(context));  // 20 bytes
    ASSERT_TRUE(list.add(context));  // padded to 24, then 20
    EXPECT_EQ(list.size(), 44U);
    const std::vector<std::byte> before(memory.begin(), memory.begin() + 44);
    EXPECT_FALSE(list.add(context));  // would need 48 + 20
    EXPECT_EQ(list.size(), 44U);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), memory.begin()));
    EXPECT_EQ(to_hex(Bytes(memory).first(4)), "18000000");
    EXPECT_EQ(to_hex(Bytes(memory).subspan(20, 8)), "0000000000000000");  // padding is zeroed
    std::size_t count = 0;
    EXPECT_TRUE(contexts_parse(Bytes(memory).first(list.size()), &count));
    EXPECT_EQ(count, 2U);
}

TEST(Lists, ReaderEndsOnLoopsAndBadDistances) {
    const auto walk_list = [](std::string_view text, std::size_t alignment) {
        const std::vector<std::byte> bytes = hex(text);
        NextListReader reader(bytes, alignment, 8);
        Bytes entry;
        while (reader.next(entry)) {
        }
        return reader.ok();
    };
    EXPECT_TRUE(walk_list("", 4));
    EXPECT_TRUE(walk_list("00000000", 4));
    EXPECT_TRUE(walk_list("04000000 00000000", 4));
    EXPECT_FALSE(walk_list("04000000", 4));           // points to the end
    EXPECT_FALSE(walk_list("04000000 0000", 4));      // half a Next
    EXPECT_FALSE(walk_list("03000000 00000000", 1));  // into itself
    EXPECT_FALSE(walk_list("06000000 0000 00000000", 4));
    EXPECT_FALSE(walk_list("ffffffff 00000000", 1));
}

TEST(Writer, SaysWhenMemoryIsTooSmall) {
    std::array<std::byte, 10> memory{};
    const Result<std::size_t> built = build(TreeConnectResponse{}, memory);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error(), NtStatus::BUFFER_TOO_SMALL);
    EXPECT_EQ(built_size(TreeConnectResponse{}), 16U);
}

TEST(Writer, RefusesWhatDoesNotFitItsField) {
    const std::vector<std::byte> huge(0x10000);
    SessionSetupResponse response;
    response.security_buffer = huge;
    std::vector<std::byte> body;
    const Result<std::size_t> built = append(response, body);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error(), NtStatus::INTERNAL_ERROR);
}

TEST(Writer, MessageInOneBuffer) {
    std::array<std::byte, 128> memory{};
    Header header;
    header.command = Command::read;
    ReadResponse response;
    response.data = Payload::outside(7);
    const Result<std::size_t> size = build_message(header, response, memory);
    ASSERT_TRUE(size);
    EXPECT_EQ(*size, 80U);
    EXPECT_EQ(std::to_integer<int>(memory[66]), 80);
}

TEST(Smb1, NegotiateThatLeadsToSmb2_3_3_5_3) {
    const std::string_view dialects[] = {"NT LM 0.12", smb1_dialect_202, smb1_dialect_wildcard};
    const std::vector<std::byte> message = make_smb1_negotiate(dialects);
    EXPECT_EQ(message_kind(message), MessageKind::smb1);
    const Result<Smb1Negotiate> found = parse_smb1_negotiate(message);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->smb_2_002);
    EXPECT_TRUE(found->smb_2_wildcard);
    for (std::size_t size = 0; size < message.size(); ++size) {
        EXPECT_FALSE(parse_smb1_negotiate(exactly(Bytes(message).first(size)))) << size;
    }
    const std::string_view old[] = {"NT LM 0.12"};
    const Result<Smb1Negotiate> none = parse_smb1_negotiate(make_smb1_negotiate(old));
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->smb_2_002 || none->smb_2_wildcard);
}

TEST(Smb1, OtherCommandsAndBadStringsAreRefused) {
    const std::string_view dialects[] = {smb1_dialect_202};
    std::vector<std::byte> message = make_smb1_negotiate(dialects);
    std::vector<std::byte> other = message;
    other[4] = std::byte{0x73};
    EXPECT_FALSE(parse_smb1_negotiate(other));
    std::vector<std::byte> unterminated = message;
    unterminated.back() = std::byte{'x'};
    EXPECT_FALSE(parse_smb1_negotiate(unterminated));
    std::vector<std::byte> format = message;
    format[35] = std::byte{0x04};
    EXPECT_FALSE(parse_smb1_negotiate(format));
}

}  // namespace smb3d::wire::test
