// SPDX-License-Identifier: Apache-2.0
// What probe io adds to a call: reads of one byte of /dev/zero, in a watched container and outside any, with
// different programs on the hooks of system calls, in turn, many short rounds each. Prints `name value`
// lines. Root only.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "call_floor.skel.h"
#include "containers/cgroup_tree.h"
#include "kernel/features.h"
#include "kernel/scope.h"
#include "probes/probe.h"

namespace {

using namespace plimsoll;

constexpr int kReads = 10'000;  // some 3 ms: short enough to pass undisturbed now and then
constexpr int kRoundsPerTurn = 15;

template <typename T>
T must(Result<T> result) {
    if (!result) {
        std::fprintf(stderr, "%s\n", result.error().message.c_str());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

/// A process that reads, on the last CPU, when it is told to, and says how long a read took.
class Reader {
  public:
    explicit Reader(const std::string& cgroup) {
        if (pipe(start_.data()) != 0 || pipe(done_.data()) != 0) {
            std::perror("pipe");
            std::exit(1);
        }
        process_ = fork();
        if (process_ == 0) {
            if (!cgroup.empty()) {
                std::ofstream(cgroup + "/cgroup.procs") << getpid();
            }
            serve();
            _exit(0);
        }
    }
    ~Reader() {
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
        for (const int fd : {start_[0], start_[1], done_[0], done_[1]}) {
            close(fd);
        }
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// CPU time of a read, in nanoseconds.
    double round() const {
        char byte = 0;
        double ns = 0;
        if (write(start_[1], &byte, 1) != 1 || read(done_[0], &ns, sizeof(ns)) != sizeof(ns)) {
            std::exit(1);
        }
        return ns;
    }

  private:
    static std::uint64_t cpu_time_ns() {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
               static_cast<std::uint64_t>(time.tv_nsec);
    }
    void serve() const {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &cpus);
        sched_setaffinity(0, sizeof(cpus), &cpus);
        const int zero = open("/dev/zero", O_RDONLY);
        char byte = 0;
        while (read(start_[0], &byte, 1) == 1) {
            const std::uint64_t began = cpu_time_ns();
            for (int i = 0; i < kReads; i++) {
                if (read(zero, &byte, 1) != 1) {
                    _exit(1);
                }
            }
            const double ns = static_cast<double>(cpu_time_ns() - began) / kReads;
            if (write(done_[1], &ns, sizeof(ns)) != sizeof(ns)) {
                _exit(1);
            }
        }
    }

    std::array<int, 2> start_{}, done_{};
    pid_t process_ = 0;
};

struct Contender {
    const char* name;
    std::function<void()> attach, detach;
    const Reader* reader;
    std::vector<double> turns{};  ///< the fastest round of each

    /// The lower quartile over the turns: noise only ever adds, but a single lowest value may be a clock's
    /// whim.
    [[nodiscard]] double ns() const {
        std::vector<double> sorted = turns;
        std::ranges::sort(sorted);
        return sorted.at(sorted.size() / 4);
    }
    void run() {
        attach();
        reader->round();  // warms caches
        double fastest = reader->round();
        for (int i = 1; i < kRoundsPerTurn; i++) {
            fastest = std::min(fastest, reader->round());
        }
        turns.push_back(fastest);
        detach();
    }
};

/// Programs of the floor, attached for a while.
class Attached {
  public:
    explicit Attached(std::vector<bpf_program*> programs) : programs_(std::move(programs)) {}
    void attach() {
        for (bpf_program* program : programs_) {
            links_.push_back(bpf_program__attach(program));
            if (links_.back() == nullptr) {
                std::fprintf(stderr, "cannot attach %s\n", bpf_program__name(program));
                std::exit(1);
            }
        }
    }
    void detach() {
        for (bpf_link* link : links_) {
            bpf_link__destroy(link);
        }
        links_.clear();
    }

  private:
    std::vector<bpf_program*> programs_;
    std::vector<bpf_link*> links_;
};

std::unique_ptr<Probe> make_probe(Scope& scope, const KernelTypes& types, const CgroupLayout& layout,
                                  bool latency) {
    Config config = default_config();
    config.io.method = IoMethod::syscalls;
    config.io.latency = latency;
    auto probe = make_io_probe();
    must(probe->start({scope, types, layout, config}));
    return probe;
}

struct Figures {
    std::vector<Contender> contenders;  ///< bare, then the others

    [[nodiscard]] double added(std::size_t i) const { return contenders[i].ns() - contenders[0].ns(); }
    void report(const char* prefix) const {
        std::printf("io_ns%s_bare %.1f\n", prefix, contenders[0].ns());
        for (std::size_t i = 1; i < contenders.size(); i++) {
            std::printf("io_added_ns%s_%s %.1f\n", prefix, contenders[i].name, added(i));
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 40;
    const CgroupLayout layout = must(detect_layout());
    const KernelTypes types = must(KernelTypes::load());
    ScopeOptions options;
    options.slots = SLOT_FIRST + 8;
    options.provisional = 4;
    options.cgroup_v2 = layout.v2;
    options.controller = layout.controller;
    const auto scope = must(Scope::load(options, types));
    must(scope->attach());
    const auto timed = make_probe(*scope, types, layout, true),
               counted = make_probe(*scope, types, layout, false);
    auto floor = must(open_skeleton<call_floor_bpf>({}));
    must(load_skeleton(*floor));
    Attached pair({floor->progs.enter_empty, floor->progs.exit_empty}), exit({floor->progs.exit_empty}),
        timestamps({floor->progs.enter_timestamp, floor->progs.exit_timestamp});

    const std::string cgroup = layout.mount + "/plimsoll-bench-" + std::to_string(getpid());
    mkdir(cgroup.c_str(), 0755);
    scope->assign(id_of(layout, cgroup.substr(layout.mount.size())).value_or(0), SLOT_FIRST);
    {
        const Reader watched(cgroup), unwatched("");
        const auto with = [](const char* name, auto& programs, const Reader& reader) {
            return Contender{name, [&] { programs.attach(); }, [&] { programs.detach(); }, &reader};
        };
        const auto probe = [](const char* name, Probe& wanted, const Reader& reader) {
            return Contender{name, [&] { must(wanted.watching(true)); },
                             [&] { must(wanted.watching(false)); }, &reader};
        };
        const auto figures = [&](const Reader& reader) {
            return Figures{{{"bare", [] {}, [] {}, &reader},
                            with("empty_exit", exit, reader),
                            with("empty", pair, reader),
                            with("timestamp", timestamps, reader),
                            probe("io_without_latency", *counted, reader),
                            probe("io", *timed, reader)}};
        };
        Figures in = figures(watched), out = figures(unwatched);
        for (int i = 0; i < rounds; i++) {
            for (Figures* each : {&in, &out}) {
                for (auto& contender : each->contenders) {
                    contender.run();
                }
            }
        }
        in.report("");
        out.report("_unwatched");
        std::printf("io_cost_ratio %.3f\n", in.added(5) / in.added(3));
        std::printf("io_cost_ratio_without_latency %.3f\n", in.added(4) / in.added(2));
        std::printf("io_cost_ratio_without_latency_to_exit_only %.3f\n", in.added(4) / in.added(1));
        std::printf("io_cost_ratio_unwatched %.3f\n", out.added(5) / out.added(2));
        std::printf("io_cost_ratio_unwatched_without_latency %.3f\n", out.added(4) / out.added(1));
    }
    for (int i = 0; i < 100 && rmdir(cgroup.c_str()) != 0; i++) {
        usleep(10'000);
    }
    return 0;
}
