"""`mcp-operator gateway`: the endpoint of one MCPServer of a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from mcp_operator.app.memory import give_back_large_blocks
from mcp_operator.app.signals import stop_signals
from mcp_operator.app.workers.worker import MANAGEMENT_HOST, Worker
from mcp_operator.builders.names import config_name, keys_name
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.core.tasks import forever, root_error
from mcp_operator.gateway import api_server
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.key_source import KeySource
from mcp_operator.gateway.policy.fetch import JwksFetcher
from mcp_operator.gateway.policy.guard import Guard
from mcp_operator.gateway.redis.dial import Dialer
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.source import CatalogSource, ClusterSecrets, index_informer
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.traces.setup import Service, from_environment
from mcp_operator.gateway.upstream.addresses import own_cluster_domain
from mcp_operator.gateway.upstream.client import HttpUpstream, Upstream
from mcp_operator.gateway.upstream.names import SystemResolver
from mcp_operator.local.addresses import ServiceAddresses
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.probes import ALL_INTERFACES
from mcp_operator.settings import GatewaySettings
from mcp_operator.version import VERSION

logger = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 2.0
"""How long clients have to close their keep-alive connections. The response to the next request
of a busy client has `Connection: close`. It fits into the time that a pod has in addition to
draining (`builders.deployment.EXIT_SECONDS`)."""


class ListenError(OperatorError):
    """A port cannot be opened."""


async def run_gateway(settings: GatewaySettings, worker: Worker | None = None) -> None:
    """Serve the catalog of one MCPServer until SIGTERM or Ctrl-C.

    The ports open before the first catalog arrives: until then, the process is live but not ready.

    Args:
        settings: What to serve, and where.
        worker: The worker process that this is; None if there is only one process.

    Raises:
        OperatorError: It cannot start, or must not continue.
    """
    give_back_large_blocks()
    metrics = RuntimeMetrics(new_registry())
    user_agent = f"mcp-operator-gateway/{VERSION}"
    async with contextlib.AsyncExitStack() as stack:
        client = await Client.connect(
            kubeconfig=settings.kubeconfig,
            field_manager="mcp-operator-gateway",
            user_agent=user_agent,
            metrics=metrics,
        )
        stack.push_async_callback(client.close)
        secrets = ClusterSecrets(client)
        stack.push_async_callback(secrets.close)
        addresses = ServiceAddresses(settings.services, settings.namespace)
        blocked = api_server.service_address()
        domain = await asyncio.to_thread(own_cluster_domain)
        upstream: Upstream = await stack.enter_async_context(
            HttpUpstream(addresses, user_agent=user_agent, blocked=blocked, domain=domain)
        )
        service = Service(settings.server, settings.namespace, VERSION)
        traces = from_environment(os.environ, service)
        if traces is not None:
            stack.push_async_callback(traces.close)
            upstream = traces.upstream(upstream)
        current = Current()
        current.subscribe(lambda _: _follow_log_level(current))
        root = RootKey()
        gateway = GatewayApp(
            current,
            HttpExecutor(current, upstream, secrets),
            address=_address(settings, worker),
            registry=metrics.registry,
            guard=Guard(current, secrets=secrets, fetch=JwksFetcher(upstream, secrets)),
            root=root,
            redis=RedisOfServer(
                current,
                Dialer(addresses, blocked=blocked, domain=domain),
                secrets,
                metrics.registry,
            ),
            tracer=traces.requests(current) if traces else None,
        )
        secret = Key(settings.namespace, keys_name(settings.server))
        keys = KeySource(client, root, current, secret=secret)
        following = {
            "key source": keys.run(),
            "API server's addresses": api_server.follow(client.request, SystemResolver(), blocked),
        }
        await _serve(gateway, client, current, settings, following, worker=worker)


def _address(settings: GatewaySettings, worker: Worker | None) -> GatewayAddress:
    host = settings.bind_address or ALL_INTERFACES
    return GatewayAddress(
        host=host,
        port=settings.port,
        management_host=MANAGEMENT_HOST if worker else host,
        management_port=settings.management_port,
        tls=settings.tls_directory,
        shared=worker is not None,
        allowed_hosts=(settings.bind_address,) if settings.bind_address else (),
    )


async def _serve(
    gateway: GatewayApp,
    client: Client,
    current: Current,
    settings: GatewaySettings,
    beside: Mapping[str, Coroutine[Any, Any, object]],
    *,
    worker: Worker | None,
) -> None:
    """Serve until told to stop.

    Args:
        gateway: What serves.
        client: Reads the catalog.
        current: Holds the catalog in service.
        settings: Which catalog to serve.
        beside: Other coroutines that run as long, by name.
        worker: The worker process that this is; None if there is only one process.

    Raises:
        OperatorError: It cannot start, or must not continue.
    """
    index = Key(settings.namespace, config_name(settings.server))
    informers = InformerSet(client)
    source = CatalogSource(
        client,
        index_informer(informers, index),
        current,
        index=index,
        registry=client.metrics.registry,
    )
    with stop_signals() as stop:
        try:
            await gateway.start()
        except OSError as error:
            raise ListenError(f"cannot listen: {error.strerror or error}") from error
        if worker:
            worker.listens(gateway.management_port)
        try:
            async with asyncio.TaskGroup() as group:
                following = [
                    group.create_task(forever("informers", informers.run())),
                    group.create_task(forever("catalog source", source.run())),
                    *(group.create_task(forever(name, work)) for name, work in beside.items()),
                ]
                await stop.wait()
                await gateway.stop(CLOSE_SECONDS)
                for task in following:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise root_error(errors) from errors


def _follow_log_level(current: Current) -> None:
    """Set the log level to the server's `config.logLevel`."""
    logging.getLogger().setLevel(current.server.log_level.upper())
