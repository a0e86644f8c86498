// Bytes written by hand from the specification's field tables: that the order and width of fields
// are right, which a round trip cannot tell.
#include <gtest/gtest.h>

#include "unit/wire/filler.h"
#include "unit/wire/hex.h"
#include "wire/message_list.h"

namespace smb3d::wire::test {

TEST(Vectors, SyncHeader_2_2_1_2) {
    Header header;
    header.credit_charge = 0x0201;
    header.status = 0xC0000022;
    header.command = Command::read;
    header.credits = 0x0403;
    header.flags = header_flags::server_to_redir | header_flags::signed_message;
    header.next_command = 0x08070605;
    header.message_id = 0x1817161514131211;
    header.process_id = 0x0000FEFF;
    header.tree_id = 0x24232221;
    header.session_id = 0x3837363534333231;
    for (std::size_t i = 0; i < signature_size; ++i) {
        header.signature[i] = static_cast<std::uint8_t>(0xA0 + i);
    }
    const std::vector<std::byte> bytes = to_bytes(header);
    EXPECT_EQ(to_hex(bytes),
              "fe534d42400001022200"
              "00c0080003040900000005060708"
              "1112131415161718fffe000021222324"
              "3132333435363738a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
    EXPECT_EQ(bytes.size(), header_size);
    EXPECT_EQ(std::to_integer<int>(bytes[signature_offset]), 0xA0);
    EXPECT_EQ(std::to_integer<int>(bytes[header_flags_offset]), 0x09);
    EXPECT_EQ(std::to_integer<int>(bytes[next_command_offset]), 0x05);
}

TEST(Vectors, AsyncHeader_2_2_1_1) {
    const auto bytes =
        hex("fe534d42 4000 0100 03010000 0f00 0100 03000000 00000000 0500000000000000"
            "0807060504030201 1100000000040000 00000000000000000000000000000000");
    const Result<Header> header = parse<Header>(bytes);
    ASSERT_TRUE(header);
    EXPECT_TRUE(header->is_async());
    EXPECT_TRUE(header->is_response());
    EXPECT_EQ(header->async_id, 0x0102030405060708U);
    EXPECT_EQ(header->nt_status(), NtStatus::PENDING);
    EXPECT_EQ(header->command, Command::change_notify);
    EXPECT_EQ(header->tree_id, 0U);
}

TEST(Vectors, HeaderRefusesOtherProtocols) {
    std::vector<std::byte> bytes = to_bytes(Header{});
    bytes[0] = std::byte{0xFF};
    EXPECT_FALSE(parse<Header>(bytes));
    EXPECT_EQ(message_kind(bytes), MessageKind::smb1);
    bytes[0] = std::byte{0xFC};
    EXPECT_EQ(message_kind(bytes), MessageKind::compressed);
    bytes[0] = std::byte{0xFE};
    bytes[4] = std::byte{65};
    EXPECT_FALSE(parse<Header>(bytes));
}

TEST(Vectors, TransformHeader_2_2_41) {
    TransformHeader header;
    header.signature.fill(0x11);
    header.nonce.fill(0x22);
    header.original_message_size = 0x01020304;
    header.session_id = 0x0807060504030201;
    const std::vector<std::byte> bytes = to_bytes(header);
    EXPECT_EQ(to_hex(bytes), "fd534d42" + std::string(32, '1') + std::string(32, '2') +
                                 "04030201"
                                 "00000100"
                                 "0102030405060708");
    EXPECT_EQ(bytes.size(), transform_header_size);
    EXPECT_EQ(std::to_integer<int>(bytes[transform_aad_offset]), 0x22);
    EXPECT_EQ(message_kind(bytes), MessageKind::transform);
}

TEST(Vectors, NegotiateRequest311_2_2_3) {
    const std::vector<std::byte> bytes = behind_header(
        "2400 0200 0100 0000 7f000000 000102030405060708090a0b0c0d0e0f"
        "68000000 0200 0000"
        "0203 1103"
        // padding is none: the dialects end at 104
        // preauth at 104 = 0x68
        "0100 0600 00000000 0100 0000 0100"
        "0000"
        // encryption
        "0200 0600 00000000 0200 0200 0100");
    const Result<NegotiateRequest> request = parse<NegotiateRequest>(bytes);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->security_mode, security_mode::signing_enabled);
    EXPECT_EQ(request->capabilities, 0x7FU);
    EXPECT_EQ(request->client_guid[15], 0x0F);
    EXPECT_EQ(request->dialects, (std::vector<std::uint16_t>{0x0302, 0x0311}));
    const Result<NegotiateContexts> contexts = decode(request->negotiate_contexts);
    ASSERT_TRUE(contexts);
    ASSERT_TRUE(contexts->preauth_integrity && contexts->encryption);
    EXPECT_EQ(contexts->preauth_integrity->hash_algorithms.at(0), hash_sha512);
    EXPECT_EQ(contexts->encryption->ciphers,
              (std::vector<std::uint16_t>{cipher::aes_128_gcm, cipher::aes_128_ccm}));
}

// Without 3.1.1 the context fields are ClientStartTime and may hold anything.
TEST(Vectors, NegotiateRequest30ClientStartTime) {
    const Result<NegotiateRequest> request = parse<NegotiateRequest>(behind_header(
        "2400 0100 0100 0000 00000000 000102030405060708090a0b0c0d0e0f ffffffffffffffff 0003"));
    ASSERT_TRUE(request);
    EXPECT_TRUE(request->negotiate_contexts.empty());
}

TEST(Vectors, NegotiateResponse_2_2_4) {
    NegotiateContexts contexts;
    contexts.preauth_integrity.emplace();
    contexts.preauth_integrity->hash_algorithms = {hash_sha512};
    contexts.preauth_integrity->salt = {0xAA, 0xBB};
    contexts.signing.emplace();
    contexts.signing->signing_algorithms = {signing::aes_gmac};
    const NegotiateContextBuilder builder(contexts);
    const std::vector<std::byte> token = hex("010203");
    NegotiateResponse response;
    response.security_mode = 1;
    response.dialect_revision = dialect::smb311;
    response.max_transact_size = 0x00800000;
    response.max_read_size = 0x00400000;
    response.max_write_size = 0x00200000;
    response.system_time = 5;
    response.security_buffer = token;
    response.negotiate_contexts = builder.contexts();
    std::vector<std::byte> body;
    ASSERT_TRUE(append(response, body));
    EXPECT_EQ(to_hex(body),
              "4100"
              "0100"
              "1103"
              "0200" +
                  std::string(32, '0') +
                  "00000000"
                  "00008000"
                  "00004000"
                  "00002000"
                  "0500000000000000"
                  "0000000000000000"
                  "8000"
                  "0300"
                  "88000000"
                  "010203"
                  "0000000000"
                  // at 0x88
                  "0100080000000000"
                  "010002000100aabb"
                  "0800040000000000"
                  "01000200");
}

TEST(Vectors, SessionSetupRequest_2_2_5) {
    const std::vector<std::byte> message =
        behind_header("1900 01 02 01000000 00000000 5800 0400 1122334455667788 4e544c4d");
    const Result<SessionSetupRequest> request = parse<SessionSetupRequest>(message);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->flags, session_flag_binding);
    EXPECT_EQ(request->security_mode, 2);
    EXPECT_EQ(request->capabilities, 1U);
    EXPECT_EQ(request->previous_session_id, 0x8877665544332211U);
    EXPECT_EQ(to_hex(request->security_buffer), "4e544c4d");
}

