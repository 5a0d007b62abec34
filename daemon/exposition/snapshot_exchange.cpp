// SPDX-License-Identifier: Apache-2.0
#include "exposition/snapshot_exchange.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace plimsoll {

Result<std::unique_ptr<SnapshotExchange>> SnapshotExchange::create() {
    UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) {
        return fail_errno("eventfd", errno);
    }
    return std::unique_ptr<SnapshotExchange>(new SnapshotExchange(std::move(fd)));
}

SnapshotExchange::SnapshotExchange(UniqueFd fd) : fd_(std::move(fd)) {}

bool SnapshotExchange::take_pending() {
    eventfd_t count = 0;
    eventfd_read(fd_.get(), &count);  // EAGAIN when nothing came: round_ has the truth
    const std::lock_guard lock(mutex_);
    return round_ != nullptr;
}

void SnapshotExchange::publish(std::shared_ptr<const Snapshot> snapshot) {
    std::shared_ptr<Round> round;  // destroyed after the lock is released
    {
        const std::lock_guard lock(mutex_);
        round = std::exchange(round_, nullptr);
        if (!round) {
            return;
        }
        round->snapshot = std::move(snapshot);
        round->over = true;
    }
    changed_.notify_all();
}

void SnapshotExchange::resume() {
    const std::lock_guard lock(mutex_);
    cancelled_ = false;
}

void SnapshotExchange::set_status(Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
}

std::shared_ptr<const Snapshot> SnapshotExchange::scrape(std::chrono::milliseconds deadline) {
    std::unique_lock lock(mutex_);
    if (cancelled_) {
        return nullptr;
    }
    if (!round_) {
        // A loop that was never told would keep this scrape, and all that join it later, waiting.
        if (eventfd_write(fd_.get(), 1) != 0) {
            return nullptr;
        }
        round_ = std::make_shared<Round>();
    }
    const std::shared_ptr<Round> mine = round_;
    changed_.wait_for(lock, deadline, [&] { return mine->over || cancelled_; });
    return mine->snapshot;
}

Status SnapshotExchange::status() {
    const std::lock_guard lock(mutex_);
    return status_;
}

void SnapshotExchange::cancel() {
    {
        const std::lock_guard lock(mutex_);
        cancelled_ = true;
    }
    changed_.notify_all();
}

}  // namespace plimsoll
