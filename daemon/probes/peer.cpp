// SPDX-License-Identifier: Apache-2.0
// Peers: who a container talks to and waits for. The programs of other probes book it
// (bpf/include/peers.bpf.h); here the accounts get names, and those with the most become series.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/idle_accounts.h"
#include "core/keyed_sums.h"
#include "core/ledger.h"
#include "core/peer_names.h"
#include "core/peer_shares.h"
#include "exposition/labels.h"
#include "kernel/peer_table.h"
#include "probes/probe.h"

namespace plimsoll {

namespace {

struct Family {
    enum : std::uint8_t { bytes, connections, errors, waits, count };
};

constexpr std::string_view kPeer =
    "peer (address:port or container of a service, :port where the container serves, path of a unix socket, "
    "other, unattributed)";

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_peer_bytes_total", MetricType::counter, "bytes",
     "peer (as in container_peer_wait_seconds_total), direction (read, write)",
     "Bytes that the container's threads sent and received through sockets, by the other end; adds up to "
     "container_socket_bytes_total.",
     "probe socket"},
    {"container_peer_connections_total", MetricType::counter, "",
     "peer (as in container_peer_wait_seconds_total)",
     "TCP connections made or accepted, by the other end; adds up to container_tcp_connections_opened_total.",
     "probe tcp"},
    {"container_peer_errors_total", MetricType::counter, "", "peer (as in container_peer_wait_seconds_total)",
     "Attempts at TCP connections that failed, and connections that ended with an error (reset, timed out), "
     "by the other end.",
     "probe tcp"},
    {"container_peer_wait_seconds_total", MetricType::counter, "seconds", kPeer,
     "Time that the container's threads waited for a peer: in states socket and unix, in state poll (where "
     "one socket is waited for, or one ended the wait; else unattributed), which add up to it, and for "
     "FIFOs.",
     "probe ledger"},
}};

constexpr std::array<std::string_view, 2> kDirections{R"(,direction="read")", R"(,direction="write")"};

/// After that an account is given back, and the peer gets a new one when it is met again: they are few.
constexpr std::uint64_t kIdleNs = 300'000'000'000;

std::string_view bytes_of(const peer_key& key) {
    return {reinterpret_cast<const char*>(&key), sizeof(key)};
}

/// Written once for all families of a peer; nearly every container has waits that are nobody's.
std::string_view fragment_of(std::string_view label, SampleWriter& writer) {
    constexpr std::string_view kNobodys = R"(peer="unattributed")";
    return label == kNoPeer ? kNobodys : writer.kept("peer=\"" + std::string(label) + '"');
}

class PeerProbe : public Probe {
  public:
    [[nodiscard]] std::string_view name() const override { return "peer"; }
    [[nodiscard]] std::string_view method() const override { return "ledger"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }

    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes&) const override { return {}; }

    Result<void> start(const ProbeContext& context) override;
    void reconfigure(const Config& config) override {
        most_ = config.peers.max;
        names_.emplace(config.peers);
    }
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override {
        peers_.fold(slot, heir);
        rest_.fold(slot, heir);
        nobody_.fold(slot, heir);
    }
    void forget(Handle container) override {
        peers_.forget(container);
        rest_.forget(container);
        nobody_.forget(container);
        containers_.erase(container);
    }

  private:
    using Peers = KeyedSums<peer_key, peer_sums>;
    struct Known {
        std::string text;
        std::uint64_t server = 0;  // the cgroup of who listens, for clients of a unix socket
        bool is_read = false;      // else its name could not be, and is asked for again
    };
    struct Container {
        PeerShares shares;
        PeerValues nobody;
        std::map<peer_key, Known> peers;
    };
    struct Peer {
        std::string_view fragment;
        PeerValues values;
    };
    struct Row {
        std::uint32_t container;
        std::vector<Peer> peers;  // those with anything to tell
    };

    /// Who holds which slot.
    using Holders = std::unordered_map<std::uint32_t, const SampledContainer*>;
    [[nodiscard]] PeerValues values_of(const peer_sums& sums) const;
    [[nodiscard]] LocalServices services(const Holders& holders) const;
    /// Its name; empty when it is in none.
    [[nodiscard]] std::string container_of(std::uint64_t cgroup, const Holders& holders) const;
    std::vector<PeerShares::Shown> look(const SampledContainer& container, const LocalServices& services,
                                        const Holders& holders);
    void forget_peers(std::span<const Peers::Place> given_back, const Holders& holders);
    void write_bytes(SampleWriter& writer) const;
    template <typename ValueOf>
    void write(SampleWriter& writer, std::size_t family, ValueOf value_of) const;

    Scope* scope_ = nullptr;
    std::size_t most_ = 0;
    std::optional<PeerNames> names_;
    PeerTable table_;
    Peers peers_{table_};
    IdleAccounts<peer_key, peer_sums> idle_{kIdleNs};
    SlotSums<peer_sums> rest_{[this](std::uint32_t slot) { return table_.rest(slot); }};
    SlotSums<peer_sums> nobody_{[this](std::uint32_t slot) { return table_.nobody(slot); }};
    std::unordered_map<Handle, Container> containers_;
    std::vector<Row> rows_;
};

Result<void> PeerProbe::start(const ProbeContext& context) {
    const auto is_off = [&](const char* source) { return !context.config.probes.at(source).enabled; };
    if (!context.scope.books_peers() || (is_off("ledger") && is_off("socket") && is_off("tcp"))) {
        return fail("nothing is booked by peer: the probes ledger, socket and tcp are off");
    }
    auto table = PeerTable::open(context.scope);
    if (!table) {
        return std::unexpected(table.error());
    }
    table_ = std::move(*table);
    scope_ = &context.scope;
    reconfigure(context.config);
    return {};
}