TEST(Vectors, TreeConnect_2_2_9) {
    const std::vector<std::byte> message = behind_header("0900 0000 4800 0400 5c005c00");
    const Result<TreeConnectRequest> request = parse<TreeConnectRequest>(message);
    ASSERT_TRUE(request);
    EXPECT_EQ(to_hex(request->path_name), "5c005c00");
    TreeConnectResponse response;
    response.share_type = ShareType::pipe;
    response.share_flags = share_flags::no_caching;
    response.capabilities = share_capabilities::dfs;
    response.maximal_access = 0x001F01FF;
    EXPECT_EQ(to_hex(to_bytes(response)),
              "1000020030000000"
              "08000000ff011f00");
}

TEST(Vectors, CreateRequest_2_2_13) {
    const std::vector<std::byte> name = utf16("a");
    CreateContextBuilder contexts;
    contexts.add(tag::mxac, Bytes{});
    contexts.add(tag::alsi, AllocationSize{0x1000});
    CreateRequest request;
    request.requested_oplock_level = OplockLevel::lease;
    request.desired_access = 0x00120089;
    request.file_attributes = 0x80;
    request.share_access = share_access::all;
    request.create_disposition = CreateDisposition::open_if;
    request.create_options = create_options::non_directory_file;
    request.name = name;
    request.create_contexts = contexts.bytes();
    std::vector<std::byte> body;
    ASSERT_TRUE(append(request, body));
    EXPECT_EQ(to_hex(body),
              "390000ff02000000"
              "0000000000000000"
              "0000000000000000"
              "8900120080000000"
              "0700000003000000"
              "40000000"
              "7800"
              "0200"
              "80000000"
              "38000000"
              "6100"
              "000000000000"
              // MxAc, no data
              "18000000"
              "1000040000000000"
              "00000000"
              "4d784163"
              "00000000"
              // AlSi
              "00000000"
              "1000040000001800"
              "08000000"
              "416c5369"
              "00000000"
              "0010000000000000");
}

