// The file table and byte-range locks: what every CREATE, CLOSE and LOCK costs besides I/O.
#include <atomic>
#include <string>

#include <benchmark/benchmark.h>

#include "fsa/byte_range_lock.h"
#include "fsa/file_table.h"

namespace smb3d {
namespace {

constexpr std::uint32_t read_data = 0x1;
constexpr std::uint32_t share_all = 0x7;

fsa::FileTable& shared_table() {
    static fsa::FileTable table;
    return table;
}

// Each thread opens and closes files of its own, or all of them the same one.
void open_close(benchmark::State& state, bool same_file) {
    static std::atomic<std::uint64_t> ids{1};
    fsa::FileKey key;
    key.share = 1;
    key.id.inode = same_file ? 1 : 1000U + static_cast<std::uint64_t>(state.thread_index());
    fsa::OpenArgs args;
    args.path = "folder/file" + std::to_string(key.id.inode);
    args.granted_access = read_data;
    args.share_access = share_all;
    for (auto _ : state) {
        args.id = ids.fetch_add(1, std::memory_order_relaxed);
        auto opened = shared_table().open(key, args);
        if (!opened.open) {
            state.SkipWithError("an open was refused");
            return;
        }
        auto decision = shared_table().close(*opened.open);
        benchmark::DoNotOptimize(decision);
    }
}
BENCHMARK_CAPTURE(open_close, own_file, false)->Threads(1)->Threads(2);
BENCHMARK_CAPTURE(open_close, same_file, true)->Threads(1)->Threads(2);

void lock_unlock(benchmark::State& state) {
    fsa::ByteRangeLocks locks;
    const auto held = static_cast<std::uint64_t>(state.range(0));
    for (std::uint64_t i = 0; i < held; ++i) {
        const fsa::LockElement element{{i * 20, 10}, true};
        if (!locks.lock_all(1, std::span(&element, 1))) std::abort();
    }
    const fsa::LockElement element{{held * 20, 10}, true};
    fsa::WakeList wakes;
    for (auto _ : state) {
        auto locked = locks.lock_all(2, std::span(&element, 1));
        auto unlocked = locks.unlock(2, std::span(&element.range, 1), wakes);
        benchmark::DoNotOptimize(locked);
        benchmark::DoNotOptimize(unlocked);
    }
}
BENCHMARK(lock_unlock)->Arg(0)->Arg(100)->Arg(10000);

void read_against_locks(benchmark::State& state) {
    fsa::ByteRangeLocks locks;
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(state.range(0)); ++i) {
        const fsa::LockElement element{{i * 20, 10}, true};
        if (!locks.lock_all(1, std::span(&element, 1))) std::abort();
    }
    for (auto _ : state) benchmark::DoNotOptimize(locks.read_conflicts(2, {15, 4}));
}
BENCHMARK(read_against_locks)->Arg(0)->Arg(100)->Arg(10000);

}  // namespace
}  // namespace smb3d
