// SPDX-License-Identifier: Apache-2.0
// What went through sockets, as a test knows it and as the agent shows it.
#pragma once

#include <ostream>
#include <string>

#include "agent.h"
#include "sockets.h"

namespace plimsoll::bpf_test {

struct Traffic {
    std::uint64_t bytes = 0, operations = 0;
    bool operator==(const Traffic&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Traffic& traffic) {
        return out << traffic.bytes << " bytes in " << traffic.operations;
    }
};

inline Traffic traffic(const Reading& reading, const Cgroup& cgroup, const std::string& protocol,
                       const std::string& role, const std::string& direction) {
    const std::string label =
        "protocol=\"" + protocol + "\",role=\"" + role + "\",direction=\"" + direction + "\"";
    return {reading.value(cgroup, "container_socket_bytes_total", label),
            reading.value(cgroup, "container_socket_operations_total", label)};
}

/// Everything that the container sent and received.
inline Traffic all_traffic(const Reading& reading, const Cgroup& cgroup) {
    Traffic sum;
    for (const char* protocol : {"tcp", "udp", "unix", "other"}) {
        for (const char* role : {"none", "client", "server"}) {
            for (const char* direction : {"read", "write"}) {
                const Traffic one = traffic(reading, cgroup, protocol, role, direction);
                sum.bytes += one.bytes;
                sum.operations += one.operations;
            }
        }
    }
    return sum;
}

/// 23 messages of 7 bytes one way, 29 of 11 the other.
inline void ask(int fd) {
    send_times(fd, 23, 7);
    receive_times(fd, 29, 11);
}
inline void answer(int fd) {
    receive_times(fd, 23, 7);
    send_times(fd, 29, 11);
}
inline constexpr Traffic kAsked{161, 23}, kAnswered{319, 29};

}  // namespace plimsoll::bpf_test
