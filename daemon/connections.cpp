// SPDX-License-Identifier: Apache-2.0
// The part of the daemon that is about rules with connects_to.
#include <spdlog/spdlog.h>

#include <cstring>

#include "config/connection_address.h"
#include "core/clock.h"
#include "daemon.h"

namespace plimsoll {

/// Without its hook such a rule would never hold, so the agent does not start.
Result<void> Daemon::start_connection_rules() {
    const auto targets = connection_targets(config_.containers);
    if (targets.empty()) {
        return {};
    }
    auto hook = ConnectionHook::attach(*scope_, *types_, targets, id_of(layout_, "/").value_or(1));
    if (!hook) {
        return std::unexpected(hook.error());
    }
    connection_hook_ = std::move(*hook);
    connection_rules_ = std::make_unique<ConnectionRules>(selector_);
    return {};
}

std::optional<Container> Daemon::select(const FoundCgroup& found) {
    return connection_rules_ ? connection_rules_->select(found) : selector_.select(found.path);
}

/// Who is connected when the agent starts has been selected by its first connection, unseen.
Result<void> Daemon::find_connections() {
    if (!connection_hook_) {
        return {};
    }
    const auto meetings = connection_hook_->existing();
    if (!meetings) {
        return std::unexpected(meetings.error().in("rules with connects_to"));
    }
    for (const auto& meeting : *meetings) {
        on_connection({meeting.cgroup_id, meeting.target});
    }
    return {};
}

void Daemon::on_connection_record(std::span<const std::byte> record) {
    const auto event = content_of<connection_event>(record);
    on_connection({event.header.cgroup_id, event.target, event.header.slot});
    visit_now_ = true;  // other threads of the cgroup are about to use the connection
}

void Daemon::on_connection(const FoundConnection& connection) {
    if (!connection_rules_) {
        return;
    }
    const auto answer = connection_rules_->on_connection(*registry_, connection, boot_time_ns());
    if (answer == ConnectionRules::Answer::root && !std::exchange(told_of_root_, true)) {
        spdlog::warn(
            "containers.include: a process of the root cgroup connects to an address of connects_to; the "
            "root "
            "cgroup is no container, so it is not watched");
    }
}

void Daemon::prune_connections() {
    if (connection_rules_) {
        connection_rules_->prune([this](std::uint64_t id) { return path_of(layout_, id).has_value(); });
    }
}

}  // namespace plimsoll
