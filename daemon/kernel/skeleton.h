// SPDX-License-Identifier: Apache-2.0
// A BPF skeleton (bpftool gen skeleton) that owns its object, and the maps that objects share by name.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "kernel/mapped_array.h"

namespace plimsoll {

template <typename T>
struct SkeletonDeleter {
    void operator()(T* skeleton) const { T::destroy(skeleton); }
};
template <typename T>
using Skeleton = std::unique_ptr<T, SkeletonDeleter<T>>;

/// Maps by name. An object opened with these uses them instead of creating its own of the same name.
using SharedMaps = std::map<std::string, int, std::less<>>;

template <typename T>
Result<Skeleton<T>> open_skeleton(const SharedMaps& shared) {
    Skeleton<T> skeleton(T::open(nullptr));
    if (!skeleton) {
        return fail_errno("open", errno);
    }
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, skeleton->obj) {
        const auto found = shared.find(std::string_view(bpf_map__name(map)));
        if (found == shared.end()) {
            continue;
        }
        if (const int error = bpf_map__reuse_fd(map, found->second); error != 0) {
            return fail_errno(std::string("share map ") + bpf_map__name(map), error);
        }
    }
    return skeleton;
}

/// Has libbpf do without the types of kernel modules. It looks there for a function that the kernel does not
/// have, also for a weak one, and libbpf 1.1 takes the lack of CAP_SYS_ADMIN for a failure of the whole load.
/// It tries once for each object, so it gets its failure here, over a program that keeps its target.
inline void forgo_modules(bpf_object* object) {
    bpf_program__set_attach_target(bpf_object__next_program(object, nullptr), 0, "plimsoll_no_such_target");
}

/// For programs that look into the kernel's structures: lets them read as this kernel can, before the load.
template <typename T>
void adapt_reading(T& skeleton, bool kernel_can_cast) {
    skeleton.rodata->kernel_can_cast = kernel_can_cast;
    if (!kernel_can_cast) {
        forgo_modules(skeleton.obj);
    }
}

/// How many of its maps are to be mapped.
std::size_t mappable(const bpf_object* object);

/// Loads the object; an error names what to do about the usual causes.
template <typename T>
Result<void> load_skeleton(T& skeleton) {
    const std::size_t to_be_mapped = mappable(skeleton.obj);
    const int error = T::load(&skeleton);
    if (error == -EPERM) {
        return fail("load: Operation not permitted (the agent needs CAP_BPF and CAP_PERFMON, or root)");
    }
    if (error == -ENOMEM) {
        return fail("load: not enough memory for the maps (raise the memory limit or lower containers.max)");
    }
    if (error != 0) {
        return fail_errno("load", error);
    }
    // libbpf does without, and leaves the skeleton's pointers null, when its test of whether the kernel can
    // do that fails, which it also does for lack of memory.
    if (mappable(skeleton.obj) != to_be_mapped) {
        return fail("load: the programs' variables cannot be mapped (not enough memory?)");
    }
    return {};
}

/// Maps a whole array of a loaded object.
template <typename T>
Result<void> map_into(MappedArray<T>& target, const bpf_map* map) {
    auto mapped = MappedArray<T>::map(bpf_map__fd(map), bpf_map__max_entries(map));
    if (!mapped) {
        return std::unexpected(mapped.error());
    }
    target = std::move(*mapped);
    return {};
}

/// Lets the iterator go through everything once; `what` is what a message calls it.
Result<void> run_iterator(const bpf_link* link, const std::string& what);
/// The same; what its program wrote.
Result<std::vector<char>> read_iterator(const bpf_link* link, const std::string& what);

/// Owns the links of one object: destroyed (detached) in the destructor.
class Links {
  public:
    Links() = default;
    Links(const Links&) = delete;
    Links& operator=(const Links&) = delete;
    ~Links();

    Result<void> attach(bpf_object* object);
    /// Programs for cgroups; they stand beside those of others there, or are refused.
    Result<void> attach_to_cgroup(bpf_object* object, int cgroup);
    /// An iterator over the elements of a map.
    Result<void> attach_to_map(const bpf_program* program, int map);
    [[nodiscard]] bpf_link* find(std::string_view program) const;

  private:
    std::map<std::string, bpf_link*, std::less<>> links_;
};

}  // namespace plimsoll
