// SPDX-License-Identifier: Apache-2.0
// Entries of a BPF hash map, seen from user space.
#include "kernel/hash_map.h"

#include <catch2/catch.hpp>

#include "loop/unique_fd.h"

namespace plimsoll::bpf_test {
namespace {

TEST_CASE("all entries with a certain value are erased from a map, and no others") {
    constexpr std::uint64_t kEntries = 1000;
    const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_HASH, "test", 8, 4, kEntries, nullptr));
    REQUIRE(map);
    for (std::uint64_t key = 0; key < kEntries; key++) {
        const auto value = static_cast<std::uint32_t>(key % 7);
        REQUIRE(bpf_map_update_elem(map.get(), &key, &value, BPF_ANY) == 0);
    }
    erase_from_map<std::uint64_t, std::uint32_t>(map.get(), [](std::uint32_t value) { return value == 3; });
    for (std::uint64_t key = 0; key < kEntries; key++) {
        std::uint32_t value = 0;
        CHECK((bpf_map_lookup_elem(map.get(), &key, &value) == 0) == (key % 7 != 3));
    }
}

}  // namespace
}  // namespace plimsoll::bpf_test
