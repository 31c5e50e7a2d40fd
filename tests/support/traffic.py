"""Clients that keep calling a server while its pods are replaced."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mcp_operator.core.meta import Object, is_deleting
from mcp_operator.runtime.client import Client
from support.kubelet import Kubelet, at_once
from support.mcp_http import modern
from support.pods import PODS
from support.waiting import hang_guard

PROPAGATION = 0.5
"""Seconds until the connections of a Service follow a change of its pods. In a cluster, the
EndpointSlice controller and kube-proxy, which batches changes for a second, take about as long."""

URL = "http://localhost:8080/mcp"
"""A host name that a gateway on loopback accepts."""

THINKING = 0.05
"""The maximum pause in seconds between two calls of a client."""

_LOOK = 0.1


class Traffic:
    """The outcomes of the calls of all clients.

    Attributes:
        answered: The number of calls that each pod answered, by its address.
        failed: A message for each call without the correct response.
    """

    def __init__(self) -> None:
        self.answered: dict[str, int] = {}
        self.failed: list[str] = []

    @property
    def total(self) -> int:
        """How many calls were answered."""
        return sum(self.answered.values())


class _Service:
    """Acts as kube-proxy: tracks the ready pods, with a delay."""

    def __init__(self) -> None:
        self._addresses: list[str] = []
        self._changed = asyncio.Event()

    def choose(self) -> str:
        """Return the address for a new connection."""
        return random.choice(self._addresses)  # noqa: S311 - balances load

    async def follow(self, client: Client, namespace: str) -> None:
        """Track the pods until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            pages = client.list_pages(PODS, namespace=namespace)
            ready = [pod["status"]["podIP"] async for p in pages for pod in p.items if _ready(pod)]
            loop.call_later(PROPAGATION, self._learn, ready)
            await asyncio.sleep(_LOOK)

    async def until(self, holds: Callable[[list[str]], bool]) -> None:
        """Wait until a condition holds for the addresses of new connections."""
        while not holds(self._addresses):
            await self._changed.wait()

    def _learn(self, addresses: list[str]) -> None:
        self._addresses = addresses
        self._changed.set()
        self._changed = asyncio.Event()


class _Route(AbstractResolver):
    """Routes the connections of one client to pods; `address` is that of the latest."""

    def __init__(self, service: _Service) -> None:
        self._service = service
        self.address = ""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.address = self._service.choose()
        return [
            ResolveResult(
                hostname=host, host=self.address, port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


@contextlib.asynccontextmanager
async def traffic(
    client: Client, kubelet: Kubelet, tool: str, *, clients: int, arguments: Callable[[], Object]
) -> AsyncIterator[Traffic]:
    """Run clients that call a tool, one call after the other, until the block ends.

    Each keeps its connection, and therefore its pod, as long as the pod allows: the worst case for
    a Service.
    """
    service, met, stop = _Service(), Traffic(), asyncio.Event()
    following = asyncio.create_task(service.follow(client, kubelet.namespace))
    async with hang_guard():
        await service.until(bool)
    kubelet.unrouted = lambda address: service.until(lambda known: address not in known)
    calls = [_call(service, met, stop, tool, arguments) for _ in range(clients)]
    calling = asyncio.gather(*calls)
    try:
        yield met
    finally:
        stop.set()
        await calling
        kubelet.unrouted = at_once
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def _call(
    service: _Service,
    met: Traffic,
    stop: asyncio.Event,
    tool: str,
    arguments: Callable[[], Object],
) -> None:
    route = _Route(service)
    connector = aiohttp.TCPConnector(resolver=route, use_dns_cache=False, limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        while not stop.is_set():
            request = modern("tools/call", {"name": tool, "arguments": arguments()})
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            try:
                async with session.post(URL, data=request.body, headers=headers) as answer:
                    body = await answer.json()
            except (aiohttp.ClientError, TimeoutError) as error:
                met.failed.append(f"{route.address}: {type(error).__name__}: {error}")
                continue
            if body.get("result", {"isError": True}).get("isError"):
                met.failed.append(f"{route.address}: {body}")
            met.answered[route.address] = met.answered.get(route.address, 0) + 1
            await asyncio.sleep(random.uniform(0, THINKING))  # noqa: S311 - spreads load


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return not is_deleting(pod) and any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )
