// Reads the configuration: one TOML file and the files FILE.d/*.toml, against the schema.
//
// Purpose: text -> Config, or every error there is, each with its place.
// Thread: any; reads files.
// Errors: all of them at once, as "FILE:LINE:COLUMN: sentence".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/toml_reader.h"

namespace smb3d::daemon {

struct ConfigError {
    Place place;
    std::string message;
    std::string text() const;
};

struct LoadedConfig {
    std::shared_ptr<const Config> config;  // null if there are errors
    std::vector<ConfigError> errors;
    // Whatever the errors: where the daemon that runs on an earlier version of the file is to be
    // found.
    std::string state_dir;
    std::string runtime_dir;
};

LoadedConfig load_config(const std::string& path);
// From memory: `name` stands for the file in messages.  No drop-in directory.
LoadedConfig parse_config(const std::string& text, const std::string& name);

// What can only be found out by looking at the machine: a share's directory that is missing, a
// guest account that the system does not know.  --check-config and a reload report them; a start
// goes on without the share.
std::vector<ConfigError> check_environment(const Config& config);

}  // namespace smb3d::daemon
