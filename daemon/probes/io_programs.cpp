// SPDX-License-Identifier: Apache-2.0
#include "probes/io_programs.h"

#include <string_view>

#include "shared/ledger.h"

#include "io.skel.h"

namespace plimsoll {

namespace {

constexpr std::string_view kEntry = "fentry/", kExit = "fexit/";
#ifdef __aarch64__
constexpr const char* kReadFunction = "__arm64_sys_read";
#else
constexpr const char* kReadFunction = "__x64_sys_read";
#endif

/// The function that the program of a fentry or fexit section is for; empty for others.
std::string_view function_of(std::string_view section) {
    for (const auto prefix : {kEntry, kExit}) {
        if (section.starts_with(prefix)) {
            return section.substr(prefix.size());
        }
    }
    return {};
}

/// Calls of AIO are looked at when they end, and so are all without latencies. A function that is missing is
/// of a call that this kernel was built without.
void choose_function_program(bpf_program* program, bool wanted, bool latency, const KernelTypes& types) {
    const std::string_view section = bpf_program__section_name(program), function = function_of(section);
    const bool begins = section.starts_with(kEntry);
    const bool useful = !begins || (latency && function.find("_sys_io_") == std::string_view::npos);
    bpf_program__set_autoload(program, wanted && useful && types.has_function(function));
}

}  // namespace

std::vector<IoMethod> io_methods(IoMethod configured) {
    if (configured == IoMethod::automatic) {
        return {IoMethod::fentry, IoMethod::syscalls};
    }
    return {configured};
}

std::string io_method_missing(IoMethod method, const KernelTypes& types) {
    if (method == IoMethod::fentry) {
        return types.has_function(kReadFunction) ? "" : std::string("function ") + kReadFunction;
    }
    return types.has_tracepoint("sys_exit") ? "" : "tracepoint sys_exit";
}

void choose_io_programs(const io_bpf& skeleton, IoMethod method, bool latency, const KernelTypes& types) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton.obj) {
        if (!function_of(bpf_program__section_name(program)).empty()) {
            choose_function_program(program, method == IoMethod::fentry, latency, types);
        }
    }
    const auto& programs = skeleton.progs;
    bpf_program__set_autoload(programs.on_sys_enter, method == IoMethod::syscalls && latency);
    bpf_program__set_autoload(programs.on_sys_exit, method == IoMethod::syscalls);
    const bool rings = types.has_tracepoint("io_uring_complete");  // else the kernel was built without
    const bool entry = types.tracepoint_argument_is_pointer("io_uring_complete", 2);
    const bool request = types.has_tracepoint("io_uring_submit_req");
    bpf_program__set_autoload(programs.on_uring_submit, rings && request);
    bpf_program__set_autoload(programs.on_uring_submit_sqe, rings && !request);
    bpf_program__set_autoload(programs.on_uring_punt, rings);
    bpf_program__set_autoload(programs.on_uring_complete, rings && entry);
    bpf_program__set_autoload(programs.on_uring_complete_values, rings && !entry);
}

}  // namespace plimsoll
