// SPDX-License-Identifier: Apache-2.0
#include "probes/probe.h"

namespace plimsoll {

std::vector<std::unique_ptr<Probe>> make_probes() {
    std::vector<std::unique_ptr<Probe>> probes;
#define PLIMSOLL_PROBE(name) probes.push_back(make_##name##_probe());
#include "probes/list.inc"
#undef PLIMSOLL_PROBE
    return probes;
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

}  // namespace plimsoll
