// SPDX-License-Identifier: Apache-2.0
// The labels of disks, whose names are in a BPF map.
#include "probes/block_labels.h"

#include <bpf/bpf.h>

#include <catch2/catch.hpp>

#include <string_view>

#include "loop/unique_fd.h"

namespace plimsoll::bpf_test {
namespace {

UniqueFd disks() {
    return UniqueFd(bpf_map_create(BPF_MAP_TYPE_HASH, "test", sizeof(__u64), sizeof(block_disk), 8, nullptr));
}

void name_disk(const UniqueFd& map, __u64 id, const char* name) {
    block_disk disk{};
    std::string_view(name).copy(disk.name, sizeof(disk.name));
    REQUIRE(bpf_map_update_elem(map.get(), &id, &disk, BPF_ANY) == 0);
}

TEST_CASE("a disk is labelled as udev names it, and by what was done to it") {
    const UniqueFd map = disks();
    name_disk(map, 1, "cciss!c0d0");
    BlockLabels labels(map.get());
    const auto* found = labels.find({1, BLOCK_DISCARD, 0});
    REQUIRE(found != nullptr);
    CHECK(found->disk == "device=\"/dev/cciss/c0d0\"");
    CHECK(found->series == "device=\"/dev/cciss/c0d0\",direction=\"discard\"");
}

TEST_CASE("a disk whose name could not be read once has it the next time") {
    const UniqueFd map = disks();
    BlockLabels labels(map.get());
    CHECK(labels.find({1, BLOCK_WRITE, 0}) == nullptr);
    name_disk(map, 1, "sda");
    const auto* found = labels.find({1, BLOCK_WRITE, 0});
    REQUIRE(found != nullptr);
    CHECK(found->disk == "device=\"/dev/sda\"");
}

}  // namespace
}  // namespace plimsoll::bpf_test
