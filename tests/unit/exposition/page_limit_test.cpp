// SPDX-License-Identifier: Apache-2.0
#include "exposition/page_limit.h"

#include <catch2/catch.hpp>

#include "exposition/text.h"

namespace plimsoll {
namespace {

constexpr MetricSpec kGauge{"container_value", MetricType::gauge, "", "", "", ""};
constexpr MetricSpec kHistogram{"container_wait_seconds", MetricType::histogram, "seconds", "", "", ""};
constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Containers with labels of these sizes, each with a number and a histogram.
Snapshot snapshot_of(const std::vector<std::size_t>& label_sizes) {
    Snapshot snapshot;
    snapshot.families = {{&kGauge, {}}, {&kHistogram, {}}};
    for (const std::size_t size : label_sizes) {
        const auto index = static_cast<std::uint32_t>(snapshot.containers.size());
        snapshot.containers.push_back(
            std::make_shared<const std::string>("id=\"" + std::string(size, 'x') + "\""));
        snapshot.families[0].samples.push_back({index, "state=\"a\"", Number::count(UINT64_MAX)});
        snapshot.families[1].samples.push_back({index, {}, Number::count(index)});
        snapshot.histograms.push_back({{UINT64_MAX / 64}, UINT64_MAX});
    }
    return snapshot;
}

std::size_t page_size(const Snapshot& snapshot) {
    Rendered out;
    render(snapshot, TextFormat::openmetrics, out);
    return out.body.size();
}

}  // namespace

TEST_CASE("a page that fits keeps all of its containers") {
    Snapshot snapshot = snapshot_of({100, 100, 100});
    CHECK(leave_out_largest(snapshot, 2 * kMiB) == 0);
    CHECK(snapshot.families[0].samples.size() == 3);
}

TEST_CASE("of a page that is too large the largest containers are left out, and it fits") {
    Snapshot snapshot = snapshot_of({100, 60'000, 100, 100'000, 100});
    const std::size_t limit = 3 * kMiB;
    REQUIRE(page_size(snapshot) > limit);
    CHECK(leave_out_largest(snapshot, limit) == 1);
    CHECK(page_size(snapshot) <= limit);
    for (const FamilySamples& family : snapshot.families) {
        REQUIRE(family.samples.size() == 4);
        CHECK(family.samples[3].container == 4);
    }
}

TEST_CASE("what belongs to no container stays, however small the limit") {
    Snapshot snapshot = snapshot_of({100, 100});
    snapshot.families[0].samples.push_back({kNoContainer, {}, Number::count(1)});
    CHECK(leave_out_largest(snapshot, 1) == 2);
    CHECK(snapshot.families[0].samples.size() == 1);
}

TEST_CASE("the limit grows with the containers") {
    CHECK(page_limit(1) == 32 * kMiB);
    CHECK(page_limit(512) == 128 * kMiB);
}

}  // namespace plimsoll
