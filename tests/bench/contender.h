// SPDX-License-Identifier: Apache-2.0
// Sets of kernel programs that are measured against each other, in turn, many short rounds each.
#pragma once

#include <bpf/libbpf.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"

namespace plimsoll::bench {

/// Of a contender in each turn; the first only warms caches.
constexpr int kRoundsPerTurn = 16;

template <typename T>
T must(Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

/// What is on the kernel's hooks while a contender has its turn.
struct Hooks {
    std::function<void()> attach, detach;
};

Hooks nothing();
/// `attach`: where they go, for programs that do not say it themselves.
Hooks programs(std::vector<bpf_program*> wanted,
               std::function<bpf_link*(bpf_program*)> attach = bpf_program__attach);

struct Contender {
    const char* name;
    Hooks hooks;
};

/// Contenders around the same work; the first has nothing on the hooks.
struct Group {
    std::string suffix;             ///< of the names that are printed: "", "_unwatched"
    std::function<double()> round;  ///< nanoseconds for one of what is measured
    std::vector<Contender> contenders;
    /// Whether the programs have seen all the work of the turn that ends. If not, it is taken again.
    std::function<bool()> saw_all = [] { return true; };

    /// By turn and contender: the fastest round.
    std::vector<std::vector<double>> turns{};

    /// Nanoseconds with nothing on the hooks.
    [[nodiscard]] double bare() const;
    /// What a contender adds to that. Machines are slow and fast by turns, so it is compared within a turn;
    /// the median of the half of the turns that were least disturbed, all contenders taken together.
    [[nodiscard]] double added(std::size_t contender) const;
    /// `name value` lines; `what` is what one of it is called.
    void report(const char* what) const;
};

/// Throws when a group saw too little too often.
void run_in_turn(std::vector<Group>& groups, int turns);

/// A bench's main(): how many turns the command line wants (else `turns`), and a sentence for what goes
/// wrong.
int run(int argc, char** argv, int turns, const std::function<void(int turns)>& bench);

}  // namespace plimsoll::bench
