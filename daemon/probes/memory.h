// SPDX-License-Identifier: Apache-2.0
// The families of probe memory: names and meanings are cAdvisor's.
#pragma once

#include <array>

#include "probes/file_probe.h"

namespace plimsoll {

struct MemorySeries {
    enum : std::uint8_t {
        usage,
        working_set,
        rss,
        cache,
        swap,
        mapped_file,
        max_usage,
        kernel,
        active_file,
        inactive_file,
        file_dirty,
        file_writeback,
        failcnt,
        events_high,
        events_max,
        scanned,
        stolen,
        refault_file,
        refault_anon,
        spec_limit,
        spec_swap_limit,
        spec_reservation,
        faults_container,
        faults_hierarchy,
        major_faults_container,
        major_faults_hierarchy,
        count
    };
};

/// A key of a file, or a file of one number, and the series that it fills.
struct MemoryField {
    std::string_view key;
    std::uint8_t series;
};

inline constexpr std::size_t kMemoryFamilies = MemorySeries::faults_container + 1;

inline constexpr std::array<MetricSpec, kMemoryFamilies> kMemoryMetrics{{
    {"container_memory_usage_bytes", MetricType::gauge, "bytes", "",
     "Memory that is charged to the container, with the page cache.",
     "v1 memory.usage_in_bytes, v2 memory.current; of / AnonPages + page cache in /proc/meminfo"},
    {"container_memory_working_set_bytes", MetricType::gauge, "bytes", "",
     "Memory usage without the page cache that was not used lately.",
     "usage - inactive_file of memory.stat, at least 0"},
    {"container_memory_rss", MetricType::gauge, "", "", "Anonymous memory, in bytes.",
     "v1 memory.stat total_rss, v2 anon; of / AnonPages"},
    {"container_memory_cache", MetricType::gauge, "", "", "Page cache, in bytes.",
     "v1 memory.stat total_cache, v2 file; of / Cached + Buffers + SwapCached"},
    {"container_memory_swap", MetricType::gauge, "", "", "Swap that the container uses, in bytes.",
     "v1 memory.stat total_swap, v2 memory.swap.current; of / SwapTotal - SwapFree"},
    {"container_memory_mapped_file", MetricType::gauge, "", "", "Mapped files, in bytes.",
     "v1 memory.stat total_mapped_file, v2 file_mapped; of / Mapped"},
    {"container_memory_max_usage_bytes", MetricType::gauge, "bytes", "",
     "The highest memory usage since the container began.",
     "v1 memory.max_usage_in_bytes, v2 memory.peak (Linux 5.19)"},
    {"container_memory_kernel_usage", MetricType::gauge, "", "", "Memory of the kernel, in bytes.",
     "v1 memory.kmem.usage_in_bytes, v2 memory.stat kernel (Linux 5.18)"},
    {"container_memory_total_active_file_bytes", MetricType::gauge, "bytes", "",
     "Page cache that was used lately.",
     "v1 memory.stat total_active_file, v2 active_file; of / Active(file)"},
    {"container_memory_total_inactive_file_bytes", MetricType::gauge, "bytes", "",
     "Page cache that was not used lately.",
     "v1 memory.stat total_inactive_file, v2 inactive_file; of / Inactive(file)"},
    {"container_memory_file_dirty_bytes", MetricType::gauge, "bytes", "",
     "Page cache that is changed and not written yet.",
     "v1 memory.stat total_dirty, v2 file_dirty; of / Dirty"},
    {"container_memory_file_writeback_bytes", MetricType::gauge, "bytes", "",
     "Page cache that is being written.",
     "v1 memory.stat total_writeback, v2 file_writeback; of / Writeback"},
    {"container_memory_failcnt", MetricType::counter, "", "", "Times that memory usage hit its limit.",
     "v1 memory.failcnt, v2 memory.events max"},
    {"container_memory_events_high_total", MetricType::counter, "", "",
     "Times that the container was throttled for being above memory.high.", "v2 memory.events high"},
    {"container_memory_events_max_total", MetricType::counter, "", "",
     "Times that memory usage was about to go above memory.max.", "v2 memory.events max"},
    {"container_memory_pgscan_total", MetricType::counter, "", "", "Pages that reclaim looked at.",
     "v2 memory.stat pgscan; of / pgscan_* in /proc/vmstat"},
    {"container_memory_pgsteal_total", MetricType::counter, "", "", "Pages that reclaim took.",
     "v2 memory.stat pgsteal; of / pgsteal_* in /proc/vmstat"},
    {"container_memory_workingset_refault_file_total", MetricType::counter, "", "",
     "Pages of files that were needed again after reclaim had taken them.",
     "v1 memory.stat total_workingset_refault_file, v2 workingset_refault_file; of / /proc/vmstat"},
    {"container_memory_workingset_refault_anon_total", MetricType::counter, "", "",
     "Anonymous pages that were needed again after reclaim had taken them.",
     "v1 memory.stat total_workingset_refault_anon, v2 workingset_refault_anon; of / /proc/vmstat"},
    {"container_spec_memory_limit_bytes", MetricType::gauge, "bytes", "",
     "Limit of memory; 0 when it is unlimited, the machine's memory for /.",
     "v1 memory.limit_in_bytes, v2 memory.max; of / MemTotal"},
    {"container_spec_memory_swap_limit_bytes", MetricType::gauge, "bytes", "",
     "Limit of swap (v2), of memory and swap together (v1); 0 when it is unlimited, the machine's swap for "
     "/.",
     "v1 memory.memsw.limit_in_bytes, v2 memory.swap.max; of / SwapTotal"},
    {"container_spec_memory_reservation_limit_bytes", MetricType::gauge, "bytes", "",
     "Memory that is left to the container when memory is short; 0 when v1 sets no soft limit.",
     "v1 memory.soft_limit_in_bytes, v2 memory.min"},
    {"container_memory_failures_total", MetricType::counter, "",
     "failure_type (pgfault, pgmajfault), scope (container, hierarchy)",
     "Page faults; major ones had to wait for a disk. Scope container is without cgroups below it in v1, and "
     "the same as hierarchy in v2.",
     "v1 memory.stat pgfault, total_pgfault, v2 pgfault; of / /proc/vmstat"},
}};

inline constexpr auto kMemoryTable = [] {
    constexpr std::array<std::string_view, 4> kFaults{
        R"(failure_type="pgfault",scope="container")", R"(failure_type="pgfault",scope="hierarchy")",
        R"(failure_type="pgmajfault",scope="container")", R"(failure_type="pgmajfault",scope="hierarchy")"};
    std::array<FileSeries, MemorySeries::count> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
        const bool fault = i >= MemorySeries::faults_container;
        table[i] = {fault ? kMemoryFamilies - 1 : i,
                    fault ? kFaults[i - MemorySeries::faults_container] : std::string_view(),
                    Number::Kind::integer};
    }
    return table;
}();

}  // namespace plimsoll
