"""The samples in a namespace of their own, and a client beside them."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from e2e.harness.kubectl import Kubectl, Object

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = ROOT / "manifests" / "samples"
CLIENT: Final = Path(__file__).parents[1] / "pods" / "client.py"

RESTRICTED: Final = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")
}


class Shop:
    """The samples' server `shop`, its backend, and a pod to call it from."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.url = f"http://mcp-server-shop.{kubectl.namespace}.svc:8080/mcp"

    def apply(self, image: str) -> None:
        """Apply the samples as a user does, with the image at hand for the backend's pod."""
        text = self.kubectl("kustomize", str(SAMPLES))
        self.kubectl.apply(text.replace("image: mcp-operator\n", f"image: {image}\n"))
        self.kubectl.apply(_client(image))
        self.kubectl.wait("mcpserver/shop", "condition=Ready", 120)
        self.kubectl.rollout("deployment/shop-backend")
        self.kubectl.wait("pod/client", "condition=Ready")

    def call(self, tool: str, **arguments: object) -> Object:
        """Call a tool through the Service from inside the cluster; return its result."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def tools(self) -> list[str]:
        """Return the names of the tools that are listed."""
        return sorted(tool["name"] for tool in self.ask("tools/list", {})["tools"])

    def ask(self, method: str, params: Object) -> Object:
        """Send a request from inside the cluster and return its result."""
        answer = json.loads(self._client("call", self.url, method, json.dumps(params)))
        assert "result" in answer, answer
        result: Object = answer["result"]
        return result

    def get(self, url: str) -> tuple[int, str]:
        """Fetch a page from inside the cluster; return its status and body."""
        answer = json.loads(self._client("get", url))
        return answer["status"], answer["body"]

    def _client(self, *arguments: str) -> str:
        return self.kubectl("exec", "client", "--", "python", "/client/client.py", *arguments)

    @contextmanager
    def load(self, tool: str, rate: float, seconds: float) -> Iterator[dict[str, Any]]:
        """Call a tool `rate` times a second while the block runs, at most for `seconds`.

        Yields:
            A dictionary that holds the summary once the block has ended.
        """
        arguments = ("load", self.url, tool, str(rate), str(seconds))
        command = ("exec", "--stdin", "client", "--", "python", "/client/client.py", *arguments)
        summary: dict[str, Any] = {}
        with subprocess.Popen(  # noqa: S603
            self.kubectl.command(*command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                started = process.stdout.readline() if process.stdout else ""
                assert started == "started\n", started
                yield summary
                output, _ = process.communicate(timeout=60)  # ends its standard input first
            finally:
                process.kill()
        summary |= json.loads(output)


@contextmanager
def shop(kubectl: Kubectl, image: str) -> Iterator[Shop]:
    """Apply the samples in a new namespace that enforces Pod Security `restricted`."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl.apply(namespace(name))
    try:
        opened = Shop(kubectl.within(name))
        opened.apply(image)
        yield opened
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def namespace(name: str) -> Object:
    """Return a namespace that admits restricted pods only."""
    metadata = {"name": name, "labels": RESTRICTED}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _client(image: str) -> list[Object]:
    """Return a pod that idles, with the client's script in it."""
    head = {"apiVersion": "v1", "metadata": {"name": "client", "labels": {"app": "client"}}}
    script = {**head, "kind": "ConfigMap", "data": {"client.py": CLIENT.read_text()}}
    container = {
        "name": "client",
        "image": image,
        "command": ["python", "-c", "import signal; signal.pause()"],
        "volumeMounts": [{"name": "client", "mountPath": "/client"}],
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
        "volumes": [{"name": "client", "configMap": {"name": "client"}}],
    }
    return [script, {**head, "kind": "Pod", "spec": spec}]
