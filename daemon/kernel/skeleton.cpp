// SPDX-License-Identifier: Apache-2.0
#include "kernel/skeleton.h"

#include <unistd.h>

#include <array>

#include "loop/unique_fd.h"

namespace plimsoll {

Links::~Links() {
    for (const auto& [name, link] : links_) {
        bpf_link__destroy(link);
    }
}

Result<void> Links::attach(bpf_object* object) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        if (!bpf_program__autoload(program)) {
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

Result<void> Links::iterate(std::string_view program) const {
    const auto found = links_.find(program);
    const UniqueFd iterator(found != links_.end() ? bpf_iter_create(bpf_link__fd(found->second)) : -1);
    if (!iterator) {
        return fail_errno(std::string(program), errno);
    }
    std::array<char, 64> nothing{};
    ssize_t got = 0;
    while ((got = read(iterator.get(), nothing.data(), nothing.size())) > 0 || (got < 0 && errno == EAGAIN)) {
    }
    return got < 0 ? fail_errno(std::string(program), errno) : Result<void>{};
}

}  // namespace plimsoll
