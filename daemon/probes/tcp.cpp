// SPDX-License-Identifier: Apache-2.0
// TCP connections: made, failed and ended, how many there are, and how long everything took.
#include "shared/tcp.h"

#include <array>
#include <unordered_set>
#include <utility>

#include "core/clock.h"
#include "kernel/mapped_array.h"
#include "kernel/programs.h"
#include "probes/probe.h"
#include "tcp.skel.h"

namespace plimsoll {

namespace {

struct Family {
    enum : std::uint8_t {
        opened,
        failed,
        closed,
        connections,
        retransmits,
        resets,
        listen_drops,
        connect,
        accept,
        round_trip,
        duration,
        count
    };
};

constexpr std::string_view kRole = "role (client, server)";
constexpr std::string_view kChange = "tp_btf/inet_sock_set_state";

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_tcp_connections_opened_total", MetricType::counter, "", kRole,
     "TCP connections that the container's sockets made or accepted.", kChange},
    {"container_tcp_connections_failed_total", MetricType::counter, "",
     "role (client, server), reason (refused, timeout, unreachable, reset, other)",
     "Attempts at TCP connections that failed after the first packet was due; other: above all given up by "
     "the "
     "program.",
     kChange},
    {"container_tcp_connections_closed_total", MetricType::counter, "", kRole,
     "TCP connections of the container's sockets that ended.", kChange},
    {"container_tcp_connections", MetricType::gauge, "",
     "state (established, syn_sent, syn_recv, fin_wait1, fin_wait2, close_wait, last_ack, listen, closing)",
     "TCP sockets of the container in each state now, without those that only wait for late packets "
     "(time_wait).",
     "iter/bpf_sk_storage_map"},
    {"container_tcp_retransmits_total", MetricType::counter, "", "",
     "TCP segments that the container's sockets sent once more.",
     "tp_btf/tcp_retransmit_skb, tp_btf/tcp_retransmit_synack"},
    {"container_tcp_resets_total", MetricType::counter, "", "direction (sent, received)",
     "TCP resets that the container's sockets sent and received.",
     "tp_btf/tcp_send_reset, tp_btf/tcp_receive_reset"},
    {"container_tcp_listen_drops_total", MetricType::counter, "", "reason (overflow, other)",
     "Connection attempts and packets that the container's listening sockets dropped; overflow: as of a "
     "moment when "
     "too many connections waited to be accepted.",
     "sk_drops of listening sockets"},
    {"container_tcp_connect_seconds", MetricType::histogram, "seconds", "",
     "Time from the first packet to the completion of each TCP connection that the container's sockets made.",
     kChange},
    {"container_tcp_accept_seconds", MetricType::histogram, "seconds", "",
     "Time that each completed TCP connection waited until the container accepted it.",
     "fexit/inet_csk_accept"},
    {"container_tcp_rtt_seconds", MetricType::histogram, "seconds", kRole,
     "Smoothed round-trip time of each TCP connection, once when it is completed and once when its end "
     "begins.",
     kChange},
    {"container_tcp_connection_seconds", MetricType::histogram, "seconds", kRole,
     "Durations of the TCP connections that ended, of those whose beginning was seen.", kChange},
}};

constexpr std::array<std::string_view, SIDE_COUNT> kSides{R"(role="client")", R"(role="server")"};
constexpr std::array<std::array<std::string_view, TCP_FAILURE_COUNT>, SIDE_COUNT> kFailures{{
    {R"(role="client",reason="refused")", R"(role="client",reason="timeout")",
     R"(role="client",reason="unreachable")", R"(role="client",reason="reset")",
     R"(role="client",reason="other")"},
    {R"(role="server",reason="refused")", R"(role="server",reason="timeout")",
     R"(role="server",reason="unreachable")", R"(role="server",reason="reset")",
     R"(role="server",reason="other")"},
}};
constexpr std::array<std::string_view, RESET_COUNT> kResets{R"(direction="sent")", R"(direction="received")"};
constexpr std::array<std::string_view, DROP_COUNT> kDrops{R"(reason="overflow")", R"(reason="other")"};

