// SPDX-License-Identifier: Apache-2.0
// The kernel's half of the slots, played by a test: what bpf/scope.bpf.c does when cgroups come and go.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "containers/registry.h"
#include "shared/ledger.h"

namespace plimsoll::container_test {

using Slots = std::vector<std::uint32_t>;
constexpr std::uint64_t kRoot = 1;  ///< the id of the cgroup at the top
constexpr std::uint64_t kSecond = 1'000'000'000;

class FakeSlotMap : public SlotMap {
  public:
    explicit FakeSlotMap(std::size_t stack_size) : stack_size_(stack_size) {}

    std::map<std::uint64_t, SlotEntry> entries;
    std::map<std::uint32_t, std::uint64_t> threads;  ///< by slot
    std::vector<std::uint32_t> stack;
    std::map<std::uint32_t, std::uint64_t> owners;  ///< by slot: the newborn cgroup that took it
    int invalidations = 0;

    /// cgroup_mkdir: the birth event's content.
    FoundCgroup mkdir(std::uint64_t id, std::uint64_t parent_id, const std::string& path) {
        const auto parent = entries.find(parent_id);
        SlotEntry entry{SLOT_OVERFLOW, false};
        if (parent != entries.end() && parent->second.confirmed) {
            entry = parent->second;
        } else if (!stack.empty()) {
            entry.slot = stack.back();
            stack.pop_back();
            owners[entry.slot] = id;
        }
        entries[id] = entry;
        return {id, parent_id, path, entry.slot};
    }
    /// cgroup_rmdir: the slot that the death event tells.
    std::uint32_t rmdir(std::uint64_t id) {
        const auto found = entries.find(id);
        const std::uint32_t slot = found == entries.end() ? std::uint32_t{SLOT_NONE} : found->second.slot;
        entries.erase(id);
        return slot;
    }
    [[nodiscard]] std::uint32_t slot_of(std::uint64_t id) const {
        const auto found = entries.find(id);
        return found == entries.end() ? std::uint32_t{SLOT_NONE} : found->second.slot;
    }

    void assign(std::uint64_t cgroup_id, std::uint32_t slot) override { entries[cgroup_id] = {slot, true}; }
    void release(std::uint64_t cgroup_id) override { entries.erase(cgroup_id); }
    std::optional<SlotEntry> find(std::uint64_t cgroup_id) override {
        const auto found = entries.find(cgroup_id);
        return found == entries.end() ? std::nullopt : std::optional(found->second);
    }
    std::vector<std::pair<std::uint32_t, std::uint64_t>> taken() override {
        return {owners.begin(), owners.end()};
    }
    bool offer_free(std::uint32_t slot) override {
        if (stack.size() >= stack_size_) {
            return false;
        }
        stack.push_back(slot);
        owners.erase(slot);
        return true;
    }
    std::vector<std::uint64_t> cgroup_ids() override {
        std::vector<std::uint64_t> ids;
        for (const auto& [id, entry] : entries) {
            ids.push_back(id);
        }
        return ids;
    }
    [[nodiscard]] std::uint64_t threads_in(std::uint32_t slot) const override {
        const auto found = threads.find(slot);
        return found == threads.end() ? 0 : found->second;
    }
    void invalidate() override { invalidations++; }

  private:
    std::size_t stack_size_;
};

/// A registry over a fake kernel, with a clock that the test moves. Paths that begin with "/c" or end in
/// "/nested" are containers.
struct RegistryFixture {
    explicit RegistryFixture(std::uint32_t max = 8, std::uint32_t provisional = 4)
        : limits{max, provisional, kLinger}, kernel(provisional), registry(kernel, limits, callbacks()) {}

    static constexpr std::uint64_t kLinger = 60 * kSecond;
    struct Fold {
        std::uint32_t slot;
        Handle heir;
        bool operator==(const Fold&) const = default;
    };

    Registry::Callbacks callbacks() {
        return {.select = [this](const FoundCgroup& found) -> std::optional<Container> {
                    const std::string& path = found.path;
                    if (refused.contains(path)) {
                        return std::nullopt;
                    }
                    if (!path.starts_with("/c") && !path.ends_with("/nested")) {
                        return std::nullopt;
                    }
                    if (path.starts_with("/c") && path.rfind('/') != 0 && !path.ends_with("/nested")) {
                        return std::nullopt;  // below a container
                    }
                    Container container;
                    container.cgroup = path;
                    container.name = prefix + path.substr(1);
                    return container;
                },
                .render =
                    [this](const Container& container) {
                        rendered++;
                        return RenderedLabels{std::make_shared<const std::string>(container.name), ""};
                    },
                .born = [](const std::string&) { return std::nullopt; },
                .fold = [this](std::uint32_t slot, Handle heir) { folds.push_back({slot, heir}); },
                .forget = [this](Handle handle) { forgotten.insert(handle); }};
    }

    /// mkdir and its event.
    std::uint32_t make(std::uint64_t id, std::uint64_t parent, const std::string& path) {
        const FoundCgroup found = kernel.mkdir(id, parent, path);
        registry.birth(found, now);
        return kernel.slot_of(id);
    }
    /// rmdir and its event.
    void remove(std::uint64_t id) { registry.death(id, kernel.rmdir(id), now); }
    /// Lets time pass, with ticks on the way.
    void pass(std::uint64_t ns) {
        for (const std::uint64_t end = now + ns; now < end; now += std::min(end - now, kSecond / 10)) {
            registry.tick(now);
        }
        registry.tick(now);
    }
    const Watched* find(const std::string& cgroup) const {
        for (const auto* watched : registry.shown()) {
            if (watched->container.cgroup == cgroup) {
                return watched;
            }
        }
        return nullptr;
    }

    std::uint64_t now = 1000 * kSecond;
    std::set<std::string> refused;  // by the rules, as the test has them now
    std::string prefix;             // of all names
    std::vector<Fold> folds;
    std::set<Handle> forgotten;
    int rendered = 0;
    Registry::Limits limits;
    FakeSlotMap kernel;
    Registry registry;
};

}  // namespace plimsoll::container_test
