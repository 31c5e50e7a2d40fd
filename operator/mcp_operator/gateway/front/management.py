"""The management port: metrics, probes, and the catalog in service."""

from __future__ import annotations

import ipaddress
from typing import Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.front.pages import Pages
from mcp_operator.gateway.front.places import Places
from mcp_operator.gateway.protocol.origin import hostname_of

MAX_WAIT_SECONDS: Final = 30.0
"""The longest time that `/catalog?digest=...&wait=...` waits."""

MAX_WAITERS: Final = 64
"""Requests for `/catalog` that can wait at the same time. Further ones are answered at once, and
their callers ask again."""

MAX_CONNECTIONS: Final = 256
"""Connections to this port, so that neither this port nor the MCP port can use up the other's.
Probes, Prometheus and the operator need few."""


class Management:
    """Serves `/metrics`, `/livez`, `/readyz` and `/catalog`."""

    def __init__(self, pages: Pages) -> None:
        """Take the pages to serve."""
        self._pages = pages
        self._waiters = 0
        self._name = ""
        self._listener = Listener(self._handle, Places(MAX_CONNECTIONS))

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._listener.port

    async def start(self, host: str, port: int) -> None:
        """Start to listen; port 0 picks a free one.

        Raises:
            OSError: The address cannot be used.
        """
        self._name = host.lower()
        await self._listener.start(host, port)

    def _is_ours(self, host: str) -> bool:
        """Tell whether a `Host` is not a name that an attacker resolves to us (DNS rebinding)."""
        name = hostname_of(host)
        if name in ("localhost", self._name):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return not host  # HTTP/1.0, which browsers do not use
        return True

    async def stop(self) -> None:
        """Stop at once, because the clients of this port retry."""
        await self._listener.stop(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "origin" in request.headers or not self._is_ours(request.headers.get("host", "")):
            text = (
                "This port is for probes and metrics; use an IP address or localhost as the host\n"
            )
            return web.Response(status=403, text=text)
        return await self._answer(request)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"allow": "GET, HEAD"})
        match request.path:
            case "/livez":
                return _told(await self._pages.dead())
            case "/readyz":
                return _told(await self._pages.unready())
            case "/metrics":
                body = await self._pages.metrics()
                return web.Response(body=body, headers={"content-type": CONTENT_TYPE_LATEST})
            case "/catalog":
                return await self._catalog(request)
            case _:
                text = "Use /metrics, /livez, /readyz or /catalog\n"
                return web.Response(status=404, text=text)

    async def _catalog(self, request: web.BaseRequest) -> web.Response:
        digest = request.query.get("digest", "")
        try:
            wait = min(float(request.query.get("wait", "0")), MAX_WAIT_SECONDS)
        except ValueError:
            return web.Response(status=400, text="wait: specify a number of seconds\n")
        if not (digest and wait > 0 and self._waiters < MAX_WAITERS):
            return web.json_response(await self._pages.catalog(digest, 0.0))
        self._waiters += 1
        try:
            return web.json_response(await self._pages.catalog(digest, wait))
        finally:
            self._waiters -= 1


def _told(problem: str) -> web.Response:
    return web.Response(status=503 if problem else 200, text=f"{problem or 'ok'}\n")
