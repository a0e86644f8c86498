// SharePlace: where the files of a share are in the file table.
//
// Purpose: shares over one store (vfs::Location) see each other's opens, locks, leases and changes.
//   Between a client, its Open and the back end names are relative to the share; below, in `fsa`,
//   to the store.  This is the way from one to the other.
// Spec: none: [MS-FSA] knows volumes, to which a share is a name.
// Thread: immutable; any.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "fsa/file.h"
#include "smb3d/vfs.h"

namespace smb3d::engine {

class SharePlace {
  public:
    SharePlace() = default;
    SharePlace(fsa::ShareId store, std::shared_ptr<const vfs::Location> location)
        : store_(store), location_(std::move(location)) {}

    fsa::ShareId store() const { return store_; }
    // "" for a share that has its store for itself.
    std::string_view root() const { return location_ ? std::string_view(location_->root) : ""; }

    std::string in_store(std::string_view path) const;
    // A name that is not below the root any more (it was renamed through another share) stays as it
    // is: the back end will not find it.
    std::string in_share(std::string path) const;

  private:
    fsa::ShareId store_{0};
    std::shared_ptr<const vfs::Location> location_;
};

}  // namespace smb3d::engine
