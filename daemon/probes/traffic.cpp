// SPDX-License-Identifier: Apache-2.0
// Traffic of containers in the host's network namespace, by interface: what their own sockets received and
// sent, for the families of probe network, whose file tells of the whole host there. Everybody's packets pay
// for it, so the programs are attached only while there is such a container.
// docs/host-network.md says what is counted.
#include <fcntl.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <tuple>
#include <unordered_map>

#include "files/container_process.h"
#include "files/host_network.h"
#include "files/net_dev.h"
#include "kernel/features.h"
#include "kernel/hash_map.h"
#include "kernel/keyed_map.h"
#include "probes/interface_label.h"
#include "probes/kernel_probe.h"
#include "probes/shared_families.h"
#include "shared/traffic.h"
#include "traffic.skel.h"

inline bool operator<(const traffic_series& a, const traffic_series& b) {
    const int order = std::memcmp(a.interface, b.interface, sizeof(a.interface));
    return std::tuple(order, a.direction) < std::tuple(0, b.direction);
}

namespace plimsoll {
namespace {

std::string_view name_of(const traffic_series& series) {
    return {series.interface, strnlen(series.interface, sizeof(series.interface))};
}

// How long a container without a process is looked at again and again, later only at each scrape; and how
// many are looked at in one tick, the newest first: a look takes some 20 µs.
constexpr std::uint64_t kYoungNs = 20'000'000'000;
constexpr int kMostLooks = 16;

struct Supplied {
    const MetricSpec& spec;
    plimsoll_traffic_direction direction;
    __u64 traffic_account::* value;
};
constexpr std::array kSupplied{
    Supplied{kNetworkReceiveBytes, TRAFFIC_RECEIVE, &traffic_account::bytes},
    Supplied{kNetworkReceivePackets, TRAFFIC_RECEIVE, &traffic_account::packets},
    Supplied{kNetworkTransmitBytes, TRAFFIC_TRANSMIT, &traffic_account::bytes},
    Supplied{kNetworkTransmitPackets, TRAFFIC_TRANSMIT, &traffic_account::packets},
};

class TrafficProbe final : public KernelProbe<traffic_bpf> {
  public:
    TrafficProbe() : KernelProbe("traffic", {}) {}
    [[nodiscard]] std::string_view method() const override { return "cgroup_skb"; }
    [[nodiscard]] std::string_view cost() const override {
        return "each packet of the machine's sockets pays, while a container is in the host's network "
               "namespace (docs/overhead.md)";
    }

