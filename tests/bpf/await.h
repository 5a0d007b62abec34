// SPDX-License-Identifier: Apache-2.0
// Waiting for what has no descriptor to wait on, with a limit that only a failing test reaches.
#pragma once

#include <chrono>
#include <thread>

namespace plimsoll::bpf_test {

/// Asks until the answer is true; false after a minute, which is time enough in emulation, too.
template <typename Question>
bool eventually(Question question) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!question()) {
        if (std::chrono::steady_clock::now() > limit) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return true;
}

}  // namespace plimsoll::bpf_test
