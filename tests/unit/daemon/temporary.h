// A directory for one test, removed with it.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace smb3d::test {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        char name[] = "/tmp/smb3d-test-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        [[maybe_unused]] const int done = std::system(("rm -rf '" + path_ + "'").c_str());
    }
    const std::string& path() const { return path_; }
    std::string write(const std::string& name, const std::string& text) const {
        const std::string full = path_ + "/" + name;
        std::ofstream(full) << text;
        return full;
    }

  private:
    std::string path_;
};

inline std::string slurp(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

}  // namespace smb3d::test
