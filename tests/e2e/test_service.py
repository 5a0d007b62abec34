# SPDX-License-Identifier: Apache-2.0
"""plimsoll.service under a real systemd: the package on a booted Debian, in the sandbox that the unit describes."""

import json
import os
import re
import shutil
import signal
import unittest

from testbed import (Authority, Cgroup, NspawnRuntime, RemoteShell, RuncRuntime, Service, bcrypt, held_by, note, run,
                     still_there, wait_until, workdir)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
UNIT_FILE = ROOT + "/deploy/systemd/plimsoll.service"
EXPOSURE = 2.3  # what systemd-analyze calls OK goes up to 5
CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19, "CAP_PERFMON": 38, "CAP_BPF": 39}
NOWHERE = {"web": {"listen": ["192.0.2.1:9752"]}}  # for documentation only, so no host has it
BESIDE = "/plimsoll-service"


def unit_text():
    with open(UNIT_FILE, encoding="utf-8") as file:
        return file.read()


def status(pid):
    """{field: value} of /proc/PID/status of each thread."""
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, tid), encoding="utf-8") as lines:
            yield {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


class UnitFile(unittest.TestCase):
    def test_it_exposes_little(self):
        done = run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT_FILE])
        exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout).group(1))
        print("    exposure %.1f" % exposure)
        self.assertLessEqual(exposure, EXPOSURE)

    def test_what_remains_open_has_its_reason(self):
        """Each point that systemd-analyze still counts is named in the unit."""
        done = run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT_FILE])
        left = re.findall(r"^✗ (\S+?)=(\S*)", done.stdout, re.MULTILINE)
        self.assertTrue(left)
        for setting, value in left:
            for name in [setting.split("=")[0].split("/")[0]] + re.findall(r"CAP_(?:BPF|NET_ADMIN|SYS_PTRACE)|AF_\w+", value):
                self.assertIn(name, unit_text())


class Case(unittest.TestCase):
    def setUp(self):
        self.runtime = self.enterContext(NspawnRuntime())
        self.service = Service(self.runtime, "plimsoll-service")
        self.service.install()

    def start_over(self, drop_in=""):
        self.service.drop_in("[Service]\n" + drop_in)
        self.service.sh("systemctl reset-failed")
        self.service.restart()


