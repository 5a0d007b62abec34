// SPDX-License-Identifier: Apache-2.0
// BPF arrays that are mapped piece by piece, against what was written to them and what the kernel says is
// resident.
#include "kernel/mapped_array.h"

#include <bpf/bpf.h>

#include <catch2/catch.hpp>

#include <array>
#include <fstream>
#include <string>

#include "loop/unique_fd.h"

namespace plimsoll::bpf_test {
namespace {

// No divisor of a page's size: elements lie across pages and windows.
using Element = std::array<std::uint64_t, 171>;
constexpr std::uint32_t kElements = 4001;

UniqueFd make_array(std::uint32_t flags) {
    bpf_map_create_opts options{};
    options.sz = sizeof(options);
    options.map_flags = flags;
    return UniqueFd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "test", sizeof(std::uint32_t), sizeof(Element),
                                   kElements, &options));
}

/// What the kernel counts as resident of all BPF maps that this process has mapped.
std::size_t resident_bytes() {
    std::ifstream smaps("/proc/self/smaps");
    std::size_t kilobytes = 0;
    bool is_map = false;
    for (std::string line; std::getline(smaps, line);) {
        const std::string word = line.substr(0, line.find(' '));
        if (!word.ends_with(':')) {
            is_map = line.find("bpf-map") != std::string::npos;
        } else if (is_map && word == "Rss:") {
            kilobytes += std::stoul(line.substr(word.size()));
        }
    }
    return kilobytes * 1024;
}

TEST_CASE("each element of a mapped array is found, one by one and all at once") {
    const UniqueFd map = make_array(BPF_F_MMAPABLE);
    REQUIRE(map);
    for (std::uint32_t i = 0; i < kElements; i++) {
        Element element;
        element.fill(i + 1);
        REQUIRE(bpf_map_update_elem(map.get(), &i, &element, BPF_ANY) == 0);
    }
    const auto is_whole = [](const Element& element, std::uint64_t number) {
        return std::ranges::all_of(element, [&](std::uint64_t word) { return word == number; });
    };
    auto array = MappedArray<Element>::map(map.get(), kElements);
    REQUIRE(array);
    std::size_t found = 0;
    for (std::uint32_t i = kElements; i-- > 0;) {
        found += is_whole((*array)[i], i + 1) ? 1 : 0;
    }
    CHECK(found == kElements);
    found = 0;
    for (const Element& element : array->elements()) {
        found++;
        CHECK(is_whole(element, found));
    }
    CHECK(found == kElements);
    const auto some = array->elements(1000, 100);
    CHECK(some.size() == 100);
    CHECK((is_whole(some.front(), 1001) && is_whole(some.back(), 1100)));
}

TEST_CASE("only what is read of an array is resident, until nobody reads it any more") {
    const UniqueFd map = make_array(BPF_F_MMAPABLE);
    REQUIRE(map);
    const std::size_t before = resident_bytes();
    auto array = MappedArray<Element>::map(map.get(), kElements);
    REQUIRE(array);
    constexpr std::size_t kAll = kElements * sizeof(Element);
    CHECK(resident_bytes() - before < kAll / 50);
    CHECK((*array)[2000][0] == 0);
    CHECK((*array)[4000][0] == 0);
    CHECK(resident_bytes() - before < kAll / 20);
    CHECK(array->elements().size() == kElements);
    CHECK(resident_bytes() - before >= kAll);
    array->release_unread();  // ends the time in which all was read
    CHECK(resident_bytes() - before >= kAll);
    const std::uint32_t key = 2000;
    Element element{};
    element.fill(23);
    REQUIRE(bpf_map_update_elem(map.get(), &key, &element, BPF_ANY) == 0);
    CHECK((*array)[key][170] == 23);
    array->release_unread();
    CHECK(resident_bytes() - before < kAll / 20);
    CHECK((*array)[key] == element);
    CHECK((*array)[3999][0] == 0);
}

TEST_CASE("an array that cannot be mapped says so") {
    const UniqueFd map = make_array(0);
    REQUIRE(map);
    const auto array = MappedArray<Element>::map(map.get(), kElements);
    REQUIRE_FALSE(array);
    CHECK(array.error().message.starts_with("mmap of a BPF array: "));
}

}  // namespace
}  // namespace plimsoll::bpf_test
