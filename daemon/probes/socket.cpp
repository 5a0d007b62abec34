// SPDX-License-Identifier: Apache-2.0
// Bytes and messages through sockets, by protocol and role.
#include "shared/socket.h"

#include <array>

#include "kernel/mapped_array.h"
#include "probes/kernel_probe.h"
#include "socket.skel.h"

namespace plimsoll {

namespace {

constexpr std::string_view kLabels =
    "protocol (tcp, udp, unix, other), role (client, server, none), direction (read, write)";
constexpr std::string_view kSource =
    "tp_btf/sock_send_length, tp_btf/sock_recv_length; before Linux 6.3 fexit of the protocols' functions, "
    "without "
    "other";

constexpr std::array<MetricSpec, 2> kMetrics{{
    {"container_socket_bytes_total", MetricType::counter, "bytes", kLabels,
     "Bytes that the container's threads sent and received through sockets.", kSource},
    {"container_socket_operations_total", MetricType::counter, "", kLabels,
     "Calls of the container's threads that sent or received data through sockets, each datagram one.",
     kSource},
}};

constexpr std::array<std::string_view, PROTOCOL_COUNT> kProtocols{"tcp", "udp", "unix", "other"};
constexpr std::array<std::string_view, ROLE_COUNT> kRoles{"none", "client", "server"};
constexpr std::array<std::string_view, DIRECTION_COUNT> kDirections{"read", "write"};
constexpr std::size_t kCells = kProtocols.size() * kRoles.size() * kDirections.size();

/// By index of the cell, counted through protocols, roles and directions.
std::array<std::string, kCells> cell_fragments() {
    std::array<std::string, kCells> fragments;
    std::size_t cell = 0;
    for (const auto protocol : kProtocols) {
        for (const auto role : kRoles) {
            for (const auto direction : kDirections) {
                fragments[cell++] = "protocol=\"" + std::string(protocol) + "\",role=\"" + std::string(role) +
                                    "\",direction=\"" + std::string(direction) + "\"";
            }
        }
    }
    return fragments;
}

class SocketProbe : public KernelProbe<socket_bpf> {
  public:
    SocketProbe() : KernelProbe("socket", kMetrics) {}
    [[nodiscard]] std::string_view method() const override { return method_; }

    Result<void> start(const ProbeContext& context) override;
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override { sums_.fold(slot, heir); }
    void forget(Handle container) override { sums_.forget(container); }

  private:
    struct Row {
        std::uint32_t container;
        socket_account sums;
    };

    void choose_programs(const socket_bpf& skeleton, const KernelTypes& types) const override;
    void configure(const ProbeContext& context) override;
    Result<void> map_arrays() override { return map_into(accounts_, skeleton().maps.socket_accounts); }
    [[nodiscard]] socket_account read_slot(std::uint32_t slot) const;

    MappedArray<socket_account> accounts_;
    std::size_t cpu_count_ = 0;
    std::string_view method_ = "tp_btf";
    SlotSums<socket_account> sums_{[this](std::uint32_t slot) { return read_slot(slot); }};
    const std::array<std::string, kCells> fragments_ = cell_fragments();
    std::vector<Row> rows_;
};

bool has_tracepoints(const KernelTypes& types) {
    return types.has_tracepoint("sock_send_length") && types.has_tracepoint("sock_recv_length");
}

/// The tracepoints, else the functions. No tracepoint tells what is spliced out of a socket: there the
/// function is needed in any case, where it can be had.
void SocketProbe::choose_programs(const socket_bpf& skeleton, const KernelTypes& types) const {
    const bool by_tracepoint = has_tracepoints(types), by_function = types.allows_fexit("inet_recvmsg");
    constexpr std::string_view kFexit = "fexit/";
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton.obj) {
        const std::string_view section = bpf_program__section_name(program);
        bool wanted = by_tracepoint || section.ends_with("inet_sock_set_state");
        if (section.starts_with(kFexit)) {
            const auto function = section.substr(kFexit.size());
            wanted = by_function && types.has_function(function) &&
                     (!by_tracepoint || function.ends_with("_splice_read"));
        }
        bpf_program__set_autoload(program, wanted);
    }
}

Result<void> SocketProbe::start(const ProbeContext& context) {
    if (!has_tracepoints(context.types)) {
        if (!context.types.allows_fexit("inet_recvmsg")) {
            return fail(
                "the kernel has no tracepoint sock_send_length (Linux 6.3 and later have it), and allows no "
                "programs at its functions (fexit); probe io counts what goes through sockets, without "
                "protocols");
        }
        method_ = "fexit";
    }
    return KernelProbe::start(context);
}

void SocketProbe::configure(const ProbeContext& context) {
    cpu_count_ = context.scope.cpu_count();
    skeleton().rodata->cpu_count = static_cast<std::uint32_t>(cpu_count_);
    bpf_map__set_max_entries(skeleton().maps.socket_accounts,
                             static_cast<std::uint32_t>(context.scope.slot_count() * cpu_count_));
}

socket_account SocketProbe::read_slot(std::uint32_t slot) const {
    socket_account sum{};
    for (const auto& account : accounts_.elements(slot * cpu_count_, cpu_count_)) {
        for (std::size_t cell = 0; cell < kCells; cell++) {
            const socket_cell& from = (&account.cells[0][0][0])[cell];
            socket_cell& to = (&sum.cells[0][0][0])[cell];
            to.bytes += from.bytes;
            to.operations += from.operations;
        }
    }
    return sum;
}

void SocketProbe::sample(const SampleContext& context, SampleWriter& writer) {
    rows_.clear();
    for (const auto& container : context.containers) {
        rows_.push_back({container.index, sums_.sum(container.handle, container.slots)});
    }
    const auto write = [&](const MetricSpec& spec, auto member) {
        writer.family(spec, rows_.size() * 4);
        for (const auto& row : rows_) {
            for (std::size_t cell = 0; cell < kCells; cell++) {
                const socket_cell& sums = (&row.sums.cells[0][0][0])[cell];
                if (sums.operations != 0) {
                    writer.add(row.container, fragments_[cell], Number::count(sums.*member));
                }
            }
        }
    };
    write(kMetrics[0], &socket_cell::bytes);
    write(kMetrics[1], &socket_cell::operations);
    accounts_.release_unread();
}

}  // namespace

std::unique_ptr<Probe> make_socket_probe() {
    return std::make_unique<SocketProbe>();
}

}  // namespace plimsoll