class Running(Case):
    def test_it_runs_and_answers_as_soon_as_the_package_is_installed(self):
        self.service.metrics()
        self.assertEqual(self.service.show("Type", "ActiveState", "UnitFileState", "NRestarts"),
                         {"Type": "notify", "ActiveState": "active", "UnitFileState": "enabled", "NRestarts": "0"})
        self.assertEqual(self.service.sh("systemctl is-system-running").strip(), "running")

    def test_the_unit_is_without_a_fault(self):
        done = self.service.container.exec(["systemd-analyze", "verify", "--man=no", "plimsoll.service"])
        self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_it_has_the_capabilities_of_the_unit_and_is_nobody(self):
        listed = re.search(r"^CapabilityBoundingSet=(.*)", unit_text(), re.MULTILINE).group(1).split()
        def mask(names):
            return "%016x" % sum(1 << CAPABILITIES[name] for name in names)
        threads = list(status(self.service.pid()))
        self.assertGreater(len(threads), 1)
        for thread in threads:
            self.assertEqual(thread["CapBnd"], mask(listed))
            self.assertEqual((thread["CapInh"], thread["CapAmb"]), (mask(()), mask(())))
        loop, *web = threads
        self.assertEqual((loop["CapEff"], loop["CapPrm"]), (mask(set(listed) - {"CAP_BPF", "CAP_PERFMON"}), mask(listed)))
        self.assertEqual({(thread["CapEff"], thread["CapPrm"]) for thread in web}, {(mask(()), mask(()))})
        note("service", "starts in its sandbox with its five capabilities, under a user of its own", "yes")
        for thread in threads:
            self.assertNotIn("0", thread["Uid"].split())
            self.assertEqual((thread["NoNewPrivs"], thread["Seccomp"]), ("1", "2"))

    def test_what_needs_another_capability_says_so(self):
        self.service.configure({"self": {"bpf_stats": True}})
        self.service.restart()
        self.assertNotIn("plimsoll_program_runs_total", self.service.metrics())
        self.assertRegex(self.service.log(), "warning: self.bpf_stats: .*CAP_SYS_ADMIN")
        self.start_over("CapabilityBoundingSet=CAP_SYS_ADMIN\nAmbientCapabilities=CAP_SYS_ADMIN")
        self.assertTrue(self.service.metrics().samples("plimsoll_program_runs_total"))

    def test_a_reload_reads_the_configuration_again(self):
        pid = self.service.pid()
        for tcp in (False, True):  # a probe that has to get at the kernel again, in the sandbox
            self.service.configure({"probes": {"tcp": {"enabled": tcp}}})
            self.service.sh("systemctl reload plimsoll")
            wait_until(lambda tcp=tcp: self.probes().get("tcp") == (1 if tcp else None), 10, "the reload", interval=0.1)
        self.service.configure("nonsense: 1")
        self.service.sh("systemctl reload plimsoll")
        wait_until(lambda: self.service.metrics().value("plimsoll_config_last_reload_successful") == 0, 10,
                   "the second reload", interval=0.1)
        self.assertIn("nonsense", self.service.log())
        self.assertEqual(self.service.show("ActiveState", "NRestarts"), {"ActiveState": "active", "NRestarts": "0"})
        self.assertEqual((self.service.pid(), self.probes()["tcp"]), (pid, 1))
        note("service", "reloads", "yes")

    def test_it_serves_tls_with_secrets_that_only_root_may_read(self):
        """In the sandbox, and without OpenSSL's package for developers."""
        authority = Authority()
        for source, name in zip(authority.issue("agent"), ("agent.pem", "agent.key")):
            shutil.copy(source, self.service.shared)
            self.service.sh("mkdir -pm 700 /etc/plimsoll/tls; install -m 600 /out/%s /etc/plimsoll/tls/%s"
                            % (os.path.basename(source), name))
        web = {"tls_server_config": {"cert_file": "tls/agent.pem", "key_file": "tls/agent.key"},
               "basic_auth_users": {"prometheus": bcrypt("secret", 5)}}
        self.service.write("/etc/plimsoll/web.yml", json.dumps(web))
        self.service.sh("chmod 600 /etc/plimsoll/web.yml; ! ls /usr/lib/*-linux-gnu/libssl.so")
        self.service.configure({"web": {"config_file": "web.yml"}})
        self.service.sh("systemctl reload plimsoll")

        def answer(*arguments):
            return run(["nsenter", "-t", self.service.container.pid, "-n", "curl", "-s", "--cacert", authority.certificate,
                        "-w", "%{http_code}", *arguments, "https://127.0.0.1:9752/readyz"], check=False).stdout
        wait_until(lambda: answer("-u", "prometheus:secret") == "ready\n200", 10, "TLS", interval=0.1)
        self.assertTrue(answer().endswith("401"))
        self.assertNotIn("everybody", self.service.log())

    def probes(self):
        return self.service.metrics().by("probe", "plimsoll_probe_up")

    def test_containers_inside_and_beside_are_counted_apart(self):
        inside = self.service.container.cgroup_path + "/payload/system.slice/inside.service"
        self.service.configure({"containers": {"discover": [], "cgroups": [{"path": BESIDE + "/*"}, {"path": inside}]}})
        self.service.restart()
        with RuncRuntime() as runtime, RemoteShell(runtime, "beside", workdir(), cgroup=BESIDE + "/beside") as beside:
            before = self.forks(beside.id)
            beside.do("; ".join(["/bin/true"] * 29))
            self.assertEqual(self.forks(beside.id) - before, 29)
            self.service.sh("systemd-run -q --unit=inside sh -c '%s; exec sleep 1000'" % "; ".join(["/bin/true"] * 23))
            wait_until(lambda: self.forks(inside) >= 23, 10, "23 forks", interval=0.1)
            self.assertEqual(self.forks(inside), 23)
            self.assertEqual(self.forks(beside.id) - before, 29)

    def forks(self, container):
        found = self.service.metrics().samples("container_process_forks_total", id=container)
        return found[0].value if found else 0


