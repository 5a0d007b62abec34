# SPDX-License-Identifier: Apache-2.0
"""A private containerd, driven by ctr."""

import hashlib
import json
import os
import shutil

from ..shell import Daemon, run
from .base import Container, Runtime

IMAGE = "localhost/busybox:1"


def start_containerd(directory):
    """A containerd without its Kubernetes part, with all state below directory; .socket is its address."""
    os.makedirs(directory)
    config = directory + "/config.toml"
    with open(config, "w", encoding="utf-8") as file:
        file.write('version = 2\nroot = "%s/root"\nstate = "%s/state"\n'
                   'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                   '[grpc]\n  address = "%s/c.sock"\n' % ((directory,) * 3))
    daemon = Daemon(["containerd", "--config", config], directory + "/log")
    daemon.socket = directory + "/c.sock"
    daemon.wait_ready(lambda: run(["ctr", "-a", daemon.socket, "version"], check=False).returncode == 0)
    return daemon


class ContainerdRuntime(Runtime):
    NAME = "containerd"
    PARENTS = ("/default",)

    def start_daemon(self):
        self._daemon = start_containerd(self.dir + "/d")
        run(self._ctr("image", "import", "--base-name", "localhost/busybox", self._oci_image()))

    def stop_daemon(self):
        self._daemon.stop()

    def agent_roots(self):
        return {"containerd": [self.dir + "/d/state"]}

    def exec_argv(self, container, argv):
        return self._ctr("task", "exec", "--exec-id", "e%s" % os.urandom(4).hex(), container.id, *argv)

    def _start(self, name, argv, mounts, cpus, cpuset, memory, labels, cgroup=None):
        """cgroup: the path; default is containerd's /NAMESPACE/NAME. A cpuset is given by taskset: ctr has none."""
        arguments = ["run", "-d", "--pid-file", "%s/%s.pid" % (self.dir, name), "--runc-root", self.dir + "/runc"]
        for flag, value in (("--cpus", cpus), ("--memory-limit", memory), ("--cgroup", cgroup)):
            arguments += [flag, str(value)] if value else []
        for key, value in labels.items():
            arguments += ["--label", "%s=%s" % (key, value)]
        for outside, inside in mounts:
            arguments += ["--mount", "type=bind,src=%s,dst=%s,options=rbind:rw" % (outside, inside)]
        pinned = ["taskset", "-c", cpuset] if cpuset else []
        run(self._ctr(*arguments, IMAGE, name, *pinned, *argv))
        with open("%s/%s.pid" % (self.dir, name), encoding="utf-8") as file:
            return Container(self, name, name, int(file.read()))

    def _stop(self, container):
        run(self._ctr("task", "kill", "-s", "KILL", container.id), check=False)

    def _remove(self, container):
        run(self._ctr("task", "rm", "-f", container.id), check=False)
        run(self._ctr("container", "rm", container.id))

    def _ctr(self, *arguments):
        return ["ctr", "-a", self._daemon.socket, *arguments]

    def _oci_image(self):
        """An OCI image archive around the tar of the root file system."""
        base = self.dir + "/oci"
        os.makedirs(base + "/blobs/sha256")

        def blob(data, media_type):
            digest = hashlib.sha256(data).hexdigest()
            with open("%s/blobs/sha256/%s" % (base, digest), "wb") as file:
                file.write(data)
            return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

        with open(self._image_tar(), "rb") as tar:
            layer = blob(tar.read(), "application/vnd.oci.image.layer.v1.tar")
        config = blob(json.dumps({
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine], "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }).encode(), "application/vnd.oci.image.config.v1+json")
        manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode(),
                        "application/vnd.oci.image.manifest.v1+json")
        manifest["annotations"] = {"org.opencontainers.image.ref.name": "1"}
        with open(base + "/index.json", "w", encoding="utf-8") as file:
            json.dump({"schemaVersion": 2, "manifests": [manifest]}, file)
        with open(base + "/oci-layout", "w", encoding="utf-8") as file:
            json.dump({"imageLayoutVersion": "1.0.0"}, file)
        run(["tar", "-C", base, "-cf", self.dir + "/image.tar", "."])
        shutil.rmtree(base)
        return self.dir + "/image.tar"
