#include "auth/failed_logons.h"

#include <algorithm>

namespace smb3d::auth {

namespace {

constexpr double minute_ns = 60e9;
constexpr double one = 1.0;

}  // namespace

FailedLogons::FailedLogons(std::uint32_t burst, std::uint32_t per_minute)
    : burst_(burst), per_ns_(per_minute / minute_ns) {}

double FailedLogons::left_at(const Bucket& bucket, std::uint64_t now_ns) const {
    const std::uint64_t passed = now_ns > bucket.at_ns ? now_ns - bucket.at_ns : 0;
    return std::min(burst_, bucket.left + per_ns_ * static_cast<double>(passed));
}

bool FailedLogons::allowed(const std::string& address, std::uint64_t now_ns) {
    if (burst_ < one) return true;
    const auto buckets = buckets_.lock();
    const auto found = buckets->find(address);
    return found == buckets->end() || left_at(found->second, now_ns) >= one;
}

void FailedLogons::failed(const std::string& address, std::uint64_t now_ns) {
    if (burst_ < one) return;
    const auto buckets = buckets_.lock();
    auto found = buckets->find(address);
    if (found == buckets->end()) {
        if (buckets->size() >= max_addresses) make_room(*buckets, now_ns);
        found = buckets->emplace(address, Bucket{burst_, now_ns}).first;
    }
    Bucket& bucket = found->second;
    bucket.left = std::max(0.0, left_at(bucket, now_ns) - one);
    bucket.at_ns = now_ns;
}

// Forgets what has refilled, and at least half of the rest, so that it is not done for every new
// address.
void FailedLogons::make_room(Buckets& buckets, std::uint64_t now_ns) const {
    for (const double share : {1.0, 0.9, 0.5}) {
        std::erase_if(buckets, [&](const auto& entry) {
            return left_at(entry.second, now_ns) >= share * burst_;
        });
        if (buckets.size() <= max_addresses / 2) return;
    }
    while (buckets.size() > max_addresses / 2) buckets.erase(buckets.begin());
}

}  // namespace smb3d::auth
