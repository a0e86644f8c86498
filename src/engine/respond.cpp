#include "engine/respond.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/log.h"
#include "crypto/batch.h"
#include "engine/connection.h"
#include "engine/outbox.h"
#include "engine/request_chain.h"
#include "engine/server_impl.h"
#include "wire/error.h"

namespace smb3d::engine {

namespace {

std::size_t part_size(const Response& response) {
    return response.head.size() + response.data.size();
}

// Lengthens a part that is not the last to the next multiple of 8 bytes; the padding is zeros and
// counts as its own.  A head that is the part's end is followed by nothing of anybody else's.
void pad(Connection& connection, BufferChain& pieces, std::size_t size, bool head_ends) {
    const std::size_t rest = size % wire::message_alignment;
    if (rest == 0) return;
    const std::size_t missing = wire::message_alignment - rest;
    Buffer& last = pieces.back();
    const std::size_t before = last.size();
    if (head_ends && last.extend(before + missing)) {
        std::memset(last.data() + before, 0, missing);
        return;
    }
    Buffer zeros = connection.loop().buffers().allocate(missing);
    if (zeros.empty()) zeros = make_heap_buffer(missing);
    std::memset(zeros.data(), 0, zeros.size());
    pieces.push_back(std::move(zeros));
}

void set_next_command(const Response& response, std::size_t next) {
    const auto value = static_cast<std::uint32_t>(next);
    wire::detail::to_little(response.head.data() + wire::next_command_offset, value);
}

void mark_signed(const OutgoingPart& part) {
    std::byte* const head = part.response.head.data();
    auto flags = wire::detail::from_little<std::uint32_t>(head + wire::header_flags_offset);
    flags |= wire::header_flags::signed_message;
    wire::detail::to_little(head + wire::header_flags_offset, flags);
}

void sign(const OutgoingPart& part, std::span<const Buffer> pieces) {
    std::byte* const head = part.response.head.data();
    mark_signed(part);
    const Result<crypto::Signature> signature = part.signer->sign(pieces, part.fields);
    // Without a signature the client drops the response: a failing crypto library is not survivable
    // here.
    if (signature) std::memcpy(head + wire::signature_offset, signature->data(), signature->size());
}

// [MS-SMB2] 3.1.4.3: Encrypting the Message: puts the transform header before it; false if there is
// no memory for one.
bool add_transform(Connection& connection, const Session& session, BufferChain& pieces) {
    wire::TransformHeader header;
    header.original_message_size = static_cast<std::uint32_t>(chain_size(pieces));
    header.session_id = session.id;
    Buffer transform = connection.loop().buffers().allocate(wire::transform_header_size);
    if (transform.empty()) return false;
    if (!wire::build(header, transform.mutable_bytes())) return false;
    pieces.push_front(std::move(transform));
    return true;
}

bool seal_pieces(const Session& session, std::span<Buffer> pieces) {
    const std::span<std::byte, crypto::Aead::transform_size> head(pieces[0].data(),
                                                                  pieces[0].size());
    return session.keys.encryption->seal(head, std::span<const Buffer>(pieces.subspan(1)))
        .has_value();
}

}  // namespace

bool seal_message(Connection& connection, Session& session, BufferChain& pieces) {
    return add_transform(connection, session, pieces) && seal_pieces(session, pieces);
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

void send_parts(Connection& connection, std::span<OutgoingPart> parts,
                const std::shared_ptr<Session>& seal) {
    BufferChain pieces;
    Outbox& outbox = connection.local().outbox;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        OutgoingPart& part = parts[i];
        const std::size_t begin = pieces.size();
        const std::size_t size = part_size(part.response);
        const bool head_ends = part.response.data.empty();
        pieces.push_back(part.response.head);
        if (!head_ends) pieces.push_back(std::move(part.response.data));
        if (i + 1 < parts.size()) {
            pad(connection, pieces, size, head_ends);
            set_next_command(part.response, wire::detail::aligned(size, wire::message_alignment));
        }
        const bool signs = part.signer && seal == nullptr;
        if (signs && parts.size() == 1 && part.hash == nullptr &&
            crypto::gains_from_company(*part.signer)) {
            mark_signed(part);
            return outbox.add_to_sign(connection, std::move(pieces), std::move(part.signer),
                                      part.fields);
        }
        if (signs) sign(part, std::span(pieces).subspan(begin));
        if (part.hash != nullptr) {
            part.hash->update(std::span<const Buffer>(pieces).subspan(begin));
        }
    }
    if (seal != nullptr) {
        const bool headed = add_transform(connection, *seal, pieces);
        if (headed && crypto::gains_from_company(*seal->keys.encryption)) {
            return outbox.add_to_seal(connection, std::move(pieces), seal);
        }
        if (!headed || !seal_pieces(*seal, pieces)) {
            connection.disconnect("a response could not be encrypted");
            return;
        }
    }
    connection.send(std::move(pieces));
}

}  // namespace smb3d::engine
