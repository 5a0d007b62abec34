// SPDX-License-Identifier: Apache-2.0
// Pipes in all the ways a descriptor can come to a process, locks and special files, and the disk.
#include "scene.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

namespace {

struct Pipe {
    int read_end, write_end;
    Pipe() {
        int ends[2];
        must(pipe2(ends, O_CLOEXEC), "pipe2");
        read_end = ends[0], write_end = ends[1];
    }
    ~Pipe() { close(read_end), close(write_end); }
    void put() const { must(write(write_end, "x", 1), "write to a pipe"); }
};

void read_byte(Scene& scene, const char* name, int fd) {
    char buffer[64];
    must(scene.timed(name, [&] { return read(fd, buffer, sizeof buffer); }), name);
}

void pipe_read(Scene& scene) {
    Pipe pipe;
    scene.later([&] { pipe.put(); });
    read_byte(scene, "pipe_read", pipe.read_end);
}

void pipe_write(Scene& scene) {
    Pipe pipe;
    const int size = must(fcntl(pipe.write_end, F_GETPIPE_SZ), "F_GETPIPE_SZ");
    const std::string block(static_cast<size_t>(size), 'x');
    must(write(pipe.write_end, block.data(), block.size()), "filling a pipe");
    scene.later([&] {
        std::string drain(block.size(), 0);
        must(read(pipe.read_end, drain.data(), drain.size()), "draining a pipe");
    });
    must(scene.timed("pipe_write", [&] { return write(pipe.write_end, "x", 1); }), "pipe_write");
}

void pipe_read_moved(Scene& scene, int wanted) {
    Pipe pipe;
    const int moved = must(wanted < 0 ? dup(pipe.read_end) : dup2(pipe.read_end, wanted), "dup");
    scene.later([&] { pipe.put(); });
    read_byte(scene, "pipe_read", moved);
    close(moved);
}

void pipe_dup(Scene& scene) {
    pipe_read_moved(scene, -1);
}
void pipe_large_fd(Scene& scene) {
    pipe_read_moved(scene, 900);
}

/// The read end travels through a unix socket, which is how descriptors reach processes that did not open
/// them.
void pipe_received(Scene& scene) {
    Pipe pipe;
    int pair[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    char byte = 'x';
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &pipe.read_end, sizeof(int));
    must(sendmsg(pair[0], &message, 0), "sendmsg");
    must(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC), "recvmsg");
    int received;
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
    scene.later([&] { pipe.put(); });
    read_byte(scene, "pipe_read", received);
    close(received), close(pair[0]), close(pair[1]);
}

/// A program that inherits the read end over exec() reads it; the parent waits for the child.
void pipe_inherited(Scene& scene) {
    Pipe pipe, report;
    const pid_t child = must(fork(), "fork");
    if (child == 0) {
        fcntl(pipe.read_end, F_SETFD, 0);
        fcntl(report.write_end, F_SETFD, 0);
        const std::string in = std::to_string(pipe.read_end), out = std::to_string(report.write_end);
        execl("/proc/self/exe", "waiter", "--read", in.c_str(), out.c_str(), nullptr);
        _exit(1);
    }
    scene.later([&] { pipe.put(); });
    int status = 0;
    scene.timed("wait4", [&] { return waitpid(child, &status, 0); });
    uint64_t ns = 0;
    if (status != 0 || read(report.read_end, &ns, sizeof ns) != sizeof ns)
        throw Failure{"the child failed"};
    scene.add("pipe_read", ns);
}

std::string scratch_path(const char* name) {
    return (access("/out", W_OK) == 0 ? "/out/" : "/tmp/") + std::string(name) + "." +
           std::to_string(getpid());
}

void fifo_open(Scene& scene) {
    const std::string path = scratch_path("fifo");
    must(mkfifo(path.c_str(), 0600), "mkfifo");
    scene.later([&] { open(path.c_str(), O_RDWR | O_CLOEXEC); });
    const int fd = scene.timed("fifo_open", [&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    unlink(path.c_str());
    close(fd);
}

void flock_call(Scene& scene) {
    const std::string path = scratch_path("lock");
    const int first = must(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600), "open");
    const int second = must(open(path.c_str(), O_RDWR | O_CLOEXEC), "open");
    unlink(path.c_str());
    must(flock(first, LOCK_EX), "flock");
    scene.later([first] { flock(first, LOCK_UN); });
    scene.timed("flock", [&] { return flock(second, LOCK_EX); });
    close(first), close(second);
}

void fcntl_lock(Scene& scene) {
    const std::string path = scratch_path("lock");
    const int first = must(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600), "open");
    const int second = must(open(path.c_str(), O_RDWR | O_CLOEXEC), "open");
    unlink(path.c_str());
    struct flock lock{};
    lock.l_type = F_WRLCK;
    must(fcntl(first, F_OFD_SETLK, &lock), "F_OFD_SETLK");
    scene.later([first] {
        struct flock unlock{};
        unlock.l_type = F_UNLCK;
        fcntl(first, F_OFD_SETLK, &unlock);
    });
    scene.timed("fcntl_lock", [&] { return fcntl(second, F_OFD_SETLKW, &lock); });
    close(first), close(second);
}

