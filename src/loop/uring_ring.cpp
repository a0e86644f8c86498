#include "loop/uring_ring.h"

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/loop.h"

namespace smb3d::loop {

namespace {

std::string explain_setup(int error) {
    if (error == EPERM) {
        int disabled = 0;
        if (std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re")) {
            if (std::fscanf(file, "%d", &disabled) != 1) disabled = 0;
            std::fclose(file);
        }
        if (disabled != 0) {
            return fmt::format("io_uring is switched off (kernel.io_uring_disabled = {})",
                               disabled);
        }
        return "io_uring is not permitted to this process (a container's seccomp filter?)";
    }
    if (error == ENOSYS) return "this kernel has no io_uring, or a seccomp filter hides it";
    if (error == ENOMEM) return "io_uring_setup: not enough lockable memory (RLIMIT_MEMLOCK)";
    return fmt::format("io_uring_setup: {}", std::strerror(error));
}

}  // namespace

bool Ring::open(unsigned entries, unsigned buffers, unsigned buffer_size, std::string& why_not) {
    if (set_up(entries, why_not) && has_operations(why_not) &&
        add_buffers(buffers, buffer_size, why_not)) {
        return true;
    }
    close();
    return false;
}

bool Ring::set_up(unsigned entries, std::string& why_not) {
    // The best first: completions are only made when the loop asks for them (6.1), or at least
    // without interrupting it (5.19).
    constexpr unsigned always = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    constexpr unsigned candidates[] = {
        always | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        always | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
        always | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
        always,
    };
    int result = -EINVAL;
    for (const unsigned flags : candidates) {
        ::io_uring_params params{};
        params.flags = flags;
        params.cq_entries = entries * 8;
        result = ::io_uring_queue_init_params(entries, &ring_, &params);
        deferred_ = (flags & IORING_SETUP_DEFER_TASKRUN) != 0;
        if (result != -EINVAL) break;
    }
    if (result < 0) {
        why_not = explain_setup(-result);
        return false;
    }
    open_ = true;
    constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
                                IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;
    if ((ring_.features & needed) != needed) {
        why_not = fmt::format("this kernel's io_uring is too old (features {:#x})", ring_.features);
        return false;
    }
    return true;
}

bool Ring::has_operations(std::string& why_not) {
    ::io_uring_probe* probe = ::io_uring_get_probe_ring(&ring_);
    if (probe == nullptr) {
        why_not = "this kernel's io_uring cannot be asked what it supports";
        return false;
    }
    constexpr int needed[] = {
        IORING_OP_NOP,      IORING_OP_ACCEPT,       IORING_OP_RECV, IORING_OP_SENDMSG,
        IORING_OP_READV,    IORING_OP_WRITEV,       IORING_OP_READ, IORING_OP_FSYNC,
        IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
    };
    int missing = -1;
    for (const int operation : needed) {
        if (::io_uring_opcode_supported(probe, operation) == 0) missing = operation;
    }
    ::io_uring_free_probe(probe);
    if (missing < 0) return true;
    why_not = fmt::format("this kernel's io_uring lacks operation {}", missing);
    return false;
}

bool Ring::add_buffers(unsigned buffers, unsigned buffer_size, std::string& why_not) {
    if (!std::has_single_bit(buffers) || buffers > 32768 || buffer_size == 0) {
        why_not = fmt::format("{} receive buffers of {} bytes: not a power of two up to 32768",
                              buffers, buffer_size);
        return false;
    }
    const std::size_t page = 4096;
    const std::size_t ring_bytes =
        (std::size_t{buffers} * sizeof(::io_uring_buf) + page - 1) / page * page;
    mapped_ = ring_bytes + std::size_t{buffers} * buffer_size;
    void* memory =
        ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        mapped_ = 0;
        why_not = fmt::format("no memory for receive buffers: {}", std::strerror(errno));
        return false;
    }
    buffer_ring_ = static_cast<::io_uring_buf_ring*>(memory);
    buffers_ = static_cast<std::byte*>(memory) + ring_bytes;
    buffer_count_ = buffers;
    buffer_size_ = buffer_size;
    ::io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = buffers;
    registration.bgid = buffer_group;
    const int result = ::io_uring_register_buf_ring(&ring_, &registration, 0);
    if (result < 0) {
        why_not = fmt::format("this kernel's io_uring has no ring of provided buffers: {}",
                              std::strerror(-result));
        return false;
    }
    ::io_uring_buf_ring_init(buffer_ring_);
    for (unsigned id = 0; id < buffers; ++id) {
        ::io_uring_buf_ring_add(buffer_ring_, buffer(id), buffer_size,
                                static_cast<unsigned short>(id), ::io_uring_buf_ring_mask(buffers),
                                static_cast<int>(id));
    }
    ::io_uring_buf_ring_advance(buffer_ring_, static_cast<int>(buffers));
    return true;
}

void Ring::recycle(unsigned id) {
    ::io_uring_buf_ring_add(buffer_ring_, buffer(id), buffer_size_, static_cast<unsigned short>(id),
                            ::io_uring_buf_ring_mask(buffer_count_), 0);
    ::io_uring_buf_ring_advance(buffer_ring_, 1);
}

bool Ring::release_buffer_memory() {
    if (!deferred_ || ::io_uring_cq_ready(&ring_) != 0) return false;
    return ::madvise(buffers_, std::size_t{buffer_count_} * buffer_size_, MADV_DONTNEED) == 0;
}

// Not io_uring_enable_rings(): Debian 12's liburing.so does not export it.
int Ring::enable() {
    return ::io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS,
                               nullptr, 0);
}

void Ring::close() {
    if (open_) ::io_uring_queue_exit(&ring_);
    open_ = false;
    if (buffer_ring_ != nullptr) ::munmap(buffer_ring_, mapped_);
    buffer_ring_ = nullptr;
    buffers_ = nullptr;
    mapped_ = 0;
}

namespace {

// One operation through the whole ring; true if its completion came and satisfied `expected`.
bool complete_one(::io_uring* ring, int expected) {
    ::__kernel_timespec limit{.tv_sec = 2, .tv_nsec = 0};
    ::io_uring_cqe* cqe = nullptr;
    if (::io_uring_submit_and_wait_timeout(ring, &cqe, 1, &limit, nullptr) < 0) return false;
    if (cqe == nullptr) return false;
    const int result = cqe->res;
    ::io_uring_cqe_seen(ring, cqe);
    return result == expected;
}

bool receives(Ring& ring) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
    ::io_uring_sqe* sqe = ::io_uring_get_sqe(ring.get());
    ::io_uring_prep_recv(sqe, pair[0], nullptr, 0, 0);
    ::io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
    sqe->buf_group = Ring::buffer_group;
    const bool works = ::write(pair[1], "?", 1) == 1 && complete_one(ring.get(), 1);
    ::close(pair[0]);
    ::close(pair[1]);
    return works;
}

}  // namespace

bool uring_works(std::string& why_not) {
    Ring ring;
    if (!ring.open(8, 2, 64, why_not)) return false;
    const int enabled = ring.enable();
    if (enabled < 0) {
        why_not = fmt::format("io_uring cannot be enabled: {}", std::strerror(-enabled));
        return false;
    }
    ::io_uring_prep_nop(::io_uring_get_sqe(ring.get()));
    if (!complete_one(ring.get(), 0)) {
        why_not = "io_uring was set up, but an operation did not complete";
        return false;
    }
    if (!receives(ring)) {
        why_not = "io_uring was set up, but it does not receive into provided buffers";
        return false;
    }
    return true;
}

}  // namespace smb3d::loop
