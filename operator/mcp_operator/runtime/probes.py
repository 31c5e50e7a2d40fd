"""The two small HTTP servers of a manager: one for metrics, one for the kubelet's probes.

They are apart so that metrics can be exposed to a monitoring system and probes to the kubelet only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from mcp_operator.core.errors import OperatorError

ALL_INTERFACES: Final = ""
"""As a host: every address, IPv4 and IPv6, since a pod's may be of either family."""

_UNHEALTHY: Final = 503


Check = Callable[[], str]
"""Returns what is wrong, as a text for people; nothing if all is well. Must be fast."""


class Checks:
    """Named checks that one probe asks for together."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a check; names are unique."""
        if name in self._checks:
            raise ValueError(f"there is a check {name!r} already")
        self._checks[name] = check

    async def handle(self, request: web.Request) -> web.Response:
        """Answer like the API server's own probes: `ok`, or with `?verbose` a line per check."""
        problems = {name: check() for name, check in self._checks.items()}
        lines = [
            f"[-]{name} failed: {problem}" if problem else f"[+]{name} ok"
            for name, problem in problems.items()
        ]
        healthy = not any(problems.values())
        if healthy and "verbose" not in request.query:
            return web.Response(text="ok")
        lines.append(f"{request.path.strip('/')} check {'passed' if healthy else 'failed'}\n")
        return web.Response(text="\n".join(lines), status=200 if healthy else _UNHEALTHY)


class HttpServer:
    """Serves GET requests while its `async with` block runs.

    Args:
        port: Where to listen; 0 takes any free one.
        routes: Handlers by path.
        host: The address to listen on.
    """

    def __init__(
        self,
        port: int,
        routes: Mapping[str, Callable[[web.Request], Awaitable[web.Response]]],
        *,
        host: str = ALL_INTERFACES,
    ) -> None:
        self._port = port
        self._host = host
        application = web.Application()
        for path, handler in routes.items():
            application.router.add_get(path, handler)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        self._bound: asyncio.Event = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise OperatorError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}; choose another port"
            ) from error
        self._bound.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def port(self) -> int:
        """Return the port that the server listens on, once it does."""
        await self._bound.wait()
        return int(self._runner.addresses[0][1])


def metrics_server(
    registry: CollectorRegistry, port: int, host: str = ALL_INTERFACES
) -> HttpServer:
    """Return a server of `/metrics`, in OpenMetrics or Prometheus text as the client asks.

    It renders on the event loop, where what it reads holds still. The figures of the process come
    from files in /proc, which answer from memory.
    """

    async def handle(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return HttpServer(port, {"/metrics": handle}, host=host)


def health_server(live: Checks, ready: Checks, port: int, host: str = ALL_INTERFACES) -> HttpServer:
    """Return a server of `/livez`, `/readyz`, and `/healthz`, the old name of the first."""
    routes = {"/livez": live.handle, "/healthz": live.handle, "/readyz": ready.handle}
    return HttpServer(port, routes, host=host)
