#include "engine/tree_end.h"

#include <vector>

#include "engine/server_impl.h"

namespace smb3d::engine {

Task<bool> end_tree(ServerImpl& server, std::shared_ptr<Session> session,
                    std::shared_ptr<Tree> tree, Loop& loop) {
    std::vector<std::shared_ptr<Open>> opens;
    {
        auto state = session->state.lock();
        if (!state->trees.take(tree->id)) co_return false;
        tree->ended = true;  // under the guard: CREATE looks before it inserts
        state->opens.for_each([&](std::uint64_t, std::shared_ptr<Open>& open) {
            if (open->tree == tree) opens.push_back(open);
        });
        for (const auto& open : opens) state->opens.take(open->id);
    }
    server.tree_removed(*tree->policy);
    for (const auto& open : opens) open->cancel_waiters();
    for (const auto& open : opens) {
        Task<Result<void>> closing = close_open(server, open, loop);
        co_await closing;
    }
    co_return true;
}

}  // namespace smb3d::engine
