# SPDX-License-Identifier: Apache-2.0
"""Kernels, their first file systems, and one Debian with systemd for all of them: made once, kept below build/vm.

A directory there is named after what goes into it, so what is complete is right.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("PLIMSOLL_VM_CACHE", ROOT + "/build/vm")
KERNELS = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}
INITRD_MODULES = ("virtio_pci", "virtio_blk", "ext4")
ROOT_SIZE = "1800M"

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules); do /bin/busybox insmod "/$module"; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""
# As on a host with limits everywhere: else the root of the tree would pass on fewer controllers.
SYSTEM_SLICE = """[Slice]
CPUWeight=100
AllowedCPUs=0
"""
SYSTEM_CONF = """[Manager]
DefaultIOAccounting=yes
DefaultMemoryAccounting=yes
DefaultTasksAccounting=yes
"""
UNIT = """[Unit]
Description=The tests of this boot
After=basic.target dbus.service
[Service]
Type=oneshot
StandardError=file:/dev/ttyS0
StandardOutput=file:/dev/ttyS0
Environment=LC_ALL=C.UTF-8 HOME=/root
WorkingDirectory=/opt/plimsoll
ExecStartPre=/bin/tar -xf /dev/vdb
ExecStart=/usr/bin/python3 -u tests/vm/guest.py
ExecStopPost=/sbin/poweroff -ff
[Install]
WantedBy=multi-user.target
"""
MASKED = ("serial-getty@ttyS0.service", "getty@tty1.service", "apt-daily.timer", "apt-daily-upgrade.timer",
          "fstrim.timer", "e2scrub_all.timer", "e2scrub_reap.service", "dpkg-db-backup.timer",
          "systemd-firstboot.service", "lxc.service", "lxc-net.service", "lxc-monitord.service", "podman.service", "podman-auto-update.timer",
          "podman-restart.service", "podman.socket", "systemd-timesyncd.service", "docker.service", "docker.socket",
          "containerd.service", "redis-server.service", "nginx.service")


def run(*argv, **options):
    """A command's output; what it said is part of the error when it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d\n%s" % (" ".join(argv), done.returncode, done.stdout[-4000:]))
    return done.stdout


def listed_packages():
    with open(HERE + "/packages", encoding="utf-8") as lines:
        return [name for line in lines if not line.startswith("#") for name in line.split()]


def library_packages(binaries):
    """The packages that the shared libraries of the programs come from."""
    found = set()
    for binary in binaries:
        found.update(map(os.path.realpath, re.findall(r"=> (/\S+)", run("ldd", binary))))
    names = [*found, *(path.removeprefix("/usr") for path in found)]  # a package may know it by either
    done = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True, check=False)
    return sorted({line.split(":")[0] for line in done.stdout.splitlines()})


def prepare(binaries, say=print):
    """The directory with root.ext4, and vmlinuz-K and initrd-K of each kernel."""
    packages = sorted(set(listed_packages() + library_packages(binaries)))
    with open(__file__, "rb") as source:
        key = hashlib.sha256(source.read() + " ".join(packages).encode()).hexdigest()[:16]
    path = "%s/%s" % (CACHE, key)
    if os.path.isdir(path):
        return path
    say("making the root file system and the kernels of the virtual machine, in %s" % path)
    building = path + ".building"
    os.makedirs(CACHE, exist_ok=True)
    for name in os.listdir(CACHE):  # of other keys, or not finished
        if re.fullmatch(r"[0-9a-f]{16}(\.building)?", name):
            shutil.rmtree("%s/%s" % (CACHE, name))
    os.makedirs(building)
    tree = building + "/tree"
    make_root(tree, packages)
    for kernel, package in KERNELS.items():  # of the day; removing the directory asks for newer ones
        add_kernel(kernel, package, building, tree)
    run("mke2fs", "-q", "-t", "ext4", "-d", tree, "-L", "root", building + "/root.ext4", ROOT_SIZE)
    shutil.rmtree(tree)
    os.rename(building, path)
    return path


def make_root(tree, packages):
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include=" + ",".join(packages),
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", tree)
    os.makedirs(tree + "/etc/systemd/system.conf.d")
    write(tree + "/etc/systemd/system.conf.d/tests.conf", SYSTEM_CONF)
    os.makedirs(tree + "/etc/systemd/system/system.slice.d")
    write(tree + "/etc/systemd/system/system.slice.d/tests.conf", SYSTEM_SLICE)
    os.makedirs(tree + "/opt/plimsoll")
    write(tree + "/etc/fstab", "")
    write(tree + "/etc/hostname", "guest\n")
    write(tree + "/etc/machine-id", hashlib.md5(b"plimsoll").hexdigest() + "\n")
    units = tree + "/etc/systemd/system/"
    write(units + "tests.service", UNIT)
    os.makedirs(units + "multi-user.target.wants", exist_ok=True)
    os.symlink("../tests.service", units + "multi-user.target.wants/tests.service")
    for unit in MASKED:
        if not os.path.lexists(units + unit):
            os.symlink("/dev/null", units + unit)


def add_kernel(kernel, package, building, tree):
    """Its image and first file system beside the root, its modules into the root."""
    [newest] = re.findall(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", package))
    deb = "%s/%s" % (building, kernel)
    os.mkdir(deb)
    os.chmod(deb, 0o777)  # apt-get gives up root to download
    run("apt-get", "-q", "download", newest, cwd=deb)
    [archive] = glob.glob(deb + "/*.deb")
    run("dpkg", "-x", archive, deb + "/files")
    [image] = glob.glob(deb + "/files/boot/vmlinuz-*")
    release = os.path.basename(image).removeprefix("vmlinuz-")
    shutil.move(image, "%s/vmlinuz-%s" % (building, kernel))
    shutil.copytree("%s/files/lib/modules/%s" % (deb, release), "%s/usr/lib/modules/%s" % (tree, release))
    run("depmod", "-b", tree, release)
    make_initrd(release, tree, deb + "/initrd", "%s/initrd-%s" % (building, kernel))
    shutil.rmtree(deb)


def make_initrd(release, tree, folder, into):
    """busybox, and the modules that reach the root's disk, in the order of their needs."""
    for name in ("bin", "dev", "root", "modules.d"):
        os.makedirs("%s/%s" % (folder, name))
    shutil.copy("/bin/busybox", folder + "/bin/busybox")
    order = []
    for module in INITRD_MODULES:
        for line in run("modprobe", "-d", tree, "-S", release, "--show-depends", module).splitlines():
            words = line.split()
            if words[0] == "insmod" and words[1] not in order:
                order.append(words[1])
    names = []
    for path in order:
        name = "modules.d/" + os.path.basename(path)
        shutil.copy(path, "%s/%s" % (folder, name))
        if name.endswith(".xz"):
            run("xz", "-d", "%s/%s" % (folder, name))
            name = name.removesuffix(".xz")
        names.append(name)
    write(folder + "/modules", "\n".join(names) + "\n")
    write(folder + "/init", INIT)
    os.chmod(folder + "/init", 0o755)
    with open(into, "wb") as output:
        subprocess.run("find . | cpio --quiet -o -H newc | gzip -1", shell=True, check=True, cwd=folder, stdout=output)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
