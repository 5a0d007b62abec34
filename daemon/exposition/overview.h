// SPDX-License-Identifier: Apache-2.0
// What the start page says about a snapshot: a row per container, found by the families' names, so that a
// number that no probe gives is merely absent. Pure; HTTP threads call it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exposition/snapshot.h"

namespace plimsoll {

struct ContainerRow {
    std::string id;       ///< cgroup path
    std::string name;     ///< what a person calls it; the last part of the id when it has no name
    std::string detail;   ///< what else is known: pod's namespace and image, or the id
    std::string runtime;  ///< as in the configuration's `discover` list
    std::optional<double> ended_seconds;  ///< ago; it lingers on the page
    std::optional<double> age_seconds;
    std::optional<double> cpu_cores, cpu_peak_cores, wait_cores;
    std::optional<double> memory_bytes, memory_limit_bytes;  ///< no limit: absent
    std::optional<double> threads, processes;
    double oom_kills = 0;
    std::vector<std::pair<std::string, double>> states;  ///< threads in each state, where there are any
};

struct Overview {
    std::vector<ContainerRow> rows;
    std::string now_window, peak_window;  ///< of the CPU's numbers, "1s" and "60s"; empty: there are none
    std::vector<std::string> probes_up, probes_down;
    double scrape_seconds = 0;  ///< that the last scrape of /metrics took; 0: none yet
    double overflow = 0;        ///< containers without a slot
    std::uint64_t taken_unix_ns = 0;
};

Overview make_overview(const Snapshot& snapshot);

enum class SortKey { cpu, wait, memory, threads, name };

std::string_view to_string(SortKey key);

/// `sort=memory` somewhere in the query of a URL. Whatever else it says is the same as nothing: by CPU.
SortKey sort_key_of(std::string_view query);

/// Largest first, names from A to Z; what is not known and what has ended comes last. Without CPU numbers the
/// threads that run or want to stand in for them.
void sort_rows(std::vector<ContainerRow>& rows, SortKey key);

}  // namespace plimsoll
