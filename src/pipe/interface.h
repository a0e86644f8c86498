// Interface: an RPC service as a table of operations, and Call: what one operation may use.
//
// Purpose: the RPC machinery (rpc.h) knows no service; a service is one constant table in one file.
// Spec: [C706] 3.1 (interfaces, operation numbers).
// Thread: tables are constants; an operation runs on one thread and keeps nothing but what is in
// `handles`. Lifetime: `Call` lives for the call; `handles` as long as the pipe. Errors: an
// operation returns a Fault, or Fault::none after it has written its reply, error code included.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pipe/ndr.h"
#include "pipe/server_view.h"
#include "pipe/win32_error.h"

namespace smb3d::pipe {

// Context handles that a pipe's client holds open.
inline constexpr std::size_t max_context_handles = 64;

// What has gone over one pipe.
struct RpcCounters {
    std::uint32_t calls_received{0};
    std::uint32_t packets_received{0};
    std::uint32_t packets_sent{0};
};

struct Call {
    const Caller& caller;
    const ServerView& view;
    std::vector<ndr::ContextHandle>& handles;
    const RpcCounters& counters;
};

// Null: the operation does not exist, nca_s_op_rng_error.
using Operation = Fault (*)(Call& call, ndr::Reader& in, ndr::Writer& out);

struct SyntaxId {
    ndr::Uuid uuid{};
    std::uint16_t major{0};
    std::uint16_t minor{0};
    friend bool operator==(const SyntaxId&, const SyntaxId&) = default;
};

struct Interface {
    SyntaxId id;
    std::span<const Operation> operations;
};

// One row a pipe name.
struct PipeService {
    std::string_view name;               // compared without regard to case
    std::string_view secondary_address;  // what bind_ack tells
    const Interface* interface;
};

// The fixed table of pipes.
std::span<const PipeService> pipe_services();
// Null if there is no such pipe.  `name` may have a leading "PIPE\" or "PIPE/", or a backslash.
const PipeService* find_pipe(std::string_view name);

const Interface& srvsvc_interface();
const Interface& wkssvc_interface();
const Interface& lsarpc_interface();
// Bound on any pipe.
const Interface& mgmt_interface();

// The limit on one reply's stub: enumerations stop there and say that there is more.
inline constexpr std::size_t max_reply = 1024 * 1024;

}  // namespace smb3d::pipe
