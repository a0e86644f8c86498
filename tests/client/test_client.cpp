#include "client/test_client.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/utf16.h"
#include "crypto/kdf.h"
#include "crypto/provider.h"
#include "fscc/file_info.h"
#include "fscc/info_class.h"
#include "wire/compound.h"

namespace smb3d::test {

namespace {

constexpr auto patience = std::chrono::milliseconds(10'000);

void sign_part(MutableBytes part, const crypto::Signer& signer, const wire::Header& header) {
    auto flags = wire::detail::from_little<std::uint32_t>(part.data() + wire::header_flags_offset);
    flags |= wire::header_flags::signed_message;
    wire::detail::to_little(part.data() + wire::header_flags_offset, flags);
    const crypto::SigningFields fields{header.message_id, false,
                                       header.command == wire::Command::cancel};
    const auto signature = signer.sign(Bytes(part), fields);
    if (signature) {
        std::memcpy(part.data() + wire::signature_offset, signature->data(), signature->size());
    }
}

}  // namespace

Message utf16(std::string_view text) {
    const auto units = utf8_to_utf16(text);
    return units ? utf16le_bytes(*units) : Message{};
}

Message header_and_body(const Request& request) {
    Message message = wire::to_bytes(request.header);
    message.insert(message.end(), request.body.begin(), request.body.end());
    return message;
}

TestClient::TestClient(TestServer& server, const std::string& host) : link_(server.connect(host)) {
    client_guid.fill(0xC1);
}

TestClient::~TestClient() {
    if (link_) link_->close();
}

// ---- messages

Request TestClient::make_raw(wire::Command command, Message body, std::uint16_t charge) {
    Request request;
    request.header.command = command;
    request.header.credit_charge = dialect >= wire::dialect::smb210 ? charge : std::uint16_t{0};
    request.header.credits = credits_to_ask;
    request.header.message_id = next_message_id;
    request.header.session_id = session_id;
    request.header.tree_id = tree_id;
    request.header.status = channel_sequence;
    if (replay) request.header.flags |= wire::header_flags::replay_operation;
    request.body = std::move(body);
    request.sign = sign && !encrypt && signer != nullptr;
    next_message_id += std::max<std::uint16_t>(charge, 1);
    return request;
}

std::uint64_t TestClient::send(Request request) {
    return send_compound({std::move(request)}, false).front();
}

std::vector<std::uint64_t> TestClient::send_compound(std::vector<Request> requests, bool related) {
    std::vector<std::uint64_t> ids;
    Message message;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        Request& request = requests[i];
        ids.push_back(request.header.message_id);
        if (related && i > 0) request.header.flags |= wire::header_flags::related_operations;
        Message part = header_and_body(request);
        if (i + 1 < requests.size()) {
            part.resize(wire::detail::aligned(part.size(), wire::message_alignment));
            wire::detail::to_little(part.data() + wire::next_command_offset,
                                    static_cast<std::uint32_t>(part.size()));
        }
        if (request.sign && signer) sign_part(part, *signer, request.header);
        message.insert(message.end(), part.begin(), part.end());
    }
    if (encrypt && seal) message = seal_message(std::move(message));
    link_->send(std::move(message));
    return ids;
}

Message TestClient::seal_message(Message plain) const {
    wire::TransformHeader transform;
    transform.original_message_size = static_cast<std::uint32_t>(plain.size());
    transform.session_id = session_id;
    Message message = wire::to_bytes(transform);
    const std::span<std::byte, crypto::Aead::transform_size> head(message.data(),
                                                                  crypto::Aead::transform_size);
    if (!seal->seal(head, MutableBytes(plain))) return {};
    message.insert(message.end(), plain.begin(), plain.end());
    return message;
}

std::optional<Message> TestClient::receive_message() { return link_->receive(patience); }

bool TestClient::pump() {
    std::optional<Message> message = link_->receive(patience);
    if (!message) return false;
    file(std::move(*message));
    return true;
}

void TestClient::file(Message message) {
    bool encrypted = false;
    if (wire::message_kind(message) == wire::MessageKind::transform) {
        if (!open || message.size() < wire::transform_header_size) return;
        Message plain(message.begin() + wire::transform_header_size, message.end());
        const std::span<const std::byte, crypto::Aead::transform_size> head(
            message.data(), crypto::Aead::transform_size);
        if (!open->open(head, MutableBytes(plain))) return;
        message = std::move(plain);
        encrypted = true;
    }
    wire::ChainReader reader(message);
    wire::ChainPart part;
    while (reader.next(part)) file_part(part.message, part.header, encrypted);
}

void TestClient::file_part(Bytes part, const wire::Header& header, bool encrypted) {
    Reply reply;
    reply.header = header;
    reply.message.assign(part.begin(), part.end());
    reply.lost = false;
    reply.encrypted = encrypted;
    credits += header.credits;
    if (header.is_signed() && signer) {
        reply.was_signed = signer->verify(part, {header.message_id, true, false}).has_value();
        reply.bad_signature = !reply.was_signed;
    }
    reply.arrival = ++arrivals_;
    if (keep_notices && header.message_id == ~std::uint64_t{0}) {
        notices.push_back(std::move(reply));
        return;
    }
    const bool pending = header.is_async() && header.nt_status() == NtStatus::PENDING;
    (pending ? interim_ : final_)[header.message_id] = std::move(reply);
}

bool TestClient::poll() {
    while (std::optional<Message> message = link_->receive(std::chrono::milliseconds(0))) {
        file(std::move(*message));
    }
    return !link_->closed();
}

std::optional<Reply> TestClient::take(std::uint64_t message_id) {
    const auto it = final_.find(message_id);
    if (it == final_.end()) return std::nullopt;
    Reply reply = std::move(it->second);
    final_.erase(it);
    return reply;
}

Reply TestClient::wait(std::uint64_t message_id) {
    while (true) {
        if (auto it = final_.find(message_id); it != final_.end()) {
            Reply reply = std::move(it->second);
            final_.erase(it);
            return reply;
        }
        if (!pump()) return {};
    }
}

Reply TestClient::wait_interim(std::uint64_t message_id) {
    while (!interim_.contains(message_id)) {
        if (final_.contains(message_id) || !pump()) return {};
    }
    return interim_[message_id];
}

void TestClient::cancel(std::uint64_t message_id) {
    Request request = make(wire::CancelRequest{});
    --next_message_id;  // CANCEL uses none
    request.header.credit_charge = 0;
    request.header.credits = 0;
    request.header.message_id = message_id;
    if (auto it = interim_.find(message_id); it != interim_.end()) {
        request.header.flags |= wire::header_flags::async_command;
        request.header.async_id = it->second.header.async_id;
    }
    send(std::move(request));
}

bool TestClient::disconnected() {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline) {
        if (pump()) continue;
        if (link_->closed()) return true;
    }
    return false;
}

