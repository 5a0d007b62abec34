// SPDX-License-Identifier: Apache-2.0
#include "cgroups.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "await.h"

namespace plimsoll::bpf_test {

namespace {

[[noreturn]] void give_up(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

void kill_all(const std::string& directory) {
    std::ifstream processes(directory + "/cgroup.procs");
    for (pid_t process = 0; processes >> process;) {
        kill(process, SIGKILL);
    }
}

}  // namespace

CgroupTree::CgroupTree()
    : layout_(detect_layout().value()), root_("/plimsoll-test-" + std::to_string(getpid())) {
    if (mkdir((layout_.mount + root_).c_str(), 0755) != 0) {
        give_up("mkdir " + root_);
    }
}

CgroupTree::~CgroupTree() {
    CgroupLayout below{layout_.mount + root_, true, "", {}};
    std::vector<std::string> directories;
    static_cast<void>(walk(below, [&](std::string_view path, std::uint64_t) {
        directories.push_back(below.mount + (path == "/" ? "" : std::string(path)));
    }));
    std::ranges::reverse(directories);  // children before parents
    for (const auto& directory : directories) {
        eventually([&] {
            kill_all(directory);
            return rmdir(directory.c_str()) == 0 || errno == ENOENT;
        });
    }
}

Cgroup CgroupTree::make(std::string_view name) const {
    Cgroup cgroup{root_ + "/" + std::string(name), 0, {}};
    const std::string directory = layout_.mount + cgroup.path;
    if (mkdir(directory.c_str(), 0755) != 0) {
        give_up("mkdir " + directory);
    }
    cgroup.fd = UniqueFd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    cgroup.id = id_of(layout_, cgroup.path).value();
    return cgroup;
}

void CgroupTree::remove(const Cgroup& cgroup) const {
    const std::string directory = layout_.mount + cgroup.path;
    if (!eventually([&] { return rmdir(directory.c_str()) == 0; })) {
        give_up("rmdir " + directory);
    }
}

void CgroupTree::write(const Cgroup& cgroup, const char* file, const std::string& text) {
    const UniqueFd fd(openat(cgroup.fd.get(), file, O_WRONLY | O_CLOEXEC));
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        give_up("write " + text + " to " + cgroup.path + "/" + file);
    }
}

void CgroupTree::move(pid_t process, const Cgroup& to) {
    write(to, "cgroup.procs", std::to_string(process));
}

void CgroupTree::move_thread(pid_t thread, const Cgroup& to) {
    write(to, "cgroup.threads", std::to_string(thread));
}

}  // namespace plimsoll::bpf_test
