// SPDX-License-Identifier: Apache-2.0
#include "core/cpu_smoother.h"

namespace plimsoll {

namespace {

CpuTime spent(const CpuAccount& sums, std::uint64_t now_ns) {
    return {sums.running.sum_ns + sums.running.n * now_ns, sums.runnable.sum_ns + sums.runnable.n * now_ns};
}

}  // namespace

/// The moment is from before the accounts were read. Whoever is off the CPU in between would take what was
/// spent meanwhile for spent before that moment: such a reading is repeated.
CpuSmoother::Reading CpuSmoother::read(Handle container, std::span<const std::uint32_t> slots) const {
    Reading reading;
    for (int attempt = 0; attempt < kAttempts; attempt++) {
        reading.now_ns = source_.now_ns();
        reading.sums = sums_.sum(container, slots);
        if (source_.now_ns() - reading.now_ns < kTogetherNs) {
            break;
        }
    }
    return reading;
}

std::uint64_t CpuSmoother::count_writes(std::span<const std::uint32_t> slots) const {
    std::uint64_t writes = 0;
    for (const auto slot : slots) {
        writes += plimsoll::count_writes(source_.accounts(slot));
    }
    return writes;
}

/// A container that is met for the first time. One that is older than the last tick (found when the agent
/// started, or given a slot of its own later) has spent we don't know how much by then: this is where it
/// begins.
CpuSmoother::Watch* CpuSmoother::watch(Handle container, std::span<const std::uint32_t> slots,
                                       std::uint64_t since_ns) {
    if (const auto known = watches_.find(container); known != watches_.end()) {
        return &known->second;
    }
    if (ticked_ns_ && since_ns > *ticked_ns_) {
        const auto added = watches_.try_emplace(container, CpuSmoothing(windows_ns_, since_ns, {}));
        return &added.first->second;
    }
    const auto [now, sums] = read(container, slots);
    if (is_whole(sums)) {
        watches_.try_emplace(container, CpuSmoothing(windows_ns_, now, spent(sums, now)));
    }
    return nullptr;
}

void CpuSmoother::look(Handle container, std::span<const std::uint32_t> slots, std::uint64_t since_ns) {
    Watch* watch = this->watch(container, slots, since_ns);
    if (watch == nullptr) {
        return;
    }
    const std::uint64_t writes = count_writes(slots);
    if (watch->quiet && !watch->unread && writes == watch->writes) {
        return;
    }
    const auto [now, sums] = read(container, slots);
    if (watch->quiet && ticked_ns_) {
        watch->smoothing.rest(*ticked_ns_);  // it was looked at then, and nothing had happened
    }
    watch->quiet = false;
    watch->unread = !is_whole(sums) || !watch->smoothing.tick(now, spent(sums, now));
    if (!watch->unread) {
        watch->writes = writes;
        watch->quiet = sums.running.n == 0 && sums.runnable.n == 0;
    }
}

const CpuSmoothing* CpuSmoother::find(Handle container) {
    const auto found = watches_.find(container);
    if (found == watches_.end()) {
        return nullptr;
    }
    auto& [smoothing, writes, quiet, unread] = found->second;
    if (quiet && ticked_ns_) {
        smoothing.rest(*ticked_ns_);
    }
    return smoothing.known() ? &smoothing : nullptr;
}

void CpuSmoother::fold(std::uint32_t slot, Handle heir) {
    sums_.fold(slot, heir);
    if (const auto found = watches_.find(heir); found != watches_.end()) {
        found->second.unread = true;  // its slots are others now, so the marks cannot be compared
    }
}

void CpuSmoother::forget(Handle container) {
    sums_.forget(container);
    watches_.erase(container);
}

}  // namespace plimsoll
