# SPDX-License-Identifier: Apache-2.0
"""Bad configuration, bad hosts, closed streams: one clear answer, the right exit code, at once."""

import os
import shutil
import socket
import time
import unittest

from testbed import BINARY, Agent, Born, Cgroup, kernel_failures, run, workdir

SOON = 15  # seconds; what waits for something, waits for ever; a busy machine takes a second or two


def timed(argv, **options):
    """(exit code, standard output, lines of standard error), and it must be quick."""
    begin = time.monotonic()
    done = run(argv, check=False, timeout=20, **options)
    took = time.monotonic() - begin
    assert took < SOON, "%s took %.1f s" % (argv, took)
    return done.returncode, done.stdout, done.stderr.splitlines()


class Configuration(unittest.TestCase):
    def setUp(self):
        self.dir = workdir()
        self.path = self.dir + "/plimsoll.yaml"

    def write(self, content):
        with open(self.path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return self.path

    def refusal(self, path):
        """The lines with which all three commands refuse the file."""
        answers = [timed([BINARY, name, "--config", path]) for name in ("daemon", "check", "list")]
        for code, output, problems in answers:
            self.assertEqual((code, output, problems), (2, "", answers[0][2]))
        self.assertTrue(answers[0][2])
        return answers[0][2]

    def test_all_problems_are_told_at_once_each_with_its_place(self):
        problems = self.refusal(self.write("""web:
  listen: 7
  lisen: "127.0.0.1:1"
containers:
  max: 0
  linger: 5
  max: 3
  discover: [docker, dokcer]
  include:
    - {runtime: vax}
log: {level: loud, format: [text]}
probes:
  ledger: {enabled: perhaps}
"""))
        places = ["2:11", "3:3", "5:8", "6:11", "7:3", "8:22", "10:17", "11:14", "11:28", "13:21"]
        self.assertEqual([line[:len(self.path) + 1 + len(place) + 2] for line, place in zip(problems, places)],
                         ["%s:%s: " % (self.path, place) for place in places])
        self.assertEqual(len(problems), len(places))
        for line, word in zip(problems, ["listen", "lisen", "max", "linger", "max", "dokcer", "vax", "loud", "format",
                                         "perhaps"]):
            self.assertIn(word, line)

    def test_what_is_no_regular_file_is_refused_without_reading_it(self):
        os.mkfifo(self.dir + "/fifo")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.dir + "/socket")
            for path, word in ((self.dir, "directory"), (self.dir + "/fifo", "FIFO"), ("/dev/zero", "device"),
                               (self.dir + "/socket", "socket"), ("/dev/null", "device")):
                with self.subTest(path):
                    problems = self.refusal(path)
                    self.assertEqual(len(problems), 1)
                    self.assertIn(word, problems[0])
                    self.assertIn(path, problems[0])

    def test_hostile_text_is_refused(self):
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            "%s: &%s [%s]\n" % (name, name, ",".join(["*" + before] * 9))
            for before, name in zip("abcdefgh", "bcdefghi"))
        for what, content in (("too large", "#" * 1000 + "\n" + "# line\n" * 10000), ("alias bomb", bomb),
                              ("deep nesting", "containers: " + "[" * 5000), ("deep blocks", "- " * 5000),
                              ("binary", os.urandom(4096)), ("NUL", b"log: {level: \0}\n"),
                              ("no UTF-8", b"log: \xff\n"),
                              ("an unfinished quote", 'log: "x\n'), ("two documents", "log: {}\n---\nlog: {}\n"),
                              ("a tag", "log: !!binary aGk=\n"), ("a list", "- a\n- b\n"), ("a scalar", "hello\n")):
            with self.subTest(what):
                self.assertTrue(self.refusal(self.write(content))[0].startswith(self.path + ":"))

    def test_a_missing_file_is_named(self):
        problems = self.refusal(self.path)
        self.assertEqual(problems, ["%s: cannot be read: No such file or directory" % self.path])

    def test_an_empty_file_and_the_documented_one_are_fine(self):
        documented = os.path.join(os.path.dirname(__file__), "../../config/plimsoll.yaml")
        for path in (self.write(""), documented):
            code, _, problems = timed([BINARY, "list", "--config", path])
            self.assertEqual((code, problems), (0, []))


