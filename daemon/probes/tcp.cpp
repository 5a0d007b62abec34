// SPDX-License-Identifier: Apache-2.0
// TCP connections: made, failed and ended, how many there are, and how long everything took.
#include "probes/tcp_families.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <unordered_set>
#include <utility>

#include "core/clock.h"
#include "kernel/mapped_array.h"
#include "probes/kernel_probe.h"
#include "shared/tcp.h"
#include "tcp.skel.h"

namespace plimsoll {

namespace {

class TcpProbe : public KernelProbe<tcp_bpf> {
  public:
    TcpProbe() : KernelProbe("tcp", kTcpMetrics) {}

    void sample(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override { sums_.fold(slot, heir); }
    void forget(Handle container) override {
        sums_.forget(container);
        known_.erase(container);
    }

  private:
    struct Row {
        std::uint32_t container;
        tcp_account sums;
        std::span<const std::uint32_t> slots;
        std::array<std::uint64_t, kTcpStates.size()> sockets{};  ///< by state, if that is known
        [[nodiscard]] bool has_tcp() const;
    };

    void choose_programs(const tcp_bpf& skeleton, const KernelTypes& types) const override;
    void configure(const ProbeContext& context) override;
    Result<void> map_arrays() override;
    Result<void> attach_programs(Links& links) override;
    void look_around(std::span<const SampledContainer> containers);
    void count_sockets();
    void write_states(SampleWriter& writer) const;
    void write_times(SampleWriter& writer) const;

    MappedArray<tcp_account> accounts_;
    MappedArray<tcp_states> states_;
    SlotSums<tcp_account> sums_{[this](std::uint32_t slot) { return accounts_[slot]; }};
    bool sees_accept_ = false;
    std::uint64_t started_ns_ = 0;
    bool looked_ = false;  // for sockets that are older than the agent
    bool walked_ = false;  // the states are those of this sample
    std::unordered_set<Handle> known_;
    std::vector<Row> rows_;
};

void TcpProbe::choose_programs(const tcp_bpf& skeleton, const KernelTypes& types) const {
    const bool tells_errors = types.tracepoint_arguments("tcp_retransmit_skb") > 2;
    bpf_program__set_autoload(skeleton.progs.on_retransmit, !tells_errors);
    bpf_program__set_autoload(skeleton.progs.on_retransmit_result, tells_errors);
    const unsigned arguments =
        types.allows_fexit("inet_csk_accept") ? types.function_arguments("inet_csk_accept") : 0;
    bpf_program__set_autoload(skeleton.progs.after_accept, arguments == 2);
    bpf_program__set_autoload(skeleton.progs.after_accept_of_four, arguments == 4);
    bpf_program__set_autoattach(skeleton.progs.on_each_socket, false);
}

void TcpProbe::configure(const ProbeContext& context) {
    sees_accept_ = bpf_program__autoload(skeleton().progs.after_accept) ||
                   bpf_program__autoload(skeleton().progs.after_accept_of_four);
    started_ns_ = boot_time_ns();
    bpf_map__set_max_entries(skeleton().maps.tcp_accounts, context.scope.slot_count());
    bpf_map__set_max_entries(skeleton().maps.tcp_states, context.scope.slot_count());
}

Result<void> TcpProbe::map_arrays() {
    const auto& maps = skeleton().maps;
    return in_order([&] { return map_into(accounts_, maps.tcp_accounts); },
                    [&] { return map_into(states_, maps.tcp_states); });
}

Result<void> TcpProbe::attach_programs(Links& links) {
    return in_order([&] { return KernelProbe::attach_programs(links); },
                    [&] {
                        return links.attach_to_map(skeleton().progs.on_each_socket,
                                                   bpf_map__fd(skeleton().maps.sockets));
                    });
}

/// Who was there before the agent may have sockets from then: looked for at the first sample, and when
/// somebody that is older turns up. Then everybody's sockets are told by state.
void TcpProbe::look_around(std::span<const SampledContainer> containers) {
    bool older = !std::exchange(looked_, true);
    for (const auto& container : containers) {
        older |= known_.insert(container.handle).second &&
                 (container.found_late || container.since_ns < started_ns_);
    }
    if (older) {
        looked_ = run_iterator(link("on_each_file"), "file iterator").has_value();
    }
    skeleton().bss->walk++;
    walked_ = run_iterator(link("on_each_socket"), "socket iterator").has_value();
}

void TcpProbe::sample(const SampleContext& context, SampleWriter& writer) {
    look_around(context.containers);
    rows_.clear();
    for (const auto& container : context.containers) {
        rows_.push_back({container.index, sums_.sum(container.handle, container.slots), container.slots});
    }
    if (walked_) {
        count_sockets();
    }
    const auto write = [&](std::size_t family, const auto& fragments, auto counters_of) {
        writer.family(kTcpMetrics[family], rows_.size() * fragments.size());
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i < fragments.size(); i++) {
                writer.add(row.container, fragments[i], Number::count(counters_of(row.sums)[i]));
            }
        }
    };
    write(TcpFamily::opened, kTcpSides, [](const auto& sums) { return sums.opened; });
    write(TcpFamily::failed, kTcpFailures, [](const auto& sums) { return &sums.failed[0][0]; });
    write(TcpFamily::closed, kTcpSides, [](const auto& sums) { return sums.closed; });
    write_states(writer);
    constexpr std::array<std::string_view, 1> kNone{};
    write(TcpFamily::retransmits, kNone, [](const auto& sums) { return &sums.retransmits; });
    write(TcpFamily::resets, kTcpResets, [](const auto& sums) { return sums.resets; });
    write(TcpFamily::listen_drops, kTcpDrops, [](const auto& sums) { return sums.listen_drops; });
    write_times(writer);
    accounts_.release_unread();
    states_.release_unread();
}

/// A container without TCP has no histograms: they are many series, all 0.
bool TcpProbe::Row::has_tcp() const {
    const auto* words = reinterpret_cast<const __u64*>(&sums);
    const auto is_set = [](std::uint64_t value) { return value != 0; };
    return std::ranges::any_of(sockets, is_set) ||
           std::any_of(words, words + sizeof(sums) / sizeof(__u64), is_set);
}

void TcpProbe::count_sockets() {
    const std::uint64_t walk = skeleton().bss->walk;
    for (auto& row : rows_) {
        for (const auto slot : row.slots) {
            const tcp_states& states = states_[slot];
            for (std::size_t i = 0; i < kTcpStates.size() && states.walk == walk; i++) {
                row.sockets[i] += states.sockets[kTcpStates[i].state];
            }
        }
    }
}

void TcpProbe::write_states(SampleWriter& writer) const {
    writer.family(kTcpMetrics[TcpFamily::connections], rows_.size() * kTcpStates.size());
    if (!walked_) {
        return;  // absent, not zero
    }
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < kTcpStates.size(); i++) {
            writer.add(row.container, kTcpStates[i].fragment, Number::count(row.sockets[i]));
        }
    }
}

