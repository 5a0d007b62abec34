// SPDX-License-Identifier: Apache-2.0
// A /proc of ours over directories of this machine; what statfs says of them is the truth.
#include "files/root_file_system.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>
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
    /// Process 1, and with it the host, has its root there.
    void host_root(const std::string& root) const {
        std::filesystem::remove(proc_.path("1/root"));
        std::filesystem::create_symlink(root, proc_.path("1/root"));
    }
    void hide_mountinfo() const { std::filesystem::remove(proc_.path("7/mountinfo")); }
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

TEST_CASE("what could not be told at first is told later") {
    Host host;
    const std::string mountinfo = "2 1 253:2 / / rw - ext4 /dev/vdb rw\n";
    host.process(mountinfo, host.directory());
    host.hide_mountinfo();
    CHECK_FALSE(host.look(true));
    host.process(mountinfo, host.directory());
    CHECK(host.look(false));
    CHECK(host.device() == "/dev/vdb");

    host.process(overlay("upperdir=" + host.directory() + "/late"), host.directory());
    CHECK_FALSE(host.look(true));
    std::filesystem::create_directory(host.directory() + "/late");
    CHECK(host.look(false));
    CHECK(host.device() == "/dev/vda1");
}

TEST_CASE("what cannot be told is tried again ever more seldom, the host's own root not at all") {
    Host host;
    const std::string own = "2 1 253:2 / / rw - ext4 /dev/vdb rw\n";
    host.process("garbage\n", host.directory());
    CHECK_FALSE(host.look(true));
    for (int look = 1; look <= 32; ++look) {
        CHECK_FALSE(host.look(false));
    }
    host.process(own, host.directory());
    int looks = 0;
    while (!host.look(false)) {
        REQUIRE(++looks < 32);
    }
    CHECK(looks == 31);

    host.process(own, "/");
    CHECK_FALSE(host.look(true));
    host.host_root("/proc");  // what was the host's is none of its own all the same
    for (int look = 0; look < 10; ++look) {
        CHECK_FALSE(host.look(false));
    }
}

TEST_CASE("file systems are told apart by their size, not by inodes that are made on demand") {
    struct statfs one{};
    one.f_blocks = 1000;
    one.f_frsize = 4096;
    one.f_files = 500;
    one.f_bfree = 100;
    struct statfs other = one;
    other.f_files = 501;
    other.f_bfree = 99;
    CHECK(is_alike(one, other));
    other.f_blocks = 1001;
    CHECK_FALSE(is_alike(one, other));
    other = one;
    other.f_frsize = 1024;
    CHECK_FALSE(is_alike(one, other));
}

TEST_CASE("the host's root is entered by the rights in force, whoever started the agent") {
    if (geteuid() != 0) {
        WARN("skipped: only root can be somebody else");
        return;
    }
    Host host;
    const auto directory = host.directory();
    std::filesystem::create_directory(directory + "/only-there");
    host.host_root(directory);
    host.process(overlay("upperdir=/only-there"), directory + "/only-there");
    CHECK(host.look());
    constexpr uid_t kNobody = 65534, kUnchanged = static_cast<uid_t>(-1);
    REQUIRE(setresuid(kNobody, kUnchanged, kUnchanged) == 0);
    const auto space = host.look();
    REQUIRE(setresuid(0, kUnchanged, kUnchanged) == 0);
    CHECK(space);
}

}  // namespace
}  // namespace plimsoll
