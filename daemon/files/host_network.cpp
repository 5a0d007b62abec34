// SPDX-License-Identifier: Apache-2.0
#include "files/host_network.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "files/read_prefix.h"

namespace plimsoll {
namespace {

// 4,000 interfaces; a namespace with more of them is no container's.
constexpr std::size_t kNetDevFile = 512UL * 1024;

}  // namespace

std::optional<NamespaceId> network_of(int process) {
    struct stat status{};
    if (fstatat(process, "ns/net", &status, 0) != 0) {
        return std::nullopt;
    }
    return NamespaceId{status.st_dev, status.st_ino};
}

std::optional<std::string> read_net_dev(int process) {
    return read_prefix(process, "net/dev", kNetDevFile);
}

std::optional<HostNetwork> find_host_network(const std::string& proc_root) {
    for (const char* process : {"/1", "/self"}) {
        UniqueFd directory(open((proc_root + process).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (const auto id = directory ? network_of(directory.get()) : std::nullopt) {
            return HostNetwork{std::move(directory), *id};
        }
    }
    return std::nullopt;
}

}  // namespace plimsoll
