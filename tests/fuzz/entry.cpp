// SPDX-License-Identifier: Apache-2.0
// Where libFuzzer enters; compiled once for each fuzzer. An exception ends the run: libFuzzer keeps the
// input.
#include <cstddef>
#include <cstdint>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    plimsoll::fuzz::PLIMSOLL_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
    return 0;
}
