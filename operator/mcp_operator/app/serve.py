"""`mcp-operator serve`: a gateway over files, without a cluster."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Hashable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from mcp_operator.api.catalog import DEFAULT_PATH, Backend, Catalog, SecretKey, digest
from mcp_operator.app.memory import give_back_large_blocks
from mcp_operator.app.signals import stop_signals
from mcp_operator.app.workers.worker import MANAGEMENT_HOST, Worker
from mcp_operator.builders.assembly import Assembly, Rejection
from mcp_operator.builders.compile_auth import not_authenticated
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.logs import bind
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import new_registry
from mcp_operator.core.tasks import forever
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.policy.fetch import JwksFetcher
from mcp_operator.gateway.policy.guard import Guard
from mcp_operator.gateway.redis.dial import Dialer
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.traces.setup import Service, from_environment
from mcp_operator.gateway.upstream.addresses import own_cluster_domain
from mcp_operator.gateway.upstream.client import HttpUpstream, Upstream
from mcp_operator.gateway.upstream.secret_values import StaticSecrets
from mcp_operator.local.addresses import ServiceAddresses
from mcp_operator.local.demo_backend import SERVICE, demo_backend
from mcp_operator.local.manifests import read_manifests
from mcp_operator.local.problems import FilesError
from mcp_operator.local.reload import changes, fingerprint
from mcp_operator.settings import ServeSettings
from mcp_operator.version import VERSION

logger = logging.getLogger(__name__)


class PortError(OperatorError):
    """A port cannot be opened."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is served, from one read of the files."""

    server: Key
    table: Table
    secrets: StaticSecrets
    addresses: dict[Key, str]
    selections: dict[Key, dict[str, str]]
    not_served: tuple[Rejection, ...]
    closed: str = ""
    """Why clients cannot be authenticated; empty if they can."""
    no_redis: str = ""
    """Why Redis cannot be used; empty if it can, or is not configured."""


class LocalSecrets:
    """The Secrets from the latest read; a `SecretSource`."""

    def __init__(self, secrets: StaticSecrets) -> None:
        self.latest = secrets

    async def value(self, key: SecretKey) -> bytes:
        """Return a value.

        Raises:
            SecretUnavailable: Neither the environment nor the files contain it.
        """
        return await self.latest.value(key)

    async def values(self, secret: Key) -> Mapping[str, bytes]:
        """Return all values of a Secret, by key.

        Raises:
            SecretUnavailable: The files do not contain it.
        """
        return await self.latest.values(secret)

    def distrust(self, key: SecretKey) -> None:
        """Do nothing: the value is read again when its file changes."""


class LocalGateway:
    """Serves the files, and replaces what is served when they change."""

    def __init__(
        self, settings: ServeSettings, first: Snapshot, services: Mapping[str, str]
    ) -> None:
        """Serve the first snapshot.

        Args:
            settings: The paths to follow.
            first: The first snapshot of the files.
            services: The addresses of Services, as for `ServiceAddresses`.
        """
        self._settings = settings
        self._logged_selections: dict[Key, dict[str, str]] = {}
        self.current = Current()
        self.secrets = LocalSecrets(first.secrets)
        self.addresses = ServiceAddresses(services, first.server.namespace)
        self.serve(first)

    def serve(self, snapshot: Snapshot) -> None:
        """Serve a snapshot, and log what is not served and why."""
        self.secrets.latest = snapshot.secrets
        self.addresses.annotate(snapshot.addresses)
        self.current.swap(snapshot.table)
        self._log_selections(snapshot)
        if snapshot.closed:
            logger.warning(
                "Clients cannot be authenticated",
                extra={"error": snapshot.closed},
            )
        if snapshot.no_redis:
            logger.warning("Redis cannot be used", extra={"error": snapshot.no_redis})
        for rejection in snapshot.not_served:
            with bind(name=rejection.key.name):
                logger.warning(
                    "An object is not served, or only in part",
                    extra={
                        "kind": rejection.kind,
                        "namespace": rejection.key.namespace,
                        "reason": rejection.reason,
                        "error": rejection.message,
                    },
                )
        given = {"given": ", ".join(self._settings.services)} if self._settings.services else {}
        for service in sorted(_services(snapshot.table.catalog)):
            if service not in self.addresses:
                logger.warning(
                    "A Service has no local address: its DNS name is used; set one with --service",
                    extra={"service": service, **given},
                )

    def _log_selections(self, snapshot: Snapshot) -> None:
        """Log what each MCPServer selects, at startup and when that has changed."""
        logged, self._logged_selections = self._logged_selections, snapshot.selections
        for server, selection in snapshot.selections.items():
            if logged.get(server) == selection:
                continue
            extra = {"server": str(server), **selection}
            if selection:
                logger.info("An MCPServer selects these objects", extra=extra)
            else:
                logger.warning(
                    "An MCPServer selects nothing: compare its selectors with the objects' labels, "
                    "and its namespace with theirs",
                    extra=extra,
                )

    async def follow(self, seen: Hashable) -> None:
        """Serve each valid state of the files; log an invalid one and keep the last valid state."""
        look = partial(asyncio.to_thread, fingerprint, self._settings.paths)
        async for _ in changes(look, seen):
            try:
                snapshot = await asyncio.to_thread(read, self._settings)
            except OperatorError as error:
                for line in str(error).splitlines():
                    logger.warning(
                        "Cannot serve the files; the last valid state stays in use",
                        extra={"error": line},
                    )
            else:
                self.serve(snapshot)
                logger.info("Serving the changed files", extra=_summary(snapshot))


