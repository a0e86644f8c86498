#include "daemon/listeners.h"

#include <algorithm>
#include <cassert>
#include <future>
#include <utility>

#include "daemon/run_on_loop.h"

namespace smb3d::daemon {

Listeners::Listeners(transport::Transport& transport, std::vector<Loop*> loops,
                     transport::Limits limits, transport::AdmitFunction admit,
                     transport::AcceptFunction accept)
    : transport_(transport),
      loops_(std::move(loops)),
      limits_(limits),
      admit_(std::move(admit)),
      accept_(std::move(accept)) {
    assert(!loops_.empty());
}

Listeners::~Listeners() { assert(open_.empty()); }

std::vector<std::string> Listeners::open_new(const std::vector<std::string>& addresses) {
    std::vector<std::string> problems;
    for (const std::string& address : addresses) {
        if (open_.contains(address)) continue;
        Loop* loop = loops_[next_loop_++ % loops_.size()];
        std::expected<std::unique_ptr<transport::Listener>, std::string> result;
        run_on_loop(*loop,
                    [&] { result = transport_.listen(*loop, address, limits_, admit_, accept_); });
        if (result) {
            open_.emplace(address, Open{loop, std::move(*result)});
        } else {
            problems.push_back(std::move(result.error()));
        }
    }
    return problems;
}

std::vector<std::string> Listeners::close_others(const std::vector<std::string>& addresses) {
    std::vector<std::string> closed;
    for (auto it = open_.begin(); it != open_.end();) {
        if (std::find(addresses.begin(), addresses.end(), it->first) != addresses.end()) {
            ++it;
            continue;
        }
        Open& open = it->second;
        // Shared with the callback: it may still be returning when the waiter goes on.
        auto done = std::make_shared<std::promise<void>>();
        auto finished = done->get_future();
        run_on_loop(*open.loop, [&] { open.listener->stop([done] { done->set_value(); }); });
        finished.wait();
        run_on_loop(*open.loop, [&] { open.listener.reset(); });
        closed.push_back(it->first);
        it = open_.erase(it);
    }
    return closed;
}

std::vector<std::string> Listeners::addresses() const {
    std::vector<std::string> all;
    for (const auto& [address, open] : open_) all.push_back(open.listener->address().text);
    return all;
}

std::vector<ServedAddress> Listeners::served() const {
    std::vector<ServedAddress> all;
    for (const auto& [address, open] : open_) {
        // ":445" is every address of both families: one socket, [::], takes IPv4 as well.
        all.push_back({open.listener->address(), address.starts_with(':'), false});
    }
    return all;
}

}  // namespace smb3d::daemon
