// SPDX-License-Identifier: Apache-2.0
// One known wait: what a kind of `waiter` gets to do its work with. It measures each blocking call with
// CLOCK_BOOTTIME right before and after it and keeps the sums by the call's name. Safe from any thread, and
// from child processes that the kind forks (the sums are in shared memory).
#pragma once

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <string>

inline uint64_t boottime_ns() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline timespec to_timespec(uint64_t ns) {
    return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

/// Thrown by a kind that cannot do its wait here; becomes "error" in the truth.
struct Failure {
    std::string text;
};

[[noreturn]] inline void fail(const char* what) {
    throw Failure{std::string(what) + ": " + strerror(errno)};
}

/// The result of a call that must not fail.
template <typename T>
T must(T result, const char* what) {
    if (result == static_cast<T>(-1))
        fail(what);
    return result;
}

class Scene {
  public:
    explicit Scene(uint64_t wait) : wait_ns(wait), sums_(shared_sums()) {}

    const uint64_t wait_ns;

    /// Runs call() and adds its duration to the sum of that name.
    template <typename Call>
    auto timed(const char* name, Call call) {
        const uint64_t begin = boottime_ns();
        const auto result = call();
        const int error = errno;
        add(name, boottime_ns() - begin);
        errno = error;
        return result;
    }

    void add(const char* name, uint64_t ns);

    /// Sleeps for the wait, as "nanosleep".
    void sleep();

    /// Starts a thread that sleeps for the wait and then calls wake(): for calls that have no timeout.
    template <typename Wake>
    void later(Wake wake) {
        auto* step = new Step<Wake>{*this, wake};
        start_thread(
            [](void* argument) -> void* {
                auto* self = static_cast<Step<Wake>*>(argument);
                self->scene.sleep();
                self->wake();
                delete self;
                return nullptr;
            },
            step);
    }

    /// {"name": ns, …}
    std::string json() const;

  private:
    struct Sum {
        char name[24];
        std::atomic<uint64_t> ns;
    };
    static constexpr int kSums = 8;

    template <typename Wake>
    struct Step {
        Scene& scene;
        Wake wake;
    };

    static Sum* shared_sums();
    static void start_thread(void* (*body)(void*), void* argument);

    Sum* sums_;
};

struct Kind {
    const char* name;
    void (*run)(Scene&);
};

/// Each source file's table, ended by a null name.
extern const Kind kBasicKinds[], kFileKinds[], kSocketKinds[], kPollKinds[], kProcessKinds[], kRingKinds[],
    kCompatKinds[];

/// What has to be there before the first wait.
void prepare_files();
