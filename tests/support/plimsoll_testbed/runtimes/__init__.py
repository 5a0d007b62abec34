# SPDX-License-Identifier: Apache-2.0
"""One class per container runtime, all with the same face: run() gives a Container."""

from .base import Container, Runtime
from .containerd import ContainerdRuntime
from .docker import DockerRuntime
from .lxc import LxcRuntime
from .nspawn import NspawnRuntime
from .podman import PodmanRuntime
from .runc import RuncRuntime

RUNTIMES = {"runc": RuncRuntime, "docker": DockerRuntime, "containerd": ContainerdRuntime, "podman": PodmanRuntime,
            "lxc": LxcRuntime, "nspawn": NspawnRuntime}

__all__ = ["Container", "ContainerdRuntime", "DockerRuntime", "LxcRuntime", "NspawnRuntime", "PodmanRuntime",
           "RUNTIMES", "RuncRuntime", "Runtime"]
