// Statistics: counters and latency histograms per command, share and transport.
//
// Purpose: what the administrator watches, at a cost of some nanoseconds a request: each loop has
//   its own, written by that loop only, and the reader adds them up.
// Thread: record() on the loop that owns the object; read by anybody.
// Lifetime: a LoopState's; a share's as long as a tree or the server's table holds it.
// Errors: none.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "wire/header.h"

namespace smb3d::engine {

// A counter that one thread writes: no locked instruction.
class Counter {
  public:
    void add(std::uint64_t amount) {
        value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

// Times from 1 us to a minute in buckets of a quarter of their power of two: a percentile read from
// it is wrong by an eighth at most.
class Histogram {
  public:
    static constexpr unsigned first_bits = 10;  // 1024 ns; what is shorter is in bucket 0
    static constexpr unsigned last_bits = 36;   // 69 s; what is longer is in the last bucket
    static constexpr std::size_t buckets = (last_bits - first_bits) * 4 + 2;

    static std::size_t bucket_of(std::uint64_t nanoseconds) {
        const auto bits = static_cast<unsigned>(std::bit_width(nanoseconds));
        if (bits <= first_bits) return 0;
        if (bits > last_bits) return buckets - 1;
        const std::uint64_t quarter = nanoseconds >> (bits - 3) & 3;
        return 1 + (bits - first_bits - 1) * 4 + static_cast<std::size_t>(quarter);
    }
    // The least time that is not in this bucket or one before; of the last: all ones.
    static std::uint64_t end_of(std::size_t bucket);

    void record(std::uint64_t nanoseconds) {
        counts_[bucket_of(nanoseconds)].add(1);
        total_.add(nanoseconds);
    }
    std::uint64_t count(std::size_t bucket) const { return counts_[bucket].value(); }
    std::uint64_t total_ns() const { return total_.value(); }

  private:
    std::array<Counter, buckets> counts_;
    Counter total_;
};

// What is counted of a command, a share or a transport on one loop.
struct Activity {
    Counter requests;
    Counter errors;    // answered with an error status
    Counter waited;    // answered asynchronously: not in the histogram
    Counter bytes_in;  // SMB2 messages, without framing and encryption headers
    Counter bytes_out;
    Histogram latency;  // from the request's turn to its response

    struct Sample {
        bool error{false};
        bool waited{false};
        std::uint64_t bytes_in{0};
        std::uint64_t bytes_out{0};
        std::uint64_t nanoseconds{0};
    };
    void record(const Sample& sample);
};

// A share's, for every loop.
class ShareActivity {
  public:
    explicit ShareActivity(std::size_t loops) : of_loops_(loops) {}
    Activity& of(unsigned loop) { return of_loops_[loop].activity; }
    std::size_t loops() const { return of_loops_.size(); }

  private:
    struct alignas(64) Slot {
        Activity activity;
    };
    std::vector<Slot> of_loops_;
};

// One loop's: a row a command, a row a transport.
struct LoopActivity {
    std::array<Activity, wire::command_count> commands;
    // Few, and each by the literal that Link::kind() gives.
    struct Transport {
        std::string kind;
        Counter connections;
        Activity activity;
    };
    Transport& transport(const char* kind);
    template <class Visit>
    void each_transport(Visit visit) const;

  private:
    static constexpr std::size_t most_transports = 4;
    std::array<std::unique_ptr<Transport>, most_transports> transports_;
    std::atomic<std::size_t> transport_count_{0};
};

// -- what a reader gets
struct ActivityTotals {
    std::string name;
    std::uint64_t requests{0};
    std::uint64_t errors{0};
    std::uint64_t waited{0};
    std::uint64_t bytes_in{0};
    std::uint64_t bytes_out{0};
    std::uint64_t connections{0};  // of a transport
    std::uint64_t total_ns{0};
    std::array<std::uint64_t, Histogram::buckets> latency{};

    void add(const Activity& activity);
};
struct Statistics {
    std::vector<ActivityTotals> commands;
    std::vector<ActivityTotals> shares;
    std::vector<ActivityTotals> transports;
};

// All shares' activities, by name; they stay when a share goes, so that counters never go back.
class ShareActivities {
  public:
    explicit ShareActivities(std::size_t loops) : loops_(loops) {}
    std::shared_ptr<ShareActivity> of(const std::string& share);
    std::vector<ActivityTotals> totals() const;

  private:
    using Table = std::map<std::string, std::shared_ptr<ShareActivity>>;
    std::size_t loops_;
    mutable Guarded<Table, Rank::leaf> table_;
};

template <class Visit>
void LoopActivity::each_transport(Visit visit) const {
    const std::size_t count = transport_count_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < count; ++i) visit(*transports_[i]);
}

}  // namespace smb3d::engine
