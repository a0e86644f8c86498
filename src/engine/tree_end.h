// Ending a tree connect: TREE_DISCONNECT, or its share has gone from the configuration.
// Spec: [MS-SMB2] 3.3.5.8, 3.3.4.13.  Thread: `loop`.
#pragma once

#include <memory>

#include "engine/session.h"
#include "engine/task.h"

namespace smb3d::engine {

class ServerImpl;

// Takes the tree out of its session and closes its opens; false if it was out already.
Task<bool> end_tree(ServerImpl& server, std::shared_ptr<Session> session,
                    std::shared_ptr<Tree> tree, Loop& loop);

}  // namespace smb3d::engine
