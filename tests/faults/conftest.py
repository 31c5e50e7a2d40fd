"""Shared fixtures: the fault proxy, a client that uses it, and a client that bypasses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from faults.observed_informer import ObservedInformer, config_map, observed_informer, watch_opened
from faults.proxy import FaultProxy, fault_proxy
from faults.scenario import run_undisturbed
from faults.stability import stable
from faults.tenants import ALL, create_tenants
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.retry import Backoff
from support.connected import connected
from support.controlplane import Cluster, ControlPlane
from support.crds import install_crds
from support.objects import CONFIG_MAPS
from support.operators import Operator, running_operator
from support.provision import UnavailableError, find_binaries
from support.shop import Shop
from support.waiting import eventually


@pytest.fixture(scope="session")
def active_cluster(control_plane: Cluster, crds_installed: None) -> Cluster:
    """A cluster with the CRDs, and with the controllers that roll out Deployments."""
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager no Deployment rolls out, and none is deleted")
    return control_plane


@pytest.fixture(scope="session")
def expected_end_state(active_cluster: Cluster) -> dict[str, object]:
    """The end state of the scenario without faults."""
    return asyncio.run(run_undisturbed(active_cluster))


@pytest.fixture
def own_control_plane() -> Iterator[ControlPlane]:
    """A control plane that the test can break."""
    try:
        binaries = find_binaries(print)
    except UnavailableError as error:
        pytest.skip(str(error))
    with ControlPlane(binaries) as running:
        if not running.has_controllers:
            pytest.skip("without kube-controller-manager no Deployment rolls out")
        yield running
        running.kill_api_server()  # stopping it gracefully takes seconds


@pytest.fixture
async def own_shop(own_control_plane: ControlPlane) -> AsyncIterator[Shop]:
    async with connected(own_control_plane.kubeconfig) as client:
        await install_crds(client)
        shop = Shop(client, "default")
        await shop.service()
        yield shop


@pytest.fixture
async def proxy(control_plane: Cluster, tmp_path: Path) -> AsyncIterator[FaultProxy]:
    """A proxy of the test's own in front of the session's API server."""
    async with fault_proxy(tmp_path, control_plane.kubeconfig) as running:
        yield running


@pytest.fixture
async def subject(proxy: FaultProxy) -> AsyncIterator[Client]:
    """The client under test, which uses the proxy; `client` bypasses it."""
    connected = await Client.connect(
        kubeconfig=proxy.kubeconfig,
        field_manager="subject",
        user_agent="mcp-operator-tests",
        metrics=RuntimeMetrics(new_registry()),
    )
    yield connected
    await connected.close()


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide the backoff of failed watches by ten."""
    monkeypatch.setattr(Backoff, "FIRST", Backoff.FIRST / 10)


@pytest.fixture
async def shop(client: Client, namespace: str, active_cluster: Cluster) -> Shop:
    """A namespace with one Service, `orders`, port 80; its user bypasses the proxy."""
    shop = Shop(client, namespace)
    await shop.service()
    return shop


@pytest.fixture
async def operator(proxy: FaultProxy, shop: Shop) -> AsyncIterator[Operator]:
    """An operator behind the proxy that has reconciled both tenants and is idle."""
    async with running_operator(proxy.kubeconfig, shop.namespace) as operator:
        await create_tenants(shop)
        await stable(shop, operator, ALL)
        proxy.forget()
        yield operator


@pytest.fixture
async def observed(
    *,
    subject: Client,
    client: Client,
    control_plane: Cluster,
    proxy: FaultProxy,
    namespace: str,
    short_pauses: None,
) -> AsyncIterator[ObservedInformer]:
    """A cache with the ConfigMaps `a` and `b`; the requests so far are forgotten."""
    for name in "ab":
        await client.create(CONFIG_MAPS, config_map(namespace, name))
    async with observed_informer(subject, namespace) as observed:
        await observed.holds(a="1", b="1")
        if control_plane.has_controllers:  # they create a ConfigMap in every namespace
            await eventually(observed.has_root_certificate, expected=True)
        await eventually(lambda: watch_opened(proxy), expected=True)
        proxy.forget()
        yield observed
