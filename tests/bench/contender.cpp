// SPDX-License-Identifier: Apache-2.0
#include "contender.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <numeric>

namespace plimsoll::bench {

Hooks nothing() {
    return {[] {}, [] {}};
}

Hooks programs(std::vector<bpf_program*> wanted, std::function<bpf_link*(bpf_program*)> attach) {
    const auto links = std::make_shared<std::vector<bpf_link*>>();
    return {[wanted = std::move(wanted), attach = std::move(attach), links] {
                for (bpf_program* program : wanted) {
                    links->push_back(attach(program));
                    if (links->back() == nullptr) {
                        throw std::runtime_error(std::string("cannot attach ") + bpf_program__name(program));
                    }
                }
            },
            [links] {
                for (bpf_link* link : *links) {
                    bpf_link__destroy(link);
                }
                links->clear();
            }};
}

namespace {

template <typename Value>
double median_of_calm_turns(std::vector<std::vector<double>> turns, Value value_of) {
    const auto sum = [](const auto& turn) { return std::accumulate(turn.begin(), turn.end(), 0.0); };
    std::ranges::sort(turns, {}, sum);
    turns.resize((turns.size() + 1) / 2);
    std::vector<double> values;
    std::ranges::transform(turns, std::back_inserter(values), value_of);
    std::ranges::sort(values);
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

}  // namespace

double Group::bare() const {
    return median_of_calm_turns(turns, [](const auto& turn) { return turn[0]; });
}

double Group::added(std::size_t contender) const {
    return median_of_calm_turns(turns, [=](const auto& turn) { return turn[contender] - turn[0]; });
}

void Group::report(const char* what) const {
    std::printf("%s_ns%s_bare %.1f\n", what, suffix.c_str(), bare());
    for (std::size_t i = 1; i < contenders.size(); i++) {
        std::printf("%s_added_ns%s_%s %.1f\n", what, suffix.c_str(), contenders[i].name, added(i));
    }
}

namespace {

/// The fastest round of each contender, or nothing when not all of the work was seen.
std::vector<double> take_turn(const Group& group) {
    std::vector<double> fastest;
    for (const auto& contender : group.contenders) {
        contender.hooks.attach();
        group.round();
        fastest.push_back(group.round());
        for (int i = 2; i < kRoundsPerTurn; i++) {
            fastest.back() = std::min(fastest.back(), group.round());
        }
        contender.hooks.detach();
    }
    return group.saw_all() ? fastest : std::vector<double>{};
}

}  // namespace

void run_in_turn(std::vector<Group>& groups, int turns) {
    int repeated = 0;
    for (int turn = 0; turn < turns; turn++) {
        for (auto& group : groups) {
            auto fastest = take_turn(group);
            for (; fastest.empty(); fastest = take_turn(group)) {
                if (++repeated > turns) {
                    throw std::runtime_error("the programs do not see the work, so nothing was measured");
                }
            }
            group.turns.push_back(std::move(fastest));
        }
    }
    if (repeated != 0) {
        std::fprintf(stderr, "turns taken again, since the programs had not seen all of the work: %d\n",
                     repeated);
    }
}

int run(int argc, char** argv, int turns, const std::function<void(int turns)>& bench) {
    if (argc > 1) {
        const char* end = argv[1] + std::strlen(argv[1]);
        if (argc > 2 || std::from_chars(argv[1], end, turns).ptr != end || turns < 1) {
            std::fprintf(stderr, "usage: %s [TURNS]   (a number of at least 1)\n", argv[0]);
            return 2;
        }
    }
    try {
        bench(turns);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

}  // namespace plimsoll::bench
