#include "engine/respond.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/log.h"
#include "crypto/random.h"
#include "engine/connection.h"
#include "engine/request_chain.h"
#include "wire/error.h"

namespace smb3d::engine {

namespace {

std::size_t part_size(const Response& response) {
    return response.head.size() + response.data.size();
}

// Lengthens a part that is not the last to the next multiple of 8 bytes; the padding is zeros and
// counts as its own.
void pad(Connection& connection, BufferChain& pieces, std::size_t size) {
    const std::size_t rest = size % wire::message_alignment;
    if (rest == 0) return;
    Buffer zeros = connection.loop().buffers().allocate(wire::message_alignment - rest);
    if (zeros.empty()) zeros = make_heap_buffer(wire::message_alignment - rest);
    std::memset(zeros.data(), 0, zeros.size());
    pieces.push_back(std::move(zeros));
}

void set_next_command(const Response& response, std::size_t next) {
    const auto value = static_cast<std::uint32_t>(next);
    wire::detail::to_little(response.head.data() + wire::next_command_offset, value);
}

void sign(const OutgoingPart& part, std::span<const Buffer> pieces) {
    std::byte* const head = part.response.head.data();
    auto flags = wire::detail::from_little<std::uint32_t>(head + wire::header_flags_offset);
    flags |= wire::header_flags::signed_message;
    wire::detail::to_little(head + wire::header_flags_offset, flags);
    const Result<crypto::Signature> signature = part.signer->sign(pieces, part.fields);
    // Without a signature the client drops the response: a failing crypto library is not survivable
    // here.
    if (signature) std::memcpy(head + wire::signature_offset, signature->data(), signature->size());
}

}  // namespace

// [MS-SMB2] 3.1.4.3: Encrypting the Message.
bool seal_message(Connection& connection, Session& session, BufferChain& pieces) {
    wire::TransformHeader header;
    header.original_message_size = static_cast<std::uint32_t>(chain_size(pieces));
    header.session_id = session.id;
    Buffer transform = connection.loop().buffers().allocate(wire::transform_header_size);
    if (transform.empty()) return false;
    if (!wire::build(header, transform.mutable_bytes())) return false;
    const std::span<std::byte, crypto::Aead::transform_size> head(transform.data(),
                                                                  transform.size());
    if (!session.keys.encryption->seal(head, std::span<const Buffer>(pieces))) return false;
    pieces.insert(pieces.begin(), std::move(transform));
    return true;
}

void write_header(Call& call, Response& response) {
    wire::Header header;
    header.credit_charge = call.header.credit_charge;
    header.status = static_cast<std::uint32_t>(response.status);
    header.command = call.header.command;
    // [MS-SMB2] 3.3.4.2: an asynchronous response's credits went with the interim one.
    header.credits =
        call.async_id != 0 ? std::uint16_t{0} : call.connection.window.grant(call.header.credits);
    header.flags = wire::header_flags::server_to_redir |
                   (call.header.flags &
                    (wire::header_flags::related_operations | wire::header_flags::priority_mask));
    header.message_id = call.header.message_id;
    if (call.async_id != 0) {
        header.flags |= wire::header_flags::async_command;
        header.async_id = call.async_id;
    } else {
        header.process_id = call.header.process_id;
        header.tree_id = call.response_tree_id != 0 ? call.response_tree_id : call.header.tree_id;
    }
    header.session_id =
        call.response_session_id != 0 ? call.response_session_id : call.header.session_id;
    const Result<std::size_t> built = wire::build(header, response.head.mutable_bytes());
    assert(built);
    static_cast<void>(built);
}

Response error_response(Call& call, NtStatus status) {
    Result<Response> response = reply(call, wire::ErrorResponse{}, {}, status);
    if (response) return std::move(*response);
    // The pool is empty: an answer is small and owed all the same.
    Response last;
    last.status = status;
    const std::vector<std::byte> body = wire::to_bytes(wire::ErrorResponse{});
    last.head = make_heap_buffer(wire::header_size + body.size());
    std::copy(body.begin(), body.end(), last.head.data() + wire::header_size);
    return last;
}

Response interim_response(Call& call) {
    Response response = error_response(call, NtStatus::PENDING);
    const std::uint64_t async_id = std::exchange(call.async_id, 0);
    // Credits are granted here, the asynchronous header is set here: both hang on async_id in
    // write_header().
    const std::uint16_t credits = call.connection.window.grant(call.header.credits);
    call.async_id = async_id;
    write_header(call, response);
    wire::Header header = *wire::parse<wire::Header>(response.head.bytes());
    header.credits = credits;
    const auto built = wire::build(header, response.head.mutable_bytes());
    assert(built);
    static_cast<void>(built);
    return response;
}

void send_parts(Connection& connection, std::span<OutgoingPart> parts, Session* seal) {
    BufferChain pieces;
    pieces.reserve(parts.size() * 3 + 1);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        OutgoingPart& part = parts[i];
        const std::size_t begin = pieces.size();
        const std::size_t size = part_size(part.response);
        pieces.push_back(part.response.head);
        if (!part.response.data.empty()) pieces.push_back(std::move(part.response.data));
        if (i + 1 < parts.size()) {
            pad(connection, pieces, size);
            set_next_command(part.response, wire::detail::aligned(size, wire::message_alignment));
        }
        if (part.signer && seal == nullptr) sign(part, std::span(pieces).subspan(begin));
        if (part.hash != nullptr) {
            part.hash->update(std::span<const Buffer>(pieces).subspan(begin));
        }
    }
    if (seal != nullptr && !seal_message(connection, *seal, pieces)) {
        connection.disconnect("a response could not be encrypted");
        return;
    }
    connection.send(std::move(pieces));
}

}  // namespace smb3d::engine
