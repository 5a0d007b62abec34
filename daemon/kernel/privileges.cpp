// SPDX-License-Identifier: Apache-2.0
#include "kernel/privileges.h"

#include <bpf/bpf.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <type_traits>

namespace plimsoll {
namespace {

// For others' /proc/PID; for cgroups by their id and the runtimes' files; to attach to the root cgroup as
// soon as a container is in the host's network.
constexpr std::array kInEffect{CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN};
constexpr std::array kInReserve{CAP_BPF, CAP_PERFMON, CAP_NET_BIND_SERVICE};

struct FreeCapabilities {
    void operator()(cap_t capabilities) const noexcept { cap_free(capabilities); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

bool holds(const Capabilities& capabilities, cap_value_t value, cap_flag_t set) {
    cap_flag_value_t found = CAP_CLEAR;
    return cap_get_flag(capabilities.get(), value, set, &found) == 0 && found == CAP_SET;
}

void give(const Capabilities& capabilities, cap_flag_t set, cap_value_t value) {
    cap_set_flag(capabilities.get(), set, 1, &value, CAP_SET);
}

Result<void> apply(const Capabilities& capabilities) {
    if (cap_set_proc(capabilities.get()) != 0) {
        return fail_errno("capset", errno);
    }
    return {};
}

/// Everything that is asked of a map is refused: not a matter of this map.
bool maps_need_capability(int any_map) {
    bpf_map_info info{};
    __u32 size = sizeof info;
    return bpf_obj_get_info_by_fd(any_map, &info, &size) != 0 && errno == EPERM;
}

}  // namespace

Result<void> forbid_new_privileges() {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return fail_errno("prctl(PR_SET_NO_NEW_PRIVS)", errno);
    }
    return {};
}

Result<void> keep_needed_privileges(int any_map) {
    const Capabilities have(cap_get_proc());
    const Capabilities keep(cap_init());
    if (!have || !keep) {
        return fail_errno("capabilities", errno);
    }
    for (const auto value : kInEffect) {
        if (holds(have, value, CAP_PERMITTED)) {
            give(keep, CAP_PERMITTED, value);
            give(keep, CAP_EFFECTIVE, value);
        }
    }
    for (const auto value : kInReserve) {
        if (holds(have, value, CAP_PERMITTED)) {
            give(keep, CAP_PERMITTED, value);
        }
    }
    cap_reset_ambient();  // kernels before 4.3 have none
    auto done = apply(keep);
    if (done && maps_need_capability(any_map) && holds(keep, CAP_BPF, CAP_PERMITTED)) {
        give(keep, CAP_EFFECTIVE, CAP_BPF);
        done = apply(keep);
    }
    return done;
}

void give_up_privileges() noexcept {
    if (const Capabilities none(cap_init()); none) {
        cap_set_proc(none.get());  // to have less is never refused
    }
}

RaisedPrivileges::RaisedPrivileges() : before_(held_capabilities()) {
    if (const Capabilities raised(cap_get_proc()); raised) {
        for (const auto value : kInReserve) {
            if (holds(raised, value, CAP_PERMITTED)) {
                give(raised, CAP_EFFECTIVE, value);
            }
        }
        (void)apply(raised);  // what then cannot be done says so
    }
}

RaisedPrivileges::~RaisedPrivileges() {
    const Capabilities lowered(cap_get_proc());
    for (const auto& held : before_) {
        cap_value_t value = 0;
        if (lowered && !held.effective && cap_from_name(held.name.c_str(), &value) == 0) {
            cap_set_flag(lowered.get(), CAP_EFFECTIVE, 1, &value, CAP_CLEAR);
        }
    }
    if (lowered) {
        (void)apply(lowered);
    }
}

std::vector<HeldCapability> held_capabilities() {
    std::vector<HeldCapability> held;
    const Capabilities have(cap_get_proc());
    for (cap_value_t value = 0; have && value < cap_max_bits(); value++) {
        if (holds(have, value, CAP_PERMITTED)) {
            const std::unique_ptr<char, decltype([](char* text) { cap_free(text); })> name(
                cap_to_name(value));
            held.push_back({name ? name.get() : std::to_string(value), holds(have, value, CAP_EFFECTIVE)});
        }
    }
    return held;
}

}  // namespace plimsoll
