// SPDX-License-Identifier: Apache-2.0
#include "files/open_descriptors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <catch2/catch.hpp>

#include <filesystem>

#include "../containers/fixture.h"
#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

UniqueFd directory(const std::string& path) {
    return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

TEST_CASE("descriptors and sockets of a process are counted, each opened one as one more") {
    const UniqueFd self = directory("/proc/self");
    const auto before = count_open_descriptors(self.get());
    REQUIRE(before);
    CHECK(before->all > before->sockets);
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    const UniqueFd one(pair[0]), other(pair[1]), file(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const auto after = count_open_descriptors(self.get());
    REQUIRE(after);
    CHECK(after->all == before->all + 3);
    CHECK(after->sockets == before->sockets + 2);
}

TEST_CASE("a process that has ended has none") {
    const container_test::Directory root;
    const UniqueFd process = directory(root.path());
    const auto found = count_open_descriptors(process.get());
    REQUIRE(found);
    CHECK(found->all == 0);
}

TEST_CASE("names that only begin like a socket's are none") {
    const container_test::Directory root;
    std::filesystem::create_directory(root.path("fd"));
    for (const auto& [name, target] : {std::pair("0", "socket:[1]"),
                                       {"1", "/socket:[2]"},
                                       {"2", "socket"},
                                       {"3", "socket:["},
                                       {"4", "pipe:[3]"}}) {
        std::filesystem::create_symlink(target, root.path(std::string("fd/") + name));
    }
    CHECK(count_open_descriptors(directory(root.path()).get())->sockets == 2);
}

}  // namespace
}  // namespace plimsoll
