// TREE_CONNECT: [MS-SMB2] 3.3.5.7.
#include "base/filetime.h"
#include "base/log.h"
#include "base/utf16.h"
#include "engine/cmd/handlers.h"
#include "engine/connection.h"
#include "engine/request_chain.h"
#include "engine/server_impl.h"
#include "engine/share_access.h"

namespace smb3d::engine {

namespace {

// "\\server\share" -> "share".  The server's name is whatever the client reached us by.
Result<std::string> share_name(Bytes path_name) {
    const auto path = utf16le_to_utf8(path_name);
    if (!path || !path->starts_with("\\\\")) return fail(NtStatus::BAD_NETWORK_NAME);
    const std::size_t slash = path->find('\\', 2);
    if (slash == std::string::npos || slash == 2) return fail(NtStatus::BAD_NETWORK_NAME);
    std::string name = path->substr(slash + 1);
    if (name.empty() || name.find('\\') != std::string::npos || utf16_length(name) > 80) {
        return fail(NtStatus::BAD_NETWORK_NAME);
    }
    return name;
}

wire::TreeConnectResponse describe(const Tree& tree) {
    wire::TreeConnectResponse response;
    response.share_type = tree.capabilities.is_pipe ? wire::ShareType::pipe : wire::ShareType::disk;
    response.share_flags = static_cast<std::uint32_t>(tree.policy->caching);
    if (tree.capabilities.is_pipe) response.share_flags = wire::share_flags::no_caching;
    if (tree.policy->access_based_enumeration) {
        response.share_flags |= wire::share_flags::access_based_directory_enum;
    }
    if (tree.policy->level2_only) {
        response.share_flags |= wire::share_flags::force_levelii_oplock;
    }
    if (tree.policy->encrypt) response.share_flags |= wire::share_flags::encrypt_data;
    response.maximal_access = tree.maximal_access;
    if (tree.continuously_available) {
        response.capabilities |= wire::share_capabilities::continuous_availability;
    }
    return response;
}

}  // namespace

Reply tree_connect(Call& call, wire::TreeConnectRequest request) {
    Session& session = *call.session;
    // 3.1.1: the negotiation is only proven by a signed (or sealed) request.
    if (call.dialect() == Dialect::smb311 && !call.signed_request && !call.encrypted &&
        !session.anonymous && !session.guest) {
        call.connection.disconnect("an unsigned TREE_CONNECT");
        co_return fail(NtStatus::ACCESS_DENIED);
    }
    const Result<std::string> name = share_name(request.path_name);
    if (!name) co_return fail(name.error());
    const auto found = call.config().shares.find(fold_name(*name));
    if (found == call.config().shares.end()) {
        log::info(log::Component::engine, "{}: {} asked for the share \"{}\", which does not exist",
                  call.connection.peer(), call.caller->user, *name);
        co_return fail(NtStatus::BAD_NETWORK_NAME);
    }
    const std::shared_ptr<const SharePolicy>& policy = found->second;
    const Result<std::uint32_t> access = share_access(*policy, *call.caller);
    if (!access) {
        log::info(log::Component::engine, "{}: {} may not use the share \"{}\"",
                  call.connection.peer(), call.caller->user, policy->name);
        co_return fail(access.error());
    }
    if (policy->encrypt && (!session.keys.encryption || session.anonymous)) {
        log::info(log::Component::engine,
                  "{}: the share \"{}\" wants encryption, which the client cannot do",
                  call.connection.peer(), policy->name);
        co_return fail(NtStatus::ACCESS_DENIED);
    }
    if (policy->max_connections != 0 &&
        call.server().trees_of(policy->name) >= policy->max_connections) {
        co_return fail(NtStatus::REQUEST_NOT_ACCEPTED);
    }
    auto tree = std::make_shared<Tree>();
    tree->policy = policy;
    tree->capabilities = policy->backend->capabilities();
    tree->place = call.server().place_of(*policy);
    tree->maximal_access = *access;
    tree->encrypt = policy->encrypt;
    tree->continuously_available = policy->continuous_availability &&
                                   call.connection.negotiated.smb3() &&
                                   call.config().persistent_handles && !tree->capabilities.is_pipe;
    tree->connected_at = filetime_now();
    tree->activity = call.server().share_activity(policy->name);
    {
        auto state = session.state.lock();
        if (state->state == SessionState::ended) co_return fail(NtStatus::USER_SESSION_DELETED);
        if (state->trees.size() < limits::max_trees_per_session)
            tree->id = state->trees.insert(tree);
    }
    if (tree->id == 0) co_return fail(NtStatus::INSUFFICIENT_RESOURCES);
    call.server().tree_added(*policy);
    call.response_tree_id = tree->id;
    call.chain.related().tree_id = tree->id;
    co_return reply(call, describe(*tree));
}

}  // namespace smb3d::engine
