// SPDX-License-Identifier: Apache-2.0
// Families that one probe declares and another supplies where the first has nothing.
#pragma once

#include "core/metric.h"

namespace plimsoll {

/// Declared by probe cpu; the ledger supplies it for containers that no file tells about.
inline constexpr MetricSpec kCpuUsage{
    "container_cpu_usage_seconds_total",
    MetricType::counter,
    "seconds",
    "cpu (total)",
    "CPU time that the container has used.",
    "v1 cpuacct.usage, else v2 cpu.stat usage_usec, else the ledger: state running minus what was stolen"};
inline constexpr std::string_view kTotalCpu = R"(cpu="total")";

/// Declared by probe tasks; supplied by the ledger.
inline constexpr MetricSpec kTasksState{
    "container_tasks_state",
    MetricType::gauge,
    "",
    "state (sleeping, running, stopped, uninterruptible, iowaiting)",
    "Threads in each of cAdvisor's states.",
    "the ledger's states: running and runnable are running, disk is iowaiting, blocked is uninterruptible, "
    "stopped is stopped, the others are sleeping"};

/// Declared by the ledger; where it is off, probe tasks supplies them.
inline constexpr MetricSpec kThreads{
    "container_threads",
    MetricType::gauge,
    "",
    "",
    "Threads that live in the container now.",
    "tp_btf/task_newtask, tp_btf/sched_switch (TASK_DEAD); without the ledger pids.current"};
inline constexpr MetricSpec kProcesses{
    "container_processes",
    MetricType::gauge,
    "",
    "",
    "Processes that live in the container now.",
    "tp_btf/task_newtask, tp_btf/sched_process_exit; without the ledger cgroup.procs"};

/// Declared by probe diskio; supplied by probe block for containers of which the files tell nothing. New
/// kernels keep v1's account only for disks that have a limit somewhere.
inline constexpr std::string_view kFsBytesSource =
    "v2 io.stat, v1 blkio.throttle.io_service_bytes_recursive; without them probe block's bytes";
inline constexpr std::string_view kFsRequestsSource =
    "v2 io.stat, v1 blkio.throttle.io_serviced_recursive; without them probe block's operations and merges";
inline constexpr MetricSpec kFsReadsBytes{"container_fs_reads_bytes_total",
                                          MetricType::counter,
                                          "bytes",
                                          "device (/dev/…)",
                                          "Bytes that the container read from the device.",
                                          kFsBytesSource};
inline constexpr MetricSpec kFsWritesBytes{"container_fs_writes_bytes_total",
                                           MetricType::counter,
                                           "bytes",
                                           "device (/dev/…)",
                                           "Bytes that the container wrote to the device.",
                                           kFsBytesSource};
inline constexpr MetricSpec kFsReads{"container_fs_reads_total",
                                     MetricType::counter,
                                     "",
                                     "device (/dev/…)",
                                     "Requests of the container that read from the device.",
                                     kFsRequestsSource};
inline constexpr MetricSpec kFsWrites{"container_fs_writes_total",
                                      MetricType::counter,
                                      "",
                                      "device (/dev/…)",
                                      "Requests of the container that wrote to the device.",
                                      kFsRequestsSource};

/// Declared by probe network; supplied by probe traffic for containers in the host's network namespace.
inline constexpr std::string_view kNetworkSource =
    "/proc/PID/net/dev; cgroup_skb/ingress, cgroup_skb/egress (probe traffic) in the host's network "
    "namespace";
inline constexpr MetricSpec kNetworkReceiveBytes{
    "container_network_receive_bytes_total",
    MetricType::counter,
    "bytes",
    "interface",
    "Bytes received by the interfaces of the container's network namespace; in the host's by the container's "
    "own sockets, of IP packets without the link's headers.",
    kNetworkSource};
inline constexpr MetricSpec kNetworkReceivePackets{
    "container_network_receive_packets_total",
    MetricType::counter,
    "",
    "interface",
    "Packets received by the interfaces of the container's network namespace; in the host's by the "
    "container's own sockets.",
    kNetworkSource};
inline constexpr MetricSpec kNetworkTransmitBytes{
    "container_network_transmit_bytes_total",
    MetricType::counter,
    "bytes",
    "interface",
    "Bytes sent by the interfaces of the container's network namespace; in the host's by the container's own "
    "sockets, of IP packets without the link's headers.",
    kNetworkSource};
inline constexpr MetricSpec kNetworkTransmitPackets{
    "container_network_transmit_packets_total",
    MetricType::counter,
    "",
    "interface",
    "Packets sent by the interfaces of the container's network namespace; in the host's by the container's "
    "own sockets.",
    kNetworkSource};

}  // namespace plimsoll
