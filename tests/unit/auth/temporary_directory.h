// A directory of a test's own, removed with the files in it.
#pragma once

#include <cstdlib>
#include <string>

#include <dirent.h>
#include <unistd.h>

namespace smb3d::auth::test {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = "/tmp/smb3d-auth-XXXXXX";
        if (::mkdtemp(name.data()) != nullptr) path_ = name;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        ::DIR* directory = ::opendir(path_.c_str());
        if (directory == nullptr) return;
        while (const ::dirent* entry = ::readdir(directory)) {
            ::unlink((path_ + "/" + entry->d_name).c_str());
        }
        ::closedir(directory);
        ::rmdir(path_.c_str());
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace smb3d::auth::test
