// SPDX-License-Identifier: Apache-2.0
// A probe that reads files of cgroups: FileProbe with a reader that keeps descriptors, and a start that tests
// can call with a tree of their own.
#pragma once

#include <string>
#include <utility>

#include "files/cgroup_files.h"
#include "files/parse.h"
#include "probes/file_probe.h"

namespace plimsoll {

/// Where a reader of files finds them.
struct FileRoots {
    const CgroupLayout& layout;
    DescriptorBudget* descriptors = nullptr;
    std::string proc = "/proc";
    std::string sys = "/sys";
};

/// What start() of such a probe needs of its context; a test gives it fixtures.
class ReadsFiles {
  public:
    virtual ~ReadsFiles() = default;
    virtual void open(const FileRoots& roots) = 0;
};

inline CgroupName name_of(const SampledContainer& container) {
    return {container.cgroup, container.cgroup_id};
}

inline bool is_root(const SampledContainer& container) {
    return container.cgroup == "/";
}

template <typename State, std::size_t SeriesCount>
class CgroupProbe : public FileProbe<State, SeriesCount>, public ReadsFiles {
  public:
    Result<void> start(const ProbeContext& context) override {
        open({context.layout, context.descriptors});
        return {};
    }
    void sample(const SampleContext& context, SampleWriter& writer) override {
        reader_->begin_sample(context.now_ns);
        FileProbe<State, SeriesCount>::sample(context, writer);
    }
    void open(const FileRoots& roots) override {
        reader_.emplace(roots.layout, roots.descriptors);
        proc_ = roots.proc;
        sys_ = roots.sys;
        find_hierarchies(roots.layout);
    }

  protected:
    using FileProbe<State, SeriesCount>::FileProbe;
    using Values = typename FileProbe<State, SeriesCount>::Values;

    /// Which hierarchies the probe reads from.
    virtual void find_hierarchies(const CgroupLayout& layout) = 0;

    /// Sets what is known.
    static void put(Values& values, std::size_t series, std::optional<std::uint64_t> number) {
        if (number) {
            values.set(series, *number);
        }
    }
    [[nodiscard]] CgroupReader& reader() { return *reader_; }
    [[nodiscard]] const CgroupReader& reader() const { return *reader_; }
    [[nodiscard]] const std::string& proc() const { return proc_; }
    [[nodiscard]] const std::string& sys() const { return sys_; }

  private:
    std::optional<CgroupReader> reader_;
    std::string proc_, sys_;
};

/// The hierarchy of cgroup v2, where there is one.
inline const CgroupHierarchy* unified(const CgroupLayout& layout) {
    for (const auto& hierarchy : layout.all) {
        if (hierarchy.v2) {
            return &hierarchy;
        }
    }
    return nullptr;
}

}  // namespace plimsoll
