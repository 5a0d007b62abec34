// SPDX-License-Identifier: Apache-2.0
// Space on the file systems that containers write to, by cAdvisor's names: statfs of each container's root.
// cAdvisor walks through the container's directories to tell how much of it is the container's; that costs
// minutes of disk time on a busy host, and is not done here.
#include "exposition/labels.h"
#include "files/root_file_system.h"
#include "probes/process_probe.h"

namespace plimsoll {
namespace {

struct Family {
    enum : std::uint8_t { usage, limit, inodes_free, inodes_total, count };
};

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_fs_usage_bytes", MetricType::gauge, "bytes", "device",
     "Bytes in use on the file system that the container's root is written to, by whomever.",
     "statfs of /proc/PID/root"},
    {"container_fs_limit_bytes", MetricType::gauge, "bytes", "device",
     "Size of the file system that the container's root is written to.", "statfs of /proc/PID/root"},
    {"container_fs_inodes_free", MetricType::gauge, "", "device",
     "Inodes that are free on the file system that the container's root is written to.",
     "statfs of /proc/PID/root"},
    {"container_fs_inodes_total", MetricType::gauge, "", "device",
     "Inodes that the file system has that the container's root is written to.", "statfs of /proc/PID/root"},
}};

struct FilesystemState {
    std::uint64_t process = 0;  ///< whose root it is
    RootFileSystem root;
    std::optional<RootFileSystem::Space> space;
};

class FilesystemProbe final : public ProcessFileProbe<FilesystemState> {
  public:
    [[nodiscard]] std::string_view name() const override { return "filesystem"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }

  protected:
    bool read(const SampledContainer& container, const SampleContext&, FilesystemState& state,
              Values&) override {
        const auto [directory, process] = processes().of(container.handle, container.cgroup, container.rest);
        const bool other = std::exchange(state.process, process) != process;
        state.space = directory < 0 ? std::nullopt
                                    : state.root.look(directory, other, processes().finder().proc_root());
        return true;
    }

    void write_open_set(std::size_t family, std::uint32_t container, const FilesystemState& state,
                        SampleWriter& writer) override {
        const bool of_inodes = family == Family::inodes_free || family == Family::inodes_total;
        if (!state.space || (of_inodes && state.space->inodes == 0)) {
            return;
        }
        const auto& space = *state.space;
        const std::array<std::uint64_t, Family::count> values{space.used_bytes, space.size_bytes,
                                                              space.free_inodes, space.inodes};
        std::string fragment = "device=\"";
        append_label_value(fragment, state.root.device());
        writer.add(container, writer.kept(fragment + '"'), Number::count(values[family]));
    }
};

}  // namespace

std::unique_ptr<Probe> make_filesystem_probe() {
    return std::make_unique<FilesystemProbe>();
}

}  // namespace plimsoll
