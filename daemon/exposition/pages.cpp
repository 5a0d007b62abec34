// SPDX-License-Identifier: Apache-2.0
#include "exposition/pages.h"

#include <utility>

namespace plimsoll {

std::shared_ptr<const Page> Pages::page(const std::shared_ptr<const Snapshot>& snapshot, TextFormat format,
                                        bool gzip) {
    const std::size_t index = (format == TextFormat::openmetrics ? 2U : 0U) + (gzip ? 1U : 0U);
    const std::shared_ptr<Slot> mine = slot_of(snapshot, index);
    const std::lock_guard lock(mine->mutex);
    if (!mine->finished) {
        mine->page.gzip = gzip;
        if (gzip) {
            mine->encoder.start(mine->page.compressed);
            render(*snapshot, format, mine->page.text,
                   [&](std::string_view piece) { mine->encoder.append(piece); });
            mine->encoder.finish();
        } else {
            render(*snapshot, format, mine->page.text);
        }
        mine->finished = true;
    }
    return {mine, &mine->page};
}

std::shared_ptr<Pages::Slot> Pages::slot_of(const std::shared_ptr<const Snapshot>& snapshot,
                                            std::size_t index) {
    const std::lock_guard lock(mutex_);
    if (snapshot_.owner_before(snapshot) || snapshot.owner_before(snapshot_)) {
        slots_ = {};
        snapshot_ = snapshot;
    }
    if (!slots_[index]) {
        slots_[index] = take();
    }
    return slots_[index];
}

std::shared_ptr<Pages::Slot> Pages::take() {
    std::unique_ptr<Slot> slot;
    {
        const std::lock_guard lock(idle_mutex_);
        if (!idle_.empty()) {
            slot = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!slot) {
        slot = std::make_unique<Slot>();
    }
    return {slot.release(), [this](Slot* used) { give_back(used); }};
}

void Pages::give_back(Slot* used) noexcept {
    std::unique_ptr<Slot> slot(used);  // destroyed after the lock is released
    slot->finished = false;
    const std::lock_guard lock(idle_mutex_);
    if (idle_.size() < kKept) {
        idle_.push_back(std::move(slot));
    }
}

}  // namespace plimsoll
