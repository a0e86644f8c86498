// Persistent handles after a restart: files are opened again as they were held.
//
// Spec: [MS-SMB2] 3.3.1.10 Open.IsPersistent: survives the server.
// Thread: `loop`.
#pragma once

#include <future>
#include <vector>

#include "durable/record.h"
#include "engine/server.h"
#include "engine/task.h"

namespace smb3d::engine {

class ServerImpl;

// In the order of the records; `report` and `done` outlive it.
Detached run_restore(ServerImpl& server, Loop& loop, std::vector<durable::Record> records,
                     RestoreReport& report, std::promise<void>& done);

}  // namespace smb3d::engine
