// 8.3 names, made up from long ones for clients that ask.
// Spec: [MS-FSCC] 2.1.5.2.1 (8.3 filename).  Thread: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace smb3d::engine {

// The name itself in upper case if it is an 8.3 name, else one of the form "A1B2C3~D.EXT" that
// depends on the whole name.
std::u16string short_name(std::string_view name);

}  // namespace smb3d::engine