void eventfd_read(Scene& scene) {
    const int fd = must(eventfd(0, EFD_CLOEXEC), "eventfd");
    scene.later([fd] { eventfd_write(fd, 1); });
    read_byte(scene, "eventfd_read", fd);
    close(fd);
}

void timerfd_read(Scene& scene) {
    const int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
    const itimerspec once{{}, to_timespec(scene.wait_ns)};
    must(timerfd_settime(fd, 0, &once, nullptr), "timerfd_settime");
    read_byte(scene, "timerfd_read", fd);
    close(fd);
}

void signalfd_read(Scene& scene) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const int fd = must(signalfd(-1, &set, SFD_CLOEXEC), "signalfd");
    const auto self = pthread_self();
    scene.later([self] { pthread_kill(self, SIGUSR2); });
    char buffer[sizeof(signalfd_siginfo)];
    scene.timed("signalfd_read", [&] { return read(fd, buffer, sizeof buffer); });
    close(fd);
}

void inotify_read(Scene& scene) {
    const std::string path = scratch_path("watched");
    close(must(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600), "open"));
    const int fd = must(inotify_init1(IN_CLOEXEC), "inotify_init1");
    must(inotify_add_watch(fd, path.c_str(), IN_ATTRIB), "inotify_add_watch");
    scene.later([&] { chmod(path.c_str(), 0644); });
    read_byte(scene, "inotify_read", fd);
    unlink(path.c_str());
    scene.timed("inotify_close", [fd] { return close(fd); });  // waits for a grace period of the kernel
}

/// Repeats call() until the wait is over; what the thread spent on a CPU meanwhile is not part of the disk's
/// share. Both clocks are read once around the whole: around each call their own cost, booked as CPU time but
/// lying outside of the call's, would be missing from each of thousands of short waits.
template <typename Call>
void disk_loop(Scene& scene, const char* name, Call call) {
    const auto cpu_ns = [] {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
    };
    const uint64_t cpu = cpu_ns(), begin = boottime_ns();
    uint64_t now = begin;
    for (; now - begin < scene.wait_ns; now = boottime_ns()) {
        call();
    }
    scene.add(name, (now - begin) - (cpu_ns() - cpu));
}

constexpr size_t kDiskBytes = 1 << 20;

int make_disk_file(int flags, const std::string& content) {
    const std::string path = scratch_path("disk");
    const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const bool written = pwrite(fd, content.data(), content.size(), 0) >= 0 && fsync(fd) == 0;
    const int result = written ? open(path.c_str(), O_RDWR | O_CLOEXEC | flags) : -1;
    unlink(path.c_str());
    close(fd);
    return result;
}

struct DiskFiles {
    int buffered, direct;
};

/// Made before there is anything to do, and kept: to make and to remove a file waits for the disk as well.
DiskFiles& disk_files() {
    static DiskFiles files{make_disk_file(0, ""), make_disk_file(O_DIRECT, std::string(kDiskBytes, 'x'))};
    return files;
}

void fsync_loop(Scene& scene) {
    const int fd = must(disk_files().buffered, "open");
    const std::string block(1 << 16, 'x');
    disk_loop(scene, "fsync", [&] {
        must(pwrite(fd, block.data(), block.size(), 0), "pwrite");
        must(fsync(fd), "fsync");
    });
}

void direct_read(Scene& scene) {
    const int fd = must(disk_files().direct, "open O_DIRECT");
    void* block = aligned_alloc(4096, kDiskBytes);
    disk_loop(scene, "direct_read", [&] { must(pread(fd, block, kDiskBytes, 0), "pread"); });
    free(block);
}

}  // namespace

const Kind kFileKinds[] = {{"pipe_read", pipe_read},         {"pipe_write", pipe_write},
                           {"pipe_dup", pipe_dup},           {"pipe_large_fd", pipe_large_fd},
                           {"pipe_received", pipe_received}, {"pipe_inherited", pipe_inherited},
                           {"fifo_open", fifo_open},         {"flock", flock_call},
                           {"fcntl_lock", fcntl_lock},       {"eventfd_read", eventfd_read},
                           {"timerfd_read", timerfd_read},   {"signalfd_read", signalfd_read},
                           {"inotify_read", inotify_read},   {"fsync", fsync_loop},
                           {"direct_read", direct_read},     {nullptr, nullptr}};

void prepare_files() {
    disk_files();
}
