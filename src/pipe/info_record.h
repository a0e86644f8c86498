// InfoRecord: one information structure of [MS-SRVS] or [MS-WKST] as a schema and a row of values.
//
// Purpose: the dozens of XXX_INFO_n structures are numbers and strings in some order; a schema
// names that order once,
//   for writing them in replies and for getting over them in requests.
// Spec: [C706] 14.3.12 (deferral: the fixed parts of all elements of an array, then what they point
// to, in order). Thread: any (values). Errors: skipping sets the reader's own failure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipe/ndr.h"

namespace smb3d::pipe {

// A letter a member: d a DWORD, s a unique string, b a unique array of bytes whose size is the last
// DWORD before.
using Schema = std::string_view;

using Blob = std::vector<std::byte>;
using InfoValue = std::variant<std::uint32_t, std::optional<std::string>, Blob>;
using InfoRecord = std::vector<InfoValue>;

// The level of a container or union, and the schema of its structures.
struct LevelSchema {
    std::uint32_t level;
    Schema schema;
};
// nullopt if there is no such level.
std::optional<Schema> find_schema(std::span<const LevelSchema> table, std::uint32_t level);

// The bytes that a record takes in a reply, at most.
std::size_t record_size(const InfoRecord& record);

// [size_is(n)] INFO_n *: the pointer, and at once what it points to.
void write_array(ndr::Writer& out, const std::vector<InfoRecord>& records);
// Gets over an [in, switch_is(Level)] union of pointers: tag, and the arm if `table` has one.
void skip_union(ndr::Reader& in, std::uint32_t level, std::span<const LevelSchema> table);
// The arm of an [out, switch_is(Level)] union: tag, pointer, structure; null for an error.
void write_union(ndr::Writer& out, std::uint32_t level, const InfoRecord* record);

// What an [in, out] enumeration asks: XXX_ENUM_STRUCT, preferred maximum length, resume handle.
struct EnumRequest {
    std::uint32_t level{0};
    std::optional<Schema> schema;  // nullopt: unknown level, nothing of its container was read
    bool container{false};         // its pointer was not null
    std::uint32_t preferred_length{0};
    std::optional<std::uint32_t> resume;
};
// Reads the three; `table` has every level that has an arm in the interface's definition.
EnumRequest read_enum_request(ndr::Reader& in, std::span<const LevelSchema> table);

// Writes the answer of an enumeration: as many records from the resume handle on as the client and
// max_reply admit. `refused`: the error to answer with instead of records.
void write_enum_reply(ndr::Writer& out, const EnumRequest& request,
                      const std::vector<InfoRecord>& records, std::uint32_t error);

}  // namespace smb3d::pipe
