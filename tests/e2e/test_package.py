# SPDX-License-Identifier: Apache-2.0
"""The Debian package and `cmake --install`: what is where, and what installing, removing and purging leave."""

import os
import re
import unittest

from testbed import NspawnRuntime, RemoteShell, build_package, command, control_field, package_root, run, workdir
from plimsoll_testbed.workloads import BUILD, ROOT

CONFIG = "/etc/plimsoll/plimsoll.yaml"
MODES = {"bin/plimsoll": 0o755, "lib/systemd/system/plimsoll.service": 0o644, "share/man/man8/plimsoll.8.gz": 0o644,
         "share/bash-completion/completions/plimsoll": 0o644, "share/doc/plimsoll/copyright": 0o644,
         "share/doc/plimsoll/changelog.gz": 0o644, "share/doc/plimsoll/metrics.md": 0o644,
         "share/doc/plimsoll/operations.md": 0o644, "lib/plimsoll/libssl.so": 0o644, "lib/plimsoll/libcrypto.so": 0o644}


def delivered():
    """Files for other programs, as far as the project has them: {path below the prefix}"""
    return {"share/plimsoll/%s/%s" % (folder, path) for folder in ("grafana", "prometheus")
            for path in tree("%s/deploy/%s" % (ROOT, folder)) if path.endswith((".json", ".yml", ".yaml"))}


def tree(root):
    """{path relative to root: mode} of all files."""
    return {os.path.relpath(os.path.join(folder, name), root): os.stat(os.path.join(folder, name)).st_mode & 0o7777
            for folder, _, names in os.walk(root) for name in names}


class Contents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.package = build_package()
        cls.root = workdir()
        run(["dpkg-deb", "-R", cls.package, cls.root])

    def test_it_has_these_files_and_no_others(self):
        wanted = {"usr/" + path: mode for path, mode in MODES.items()}
        wanted.update({"usr/" + path: 0o644 for path in delivered()})
        wanted[CONFIG[1:]] = 0o644
        found = {path: mode for path, mode in tree(self.root).items() if not path.startswith("DEBIAN/")}
        self.assertEqual(found, wanted)
        listed = [line.split() for line in run(["dpkg-deb", "-c", self.package]).stdout.splitlines()]
        self.assertEqual({line[1] for line in listed}, {"root/root"})
        self.assertEqual({line[0] for line in listed if line[0].startswith("d")}, {"drwxr-xr-x"})

    def test_control_says_what_it_is(self):
        version = command("--version").stdout.split()[1]
        self.assertEqual(control_field(self.package, "Version"), version + "-1")
        self.assertEqual(control_field(self.package, "Architecture"),
                         run(["dpkg", "--print-architecture"]).stdout.strip())
        needed = re.findall(r"\(NEEDED\).*\[lib(\w+?)[.-]", run(["readelf", "-d", BUILD + "/plimsoll"]).stdout)
        depends = control_field(self.package, "Depends")
        for library in ("bpf", "systemd", "civetweb", "isal"):
            self.assertIn(library, needed)
            self.assertRegex(depends, r"\blib%s\d" % library)

    def test_the_program_is_stripped_and_the_same(self):
        program = self.root + "/usr/bin/plimsoll"
        self.assertNotRegex(run(["readelf", "-S", "-W", program]).stdout, r"\.(debug_\w+|symtab)\b")
        packed, built = (re.search(r"Build ID: (\w+)", run(["readelf", "-n", path]).stdout).group(1)
                         for path in (program, BUILD + "/plimsoll"))
        self.assertEqual(packed, built)

    def test_what_the_administrator_may_change_is_the_configuration(self):
        with open(self.root + "/DEBIAN/conffiles", encoding="utf-8") as file:
            self.assertEqual(file.read().split(), [CONFIG])
        for script in ("postinst", "prerm", "postrm"):
            self.assertEqual(os.stat(self.root + "/DEBIAN/" + script).st_mode & 0o777, 0o755, script)
            run(["sh", "-n", self.root + "/DEBIAN/" + script])


