// SPDX-License-Identifier: Apache-2.0
#include "loop/event_loop.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include <csignal>
#include <cstdint>
#include <thread>

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

EventLoop make_loop() {
    auto loop = EventLoop::create();
    REQUIRE(loop);
    return std::move(*loop);
}

UniqueFd make_eventfd() {
    return UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void ring(const UniqueFd& fd) {
    const std::uint64_t one = 1;
    REQUIRE(write(fd.get(), &one, sizeof(one)) == sizeof(one));
}

void silence(const UniqueFd& fd) {
    std::uint64_t value = 0;
    REQUIRE(read(fd.get(), &value, sizeof(value)) == sizeof(value));
}

/// Restores the thread's signal mask, which on_signals() changes for good.
class SignalMask {
  public:
    SignalMask() { pthread_sigmask(SIG_SETMASK, nullptr, &before_); }
    SignalMask(const SignalMask&) = delete;
    SignalMask& operator=(const SignalMask&) = delete;
    ~SignalMask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

TEST_CASE("a handler runs when its descriptor is readable, and again while it stays so") {
    EventLoop loop = make_loop();
    const UniqueFd quiet = make_eventfd(), loud = make_eventfd();
    int calls = 0;
    REQUIRE(loop.watch(quiet.get(), [] { FAIL("nothing was written to it"); }));
    REQUIRE(loop.watch(loud.get(), [&] {
        if (++calls == 3) {
            silence(loud);
            loop.stop();
        }
    }));
    ring(loud);
    REQUIRE(loop.run());
    CHECK(calls == 3);
}

TEST_CASE("a write from another thread wakes the loop") {
    EventLoop loop = make_loop();
    const UniqueFd fd = make_eventfd();
    REQUIRE(loop.watch(fd.get(), [&] { loop.stop(); }));
    bool rang = false;
    std::thread writer([&] { rang = eventfd_write(fd.get(), 1) == 0; });  // Catch's checks are for one thread
    const auto done = loop.run();
    writer.join();
    REQUIRE(done);
    CHECK(rang);
}

TEST_CASE("after a stop no further handler runs") {
    EventLoop loop = make_loop();
    const UniqueFd one = make_eventfd(), two = make_eventfd();
    int calls = 0;
    const auto stop = [&] {
        calls++;
        loop.stop();
    };
    REQUIRE(loop.watch(one.get(), stop));
    REQUIRE(loop.watch(two.get(), stop));
    ring(one);
    ring(two);
    REQUIRE(loop.run());
    CHECK(calls == 1);
}

TEST_CASE("what cannot be watched is an error") {
    EventLoop loop = make_loop();
    const UniqueFd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    CHECK_FALSE(loop.watch(file.get(), [] {}));
    CHECK_FALSE(loop.watch(-1, [] {}));
    const UniqueFd fd = make_eventfd();
    CHECK(loop.watch(fd.get(), [] {}));
    CHECK_FALSE(loop.watch(fd.get(), [] {}));
}

TEST_CASE("a timer comes first after one period and then again and again") {
    EventLoop loop = make_loop();
    int calls = 0;
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(loop.every(5ms, [&] {
        if (++calls == 4) {
            loop.stop();
        }
    }));
    REQUIRE(loop.run());
    CHECK(calls == 4);
    CHECK(std::chrono::steady_clock::now() - begin >= 20ms);
}

TEST_CASE("a loop that is late gets one call of a timer, not one for each period missed") {
    EventLoop loop = make_loop();
    int calls = 0;
    REQUIRE(loop.every(2ms, [&] {
        calls++;
        if (calls == 1) {
            const auto until = std::chrono::steady_clock::now() + 20ms;
            while (std::chrono::steady_clock::now() < until) {
            }
        }
    }));
    REQUIRE(loop.every(25ms, [&] { loop.stop(); }));
    REQUIRE(loop.run());
    CHECK(calls <= 4);  // the first, one for all that passed meanwhile, and those in the few ms left
    CHECK(calls >= 2);
}

TEST_CASE("a signal reaches its handler with its number and does not end the program") {
    const SignalMask mask;
    EventLoop loop = make_loop();
    std::vector<int> seen;
    REQUIRE(loop.on_signals({SIGUSR1, SIGUSR2}, [&](int signal) {
        seen.push_back(signal);
        if (seen.size() == 2) {
            loop.stop();
        }
    }));
    pthread_kill(pthread_self(), SIGUSR1);
    pthread_kill(pthread_self(), SIGUSR2);
    REQUIRE(loop.run());
    CHECK(seen == std::vector<int>{SIGUSR1, SIGUSR2});
}

TEST_CASE("the loop's own descriptors are closed with it and not inherited by programs") {
    const auto open_timers = [] {
        std::set<int> numbers;
        for (int number = 0; number < 1024; ++number) {
            std::error_code none;
            const auto target =
                std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(number), none);
            if (target == "anon_inode:[timerfd]") {
                numbers.insert(number);
            }
        }
        return numbers;
    };
    const auto before = open_timers();
    {
        EventLoop loop = make_loop();
        REQUIRE(loop.every(1h, [] {}));
        const auto now = open_timers();
        REQUIRE(now.size() == before.size() + 1);
        for (const int number : now) {
            CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
        }
    }
    CHECK(open_timers() == before);
}

TEST_CASE("a moved descriptor has one owner") {
    UniqueFd one = make_eventfd();
    const int number = one.get();
    UniqueFd two(std::move(one));
    CHECK(two.get() == number);
    UniqueFd three = make_eventfd();
    const int replaced = three.get();
    three = std::move(two);
    CHECK(three.get() == number);
    CHECK(fcntl(replaced, F_GETFD) == -1);
    three.reset();
    CHECK_FALSE(three);
    CHECK(fcntl(number, F_GETFD) == -1);
}

TEST_CASE("a timer's period can be changed while the loop runs") {
    EventLoop loop = make_loop();
    int calls = 0;
    const auto timer = loop.timer(1h, [&] {
        if (++calls == 3) {
            loop.stop();
        }
    });
    REQUIRE(timer);
    REQUIRE(loop.every(1ms, [&] {
        static bool changed = false;
        if (!std::exchange(changed, true)) {
            REQUIRE(EventLoop::set_period(*timer, 1ms));
        }
    }));
    REQUIRE(loop.run());
    CHECK(calls == 3);
}

}  // namespace
}  // namespace plimsoll
