// SPDX-License-Identifier: Apache-2.0
/// What the agent may do beyond what anybody may, once its programs are attached: capabilities(7) of threads.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace plimsoll {

/// One capability that a thread holds.
struct HeldCapability {
    std::string name;  ///< as in capabilities(7), in small letters: "cap_bpf"
    bool effective;    ///< in effect, not only in reserve

    bool operator==(const HeldCapability&) const = default;
};

/// No program that is executed from here on can have more than this one: prctl(PR_SET_NO_NEW_PRIVS), of the
/// calling thread and those that it will start.
Result<void> forbid_new_privileges();

/// Gives up, in the calling thread and for good, all capabilities but those that the agent goes on to need.
/// CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and CAP_NET_ADMIN stay in effect; CAP_BPF, CAP_PERFMON, and to listen
/// below port 1024 CAP_NET_BIND_SERVICE, are in reserve for a reload, see RaisedPrivileges. None is added to
/// what the thread has. `any_map`: a descriptor of a map; kernels before 5.19 want CAP_BPF for whatever is
/// done with one, where it stays in effect then.
Result<void> keep_needed_privileges(int any_map);

/// Gives up all capabilities of the calling thread, for good.
void give_up_privileges() noexcept;

/// While it lives, the reserve of the calling thread is in effect.
class RaisedPrivileges {
  public:
    RaisedPrivileges();
    ~RaisedPrivileges();
    RaisedPrivileges(const RaisedPrivileges&) = delete;
    RaisedPrivileges& operator=(const RaisedPrivileges&) = delete;

  private:
    std::vector<HeldCapability> before_;
};

/// The calling thread's, in the kernel's order.
std::vector<HeldCapability> held_capabilities();

}  // namespace plimsoll
