// SPDX-License-Identifier: Apache-2.0
#include "kernel/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace plimsoll {

std::vector<ProgramStats> program_stats(const bpf_object* object) {
    std::vector<ProgramStats> result;
    if (object == nullptr) {
        return result;  // a reader of files has none
    }
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        const int fd = bpf_program__fd(program);
        bpf_prog_info info{};
        __u32 size = sizeof(info);
        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
            result.push_back(
                {bpf_program__name(program), info.run_cnt, info.run_time_ns, info.recursion_misses});
        }
    }
    return result;
}

std::vector<std::string> program_sections(const bpf_object* object) {
    std::vector<std::string> sections;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        if (bpf_program__autoload(program)) {
            sections.emplace_back(bpf_program__section_name(program));
        }
    }
    return sections;
}

UniqueFd enable_program_stats() {
    return UniqueFd(bpf_enable_stats(BPF_STATS_RUN_TIME));
}

}  // namespace plimsoll
