// SPDX-License-Identifier: Apache-2.0
// The same work wherever it runs, so that what a container itself costs can be told from what an agent adds.
// Prints `name nanoseconds` lines, each the fastest of several rounds.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr int kRounds = 7;
constexpr std::size_t kPage = 4096;

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

/// Nanoseconds of one of `count` pieces of work.
template <typename Work>
void measure(const char* name, int count, Work work) {
    double best = 1e18;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < count; ++i) {
            work();
        }
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count() / count);
    }
    std::printf("%s %.0f\n", name, best);
}

void compute() {
    volatile std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        sum = sum * 6364136223846793005ULL + i;
    }
}

void fault_pages() {
    constexpr std::size_t kPages = 256;
    void* memory = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        give_up("mmap");
    }
    for (std::size_t i = 0; i < kPages; ++i) {
        static_cast<volatile char*>(memory)[i * kPage] = 1;
    }
    munmap(memory, kPages * kPage);
}

void fork_and_wait() {
    const pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    if (child < 0 || waitpid(child, nullptr, 0) != child) {
        give_up("fork");
    }
}

/// Two processes that pass a byte to and fro: two context switches or more.
class PingPong {
  public:
    PingPong() {
        if (pipe(ping_.data()) != 0 || pipe(pong_.data()) != 0) {
            give_up("pipe");
        }
        echo_ = fork();
        if (echo_ == 0) {
            close(ping_[1]);
            char byte = 0;
            while (read(ping_[0], &byte, 1) == 1 && write(pong_[1], &byte, 1) == 1) {
            }
            _exit(0);
        }
    }
    ~PingPong() {
        close(ping_[1]);
        waitpid(echo_, nullptr, 0);
    }
    PingPong(const PingPong&) = delete;
    PingPong& operator=(const PingPong&) = delete;
    void round_trip() {
        char byte = 0;
        if (write(ping_[1], &byte, 1) != 1 || read(pong_[0], &byte, 1) != 1) {
            give_up("ping");
        }
    }

  private:
    std::array<int, 2> ping_{}, pong_{};
    pid_t echo_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: inside_bench DIRECTORY   (for a file of its own, removed at the end)\n");
        return 2;
    }
    measure("compute", 2000, compute);
    measure("system_call", 100'000, [] { syscall(SYS_getppid); });
    measure("page_faults_256", 50, fault_pages);
    measure("fork_and_wait", 200, fork_and_wait);
    {
        PingPong players;
        measure("pipe_round_trip", 5000, [&] { players.round_trip(); });
    }
    const std::string path = std::string(argv[1]) + "/inside_bench.tmp";
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0) {
        give_up(path.c_str());
    }
    std::array<char, kPage> page{};
    measure("file_write_4k", 5000, [&] {
        if (pwrite(file, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size())) {
            give_up("pwrite");
        }
    });
    measure("open_and_close", 2000, [&] { close(open(path.c_str(), O_RDONLY)); });
    unlink(path.c_str());
    return 0;
}
