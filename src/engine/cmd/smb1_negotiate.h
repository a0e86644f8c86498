// The SMB1 NEGOTIATE that leads to SMB2: [MS-SMB2] 3.3.5.3.  Thread: the connection's loop.
#pragma once

#include "smb3d/buffer.h"

namespace smb3d::engine {

class Connection;

// Answers with an SMB2 NEGOTIATE response, or closes the connection.
void smb1_negotiate(Connection& connection, Bytes message);

}  // namespace smb3d::engine
