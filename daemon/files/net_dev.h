// SPDX-License-Identifier: Apache-2.0
// The kernel's net/dev: the interfaces of one network namespace and their counters. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace plimsoll {

/// The columns that are kept, in the file's order.
struct NetColumn {
    enum : std::uint8_t {
        receive_bytes,
        receive_packets,
        receive_errors,
        receive_dropped,
        transmit_bytes,
        transmit_packets,
        transmit_errors,
        transmit_dropped,
        count
    };
};
using NetCounters = std::array<std::uint64_t, NetColumn::count>;

struct NetInterface {
    std::string_view name;  ///< in the text that was parsed
    NetCounters counters;
};

/// Every interface, in the file's order; nothing when a line is not as it should be: then none of the others
/// can be trusted either.
std::optional<std::vector<NetInterface>> parse_net_dev(std::string_view text);

/// Those that cAdvisor leaves out: names that begin with lo, veth or docker, whatever their case. They carry
/// what stays inside the namespace, or what another namespace counts as well.
bool is_left_out(std::string_view interface);

}  // namespace plimsoll