TEST(Vectors, CreateResponse_2_2_14) {
    CreateResponse response;
    response.oplock_level = OplockLevel::batch;
    response.create_action = CreateAction::created;
    response.creation_time = 1;
    response.last_access_time = 2;
    response.last_write_time = 3;
    response.change_time = 4;
    response.allocation_size = 5;
    response.end_of_file = 6;
    response.file_attributes = 7;
    response.file_id = {8, 9};
    std::vector<std::byte> body;
    ASSERT_TRUE(append(response, body));
    EXPECT_EQ(to_hex(body),
              "5900090002000000"
              "0100000000000000"
              "0200000000000000"
              "0300000000000000"
              "0400000000000000"
              "0500000000000000"
              "0600000000000000"
              "0700000000000000"
              "0800000000000000"
              "0900000000000000"
              "0000000000000000"
              "00");
}

TEST(Vectors, ReadRequest_2_2_19) {
    const Result<ReadRequest> request = parse<ReadRequest>(
        behind_header("3100 50 01 00000100 0010000000000000 0100000000000000 0200000000000000"
                      "01000000 00000000 00000000 0000 0000 00"));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->padding, 0x50);
    EXPECT_EQ(request->flags, read_flags::read_unbuffered);
    EXPECT_EQ(request->length, 0x10000U);
    EXPECT_EQ(request->offset, 0x1000U);
    EXPECT_EQ(request->file_id, (FileId{1, 2}));
    EXPECT_EQ(request->minimum_count, 1U);
}

// The data stays where it is: header and body in one buffer, the data in another.
TEST(Vectors, ReadResponseWithDataOutside_2_2_20) {
    ReadResponse response;
    response.data = Payload::outside(0x10000);
    std::vector<std::byte> body;
    const Result<std::size_t> size = append(response, body);
    ASSERT_TRUE(size);
    EXPECT_EQ(*size, 16U);
    EXPECT_EQ(to_hex(body), "11005000000001000000000000000000");
}

TEST(Vectors, WriteRequest_2_2_21) {
    const std::vector<std::byte> message = behind_header(
        "3100 7000 03000000 0500000000000000 0100000000000000 0200000000000000"
        "00000000 00000000 0000 0000 01000000 aabbcc");
    const Result<WriteRequest> request = parse<WriteRequest>(message);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->offset, 5U);
    EXPECT_EQ(request->flags, write_flags::write_through);
    EXPECT_EQ(to_hex(request->data.bytes), "aabbcc");
    EXPECT_EQ(to_hex(to_bytes(WriteResponse{3, 0})), "1100000003000000000000000000000000");
}

TEST(Vectors, LockRequest_2_2_26) {
    const Result<LockRequest> request =
        parse<LockRequest>(behind_header("3000 0100 12000000 0100000000000000 0200000000000000"
                                         "0300000000000000 0400000000000000 12000000 00000000"));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->lock_sequence_number(), 2);
    EXPECT_EQ(request->lock_sequence_index(), 1U);
    ASSERT_EQ(request->locks.size(), 1U);
    EXPECT_EQ(request->locks[0].offset, 3U);
    EXPECT_EQ(request->locks[0].length, 4U);
    EXPECT_EQ(request->locks[0].flags, lock_flags::exclusive_lock | lock_flags::fail_immediately);
}

TEST(Vectors, IoctlResponseWithoutOutput_2_2_32) {
    IoctlResponse response;
    response.ctl_code = 0x00140204;
    response.file_id = file_id_any;
    EXPECT_EQ(to_hex(to_bytes(response)), "3100000004021400" + std::string(32, 'f') +
                                              "70000000"
                                              "00000000"
                                              "70000000"
                                              "00000000"
                                              "00000000"
                                              "00000000"
                                              "00");
}

TEST(Vectors, QueryDirectoryRequest_2_2_33) {
    const std::vector<std::byte> message = behind_header(
        "2100 25 03 04000000 0100000000000000 0200000000000000 6000 0200 00000100 2a00");
    const Result<QueryDirectoryRequest> request = parse<QueryDirectoryRequest>(message);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->file_information_class, 37);
    EXPECT_EQ(request->flags, 3);
    EXPECT_EQ(request->file_index, 4U);
    EXPECT_EQ(request->output_buffer_length, 0x10000U);
    EXPECT_EQ(to_hex(request->file_name), "2a00");
}