    Result<void> start(const ProbeContext& context) override;
    void tick(const SampleContext& context) override;
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void supply(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override {
        sums_.fold(slot, heir);
        set_own_network(slot, false);
    }
    void forget(Handle container) override {
        sums_.forget(container);
        networks_.erase(container);
    }

  private:
    enum class Network : std::uint8_t { unknown, hosts, other };
    using Directions = std::array<traffic_account, TRAFFIC_DIRECTIONS>;
    struct Row {
        std::uint32_t container;
        std::map<std::string_view, Directions> interfaces;  // by label
    };

    void configure(const ProbeContext& context) override;
    Result<void> map_arrays() override;
    Result<void> attach_programs(Links& links) override;
    void attach_if(bool wanted);
    void look(const SampleContext& context);
    Network learn(const SampledContainer& container, std::optional<NamespaceId> network);
    void set_own_network(std::uint32_t slot, bool own);
    void drop_gone_interfaces();

    std::string root_;  // of the v2 hierarchy
    ContainerProcesses* processes_ = nullptr;
    std::optional<HostNetwork> host_;
    bool is_refused_ = false;  // said in the log, once
    KeyedMap<traffic_series, traffic_account> map_;
    KeyedSums<traffic_series, traffic_account> sums_{map_};
    std::unordered_map<Handle, Network> networks_;
    std::vector<Row> rows_;
};

Result<void> TrafficProbe::start(const ProbeContext& context) {
    if (context.scope.subsystem_index() >= 0) {
        return fail("containers are told by a v1 hierarchy here, and sockets know their cgroup of v2 only");
    }
    processes_ = context.processes;
    root_ = context.layout.mount;
    host_ = find_host_network(processes_ != nullptr ? processes_->finder().proc_root() : "/proc");
    if (!host_) {
        return fail("the host's network namespace cannot be seen in /proc");
    }
    // Whether it works is known now, not when the first container comes.
    const auto started =
        in_order([] { return may_look_into_processes(); }, [&] { return KernelProbe::start(context); });
    detach();
    return started;
}

void TrafficProbe::configure(const ProbeContext& context) {
    skeleton().rodata->host_network = static_cast<__u32>(host_->id.inode);
    bpf_map__set_max_entries(skeleton().maps.tenures, context.scope.slot_count());
    bpf_map__set_max_entries(skeleton().maps.has_own_network, context.scope.slot_count());
}

Result<void> TrafficProbe::map_arrays() {
    const auto& maps = skeleton().maps;
    map_ = {bpf_map__fd(maps.traffic_accounts), bpf_map__fd(maps.tenures)};
    return {};
}

Result<void> TrafficProbe::attach_programs(Links& links) {
    const UniqueFd root(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) {
        return fail_errno("open " + root_, errno);
    }
    auto attached = links.attach_to_cgroup(skeleton().obj, root.get());
    if (!attached) {
        if (!has_capability(CAP_NET_ADMIN)) {
            return fail("the agent needs CAP_NET_ADMIN to attach programs to the root cgroup");
        }
        return std::unexpected(attached.error().in("root cgroup " + root_ +
                                                   ", which somebody else's program may have for itself"));
    }
    return attached;
}

/// Somebody may have the root cgroup for himself by now: that is said, and it is tried again the next time.
void TrafficProbe::attach_if(bool wanted) {
    if (!wanted) {
        detach();
        return;
    }
    if (is_attached()) {
        return;
    }
    const auto attached = attach();
    if (!attached) {
        detach();
        if (!is_refused_) {
            spdlog::warn("probe traffic: {}; containers in the host's network have no traffic until it works",
                         attached.error().message);
        }
    }
    is_refused_ = !attached;
}

void TrafficProbe::set_own_network(std::uint32_t slot, bool own) {
    set_in_map(bpf_map__fd(skeleton().maps.has_own_network), slot, __u32{own});
}

/// What is known of the container now; what cannot be looked at stays as it was.
TrafficProbe::Network TrafficProbe::learn(const SampledContainer& container,
                                          std::optional<NamespaceId> network) {
    Network& known = networks_[container.handle];
    const Network now = !network ? known : *network == host_->id ? Network::hosts : Network::other;
    if (now != known) {
        known = now;
        for (const auto slot : container.slots) {
            set_own_network(slot, now == Network::other);
        }
    }
    return known;
}

/// A new container is looked at as soon as it has a process. Its runtime may not have put that into its own
/// namespace yet; the next scrape sets that right.
void TrafficProbe::tick(const SampleContext& context) {
    int looks = processes_ != nullptr ? kMostLooks : 0;
    for (const auto& container : std::views::reverse(context.containers)) {
        const bool young = !container.ended && context.now_ns - container.since_ns < kYoungNs;
        if (container.cgroup_id == 0 || !young || networks_[container.handle] != Network::unknown) {
            continue;
        }
        if (looks-- == 0) {
            return;
        }
        const UniqueFd process = processes_->finder().find(container.cgroup);
        const auto network = process ? network_of(process.get()) : std::nullopt;
        attach_if(learn(container, network) == Network::hosts || is_attached());
    }
}

void TrafficProbe::look(const SampleContext& context) {
    bool any = false;
    for (const auto& container : context.containers) {
        if (processes_ != nullptr && container.cgroup_id != 0 && !container.ended) {
            const auto network = processes_->network(container.handle, container.cgroup, container.rest);
            any = learn(container, network) == Network::hosts || any;
        }
    }
    attach_if(any);
}

/// An interface that is gone, or has another name now, is not shown any more, as in net/dev.
void TrafficProbe::drop_gone_interfaces() {
    const auto text = read_net_dev(host_->process.get());
    const auto interfaces = text ? parse_net_dev(*text) : std::nullopt;
    if (!interfaces) {
        return;
    }
    std::set<std::string_view> names;
    for (const auto& interface : *interfaces) {
        names.insert(interface.name);
    }
    sums_.drop([&](const traffic_series& series) { return !names.contains(name_of(series)); });
}

void TrafficProbe::sample(const SampleContext& context, SampleWriter& writer) {
    look(context);
    sums_.update();
    if (!sums_.empty()) {
        drop_gone_interfaces();
    }
    rows_.clear();
    std::map<std::string, std::string_view, std::less<>> labels;
    for (const auto& container : context.containers) {
        Row row{container.index, {}};
        for (const auto& [series, account] : sums_.sum(container.handle, container.slots)) {
            const auto name = name_of(series);
            if (is_left_out(name) || series.direction >= TRAFFIC_DIRECTIONS) {
                continue;
            }
            auto label = labels.find(name);
            if (label == labels.end()) {
                label = labels.emplace(name, writer.kept(interface_label(name))).first;
            }
            auto& sum = row.interfaces[label->second][series.direction];
            sum.bytes += account.bytes;
            sum.packets += account.packets;
        }
        if (!row.interfaces.empty()) {
            rows_.push_back(std::move(row));
        }
    }
}

/// What the file tells of a container goes first: it is in a namespace of its own by now.
void TrafficProbe::supply(const SampleContext&, SampleWriter& writer) {
    for (const auto& supplied : kSupplied) {
        if (!writer.has(supplied.spec)) {
            continue;
        }
        auto family = writer.supplement(supplied.spec);
        for (const auto& row : rows_) {
            for (const auto& [label, directions] : row.interfaces) {
                family.add(row.container, label,
                           Number::count(directions[supplied.direction].*supplied.value));
            }
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_traffic_probe() {
    return std::make_unique<TrafficProbe>();
}

}  // namespace plimsoll
