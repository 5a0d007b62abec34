// SPDX-License-Identifier: Apache-2.0
// Sets of kernel programs that are measured against each other, in turn, many short rounds each.
#pragma once

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"

namespace plimsoll::bench {

constexpr int kRoundsPerTurn = 15;

template <typename T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "%s\n", result.error().message.c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

struct Contender {
    const char* name;
    std::vector<bpf_program*> programs;
    std::function<double()> round;  ///< nanoseconds for one of what is measured
    std::vector<double> turns{};    ///< the fastest round of each

    /// The lower quartile over the turns: noise only ever adds, but a single lowest value may be a clock's
    /// whim.
    [[nodiscard]] double ns() const {
        std::vector<double> sorted = turns;
        std::ranges::sort(sorted);
        return sorted.at(sorted.size() / 4);
    }

    void run() {
        std::vector<bpf_link*> links;
        for (bpf_program* program : programs) {
            links.push_back(bpf_program__attach(program));
            if (links.back() == nullptr) {
                std::fprintf(stderr, "cannot attach %s\n", bpf_program__name(program));
                std::exit(1);
            }
        }
        round();  // warms caches
        double fastest = round();
        for (int i = 1; i < kRoundsPerTurn; i++) {
            fastest = std::min(fastest, round());
        }
        turns.push_back(fastest);
        for (bpf_link* link : links) {
            bpf_link__destroy(link);
        }
    }
};

}  // namespace plimsoll::bench
