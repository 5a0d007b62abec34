// SPDX-License-Identifier: Apache-2.0
// Real cgroups for a test, below one directory of its own; whatever happens, they and what runs in them end
// with it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "containers/cgroup_tree.h"
#include "loop/unique_fd.h"

namespace plimsoll::bpf_test {

struct Cgroup {
    std::string path;  ///< below the hierarchy's root, as the agent names it
    std::uint64_t id;
    UniqueFd fd;  ///< of its directory
};

class CgroupTree {
  public:
    CgroupTree();
    CgroupTree(const CgroupTree&) = delete;
    CgroupTree& operator=(const CgroupTree&) = delete;
    ~CgroupTree();

    /// A new cgroup; `name` may have slashes. Those whose name begins with 'c' are containers.
    Cgroup make(std::string_view name) const;
    /// rmdir; a cgroup is busy until the last of its threads is really gone, which is waited for.
    void remove(const Cgroup& cgroup) const;
    /// Moves the whole process.
    static void move(pid_t process, const Cgroup& to);
    /// Moves one thread; both cgroups must be threaded.
    static void move_thread(pid_t thread, const Cgroup& to);
    static void write(const Cgroup& cgroup, const char* file, const std::string& text);

    [[nodiscard]] const CgroupLayout& layout() const { return layout_; }
    [[nodiscard]] const std::string& root() const { return root_; }

  private:
    CgroupLayout layout_;
    std::string root_;
};

}  // namespace plimsoll::bpf_test