class Ending(Case):
    def test_a_stop_is_clean_and_leaves_nothing_in_the_kernel(self):
        held = held_by(self.service.pid())
        self.assertTrue(held["prog"] and held["map"] and held["link"])
        self.service.sh("systemctl stop plimsoll")
        self.assertEqual(self.service.show("ActiveState", "Result", "ExecMainStatus", "NRestarts"),
                         {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0", "NRestarts": "0"})
        self.assertFalse(os.path.exists(Cgroup(self.service.cgroup_path).identity()))
        wait_until(lambda: not any(still_there(held).values()), 10, "end of the BPF programs", interval=0.1)
        note("service", "stops", "yes")

    def test_an_agent_that_hangs_is_started_again(self):
        self.start_over("WatchdogSec=3s")
        hung = self.service.pid()
        seen = set()
        for _ in range(4):  # reports come, and the agent lives longer than the interval by them
            seen.add(self.service.wait_for(WatchdogTimestampMonotonic=lambda value: value not in seen)
                     ["WatchdogTimestampMonotonic"])
        self.assertEqual((self.service.pid(), self.service.show("NRestarts")["NRestarts"]), (hung, "0"))
        os.kill(hung, signal.SIGSTOP)
        self.service.wait_for(40, NRestarts="1", ActiveState="active")
        self.assertNotEqual(self.service.pid(), hung)
        self.assertIn("Watchdog timeout", self.service.log())
        note("service", "feeds its watchdog", "yes")
        self.service.metrics()

    def test_an_agent_that_is_killed_is_started_again(self):
        self.start_over("RestartSec=100ms")
        os.kill(self.service.pid(), signal.SIGKILL)
        self.service.wait_for(NRestarts="1", ActiveState="active")
        self.service.sh("systemctl kill -s ABRT plimsoll")
        self.service.wait_for(NRestarts="2", ActiveState="active")
        self.service.metrics()
        note("service", "is started again after SIGABRT", "yes")

    def test_a_mistake_in_the_configuration_waits_for_a_person(self):
        self.service.configure("web: {listn: [':9752']}\n")
        self.start_over("RestartSec=100ms")
        self.service.wait_for(ActiveState="failed", ExecMainStatus="2", NRestarts="0")
        self.assertIn("listn", self.service.log())
        self.service.configure({})
        self.service.restart()
        self.service.metrics()

    def test_what_cannot_be_done_is_tried_again_but_not_for_ever(self):
        self.service.configure(NOWHERE)
        self.start_over("RestartSec=100ms")
        seen = self.service.wait_for(30, ActiveState="failed", ExecMainStatus="1", NRestarts=lambda times: int(times) > 1)
        self.assertLessEqual(int(seen["NRestarts"]), 10)
        self.assertIn("192.0.2.1", self.service.log())

    def test_removal_ends_it_and_purging_forgets_it(self):
        self.service.sh("dpkg --remove plimsoll")
        self.assertEqual(self.service.show("ActiveState", "LoadState"),
                         {"ActiveState": "inactive", "LoadState": "not-found"})
        self.service.sh("dpkg --purge plimsoll")
        self.assertEqual(self.service.sh("find / -xdev -name '*plimsoll*' -not -path '/out/*' -not -path '/proc*'"), "")
        self.assertEqual(self.service.sh("systemctl is-system-running").strip(), "running")


class Sandbox(Case):
    """The unit's sandbox with a shell in the agent's place."""

    def look(self, script, without=None):
        """What the script prints there, perhaps without one of the capabilities."""
        unit = re.sub(r"(?m)^(Restart|Watchdog|NotifyAccess)\w*=.*\n|^\[Install\](.|\n)*", "", unit_text())
        unit = unit.replace("Type=notify", "Type=oneshot\nStandardOutput=truncate:/out/seen\nStandardError=inherit")
        if without:
            unit = re.sub(r" ?\b%s\b" % without, "", unit)
        self.service.write("/run/look", script)
        unit = re.sub(r"(?m)^ExecStart=.*", "ExecStart=sh /run/look", unit)
        self.service.write("/run/systemd/system/look.service", unit)
        self.service.sh("systemctl daemon-reload && systemctl start look")
        with open(self.service.shared + "/seen", encoding="utf-8") as file:
            return file.read().splitlines()

    def test_it_does_not_hide_what_the_agent_reads(self):
        home = "/home" + "/alice"
        secrets = ["/var/lib/docker/containers/a/config", "/run/containerd/state/b", home + "/.local/share/c",
                   "/run/user/1000/containers/d", "/root/containers/e"]
        for path in secrets:
            self.service.write(path, "contents of %s\n" % path)
            self.service.sh("chmod 600 %s; chmod 700 $(dirname %s)" % (path, path))
        self.service.sh("chmod 700 %s" % home)
        self.service.sh("systemd-run -q --unit=other -p User=nobody -p PrivateNetwork=yes sleep 1000")
        pid = self.service.sh("systemctl show -P MainPID other").strip()
        cgroup = self.service.container.cgroup_path + "/payload/system.slice/other.service"
        reads = ["cat " + path for path in secrets] + [
            "readlink /proc/%s/ns/net" % pid, "grep -c . /proc/%s/net/dev" % pid, "cat /proc/%s/mountinfo" % pid,
            "stat -f -c '%%T %%s' /proc/%s/root" % pid, "cat /proc/%s/cgroup" % pid,
            "cat /sys/fs/cgroup%s/cpu.stat | grep -c ." % cgroup, "cat /proc/sys/kernel/osrelease"]
        truth = self.service.sh("\n".join(reads)).splitlines()
        self.assertEqual(self.look("\n".join(reads)), truth)
        self.assertGreater(len(truth), len(reads))

    def test_none_of_its_capabilities_is_too_many(self):
        """What each alone is good for; truth is what fails without it."""
        self.service.write("/var/lib/docker/secret", "of root's")
        self.service.sh("chmod 600 /var/lib/docker/secret; systemd-run -q --unit=other -p User=nobody sleep 1000")
        script = """
            checked=$(plimsoll check) && echo programs
            echo "$checked" | grep -q "^ok *probe traffic" && echo traffic
            readlink /proc/%s/ns/net >/dev/null && echo namespace
            cat /var/lib/docker/secret >/dev/null && echo file
            true
        """ % self.service.sh("systemctl show -P MainPID other").strip()
        self.assertEqual(self.look(script), ["programs", "traffic", "namespace", "file"])
        lost = {"CAP_BPF": {"programs", "traffic"}, "CAP_PERFMON": {"programs", "traffic"},
                "CAP_SYS_PTRACE": {"traffic", "namespace"}, "CAP_DAC_READ_SEARCH": {"programs", "traffic", "file"},
                "CAP_NET_ADMIN": {"traffic"}}
        everything = set.union(*lost.values())
        self.assertEqual(set(lost), set(CAPABILITIES))
        for name, what in lost.items():
            with self.subTest(name):
                self.assertEqual(everything - set(self.look(script, without=name)), what)

    def test_it_can_change_nothing_even_where_anybody_can(self):
        places = " ".join(place + "/for-all" for place in ("/etc", "/usr", "/var/lib", "/home", "/run", "/srv"))
        self.service.sh("mkdir -m 777 %s" % places)
        script = "for d in %s; do (: >$d/$$) 2>/dev/null && echo $d; done\nunshare -Un true && echo namespace\ntrue\n"
        self.service.write("/run/look", script % places)
        anybody = self.service.sh("systemd-run -q --wait --pipe -p User=nobody sh /run/look").split()
        self.assertEqual(anybody, places.split() + ["namespace"])
        self.assertEqual([line for line in self.look(script % places) if line in anybody], [])


if __name__ == "__main__":
    unittest.main()