void TcpProbe::write_times(SampleWriter& writer) const {
    const auto with_tcp = std::views::filter(&Row::has_tcp);
    const auto write = [&](std::size_t family, auto times_of) {
        writer.family(kTcpMetrics[family]);
        for (const auto& row : rows_ | with_tcp) {
            const tcp_times& times = times_of(row.sums);
            writer.histogram(row.container, {}, times.buckets, times.sum_ns);
        }
    };
    const auto write_sides = [&](std::size_t family, auto times_of) {
        writer.family(kTcpMetrics[family]);
        for (const auto& row : rows_ | with_tcp) {
            for (std::size_t side = 0; side < SIDE_COUNT; side++) {
                const tcp_times& times = times_of(row.sums)[side];
                writer.histogram(row.container, kTcpSides[side], times.buckets, times.sum_ns);
            }
        }
    };
    write(TcpFamily::connect, [](const tcp_account& sums) -> auto& { return sums.connect; });
    if (sees_accept_) {
        write(TcpFamily::accept, [](const tcp_account& sums) -> auto& { return sums.accept; });
    }
    write_sides(TcpFamily::round_trip, [](const tcp_account& sums) -> auto& { return sums.round_trip; });
    write_sides(TcpFamily::duration, [](const tcp_account& sums) -> auto& { return sums.connection; });
}

}  // namespace

std::unique_ptr<Probe> make_tcp_probe() {
    return std::make_unique<TcpProbe>();
}

}  // namespace plimsoll
