"""One Pod of the miniature kubelet: a process, its probes, and its status."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import aiohttp

from mcp_operator.core.meta import Object, Resource, key_of, uid_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.kubeconfigs import write_account_kubeconfig
from support.processes import Child, ProcessGroup

PODS = Resource("", "v1", "pods", "Pod")

_PROBE_INTERVAL = 0.1
"""Seconds, independent of the Pod's settings, so that tests do not wait longer than needed."""

_RESTART_DELAY = 1.0
"""Seconds before an ended process is restarted."""


def loopback_address(ports: list[int]) -> str:
    """Return a loopback address on which the ports are free.

    Linux accepts all of 127.0.0.0/8; on other systems there is only 127.0.0.1.
    """
    for _ in range(100):
        chosen = random.randrange(1 << 16, (1 << 24) - 1)  # noqa: S311 - only to collide rarely
        address = f"127.{chosen >> 16}.{chosen >> 8 & 255}.{chosen & 255}"
        try:
            for port in ports:
                with socket.create_server((address, port)):
                    pass
        except OSError:
            if sys.platform != "linux":
                return "127.0.0.1"
        else:
            return address
    raise RuntimeError(f"no loopback address has the ports {ports} free")


Unrouted = Callable[[str], Awaitable[None]]
"""Returns once no new connections are routed to an address."""


class Pod:
    """A Pod, from its creation until its process has ended and it is deleted.

    Attributes:
        terminating: Set when the API server has marked the Pod for deletion.
        gone: Set when the Pod was deleted without a grace period.
    """

    def __init__(
        self,
        obj: Object,
        node: str,
        client: Client,
        http: aiohttp.ClientSession,
        processes: ProcessGroup,
        *,
        unrouted: Unrouted,
    ) -> None:
        self._obj = obj
        self._key = key_of(obj)
        self._node = node
        self._client = client
        self._http = http
        self._processes = processes
        self._unrouted = unrouted
        self._container: Object = obj["spec"]["containers"][0]
        self._ports: dict[str, int] = {
            port["name"]: port["containerPort"] for port in self._container.get("ports", [])
        }
        self._restarts = 0
        self._started_at = _now()
        self.terminating = asyncio.Event()
        self.gone = asyncio.Event()

    async def run(self, kubeconfig: Path, services: Mapping[str, str]) -> None:
        """Run the Pod from its binding to its deletion."""
        if self._container.get("command") != ["mcp-operator"]:
            return  # not our image, so it cannot be pulled: the Pod stays Pending
        try:
            await self._bind()
            address = loopback_address(list(self._ports.values()))
            own = await self._own_kubeconfig(kubeconfig)
            command = self._command(address, own, services)
            while not self._ending:
                await self._live(command, address)
            await self._remove()
        except ApiError as error:
            if not (error.is_not_found or error.is_conflict):
                raise
            # The Pod was deleted, and possibly recreated with the same name; its process is
            # stopped with the kubelet.

    @property
    def _ending(self) -> bool:
        return self.terminating.is_set() or self.gone.is_set()

    async def _bind(self) -> None:
        """Bind the Pod to the node, as the scheduler does."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": self._key.name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._node},
        }
        await self._client.request("POST", PODS.path(*self._key, "binding"), body=binding)

    async def _own_kubeconfig(self, admin: Path) -> Path:
        path = self._processes.directory / f"{self._key.name}.kubeconfig"
        pod = {"apiVersion": "v1", "kind": "Pod", "name": self._key.name, "uid": uid_of(self._obj)}
        account = self._obj["spec"]["serviceAccountName"]
        await write_account_kubeconfig(
            path, self._client, admin, self._key.namespace, account, bound_to=pod
        )
        return path

    def _command(self, address: str, kubeconfig: Path, services: Mapping[str, str]) -> list[str]:
        return [
            *(sys.executable, "-m", "mcp_operator", *self._container["args"]),
            *("--kubeconfig", str(kubeconfig), "--bind-address", address),
            *(f"--service={name}={target}" for name, target in services.items()),
        ]

    async def _live(self, command: list[str], address: str) -> None:
        """Run the process once, and keep the Pod's status up to date."""
        literal = {
            one["name"]: one["value"] for one in self._container.get("env", []) if "value" in one
        }
        name = f"{self._key.name}-{self._restarts}"
        child = self._processes.start(name, command, env=os.environ | literal)
        ready = False
        await self._report(address, ready=ready)
        while not self._ending and child.process.poll() is None:
            if ready != await self._probe(address):
                ready = not ready
                await self._report(address, ready=ready)
            await self._pause(_PROBE_INTERVAL)
        if not self._ending:
            self._restarts += 1
            await self._report(address, ready=False)
            await self._pause(_RESTART_DELAY)
        await self._end(child, address)

    async def _end(self, child: Child, address: str) -> None:
        """Run the preStop hook, and let the process drain for the rest of the grace period."""
        grace = float(self._obj["spec"].get("terminationGracePeriodSeconds", 30))
        hook = self._container.get("lifecycle", {}).get("preStop", {})
        if self.terminating.is_set() and "sleep" in hook:
            grace -= await self._sleep(hook["sleep"]["seconds"])
            await self._unrouted(address)
        await asyncio.to_thread(child.stop, 0.0 if self.gone.is_set() else grace)

    async def _sleep(self, seconds: float) -> float:
        """Sleep as a preStop hook does, unless the Pod is deleted without a grace period."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        return seconds

    async def _pause(self, seconds: float) -> None:
        """Wait, but at most until the Pod ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.terminating.wait()

    async def _probe(self, address: str) -> bool:
        try:
            path = self._container["readinessProbe"]["httpGet"]["path"]
            url = f"http://{address}:{self._ports['management']}{path}"
            async with self._http.get(url) as response:
                return response.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async def _report(self, address: str, *, ready: bool) -> None:
        now = _now()
        states = {
            "PodScheduled": True,
            "Initialized": True,
            "ContainersReady": ready,
            "Ready": ready,
        }
        status = {
            "phase": "Running",
            "startTime": self._started_at,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [
                {"type": kind, "status": str(state), "lastTransitionTime": now}
                for kind, state in states.items()
            ],
            "containerStatuses": [
                {
                    "name": self._container["name"],
                    "image": self._container["image"],
                    "imageID": "",
                    "ready": ready,
                    "restartCount": self._restarts,
                    "started": True,
                    "state": {"running": {"startedAt": now}},
                }
            ],
        }
        await self._client.merge_patch(PODS, self._key, {"status": status}, subresource="status")

    async def _remove(self) -> None:
        """Delete the Pod from the API server, because nothing runs anymore."""
        if not self.gone.is_set():
            options = {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "gracePeriodSeconds": 0,
                "preconditions": {"uid": uid_of(self._obj)},
            }
            await self._client.request("DELETE", PODS.path(*self._key), body=options)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
