"""Argo CD reports objects as in sync after an apply, and Flux waits until they are ready.

The code of both, in `tests/gitops`, judges objects on a real API server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from mcp_operator.controllers.status_reporter import INITIAL_REASONS
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from mcp_operator.version import VERSION
from support import helm, kustomize, manifests
from support.connected import connected, own_namespace
from support.controlplane import ControlPlane
from support.crds import install_crds
from support.generated import KINDS, Generator
from support.gitops import CLIENT_SIDE, Question, Verdict, judged, out_of_sync
from support.installations import ELSEWHERE, EVERYTHING, RESOURCES, built
from support.kustomize import MANIFESTS
from support.manifests import defaulted_manifests, featured_manifests
from support.operators import running_operator
from support.provision import UnavailableError, find_binaries, find_judge

GUIDE = (MANIFESTS.parent / "docs" / "how-to" / "gitops.md").read_text(encoding="utf-8")


GENERATED = 200
"""The number of random objects, a quarter of each kind."""

READY: Object = {"type": "Ready", "status": "True", "reason": "Ready", "message": "It is served."}
OBSERVED: Object = {"observedGeneration": 1, "conditions": [READY]}

HEAD = {"apiVersion", "kind", "metadata"}
NAME = {"name", "namespace"}


class Git(NamedTuple):
    """A separate cluster, to which everything is applied."""

    cluster: ControlPlane
    client: Client

    async def out_of_sync(self, objects: list[Object], way: str) -> dict[str, dict[str, list[str]]]:
        return await out_of_sync(self.client, self.cluster.kubeconfig, objects, way)

    async def judged(self, *objects: Object) -> list[Verdict]:
        """Judge objects with kstatus and with the health check of the guide."""
        questions = [Question(obj, health=health_check()) for obj in objects]
        return await judged(self.cluster.kubeconfig, questions)


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    """A separate control plane; skip the tests without one or without the judging program."""
    try:
        find_judge(print)
        with ControlPlane(find_binaries(print)) as cluster:
            asyncio.run(_install(cluster))
            yield cluster
    except UnavailableError as error:
        pytest.skip(str(error))


async def _install(cluster: ControlPlane) -> None:
    async with connected(cluster.kubeconfig) as client:
        await install_crds(client)


@pytest.fixture
async def git(cluster: ControlPlane) -> AsyncIterator[Git]:
    async with connected(cluster.kubeconfig, CLIENT_SIDE) as client:
        yield Git(cluster, client)


@pytest.mark.parametrize("way", EVERYTHING)
async def test_no_installation_is_out_of_sync(git: Git, way: str) -> None:
    objects = [obj for obj in built(way) if obj["kind"] not in ELSEWHERE]
    assert await git.out_of_sync(objects, way.rpartition("/")[2]) == {}


@pytest.mark.parametrize("values", sorted((helm.CHART / "ci").glob("*.yaml")), ids=lambda p: p.stem)
async def test_no_release_of_the_chart_is_out_of_sync(git: Git, values: Path) -> None:
    assert await git.out_of_sync(released(values), values.stem) == {}


async def test_the_samples_are_in_sync(git: Git) -> None:
    assert await git.out_of_sync(kustomize.build(MANIFESTS / "samples"), "samples") == {}


async def test_objects_of_every_field_are_in_sync(git: Git) -> None:
    assert await git.out_of_sync([obj for _, obj in featured_manifests()], "featured") == {}


async def test_objects_with_omitted_fields_in_lists_are_in_sync(git: Git) -> None:
    assert await git.out_of_sync([obj for _, obj in defaulted_manifests()], "defaulted") == {}


async def test_random_objects_are_in_sync(git: Git) -> None:
    objects = [random_object(seed) for seed in range(GENERATED)]
    assert await git.out_of_sync(objects, "generated") == {}


def random_object(seed: int) -> Object:
    """Return a random object, the same for the same seed."""
    obj = Generator(seed).object(KINDS[seed % len(KINDS)], f"object-{seed}")
    return {**obj, "metadata": {**obj["metadata"], "namespace": "generated"}}


async def test_kstatus_waits_until_random_objects_are_ready(git: Git) -> None:
    async with own_namespace(git.client) as shop:
        objects = []
        for seed in range(GENERATED):
            obj = random_object(seed)
            placed = {**obj, "metadata": {**obj["metadata"], "namespace": shop.namespace}}
            objects.append(await git.client.create(RESOURCES[obj["kind"]], placed))
    waiting = await git.judged(*objects)
    assert {verdict.status for verdict in waiting} == {"InProgress"}
    done = await git.judged(*({**obj, "status": OBSERVED} for obj in objects))
    assert {verdict.status for verdict in done} == {"Current"}
    assert {verdict.health["status"] for verdict in done} == {"Healthy"}


async def test_a_difference_is_detected_in_every_mode(git: Git) -> None:
    async with own_namespace(git.client) as shop:
        live = await shop.server("red", port=9999)
        metadata = {"name": "red", "namespace": shop.namespace}
        config = {**live, "metadata": metadata, "spec": {**live["spec"], "port": 8888}}
        [verdict] = await judged(git.cluster.kubeconfig, [Question(live, config)])
    modes = ("legacy", "structured", "server")
    assert verdict.differing == {mode: [".spec.port"] for mode in modes}


async def test_objects_that_no_operator_has_seen_are_in_progress(git: Git) -> None:
    async with own_namespace(git.client) as shop:
        await shop.server("red")
        await shop.tool("search", "red")
        objects = [await shop.get("MCPServer", "red"), await shop.get("MCPTool", "search")]
    verdicts = await git.judged(*objects)
    assert [verdict.status for verdict in verdicts] == ["InProgress", "InProgress"]
    assert {verdict.health["status"] for verdict in verdicts} == {"Progressing"}


async def test_disabled_objects_and_scaled_down_servers_are_current_and_broken_ones_are_not(
    git: Git,
) -> None:
    kubeconfig = git.cluster.kubeconfig
    async with own_namespace(git.client) as shop, running_operator(kubeconfig, shop.namespace):
        await shop.service()
        await shop.server("resting", replicas=0)
        await shop.tool("off", "resting", enabled=False)
        await shop.tool("on", "resting")
        await shop.tool("broken", "resting", service={"name": "nowhere", "port": 80})
        await shop.tool("lost", "nobody")
        reasons = {"off": "Disabled", "on": "ScaledToZero", "broken": "ServiceNotFound"}
        for name, reason in reasons.items():
            await shop.wait_for_reason("MCPTool", name, "Ready", reason)
        await shop.wait_for_reason("MCPServer", "resting", "Ready", "ScaledToZero")
        objects = [await shop.get("MCPTool", name) for name in reasons]
        objects.append(await shop.get("MCPServer", "resting"))
    verdicts = await git.judged(*objects)
    statuses = [(verdict.status, verdict.health["status"]) for verdict in verdicts]
    assert statuses == [
        ("Current", "Healthy"),
        ("Current", "Healthy"),
        ("InProgress", "Degraded"),
        ("Current", "Degraded"),  # it would not serve all selected objects
    ]


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ([], "Progressing"),
        ([READY], "Healthy"),
        ([READY, {**READY, "type": "Degraded", "status": "False"}], "Healthy"),
        ([READY, {**READY, "type": "Degraded", "reason": "PodsFailing"}], "Degraded"),
        ([{**READY, "status": "False", "reason": "NoReadyPods"}], "Progressing"),
        ([{**READY, "status": "False", "reason": "NothingServed"}], "Degraded"),
    ],
)
async def test_the_health_check_of_the_guide_returns_the_status_for_every_state(
    git: Git, conditions: list[Object], status: str
) -> None:
    observed = {"observedGeneration": 1, "conditions": conditions}
    server = {**manifests.server(), "status": observed}
    server["metadata"] |= {"generation": 1}
    [verdict] = await git.judged(server)
    assert verdict.health["status"] == status
    [behind] = await git.judged({**server, "metadata": {"name": "x", "generation": 2}})
    assert behind.health["status"] == "Progressing"


def released(values: Path) -> list[Object]:
    """Return the objects of a release of the chart, except for kinds of other projects.

    Argo CD cannot compare an object that only has a name, so these are left out.
    """
    rendered = helm.Library().render(yaml.safe_load(values.read_text(encoding="utf-8")))
    objects = [obj for obj in rendered.objects if obj["kind"] in RESOURCES]
    return [obj for obj in objects if obj.keys() > HEAD or obj["metadata"].keys() > NAME]


def blocks() -> list[Object]:
    """Return the cluster objects in the YAML of the guide, without kustomization files."""
    shown = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return [obj for block in shown for obj in yaml.safe_load_all(block) if "metadata" in obj]


def health_check() -> str:
    """Return the health check of the guide, which is the same for all kinds."""
    [settings] = [obj for obj in blocks() if obj["kind"] == "ConfigMap"]
    customizations = yaml.safe_load(settings["data"]["resource.customizations"])
    return str(customizations["mcp-operator.dev/*"]["health.lua"])


def test_the_guide_names_existing_folders_and_this_release() -> None:
    operators = [obj for obj in blocks() if obj["metadata"]["name"] == "mcp-operator"]
    assert [obj["kind"] for obj in operators] == ["Application", "Kustomization"]
    application, kustomization = (obj["spec"] for obj in operators)
    assert application["source"]["targetRevision"] == f"v{VERSION}"
    for path in (application["source"]["path"], kustomization["path"]):
        assert (MANIFESTS.parent / path / "kustomization.yaml").is_file()


def test_the_guide_lists_the_reasons_that_are_temporary() -> None:
    underway = set(re.findall(r"(\w+) = true", health_check()))
    [row] = [line for line in GUIDE.splitlines() if line.startswith("| Ready is False, in")]
    assert underway == set(re.findall(r"`(\w+)`", row))
    assert underway == {str(reason) for reason in INITIAL_REASONS} - {"Healthy"}
