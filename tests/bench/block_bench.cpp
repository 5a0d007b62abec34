// SPDX-License-Identifier: Apache-2.0
// What probe block adds to a direct read of 4 KiB from a loop device, in a watched container and outside any,
// with different programs on the hooks of the block layer, in turn, many short rounds each. Reads are
// submitted many at a time, because waking the loop device's worker for each would cost ten times what is
// looked for. Prints `name value` lines. Root only.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "../bpf/loop_device.h"
#include "containers/cgroup_tree.h"
#include "kernel/features.h"
#include "kernel/keyed_map.h"
#include "kernel/scope.h"
#include "shared/block.h"

// The skeletons need the records above.
#include "block.skel.h"
#include "block_floor.skel.h"

namespace {

using namespace plimsoll;

constexpr int kReads = 64;  // submitted together
constexpr int kSubmissions = 32;
constexpr int kRoundsPerTurn = 15;
constexpr std::uint64_t kDiskBytes = 64 << 20;

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

/// A process that reads when it is told to, and says how long a read took.
class Reader {
  public:
    Reader(const std::string& cgroup, std::string device) : device_(std::move(device)) {
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
            _exit(1);
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

    /// Nanoseconds for each read.
    double round() const {
        const char byte = 0;
        double ns = 0;
        if (write(start_[1], &byte, 1) != 1 || read(done_[0], &ns, sizeof(ns)) != sizeof(ns)) {
            std::exit(1);
        }
        return ns;
    }

  private:
    static std::uint64_t now_ns() {
        timespec time{};
        clock_gettime(CLOCK_MONOTONIC, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
               static_cast<std::uint64_t>(time.tv_nsec);
    }
    void serve() const {
        const int disk = open(device_.c_str(), O_RDONLY | O_DIRECT);
        aio_context_t context = 0;
        syscall(SYS_io_setup, kReads, &context);
        alignas(4096) static std::array<char, 4096> buffer{};
        std::array<iocb, kReads> reads{};
        std::array<iocb*, kReads> list{};
        for (std::size_t i = 0; i < kReads; i++) {
            reads[i].aio_lio_opcode = IOCB_CMD_PREAD;
            reads[i].aio_fildes = static_cast<__u32>(disk);
            reads[i].aio_buf = reinterpret_cast<__u64>(buffer.data());
            reads[i].aio_nbytes = buffer.size();
            reads[i].aio_offset = static_cast<__s64>(i * 65536);  // far from each other: nothing to merge
            list[i] = &reads[i];
        }
        std::array<io_event, kReads> events{};
        char byte = 0;
        while (read(start_[0], &byte, 1) == 1) {
            const std::uint64_t began = now_ns();
            for (int i = 0; i < kSubmissions; i++) {
                if (syscall(SYS_io_submit, context, kReads, list.data()) != kReads ||
                    syscall(SYS_io_getevents, context, kReads, kReads, events.data(), nullptr) != kReads) {
                    return;
                }
            }
            const double ns = static_cast<double>(now_ns() - began) / (kReads * kSubmissions);
            if (write(done_[1], &ns, sizeof(ns)) != sizeof(ns)) {
                return;
            }
        }
    }

    std::string device_;
    std::array<int, 2> start_{}, done_{};
    pid_t process_ = 0;
};

/// The programs of an object whose names end so.
std::vector<bpf_program*> programs_of(bpf_object* object, std::string_view ending) {
    std::vector<bpf_program*> found;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        if (bpf_program__autoload(program) &&
            std::string_view(bpf_program__name(program)).ends_with(ending)) {
            found.push_back(program);
        }
    }
    return found;
}

struct Contender {
    const char* name;
    std::vector<bpf_program*> programs;
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
        std::vector<bpf_link*> links;
        for (bpf_program* program : programs) {
            links.push_back(bpf_program__attach(program));
            if (links.back() == nullptr) {
                std::fprintf(stderr, "cannot attach %s\n", bpf_program__name(program));
                std::exit(1);
            }
        }
        reader->round();  // warms caches
        double fastest = reader->round();
        for (int i = 1; i < kRoundsPerTurn; i++) {
            fastest = std::min(fastest, reader->round());
        }
        turns.push_back(fastest);
        for (bpf_link* link : links) {
            bpf_link__destroy(link);
        }
    }
};

struct Group {
    std::vector<Contender> contenders;  ///< bare, empty, timestamp, probe

    [[nodiscard]] double added(std::size_t i) const { return contenders[i].ns() - contenders[0].ns(); }
    void run() {
        for (auto& contender : contenders) {
            contender.run();
        }
    }
    void report(const char* prefix) const {
        std::printf("block_ns%s_bare %.1f\n", prefix, contenders[0].ns());
        for (std::size_t i = 1; i < contenders.size(); i++) {
            std::printf("block_added_ns%s_%s %.1f\n", prefix, contenders[i].name, added(i));
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
    auto block = must(open_skeleton<block_bpf>(scope->maps()));
    block->rodata->subsystem_index = scope->subsystem_index();
    block->rodata->by_blkcg = layout.with_controller("blkio") == nullptr;
    block->rodata->blkcg_index = types.cgroup_subsystem_index("blkio").value_or(0);
    bpf_map__set_max_entries(block->maps.tenures, scope->slot_count());
    must(load_skeleton(*block));
    auto floor = must(open_skeleton<block_floor_bpf>({}));
    must(load_skeleton(*floor));

    const bpf_test::LoopDevice disk(kDiskBytes);
    const std::string cgroup = layout.mount + "/plimsoll-bench-" + std::to_string(getpid());
    mkdir(cgroup.c_str(), 0755);
    scope->assign(id_of(layout, cgroup.substr(layout.mount.size())).value_or(0), SLOT_FIRST);
    {
        const Reader watched(cgroup, disk.path()), unwatched("", disk.path());
        const auto group = [&](const Reader& reader) {
            return Group{{{"bare", {}, &reader},
                          {"empty", programs_of(floor->obj, "_empty"), &reader},
                          {"timestamp", programs_of(floor->obj, "_timestamp"), &reader},
                          {"probe", programs_of(block->obj, ""), &reader}}};
        };
        Group in = group(watched), out = group(unwatched);
        for (int i = 0; i < rounds; i++) {
            in.run();
            out.run();
        }
        std::uint64_t counted = 0;
        each_entry<block_key, block_account>(
            bpf_map__fd(block->maps.block_accounts),
            [&](const block_key&, const block_account& account) { counted += account.bytes; });
        if (counted !=
            4096ULL * kReads * kSubmissions * (kRoundsPerTurn + 1) * static_cast<unsigned>(rounds)) {
            std::fprintf(stderr, "the reader's requests were not counted, so nothing was measured\n");
            return 1;
        }
        in.report("");
        out.report("_unwatched");
        std::printf("block_cost_ratio %.3f\n", in.added(3) / in.added(2));
        std::printf("block_cost_ratio_unwatched %.3f\n", out.added(3) / out.added(1));
    }
    for (int i = 0; i < 100 && rmdir(cgroup.c_str()) != 0; i++) {
        usleep(10'000);
    }
    return 0;
}