TEST(Vectors, QueryInfoAndSetInfo_2_2_37_2_2_39) {
    const Result<QueryInfoRequest> query = parse<QueryInfoRequest>(
        behind_header("2900 01 05 18000000 0000 0000 00000000 07000000 02000000"
                      "0100000000000000 0200000000000000"));
    ASSERT_TRUE(query);
    EXPECT_EQ(query->info_type, InfoType::file);
    EXPECT_EQ(query->file_info_class, 5);
    EXPECT_EQ(query->output_buffer_length, 0x18U);
    EXPECT_EQ(query->additional_information, 7U);
    EXPECT_EQ(query->flags, 2U);
    const std::vector<std::byte> message = behind_header(
        "2100 01 14 08000000 6000 0000 00000000 0100000000000000 0200000000000000"
        "0010000000000000");
    const Result<SetInfoRequest> set = parse<SetInfoRequest>(message);
    ASSERT_TRUE(set);
    EXPECT_EQ(set->file_info_class, 20);
    EXPECT_EQ(set->buffer.size(), 8U);
}

TEST(Vectors, LeaseBreak_2_2_23_2_2_24) {
    LeaseBreakNotification notification;
    notification.new_epoch = 2;
    notification.flags = break_lease_flag_ack_required;
    notification.lease_key.fill(0x33);
    notification.current_lease_state = 7;
    notification.new_lease_state = 1;
    EXPECT_EQ(to_hex(to_bytes(notification)), "2c00020001000000" + std::string(32, '3') +
                                                  "0700000001000000"
                                                  "000000000000000000000000");
    const std::vector<std::byte> ack = behind_header(
        "2400 0000 00000000 33333333333333333333333333333333 01000000 0000000000000000");
    EXPECT_EQ(structure_size_of(ack), lease_break_acknowledgment_structure_size);
    const Result<LeaseBreakAcknowledgment> parsed = parse<LeaseBreakAcknowledgment>(ack);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->lease_state, lease_state::read_caching);
    EXPECT_FALSE(parse<OplockBreakAcknowledgment>(ack));
}

TEST(Vectors, ErrorResponse_2_2_2) {
    EXPECT_EQ(to_hex(to_bytes(ErrorResponse{})), "090000000000000000");
    const std::vector<std::byte> needed = to_bytes(MinimumBufferLength{0x1234});
    ErrorResponse error;
    error.error_data = needed;
    EXPECT_EQ(to_hex(to_bytes(error)), "090000000400000034120000");
}

TEST(Vectors, ErrorContexts_2_2_2_1) {
    const std::vector<std::byte> data = hex("aabbcc");
    ErrorContexts contexts;
    contexts.contexts = {{error_id_default, data}, {error_id_share_redirect, data}};
    const std::vector<std::byte> bytes = to_bytes(contexts);
    EXPECT_EQ(to_hex(bytes),
              "0300000000000000aabbcc0000000000"
              "0300000053526472aabbcc");
    const Result<ErrorContexts> parsed = parse<ErrorContexts>(bytes);
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->contexts.size(), 2U);
    EXPECT_EQ(to_hex(parsed->contexts[1].error_context_data), "aabbcc");
}

TEST(Vectors, SymbolicLinkError_2_2_2_2_1) {
    SymbolicLinkErrorResponse link;
    link.unparsed_path_length = 6;
    link.flags = SymbolicLinkErrorResponse::flag_relative;
    link.substitute_name = utf16("ab");
    link.print_name = utf16("c");
    const std::vector<std::byte> bytes = to_bytes(link);
    EXPECT_EQ(to_hex(bytes),
              "1e000000"
              "53594d4c"
              "0c0000a0"
              "1200"
              "0600"
              "0000"
              "0400"
              "0400"
              "0200"
              "01000000"
              "61006200"
              "6300");
    const Result<SymbolicLinkErrorResponse> parsed = parse<SymbolicLinkErrorResponse>(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->substitute_name, link.substitute_name);
    EXPECT_EQ(parsed->print_name, link.print_name);
    EXPECT_EQ(parsed->unparsed_path_length, 6);
}

TEST(Vectors, LeaseContexts_2_2_13_2) {
    EXPECT_EQ(built_size(Lease{}), lease_v1_size);
    EXPECT_EQ(built_size(LeaseV2{}), lease_v2_size);
    EXPECT_EQ(built_size(DurableHandleRequestV2{}), 32U);
    EXPECT_EQ(built_size(DurableHandleReconnectV2{}), 36U);
    EXPECT_EQ(built_size(QueryOnDiskIdResponse{}), 32U);
    EXPECT_EQ(built_size(AppInstanceId{}), 20U);
    EXPECT_EQ(built_size(AppInstanceVersion{}), 24U);
    LeaseV2 lease;
    lease.lease_key.fill(0x44);
    lease.lease_state = 7;
    lease.lease_flags = lease_flags::parent_lease_key_set;
    lease.parent_lease_key.fill(0x55);
    lease.epoch = 3;
    EXPECT_EQ(to_hex(to_bytes(lease)), std::string(32, '4') +
                                           "0700000004000000"
                                           "0000000000000000" +
                                           std::string(32, '5') + "03000000");
}

}  // namespace smb3d::wire::test
