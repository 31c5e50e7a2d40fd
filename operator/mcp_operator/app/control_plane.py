"""`mcp-operator operator`: the control plane of a cluster."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.app.signals import stop_signals
from mcp_operator.builders.context import BuildContext
from mcp_operator.controllers.pod_client import http_ask
from mcp_operator.controllers.recorder import EventRecorder
from mcp_operator.controllers.setup import add_controllers
from mcp_operator.core.clock import SystemClock
from mcp_operator.core.errors import SettingsError
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics, add_build_info, new_registry
from mcp_operator.core.tasks import until_cancelled
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.leader import LeaderElector
from mcp_operator.runtime.manager import Manager
from mcp_operator.runtime.probes import ALL_INTERFACES
from mcp_operator.runtime.scope import Scope
from mcp_operator.settings import OperatorSettings
from mcp_operator.version import VERSION

logger = logging.getLogger(__name__)

FIELD_MANAGER = "mcp-operator"
"""The field manager of all applied fields. Never rename it: objects would keep the fields that the
old name owns."""

EXIT_LEASE_LOST = 14
"""The exit code of a process whose work did not stop before its lease expired."""

GC_THRESHOLD = 10_000
"""Allocated minus freed containers that trigger a collection of the youngest generation. One change
allocates about Python's default of 700, and reference counting frees nearly all of them."""

SWITCH_SECONDS = 0.001
"""How long a busy thread can keep the event loop from running. With Python's default of 5 ms, each
reconciliation would wait several times."""

POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


async def run_operator(settings: OperatorSettings) -> None:
    """Run the control plane until SIGTERM or Ctrl-C.

    Raises:
        OperatorError: It cannot start, or must not continue.
    """
    metrics = RuntimeMetrics(new_registry())
    add_build_info(metrics.registry, "mcp_operator", VERSION)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.disable()  # until the caches have synced: lists are decoded two to four times faster
    async with (
        _connected(settings, metrics) as client,
        # Separate, so that the lease is renewed even while all requests of the workers hang.
        _connected(settings, metrics) as lease_client,
    ):
        await _until_stopped(_manager(settings, client, lease_client))


@asynccontextmanager
async def _connected(settings: OperatorSettings, metrics: RuntimeMetrics) -> AsyncIterator[Client]:
    client = await Client.connect(
        kubeconfig=settings.kubeconfig,
        field_manager=FIELD_MANAGER,
        user_agent=f"mcp-operator/{VERSION}",
        metrics=metrics,
    )
    try:
        yield client
    finally:
        await client.close()


def _manager(settings: OperatorSettings, client: Client, lease_client: Client) -> Manager:
    identity = settings.identity or f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    informers = InformerSet(client, _scope(settings))
    elector = None
    if settings.leader_elect:
        elector = _elector(settings, lease_client, identity, informers)
        client.guard_writes(elector.guard)
    clock = SystemClock()
    manager = Manager(
        informers=informers,
        metrics=client.metrics,
        metrics_port=settings.metrics_port,
        health_port=settings.health_port,
        elector=elector,
        host=settings.bind_address or ALL_INTERFACES,
    )
    recorder = EventRecorder(
        client, controller="mcp-operator.dev/operator", instance=identity, clock=clock
    )
    add_controllers(
        manager,
        informers,
        client,
        context=BuildContext(
            settings.gateway_image,
            settings.gateway_image_pull_policy,
            operator_namespace=_pod_namespace(),
            external_hosts=settings.external_hosts,
            pod_template=_pod_template(settings),
            passed_labels=settings.passed_labels,
            passed_annotations=settings.passed_annotations,
        ),
        recorder=recorder,
        ask=http_ask,
        clock=clock,
        installation=str(_lease(settings)) if settings.leader_elect else "",
        condition_metrics=settings.condition_metrics,
        workers=settings.workers,
    )
    manager.add_runnable("events", recorder.run)
    manager.add_runnable("garbage collector", collect_without_caches)
    return manager


def _scope(settings: OperatorSettings) -> Scope:
    """Return the namespaces to work in.

    Raises:
        SettingsError: They are chosen both by name and by label.
    """
    try:
        return Scope(tuple(dict.fromkeys(settings.namespaces)), settings.namespace_selector)
    except ValueError as error:
        raise SettingsError(
            f"--namespace and --namespace-selector are both set: {error}"
        ) from error


def _pod_template(settings: OperatorSettings) -> PodTemplate:
    """Return the installation's settings for all pods.

    Raises:
        SettingsError: It is not a pod template.
    """
    if not settings.pod_template:
        return PodTemplate()
    # Parsing YAML and CEL rules takes memory, and most installations do not need it here.
    from mcp_operator.local.podtemplate import read_pod_template  # noqa: PLC0415

    return read_pod_template(settings.pod_template)


async def collect_without_caches() -> None:
    """Enable the garbage collector, and exempt the objects that are in the caches now.

    A full collection of 10,000 objects would block the event loop for a tenth of a second.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    gc.enable()
    await until_cancelled()


def _elector(
    settings: OperatorSettings,
    client: Client,
    identity: str,
    informers: InformerSet,
) -> LeaderElector:
    lease = _lease(settings)
    try:
        return LeaderElector(
            client,
            namespace=lease.namespace,
            name=lease.name,
            identity=identity,
            lease_duration=settings.lease_duration,
            renew_deadline=settings.renew_deadline,
            retry_period=settings.retry_period,
            clock=SystemClock(),
            metrics=client.metrics,
            on_rollback=informers.distrust,
            exit_process=lambda: os._exit(EXIT_LEASE_LOST),
            annotations=informers.scope.annotations(),
        )
    except ValueError as error:
        raise SettingsError(
            f"--lease-duration, --renew-deadline and --retry-period do not fit together: {error}"
        ) from error


def _lease(settings: OperatorSettings) -> Key:
    return Key(settings.lease_namespace or _pod_namespace() or "default", settings.lease_name)


def _pod_namespace() -> str:
    """Return the pod's namespace: downward API, else service account; empty outside pods."""
    if name := os.environ.get("POD_NAMESPACE"):
        return name
    try:
        return POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


async def _until_stopped(manager: Manager) -> None:
    with stop_signals() as stop:
        running = asyncio.create_task(manager.run(), name="manager")
        stopping = asyncio.create_task(stop.wait(), name="stop signal")
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not running.done():
            logger.info("Received a signal, stopping")
            running.cancel()
        try:
            await running
        except asyncio.CancelledError:
            logger.info("Stopped")
