// SPDX-License-Identifier: Apache-2.0
// What this kernel can do, asked once of its BTF; never of its version.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"

struct btf;

namespace plimsoll {

class KernelTypes {
  public:
    /// Reads /sys/kernel/btf/vmlinux (or what libbpf finds instead).
    static Result<KernelTypes> load();

    [[nodiscard]] bool has_function(std::string_view name) const;
    /// Programs may look at any address as at a structure of the kernel (since 6.2).
    [[nodiscard]] bool can_cast() const { return has_function("bpf_rdonly_cast"); }
    /// A raw tracepoint that tp_btf programs can use.
    [[nodiscard]] bool has_tracepoint(std::string_view name) const;
    /// Whether argument `index` (0: the first after the context) of the tracepoint is a pointer.
    [[nodiscard]] bool tracepoint_argument_is_pointer(std::string_view name, unsigned index) const;
    /// How many arguments the kernel function has; 0 when there is none of that name.
    [[nodiscard]] unsigned function_arguments(std::string_view name) const;
    /// How many arguments the tracepoint has, without the context; 0 when there is none of that name.
    [[nodiscard]] unsigned tracepoint_arguments(std::string_view name) const;
    /// Whether programs may be put at the entry and the end of this kernel function (fentry, fexit), found
    /// out by doing it: some kernels have the types but refuse.
    [[nodiscard]] bool allows_fexit(std::string_view function) const;
    /// The index of a controller's state in css_set: enum cgroup_subsys_id, e.g. "memory" → memory_cgrp_id.
    [[nodiscard]] std::optional<int> cgroup_subsystem_index(std::string_view controller) const;

  private:
    struct Deleter {
        void operator()(btf* types) const;
    };
    explicit KernelTypes(btf* types) : types_(types) {}
    std::unique_ptr<btf, Deleter> types_;
};

/// CPUs that the kernel may ever bring up: maps have an account for each.
unsigned possible_cpus();

/// Whether the agent has this capability (CAP_…) in effect.
bool has_capability(unsigned number);

/// The capabilities that the agent needs and lacks, by name ("CAP_BPF CAP_PERFMON"); empty: all are there.
std::string missing_capabilities();

/// Routes libbpf's messages to the log: its warnings as debug lines, since errors reach the user as values.
void route_libbpf_messages();

}  // namespace plimsoll
