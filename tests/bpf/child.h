// SPDX-License-Identifier: Apache-2.0
// A process that is born inside a cgroup (clone3 with CLONE_INTO_CGROUP), runs a function of the test, and
// talks to it over two pipes. Killed and reaped when its owner goes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "cgroups.h"

namespace plimsoll::bpf_test {

/// What the function inside the child has.
class Parent {
  public:
    Parent(int in, int out) : in_(in), out_(out) {}
    void tell(std::uint64_t value) const;
    /// Blocks in read(2) on a pipe until the test says go.
    std::uint64_t wait() const;

  private:
    int in_, out_;
};

class Child {
  public:
    /// The child exits with what `body` returns.
    Child(const Cgroup& cgroup, const std::function<int(const Parent&)>& body);
    /// The child executes a program at once.
    Child(const Cgroup& cgroup, const std::string& program);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// What the child told; 0 when it has ended.
    std::uint64_t hear() const;
    void go(std::uint64_t value = 1) const;
    void kill() const;
    /// Reaps it; the status as of wait(2).
    int wait();
    /// Waits until a thread of it (0: the leader) sleeps inside a system call, as /proc tells.
    [[nodiscard]] bool sleeps(pid_t thread = 0) const;

  private:
    pid_t pid_ = -1;
    UniqueFd in_, out_;
};

}  // namespace plimsoll::bpf_test
