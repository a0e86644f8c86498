// smb3dctl user ...: changes the account file, then tells the daemon if it runs.
//
// Thread: one.  Errors: sentences.
#pragma once

#include <expected>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace smb3d::ctl {

struct UserRequest {
    std::string action;  // add, passwd, disable, enable, delete, list
    std::string name;
    std::string full_name;
    bool password_stdin{false};
};

// `state_dir` is made if missing, so that accounts can be added before the first start.
std::expected<nlohmann::json, std::string> run_user(const UserRequest& request,
                                                    const std::string& state_dir,
                                                    const std::string& socket_path);

}  // namespace smb3d::ctl
