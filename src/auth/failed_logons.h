// FailedLogons: how many more wrong passwords an address may try.
//
// Purpose: slows guessing down; a bucket an address that failures empty and time refills.
// Thread: any.  Lifetime: the authority's.
// Errors: none.  The table is bounded: under very many addresses the fullest buckets are forgotten
// first.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/guarded.h"

namespace smb3d::auth {

class FailedLogons {
  public:
    // burst 0: no limit.
    FailedLogons(std::uint32_t burst, std::uint32_t per_minute);
    bool allowed(const std::string& address, std::uint64_t now_ns);
    void failed(const std::string& address, std::uint64_t now_ns);
    std::size_t size() const { return buckets_.lock()->size(); }

    static constexpr std::size_t max_addresses = 4096;

  private:
    struct Bucket {
        double left{0};  // failures
        std::uint64_t at_ns{0};
    };
    using Buckets = std::unordered_map<std::string, Bucket>;

    double left_at(const Bucket& bucket, std::uint64_t now_ns) const;
    void make_room(Buckets& buckets, std::uint64_t now_ns) const;

    double burst_;
    double per_ns_;
    Guarded<Buckets, Rank::leaf> buckets_;
};

}  // namespace smb3d::auth
