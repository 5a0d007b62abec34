// SPDX-License-Identifier: Apache-2.0
// What every fuzzer is: a function that takes any bytes. It throws when something does not hold that has to.
#pragma once

#include <cstddef>
#include <string_view>

namespace plimsoll::fuzz {

#define PLIMSOLL_FUZZER(name, longest) void name(std::string_view input);
#include "fuzz/targets.inc"
#undef PLIMSOLL_FUZZER

struct Target {
    std::string_view name;
    std::size_t longest;
    void (*run)(std::string_view input);
};

inline constexpr Target kTargets[] = {
#define PLIMSOLL_FUZZER(name, longest) {#name, longest, name},
#include "fuzz/targets.inc"
#undef PLIMSOLL_FUZZER
};

}  // namespace plimsoll::fuzz
