// SPDX-License-Identifier: Apache-2.0
// One epoll loop on one thread: descriptors, timers and signals call handlers. Everything the daemon owns is
// touched by this thread only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "core/error.h"
#include "loop/unique_fd.h"

namespace plimsoll {

class EventLoop {
  public:
    using Handler = std::function<void()>;

    static Result<EventLoop> create();

    /// Calls `handler` whenever `fd` is readable. The descriptor stays the caller's and must outlive the
    /// loop.
    Result<void> watch(int fd, Handler handler);
    /// Calls `handler` every `period`, first after one period; a late loop gets one call, not several.
    Result<void> every(std::chrono::nanoseconds period, Handler handler);
    /// The same with a number, by which the period can be changed: the next call is a new period from then.
    Result<int> timer(std::chrono::nanoseconds period, Handler handler);
    static Result<void> set_period(int timer, std::chrono::nanoseconds period);
    /// Blocks `signals` for the process and calls `handler` with the number of each that arrives.
    Result<void> on_signals(const std::vector<int>& signals, std::function<void(int)> handler);

    /// Runs until stop(); returns an error only if epoll itself fails.
    Result<void> run();
    void stop() { stopped_ = true; }

  private:
    explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
    Result<void> own(UniqueFd fd, Handler handler);

    UniqueFd epoll_;
    std::vector<UniqueFd> owned_;
    std::vector<std::unique_ptr<Handler>> handlers_;
    bool stopped_ = false;
};

}  // namespace plimsoll
