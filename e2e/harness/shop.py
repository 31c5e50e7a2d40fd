"""The samples in their own namespace, and a client beside them."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from e2e.harness.client import Client
from e2e.harness.kubectl import HANG_SECONDS, Kubectl, Object
from e2e.harness.waiting import eventually
from mcp_operator.version import VERSION

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = ROOT / "manifests" / "samples"

PUBLISHED: Final = "ghcr.io/mcp-operator/mcp-operator"

GATEWAY: Final = "deployment/mcp-server-shop"
GATEWAY_PODS: Final = "--selector=app.kubernetes.io/instance=shop,app.kubernetes.io/name=mcp-server"

RESTRICTED: Final = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")
}


class Shop:
    """The samples' server `shop`, its backend, and a pod that can call it."""

    def __init__(self, kubectl: Kubectl, image: str) -> None:
        """Set up; nothing is applied yet.

        Args:
            kubectl: The cluster, and the namespace of the shop.
            image: The image of the backend and the client, which both need only Python.
        """
        self.kubectl = kubectl
        self.image = image
        self.client = Client(kubectl, image)
        self.url = f"http://mcp-server-shop.{kubectl.namespace}.svc:8080/mcp"

    def apply(self) -> None:
        """Apply the samples as a user does, with the image under test for the backend's pod."""
        text = self.kubectl("kustomize", str(SAMPLES))
        published = f"{PUBLISHED}:{VERSION}"
        assert published in text, f"{SAMPLES} does not name {published}"
        self.kubectl.apply(text.replace(published, self.image))
        # One client sends the load at a fixed rate. If a busy machine stalls for half a second, the
        # calls in flight would exceed the limit of 100 per client.
        self.kubectl.patch(
            "mcpserver", "shop", {"spec": {"config": {"maxConcurrentRequests": 1000}}}
        )
        self.client.start()
        self.kubectl.wait("mcpserver/shop", "condition=Ready")
        self.kubectl.rollout("deployment/shop-backend")
        # After a server is ready, kube-proxy takes a moment to set up its Service.
        eventually(self.tools, "the Service to lead to the server")

    def server(self) -> Object:
        """Return the MCPServer."""
        return self.kubectl.get("mcpserver", "shop")

    def condition(self, type_: str) -> Object:
        """Return one condition of the MCPServer."""
        (found,) = (c for c in self.server()["status"]["conditions"] if c["type"] == type_)
        condition: Object = found
        return condition

    def scale(self, replicas: int) -> None:
        """Scale as a user does, and wait until exactly that many pods exist and are ready."""
        self.kubectl("scale", "mcps/shop", f"--replicas={replicas}")
        self.wait_for_pods(replicas)

    def wait_for_pods(self, replicas: int) -> None:
        """Wait until exactly that many gateway pods exist, all ready and with the catalog."""

        def settled() -> bool:
            status = self.server()["status"]
            there = len(self.kubectl.find("pods", GATEWAY_PODS))
            told = (status["replicas"], status["readyReplicas"], status["syncedReplicas"])
            return there == replicas and told == (replicas,) * 3

        eventually(settled, f"exactly {replicas} ready pods")

    def call(self, tool: str, **arguments: object) -> Object:
        """Call a tool through the Service from inside the cluster; return its result."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def tools(self) -> list[str]:
        """Return the names of the listed tools."""
        return sorted(tool["name"] for tool in self.ask("tools/list", {})["tools"])

    def ask(self, method: str, params: Object) -> Object:
        """Send a request from inside the cluster and return its result."""
        answer = json.loads(self.client("call", self.url, method, json.dumps(params)))
        assert "result" in answer, answer
        result: Object = answer["result"]
        return result

    @contextmanager
    def load(self, tool: str, rate: float, least: int, seconds: float) -> Iterator[dict[str, Any]]:
        """Call a tool `rate` times per second while the block runs.

        If the block ends before `least` calls have been sent, it waits for them. After `seconds`,
        no more calls are sent.

        Yields:
            A dictionary that contains the summary after the block has ended.
        """
        arguments = ("load", self.url, tool, str(rate), str(least), str(seconds))
        summary: dict[str, Any] = {}
        with subprocess.Popen(  # noqa: S603
            self.client.command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                started = process.stdout.readline() if process.stdout else ""
                assert started == "started\n", started
                yield summary
                # This closes its standard input first, which stops the load.
                output, _ = process.communicate(timeout=HANG_SECONDS)
            finally:
                process.kill()
        summary |= json.loads(output)


@contextmanager
def shop(kubectl: Kubectl, image: str) -> Iterator[Shop]:
    """Apply the samples in a new namespace that enforces the Pod Security level `restricted`."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl.apply(namespace(name))
    try:
        opened = Shop(kubectl.within(name), image)
        opened.apply()
        yield opened
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def namespace(name: str) -> Object:
    """Return a namespace that admits only restricted pods."""
    metadata = {"name": name, "labels": RESTRICTED}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