// ---- logon

Reply TestClient::negotiate(std::uint16_t wanted) {
    NegotiateOptions options;
    options.dialects = {wanted};
    return negotiate(options);
}

Reply TestClient::negotiate(const NegotiateOptions& options) {
    negotiated_with = options;
    wire::NegotiateRequest request;
    request.dialects = options.dialects;
    request.security_mode = options.security_mode;
    request.capabilities = options.capabilities;
    request.client_guid = client_guid;
    wire::NegotiateContexts contexts;
    if (options.preauth) {
        auto& preauth = contexts.preauth_integrity.emplace();
        preauth.hash_algorithms = {wire::hash_sha512};
        preauth.salt.assign(32, 7);
    }
    if (!options.ciphers.empty()) contexts.encryption.emplace().ciphers = options.ciphers;
    if (!options.signing.empty()) contexts.signing.emplace().signing_algorithms = options.signing;
    const wire::NegotiateContextBuilder builder(contexts);
    if (request.offers(wire::dialect::smb311)) request.negotiate_contexts = builder.contexts();
    Request message = make(request);
    connection_hash_.update(header_and_body(message));
    Reply reply = wait(send(std::move(message)));
    if (!reply.ok()) return reply;
    connection_hash_.update(reply.message);
    const auto response = reply.body<wire::NegotiateResponse>();
    dialect = response.dialect_revision;
    signing_algorithm =
        dialect >= wire::dialect::smb300 ? wire::signing::aes_cmac : wire::signing::hmac_sha256;
    if (dialect == wire::dialect::smb311) {
        const auto answers = wire::decode(response.negotiate_contexts);
        if (answers && answers->encryption) cipher = answers->encryption->ciphers.front();
        if (answers && answers->signing)
            signing_algorithm = answers->signing->signing_algorithms.front();
    } else if ((response.capabilities & wire::capabilities::encryption) != 0) {
        cipher = wire::cipher::aes_128_ccm;
    }
    return reply;
}

