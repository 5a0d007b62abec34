// SPDX-License-Identifier: Apache-2.0
// Waiting for children, and processes that are stopped, traced, or continued in the middle of a sleep.
#include "scene.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <new>

namespace {

/// A child that sleeps for the wait and ends.
pid_t sleeping_child(Scene& scene) {
    const pid_t child = must(fork(), "fork");
    if (child == 0) {
        scene.sleep();
        _exit(0);
    }
    return child;
}

void wait4_call(Scene& scene) {
    const pid_t child = sleeping_child(scene);
    scene.timed("wait4", [&] { return waitpid(child, nullptr, 0); });
}

void waitid_call(Scene& scene) {
    const pid_t child = sleeping_child(scene);
    siginfo_t info;
    scene.timed("waitid", [&] { return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED); });
}

/// The parent of vfork() is held until its child ends. The child calls only what is safe on a shared stack.
void vfork_call(Scene& scene) {
    static timespec left;
    static uint64_t begin, end, parent_begin;
    left = to_timespec(scene.wait_ns);
    parent_begin = boottime_ns();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    const pid_t child = vfork();
#pragma GCC diagnostic pop
    if (child == 0) {
        begin = boottime_ns();
        nanosleep(&left, nullptr);
        end = boottime_ns();
        _exit(0);
    }
    scene.add("vfork", boottime_ns() - parent_begin);
    must(child, "vfork");
    scene.add("nanosleep", end - begin);
    waitpid(child, nullptr, 0);  // it has ended already
}

void reap(Scene& scene, pid_t child) {
    scene.timed("wait4", [child] { return waitpid(child, nullptr, 0); });
}

/// A child that runs body(); the parent waits until it has stopped itself.
template <typename Body>
pid_t stopping_child(Scene& scene, Body body) {
    const pid_t child = must(fork(), "fork");
    if (child == 0) {
        body();
        _exit(0);
    }
    siginfo_t info;
    must(scene.timed("waitid",
                     [&] { return waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED | WEXITED); }),
         "waitid");
    if (info.si_code == CLD_EXITED)
        throw Failure{"the child ended instead of stopping"};
    return child;
}

/// A moment that a child tells its parent.
class SharedMoment {
  public:
    SharedMoment() {
        void* page =
            mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            fail("mmap");
        ns_ = new (page) std::atomic<uint64_t>;
    }
    ~SharedMoment() { munmap(ns_, sizeof *ns_); }
    SharedMoment(const SharedMoment&) = delete;
    SharedMoment& operator=(const SharedMoment&) = delete;

    void now() { *ns_ = boottime_ns(); }
    uint64_t ns() const { return *ns_; }

  private:
    std::atomic<uint64_t>* ns_;
};

// How long a child was stopped is looked at where nothing lies between the look and what it is about: by the
// child right before it stops, and by the parent right before it continues it. The parent of one that has
// just stopped, or the sender of a signal, may have to wait for a CPU before it can look.

void stopped(Scene& scene) {
    SharedMoment stop;
    const pid_t child = stopping_child(scene, [&stop] {
        stop.now();
        raise(SIGSTOP);
    });
    scene.sleep();
    scene.add("stopped", boottime_ns() - stop.ns());
    kill(child, SIGCONT);
    reap(scene, child);
}

void traced(Scene& scene) {
    SharedMoment stop;
    const pid_t child = stopping_child(scene, [&stop] {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
            _exit(1);
        stop.now();
        raise(SIGSTOP);
    });
    scene.sleep();
    scene.add("traced", boottime_ns() - stop.ns());
    must(ptrace(PTRACE_DETACH, child, nullptr, nullptr), "ptrace");
    kill(child, SIGCONT);
    reap(scene, child);
}

/// A child sleeps three times the wait and is stopped for the middle third: it goes on in restart_syscall.
void restart_syscall(Scene& scene) {
    const timespec total = to_timespec(3 * scene.wait_ns);
    const uint64_t begin = boottime_ns();
    const pid_t child = must(fork(), "fork");
    if (child == 0) {
        nanosleep(&total, nullptr);
        _exit(0);
    }
    scene.sleep();
    const uint64_t stop = boottime_ns();
    kill(child, SIGSTOP);
    scene.sleep();
    const uint64_t stopped_ns = boottime_ns() - stop;
    scene.add("stopped", stopped_ns);
    kill(child, SIGCONT);
    scene.timed("wait4", [&] { return waitpid(child, nullptr, 0); });
    scene.add("restart_syscall", boottime_ns() - begin - stopped_ns);
}

}  // namespace

const Kind kProcessKinds[] = {{"wait4", wait4_call}, {"waitid", waitid_call},
                              {"vfork", vfork_call}, {"stopped", stopped},
                              {"traced", traced},    {"restart_syscall", restart_syscall},
                              {nullptr, nullptr}};
