// SPDX-License-Identifier: Apache-2.0
// The families of probe tcp and the labels of their series.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/metric.h"
#include "shared/socket.h"
#include "shared/tcp.h"

namespace plimsoll {

struct TcpFamily {
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

inline constexpr std::string_view kTcpRole = "role (client, server)";
inline constexpr std::string_view kTcpChange = "tp_btf/inet_sock_set_state";

inline constexpr std::array<MetricSpec, TcpFamily::count> kTcpMetrics{{
    {"container_tcp_connections_opened_total", MetricType::counter, "", kTcpRole,
     "TCP connections that the container's sockets made or accepted.", kTcpChange},
    {"container_tcp_connections_failed_total", MetricType::counter, "",
     "role (client, server), reason (refused, timeout, unreachable, reset, other)",
     "Attempts at TCP connections that failed after the first packet was due; other: above all given up by "
     "the program.",
     kTcpChange},
    {"container_tcp_connections_closed_total", MetricType::counter, "", kTcpRole,
     "TCP connections of the container's sockets that ended.", kTcpChange},
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
     "moment when too many connections waited to be accepted.",
     "sk_drops of listening sockets"},
    {"container_tcp_connect_seconds", MetricType::histogram, "seconds", "",
     "Time from the first packet to the completion of each TCP connection that the container's sockets made.",
     kTcpChange},
    {"container_tcp_accept_seconds", MetricType::histogram, "seconds", "",
     "Time that each completed TCP connection waited until the container accepted it.",
     "fexit/inet_csk_accept"},
    {"container_tcp_rtt_seconds", MetricType::histogram, "seconds", kTcpRole,
     "Smoothed round-trip time of each TCP connection, once when it is completed and once when its end "
     "begins.",
     kTcpChange},
    {"container_tcp_connection_seconds", MetricType::histogram, "seconds", kTcpRole,
     "Durations of the TCP connections that ended, of those whose beginning was seen.", kTcpChange},
}};

inline constexpr std::array<std::string_view, SIDE_COUNT> kTcpSides{R"(role="client")", R"(role="server")"};
inline constexpr std::array<std::string_view, std::size_t{SIDE_COUNT} * TCP_FAILURE_COUNT> kTcpFailures{
    R"(role="client",reason="refused")",     R"(role="client",reason="timeout")",
    R"(role="client",reason="unreachable")", R"(role="client",reason="reset")",
    R"(role="client",reason="other")",       R"(role="server",reason="refused")",
    R"(role="server",reason="timeout")",     R"(role="server",reason="unreachable")",
    R"(role="server",reason="reset")",       R"(role="server",reason="other")"};
inline constexpr std::array<std::string_view, RESET_COUNT> kTcpResets{R"(direction="sent")",
                                                                      R"(direction="received")"};
inline constexpr std::array<std::string_view, DROP_COUNT> kTcpDrops{R"(reason="overflow")",
                                                                    R"(reason="other")"};

struct TcpShownState {
    std::size_t state;  ///< include/net/tcp_states.h
    std::string_view fragment;
};
inline constexpr std::array<TcpShownState, 9> kTcpStates{{{1, R"(state="established")"},
                                                          {2, R"(state="syn_sent")"},
                                                          {3, R"(state="syn_recv")"},
                                                          {4, R"(state="fin_wait1")"},
                                                          {5, R"(state="fin_wait2")"},
                                                          {8, R"(state="close_wait")"},
                                                          {9, R"(state="last_ack")"},
                                                          {10, R"(state="listen")"},
                                                          {11, R"(state="closing")"}}};

}  // namespace plimsoll
