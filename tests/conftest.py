"""Hooks for every test, and the cluster fixtures that the integration tests share."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings
from prometheus_client import CollectorRegistry

from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from support import gateway_api
from support.connected import connected, own_namespace
from support.controlplane import Cluster, ControlPlane, start_cluster
from support.crds import install_crds
from support.kubelet import NODE_LABEL, NODES, Kubelet
from support.mutations import MutationDetector
from support.provision import UnavailableError

_US = "mcp-operator-tests"
"""The field manager of the tests."""

_UNIT = Path(__file__).parent / "unit"

# The duration of an example depends on the machine, so there is no deadline.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# CI tests every change with the same examples, so that a change fails only for what it changed.
# Developers' machines and the nightly run use other examples.
settings.register_profile(
    "repeatable", settings.get_profile("random"), derandomize=True, database=None
)
settings.load_profile("repeatable" if os.environ.get("CI") else "random")


def pytest_configure() -> None:
    """Declare that there is no event loop until a test runs one.

    Otherwise `get_event_loop`, which the asyncio plugins call, creates a loop before Python 3.14
    that nothing closes. Its ResourceWarning then fails the test in which garbage is collected.
    """
    asyncio.set_event_loop(None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test if MCP_OPERATOR_TEST_NO_SKIP is set, as in CI."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a skipped module in the same way."""
    report = yield
    if report.skipped:
        _forbid_skip(report)
    return report


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("MCP_OPERATOR_TEST_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"MCP_OPERATOR_TEST_NO_SKIP is set, but: {report.longrepr}"


@pytest.fixture(autouse=True)
def _no_blocking_calls(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a unit test in which the package blocks the event loop."""
    if not request.path.is_relative_to(_UNIT):
        yield
        return
    with blockbuster_ctx("mcp_operator"):
        yield


@pytest.fixture(autouse=True)
def mutation_detector(monkeypatch: pytest.MonkeyPatch) -> Iterator[MutationDetector]:
    """Fail a test that modifies a cached object."""
    detector = MutationDetector(monkeypatch)
    yield detector
    detector.check()


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    """Restore the root logger after a test: a handler can outlive the stream it writes to."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def registry() -> CollectorRegistry:
    return new_registry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> RuntimeMetrics:
    return RuntimeMetrics(registry)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster of the session: a control plane that it starts, or the one in the environment."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def report(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", flush=True)  # noqa: T201 - a build takes minutes

    try:
        cluster = start_cluster(report)
    except UnavailableError as error:
        pytest.skip(str(error))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def crds_installed(control_plane: Cluster) -> None:
    """The CRDs of the project and of HTTPRoutes are installed and served."""

    async def install() -> None:
        async with connected(control_plane.kubeconfig, _US) as client:
            await install_crds(client)
            await gateway_api.install(client)

    asyncio.run(install())
    if isinstance(control_plane, ControlPlane):
        control_plane.restart_controllers()


@pytest.fixture
async def client(control_plane: Cluster) -> AsyncIterator[Client]:
    """The client of an administrator, with metrics of its own."""
    async with connected(control_plane.kubeconfig, _US) as administrator:
        yield administrator


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    """The name of a new namespace, which is deleted in the background after the test."""
    async with own_namespace(client) as shop:
        yield shop.namespace


@pytest.fixture
async def kubelet(control_plane: Cluster, client: Client, namespace: str) -> AsyncIterator[Kubelet]:
    """A kubelet for the test's namespace; `services` maps Services to addresses."""
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager no Deployment creates Pods")
    nodes = await client.request("GET", NODES.path(), query={"labelSelector": f"!{NODE_LABEL}"})
    if json.loads(nodes)["items"]:
        pytest.skip("the cluster has nodes of its own, which cannot run this checkout")
    async with Kubelet(client, control_plane.kubeconfig, namespace, {}) as running:
        yield running
