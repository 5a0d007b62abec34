// SPDX-License-Identifier: Apache-2.0
// Reading the files of cgroups again and again: through descriptors that are kept while the budget lasts, by
// path beyond it (docs/decisions/0008). Loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "containers/cgroup_tree.h"
#include "files/descriptors.h"
#include "files/read_file.h"
#include "files/write_watch.h"

namespace plimsoll {

/// A cgroup: its path, and its id in the hierarchy that identifies containers.
struct CgroupName {
    std::string_view path;
    std::uint64_t id;
};

/// What is kept of a cgroup in one hierarchy.
class CgroupDirectory {
  public:
    /// It was there, and is not any more.
    [[nodiscard]] bool gone() const { return gone_; }

  private:
    friend class CgroupReader;
    /// The text of a limit when it was read last.
    struct Remembered {
        std::string_view file;
        std::string text;
    };
    void leave() {
        directory_.reset();
        written_.reset();
        limits_.clear();
        found_ = false;
        gone_ = true;
    }
    KeptFd directory_;
    WriteWatch::Place written_;
    std::uint64_t writes_ = 0, remembered_ns_ = 0;  ///< what the limits' texts belong to
    std::vector<Remembered> limits_;
    bool below_ = false;  ///< a limit was found one level below, where writes are not told
    bool found_ = false;  ///< with or without a descriptor
    bool gone_ = false;
};

class CgroupReader {
  public:
    /// `budget`: null: nothing is kept.
    CgroupReader(const CgroupLayout& layout, DescriptorBudget* budget) : layout_(&layout), budget_(budget) {}
    /// Before anything is read for a sample. `now_ns`: CLOCK_BOOTTIME.
    void begin_sample(std::uint64_t now_ns) {
        now_ns_ = now_ns;
        writes_.collect();
    }

    /// The file by whose reading it is decided whether the cgroup is (still) in the hierarchy; null: no such
    /// hierarchy here. `kept`: its own descriptor, null: opened each time. Nothing: see gone(), or there is
    /// no such file. The text is valid until the next call.
    std::optional<std::string_view> first(const CgroupHierarchy* hierarchy, CgroupName cgroup,
                                          CgroupDirectory& directory, const char* file, KeptFd* kept);
    /// A further file, after first() of the same cgroup and hierarchy has succeeded.
    std::optional<std::string_view> next(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                         const CgroupDirectory& directory, const char* file,
                                         KeptFd* kept = nullptr);
    /// The same for what moves only when somebody writes it: it is read again only if anything in the
    /// directory was written, and once a minute, since what is written through another mount of the hierarchy
    /// (by a container that has its own) is not told. `file`: static storage.
    std::optional<std::string_view> limit(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                          CgroupDirectory& directory, const char* file);
    /// A file one level below: crun has systemd make a scope, and in it a cgroup `container`, where the
    /// processes are. Nothing: there is none.
    std::optional<std::string_view> below(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                          const CgroupDirectory& directory, const std::string& file);
    /// A limit that is set there. Nothing: the cgroup's own file has it.
    std::optional<std::string_view> limit_below(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                                CgroupDirectory& directory, const std::string& file);
    /// Whether a limit of the directory can be another one than when it was read last: by limit(), or after
    /// watch_limits().
    [[nodiscard]] bool may_have_new_limits(const CgroupDirectory& directory) const {
        return directory.below_ || directory.written_.writes() != directory.writes_;
    }
    /// False: no writes are told.
    bool watch_limits(const CgroupHierarchy& hierarchy, CgroupName cgroup, CgroupDirectory& directory);

    /// The cgroup that has this id is still at its path.
    bool alive(CgroupName cgroup);
    /// A file that belongs to no cgroup.
    std::optional<std::string_view> machine(const std::string& path) {
        return reader_.read_at(kNowhere, path.c_str());
    }
    [[nodiscard]] const CgroupLayout& layout() const { return *layout_; }

  private:
    static constexpr int kNowhere = -1;  // for paths that are absolute

    bool is_identity(const CgroupHierarchy& hierarchy) const { return hierarchy.mount == layout_->mount; }
    bool enter(const CgroupHierarchy& hierarchy, CgroupName cgroup, CgroupDirectory& directory);
    std::optional<std::uint64_t> inode_of(std::string_view mount, std::string_view path);
    const char* path_of(std::string_view mount, std::string_view cgroup, const char* file);

    const CgroupLayout* layout_;
    DescriptorBudget* budget_;
    FileReader reader_;
    WriteWatch writes_;
    std::uint64_t now_ns_ = 0;
    std::string path_;
};

}  // namespace plimsoll
