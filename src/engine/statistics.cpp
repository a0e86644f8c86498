#include "engine/statistics.h"

namespace smb3d::engine {

std::uint64_t Histogram::end_of(std::size_t bucket) {
    if (bucket == 0) return std::uint64_t{1} << first_bits;
    if (bucket >= buckets - 1) return ~std::uint64_t{0};
    const auto octave = static_cast<unsigned>((bucket - 1) / 4);
    const std::uint64_t quarter = (bucket - 1) % 4;
    return (5 + quarter) << (first_bits + octave - 2);
}

void Activity::record(const Sample& sample) {
    requests.add(1);
    if (sample.error) errors.add(1);
    bytes_in.add(sample.bytes_in);
    bytes_out.add(sample.bytes_out);
    if (sample.waited) {
        waited.add(1);
    } else {
        latency.record(sample.nanoseconds);
    }
}

LoopActivity::Transport& LoopActivity::transport(const char* kind) {
    const std::size_t count = transport_count_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < count; ++i) {
        if (transports_[i]->kind == kind) return *transports_[i];
    }
    // More kinds than are foreseen share the last row.
    if (count == most_transports) return *transports_[count - 1];
    transports_[count] = std::make_unique<Transport>();
    transports_[count]->kind = kind;
    transport_count_.store(count + 1, std::memory_order_release);
    return *transports_[count];
}

void ActivityTotals::add(const Activity& activity) {
    requests += activity.requests.value();
    errors += activity.errors.value();
    waited += activity.waited.value();
    bytes_in += activity.bytes_in.value();
    bytes_out += activity.bytes_out.value();
    total_ns += activity.latency.total_ns();
    for (std::size_t i = 0; i < latency.size(); ++i) latency[i] += activity.latency.count(i);
}

std::shared_ptr<ShareActivity> ShareActivities::of(const std::string& share) {
    auto table = table_.lock();
    std::shared_ptr<ShareActivity>& entry = (*table)[share];
    if (!entry) entry = std::make_shared<ShareActivity>(loops_);
    return entry;
}

std::vector<ActivityTotals> ShareActivities::totals() const {
    std::vector<ActivityTotals> out;
    auto table = table_.lock();
    for (const auto& [name, share] : *table) {
        ActivityTotals& row = out.emplace_back();
        row.name = name;
        for (unsigned i = 0; i < share->loops(); ++i) row.add(share->of(i));
    }
    return out;
}

}  // namespace smb3d::engine
