#include "engine/share_place.h"

#include "fsa/path.h"

namespace smb3d::engine {

std::string SharePlace::in_store(std::string_view path) const {
    const std::string_view root = this->root();
    std::string result;
    result.reserve(root.size() + 1 + path.size());
    result.append(root);
    if (!root.empty() && !path.empty()) result += '/';
    result.append(path);
    return result;
}

std::string SharePlace::in_share(std::string path) const {
    const std::string_view root = this->root();
    if (root.empty() || !fsa::is_within(path, root)) return path;
    path.erase(0, path.size() == root.size() ? root.size() : root.size() + 1);
    return path;
}

}  // namespace smb3d::engine