struct ShownState {
    std::size_t state;  ///< include/net/tcp_states.h
    std::string_view fragment;
};
constexpr std::array<ShownState, 9> kStates{{{1, R"(state="established")"},
                                             {2, R"(state="syn_sent")"},
                                             {3, R"(state="syn_recv")"},
                                             {4, R"(state="fin_wait1")"},
                                             {5, R"(state="fin_wait2")"},
                                             {8, R"(state="close_wait")"},
                                             {9, R"(state="last_ack")"},
                                             {10, R"(state="listen")"},
                                             {11, R"(state="closing")"}}};

class TcpProbe : public Probe {
  public:
    [[nodiscard]] std::string_view name() const override { return "tcp"; }
    [[nodiscard]] std::string_view method() const override { return "tp_btf"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes& types) const override {
        auto skeleton = open_skeleton<tcp_bpf>({});
        if (!skeleton) {
            return {};
        }
        choose_programs(**skeleton, types);
        return program_sections((*skeleton)->obj);
    }

    Result<void> start(const ProbeContext& context) override;
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override { sums_.fold(slot, heir); }
    void forget(Handle container) override {
        sums_.forget(container);
        known_.erase(container);
    }
    [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }

  private:
    struct Row {
        std::uint32_t container;
        tcp_account sums;
        std::span<const std::uint32_t> slots;
    };

    static void choose_programs(const tcp_bpf& skeleton, const KernelTypes& types);
    Result<void> map_arrays(std::uint32_t slots);
    void look_around(std::span<const SampledContainer> containers);
    void write_states(SampleWriter& writer);
    void write_times(SampleWriter& writer) const;

    Skeleton<tcp_bpf> skeleton_;
    Links links_;
    MappedArray<tcp_account> accounts_;
    MappedArray<tcp_states> states_;
    SlotSums<tcp_account> sums_{[this](std::uint32_t slot) { return accounts_.elements()[slot]; }};
    bool sees_accept_ = false;
    std::uint64_t started_ns_ = 0;
    bool looked_ = false;  // for sockets that are older than the agent
    bool walked_ = false;  // the states are those of this sample
    std::unordered_set<Handle> known_;
    std::vector<Row> rows_;
};

void TcpProbe::choose_programs(const tcp_bpf& skeleton, const KernelTypes& types) {
    const bool tells_errors = types.tracepoint_arguments("tcp_retransmit_skb") > 2;
    bpf_program__set_autoload(skeleton.progs.on_retransmit, !tells_errors);
    bpf_program__set_autoload(skeleton.progs.on_retransmit_result, tells_errors);
    const unsigned arguments =
        types.allows_fexit("inet_csk_accept") ? types.function_arguments("inet_csk_accept") : 0;
    bpf_program__set_autoload(skeleton.progs.after_accept, arguments == 2);
    bpf_program__set_autoload(skeleton.progs.after_accept_of_four, arguments == 4);
    bpf_program__set_autoattach(skeleton.progs.on_each_socket, false);
}

Result<void> TcpProbe::start(const ProbeContext& context) {
    auto skeleton = open_skeleton<tcp_bpf>(context.scope.maps());
    if (!skeleton) {
        return std::unexpected(skeleton.error());
    }
    skeleton_ = std::move(*skeleton);
    choose_programs(*skeleton_, context.types);
    sees_accept_ = bpf_program__autoload(skeleton_->progs.after_accept) ||
                   bpf_program__autoload(skeleton_->progs.after_accept_of_four);
    started_ns_ = boot_time_ns();
    const std::uint32_t slots = context.scope.slot_count();
    skeleton_->rodata->subsystem_index = context.scope.subsystem_index();
    bpf_map__set_max_entries(skeleton_->maps.tcp_accounts, slots);
    bpf_map__set_max_entries(skeleton_->maps.tcp_states, slots);
    return in_order([&] { return load_skeleton(*skeleton_); }, [&] { return map_arrays(slots); },
                    [&] { return links_.attach(skeleton_->obj); },
                    [&] {
                        return links_.attach_to_map(skeleton_->progs.on_each_socket,
                                                    bpf_map__fd(skeleton_->maps.sockets));
                    });
}

Result<void> TcpProbe::map_arrays(std::uint32_t slots) {
    auto accounts = MappedArray<tcp_account>::map(bpf_map__fd(skeleton_->maps.tcp_accounts), slots);
    auto states = MappedArray<tcp_states>::map(bpf_map__fd(skeleton_->maps.tcp_states), slots);
    if (!accounts || !states) {
        return std::unexpected(accounts ? states.error() : accounts.error());
    }
    accounts_ = std::move(*accounts);
    states_ = std::move(*states);
    return {};
}

