// SPDX-License-Identifier: Apache-2.0
#include "kernel/skeleton.h"

namespace plimsoll {

Links::~Links() {
    for (const auto& [name, link] : links_) {
        bpf_link__destroy(link);
    }
}

Result<void> Links::attach(bpf_object* object) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        if (!bpf_program__autoload(program) || !bpf_program__autoattach(program)) {
            continue;
        }
        bpf_link* link = bpf_program__attach(program);
        if (link == nullptr) {
            return fail_errno(std::string("attach ") + bpf_program__name(program), errno);
        }
        links_.emplace(bpf_program__name(program), link);
    }
    return {};
}

bpf_link* Links::find(std::string_view program) const {
    const auto found = links_.find(program);
    return found == links_.end() ? nullptr : found->second;
}

}  // namespace plimsoll
