// SPDX-License-Identifier: Apache-2.0
// A /proc of ours over directories of this machine; what statfs says of them is the truth.
#include "files/root_file_system.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <catch2/catch.hpp>

#include <filesystem>

#include "../containers/fixture.h"
#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

const std::string kHost = "1 0 253:1 / / rw - ext4 /dev/vda1 rw\n";

class Host {
  public:
    Host() {
        proc_.write("1/mountinfo", kHost);
        std::filesystem::create_symlink("/", proc_.path("1/root"));
    }
    /// Process 7 has this mountinfo and this root.
    void process(const std::string& mountinfo, const std::string& root) {
        proc_.write("7/mountinfo", mountinfo);
        std::filesystem::remove(proc_.path("7/root"));
        std::filesystem::create_symlink(root, proc_.path("7/root"));
    }
    void host(const std::string& mountinfo) const { proc_.write("1/mountinfo", mountinfo); }
    std::optional<RootFileSystem::Space> look(bool other = true) {
        const UniqueFd process(open(proc_.path("7").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        return root_.look(process.get(), other, proc_.path());
    }
    const std::string& device() const { return root_.device(); }
    /// Without symbolic links.
    std::string directory() const { return std::filesystem::canonical(files_.path()).string(); }

  private:
    container_test::Directory proc_, files_;
    RootFileSystem root_;
};

std::string overlay(const std::string& options) {
    return "9 8 0:48 / / rw - overlay overlay rw," + options + "\n";
}

TEST_CASE("a root of its own has the space of its file system") {
    Host host;
    host.process("2 1 253:2 /rootfs / rw - ext4 /dev/vdb rw\n", host.directory());
    const auto space = host.look();
    REQUIRE(space);
    CHECK(host.device() == "/dev/vdb");
    struct statvfs truth{};
    REQUIRE(statvfs(host.directory().c_str(), &truth) == 0);
    CHECK(space->size_bytes == truth.f_blocks * truth.f_frsize);
    CHECK(space->inodes == truth.f_files);
    CHECK(space->used_bytes <= space->size_bytes);
}

TEST_CASE("the host's root, a remote one, none and an unknown one have nothing") {
    Host host;
    host.process("1 0 253:1 / / rw - ext4 /dev/vda1 rw\n", "/");
    CHECK_FALSE(host.look());
    for (const std::string type : {"nfs4", "fuse.sshfs", "9p"}) {
        host.process("2 1 0:50 / / rw - " + type + " server:/x rw\n", host.directory());
        CHECK_FALSE(host.look());
    }
    host.process("2 1 253:2 / /elsewhere rw - ext4 /dev/vdb rw\n", host.directory());
    CHECK_FALSE(host.look());
    host.process("2 1 253:2 / / rw - ext4 /dev/vdb rw\n", host.directory() + "/never");
    CHECK_FALSE(host.look());
}

TEST_CASE("an overlay has the device that its upper directory is on") {
    Host host;
    const auto directory = host.directory();
    host.process(overlay("lowerdir=l/A:l/B,upperdir=" + directory + ",workdir=/w"), directory);
    CHECK(host.look());
    CHECK(host.device() == "/dev/vda1");
    host.host(kHost + "2 1 253:7 / " + directory + " rw - xfs /dev/mapper/vg-docker rw\n");
    CHECK(host.look());
    CHECK(host.device() == "/dev/mapper/vg-docker");
}

TEST_CASE("an overlay without an upper directory, or one that the host cannot name, has nothing") {
    Host host;
    const auto directory = host.directory();
    std::filesystem::create_directory(directory + "/real");
    std::filesystem::create_directory_symlink("real", directory + "/link");
    for (const std::string options :
         {"lowerdir=/l", "upperdir=relative", "upperdir=/never-on-this-machine/diff", "upperdir=/proc/sys"}) {
        host.process(overlay(options), directory);
        INFO(options);
        CHECK_FALSE(host.look());
    }
    host.process(overlay("upperdir=" + directory + "/link"), directory);
    CHECK_FALSE(host.look());  // what is behind a link is not touched
    host.process(overlay("upperdir=" + directory + "/real"), directory);
    CHECK(host.look());
}

TEST_CASE("an overlay with a layer on a server is not asked") {
    Host host;
    const auto directory = host.directory();
    host.host(kHost + "2 1 0:60 / /images rw - nfs server:/images rw\n");
    host.process(overlay("lowerdir=/local:/images/base,upperdir=" + directory), directory);
    CHECK_FALSE(host.look());
    host.process(overlay("lowerdir=/local,upperdir=" + directory), directory);
    CHECK(host.look());
}

TEST_CASE("a process that changes its root is looked at again, another process always") {
    Host host;
    host.process("1 0 253:1 / / rw - ext4 /dev/vda1 rw\n", "/");
    CHECK_FALSE(host.look(true));
    host.process("2 1 253:2 / / rw - ext4 /dev/vdb rw\n", host.directory());
    CHECK(host.look(false));
    CHECK(host.device() == "/dev/vdb");
    host.process("2 1 253:3 / / rw - ext4 /dev/vdc rw\n", host.directory());
    CHECK(host.look(false));
    CHECK(host.device() == "/dev/vdb");  // mountinfo is not read again for nothing
    CHECK(host.look(true));
    CHECK(host.device() == "/dev/vdc");
}

}  // namespace
}  // namespace plimsoll
