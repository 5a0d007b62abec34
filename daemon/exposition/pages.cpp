// SPDX-License-Identifier: Apache-2.0
#include "exposition/pages.h"

#include <utility>

namespace plimsoll {
namespace {

constexpr std::size_t kGrowth = 16;  // from page to page: at most a sixteenth, else the text is copied once

}  // namespace

std::shared_ptr<const Page> Pages::page(const std::shared_ptr<const Snapshot>& snapshot, TextFormat format,
                                        bool gzip) {
    const std::size_t index = (format == TextFormat::openmetrics ? 2U : 0U) + (gzip ? 1U : 0U);
    const std::shared_ptr<Slot> mine = slot_of(snapshot, index, gzip);
    const std::lock_guard lock(mine->mutex);
    if (!mine->finished) {
        if (mine->encoder) {
            mine->encoder->start(mine->page.compressed);
            render(*snapshot, format, mine->page.text,
                   [&](std::string_view piece) { mine->encoder->append(piece); });
            mine->encoder->finish();
        } else {
            mine->page.text.body.reserve(text_bytes_ + text_bytes_ / kGrowth);
            render(*snapshot, format, mine->page.text);
        }
        text_bytes_ = mine->page.text.bytes;
        mine->finished = true;
    }
    return {mine, &mine->page};
}

std::shared_ptr<Pages::Slot> Pages::slot_of(const std::shared_ptr<const Snapshot>& snapshot,
                                            std::size_t index, bool gzip) {
    const std::lock_guard lock(mutex_);
    if (snapshot_.owner_before(snapshot) || snapshot.owner_before(snapshot_)) {
        slots_ = {};
        snapshot_ = snapshot;
    }
    std::shared_ptr<Slot> slot = slots_[index].lock();
    if (!slot) {
        slot = gzip ? take() : std::make_shared<Slot>();
        slots_[index] = slot;
    }
    return slot;
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
        slot->page.gzip = true;
        slot->encoder.emplace();
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
