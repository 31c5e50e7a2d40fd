"""A pod that sends requests from inside the cluster's network, subject to its policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from e2e.harness.kubectl import Kubectl, Object

SCRIPT: Final = Path(__file__).parents[1] / "pods" / "client.py"


class Client:
    """A pod `client` that idles between commands."""

    def __init__(self, kubectl: Kubectl, image: str) -> None:
        self._kubectl, self._image = kubectl, image

    def start(self) -> None:
        """Start the pod, and wait until it is ready."""
        idle = ("python", "-c", "import signal; signal.pause()")
        self._kubectl.apply(script_pod("client", self._image, SCRIPT, *idle))
        self._kubectl.wait("pod/client", "condition=Ready")

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs pods/client.py in the pod, with standard input."""
        script = ("python", "/client/client.py")
        return self._kubectl.command("exec", "--stdin", "client", "--", *script, *arguments)

    def __call__(self, *arguments: str) -> str:
        """Run pods/client.py in the pod and return what it prints."""
        return self._kubectl("exec", "client", "--", "python", "/client/client.py", *arguments)

    def get(self, url: str) -> tuple[int, str]:
        """Fetch a page; return its status and body."""
        answer = json.loads(self("get", url))
        return answer["status"], answer["body"]


def script_pod(name: str, image: str, script: Path, *command: str) -> list[Object]:
    """Return a ConfigMap with a script, and a pod that finds it in the folder /NAME.

    Args:
        name: The name of both.
        image: An image with Python.
        script: The script.
        command: The command of the pod.
    """
    head = {"apiVersion": "v1", "metadata": {"name": name, "labels": {"app": name}}}
    content = {**head, "kind": "ConfigMap", "data": {script.name: script.read_text()}}
    container = {
        "name": name,
        "image": image,
        "command": command,
        "volumeMounts": [{"name": name, "mountPath": f"/{name}"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": name, "configMap": {"name": name}}],
    }
    return [content, {**head, "kind": "Pod", "spec": spec}]
