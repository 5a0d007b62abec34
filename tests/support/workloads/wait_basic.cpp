// SPDX-License-Identifier: Apache-2.0
// Sleeping, futexes, signals and System V and POSIX messages.
#include "scene.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>

namespace {

timespec deadline(clockid_t clock, uint64_t ns) {
    timespec now{};
    clock_gettime(clock, &now);
    return to_timespec(static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
                       static_cast<uint64_t>(now.tv_nsec) + ns);
}

void nanosleep_call(Scene& scene) {
    scene.sleep();
}

void clock_nanosleep_call(Scene& scene) {
    const timespec end = deadline(CLOCK_MONOTONIC, scene.wait_ns);
    scene.timed("clock_nanosleep",
                [&] { return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr); });
}

void futex_wait(Scene& scene) {
    uint32_t word = 0;
    const timespec timeout = to_timespec(scene.wait_ns);
    scene.timed("futex_wait",
                [&] { return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &timeout, nullptr, 0); });
    if (errno != ETIMEDOUT)
        fail("futex");
}

void futex_waitv_call(Scene& scene) {
    uint32_t word = 0;
    futex_waitv waiter{};
    waiter.uaddr = reinterpret_cast<uintptr_t>(&word);
    waiter.flags = FUTEX_32;
    const timespec end = deadline(CLOCK_MONOTONIC, scene.wait_ns);
    scene.timed("futex_waitv",
                [&] { return syscall(SYS_futex_waitv, &waiter, 1, 0, &end, CLOCK_MONOTONIC); });
    if (errno != ETIMEDOUT)
        fail("futex_waitv");
}

void mutex(Scene& scene) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static std::atomic<bool> held;
    held = false;
    pthread_mutex_lock(&lock);
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void* argument) -> void* {
            auto& inner = *static_cast<Scene*>(argument);
            held = true;
            inner.timed("mutex", [] { return pthread_mutex_lock(&lock); });
            pthread_mutex_unlock(&lock);
            return nullptr;
        },
        &scene);
    while (!held)
        sched_yield();
    scene.sleep();
    pthread_mutex_unlock(&lock);
    scene.timed("futex_wait", [&] { return pthread_join(thread, nullptr); });
}

void condvar(Scene& scene) {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    bool done = false;
    scene.later([&] {
        pthread_mutex_lock(&lock);
        done = true;
        pthread_cond_signal(&condition);
        pthread_mutex_unlock(&lock);
    });
    pthread_mutex_lock(&lock);
    scene.timed("condvar", [&] {
        while (!done)
            pthread_cond_wait(&condition, &lock);
        return 0;
    });
    pthread_mutex_unlock(&lock);
}

void rt_sigtimedwait(Scene& scene) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const timespec timeout = to_timespec(scene.wait_ns);
    scene.timed("rt_sigtimedwait", [&] { return sigtimedwait(&set, nullptr, &timeout); });
    if (errno != EAGAIN)
        fail("sigtimedwait");
}

/// Runs call(), which only a signal ends, and sends that signal to this very thread after the wait.
template <typename Call>
void until_signal(Scene& scene, const char* name, Call call) {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    must(sigaction(SIGUSR1, &action, nullptr), "sigaction");
    const auto self = pthread_self();
    scene.later([self] { pthread_kill(self, SIGUSR1); });
    scene.timed(name, call);
}

void pause_call(Scene& scene) {
    until_signal(scene, "pause", [] { return pause(); });
}

void rt_sigsuspend(Scene& scene) {
    until_signal(scene, "rt_sigsuspend", [] {
        sigset_t none;
        sigemptyset(&none);
        return sigsuspend(&none);
    });
}

struct Message {
    long type = 1;
    char text[8] = {};
};

void msgrcv_call(Scene& scene) {
    const int queue = must(msgget(IPC_PRIVATE, 0600), "msgget");
    scene.later([queue] {
        const Message message;
        msgsnd(queue, &message, sizeof message.text, 0);
    });
    Message message;
    scene.timed("msgrcv", [&] { return msgrcv(queue, &message, sizeof message.text, 0, 0); });
    msgctl(queue, IPC_RMID, nullptr);
}

void semtimedop_call(Scene& scene) {
    const int set = must(semget(IPC_PRIVATE, 1, 0600), "semget");
    sembuf down{0, -1, 0};
    const timespec timeout = to_timespec(scene.wait_ns);
    scene.timed("semtimedop", [&] { return semtimedop(set, &down, 1, &timeout); });
    semctl(set, 0, IPC_RMID);
}

void mq_timedreceive_call(Scene& scene) {
    mq_attr attributes{};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = 8;
    const mqd_t queue = must(mq_open("/plimsoll", O_CREAT | O_RDWR, 0600, &attributes), "mq_open");
    mq_unlink("/plimsoll");
    char buffer[8];
    const timespec end = deadline(CLOCK_REALTIME, scene.wait_ns);
    scene.timed("mq_timedreceive",
                [&] { return mq_timedreceive(queue, buffer, sizeof buffer, nullptr, &end); });
    mq_close(queue);
}

}  // namespace

const Kind kBasicKinds[] = {{"nanosleep", nanosleep_call},
                            {"clock_nanosleep", clock_nanosleep_call},
                            {"futex_wait", futex_wait},
                            {"futex_waitv", futex_waitv_call},
                            {"mutex", mutex},
                            {"condvar", condvar},
                            {"rt_sigtimedwait", rt_sigtimedwait},
                            {"pause", pause_call},
                            {"rt_sigsuspend", rt_sigsuspend},
                            {"msgrcv", msgrcv_call},
                            {"semtimedop", semtimedop_call},
                            {"mq_timedreceive", mq_timedreceive_call},
                            {nullptr, nullptr}};
