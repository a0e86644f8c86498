// Dispatch: the one table of commands; a row answers every question that differs by command.
//
// Spec: [MS-SMB2] 3.3.5.2 and the section of each command.
// Thread: constant data.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/request.h"
#include "wire/header.h"

namespace smb3d::engine {

struct CommandRow {
    wire::Command command;
    std::string_view name;
    bool needs_session;
    bool needs_tree;
    // [MS-SMB2] 3.3.5.2.9: what a client may still do when its session has expired.
    bool while_expired;
    // Parses the body, checks the credit charge, resolves the open, runs the handler.
    Task<Result<Response>> (*run)(Call& call);
};

// Null for a code that no client may send.
const CommandRow* find_command(wire::Command command);

}  // namespace smb3d::engine
