// SPDX-License-Identifier: Apache-2.0
#include "files/mounts.h"

#include <catch2/catch.hpp>

namespace plimsoll {
namespace {

TEST_CASE("a line has a device, a point, a type, a source and options, with any number of words between") {
    for (const std::string between : {"", "shared:1 ", "shared:1 master:2 propagate_from:3 unbindable "}) {
        const auto mount = parse_mount("36 35 98:0 /mnt1 /mnt2 rw,noatime " + between +
                                       "- ext3 /dev/root rw,errors=continue");
        REQUIRE(mount);
        CHECK(mount->number == "98:0");
        CHECK(mount->point == "/mnt2");
        CHECK(mount->type == "ext3");
        CHECK(mount->source == "/dev/root");
        CHECK(mount->options == "rw,errors=continue");
    }
}

TEST_CASE("blanks, tabs, line feeds and backslashes come back from their escapes") {
    const auto mount = parse_mount(R"(1 2 0:5 / /a\040b\011c\012d\134e\04 rw - tmpfs my\040source rw)");
    REQUIRE(mount);
    CHECK(mount->point == "/a b\tc\nd\\e\\04");
    CHECK(mount->source == "my source");
}

TEST_CASE("what is no line of mountinfo is none") {
    for (const auto* line :
         {"", "-", " - ", "36 35 98:0 / /x rw", "36 35 98:0 / /x rw -", "36 35 98:0 / /x rw - ext4 /dev/vda",
          "36 35 98:0 / x rw - ext4 /dev/vda rw", "- - - - - -", "36 35 98:0 / /x - ext4 /dev/vda rw"}) {
        INFO(line);
        CHECK_FALSE(parse_mount(line));
    }
}

TEST_CASE("the last mount on the root is the root, and a line that is cut off is no line") {
    const std::string text =
        "1 0 0:1 / / rw - rootfs rootfs rw\n"
        "garbage\n"
        "2 1 253:1 / / rw - ext4 /dev/vda1 rw\n"
        "3 2 0:5 / /proc rw - proc proc rw\n";
    CHECK(root_mount(text)->source == "/dev/vda1");
    CHECK(root_mount(text + "4 2 0:9 / / rw - nfs server:/x rw")->source == "/dev/vda1");
    CHECK(root_mount(text + "4 2 0:9 / / rw - nfs server:/x rw\n")->type == "nfs");
    CHECK_FALSE(root_mount("3 2 0:5 / /proc rw - proc proc rw\n"));
    CHECK_FALSE(root_mount(""));
}

TEST_CASE("a path is on the longest mount above it, by whole components") {
    const std::string text =
        "1 0 253:1 / / rw - ext4 /dev/vda1 rw\n"
        "2 1 253:2 / /var/lib rw - xfs /dev/vdb rw\n"
        "3 1 253:3 / /var/lib/docker rw - ext4 /dev/vdc rw\n"
        "4 1 253:4 / /var/lib/docker rw - ext4 /dev/vdd rw\n"
        "5 1 253:5 / /var/library rw - ext4 /dev/vde rw\n";
    CHECK(mount_of(text, "/var/lib/docker/overlay2/x")->source == "/dev/vdd");
    CHECK(mount_of(text, "/var/lib/docker")->source == "/dev/vdd");
    CHECK(mount_of(text, "/var/lib/dockers")->source == "/dev/vdb");
    CHECK(mount_of(text, "/var/libs")->source == "/dev/vda1");
    CHECK_FALSE(mount_of("2 1 253:2 / /var/lib rw - xfs /dev/vdb rw\n", "/etc"));
}

TEST_CASE("options of an overlay are found, and their commas are not taken for separators") {
    Mount overlay;
    overlay.options = R"(rw,lowerdir=/l/A:/l/B\054c,upperdir=/up\040per/diff,workdir=/w,index=off)";
    CHECK(mount_option(overlay, "upperdir") == std::vector<std::string>{"/up per/diff"});
    CHECK(mount_option(overlay, "lowerdir") == std::vector<std::string>{"/l/A", "/l/B,c"});
    CHECK(mount_option(overlay, "upper").empty());
    overlay.options = "ro,lowerdir+=/one,lowerdir+=/two,datadir+=/data";
    CHECK(mount_option(overlay, "lowerdir") == std::vector<std::string>{"/one", "/two"});
    CHECK(mount_option(overlay, "datadir") == std::vector<std::string>{"/data"});
    CHECK(mount_option(overlay, "upperdir").empty());
    overlay.options = "";
    CHECK(mount_option(overlay, "upperdir").empty());
}

TEST_CASE("what asks a server or a process is remote, disks and memory are not") {
    for (const auto* type : {"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "virtiofs", "afs", "fuse",
                             "fuse.sshfs", "fuseblk", "fuse.glusterfs", "autofs"}) {
        CHECK(is_remote(type));
    }
    for (const auto* type :
         {"ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "squashfs", "nfsd", "fusectl"}) {
        CHECK_FALSE(is_remote(type));
    }
}

TEST_CASE("a file system is called as cAdvisor calls it") {
    const auto named = [](std::string type, std::string source) {
        Mount mount;
        mount.number = "0:48";
        mount.type = std::move(type);
        mount.source = std::move(source);
        return device_name(mount);
    };
    CHECK(named("ext4", "/dev/vda1") == "/dev/vda1");
    CHECK(named("xfs", "/dev/mapper/vg-root") == "/dev/mapper/vg-root");
    CHECK(named("tmpfs", "tmpfs") == "tmpfs");
    CHECK(named("tmpfs", "none") == "tmpfs");
    CHECK(named("tmpfs", "") == "tmpfs");
    CHECK(named("zfs", "rpool/data") == "rpool/data");
    CHECK(named("overlay", "overlay") == "overlay_0-48");
}

}  // namespace
}  // namespace plimsoll
