// SPDX-License-Identifier: Apache-2.0
#include "exposition/page_limit.h"

#include <numeric>
#include <vector>

namespace plimsoll {
namespace {

constexpr std::size_t kRestOfLine = 32;    // braces, comma, blank, the number, the line's end
constexpr std::size_t kRestOfBucket = 24;  // the suffix of the name, and `le`
constexpr std::size_t kHeader = 1024;      // HELP, TYPE and UNIT of a family
constexpr std::size_t kOwn = 1024 * 1024;  // the agent's own families

/// Of each container, and last of what belongs to none; never less than it will be.
std::vector<std::size_t> text_sizes(const Snapshot& snapshot) {
    const std::size_t none = snapshot.containers.size();
    std::vector<std::size_t> sizes(none + 1), prefixes(none + 1);
    for (std::size_t i = 0; i < none; ++i) {
        prefixes[i] = snapshot.containers[i]->size();
    }
    sizes[none] = kOwn;
    for (const FamilySamples& family : snapshot.families) {
        const bool histogram = family.spec->type == MetricType::histogram;
        const std::size_t lines = histogram ? kTimeBounds + 3 : 1;
        const std::size_t fixed = family.spec->name.size() + kRestOfLine + (histogram ? kRestOfBucket : 0);
        sizes[none] += kHeader;
        for (const Sample& sample : family.samples) {
            const std::size_t owner = std::min<std::size_t>(sample.container, none);
            sizes[owner] += lines * (fixed + prefixes[owner] + sample.fragment.size());
        }
    }
    return sizes;
}

}  // namespace

std::size_t leave_out_largest(Snapshot& snapshot, std::size_t limit) {
    const std::vector<std::size_t> sizes = text_sizes(snapshot);
    std::size_t total = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
    if (total <= limit) {
        return 0;
    }
    std::vector<std::uint32_t> order(snapshot.containers.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, std::ranges::greater(), [&](std::uint32_t i) { return sizes[i]; });
    std::vector<bool> left_out(sizes.size());
    std::size_t count = 0;
    while (count < order.size() && total > limit) {
        const std::uint32_t largest = order[count++];
        left_out[largest] = true;
        total -= sizes[largest];
    }
    for (FamilySamples& family : snapshot.families) {
        std::erase_if(family.samples, [&](const Sample& sample) {
            return left_out[std::min<std::size_t>(sample.container, snapshot.containers.size())];
        });
    }
    return count;
}

}  // namespace plimsoll
