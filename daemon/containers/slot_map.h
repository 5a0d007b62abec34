// SPDX-License-Identifier: Apache-2.0
// What the registry needs of the kernel's cgroup → slot map. Scope is the real one; tests have a fake.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace plimsoll {

struct SlotEntry {
    std::uint32_t slot;
    bool confirmed;
};

class SlotMap {
  public:
    virtual ~SlotMap() = default;
    /// The cgroup and what is born in it belong to the slot from now on.
    virtual void assign(std::uint64_t cgroup_id, std::uint32_t slot) = 0;
    /// The cgroup belongs to nobody from now on.
    virtual void release(std::uint64_t cgroup_id) = 0;
    virtual std::optional<SlotEntry> find(std::uint64_t cgroup_id) = 0;
    /// Puts a slot on the kernel's stack for newborn cgroups; false: the stack is full.
    virtual bool offer_free(std::uint32_t slot) = 0;
    /// Slots that newborn cgroups took from the stack since they were offered, with the cgroup's id.
    virtual std::vector<std::pair<std::uint32_t, std::uint64_t>> taken() = 0;
    /// Every cgroup that has an entry.
    virtual std::vector<std::uint64_t> cgroup_ids() = 0;
    /// Threads that the slot's accounts hold now, over all CPUs.
    [[nodiscard]] virtual std::uint64_t threads_in(std::uint32_t slot) const = 0;
    /// Makes every thread look its slot up again when it next runs or wakes.
    virtual void invalidate() = 0;
};

}  // namespace plimsoll
