// SPDX-License-Identifier: Apache-2.0
// io_uring by its raw system calls: waiting for completions, with and without a worker thread in the kernel.
#include "scene.h"

#include <dirent.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <thread>

namespace {

class Ring {
  public:
    Ring() {
        io_uring_params parameters{};
        fd_ = static_cast<int>(must(syscall(SYS_io_uring_setup, 4, &parameters), "io_uring_setup"));
        ring_size_ = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
        ring_ = map(ring_size_, IORING_OFF_SQ_RING);
        entries_ = reinterpret_cast<io_uring_sqe*>(map(4 * sizeof(io_uring_sqe), IORING_OFF_SQES));
        tail_ = reinterpret_cast<unsigned*>(ring_ + parameters.sq_off.tail);
        array_ = reinterpret_cast<unsigned*>(ring_ + parameters.sq_off.array);
    }
    ~Ring() {
        munmap(ring_, ring_size_);
        munmap(entries_, 4 * sizeof(io_uring_sqe));
        close(fd_);
    }

    /// Submits one request and waits for one completion.
    long submit_and_wait(const io_uring_sqe& request) {
        const unsigned tail = *tail_, index = tail % 4;
        entries_[index] = request;
        array_[index] = index;
        __atomic_store_n(tail_, tail + 1, __ATOMIC_RELEASE);
        return syscall(SYS_io_uring_enter, fd_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0);
    }

  private:
    char* map(size_t size, unsigned long long offset) {
        void* memory =
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, static_cast<off_t>(offset));
        if (memory == MAP_FAILED)
            fail("mmap of the ring");
        return static_cast<char*>(memory);
    }

    int fd_;
    size_t ring_size_;
    char* ring_;
    io_uring_sqe* entries_;
    unsigned *tail_, *array_;
};

void io_uring_timeout(Scene& scene) {
    Ring ring;
    const __kernel_timespec timeout{static_cast<long long>(scene.wait_ns / 1'000'000'000),
                                    static_cast<long long>(scene.wait_ns % 1'000'000'000)};
    io_uring_sqe request{};
    request.opcode = IORING_OP_TIMEOUT;
    request.fd = -1;
    request.addr = reinterpret_cast<uintptr_t>(&timeout);
    request.len = 1;
    must(scene.timed("io_uring_enter", [&] { return ring.submit_and_wait(request); }), "io_uring_enter");
}

int count_threads() {
    DIR* folder = opendir("/proc/self/task");
    if (!folder)
        fail("/proc/self/task");
    int count = 0;
    while (readdir(folder))
        ++count;
    closedir(folder);
    return count - 2;  // . and ..
}

/// The worker ends with its thread, or soon after.
void await_one_thread(Scene& scene) {
    while (count_threads() > 1)
        scene.timed("nanosleep", [] { return usleep(500); });
}

/// Reads what comes from the peer of a pair after the wait.
class DelayedRead {
  public:
    DelayedRead(Scene& scene, unsigned char flags) : scene_(scene) {
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_), "socketpair");
        request_.opcode = IORING_OP_READ;
        request_.flags = flags;
        request_.fd = ends_[0];
        request_.addr = reinterpret_cast<uintptr_t>(&byte_);
        request_.len = 1;
        request_.off = static_cast<__u64>(-1);
        scene.later([write_end = ends_[1]] { must(write(write_end, "x", 1), "write"); });
    }
    ~DelayedRead() { close(ends_[0]), close(ends_[1]); }

    void wait() {
        must(scene_.timed("io_uring_enter", [&] { return ring_.submit_and_wait(request_); }),
             "io_uring_enter");
    }

  private:
    Scene& scene_;
    Ring ring_;
    int ends_[2];
    char byte_;
    io_uring_sqe request_{};
};

/// Of a socket, because older kernels give the reads of pipes to a worker.
void io_uring_read(Scene& scene) {
    DelayedRead(scene, 0).wait();
}

/// With IOSQE_ASYNC the kernel gives the request to a worker, which waits at least as long as we do. It
/// belongs to the thread that made the request, and older kernels keep it as long as that lives. On its way
/// out the thread waits for the worker's end.
void io_uring_worker(Scene& scene) {
    DelayedRead read(scene, IOSQE_ASYNC);
    const uint64_t begin = boottime_ns();
    uint64_t last_step = 0;
    std::thread reader([&read, &last_step] {
        read.wait();
        last_step = boottime_ns();
    });
    scene.timed("futex_wait", [&reader] {
        reader.join();
        return 0;
    });
    scene.add("thread_exit", boottime_ns() - last_step);
    await_one_thread(scene);
    scene.add("io_uring_worker", boottime_ns() - begin);
}

}  // namespace

const Kind kRingKinds[] = {{"io_uring_timeout", io_uring_timeout},
                           {"io_uring_read", io_uring_read},
                           {"io_uring_worker", io_uring_worker},
                           {nullptr, nullptr}};
