// SPDX-License-Identifier: Apache-2.0
#include "kernel/connection_hook.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <tuple>

#include "connections.skel.h"

namespace plimsoll {

ConnectionHook::ConnectionHook() = default;
ConnectionHook::~ConnectionHook() = default;

Result<std::unique_ptr<ConnectionHook>> ConnectionHook::attach(const Scope& scope, const KernelTypes& types,
                                                               std::span<const connection_target> targets,
                                                               std::uint64_t root_cgroup_id) {
    auto skeleton = open_skeleton<connections_bpf>(scope.maps());
    if (!skeleton) {
        return std::unexpected(skeleton.error().in("rules with connects_to"));
    }
    std::unique_ptr<ConnectionHook> hook(new ConnectionHook());
    hook->skeleton_ = std::move(*skeleton);
    connections_bpf& object = *hook->skeleton_;
    object.rodata->subsystem_index = scope.subsystem_index();
    object.rodata->events_use_ringbuf = scope.uses_ringbuf();
    object.rodata->root_cgroup_id = root_cgroup_id;
    object.rodata->kernel_can_iterate = types.has_function("bpf_iter_task_new");
    if (!object.rodata->kernel_can_iterate) {
        forgo_modules(object.obj);
    }
    bpf_map__set_max_entries(object.maps.targets, static_cast<std::uint32_t>(targets.size()));
    const auto done = in_order([&] { return load_skeleton(object); }, [&] { return hook->fill(targets); },
                               [&] { return hook->links_.attach(object.obj); });
    if (!done) {
        return std::unexpected(done.error().in("rules with connects_to"));
    }
    return hook;
}

Result<void> ConnectionHook::fill(std::span<const connection_target> targets) const {
    for (std::uint32_t number = 0; number < targets.size(); number++) {
        if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.targets), &targets[number], &number, BPF_ANY) !=
            0) {
            return fail_errno("addresses", errno);
        }
    }
    return {};
}

void ConnectionHook::arm() {
    std::atomic_ref<std::uint32_t>(skeleton_->bss->armed).store(1);
}

Result<std::vector<connection_meeting>> ConnectionHook::existing() const {
    auto output = read_iterator(links_.find("on_each_connection"), "look for existing connections");
    if (!output) {
        return std::unexpected(output.error());
    }
    std::vector<connection_meeting> meetings(output->size() / sizeof(connection_meeting));
    std::memcpy(meetings.data(), output->data(), meetings.size() * sizeof(connection_meeting));
    const auto key = [](const connection_meeting& one) { return std::tie(one.cgroup_id, one.target); };
    std::ranges::sort(meetings, {}, key);
    const auto repeated = std::ranges::unique(meetings, {}, key);
    meetings.erase(repeated.begin(), repeated.end());
    return meetings;
}

bpf_object* ConnectionHook::object() const {
    return skeleton_->obj;
}

}  // namespace plimsoll
