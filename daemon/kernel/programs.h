// SPDX-License-Identifier: Apache-2.0
// What can be said of the kernel programs of an object.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loop/unique_fd.h"

struct bpf_object;

namespace plimsoll {

struct ProgramStats {
    std::string name;
    std::uint64_t runs = 0;  ///< these two grow only while statistics are on
    std::uint64_t run_ns = 0;
    std::uint64_t misses = 0;  ///< runs that the kernel skipped because the program would have recursed
};

/// Of every program that is loaded.
std::vector<ProgramStats> program_stats(const bpf_object* object);

/// Section names ("tp_btf/sched_switch") of the programs that would be loaded.
std::vector<std::string> program_sections(const bpf_object* object);

/// Turns the kernel's statistics of BPF programs on for as long as the descriptor lives; empty when it
/// refuses.
UniqueFd enable_program_stats();

}  // namespace plimsoll
