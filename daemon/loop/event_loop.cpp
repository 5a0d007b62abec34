// SPDX-License-Identifier: Apache-2.0
#include "loop/event_loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace plimsoll {

Result<EventLoop> EventLoop::create() {
    UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) {
        return fail_errno("epoll_create1", errno);
    }
    return EventLoop(std::move(epoll));
}

Result<void> EventLoop::watch(int fd, Handler handler) {
    auto stored = std::make_unique<Handler>(std::move(handler));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = stored.get();
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return fail_errno("epoll_ctl", errno);
    }
    handlers_.push_back(std::move(stored));
    return {};
}

Result<void> EventLoop::own(UniqueFd fd, Handler handler) {
    const int number = fd.get();
    owned_.push_back(std::move(fd));
    return watch(number, std::move(handler));
}

Result<void> EventLoop::every(std::chrono::nanoseconds period, Handler handler) {
    const auto started = timer(period, std::move(handler));
    return started ? Result<void>() : std::unexpected(started.error());
}

Result<int> EventLoop::timer(std::chrono::nanoseconds period, Handler handler) {
    UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer) {
        return fail_errno("timerfd_create", errno);
    }
    const int number = timer.get();
    if (auto set = set_period(number, period); !set) {
        return std::unexpected(set.error());
    }
    auto owned = own(std::move(timer), [number, handler = std::move(handler)] {
        std::uint64_t expirations = 0;
        if (read(number, &expirations, sizeof(expirations)) == sizeof(expirations)) {
            handler();
        }
    });
    if (!owned) {
        return std::unexpected(owned.error());
    }
    return number;
}

Result<void> EventLoop::set_period(int timer, std::chrono::nanoseconds period) {
    itimerspec spec{};
    spec.it_value.tv_sec = period.count() / 1'000'000'000;
    spec.it_value.tv_nsec = period.count() % 1'000'000'000;
    spec.it_interval = spec.it_value;
    if (timerfd_settime(timer, 0, &spec, nullptr) != 0) {
        return fail_errno("timerfd_settime", errno);
    }
    return {};
}

Result<void> EventLoop::on_signals(const std::vector<int>& signals, std::function<void(int)> handler) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals) {
        sigaddset(&set, signal);
    }
    if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
        return fail_errno("pthread_sigmask", error);
    }
    UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) {
        return fail_errno("signalfd", errno);
    }
    const int number = fd.get();
    return own(std::move(fd), [number, handler = std::move(handler)] {
        signalfd_siginfo info{};
        while (read(number, &info, sizeof(info)) == sizeof(info)) {
            handler(static_cast<int>(info.ssi_signo));
        }
    });
}

Result<void> EventLoop::run() {
    std::array<epoll_event, 32> events{};
    while (!stopped_) {
        const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail_errno("epoll_wait", errno);
        }
        for (int i = 0; i < count && !stopped_; i++) {
            (*static_cast<Handler*>(events[static_cast<std::size_t>(i)].data.ptr))();
        }
    }
    return {};
}

}  // namespace plimsoll
