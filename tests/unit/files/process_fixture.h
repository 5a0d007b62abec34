// SPDX-License-Identifier: Apache-2.0
// Cgroup directories and a /proc whose processes are directories of ours.
#pragma once

#include <filesystem>
#include <string>

#include "../containers/fixture.h"
#include "files/container_process.h"
#include "files/read_prefix.h"

namespace plimsoll::process_test {

class Host {
  public:
    ProcessFinder finder(bool v2 = true) const {
        CgroupLayout layout;
        layout.mount = root_.path("cgroup");
        layout.v2 = v2;
        layout.controller = v2 ? "" : "cpu";
        return ProcessFinder(layout, root_.path("proc"));
    }
    void cgroup(const std::string& path, const std::string& pids) const {
        root_.write("cgroup" + path + "/cgroup.procs", pids);
    }
    void process(int pid, const std::string& cgroup, bool live = true) const {
        write(pid, "cgroup", "4:cpuacct,cpu:" + cgroup + "\n1:name=systemd:/x\n0::" + cgroup + "\n");
        write(pid, "pid", std::to_string(pid));
        if (live) {
            network(pid, "of its own " + std::to_string(pid));
        }
    }
    /// The process is in the network namespace of this name.
    void network(int pid, const std::string& name) const {
        root_.write("net/" + name, "");
        link(pid, "ns/net", root_.path("net/" + name));
    }
    void write(int pid, const std::string& file, std::string_view text) const {
        root_.write(directory(pid) + "/" + file, text);
    }
    void link(int pid, const std::string& file, const std::string& target) const {
        const std::filesystem::path path = root_.path(directory(pid) + "/" + file);
        std::filesystem::create_directories(path.parent_path());
        std::filesystem::remove(path);
        std::filesystem::create_symlink(target, path);
    }
    void end(int pid) const { std::filesystem::remove_all(root_.path(directory(pid))); }

    /// How many directories of the fixture's processes this very process has open.
    [[nodiscard]] std::size_t open_directories() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code gone;
            count += std::filesystem::read_symlink(entry, gone).string().starts_with(root_.path("proc/"));
        }
        return count;
    }

  private:
    static std::string directory(int pid) { return "proc/" + std::to_string(pid); }

    container_test::Directory root_;
};

/// Which process of the fixture the descriptor is bound to; 0: none.
inline int pid_of(int process) {
    return process < 0 ? 0 : std::stoi(read_prefix(process, "pid", 16).value_or("0"));
}

}  // namespace plimsoll::process_test
