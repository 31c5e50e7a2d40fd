"""One gateway process: an endpoint with its MCP port and its management port."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.caching.executor import CachingExecutor
from mcp_operator.gateway.contract import Executor
from mcp_operator.gateway.front.certificate import Certificate
from mcp_operator.gateway.front.management import Management
from mcp_operator.gateway.front.mcp import Front
from mcp_operator.gateway.front.pages import OwnPages
from mcp_operator.gateway.front.places import Places, room_for_connections
from mcp_operator.gateway.lag import LagWatch
from mcp_operator.gateway.metrics import GatewayMetrics
from mcp_operator.gateway.policy.guard import Guard
from mcp_operator.gateway.protocol.endpoint import Endpoint
from mcp_operator.gateway.protocol.origin import OriginPolicy
from mcp_operator.gateway.protocol.tracer import Tracer
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Current

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Where a gateway listens, and which clients it serves.

    Attributes:
        host: The address of the MCP port. A loopback address serves only local names.
        port: The MCP port; 0 picks a free one.
        management_host: The address of the management port.
        management_port: The management port; 0 picks a free one.
        allowed_origins: Origins of web pages that may use the server, besides local ones on a
            loopback address.
        tls: The folder with `tls.crt` and `tls.key` for the MCP port; None for plain HTTP.
        shared: Whether other processes listen on the MCP port too. The kernel distributes the
            connections among them (SO_REUSEPORT).
        allowed_hosts: Names that `Host` may carry; empty means any, except on a loopback address.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    management_host: str = "127.0.0.1"
    management_port: int = 8081
    allowed_origins: Sequence[str] = ()
    allowed_hosts: Sequence[str] = ()
    tls: Path | None = None
    shared: bool = False


class GatewayApp:
    """Serves the table that `current` holds until it is stopped."""

    def __init__(
        self,
        current: Current,
        executor: Executor,
        *,
        address: GatewayAddress,
        registry: CollectorRegistry,
        guard: Guard | None = None,
        root: RootKey | None = None,
        redis: RedisOfServer | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """Set up a gateway.

        Args:
            current: Holds the table in service. The gateway is not ready before there is one.
            executor: Calls tools and reads resources.
            address: Where to listen.
            registry: Receives the gateway's metrics; the management port exposes it.
            guard: Authenticates clients. Without a guard, a server that requires authentication
                serves nobody.
            root: The key that all replicas share. Without it, sessions work in this process only.
            redis: The state that the gateways of the server share. Without it, a server that counts
                calls in Redis refuses every call that has a limit.
            tracer: Records every MCP request; None turns traces off.
        """
        self._redis = redis
        self._current = current
        self._root = root or RootKey.of_this_process()
        self._address = address
        self._draining = False
        self._tasks = TaskSet()
        self._metrics = metrics = GatewayMetrics(registry, current)
        policy = OriginPolicy(
            allowed_origins=address.allowed_origins,
            allowed_hosts=address.allowed_hosts,
            loopback=is_loopback(address.host),
            settings=lambda: current.server,
        )
        self._guard = guard or Guard(current)
        self._endpoint = Endpoint(
            current,
            CachingExecutor(executor, current, registry, redis),
            policy=policy,
            observer=metrics,
            guard=self._guard,
            root=self._root,
            redis=redis,
            alone=not address.shared,
            tracer=tracer,
        )
        places = Places(room_for_connections())
        self._lag = LagWatch(registry)
        self._front = Front(self._endpoint, lambda: current.server, places, self._lag)
        metrics.watch(
            lambda: self._endpoint.open_streams,
            lambda: self._endpoint.in_flight,
            lambda: self._front.connections,
            lambda: self._endpoint.asking,
            lambda: self._endpoint.tasks_in_progress,
        )
        pages = OwnPages(current, registry, self._unready, self._root, redis)
        self._management = Management(pages)

    @property
    def port(self) -> int:
        """The MCP port that the gateway listens on."""
        return self._front.port

    @property
    def management_port(self) -> int:
        """The management port that the gateway listens on."""
        return self._management.port

    async def start(self) -> None:
        """Listen on both ports.

        Raises:
            OSError: An address cannot be used. The gateway then listens on neither port.
            CertificateError: The certificate cannot be used. The gateway listens on neither port.
        """
        folder = self._address.tls
        certificate = await asyncio.to_thread(Certificate, folder) if folder else None
        await self._management.start(self._address.management_host, self._address.management_port)
        try:
            await self._front.start(
                self._address.host, self._address.port, certificate, shared=self._address.shared
            )
        except OSError:
            await self._management.stop()
            raise
        self._lag.start()
        if self._redis is not None:
            self._redis.start()
        self._endpoint.start()
        if certificate:
            self._metrics.watch_certificate(lambda: certificate.expires)
            self._tasks.start("follow the certificate", certificate.follow())
        log.info(
            "The gateway is listening",
            extra={
                "address": f"{self._address.host}:{self.port}",
                "management": f"{self._address.management_host}:{self.management_port}",
            },
        )

    async def stop(self, parting: float = 0.0) -> None:
        """Drain and stop: become unready, end streams cleanly, let requests finish.

        Args:
            parting: Seconds that clients have to leave their idle connections.
        """
        self._draining = True
        self._endpoint.close_streams()
        await self._front.part(parting)
        seconds = self._current.server.drain_timeout_seconds
        deadline = asyncio.get_running_loop().time() + seconds
        await self._front.stop(seconds)
        try:
            async with asyncio.timeout_at(deadline):
                await self._endpoint.idle()
        except TimeoutError:
            log.warning(
                "Some requests did not finish within the drain timeout",
                extra={"requests": self._endpoint.in_flight, "seconds": seconds},
            )
        await self._endpoint.close()
        await self._guard.close()
        if self._redis is not None:
            await self._redis.close()
        self._lag.stop()
        await self._tasks.close()
        await self._management.stop()
        log.info("The gateway has stopped")

    def _unready(self) -> str:
        if self._draining:
            return "draining: this process is stopping"
        if self._current.table is None:
            return "no catalog has been loaded yet"
        return "" if self._root.settled else self._root.problem


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
