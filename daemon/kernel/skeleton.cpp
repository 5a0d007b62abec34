// SPDX-License-Identifier: Apache-2.0
#include "kernel/skeleton.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "loop/unique_fd.h"

namespace plimsoll {

std::size_t mappable(const bpf_object* object) {
    std::size_t count = 0;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        count += (bpf_map__map_flags(map) & BPF_F_MMAPABLE) != 0 ? 1 : 0;
    }
    return count;
}

Result<void> run_iterator(const bpf_link* link, const std::string& what) {
    const auto output = read_iterator(link, what);
    return output ? Result<void>{} : std::unexpected(output.error());
}

Result<std::vector<char>> read_iterator(const bpf_link* link, const std::string& what) {
    const UniqueFd iterator(link != nullptr ? bpf_iter_create(bpf_link__fd(link)) : -1);
    if (!iterator) {
        return fail_errno(what, errno);
    }
    std::vector<char> output;
    std::array<char, 4096> piece{};
    ssize_t got = 0;
    while ((got = read(iterator.get(), piece.data(), piece.size())) > 0 || (got < 0 && errno == EAGAIN)) {
        output.insert(output.end(), piece.begin(), piece.begin() + std::max<ssize_t>(got, 0));
    }
    return got < 0 ? fail_errno(what, errno) : Result<std::vector<char>>(std::move(output));
}

Result<void> Links::attach_to_map(const bpf_program* program, int map) {
    bpf_iter_link_info info{};
    info.map.map_fd = static_cast<__u32>(map);
    bpf_iter_attach_opts options{};
    options.sz = sizeof(options);
    options.link_info = &info;
    options.link_info_len = sizeof(info);
    bpf_link* link = bpf_program__attach_iter(program, &options);
    if (link == nullptr) {
        return fail_errno(std::string("attach ") + bpf_program__name(program), errno);
    }
    links_.emplace(bpf_program__name(program), link);
    return {};
}

Result<void> Links::attach_to_cgroup(bpf_object* object, int cgroup) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        bpf_link* link = bpf_program__attach_cgroup(program, cgroup);
        if (link == nullptr) {
            return fail_errno(std::string("attach ") + bpf_program__name(program), errno);
        }
        links_.emplace(bpf_program__name(program), link);
    }
    return {};
}

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
