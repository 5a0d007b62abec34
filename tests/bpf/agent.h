// SPDX-License-Identifier: Apache-2.0
// The agent without its outside: kernel side, registry, watcher and probes, wired as the daemon does it,
// driven step by step by a test. Containers are the cgroups below the test's own whose names begin with 'c'.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroups.h"
#include "containers/connection_rules.h"
#include "containers/registry.h"
#include "containers/selector.h"
#include "containers/watcher.h"
#include "event_counts.h"
#include "exposition/snapshot.h"
#include "kernel/connection_hook.h"
#include "kernel/scope.h"
#include "probes/probe.h"

namespace plimsoll::bpf_test {

/// The ledger goes by the scheduler's clock and CLOCK_BOOTTIME is what tests measure by: how far the two may
/// differ.
constexpr std::uint64_t kClockSlackNs = 100'000;

/// What a scrape would show.
class Reading {
  public:
    /// Counters, gauges (times in nanoseconds); 0 where there is no such sample.
    [[nodiscard]] std::uint64_t value(const Cgroup& cgroup, std::string_view family,
                                      std::string_view label = "") const;
    [[nodiscard]] std::uint64_t state_ns(const Cgroup& cgroup, std::string_view state) const;
    [[nodiscard]] std::uint64_t in_state(const Cgroup& cgroup, std::string_view state) const;
    [[nodiscard]] std::uint64_t threads(const Cgroup& cgroup) const {
        return value(cgroup, "container_threads");
    }
    [[nodiscard]] std::uint64_t processes(const Cgroup& cgroup) const {
        return value(cgroup, "container_processes");
    }
    [[nodiscard]] std::uint64_t lifetime_ns(const Cgroup& cgroup) const;
    /// Σ states of the ledger.
    [[nodiscard]] std::uint64_t sum_ns(const Cgroup& cgroup) const;
    [[nodiscard]] const HistogramValue* histogram(const Cgroup& cgroup, std::string_view family,
                                                  std::string_view label = "") const;
    /// "pipe: 1 thread 23 ns, …": what a failed check shows.
    [[nodiscard]] std::string states(const Cgroup& cgroup) const;

    std::uint64_t now_ns = 0, end_ns = 0;  ///< the probes were sampled between the two
    std::vector<std::string> paths;
    Snapshot snapshot;

  private:
    [[nodiscard]] const Sample* find(const Cgroup& cgroup, std::string_view family,
                                     std::string_view label) const;
};

/// The least and the most time that can have passed between the moments of two readings.
struct Passed {
    Passed(const Reading& before, const Reading& after)
        : least_ns(after.now_ns - before.end_ns), most_ns(after.end_ns - before.now_ns) {}
    std::uint64_t least_ns, most_ns;
};

struct Event {
    event_header header;
    process_event process;  ///< exec, exit, oom_kill
};

class Agent {
  public:
    struct Options {
        EventChannelKind channel = EventChannelKind::automatic;
        bool ledger = true;
        std::uint32_t max = 64, provisional = 128;
        std::function<void()> before_probes = {};  ///< called before anything is attached
        std::function<void(Config&)> configure = {};
        std::vector<std::string> connects_to = {};  ///< addresses: who connects there is a container, too …
        std::string exclude = {};                   ///< … but for those of this name
    };
    explicit Agent(const CgroupTree& tree) : Agent(tree, Options()) {}
    Agent(const CgroupTree& tree, Options options);

    void drain() { channel_->drain(); }
    /// As before a scrape: events, slots, and the threads that sleep where they do not belong any more.
    /// `later`: how much later than now the registry believes it is.
    void settle(std::uint64_t later_ns = 0);
    Reading read();
    /// Waits until a reading is as wanted, and returns the last one.
    template <typename Question>
    Reading read_until(Question question);
    void resync();
    /// From now on every event is lost.
    void lose_events() { deaf_ = true; }

    /// No slot but those of live containers counts for a container any more.
    [[nodiscard]] bool has_drained() const;
    [[nodiscard]] const Watched* find(const Cgroup& cgroup) const;
    [[nodiscard]] std::size_t count(plimsoll_event_kind kind, const Cgroup& cgroup) const;
    [[nodiscard]] std::vector<std::uint32_t> program_ids() const;

    std::vector<Event> events;
    EventCounts event_counts;
    std::unique_ptr<KernelTypes> types;
    std::unique_ptr<Scope> scope;
    std::unique_ptr<ConnectionHook> connection_hook;  ///< if there is a rule for it
    std::vector<std::unique_ptr<Probe>> probes;
    std::unique_ptr<Registry> registry;
    std::unique_ptr<Watcher> watcher;

  private:
    Registry::Callbacks callbacks();
    void on_record(std::span<const std::byte> record);
    void tell_probes();
    void on_connection(const FoundConnection& connection);

    Selector selector_;
    ConnectionRules connection_rules_{selector_};
    CgroupLayout layout_;
    Config config_;
    std::unique_ptr<EventChannel> channel_;
    bool moved_ = false;
    bool watching_ = false;
    bool deaf_ = false;
};

template <typename Question>
Reading Agent::read_until(Question question) {
    Reading reading = read();
    for (int attempt = 0; attempt < 10'000 && !question(reading); attempt++) {
        const timespec pause{0, 500'000};
        nanosleep(&pause, nullptr);
        reading = read();
    }
    return reading;
}

}  // namespace plimsoll::bpf_test
