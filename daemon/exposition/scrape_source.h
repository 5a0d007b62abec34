// SPDX-License-Identifier: Apache-2.0
// What the web server asks of the rest: a fresh snapshot, and how the agent is doing. HTTP threads call it;
// the loop implements it through SnapshotExchange, tests by hand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "exposition/snapshot.h"

namespace plimsoll {

/// Whether /readyz says yes.
struct Status {
    bool ready = false;
    std::string reason = "starting";  ///< why not ready, one sentence
};

class ScrapeSource {
  public:
    virtual ~ScrapeSource() = default;

    /// A snapshot no older than the call, or that of the sample which is being taken. nullptr: not within
    /// `deadline`, or cancelled.
    virtual std::shared_ptr<const Snapshot> scrape(std::chrono::milliseconds deadline) = 0;

    virtual Status status() = 0;

    /// Every scrape, waiting or to come, returns nullptr: the web server is going away.
    virtual void cancel() = 0;
};

/// The last scrape, as the agent's own metrics tell it; written by HTTP threads, read by the loop. The three
/// may be of two scrapes when two end at once, which is fine for gauges.
struct ScrapeStats {
    std::atomic<std::uint64_t> duration_ns{0};  ///< from the request to the page: sample, text, compression
    std::atomic<std::uint64_t> series{0};
    std::atomic<std::uint64_t> bytes{0};  ///< of the text before compression
};

}  // namespace plimsoll