class CmakeInstall(unittest.TestCase):
    def install(self, destination, prefix):
        run(["cmake", "--install", BUILD, "--prefix", prefix], env={**os.environ, "DESTDIR": destination})

    def test_any_prefix_gets_the_same_files_and_a_unit_that_finds_the_program(self):
        root = workdir()
        self.install(root, "/opt/plimsoll")
        wanted = {"opt/plimsoll/" + path for path in set(MODES) | delivered()} | {CONFIG[1:]}
        self.assertEqual(set(tree(root)), wanted)
        with open(root + "/opt/plimsoll/lib/systemd/system/plimsoll.service", encoding="utf-8") as unit:
            [program] = re.findall(r"^ExecStart=(\S+)", unit.read(), re.MULTILINE)
        self.assertEqual(program, "/opt/plimsoll/bin/plimsoll")
        self.assertEqual(command("--version", binary=root + program).returncode, 0)

    def test_a_configuration_that_is_there_stays(self):
        root = workdir()
        self.install(root, "/usr")
        with open(root + CONFIG, "w", encoding="utf-8") as file:
            file.write("# mine\n")
        self.install(root, "/usr")
        with open(root + CONFIG, encoding="utf-8") as file:
            self.assertEqual(file.read(), "# mine\n")


class Installed(unittest.TestCase):
    """On a Debian where systemd does not run, as in an image that is being made."""

    def setUp(self):
        package = build_package()
        self.shared = workdir()
        runtime = self.enterContext(NspawnRuntime())
        self.host = self.enterContext(RemoteShell(runtime, "plimsoll-package", self.shared,
                                                  rootfs=package_root(package), mounts=[(package, "/plimsoll.deb")]))
        self.shell("find / -xdev -not -path '/out*' -not -path '/proc*' | sort >/out/before")
        self.shell("dpkg -i /plimsoll.deb")

    def shell(self, order):
        code = self.host.do("(%s) >/out/output 2>&1" % order)
        self.assertEqual(code, 0, self.host.read("output"))
        return self.host.read("output")

    def dpkg_status(self):
        return self.shell("dpkg-query -W -f '${db:Status-Status}' plimsoll || true")

    def test_the_program_works_and_the_service_is_enabled(self):
        self.assertEqual(self.shell("/usr/bin/plimsoll --version"), command("--version").stdout)
        self.assertEqual(self.shell("dpkg --verify plimsoll"), "")
        self.assertEqual(self.shell("systemctl is-enabled plimsoll").strip(), "enabled")

    def test_the_configuration_is_accepted_and_kept_when_it_was_changed(self):
        with open(ROOT + "/config/plimsoll.yaml", encoding="utf-8") as file:
            self.assertEqual(self.shell("cat " + CONFIG), file.read())
        self.shell("plimsoll list")
        self.shell("echo '# mine' >>%s" % CONFIG)
        self.shell("dpkg -i /plimsoll.deb")
        self.assertTrue(self.shell("tail -n 1 " + CONFIG).endswith("# mine\n"))
        self.shell("dpkg --remove plimsoll")
        self.assertTrue(self.shell("tail -n 1 " + CONFIG).endswith("# mine\n"))
        self.assertEqual(self.dpkg_status(), "config-files")

    def test_what_was_disabled_stays_disabled(self):
        self.shell("systemctl disable plimsoll && dpkg -i /plimsoll.deb")
        self.assertEqual(self.shell("systemctl is-enabled plimsoll || true").strip(), "disabled")

    def test_purging_leaves_nothing(self):
        self.shell("dpkg --remove plimsoll")
        self.shell("test ! -e /usr/bin/plimsoll -a ! -e /usr/lib/systemd/system/plimsoll.service -a -e " + CONFIG)
        self.shell("dpkg --purge plimsoll")
        self.shell("find / -xdev -not -path '/out*' -not -path '/proc*' | sort >/out/after")
        self.assertNotIn(self.dpkg_status(), ("installed", "config-files"))
        before, after = self.host.read("before").splitlines(), self.host.read("after").splitlines()
        new = [path for path in set(after) - set(before) if not path.startswith(("/var/lib/dpkg", "/var/log"))]
        self.assertEqual(sorted(new), [])
        self.assertEqual([path for path in after if "plimsoll" in path and path != "/plimsoll.deb"], [])


if __name__ == "__main__":
    unittest.main()
