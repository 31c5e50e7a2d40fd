"""The management port: metrics, probes, and which catalog is served."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from mcp_operator.core.clock import rfc3339_micro
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.front.places import Places
from mcp_operator.gateway.protocol.origin import hostname_of
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Changes, Current

MAX_WAIT_SECONDS: Final = 30.0
"""The longest that `/catalog?digest=...&wait=...` keeps its caller waiting."""

MAX_WAITERS: Final = 64
"""Requests for `/catalog` that may wait; the next are answered at once, and their callers ask
again."""

MAX_CONNECTIONS: Final = 256
"""Connections to this port, so that those to the MCP port leave enough for it, and the other way
round. Probes, Prometheus and the operator take few."""


class Management:
    """Serves `/metrics`, `/livez`, `/readyz` and `/catalog`."""

    def __init__(
        self,
        current: Current,
        registry: CollectorRegistry,
        unready: Callable[[], str],
        root: RootKey,
    ) -> None:
        """Set up the port.

        Args:
            current: Holds the table in service.
            registry: What `/metrics` exposes.
            unready: Says why no traffic should come here; empty where it should.
            root: What all replicas share.
        """
        self._current = current
        self._registry = registry
        self._unready = unready
        self._root = root
        self._waiters = 0
        self._name = ""
        self._listener = Listener(self._handle, Places(MAX_CONNECTIONS))

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: The address cannot be had.
        """
        self._name = host.lower()
        await self._listener.start(host, port)

    def _is_ours(self, host: str) -> bool:
        """Tell whether a `Host` cannot be a name that somebody made lead here (DNS rebinding)."""
        name = hostname_of(host)
        if name in ("localhost", self._name):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return not host  # HTTP/1.0, which no browser speaks
        return True

    async def stop(self) -> None:
        """Stop at once: whoever asks here asks again."""
        await self._listener.stop(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "origin" in request.headers or not self._is_ours(request.headers.get("host", "")):
            text = "This port is for programs, which reach it by IP address or as localhost\n"
            return web.Response(status=403, text=text)
        return await self._answer(request)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"allow": "GET, HEAD"})
        match request.path:
            case "/livez":
                return web.Response(text="ok\n")
            case "/readyz":
                problem = self._unready()
                return web.Response(status=503 if problem else 200, text=f"{problem or 'ok'}\n")
            case "/metrics":
                body = generate_latest(self._registry)
                return web.Response(body=body, headers={"content-type": CONTENT_TYPE_LATEST})
            case "/catalog":
                return await self._catalog(request)
            case _:
                text = "/metrics, /livez, /readyz and /catalog are here\n"
                return web.Response(status=404, text=text)

    async def _catalog(self, request: web.BaseRequest) -> web.Response:
        digest = request.query.get("digest", "")
        try:
            wait = min(float(request.query.get("wait", "0")), MAX_WAIT_SECONDS)
        except ValueError:
            return web.Response(status=400, text="wait: give a number of seconds\n")
        if digest and wait > 0 and self._waiters < MAX_WAITERS:
            await self._wait_for(digest, wait)
        return web.json_response(self._report())

    async def _wait_for(self, digest: str, seconds: float) -> None:
        """Return as soon as a digest is served, and at the latest after `seconds`."""
        served = asyncio.Event()

        def check(_: Changes | None = None) -> None:
            if self._current.table is not None and self._current.table.digest == digest:
                served.set()

        self._waiters += 1
        unsubscribe = self._current.subscribe(check)
        try:
            check()
            async with asyncio.timeout(seconds):
                await served.wait()
        except TimeoutError:
            return  # the report says which catalog is served instead
        finally:
            self._waiters -= 1
            unsubscribe()

    def _report(self) -> dict[str, Any]:
        table, loaded_at = self._current.table, self._current.loaded_at
        if table is None or loaded_at is None:
            return {"digest": "", "generation": 0}
        return {
            "digest": table.digest,
            "generation": self._current.generation,
            "tools": len(table.tools),
            "prompts": len(table.prompts),
            "resources": len(table.resources) + len(table.templates),
            "shards": table.shards,
            "loadedAt": rfc3339_micro(loaded_at),
            "rejected": dict(table.rejected),
            "lacks": self._root.problem,
        }
