"""An installation can switch between kubectl and Helm, as the guide to upgrades describes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from mcp_operator.builders.resources import DEPLOYMENTS
from mcp_operator.core.meta import Key, Object
from support.connected import connected
from support.controlplane import ControlPlane
from support.helm import Library
from support.installations import RESOURCES, built
from support.provision import UnavailableError, find_binaries
from support.workloads import named

DEPLOYMENT = Key("mcp-system", "mcp-operator")

WAYS: dict[str, Callable[[], list[Object]]] = {
    "kubectl": lambda: built("base"),
    "Helm": lambda: [named(built("base"), "Namespace", "mcp-system"), *Library().render().objects],
}
"""The objects that each way applies. Helm does not render the namespace of the release."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[ControlPlane]:
    """A separate control plane, because the objects have the names of a real installation."""
    try:
        with ControlPlane(find_binaries(print)) as cluster:
            yield cluster
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("first", "then"), [*itertools.permutations(WAYS, 2)])
async def test_an_installation_can_be_taken_over_in_another_way(
    cluster: ControlPlane, first: str, then: str
) -> None:
    async with connected(cluster.kubeconfig) as client:
        for way in (first, then):
            for obj in WAYS[way]():
                await client.apply(RESOURCES[obj["kind"]], obj, field_manager=way)
        await client.delete(DEPLOYMENTS, DEPLOYMENT)  # the guide requires this
        [wanted] = [obj for obj in WAYS[then]() if obj["kind"] == DEPLOYMENTS.kind]
        live = await client.apply(DEPLOYMENTS, wanted, field_manager=then)
        [container] = live["spec"]["template"]["spec"]["containers"]
        [expected] = wanted["spec"]["template"]["spec"]["containers"]
        assert names(container) == names(expected)


def names(container: Object) -> list[str]:
    """Return the names of a container's variables and of the ConfigMaps in its `envFrom`."""
    sources = [source["configMapRef"]["name"] for source in container.get("envFrom", ())]
    return [*(variable["name"] for variable in container.get("env", ())), *sources]
