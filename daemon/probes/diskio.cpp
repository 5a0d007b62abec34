// SPDX-License-Identifier: Apache-2.0
// What reached each disk, under cAdvisor's names.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/disk_counters.h"
#include "exposition/labels.h"
#include "files/process_files.h"
#include "probes/cgroup_probe.h"
#include "probes/shared_families.h"

namespace plimsoll {

namespace {

struct Family {
    enum : std::uint8_t { read_bytes, write_bytes, reads, writes, count };
};

constexpr std::array<MetricSpec, Family::count> kMetrics{kFsReadsBytes, kFsWritesBytes, kFsReads, kFsWrites};

constexpr std::array<FileSeries, 0> kTable{};

struct DiskState {
    CgroupDirectory directory;
    KeptFd first, second;
    DiskCounters counters;
};

/// Devices' labels: asked for once in each sample, because a number can come to mean another device.
class DeviceNames {
  public:
    std::string_view fragment(DeviceNumber device, std::uint64_t sample, CgroupReader& reader,
                              const std::string& sys) {
        Known& known = known_[{device.major, device.minor}];
        if (known.sample != sample || known.fragment.empty()) {
            known.sample = sample;
            known.fragment = look_up(device, known.fragment, reader, sys);
        }
        return known.fragment;
    }

  private:
    struct Known {
        std::uint64_t sample = 0;
        std::string_view fragment;
    };

    std::string_view look_up(DeviceNumber device, std::string_view before, CgroupReader& reader,
                             const std::string& sys) {
        const std::string number = std::to_string(device.major) + ":" + std::to_string(device.minor);
        const auto text = reader.machine(sys + "/dev/block/" + number + "/uevent");
        if (const auto known = device_in(text.value_or("")); !known.empty()) {
            return keep("/dev/" + std::string(known));
        }
        return before.empty() ? keep(number) : before;
    }
    /// Snapshots refer to it, so it stays.
    std::string_view keep(const std::string& name) {
        std::string label = "device=\"";
        append_label_value(label, name);
        return *texts_.insert(label + "\"").first;
    }

    std::map<std::pair<std::uint32_t, std::uint32_t>, Known> known_;
    std::set<std::string> texts_;
};

class DiskioProbe : public CgroupProbe<DiskState, 0> {
  public:
    DiskioProbe() : CgroupProbe(kTable) {}
    [[nodiscard]] std::string_view name() const override { return "diskio"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }

  private:
    void find_hierarchies(const CgroupLayout& layout) override {
        v1_ = layout.with_controller("blkio");
        hierarchy_ = v1_ != nullptr ? v1_ : unified(layout);
    }
    void ended(DiskState& state) override {
        state.directory = {};
        state.first.reset();
        state.second.reset();
    }
    bool read(const SampledContainer& container, const SampleContext& context, DiskState& state,
              Values&) override {
        const CgroupName cgroup = name_of(container);
        readings_.clear();
        const bool known = v1_ != nullptr ? read_v1(cgroup, state) : read_v2(cgroup, state);
        if (known) {
            for (auto& reading : readings_) {
                reading.name = names_.fragment(reading.number, context.now_ns, reader(), sys());
            }
            state.counters.update(readings_);
        }
        return known || (!state.directory.gone() && reader().alive(cgroup));
    }
    void write_open_set(std::size_t family, std::uint32_t container, const DiskState& state,
                        SampleWriter& writer) override {
        for (const auto& disk : state.counters.all()) {
            writer.add(container, disk.name, Number::count(disk.values[family]));
        }
    }

    bool read_v1(CgroupName cgroup, DiskState& state);
    bool read_v2(CgroupName cgroup, DiskState& state);

    /// What the file says about the device in this sample.
    DiskValues& reading_of(DeviceNumber number) {
        auto found = std::ranges::find(readings_, number, &DiskCounters::Reading::number);
        if (found == readings_.end()) {
            found = readings_.insert(found, {number, {}, {}});
        }
        return found->values;
    }

    const CgroupHierarchy* v1_ = nullptr;
    const CgroupHierarchy* hierarchy_ = nullptr;
    DeviceNames names_;
    std::vector<DiskCounters::Reading> readings_;
};

bool DiskioProbe::read_v1(CgroupName cgroup, DiskState& state) {
    struct Pair {
        const char* bytes;
        const char* requests;
    };
    static constexpr Pair kFiles[] = {
        {"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"},
        {"blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"}};
    for (const Pair& files : kFiles) {
        auto text = reader().first(v1_, cgroup, state.directory, files.bytes, &state.first);
        if (!text) {
            continue;
        }
        while (const auto line = take_blkio(*text)) {
            reading_of(line->device)[line->write ? Family::write_bytes : Family::read_bytes] = line->value;
        }
        text = reader().next(*v1_, cgroup, state.directory, files.requests, &state.second);
        while (const auto line = text ? take_blkio(*text) : std::nullopt) {
            reading_of(line->device)[line->write ? Family::writes : Family::reads] = line->value;
        }
        return text.has_value();
    }
    return false;
}

bool DiskioProbe::read_v2(CgroupName cgroup, DiskState& state) {
    auto text = reader().first(hierarchy_, cgroup, state.directory, "io.stat", &state.first);
    if (!text) {
        return false;
    }
    while (const auto io = take_io(*text)) {
        auto& values = reading_of(io->device);
        values[Family::read_bytes] = io->read_bytes;
        values[Family::write_bytes] = io->write_bytes;
        values[Family::reads] = io->reads;
        values[Family::writes] = io->writes;
    }
    return true;
}

}  // namespace

std::unique_ptr<Probe> make_diskio_probe() {
    return std::make_unique<DiskioProbe>();
}

}  // namespace plimsoll
