// A tiny script language over fsa's state machine: one command a line, the results as text.
//
// Purpose: golden tests: caseNN.txt run through this must give caseNN.ref.  The interpreter plays
//   the engine and a back end that is a map of path -> inode, so that decisions (remove_name, a
//   rename ticket) are carried out, or held back with `defer`.
// Commands ([..] optional, H a handle's name, W a waiter's):
//   disk PATH [dir] [ro]           a file or directory on the disk
//   link PATH NEW                  a further name
//   outside PATH NEW               a rename behind the server's back
//   open H PATH [access=..] [share=..] [disp=..] [doc] [ro] [stale]
//        access: r w a x d (data rights), i (attributes); share: r w d or 0; default rwd both
//        stale: the path was resolved before the last rename
//   close H [defer]; removed H ok|fail
//   delete H [posix] [onclose] [ignore] [full]; keep H [onclose]
//   rename H NEW [defer] [replace] [posix]; renamed H ok|fail
//   lock H (OFFSET LENGTH x|s)...; wait W H OFFSET LENGTH x|s; cancel W; unlock H (OFFSET
//   LENGTH)... read H OFFSET LENGTH; write H OFFSET LENGTH info H; pending PATH; newname DIR; show
//   host W H CACHE NUMBER; allows H CACHE NUMBER
#pragma once

#include <string>
#include <string_view>

namespace smb3d::fsa::test {

// Runs all lines of `script`; the transcript echoes each command with its results indented below.
std::string run_script(std::string_view script);

}  // namespace smb3d::fsa::test
