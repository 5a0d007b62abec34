# SPDX-License-Identifier: Apache-2.0
"""Every metric family, by the workload of test_families.py that makes it differ from zero; and where a kernel cannot say
it."""

import os

from dropin import PURE_V2
from testbed import hierarchies

WORKLOADS = {
    "cpu": """container_cpu_usage_seconds_total container_cpu_user_seconds_total container_cpu_system_seconds_total
        container_cpu_cfs_periods_total container_cpu_cfs_throttled_periods_total
        container_cpu_cfs_throttled_seconds_total container_cpu_cfs_burst_periods_total
        container_cpu_cfs_burst_seconds_total container_spec_cpu_period container_spec_cpu_quota
        container_spec_cpu_shares container_pressure_cpu_waiting_seconds_total
        container_pressure_cpu_stalled_seconds_total""",
    "memory": """container_memory_usage_bytes container_memory_working_set_bytes container_memory_rss
        container_memory_cache container_memory_swap container_memory_mapped_file container_memory_max_usage_bytes
        container_memory_kernel_usage container_memory_total_active_file_bytes
        container_memory_total_inactive_file_bytes container_memory_file_dirty_bytes container_memory_failcnt
        container_memory_events_high_total container_memory_events_max_total container_memory_pgscan_total
        container_memory_pgsteal_total container_memory_workingset_refault_file_total
        container_memory_workingset_refault_anon_total container_memory_failures_total
        container_spec_memory_limit_bytes container_spec_memory_swap_limit_bytes
        container_spec_memory_reservation_limit_bytes container_threads_max
        container_pressure_memory_waiting_seconds_total container_pressure_memory_stalled_seconds_total
        container_pressure_io_waiting_seconds_total container_pressure_io_stalled_seconds_total""",
    "frozen": "container_memory_file_writeback_bytes container_block_in_flight",
    "disk": """container_fs_reads_bytes_total container_fs_writes_bytes_total container_fs_reads_total
        container_fs_writes_total container_block_bytes_total container_block_operations_total
        container_block_queue_seconds container_block_device_seconds container_block_merges_total
        container_block_errors_total""",
    "space": """container_fs_usage_bytes container_fs_limit_bytes container_fs_inodes_free
        container_fs_inodes_total container_info container_start_time_seconds container_last_seen""",
    "descriptors": "container_file_descriptors container_sockets",
    "processes": """container_process_forks_total container_process_execs_total container_process_exits_total
        container_process_seconds container_oom_events_total""",
    "ledger": """container_thread_seconds_total container_thread_lifetime_seconds_total container_thread_states
        container_threads container_processes container_tasks_state container_run_queue_latency_seconds
        container_context_switches_total container_wakeups_total container_cpu_stolen_seconds_total
        container_cpu_migrations_total container_wait_seconds container_pipe_wait_seconds_total
        container_unix_wait_seconds_total container_socket_wait_seconds_total""",
    "smoothing": """container_cpu_usage_cores container_cpu_usage_cores_peak container_cpu_wait_cores
        container_cpu_wait_cores_peak""",
    "interfaces": " ".join("container_network_%s_%s_total" % (direction, what) for direction in ("receive", "transmit")
                           for what in ("bytes", "packets", "errors", "packets_dropped")),
    "calls": """container_io_bytes_total container_io_operations_total container_io_errors_total container_io_seconds
        container_io_uring_requests_total container_io_uring_punted_total container_io_uring_seconds
        container_aio_submissions_total""",
    "connections": """container_socket_bytes_total container_socket_operations_total
        container_tcp_connections_opened_total container_tcp_connections_failed_total
        container_tcp_connections_closed_total container_tcp_connections container_tcp_retransmits_total
        container_tcp_resets_total container_tcp_listen_drops_total container_tcp_connect_seconds
        container_tcp_accept_seconds container_tcp_rtt_seconds container_tcp_connection_seconds
        container_peer_bytes_total container_peer_connections_total container_peer_errors_total
        container_peer_wait_seconds_total""",
    "machine": "machine_cpu_cores machine_memory_bytes machine_swap_bytes",
    "agent": """plimsoll_build_info plimsoll_probe_info plimsoll_probe_up plimsoll_probe_sample_seconds
        plimsoll_program_runs_total plimsoll_program_run_seconds_total plimsoll_program_misses_total
        plimsoll_kernel_failures_total plimsoll_events_total plimsoll_events_lost_total plimsoll_containers
        plimsoll_containers_added_total plimsoll_containers_removed_total plimsoll_containers_overflow
        plimsoll_ledger_residual_seconds plimsoll_cgroup_resync_corrections_total
        plimsoll_capabilities plimsoll_config_last_reload_successful
        plimsoll_config_last_reload_success_timestamp_seconds plimsoll_scrape_duration_seconds plimsoll_scrape_series
        plimsoll_scrape_containers_left_out plimsoll_scrape_bytes process_cpu_seconds_total
        process_resident_memory_bytes process_open_fds process_start_time_seconds""",
}
WORKLOAD_OF = {family: workload for workload, names in WORKLOADS.items() for family in names.split()}

# What nothing but a fault makes differ from zero, which is tested where the faults are; and what only interrupts and
# hypervisors take, where the kernel tells it.
HEALTHY_AT_ZERO = {"container_cpu_stolen_seconds_total", "plimsoll_program_misses_total",
                   "plimsoll_kernel_failures_total", "plimsoll_events_lost_total", "plimsoll_ledger_residual_seconds",
                   "plimsoll_scrape_containers_left_out", "plimsoll_cgroup_resync_corrections_total"}

ONLY_V2_HAS = {"container_memory_events_high_total", "container_memory_events_max_total",
               "container_memory_pgscan_total", "container_memory_pgsteal_total"}


def reason_of_absence(family, fexit):
    """Why this host cannot tell it, by what the kernel shows; None if it can. fexit: whether such programs load here."""
    if family in ONLY_V2_HAS and not PURE_V2:
        return "the memory controller's v2 files"
    if family.startswith("container_pressure_"):
        if not os.path.exists("/proc/pressure/cpu"):
            return "PSI (psi=1)"
        if "" not in hierarchies():
            return "the v2 hierarchy"
    if family == "container_tcp_accept_seconds" and not fexit:
        return "fexit programs"
    if family == "container_cpu_migrations_total" and os.cpu_count() == 1:
        return "a second CPU"
    return None
