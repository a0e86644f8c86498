#include "engine/slow_requests.h"

#include <chrono>
#include <vector>

#include "base/limits.h"
#include "engine/connection.h"
#include "engine/request_chain.h"
#include "engine/server_impl.h"

namespace smb3d::engine {

namespace {

constexpr std::chrono::seconds period{1};

bool may_be_interrupted(wire::Command command) {
    switch (command) {
        case wire::Command::create:
        case wire::Command::flush:
        case wire::Command::read:
        case wire::Command::write:
        case wire::Command::lock:
        case wire::Command::ioctl:
        case wire::Command::query_directory:
        case wire::Command::query_info:
            return true;
        // SET_INFO among them: a rename that waits for a break has no interim response on Windows
        // (smb2.compound_async.rename_last, rename_same_srcdst_non_compound_no_async).
        default:
            return false;
    }
}

}  // namespace

SlowRequests::SlowRequests(LoopState& local) : local_(local) {
    timer_.owner = this;
    timer_.fire = [](Timer* timer) { static_cast<OwnedTimer*>(timer)->owner->look(); };
}

void SlowRequests::watch() {
    if (!timer_.armed()) local_.loop.arm(timer_, period);
}

void SlowRequests::stop() {
    if (timer_.armed()) local_.loop.disarm(timer_);
}

bool SlowRequests::overdue(RequestChain& chain, std::uint64_t now_ns) {
    if (now_ns - chain.began_ns() < limits::interim_after_ns) return false;
    const Call* call = chain.current();
    // Without a tree it is not one that may wait.
    return call != nullptr && call->async_id == 0 && call->tree &&
           may_be_interrupted(call->header.command);
}

void SlowRequests::look() {
    const std::uint64_t now = local_.loop.now_ns();
    std::vector<std::uint64_t> late;  // sending may end a connection
    bool busy = false;
    for (const auto& [id, connection] : local_.connections) {
        if (!connection->busy()) continue;
        busy = true;
        if (connection->has_overdue(now)) late.push_back(id);
    }
    for (const std::uint64_t id : late) {
        const auto found = local_.connections.find(id);
        if (found != local_.connections.end()) found->second->answer_overdue(now);
    }
    if (busy) watch();
}

}  // namespace smb3d::engine
