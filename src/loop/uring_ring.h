// Ring: an io_uring with its ring of receive buffers, set up as far as this kernel can, or a reason
// why not.
//
// Thread: open and close on any one thread; enable and everything after it on the thread that
// enables. Errors: a sentence for the administrator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <liburing.h>

#include "smb3d/buffer.h"

namespace smb3d::loop {

class Ring {
  public:
    static constexpr int buffer_group = 1;

    Ring() = default;
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() { close(); }

    // The ring starts disabled, so that the thread that will use it becomes its only submitter.
    bool open(unsigned entries, unsigned buffers, unsigned buffer_size, std::string& why_not);
    // 0 or -errno.
    int enable();
    void close();

    ::io_uring* get() { return &ring_; }
    std::byte* buffer(unsigned id) const { return buffers_ + std::size_t{id} * buffer_size_; }
    // Gives a receive buffer back to the kernel.
    void recycle(unsigned id);
    // Gives the receive buffers' pages back to the system; the next data brings new ones.  Only
    // while no completion is unread, and where the kernel does not receive meanwhile; else false.
    bool release_buffer_memory();

  private:
    bool set_up(unsigned entries, std::string& why_not);
    bool has_operations(std::string& why_not);
    bool add_buffers(unsigned buffers, unsigned buffer_size, std::string& why_not);

    ::io_uring ring_{};
    bool open_{false};
    bool deferred_{false};  // the kernel works on this ring only inside io_uring_enter()
    ::io_uring_buf_ring* buffer_ring_{nullptr};
    std::byte* buffers_{nullptr};
    std::size_t mapped_{0};
    unsigned buffer_count_{0};
    unsigned buffer_size_{0};
};

}  // namespace smb3d::loop
