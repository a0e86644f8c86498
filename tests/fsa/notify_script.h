// A tiny script language over fsa::ChangeNotifier: one command a line, the results as text.
//
// Purpose: golden tests: notifyNN.txt run through this must give notifyNN.ref.
// Commands ([..] optional; W a request's name, O the number of an open, DIR "/" for the root):
//   ask W O DIR LENGTH [tree] [filter=LETTERS] [exact] [source=N]
//        a request; answered at once or "waits"
//        filter letters: f d (names of files, directories) a s w (attributes, size, last write)
//        r c (last access, creation) e x (EA, security) 0 (none); default fd.  exact: the share
//        tells upper from lower case
//   cancel W; close O
//   added PATH [dir] [source=N] (found by that source on the host); removed PATH [dir]; modified
//   PATH LETTERS rename PATH NEW [dir] [replace]     with `dir`, the watches on it and below it
//   follow deleting DIR; kept DIR              the directory's deletion is pending, is taken back
//   lost DIR [tree]                     changes there are not known
#pragma once

#include <string>
#include <string_view>

namespace smb3d::fsa::test {

std::string run_notify_script(std::string_view script);

}  // namespace smb3d::fsa::test
