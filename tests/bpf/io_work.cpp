// SPDX-License-Identifier: Apache-2.0
#include "io_work.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <catch2/catch.hpp>

#include <array>
#include <stdexcept>

namespace plimsoll::bpf_test {

namespace {

/// What Parent's wait() and tell() are made of.
constexpr IoCount kOneWord{.bytes = sizeof(std::uint64_t), .operations = 1, .errors = 0};

void subtract(IoCounts& counts, const std::string& key, const IoCount& less) {
    IoCount& count = counts[key];
    count = {count.bytes - less.bytes, count.operations - less.operations, count.errors - less.errors};
    if (count == IoCount{}) {
        counts.erase(key);
    }
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const IoCount& count) {
    return out << count.bytes << " bytes, " << count.operations << " operations, " << count.errors
               << " errors";
}

std::ostream& operator<<(std::ostream& out, const IoCounts& counts) {
    for (const auto& [key, count] : counts) {
        out << key << ": " << count << "; ";
    }
    return out;
}

std::string io_labels(std::string_view io_class, std::string_view direction) {
    return "class=\"" + std::string(io_class) + "\",direction=\"" + std::string(direction) + "\"";
}

IoCounts io_counts(const Reading& reading, const Cgroup& cgroup) {
    IoCounts counts;
    for (const auto io_class : kIoClasses) {
        for (const auto direction : {"read", "write"}) {
            const std::string labels = io_labels(io_class, direction);
            const IoCount count{reading.value(cgroup, "container_io_bytes_total", labels),
                                reading.value(cgroup, "container_io_operations_total", labels),
                                reading.value(cgroup, "container_io_errors_total", labels)};
            if (count != IoCount{}) {
                counts[std::string(io_class) + " " + direction] = count;
            }
        }
    }
    return counts;
}

IoCounts operator-(IoCounts later, const IoCounts& earlier) {
    for (const auto& [key, count] : earlier) {
        subtract(later, key, count);
    }
    return later;
}

Worker::Worker(const Cgroup& cgroup, std::function<void()> work)
    : cgroup_(cgroup), child_(cgroup, [work = std::move(work)](const Parent& parent) {
          for (;;) {
              parent.wait();
              work();
              parent.tell(1);
          }
          return 0;
      }) {}

/// A call counts when it has returned, which is so when the process sleeps in the next.
IoCounts Worker::run(Agent& agent) {
    if (!child_.sleeps()) {
        throw std::runtime_error("the worker does not wait for its work");
    }
    const IoCounts before = io_counts(agent.read(), cgroup_);
    child_.go();
    if (child_.hear() != 1 || !child_.sleeps()) {
        const int status = child_.wait();
        throw std::runtime_error("the work failed: status " + std::to_string(status >> 8));
    }
    IoCounts counts = io_counts(agent.read(), cgroup_) - before;
    subtract(counts, "pipe read", kOneWord);
    subtract(counts, "pipe write", kOneWord);
    return counts;
}

IoCounts counted(Agent& agent, const Cgroup& cgroup, std::function<void()> work) {
    return Worker(cgroup, std::move(work)).run(agent);
}

namespace {

Agent::Options with(IoMethod method) {
    return {.configure = [method](Config& config) { config.io.method = method; }};
}

/// Whether the kernel loads a program that does nothing at the function of read().
bool allows_programs_at_functions() {
#ifdef __aarch64__
    const char* function = "__arm64_sys_read";
#else
    const char* function = "__x64_sys_read";
#endif
    const int target = libbpf_find_vmlinux_btf_id(function, BPF_TRACE_FENTRY);
    bpf_prog_load_opts options{};
    options.sz = sizeof(options);
    options.expected_attach_type = BPF_TRACE_FENTRY;
    options.attach_btf_id = target > 0 ? static_cast<__u32>(target) : 0;
    std::array<bpf_insn, 2> nothing{};  // return 0
    nothing[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    nothing[1].code = BPF_JMP | BPF_EXIT;
    const UniqueFd program(bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "Dual BSD/GPL", nothing.data(),
                                         nothing.size(), &options));
    if (!program) {
        WARN("SKIPPED: bpf: fentry is refused by this kernel");
    }
    return static_cast<bool>(program);
}

const std::vector<IoMethod>& possible_ways() {
    static const std::vector<IoMethod> kWays = allows_programs_at_functions()
                                                   ? std::vector{IoMethod::syscalls, IoMethod::fentry}
                                                   : std::vector{IoMethod::syscalls};
    return kWays;
}

}  // namespace

Agent::Options each_way() {
    return with(GENERATE_REF(from_range(possible_ways())));
}

}  // namespace plimsoll::bpf_test
