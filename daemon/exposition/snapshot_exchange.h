// SPDX-License-Identifier: Apache-2.0
// Where HTTP threads ask for a snapshot and the loop hands it over. The loop owns it, polls fd(), and never
// waits in it: the mutex is held for a few instructions only.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/error.h"
#include "exposition/scrape_source.h"
#include "loop/unique_fd.h"

namespace plimsoll {

class SnapshotExchange : public ScrapeSource {
  public:
    static Result<std::unique_ptr<SnapshotExchange>> create();

    /// Loop: readable when somebody wants a snapshot.
    int fd() const { return fd_.get(); }

    /// Loop: acknowledges fd(). True when a sample is wanted; take it and publish() it.
    bool take_pending();

    /// Loop: gives the snapshot to every request that arrived before this call, those that came while it was
    /// being sampled included. Requests that arrive later wait for the next one. nullptr when sampling
    /// failed: they are told so.
    void publish(std::shared_ptr<const Snapshot> snapshot);

    /// Loop: serves again, after cancel().
    void resume();

    /// Loop: what /readyz says from now on.
    void set_status(Status status);

    // ScrapeSource, for the HTTP threads.
    std::shared_ptr<const Snapshot> scrape(std::chrono::milliseconds deadline) override;
    Status status() override;
    void cancel() override;

  private:
    /// The requests that one publish() answers. They share it, so it lives until the last one has read it.
    struct Round {
        std::shared_ptr<const Snapshot> snapshot;
        bool over = false;
    };

    explicit SnapshotExchange(UniqueFd fd);

    const UniqueFd fd_;  ///< an eventfd
    std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<Round> round_;  ///< nullptr while nobody waits
    bool cancelled_ = false;
    Status status_;
};

}  // namespace plimsoll