PeerValues PeerProbe::values_of(const peer_sums& sums) const {
    const auto waited = static_cast<std::int64_t>(sums.sum_ns + sums.n * scope_->sample_time());
    return {.wait_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(waited, 0)),
            .bytes = {sums.bytes[0], sums.bytes[1]},
            .connections = sums.connections,
            .errors = sums.errors};
}

LocalServices PeerProbe::services(const Holders& holders) const {
    LocalServices services;
    for (const auto& [slot, container] : holders) {
        for (const auto& [key, sums] : peers_.current(slot)) {
            if (key.kind == PEER_LOCAL) {
                services.add(key, container->name);
            }
        }
    }
    return services;
}

std::string PeerProbe::container_of(std::uint64_t cgroup, const Holders& holders) const {
    const auto entry = cgroup == 0 ? std::nullopt : scope_->find(cgroup);
    const auto holder = entry ? holders.find(entry->slot) : holders.end();
    return holder == holders.end() ? "" : holder->second->name;
}

std::vector<PeerShares::Shown> PeerProbe::look(const SampledContainer& container,
                                               const LocalServices& services, const Holders& holders) {
    Container& known = containers_[container.handle];
    std::vector<PeerShares::Reading> readings;
    for (const auto& [key, sums] : peers_.sum(container.handle, container.slots)) {
        Known& peer = known.peers[key];
        if (!peer.is_read) {
            const auto name = table_.name(key);
            peer = {peer_text(key, name.value_or(peer_name{})), name ? name->server : 0, name.has_value()};
        }
        std::string label;
        append_label_value(label,
                           names_->label(key, peer.text, container_of(peer.server, holders), services));
        readings.push_back({std::string(bytes_of(key)), std::move(label), values_of(sums)});
    }
    known.shares.update(readings, values_of(rest_.sum(container.handle, container.slots)));
    known.nobody += known.nobody.growth(values_of(nobody_.sum(container.handle, container.slots)));
    auto shown = known.shares.show(most_);
    shown.push_back({std::string(kOtherPeers), known.shares.other()});
    shown.push_back({std::string(kNoPeer), known.nobody});
    return shown;
}

/// Met again, they begin at 0. What the container has of them in other slots, or has inherited, stays.
void PeerProbe::forget_peers(std::span<const Peers::Place> given_back, const Holders& holders) {
    peers_.leave(given_back);
    for (const auto& [slot, key] : given_back) {
        const auto holder = holders.find(slot);
        if (holder == holders.end()) {
            continue;
        }
        const SampledContainer& container = *holder->second;
        const auto left = peers_.sum(container.handle, container.slots, key);
        Container& known = containers_[container.handle];
        known.shares.close(bytes_of(key), left ? values_of(*left) : PeerValues{});
        if (!left) {
            known.peers.erase(key);
        }
    }
}

void PeerProbe::sample(const SampleContext& context, SampleWriter& writer) {
    if (!scope_->is_booking()) {
        scope_->begin_sample(scope_->ledger_time(context.now_ns));
    }
    peers_.update();
    idle_.begin(context.now_ns);
    const auto given_back = peers_.give_back([&](auto slot, const auto& key, const auto& sums) {
        return idle_.is_idle(slot, key, sums) && sums.n == 0;
    });
    Holders holders;
    for (const auto& container : context.containers) {
        for (const auto slot : container.slots) {
            holders.emplace(slot, &container);
        }
    }
    const LocalServices local = services(holders);
    rows_.clear();
    for (const auto& container : context.containers) {
        Row row{container.index, {}};
        for (const auto& [label, values] : look(container, local, holders)) {
            if (values.any()) {
                row.peers.push_back({fragment_of(label, writer), values});
            }
        }
        if (!row.peers.empty()) {
            rows_.push_back(std::move(row));
        }
    }
    forget_peers(given_back, holders);
    table_.release_unread();
    write_bytes(writer);
    write(writer, Family::connections, [](const auto& values) { return Number::count(values.connections); });
    write(writer, Family::errors, [](const auto& values) { return Number::count(values.errors); });
    write(writer, Family::waits, [](const auto& values) { return Number::nanoseconds(values.wait_ns); });
}

void PeerProbe::write_bytes(SampleWriter& writer) const {
    writer.family(kMetrics[Family::bytes], 2 * rows_.size());
    for (const auto& row : rows_) {
        for (const auto& peer : row.peers) {
            if (peer.values.bytes[0] + peer.values.bytes[1] == 0) {
                continue;
            }
            for (std::size_t direction = 0; direction < kDirections.size(); direction++) {
                writer.add(row.container,
                           writer.kept(std::string(peer.fragment) + std::string(kDirections[direction])),
                           Number::count(peer.values.bytes[direction]));
            }
        }
    }
}

template <typename ValueOf>
void PeerProbe::write(SampleWriter& writer, std::size_t family, ValueOf value_of) const {
    writer.family(kMetrics[family], rows_.size());
    for (const auto& row : rows_) {
        for (const auto& peer : row.peers) {
            const Number value = value_of(peer.values);
            if (value.integer != 0) {
                writer.add(row.container, peer.fragment, value);
            }
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_peer_probe() {
    return std::make_unique<PeerProbe>();
}

}  // namespace plimsoll