def read(settings: ServeSettings) -> Snapshot:
    """Read the files and compile the catalog; blocks while reading.

    Raises:
        OperatorError: The files have problems, or do not determine the one server to serve.
    """
    manifests = read_manifests(
        settings.paths,
        check_services=not settings.services,
        external_hosts=settings.external_hosts,
    )
    if manifests.problems:
        raise FilesError(manifests.problems)
    server = manifests.choose(settings.server)
    assembly = manifests.assembly(server)
    return Snapshot(
        Key(server.namespace, server.name),
        Table(assembly.catalog, digest(assembly.catalog.canonical())),
        StaticSecrets(manifests.objects, os.environ),
        manifests.local_addresses(),
        {key: manifests.selection(each) for key, each in manifests.servers.items()},
        (*assembly.rejected, *manifests.not_selected()),
        _closed(assembly),
        assembly.redis_finding.message if assembly.redis_finding else "",
    )


async def run_serve(settings: ServeSettings, worker: Worker | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        settings: What to serve, and where.
        worker: The worker process that this is; None if there is only one process.

    Raises:
        OperatorError: The files cannot be served, or a port cannot be opened.
    """
    give_back_large_blocks()
    seen = await asyncio.to_thread(fingerprint, settings.paths)
    first = await asyncio.to_thread(read, settings)
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(stop_signals())
        services = dict(settings.services)
        if settings.demo_backend:
            services[SERVICE] = await stack.enter_async_context(demo_backend())
            logger.info("The demo backend is listening", extra={"address": services[SERVICE]})
        local = LocalGateway(settings, first, services)
        gateway = await _gateway(stack, local, settings, worker, first.server)
        if worker:
            worker.listens(gateway.management_port)
        scheme = "https" if settings.tls_directory else "http"
        url = f"{scheme}://{settings.host}:{gateway.port}{DEFAULT_PATH}"
        logger.info("Serving the files", extra={"url": url, **_summary(first)})
        await _serve_until(stop, local, seen)


async def _gateway(
    stack: AsyncExitStack,
    local: LocalGateway,
    settings: ServeSettings,
    worker: Worker | None,
    server: Key,
) -> GatewayApp:
    """Start the gateway; it stops with the stack.

    Raises:
        PortError: A port cannot be opened.
    """
    domain, registry = await asyncio.to_thread(own_cluster_domain), new_registry()
    upstream: Upstream = await stack.enter_async_context(
        HttpUpstream(local.addresses, user_agent=f"mcp-operator/{VERSION}", domain=domain)
    )
    traces = from_environment(os.environ, Service(server.name, server.namespace, VERSION))
    if traces is not None:
        stack.push_async_callback(traces.close)
        upstream = traces.upstream(upstream)
    gateway = GatewayApp(
        local.current,
        HttpExecutor(local.current, upstream, local.secrets, name_addresses=True),
        address=GatewayAddress(
            host=settings.host,
            port=settings.port,
            management_host=MANAGEMENT_HOST if worker else settings.host,
            management_port=settings.management_port,
            allowed_origins=settings.allowed_origins,
            tls=settings.tls_directory,
            shared=worker is not None,
        ),
        registry=registry,
        guard=Guard(
            local.current,
            secrets=local.secrets,
            fetch=JwksFetcher(upstream, local.secrets),
        ),
        root=worker.root if worker else None,
        redis=RedisOfServer(
            local.current,
            Dialer(local.addresses, domain=domain, loopback=True),
            local.secrets,
            registry,
        ),
        tracer=traces.requests(local.current) if traces else None,
    )
    await _start(gateway, settings)
    stack.push_async_callback(gateway.stop)
    return gateway


async def _start(gateway: GatewayApp, settings: ServeSettings) -> None:
    try:
        await gateway.start()
    except OSError as error:
        raise PortError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; "
            "choose another address with --host, or another port with --port or --management-port"
        ) from error


async def _serve_until(stop: asyncio.Event, local: LocalGateway, seen: Hashable) -> None:
    async with asyncio.TaskGroup() as group:
        following = group.create_task(forever("follow files", local.follow(seen)))
        await stop.wait()
        following.cancel()


def _closed(assembly: Assembly) -> str:
    finding = assembly.finding
    return f"{not_authenticated(finding)}: {finding.message}" if finding else ""


def _summary(snapshot: Snapshot) -> dict[str, object]:
    table = snapshot.table
    return {
        "server": str(snapshot.server),
        "tools": len(table.tools),
        "prompts": len(table.prompts),
        "resources": len(table.resources) + len(table.templates),
        "digest": table.digest[:12],
    }


def _services(catalog: Catalog) -> set[str]:
    """Return the Services that a catalog calls, as `NAMESPACE/SERVICE:PORT`."""
    return {_service(backend) for backend in _backends(catalog) if not backend.external}


def _backends(catalog: Catalog) -> Iterator[Backend]:
    yield from (tool.backend for tool in catalog.tools)
    yield from (resource.backend for resource in catalog.resources if resource.backend)


def _service(backend: Backend) -> str:
    name, namespace = backend.host.split(".")[:2]
    return f"{namespace}/{name}:{backend.port}"
