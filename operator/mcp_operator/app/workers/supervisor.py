"""The parent of the workers: starts, restarts and stops them."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge

from mcp_operator.api.keys import ROOT_KEY_BYTES
from mcp_operator.app.signals import stop_signals
from mcp_operator.app.workers.adding_up import Totals
from mcp_operator.app.workers.pages import AllPages
from mcp_operator.app.workers.worker import Order
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.metrics import new_registry
from mcp_operator.gateway.front.management import Management
from mcp_operator.local.demo_backend import SERVICE, demo_backend
from mcp_operator.runtime.probes import ALL_INTERFACES
from mcp_operator.runtime.retry import Backoff
from mcp_operator.settings import GatewaySettings, ServeSettings

logger = logging.getLogger(__name__)

STEADY_SECONDS: Final = 60.0
"""A worker that has run longer than this restarts with the delay of a first restart."""


class SharedPortError(OperatorError):
    """A port cannot be opened, or cannot be shared by several processes."""


class _NeverListenedError(Exception):
    """The first worker ended before it listened. It has already printed the reason."""

    def __init__(self, code: int) -> None:
        self.code = code


class Member:
    """One worker, in every state.

    Attributes:
        number: The worker's number.
        management_port: Its port; None if it is not running, or not listening yet.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.management_port: int | None = None
        self._process: Process | None = None

    async def start(self, order: Order) -> bool:
        """Start a process and wait until it listens or ends; tell whether it listens."""
        own = order.model_copy(update={"number": self.number})
        # In its own process group, the worker does not get a terminal's Ctrl-C. Only the parent
        # gets it, and passes it on once: a second signal would end the worker without a drain.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_operator", "worker"),
            stdin=PIPE,
            stdout=PIPE,
            process_group=0,
        )
        assert self._process.stdin is not None  # noqa: S101  # it is a pipe
        assert self._process.stdout is not None  # noqa: S101  # likewise
        with suppress(ConnectionError):  # it has ended, and `readline` returns nothing
            self._process.stdin.write(own.model_dump_json().encode() + b"\n")
            await self._process.stdin.drain()
        said = await self._process.stdout.readline()
        if said:
            self.management_port = json.loads(said)["management"]
        return bool(said)

    async def ended(self) -> int:
        """Wait until the process ends, and return its exit code."""
        assert self._process is not None  # noqa: S101  # it was started
        code = await self._process.wait()
        self.management_port = self._process = None
        return code

    def terminate(self) -> bool:
        """Ask the process to stop; tell whether there is a process."""
        if self._process is None:
            return False
        with suppress(ProcessLookupError):
            self._process.terminate()
        return True


class Workers:
    """Keeps a number of workers running until it has to stop."""

    def __init__(self, order: Order, count: int, registry: CollectorRegistry) -> None:
        self._order = order
        self._stopping = False
        self._proven = asyncio.Event()
        self.members = [Member(number) for number in range(count)]
        self.totals = Totals()
        self._restarts = Counter(
            "mcp_worker_restarts_total",
            "Workers that exited unexpectedly and were restarted.",
            registry=registry,
        )
        Gauge("mcp_workers", "Workers that serve.", registry=registry).set_function(
            lambda: sum(each.management_port is not None for each in self.members)
        )

    async def run(self, stop: asyncio.Event) -> int:
        """Keep the workers running until `stop` is set; return the exit code of the parent.

        The others start when the first one listens, so that a common error is printed only once.
        """
        code = 0
        try:
            async with asyncio.TaskGroup() as group:
                keeping = [group.create_task(self._keep(each)) for each in self.members]
                ending = group.create_task(self._end(stop, keeping))
                await asyncio.wait(keeping)
                ending.cancel()
        except* _NeverListenedError as errors:
            (error,) = errors.exceptions
            assert isinstance(error, _NeverListenedError)  # noqa: S101  # because of `except*`
            code = error.code
        return code

    async def _end(self, stop: asyncio.Event, keeping: list[asyncio.Task[None]]) -> None:
        await stop.wait()
        self._stopping = True
        for member, task in zip(self.members, keeping, strict=True):
            if not member.terminate():
                task.cancel()

    async def _keep(self, member: Member) -> None:
        loop, backoff = asyncio.get_running_loop(), Backoff()
        if member.number:
            await self._proven.wait()
        while True:
            began = loop.time()
            if await member.start(self._order):
                self._proven.set()
            code = await member.ended()
            self.totals.end(member.number)
            if self._stopping:
                return
            if not self._proven.is_set():
                raise _NeverListenedError(code if code > 0 else 1)
            if loop.time() - began > STEADY_SECONDS:
                backoff.reset()
            seconds = backoff.next()
            self._restarts.inc()
            logger.error(
                "A worker exited unexpectedly; restarting it",
                extra={"worker": member.number, "code": code, "seconds": round(seconds, 1)},
            )
            await asyncio.sleep(seconds)


async def run_workers(settings: GatewaySettings | ServeSettings) -> int:
    """Serve with as many workers as the settings say, until SIGTERM or Ctrl-C.

    Returns:
        The exit code; if the first worker could not start, its exit code. It has printed why.

    Raises:
        SharedPortError: A port cannot be opened.
    """
    if sys.platform != "linux":
        raise SharedPortError("several workers need Linux, which spreads connections over them")
    host, order = _order(settings)
    registry = new_registry()
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(stop_signals())
        if isinstance(settings, ServeSettings) and settings.demo_backend:
            address = await stack.enter_async_context(demo_backend())
            order.settings["services"][SERVICE] = address
        order.settings["port"] = await stack.enter_async_context(_reserved(host, settings.port))
        workers = Workers(order, settings.workers, registry)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        pages = AllPages(workers.members, workers.totals, registry, session)
        management = Management(pages)
        try:
            await management.start(host, settings.management_port)
        except OSError as error:
            raise _refused(host, settings.management_port, "--management-port", error) from error
        stack.push_async_callback(management.stop)
        logger.info(
            "The workers are starting",
            extra={
                "workers": settings.workers,
                "address": f"{host}:{order.settings['port']}",
                "management": f"{host}:{management.port}",
            },
        )
        return await workers.run(stop)


def _order(settings: GatewaySettings | ServeSettings) -> tuple[str, Order]:
    """Return the address of both ports, and the order for all workers."""
    given = settings.model_dump(mode="json") | {"workers": 1, "management_port": 0}
    root = secrets.token_hex(ROOT_KEY_BYTES)
    if isinstance(settings, ServeSettings):
        given["demo_backend"] = False  # the parent runs one for all workers
        return settings.host, Order(kind="serve", settings=given, number=0, root_key=root)
    order = Order(kind="gateway", settings=given, number=0, root_key=root)
    return settings.bind_address or ALL_INTERFACES, order


@asynccontextmanager
async def _reserved(host: str, port: int) -> AsyncIterator[int]:
    """Reserve a port for the workers; for port 0, a free one.

    Raises:
        SharedPortError: The port cannot be opened, or another process listens on it.
    """
    loop = asyncio.get_running_loop()
    try:
        # Without SO_REUSEPORT first: with it, a second gateway on the port would go unnoticed.
        alone = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
        port = int(alone.sockets[0].getsockname()[1])
        alone.close()
        shared = await loop.create_server(
            asyncio.Protocol, host, port, reuse_port=True, start_serving=False
        )
    except OSError as error:
        raise _refused(host, port, "--port", error) from error
    try:
        yield port
    finally:
        shared.close()


def _refused(host: str, port: int, flag: str, error: OSError) -> SharedPortError:
    return SharedPortError(
        f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port with "
        f"{flag}"
    )
