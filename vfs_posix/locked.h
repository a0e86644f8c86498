// Locked<T>: state that can only be reached with its lock held; the only lock of this folder.
//
// Thread: any.  A leaf: held for a few instructions, never across a system call, a callback or
// another lock (but see open_files.h). (base/guarded.h is the same for the server's own folders; a
// back end may include only include/.)
#pragma once

#include <mutex>

namespace smb3d::vfs_posix {

template <class T>
class Locked {
  public:
    class Access {
      public:
        explicit Access(Locked& owner) : lock_(owner.mutex_), value_(owner.value_) {}
        T* operator->() const { return &value_; }
        T& operator*() const { return value_; }

      private:
        std::scoped_lock<std::mutex> lock_;
        T& value_;
    };
    Access lock() { return Access(*this); }

  private:
    std::mutex mutex_;
    T value_;
};

}  // namespace smb3d::vfs_posix
