// SPDX-License-Identifier: Apache-2.0
// The very function that the kernel programs use, compiled for the host.
#include "shared/time_bucket.h"

#include <catch2/catch.hpp>

#include <cstdint>
#include <limits>

#include "core/metric.h"
#include "shared/ledger.h"
#include "shared/process.h"

namespace {

constexpr __u32 kBuckets = plimsoll::kTimeBounds + 1;

std::uint64_t bound_ns(unsigned k) {
    return std::uint64_t{1000} << k;
}

}  // namespace

TEST_CASE("a time that equals a bound falls into that bound's bucket and one nanosecond more into the next") {
    for (unsigned k = 0; k < plimsoll::kTimeBounds; k++) {
        CAPTURE(k);
        CHECK(time_bucket(bound_ns(k) - 1, kBuckets) == k);
        CHECK(time_bucket(bound_ns(k), kBuckets) == k);
        CHECK(time_bucket(bound_ns(k) + 1, kBuckets) == k + 1);
        CHECK(long_time_bucket(bound_ns(k) - 1, kBuckets) == k);
        CHECK(long_time_bucket(bound_ns(k), kBuckets) == k);
        CHECK(long_time_bucket(bound_ns(k) + 1, kBuckets) == k + 1);
    }
}

TEST_CASE("times up to a microsecond share the first bucket") {
    for (const std::uint64_t ns : {0, 1, 2, 7, 8, 9, 124, 125, 126, 511, 512, 999, 1000}) {
        CAPTURE(ns);
        CHECK(time_bucket(ns, kBuckets) == 0);
    }
}

TEST_CASE("times above the last bound share the last bucket, however large") {
    const __u32 last = kBuckets - 1;
    CHECK(time_bucket(bound_ns(24), kBuckets) == last - 1);
    for (unsigned shift = 25; shift < 54; shift++) {
        CHECK(time_bucket(std::uint64_t{1000} << shift, kBuckets) == last);
    }
    CHECK(time_bucket(std::numeric_limits<std::int64_t>::max(), kBuckets) == last);
    CHECK(time_bucket(std::numeric_limits<std::uint64_t>::max(), kBuckets) == last);
    CHECK(long_time_bucket(std::numeric_limits<std::uint64_t>::max(), kBuckets) == last);
    CHECK(long_time_bucket(0, kBuckets) == 0);
}

TEST_CASE("buckets agree with the definition by comparison") {
    std::uint64_t ns = 1;
    for (int i = 0; i < 200'000; i++) {
        ns = ns * 6364136223846793005 + 1442695040888963407;  // Knuth's MMIX generator
        const std::uint64_t value = ns >> (ns % 61);
        __u32 expected = 0;
        while (expected < kBuckets - 1 && value > bound_ns(expected)) {
            expected++;
        }
        if (time_bucket(value, kBuckets) != expected || long_time_bucket(value, kBuckets) != expected) {
            FAIL(value << " ns is in bucket " << time_bucket(value, kBuckets) << " and "
                       << long_time_bucket(value, kBuckets) << ", not in " << expected);
        }
    }
}

TEST_CASE("the kernel's histograms have as many buckets as the exposition expects") {
    STATIC_REQUIRE(LATENCY_BUCKETS == kBuckets);
    STATIC_REQUIRE(LIFETIME_BUCKETS == kBuckets);
}