/// Who was there before the agent may have sockets from then: looked for at the first sample, and when
/// somebody that is older turns up. Then everybody's sockets are told by state.
void TcpProbe::look_around(std::span<const SampledContainer> containers) {
    bool older = !std::exchange(looked_, true);
    for (const auto& container : containers) {
        older |= known_.insert(container.handle).second && container.since_ns < started_ns_;
    }
    if (older) {
        looked_ = run_iterator(links_.find("on_each_file"), "file iterator").has_value();
    }
    skeleton_->bss->walk++;
    walked_ = run_iterator(links_.find("on_each_socket"), "socket iterator").has_value();
}

void TcpProbe::sample(const SampleContext& context, SampleWriter& writer) {
    look_around(context.containers);
    rows_.clear();
    for (const auto& container : context.containers) {
        rows_.push_back({container.index, sums_.sum(container.handle, container.slots), container.slots});
    }
    const auto write = [&](std::size_t family, const auto& fragments, auto counters_of) {
        writer.family(kMetrics[family], rows_.size() * fragments.size());
        for (const auto& row : rows_) {
            for (std::size_t i = 0; i < fragments.size(); i++) {
                writer.add(row.container, fragments[i], Number::count(counters_of(row.sums)[i]));
            }
        }
    };
    write(Family::opened, kSides, [](const auto& sums) { return sums.opened; });
    writer.family(kMetrics[Family::failed]);
    for (const auto& row : rows_) {
        for (std::size_t side = 0; side < SIDE_COUNT; side++) {
            for (std::size_t reason = 0; reason < TCP_FAILURE_COUNT; reason++) {
                if (row.sums.failed[side][reason] != 0) {
                    writer.add(row.container, kFailures[side][reason],
                               Number::count(row.sums.failed[side][reason]));
                }
            }
        }
    }
    write(Family::closed, kSides, [](const auto& sums) { return sums.closed; });
    write_states(writer);
    constexpr std::array<std::string_view, 1> kNone{};
    write(Family::retransmits, kNone, [](const auto& sums) { return &sums.retransmits; });
    write(Family::resets, kResets, [](const auto& sums) { return sums.resets; });
    write(Family::listen_drops, kDrops, [](const auto& sums) { return sums.listen_drops; });
    write_times(writer);
}

void TcpProbe::write_states(SampleWriter& writer) {
    writer.family(kMetrics[Family::connections], rows_.size() * kStates.size());
    if (!walked_) {
        return;  // absent, not zero
    }
    const std::uint64_t walk = skeleton_->bss->walk;
    for (const auto& row : rows_) {
        for (const auto& shown : kStates) {
            std::uint64_t sockets = 0;
            for (const auto slot : row.slots) {
                const tcp_states& states = states_.elements()[slot];
                sockets += states.walk == walk ? states.sockets[shown.state] : 0;
            }
            writer.add(row.container, shown.fragment, Number::count(sockets));
        }
    }
}

void TcpProbe::write_times(SampleWriter& writer) const {
    const auto write = [&](std::size_t family, auto times_of) {
        writer.family(kMetrics[family], rows_.size());
        for (const auto& row : rows_) {
            const tcp_times& times = times_of(row.sums);
            writer.histogram(row.container, {}, times.buckets, times.sum_ns);
        }
    };
    const auto write_sides = [&](std::size_t family, auto times_of) {
        writer.family(kMetrics[family], rows_.size() * SIDE_COUNT);
        for (const auto& row : rows_) {
            for (std::size_t side = 0; side < SIDE_COUNT; side++) {
                const tcp_times& times = times_of(row.sums)[side];
                writer.histogram(row.container, kSides[side], times.buckets, times.sum_ns);
            }
        }
    };
    write(Family::connect, [](const tcp_account& sums) -> auto& { return sums.connect; });
    if (sees_accept_) {
        write(Family::accept, [](const tcp_account& sums) -> auto& { return sums.accept; });
    }
    write_sides(Family::round_trip, [](const tcp_account& sums) -> auto& { return sums.round_trip; });
    write_sides(Family::duration, [](const tcp_account& sums) -> auto& { return sums.connection; });
}

}  // namespace

std::unique_ptr<Probe> make_tcp_probe() {
    return std::make_unique<TcpProbe>();
}

}  // namespace plimsoll
