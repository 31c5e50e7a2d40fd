"""The two HTTP servers of a manager: one for metrics, one for the kubelet's probes.

They are separate so that metrics can be exposed to a monitoring system, and probes only to the
kubelet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from mcp_operator.core.errors import OperatorError

ALL_INTERFACES: Final = ""
"""As a host: all IPv4 and IPv6 addresses, because a pod's address can be either."""

Check = Callable[[], str]
"""Returns a description of the problem, or an empty string if healthy. Must be fast."""


class Checks:
    """Named checks that one probe runs together."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a check under a unique name."""
        if name in self._checks:
            raise ValueError(f"there is already a check {name!r}: choose another name")
        self._checks[name] = check

    async def handle(self, request: web.Request) -> web.Response:
        """Respond like the API server's probes: `ok`, or with `?verbose` a line per check."""
        problems = {name: check() for name, check in self._checks.items()}
        healthy = not any(problems.values())
        if healthy and "verbose" not in request.query:
            return web.Response(text="ok")
        lines = [
            f"[-]{name} failed: {problem}" if problem else f"[+]{name} ok"
            for name, problem in problems.items()
        ]
        lines.append(f"{request.path.strip('/')} check {'passed' if healthy else 'failed'}\n")
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return web.Response(text="\n".join(lines), status=status)


class WebServer:
    """Serves an application while its `async with` block runs.

    Args:
        application: What to serve.
        host: The address to listen on.
        port: The port to listen on; 0 for any free port.
    """

    def __init__(self, application: web.Application, host: str, port: int) -> None:
        # Handlers never wait and clients ask again, so shutdown need not wait either.
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
        self._host, self._port = host, port
        self._listening = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Start listening.

        Raises:
            OperatorError: The address is not available.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise OperatorError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}; choose another port"
            ) from error
        self._listening.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def port(self) -> int:
        """Return the port, once the server listens on it."""
        await self._listening.wait()
        return int(self._runner.addresses[0][1])


def metrics_server(registry: CollectorRegistry, port: int, host: str = ALL_INTERFACES) -> WebServer:
    """Return a server for `/metrics`, in the Prometheus or OpenMetrics text format."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    return WebServer(application, host, port)


def health_server(live: Checks, ready: Checks, port: int, host: str = ALL_INTERFACES) -> WebServer:
    """Return a server for `/livez`, `/readyz`, and `/healthz`, the old name of `/livez`."""
    application = web.Application()
    for path, checks in (("/livez", live), ("/healthz", live), ("/readyz", ready)):
        application.router.add_get(path, checks.handle)
    return WebServer(application, host, port)