Reply TestClient::setup_leg(std::string_view token, std::uint64_t session, bool renewal) {
    wire::SessionSetupRequest setup;
    setup.security_mode = wire::security_mode::signing_enabled;
    setup.security_buffer = std::as_bytes(std::span(token));
    Request request = make(setup);
    request.header.session_id = session;
    request.header.tree_id = 0;
    request.sign = request.sign && renewal;  // the key of another session proves nothing
    session_hash_.update(header_and_body(request));
    Reply reply = wait(send(std::move(request)));
    if (reply.status() == NtStatus::MORE_PROCESSING_REQUIRED) session_hash_.update(reply.message);
    return reply;
}

Reply TestClient::session_setup(std::string_view token, std::uint64_t session) {
    if (session == 0) session_hash_ = connection_hash_;
    Reply reply = setup_leg(token, session, session != 0);
    if (reply.status() == NtStatus::MORE_PROCESSING_REQUIRED) {
        reply = setup_leg(token, reply.header.session_id, session != 0);
    }
    if (!reply.ok()) return reply;
    if (session != 0) return reply;
    session_id = reply.header.session_id;
    const auto response = reply.body<wire::SessionSetupResponse>();
    const bool guest = (response.session_flags & wire::session_flags::is_guest) != 0;
    const bool plain = guest || (response.session_flags & wire::session_flags::is_null) != 0;
    signer.reset();
    if (!guest) derive_keys();
    session_signer = signer;
    if (!plain && reply.header.is_signed()) {
        reply.was_signed =
            signer->verify(reply.message, {reply.header.message_id, true, false}).has_value();
        reply.bad_signature = !reply.was_signed;
    }
    sign = !plain;
    encrypt = (response.session_flags & wire::session_flags::encrypt_data) != 0;
    return reply;
}

void TestClient::derive_keys() {
    const auto algorithm = static_cast<crypto::Cipher>(cipher);
    const auto keys =
        crypto::derive_session_keys(dialect, test_session_key(), session_hash_.value(), algorithm);
    const crypto::Provider& provider = crypto::openssl_provider();
    if (auto made = provider.make_signer(static_cast<crypto::SigningAlgorithm>(signing_algorithm),
                                         keys.signing.bytes())) {
        signer = *made;
    }
    if (cipher == 0) return;
    if (auto made = provider.make_aead(algorithm, keys.decryption.bytes())) seal = *made;
    if (auto made = provider.make_aead(algorithm, keys.encryption.bytes())) open = *made;
}

// [MS-SMB2] 3.2.4.2.3: every leg is signed with the session's key, and so are the answers but the
// last: this channel's hash is over the messages with their signatures.
Reply TestClient::bind_leg(std::string_view token, const crypto::Signer* signed_with) {
    wire::SessionSetupRequest setup;
    setup.flags = wire::session_flag_binding;
    setup.security_mode = wire::security_mode::signing_enabled;
    setup.security_buffer = std::as_bytes(std::span(token));
    Request request = make(setup);
    request.header.tree_id = 0;
    Message message = header_and_body(request);
    if (signed_with != nullptr) sign_part(message, *signed_with, request.header);
    session_hash_.update(message);
    send_message(std::move(message));
    Reply reply = wait(request.header.message_id);
    if (reply.status() == NtStatus::MORE_PROCESSING_REQUIRED) session_hash_.update(reply.message);
    return reply;
}

Reply TestClient::bind(const TestClient& other, std::string_view token,
                       const crypto::Signer* signed_with) {
    if (signed_with == nullptr) signed_with = other.session_signer.get();
    session_id = other.session_id;
    session_hash_ = connection_hash_;
    session_signer = other.session_signer;
    signer = other.session_signer;  // what refusals and intermediate legs are signed with
    Reply reply = bind_leg(token, signed_with);
    if (reply.status() == NtStatus::MORE_PROCESSING_REQUIRED) reply = bind_leg(token, signed_with);
    if (!reply.ok()) return reply;
    tree_id = other.tree_id;
    sign = true;
    encrypt = other.encrypt;
    derive_keys();
    seal = other.seal;
    open = other.open;
    reply.was_signed =
        signer->verify(reply.message, {reply.header.message_id, true, false}).has_value();
    reply.bad_signature = !reply.was_signed;
    return reply;
}

Reply TestClient::tree_connect(std::string_view share) {
    const Message path = utf16("\\\\test\\" + std::string(share));
    wire::TreeConnectRequest request;
    request.path_name = path;
    Reply reply = call(request);
    if (reply.ok()) tree_id = reply.header.tree_id;
    return reply;
}

bool TestClient::log_on(std::uint16_t wanted, std::string_view token, std::string_view share) {
    return negotiate(wanted).ok() && session_setup(token).ok() && tree_connect(share).ok();
}

