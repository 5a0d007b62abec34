// SPDX-License-Identifier: Apache-2.0
// Traffic of network interfaces, by cAdvisor's names: net/dev of each container's network namespace.
//
// Who shows a namespace:
// - The host's: nobody. It is not the container's traffic; probe traffic supplies what is.
// - One that several containers are in (docker run --network container:X, a systemd-nspawn and its services):
//   the oldest of them, X, as cAdvisor does: so a sum over containers counts nothing twice.
// - That of a Kubernetes pod: the pod. A container of the pod in a namespace of its own shows that itself.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/interface_counters.h"
#include "files/host_network.h"
#include "files/net_dev.h"
#include "probes/interface_label.h"
#include "probes/process_probe.h"
#include "probes/shared_families.h"

namespace plimsoll {
namespace {

constexpr std::array<MetricSpec, NetColumn::count> kMetrics{{
    kNetworkReceiveBytes,
    kNetworkReceivePackets,
    {"container_network_receive_errors_total", MetricType::counter, "", "interface",
     "Errors while receiving on the interfaces of the container's network namespace.", "/proc/PID/net/dev"},
    {"container_network_receive_packets_dropped_total", MetricType::counter, "", "interface",
     "Received packets that the interfaces of the container's network namespace dropped.",
     "/proc/PID/net/dev"},
    kNetworkTransmitBytes,
    kNetworkTransmitPackets,
    {"container_network_transmit_errors_total", MetricType::counter, "", "interface",
     "Errors while sending on the interfaces of the container's network namespace.", "/proc/PID/net/dev"},
    {"container_network_transmit_packets_dropped_total", MetricType::counter, "", "interface",
     "Packets to be sent that the interfaces of the container's network namespace dropped.",
     "/proc/PID/net/dev"},
}};

class NetworkProbe final : public ProcessFileProbe<InterfaceCounters> {
  public:
    [[nodiscard]] std::string_view name() const override { return "network"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }
    void sample(const SampleContext& context, SampleWriter& writer) override {
        look(context);
        ProcessFileProbe::sample(context, writer);
    }

  protected:
    Groups shown_of(Groups groups) override { return groups; }
    bool read(const SampledContainer& container, const SampleContext&, InterfaceCounters& counters,
              Values&) override;
    void write_open_set(std::size_t family, std::uint32_t container, const InterfaceCounters& counters,
                        SampleWriter& writer) override;

  private:
    struct Reading {
        NamespaceId network;
        std::string text;
        std::vector<NetInterface> interfaces;
    };

    void look(const SampleContext& context);
    static std::shared_ptr<const Reading> read_namespace(int process, NamespaceId network);

    /// What each container and pod shows in this sample; null: nothing. What could not be looked at is not in
    /// here and keeps what was read last.
    std::unordered_map<Handle, std::shared_ptr<const Reading>> shown_;
};

std::vector<const SampledContainer*> oldest_first(std::span<const SampledContainer> containers) {
    std::vector<const SampledContainer*> live;
    for (const auto& container : containers) {
        if (!container.ended && container.cgroup_id != 0) {
            live.push_back(&container);
        }
    }
    std::ranges::sort(
        live, {}, [](const auto* container) { return std::tuple(container->since_ns, container->cgroup); });
    return live;
}

/// Each namespace is read once, whoever shares it.
void NetworkProbe::look(const SampleContext& context) {
    shown_.clear();
    const auto host = find_host_network(processes().finder().proc_root());
    std::set<NamespaceId> done;
    for (const auto* container : oldest_first(context.containers)) {
        const Handle own = container->handle;
        const auto network = processes().network(own, container->cgroup, container->rest);
        if (!network) {
            continue;
        }
        if (!host || *network == host->id || !done.insert(*network).second) {
            shown_.try_emplace(own);
            continue;
        }
        const int process = processes().of(own, container->cgroup, container->rest).directory;
        auto reading = process < 0 ? nullptr : read_namespace(process, *network);
        const auto pod = container->pod;
        if (reading && pod && shown_.try_emplace(context.groups[*pod].handle, reading).second) {
            reading = nullptr;
            shown_.try_emplace(own);
        }
        if (reading) {
            shown_[own] = std::move(reading);
        }
    }
}

std::shared_ptr<const NetworkProbe::Reading> NetworkProbe::read_namespace(int process, NamespaceId network) {
    auto text = read_net_dev(process);
    if (!text) {
        return nullptr;
    }
    auto reading = std::make_shared<Reading>(Reading{network, std::move(*text), {}});
    auto interfaces = parse_net_dev(reading->text);
    if (!interfaces) {
        return nullptr;
    }
    reading->interfaces = std::move(*interfaces);
    std::erase_if(reading->interfaces, [](const auto& interface) { return is_left_out(interface.name); });
    return reading;
}

bool NetworkProbe::read(const SampledContainer& container, const SampleContext&, InterfaceCounters& counters,
                        Values&) {
    const auto shown = shown_.find(container.handle);
    if (shown != shown_.end() && shown->second) {
        counters.update(shown->second->network, shown->second->interfaces);
    } else if (shown != shown_.end()) {
        counters.clear();
    }
    return true;
}

void NetworkProbe::write_open_set(std::size_t family, std::uint32_t container,
                                  const InterfaceCounters& counters, SampleWriter& writer) {
    for (const auto& [name, interface] : counters.all()) {
        if (interface.present) {
            writer.add(container, writer.kept(interface_label(name)), Number::count(interface.shown[family]));
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_network_probe() {
    return std::make_unique<NetworkProbe>();
}

}  // namespace plimsoll
