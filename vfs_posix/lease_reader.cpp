// LeaseReader: the kernel's notifications of lease breaks.
#include <cerrno>
#include <csignal>

#include <pthread.h>
#include <unistd.h>

#include "vfs_posix/open_files.h"

namespace smb3d::vfs_posix {
namespace {

// Any real-time signal will do: it goes to one thread, which has it blocked.
int break_signal() { return SIGRTMIN + 7; }

}  // namespace

LeaseReader::LeaseReader(Broken broken, void* context)
    : state_(std::make_shared<State>(broken, context)), thread_([state = state_] { run(state); }) {
    state_->tid.wait(0, std::memory_order_acquire);
}

LeaseReader::~LeaseReader() {
    state_->stopping.store(true, std::memory_order_release);
    // What was called last had the last reference to the share.
    if (thread_.get_id() == std::this_thread::get_id()) {
        thread_.detach();
        return;
    }
    ::pthread_kill(thread_.native_handle(), break_signal());
    thread_.join();
}

// [fcntl(2)] F_SETOWN_EX: to this thread only.  With a signal of our own choice si_fd says which
// lease; before it is taken, so that no break is sent as something else.
bool LeaseReader::direct(int fd) const {
    ::f_owner_ex owner{};
    owner.type = F_OWNER_TID;
    owner.pid = state_->tid.load(std::memory_order_relaxed);
    return ::fcntl(fd, F_SETOWN_EX, &owner) == 0 && ::fcntl(fd, F_SETSIG, break_signal()) == 0;
}

void LeaseReader::run(const std::shared_ptr<State>& state) {
    ::sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, break_signal());
    // [fcntl(2)] F_SETSIG: what comes when the queue of real-time signals is full.
    ::sigaddset(&signals, SIGIO);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::pthread_setname_np(::pthread_self(), "lease breaks");
    state->tid.store(::gettid(), std::memory_order_release);
    state->tid.notify_all();
    while (true) {
        ::siginfo_t info{};
        const int signal = ::sigwaitinfo(&signals, &info);
        if (state->stopping.load(std::memory_order_acquire)) return;
        if (signal < 0) continue;  // EINTR
        const bool whole =
            signal == break_signal() && info.si_code > 0 && info.si_code != SI_KERNEL;
        state->broken(state->context, whole ? info.si_fd : -1);
        if (state->stopping.load(std::memory_order_acquire)) return;
    }
}

}  // namespace smb3d::vfs_posix
