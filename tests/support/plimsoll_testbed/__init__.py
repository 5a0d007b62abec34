# SPDX-License-Identifier: Apache-2.0
"""Real containers, a real agent and a real Prometheus for end-to-end tests; everything is private and removed at exit."""

from .agent import BINARY, Agent, command, free_port, http_get, page_by, watching
from .born import Born, Life, now
from .certificates import ADOPTED, KEPT, Authority, WebAgent, basic, bcrypt, client_context, fingerprint
from .cgroup import Cgroup, cgroup_path, hierarchies, unified
from .cleanup import defer, workdir
from .costs import HEADERS, Crowd, cpu_clock, resident_mib
from .cpu_history import CpuHistory
from .facts import CANNOT_START, kernel_facts, note
from .kernel_objects import entries, held_by, programs_of, still_there, verified_instructions
from .kubernetes import Pod
from .ledger import Measurement, ids, kernel_failures, measure, thread_seconds
from .loop_disk import LoopDisk
from .metrics import Families, ParseError, Sample, parse
from .mover import Mover
from .package import build_package, control_field, package_root
from .netns import Netns
from .prometheus import Prometheus, promtool_check
from .reading import Reading, cpu_seconds, outside, residual
from .remote_shell import RemoteShell
from .rootfs import Rootfs, systemd_root
from .runtimes import (RUNTIMES, Container, ContainerdRuntime, DockerRuntime, LxcRuntime, NspawnRuntime,
                       PodmanRuntime, RuncRuntime)
from .service import Service
from .shell import CommandError, Daemon, run, wait_until
from .slowness import SLOWNESS
from .workloads import Truth, Waiter, binary, burner_argv, forker_argv
