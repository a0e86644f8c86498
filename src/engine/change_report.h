// Change reports: what a request has changed, told to those who have asked to know.
//
// Purpose: the one way from an operation that succeeded to the requests that wait for changes of a
//   directory (fsa::ChangeNotifier), and to whatever else depends on a directory's contents.
// Spec: [MS-FSA] 2.1.4.1; [MS-SMB2] 3.3.5.19.
// Thread: any.  Nothing here waits.
// Cost: one relaxed load while nobody watches the share.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/open.h"
#include "engine/tree.h"
#include "fsa/change_notify.h"

namespace smb3d::engine {

class ServerImpl;

// Who made a change: [MS-SMB2] 3.3.4.7 spares the directory lease whose key is the parent lease key
// of the open that changed something.
struct ChangeOrigin {
    std::uint64_t open{0};        // Open::persistent_id; 0: somebody on the host
    fsa::OplockKey parent_lease;  // empty: none
};
ChangeOrigin origin_of(const Open& open);

inline fsa::ShareId share_id(const Tree& tree) { return tree.place.store(); }

// Whose Watches tell the opens of a tree what the host changes.
inline fsa::WatchSource watch_source(const Tree& tree) {
    return reinterpret_cast<std::uintptr_t>(tree.policy->backend.get());
}

// Does anybody want to know of changes in this share: a watcher, or a directory lease?
bool changes_wanted(const ServerImpl& server, fsa::ShareId share);

// Paths are in the store: SharePlace::in_store, Open::store_path.

// A name below a directory, or the file it names, has changed.
void report_change(ServerImpl& server, fsa::ShareId share, const fsa::Change& change,
                   const ChangeOrigin& origin);
// The same for the file of an open, by whatever name that has now.
void report_change(ServerImpl& server, const Open& open, fsa::ChangeAction action,
                   std::uint32_t filter);
// `replaced`: another file had the new name.
void report_rename(ServerImpl& server, const Open& open, std::string_view from, std::string_view to,
                   bool replaced);
// The same by somebody on the host, as the Watches of one share tell; see
// fsa::ChangeNotifier::report.
void report_host_change(ServerImpl& server, fsa::ShareId share, const fsa::Change& change,
                        fsa::WatchSource source);
void report_host_rename(ServerImpl& server, fsa::ShareId share, std::string_view from,
                        std::string_view to, bool directory, fsa::WatchSource source);
// Anything in the directory, or below it if `tree`, may have changed on the host.
void report_lost(ServerImpl& server, fsa::ShareId share, std::string_view directory, bool tree);
// A directory was removed on the host.
void report_gone(ServerImpl& server, fsa::ShareId share, std::string_view directory);
// A directory's deletion has become pending, or has been taken back: as the file says.
void report_disposition(ServerImpl& server, const Open& open);

// A WRITE: reported at once, but not more than once a second for an open; what is held back then is
// reported by FLUSH and CLOSE.  Directory leases are broken at the CLOSE only: what a listing says
// of the file is old until then, as on Windows (smb2.dirlease.v2_request).
void report_write(ServerImpl& server, Open& open, const Loop& loop);
// To be reported with the next FLUSH or CLOSE.
void report_later(Open& open, std::uint32_t filter);
void report_held_back(ServerImpl& server, Open& open);
// CLOSE, after the last write.
void report_closed(ServerImpl& server, Open& open);

}  // namespace smb3d::engine
