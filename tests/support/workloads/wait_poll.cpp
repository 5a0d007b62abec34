// SPDX-License-Identifier: Apache-2.0
// The poll family, each on a pipe that stays empty until the timeout.
#include "scene.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

namespace {

struct QuietPipe {
    int ends[2];
    QuietPipe() { must(pipe2(ends, O_CLOEXEC), "pipe2"); }
    ~QuietPipe() { close(ends[0]), close(ends[1]); }
};

struct Epoll {
    QuietPipe pipe;
    int fd = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    Epoll() {
        epoll_event event{};
        event.events = EPOLLIN;
        must(epoll_ctl(fd, EPOLL_CTL_ADD, pipe.ends[0], &event), "epoll_ctl");
    }
    ~Epoll() { close(fd); }
};

int milliseconds(const Scene& scene) {
    return static_cast<int>(scene.wait_ns / 1'000'000);
}

void expect_timeout(long result, const char* what) {
    if (result != 0)
        fail(what);
}

void epoll_wait_call(Scene& scene) {
    Epoll epoll;
    epoll_event event;
    // glibc's epoll_wait may take another call on other architectures; the name is the function's, not the
    // number's.
    expect_timeout(
        scene.timed("epoll_wait", [&] { return epoll_wait(epoll.fd, &event, 1, milliseconds(scene)); }),
        "epoll_wait");
}

void epoll_pwait_call(Scene& scene) {
    Epoll epoll;
    epoll_event event;
    sigset_t none;
    sigemptyset(&none);
    expect_timeout(scene.timed("epoll_pwait",
                               [&] { return epoll_pwait(epoll.fd, &event, 1, milliseconds(scene), &none); }),
                   "epoll_pwait");
}

void epoll_pwait2_call(Scene& scene) {
    Epoll epoll;
    epoll_event event;
    const timespec timeout = to_timespec(scene.wait_ns);
    expect_timeout(
        scene.timed("epoll_pwait2",
                    [&] { return syscall(SYS_epoll_pwait2, epoll.fd, &event, 1, &timeout, nullptr, 8); }),
        "epoll_pwait2");
}

void poll_call(Scene& scene) {
    QuietPipe pipe;
    pollfd fd{pipe.ends[0], POLLIN, 0};
    expect_timeout(scene.timed("poll", [&] { return poll(&fd, 1, milliseconds(scene)); }), "poll");
}

void ppoll_call(Scene& scene) {
    QuietPipe pipe;
    pollfd fd{pipe.ends[0], POLLIN, 0};
    const timespec timeout = to_timespec(scene.wait_ns);
    expect_timeout(scene.timed("ppoll", [&] { return ppoll(&fd, 1, &timeout, nullptr); }), "ppoll");
}

void select_call(Scene& scene) {
    QuietPipe pipe;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipe.ends[0], &set);
    const timespec wait = to_timespec(scene.wait_ns);
    timeval timeout{wait.tv_sec, wait.tv_nsec / 1000};
    // glibc's select() is pselect6; x86-64 has a call of its own as well.
#ifdef SYS_select
    const auto call = [&] { return syscall(SYS_select, pipe.ends[0] + 1, &set, nullptr, nullptr, &timeout); };
#else
    const auto call = [&] { return select(pipe.ends[0] + 1, &set, nullptr, nullptr, &timeout); };
#endif
    expect_timeout(scene.timed("select", call), "select");
}

void pselect6_call(Scene& scene) {
    QuietPipe pipe;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipe.ends[0], &set);
    const timespec timeout = to_timespec(scene.wait_ns);
    expect_timeout(
        scene.timed("pselect6",
                    [&] { return pselect(pipe.ends[0] + 1, &set, nullptr, nullptr, &timeout, nullptr); }),
        "pselect6");
}

}  // namespace

const Kind kPollKinds[] = {{"epoll_wait", epoll_wait_call},
                           {"epoll_pwait", epoll_pwait_call},
                           {"epoll_pwait2", epoll_pwait2_call},
                           {"poll", poll_call},
                           {"ppoll", ppoll_call},
                           {"select", select_call},
                           {"pselect6", pselect6_call},
                           {nullptr, nullptr}};
