// SPDX-License-Identifier: Apache-2.0
// What probe block adds to a direct read of 4 KiB from a loop device, in a watched container and outside any,
// with different programs on the hooks of the block layer, in turn, many short rounds each. Reads are
// submitted many at a time, because waking the loop device's worker for each would cost ten times what is
// looked for. Prints `name value` lines. Root only.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "../bpf/loop_device.h"
#include "bed.h"
#include "kernel/keyed_map.h"
#include "shared/block.h"

// The skeletons need the records above.
#include "block.skel.h"
#include "block_floor.skel.h"

namespace {

using namespace plimsoll;
using namespace plimsoll::bench;

constexpr int kReads = 64;  // submitted together
constexpr int kSubmissions = 32;
constexpr std::uint64_t kReadBytes = 4096;
constexpr std::uint64_t kDiskBytes = 64 << 20;

/// Inside a process: reads as often as it is told to.
int read_disk(const Parent& parent, const std::string& device) {
    const UniqueFd disk(open(device.c_str(), O_RDONLY | O_DIRECT));
    aio_context_t context = 0;
    syscall(SYS_io_setup, kReads, &context);
    alignas(kReadBytes) static std::array<char, kReadBytes> buffer{};
    std::array<iocb, kReads> reads{};
    std::array<iocb*, kReads> list{};
    for (std::size_t i = 0; i < kReads; i++) {
        reads[i].aio_lio_opcode = IOCB_CMD_PREAD;
        reads[i].aio_fildes = static_cast<__u32>(disk.get());
        reads[i].aio_buf = reinterpret_cast<__u64>(buffer.data());
        reads[i].aio_nbytes = buffer.size();
        reads[i].aio_offset = static_cast<__s64>(i * 65536);  // far from each other: nothing to merge
        list[i] = &reads[i];
    }
    std::array<io_event, kReads> events{};
    return serve(parent, CLOCK_MONOTONIC, [&] {
        for (int i = 0; i < kSubmissions; i++) {
            if (syscall(SYS_io_submit, context, kReads, list.data()) != kReads ||
                syscall(SYS_io_getevents, context, kReads, kReads, events.data(), nullptr) != kReads) {
                return false;
            }
        }
        return true;
    });
}

/// The probe's programs, as the probe loads them.
Skeleton<block_bpf> load_probe(const Bed& bed) {
    auto block = must(open_skeleton<block_bpf>(bed.scope->maps()));
    block->rodata->subsystem_index = bed.scope->subsystem_index();
    block->rodata->by_blkcg = bed.tree.layout().with_controller("blkio") == nullptr;
    block->rodata->kernel_can_cast = bed.types.can_cast();
    block->rodata->blkcg_index = bed.types.cgroup_subsystem_index("blkio").value_or(0);
    bpf_map__set_max_entries(block->maps.tenures, bed.scope->slot_count());
    must(load_skeleton(*block));
    return block;
}

/// The programs of an object whose names end so.
Hooks programs_of(bpf_object* object, std::string_view ending) {
    std::vector<bpf_program*> found;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        if (bpf_program__autoload(program) &&
            std::string_view(bpf_program__name(program)).ends_with(ending)) {
            found.push_back(program);
        }
    }
    return programs(std::move(found));
}

/// What the watched container has read. What others read is not in it: cgroups that they make meanwhile are
/// in the overflow slot.
std::uint64_t reads_counted(const Skeleton<block_bpf>& block) {
    std::uint64_t bytes = 0;
    each_entry<block_key, block_account>(bpf_map__fd(block->maps.block_accounts),
                                         [&](const block_key& key, const block_account& account) {
                                             bytes += key.owner.slot == SLOT_FIRST ? account.bytes : 0;
                                         });
    return bytes / kReadBytes;
}

/// Whether the watched container's reads have become so many more since the last question. With much else
/// going on, kernels have been seen to leave out a batch of completions, without a miss of the program.
std::function<bool()> gained(const Skeleton<block_bpf>& block, std::uint64_t wanted) {
    return [&block, wanted, last = std::uint64_t{0}]() mutable {
        const std::uint64_t before = std::exchange(last, reads_counted(block));
        return last - before == wanted;
    };
}

void measure(int turns) {
    const Bed bed;
    const auto block = load_probe(bed);
    const auto floor = must(open_skeleton<block_floor_bpf>({}));
    must(load_skeleton(*floor));
    const bpf_test::LoopDevice disk(kDiskBytes);
    const auto reader = [&](const Cgroup& cgroup) {
        return Child(cgroup, [&](const Parent& parent) { return read_disk(parent, disk.path()); });
    };
    const Child watched = reader(bed.watched), unwatched = reader(bed.unwatched);
    const auto group = [&](const char* suffix, const Child& child) {
        return Group{suffix,
                     [&child] { return round_of(child, kReads * kSubmissions); },
                     {{"bare", nothing()},
                      {"empty", programs_of(floor->obj, "_empty")},
                      {"timestamp", programs_of(floor->obj, "_timestamp")},
                      {"probe", programs_of(block->obj, "")}}};
    };
    std::vector<Group> groups{group("", watched), group("_unwatched", unwatched)};
    groups[0].saw_all = gained(block, std::uint64_t{kReads} * kSubmissions * kRoundsPerTurn);
    run_in_turn(groups, turns);
    const Group &in = groups[0], &out = groups[1];
    in.report("block");
    out.report("block");
    std::printf("block_cost_ratio %.3f\n", in.added(3) / in.added(2));
    std::printf("block_cost_ratio_unwatched %.3f\n", out.added(3) / out.added(1));
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv, 40, measure);
}
