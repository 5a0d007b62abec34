// SPDX-License-Identifier: Apache-2.0
// Work of a container whose reads and writes are known, and what the agent counted of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "agent.h"
#include "child.h"
#include "descriptors.h"

namespace plimsoll::bpf_test {

struct IoCount {
    std::uint64_t bytes = 0, operations = 0, errors = 0;

    bool operator==(const IoCount&) const = default;
};

std::ostream& operator<<(std::ostream& out, const IoCount& count);

/// By class and direction ("file read"); what was not used is not in it.
using IoCounts = std::map<std::string, IoCount>;
std::ostream& operator<<(std::ostream& out, const IoCounts& counts);

inline const std::vector<std::string_view> kIoClasses{"file",    "block", "inet", "unix",
                                                      "netlink", "pipe",  "tty",  "other"};

/// The label set of a series of the io probe.
std::string io_labels(std::string_view io_class, std::string_view direction);

IoCounts io_counts(const Reading& reading, const Cgroup& cgroup);
IoCounts operator-(IoCounts later, const IoCounts& earlier);

/// A process in a container that does some work when it is told to.
class Worker {
  public:
    Worker(const Cgroup& cgroup, std::function<void()> work);
    /// Lets it do its work once and returns what was counted of that in its container.
    IoCounts run(Agent& agent);
    [[nodiscard]] const Child& child() const { return child_; }

  private:
    const Cgroup& cgroup_;
    Child child_;
};

/// The agent with each of the ways in which probe io can see calls here, one after another: for a test to be
/// run with each.
Agent::Options each_way();

/// What a single piece of work in a new process counted for.
IoCounts counted(Agent& agent, const Cgroup& cgroup, std::function<void()> work);

/// Inside the worker: ends it, so that its test fails, unless the call did what the test wants. Returns the
/// result.
template <typename Result>
Result expect(Result result, std::int64_t wanted) {
    if (static_cast<std::int64_t>(result) != wanted) {
        _exit(96);
    }
    return result;
}

/// The same for a call that has to fail.
template <typename Result>
void expect_error(Result result, int error) {
    if (static_cast<std::int64_t>(result) != -1 || errno != error) {
        _exit(95);
    }
}

/// For what only has to work.
template <typename Result>
Result need(Result result) {
    if (static_cast<std::int64_t>(result) < 0) {
        _exit(94);
    }
    return result;
}

}  // namespace plimsoll::bpf_test
