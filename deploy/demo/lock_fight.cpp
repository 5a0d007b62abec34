// SPDX-License-Identifier: Apache-2.0
// For the quickstart's demo: four threads want one lock, and each holds it for 10 ms. Three are always
// waiting.
#include <chrono>
#include <mutex>
#include <thread>

int main() {
    std::mutex lock;
    const auto fight = [&lock] {
        for (;;) {
            const std::lock_guard guard(lock);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    };
    std::thread second(fight), third(fight), fourth(fight);
    fight();
}