class Usage(unittest.TestCase):
    def test_it_exits_with_2_and_names_what_is_wrong(self):
        for arguments, word in ((["daemon", "--nonsense"], "--nonsense"), ([], "command"),
                                (["frobnicate"], "frobnicate"),
                                (["list", "--format", "xml"], "xml"), (["metrics", "surplus"], "surplus"),
                                (["daemon", "--log.level", "loud"], "loud"), (["daemon", "--config"], "--config"),
                                (["daemon", "--web.listen-address", "nonsense"], "nonsense"),
                                (["daemon", "--web.listen-address", "127.0.0.1:99999"], "99999")):
            with self.subTest(" ".join(arguments)):
                code, output, problems = timed([BINARY, *arguments])
                self.assertEqual((code, output), (2, ""))
                self.assertIn(word, "\n".join(problems))


class Host(unittest.TestCase):
    """A host that lacks something. Made by namespaces and capabilities of the one process only."""

    def setUp(self):
        self.dir = workdir()
        self.binary = self.dir + "/plimsoll"  # where a user without rights can reach it
        shutil.copy(BINARY, self.binary)
        self.daemon = [self.binary, "daemon", "--web.listen-address", "127.0.0.1:0"]

    def check_refused(self, before, words, command_fails=("check",)):
        """before: what the command line starts with; words: what the one sentence must contain."""
        code, output, problems = timed(before + self.daemon)
        self.assertEqual((code, output, len(problems)), (1, "", 1), problems)
        for word in words:
            self.assertIn(word, problems[0])
        for name in command_fails:
            code, output, problems = timed(before + [self.binary, name])
            self.assertEqual(code, 1)
            told = output + "\n".join(problems)
            for word in words:
                self.assertIn(word, told)
            if name == "check":
                self.assertIn("FAIL", output)
                self.assertIn("would not start", output)

    def in_mounts_without(self, script):
        return ["unshare", "--mount", "sh", "-ec", script + '; exec "$0" "$@"']

    def test_no_type_information(self):
        self.check_refused(self.in_mounts_without("mount -t tmpfs none /sys/kernel/btf"),
                           ["BTF", "/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"])

    def test_damaged_type_information(self):
        with open(self.dir + "/damaged", "wb") as file:
            file.write(os.urandom(4096))
        self.check_refused(self.in_mounts_without("mount --bind %s/damaged /sys/kernel/btf/vmlinux" % self.dir),
                           ["BTF", "/sys/kernel/btf/vmlinux", "damaged"])

    def test_too_few_descriptors(self):
        self.check_refused(["prlimit", "--nofile=20:20"], ["Too many open files"])

    def test_no_cgroup_mount(self):
        self.check_refused(self.in_mounts_without("umount --recursive --lazy /sys/fs/cgroup"),
                           ["cgroup", "mount -t cgroup2"], ["check", "list"])

    def test_a_missing_capability_is_named(self):
        for dropped, named, unnamed in ((["bpf", "sys_admin"], ["CAP_BPF"], "CAP_PERFMON"),
                                        (["perfmon", "sys_admin"], ["CAP_PERFMON"], "CAP_BPF"),
                                        (["dac_read_search"], ["CAP_DAC_READ_SEARCH"], "CAP_BPF"),
                                        (["all"], ["CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH"], "CAP_SYS_ADMIN")):
            with self.subTest(dropped):
                before = ["setpriv", "--bounding-set=" + ",".join("-" + name for name in dropped)]
                self.check_refused(before, named)
                self.assertNotIn(unnamed, "\n".join(timed(before + self.daemon)[2]))

    def test_another_user(self):
        self.check_refused(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], ["CAP_BPF", "as root"])
        code, _, _ = timed(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", self.binary, "metrics"])
        self.assertEqual(code, 0)

    def test_no_more_than_the_named_capabilities_are_needed(self):
        few = ["setpriv", "--bounding-set=-all,+bpf,+perfmon,+dac_read_search"]
        code, output, problems = timed(few + [self.binary, "check"])
        self.assertEqual((code, problems), (0, []), output)
        config = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-few/*"}]}}
        with Agent(config, wrapper=few) as agent, Cgroup("/plimsoll-few/new") as cgroup:
            life = Born(cgroup, lambda: time.sleep(0.02)).wait()
            families = agent.metrics()
            self.assertEqual(kernel_failures(families), {})
            up = families.by("probe", "plimsoll_probe_up")
            # Only these look into processes, and say so: CAP_SYS_PTRACE.
            self.assertEqual({probe for probe, value in up.items() if not value}, {"network", "traffic", "filesystem"}, up)
            self.assertLessEqual({"ledger", "process", "cpu", "memory", "diskio", "pressure", "tasks", "machine"}, set(up))
            self.assertEqual(len(families.samples("container_cpu_usage_seconds_total", id=cgroup.path)), 1)
            self.assertGreater(families.value("container_memory_usage_bytes", id="/"), 0)
            lifetime = families.value("container_thread_lifetime_seconds_total", id=cgroup.path)
            self.assertTrue(life.inside <= lifetime <= life.outside, (life.inside, lifetime, life.outside))
            self.assertEqual(agent.stop(), 0)

    def test_check_says_that_this_machine_is_fine(self):
        code, output, problems = timed([self.binary, "check"])
        self.assertEqual((code, problems), (0, []))
        self.assertIn("The agent would start here.", output)
        self.assertNotIn("FAIL", output)


class Port(unittest.TestCase):
    def test_a_port_in_use_is_one_sentence(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            code, output, problems = timed([BINARY, "daemon", "--web.listen-address", address])
            self.assertEqual((code, output, len(problems)), (1, "", 1), problems)
            self.assertIn(address, problems[0])
            self.assertIn("in use", problems[0])

    def test_an_address_of_another_machine_is_one_sentence(self):
        code, _, problems = timed([BINARY, "daemon", "--web.listen-address", "192.0.2.1:9752"])
        self.assertEqual((code, len(problems)), (1, 1), problems)
        self.assertIn("192.0.2.1", problems[0])


class Streams(unittest.TestCase):
    """Standard streams that are closed, full, or read by nobody."""

    def shell(self, redirection, *arguments):
        return timed(["sh", "-c", '"$@" ' + redirection, "sh", BINARY, *arguments])

    def test_output_that_cannot_be_written_is_a_failure(self):
        for name in ("metrics", "list", "check", "--help"):
            for redirection in (">&-", ">/dev/full"):
                with self.subTest(name + redirection):
                    code, _, problems = self.shell(redirection, name)
                    self.assertEqual((code, len(problems)), (1, 1))

    def test_closed_standard_error_changes_nothing(self):
        self.assertEqual(self.shell("2>&-", "daemon", "--nonsense")[0], 2)
        self.assertEqual(self.shell("2>&-", "metrics")[0], 0)

    def test_the_daemon_runs_without_standard_streams(self):
        with Agent(wrapper=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]) as agent:
            standard = [os.readlink("/proc/%d/fd/%d" % (agent.pid, fd)) for fd in range(3)]
            self.assertEqual(standard, ["/dev/null"] * 3)
            self.assertEqual(agent.metrics().value("plimsoll_probe_up", probe="ledger"), 1)
            self.assertEqual(agent.stop(), 0)

    def test_the_daemon_outlives_the_reader_of_its_log(self):
        with Agent(wrapper=["python3", "-c", """import os, sys
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
os.dup2(writing, 2)
os.execv(sys.argv[1], sys.argv[1:])"""]) as agent:
            self.assertEqual(agent.metrics().value("plimsoll_probe_up", probe="ledger"), 1)
            self.assertEqual(agent.stop(), 0)


if __name__ == "__main__":
    unittest.main()
