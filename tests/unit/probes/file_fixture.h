// SPDX-License-Identifier: Apache-2.0
// A tree of cgroup files made of literal texts, and a file-reading probe that samples it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../containers/fixture.h"
#include "probes/cgroup_probe.h"

namespace plimsoll::file_test {

using Page = std::map<std::string, std::uint64_t>;  // "name{labels}" of the container asked for

/// What belongs to the container, and what belongs to none.
inline Page page_of(const Snapshot& snapshot, std::uint32_t container) {
    Page page;
    for (const auto& family : snapshot.families) {
        for (const auto& sample : family.samples) {
            if (sample.container == container || sample.container == kNoContainer) {
                std::string name(family.spec->name);
                name += sample.fragment.empty() ? "" : "{" + std::string(sample.fragment) + "}";
                page[name] = sample.value.integer;
            }
        }
    }
    return page;
}

enum class Host { v1, hybrid, v2 };

class Fixture {
  public:
    Fixture(std::unique_ptr<Probe> probe, Host host) : probe_(std::move(probe)) {
        const std::vector<std::vector<std::string>> controllers{
            {"memory"}, {"cpu"}, {"cpuacct"}, {"blkio"}, {"pids"}};
        if (host != Host::v2) {
            for (const auto& list : controllers) {
                add({tree_.path("cgroup/" + list[0]), false, list});
            }
            layout_.controller = "memory";
        }
        if (host != Host::v1) {
            add({tree_.path("cgroup/unified"), true, {}});
        }
        layout_.v2 = host != Host::v1;
        layout_.mount = tree_.path(layout_.v2 ? "cgroup/unified" : "cgroup/memory");
        open(1000);
    }

    void open(std::size_t descriptors) {
        budget_ = std::make_unique<DescriptorBudget>(descriptors);
        dynamic_cast<ReadsFiles&>(*probe_).open(
            {layout_, budget_.get(), tree_.path("proc"), tree_.path("sys")});
    }

    /// `place`: a controller, or "unified".
    void write(const std::string& place, const std::string& file, std::string_view text,
               const std::string& cgroup = "/c") {
        tree_.write("cgroup/" + place + cgroup + "/" + file, text);
    }
    void write_machine(const std::string& file, std::string_view text) { tree_.write(file, text); }
    void make(const std::string& place, const std::string& cgroup = "/c") {
        std::filesystem::create_directories(tree_.path("cgroup/" + place + cgroup));
    }
    void remove(const std::string& below) { std::filesystem::remove_all(tree_.path("cgroup/" + below)); }

    /// As the registry would show the cgroup now; `handle` stays the container's.
    Page sample(const std::string& cgroup = "/c", bool ended = false) {
        const auto id = id_of(layout_, cgroup);
        id_ = id.value_or(id_);
        return sample_as(cgroup, id_, ended);
    }
    Page sample_as(const std::string& cgroup, std::uint64_t id, bool ended = false) {
        Snapshot snapshot;
        snapshot.containers.resize(1);
        SampleWriter writer(snapshot);
        const std::vector<SampledContainer> containers{{.index = 0,
                                                        .handle = 1,
                                                        .slots = {},
                                                        .cgroup = cgroup,
                                                        .cgroup_id = id,
                                                        .since_ns = 0,
                                                        .ended = ended,
                                                        .rest = rest_}};
        probe_->sample({++now_, containers, {}}, writer);
        return page_of(snapshot, 0);
    }
    /// That the container is in from now on.
    void rest(Rest rest) { rest_ = rest; }
    /// Until the next sample.
    void pass_seconds(std::uint64_t seconds) { now_ += seconds * 1'000'000'000; }
    /// A further name of a file, in another place than any probe looks at.
    void link(const std::string& file, const std::string& as) {
        std::filesystem::create_hard_link(tree_.path(file), tree_.path(as));
    }
    [[nodiscard]] std::uint64_t last_id() const { return id_; }
    [[nodiscard]] std::size_t descriptors_left() const { return budget_->left(); }
    Probe& probe() { return *probe_; }

  private:
    void add(CgroupHierarchy hierarchy) {
        std::filesystem::create_directories(hierarchy.mount);
        layout_.all.push_back(std::move(hierarchy));
    }

    container_test::Directory tree_;
    CgroupLayout layout_;
    std::unique_ptr<DescriptorBudget> budget_;  // before the probe, which gives back to it
    std::unique_ptr<Probe> probe_;
    std::uint64_t now_ = 0, id_ = 0;
    Rest rest_ = kNoRest;
};

}  // namespace plimsoll::file_test
