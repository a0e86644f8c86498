// Single values of the configuration: TOML node -> checked Value, and Value -> text.
//
// Thread: any (pure functions, but for read_file).
// Errors: sentences for the administrator, with the place inside the file.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config_schema.h"
#include "daemon/toml_reader.h"

namespace smb3d::daemon {

std::expected<Value, std::vector<TomlProblem>> check_value(const Row& row, const TomlNode& node);
// The row's own default; an empty value if it has none.
Value default_value(const Row& row);
// As TOML.
std::string show_value(const Row& row, const Value& value);

// "" if `address` is "HOST:PORT", "[IPv6]:PORT" or ":PORT"; else what is wrong with it.
std::string listen_problem(const std::string& address);

// "8MiB", "64KiB", "1048576" -> bytes; "30s", "5min", "500ms", "2h", "1d", "30" -> milliseconds;
// -1: neither.
std::int64_t parse_size(std::string_view text);
std::int64_t parse_duration(std::string_view text);

// A configuration file's text; at most 1 MiB.  The error is a sentence.
std::expected<std::string, std::string> read_file(const std::string& path);

}  // namespace smb3d::daemon