// ---- commands

Reply TestClient::tree_disconnect() { return call(wire::TreeDisconnectRequest{}); }
Reply TestClient::logoff() { return call(wire::LogoffRequest{}); }
Reply TestClient::echo() { return call(wire::EchoRequest{}); }

std::uint64_t TestClient::send_create(std::string_view name, const CreateOptions& options) {
    const Message wide = utf16(name);
    wire::CreateRequest request;
    request.desired_access = options.access;
    request.share_access = options.share;
    request.create_disposition = options.disposition;
    request.create_options = options.options;
    request.requested_oplock_level = options.oplock;
    request.name = wide;
    request.create_contexts = options.contexts;
    Request raw = make(request);
    if (options.replay) raw.header.flags |= wire::header_flags::replay_operation;
    return send(std::move(raw));
}

Reply TestClient::create(std::string_view name, const CreateOptions& options) {
    return wait(send_create(name, options));
}

Reply TestClient::close(wire::FileId file) {
    wire::CloseRequest request;
    request.file_id = file;
    return call(request);
}

Reply TestClient::read(wire::FileId file, std::uint64_t offset, std::uint32_t length) {
    wire::ReadRequest request;
    request.file_id = file;
    request.offset = offset;
    request.length = length;
    return call(request, static_cast<std::uint16_t>(length == 0 ? 1 : (length - 1) / 65536 + 1));
}

Reply TestClient::write(wire::FileId file, std::uint64_t offset, Bytes data) {
    wire::WriteRequest request;
    request.file_id = file;
    request.offset = offset;
    request.data = data;
    return call(request,
                static_cast<std::uint16_t>(data.empty() ? 1 : (data.size() - 1) / 65536 + 1));
}

Reply TestClient::flush(wire::FileId file) {
    wire::FlushRequest request;
    request.file_id = file;
    return call(request);
}

Reply TestClient::lock(wire::FileId file, std::uint64_t offset, std::uint64_t length,
                       std::uint32_t flags) {
    wire::LockRequest request;
    request.file_id = file;
    request.locks.push_back({offset, length, flags});
    return call(request);
}

Reply TestClient::query_info(wire::FileId file, wire::InfoType type, std::uint8_t info_class,
                             std::uint32_t length) {
    wire::QueryInfoRequest request;
    request.file_id = file;
    request.info_type = type;
    request.file_info_class = info_class;
    request.output_buffer_length = length;
    return call(request);
}

std::uint64_t TestClient::send_set_info(wire::FileId file, std::uint8_t info_class, Bytes data) {
    wire::SetInfoRequest request;
    request.file_id = file;
    request.file_info_class = info_class;
    request.buffer = data;
    return send(make(request));
}

Reply TestClient::set_info(wire::FileId file, std::uint8_t info_class, Bytes data) {
    return wait(send_set_info(file, info_class, data));
}

Reply TestClient::rename(wire::FileId file, std::string_view name, bool replace) {
    return wait(send_rename(file, name, replace));
}

std::uint64_t TestClient::send_rename(wire::FileId file, std::string_view name, bool replace) {
    const Message wide = utf16(name);
    fscc::FileRenameInformation info;
    info.replace_if_exists = replace ? 1 : 0;
    info.file_name = wide;
    return send_set_info(file, static_cast<std::uint8_t>(fscc::FileInfoClass::rename),
                         wire::to_bytes(info));
}

Reply TestClient::delete_on_close(wire::FileId file) {
    fscc::FileDispositionInformation info;
    info.delete_pending = 1;
    return set_info(file, static_cast<std::uint8_t>(fscc::FileInfoClass::disposition),
                    wire::to_bytes(info));
}

Reply TestClient::query_directory(wire::FileId file, std::string_view pattern, std::uint8_t flags,
                                  std::uint32_t length) {
    const Message wide = utf16(pattern);
    wire::QueryDirectoryRequest request;
    request.file_id = file;
    request.file_information_class = static_cast<std::uint8_t>(fscc::FileInfoClass::names);
    request.flags = flags;
    request.output_buffer_length = length;
    request.file_name = wide;
    return call(request);
}

Reply TestClient::ioctl(wire::FileId file, std::uint32_t code, Bytes input,
                        std::uint32_t max_output) {
    wire::IoctlRequest request;
    request.file_id = file;
    request.ctl_code = code;
    request.input = input;
    request.max_output_response = max_output;
    request.flags = wire::ioctl_is_fsctl;
    return call(request);
}

}  // namespace smb3d::test
