// NEGOTIATE: [MS-SMB2] 3.3.5.4, and the SMB1 NEGOTIATE before it: 3.3.5.3.
#include <algorithm>

#include "base/filetime.h"
#include "base/log.h"
#include "crypto/random.h"
#include "engine/cmd/handlers.h"
#include "engine/cmd/smb1_negotiate.h"
#include "engine/connection.h"
#include "engine/respond.h"
#include "engine/server_impl.h"
#include "wire/negotiate_context.h"
#include "wire/smb1_negotiate.h"

namespace smb3d::engine {

namespace {

constexpr std::array all_dialects = {Dialect::smb311, Dialect::smb302, Dialect::smb300,
                                     Dialect::smb210, Dialect::smb202};

std::uint16_t revision(Dialect dialect) { return static_cast<std::uint16_t>(dialect); }

bool allowed(const ServerConfig& config, Dialect dialect) {
    return dialect >= config.min_dialect && dialect <= config.max_dialect;
}

// [MS-SMB2] 3.3.5.4: the greatest dialect that both sides implement.
std::optional<Dialect> choose_dialect(const ServerConfig& config,
                                      const wire::NegotiateRequest& request) {
    for (const Dialect dialect : all_dialects) {
        if (allowed(config, dialect) && request.offers(revision(dialect))) return dialect;
    }
    return std::nullopt;
}

// The first of ours that the client offers: the administrator's order counts.
template <class T>
std::optional<T> choose(const std::vector<T>& ours, const std::vector<std::uint16_t>& theirs) {
    for (const T candidate : ours) {
        const auto id = static_cast<std::uint16_t>(candidate);
        if (std::find(theirs.begin(), theirs.end(), id) != theirs.end()) return candidate;
    }
    return std::nullopt;
}

// [MS-SMB2] 3.3.5.4, "processing of the negotiate contexts": settles cipher and signing algorithm;
// yields the contexts of the response.
Result<wire::NegotiateContexts> settle_contexts(Call& call, const wire::NegotiateRequest& request) {
    Negotiated& negotiated = call.connection.negotiated;
    const ServerConfig& config = call.config();
    const Result<wire::NegotiateContexts> asked = wire::decode(request.negotiate_contexts);
    if (!asked) return fail(asked.error());
    wire::NegotiateContexts answer;

    if (!asked->preauth_integrity) return fail(NtStatus::INVALID_PARAMETER);
    const auto& hashes = asked->preauth_integrity->hash_algorithms;
    if (std::find(hashes.begin(), hashes.end(), wire::hash_sha512) == hashes.end()) {
        return fail(NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
    }
    auto& preauth = answer.preauth_integrity.emplace();
    preauth.hash_algorithms = {wire::hash_sha512};
    preauth.salt.resize(32);
    crypto::random_bytes(std::as_writable_bytes(std::span(preauth.salt)));

    if (asked->encryption && config.encryption != Encryption::off) {
        negotiated.cipher =
            choose(config.ciphers, asked->encryption->ciphers).value_or(Cipher::none);
        // No common cipher is said with a zero.
        answer.encryption.emplace().ciphers = {static_cast<std::uint16_t>(negotiated.cipher)};
    }
    negotiated.signing = SigningAlgorithm::aes_cmac;
    if (asked->signing) {
        if (asked->signing->signing_algorithms.empty()) return fail(NtStatus::INVALID_PARAMETER);
        const auto chosen = choose(config.signing_algorithms, asked->signing->signing_algorithms);
        if (chosen) {
            negotiated.signing = *chosen;
            answer.signing.emplace().signing_algorithms = {static_cast<std::uint16_t>(*chosen)};
        }
    }
    if (asked->compression) {
        // Compression is not offered: answered with "none".
        if (asked->compression->compression_algorithms.empty()) {
            return fail(NtStatus::INVALID_PARAMETER);
        }
        answer.compression.emplace().compression_algorithms = {wire::compression::none};
    }
    if (asked->transport && call.connection.link().secure() &&
        (asked->transport->flags & wire::accept_transport_level_security) != 0) {
        answer.transport.emplace().flags = wire::accept_transport_level_security;
    }
    // NETNAME says which name the client used: nothing to settle.  RDMA_TRANSFORM, POSIX: not
    // offered, so no answer.
    return answer;
}

std::uint32_t server_capabilities(const Negotiated& negotiated, const ServerConfig& config) {
    std::uint32_t bits = 0;
    if (negotiated.dialect >= Dialect::smb210) bits |= wire::capabilities::large_mtu;
    if (negotiated.dialect >= Dialect::smb210 && config.leases) {
        bits |= wire::capabilities::leasing;
    }
    // 3.3.5.4: if the client has it, too.
    if (negotiated.smb3() && config.leases && config.directory_leases &&
        (negotiated.client_capabilities & wire::capabilities::directory_leasing) != 0) {
        bits |= wire::capabilities::directory_leasing;
    }
    // 3.1.1 has a negotiate context instead.
    if ((negotiated.dialect == Dialect::smb300 || negotiated.dialect == Dialect::smb302) &&
        negotiated.cipher != Cipher::none && config.encryption != Encryption::off) {
        bits |= wire::capabilities::encryption;
    }
    // 3.3.5.4: if the client has it, too.
    if (negotiated.smb3() && config.persistent_handles) {
        bits |= negotiated.client_capabilities & wire::capabilities::persistent_handles;
    }
    if (negotiated.smb3() && config.multichannel) bits |= wire::capabilities::multi_channel;
    if (negotiated.supports_notifications) bits |= wire::capabilities::notifications;
    return bits;
}

void settle(Negotiated& negotiated, const ServerConfig& config, Dialect dialect) {
    negotiated.dialect = dialect;
    if (dialect == Dialect::smb300 || dialect == Dialect::smb302) {
        negotiated.signing = SigningAlgorithm::aes_cmac;
        const bool ccm = std::find(config.ciphers.begin(), config.ciphers.end(),
                                   Cipher::aes128_ccm) != config.ciphers.end();
        const bool asked = (negotiated.client_capabilities & wire::capabilities::encryption) != 0;
        if (asked && ccm && config.encryption != Encryption::off) {
            negotiated.cipher = Cipher::aes128_ccm;
        }
    }
    negotiated.supports_multi_credit = dialect >= Dialect::smb210;
    negotiated.supports_notifications =
        dialect == Dialect::smb311 &&
        (negotiated.client_capabilities & wire::capabilities::notifications) != 0;
    negotiated.max_transact = dialect == Dialect::smb202
                                  ? static_cast<std::uint32_t>(limits::max_transact_202)
                                  : config.max_transact;
    negotiated.server_security_mode = wire::security_mode::signing_enabled;
    if (config.signing_required) {
        negotiated.server_security_mode |= wire::security_mode::signing_required;
    }
    negotiated.server_capabilities = server_capabilities(negotiated, config);
}

wire::NegotiateResponse make_response(const Negotiated& negotiated, const ServerConfig& config,
                                      std::uint16_t dialect_revision, Bytes hint) {
    wire::NegotiateResponse response;
    response.security_mode = negotiated.server_security_mode;
    response.dialect_revision = dialect_revision;
    response.server_guid = config.guid;
    response.capabilities = negotiated.server_capabilities;
    response.max_transact_size = negotiated.max_transact;
    response.max_read_size = negotiated.max_transact;
    response.max_write_size = negotiated.max_transact;
    response.system_time = filetime_now();
    response.security_buffer = hint;
    return response;
}

}  // namespace

Reply negotiate(Call& call, wire::NegotiateRequest request) {
    Negotiated& negotiated = call.connection.negotiated;
    if (negotiated.done) {
        call.connection.disconnect("a second NEGOTIATE");
        co_return fail(NtStatus::INVALID_PARAMETER);
    }
    const ServerConfig& config = call.config();
    if (request.dialects.empty()) co_return fail(NtStatus::INVALID_PARAMETER);
    const std::optional<Dialect> dialect = choose_dialect(config, request);
    if (!dialect) {
        log::info(log::Component::engine,
                  "{}: none of the client's dialects is allowed here (min_dialect, max_dialect)",
                  call.connection.peer());
        co_return fail(NtStatus::NOT_SUPPORTED);
    }
    negotiated.client_guid = request.client_guid;
    negotiated.client_security_mode = request.security_mode;
    negotiated.client_capabilities = request.capabilities;
    negotiated.client_dialects = request.dialects;
    wire::NegotiateContexts contexts;
    if (*dialect == Dialect::smb311) {
        Result<wire::NegotiateContexts> settled = settle_contexts(call, request);
        if (!settled) co_return fail(settled.error());
        contexts = std::move(*settled);
    }
    settle(negotiated, config, *dialect);
    negotiated.done = true;
    // Clients of 3.x are known by their GUID; that of others may be zero.
    if (negotiated.smb3()) {
        call.server().client_negotiated(negotiated.client_guid, call.connection.id());
    }

    const std::vector<std::byte> hint = call.connection.local().authority->hint();
    wire::NegotiateResponse response = make_response(negotiated, config, revision(*dialect), hint);
    const wire::NegotiateContextBuilder builder(contexts);
    if (*dialect == Dialect::smb311) {
        response.negotiate_contexts = builder.contexts();
        negotiated.preauth.update(call.message);
        call.hash_response = &negotiated.preauth;
    }
    log::debug(log::Component::engine, "{}: negotiated dialect {:#06x}", call.connection.peer(),
               revision(*dialect));
    co_return reply(call, response);
}

// [MS-SMB2] 3.3.5.3.1, 3.3.5.3.2: the answer is an SMB2 response to message 0.
void smb1_negotiate(Connection& connection, Bytes message) {
    const ServerConfig& config = *connection.local().config;
    Negotiated& negotiated = connection.negotiated;
    const Result<wire::Smb1Negotiate> request = wire::parse_smb1_negotiate(message);
    if (!request || negotiated.done || negotiated.wildcard_sent ||
        !config.multi_protocol_negotiate) {
        connection.disconnect("an SMB1 message");
        return;
    }
    std::uint16_t dialect = 0;
    if (request->smb_2_wildcard && config.max_dialect >= Dialect::smb210) {
        dialect = wire::dialect::wildcard;
        negotiated.wildcard_sent = true;
        settle(negotiated, config, Dialect::smb210);
        negotiated.supports_multi_credit = false;  // until the SMB2 NEGOTIATE settles it
    } else if (request->smb_2_002 && allowed(config, Dialect::smb202)) {
        dialect = wire::dialect::smb202;
        settle(negotiated, config, Dialect::smb202);
        negotiated.done = true;
    } else {
        connection.disconnect("a client that speaks no SMB2 dialect allowed here");
        return;
    }
    if (!connection.window.consume(0, 1)) {
        connection.disconnect("an SMB1 NEGOTIATE after other messages");
        return;
    }
    const std::vector<std::byte> hint = connection.local().authority->hint();
    const wire::NegotiateResponse response = make_response(negotiated, config, dialect, hint);
    wire::Header header;
    header.command = wire::Command::negotiate;
    header.flags = wire::header_flags::server_to_redir;
    header.credits = connection.window.grant(1);
    Buffer out = make_heap_buffer(wire::header_size + wire::built_size(response));
    if (!wire::build_message(header, response, out.mutable_bytes())) {
        connection.disconnect("the NEGOTIATE response could not be built");
        return;
    }
    BufferChain chain;
    chain.push_back(std::move(out));
    connection.send(std::move(chain));
}

}  // namespace smb3d::engine
