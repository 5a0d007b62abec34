# SPDX-License-Identifier: Apache-2.0
"""A pod as containerd's CRI plugin leaves it: cgroups of the systemd driver, and bundles with annotations."""

import json
import os

from .cleanup import workdir

UID = "1d9a6f4e-5b1c-4c2f-9e53-0a3f1f0c7d11"


class Pod:
    """Processes come from runc: `runtime.run(name, argv, cgroup=pod.container("front", "image:1"))`."""

    def __init__(self, name="shop-7f9", namespace="prod", uid=UID):
        self.name, self.namespace, self.uid = name, namespace, uid
        self.root = workdir()
        self.cgroup = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice" % uid.replace("-", "_")

    def agent_roots(self):
        return {"containerd": [self.root]}

    def sandbox(self, container_id="a1" * 32):
        """The path of the pause container's cgroup."""
        return self._add(container_id, {"container-type": "sandbox"})

    def container(self, name, image, container_id="b2" * 32):
        """The path of a container's cgroup."""
        return self._add(container_id, {"container-type": "container", "container-name": name, "image-name": image})

    def _add(self, container_id, annotations):
        directory = "%s/io.containerd.runtime.v2.task/k8s.io/%s" % (self.root, container_id)
        os.makedirs(directory)
        annotations.update({"sandbox-name": self.name, "sandbox-namespace": self.namespace, "sandbox-uid": self.uid})
        with open(directory + "/config.json", "w", encoding="utf-8") as file:
            json.dump({"annotations": {"io.kubernetes.cri." + key: value for key, value in annotations.items()}}, file)
        return "%s/cri-containerd-%s.scope" % (self.cgroup, container_id)
