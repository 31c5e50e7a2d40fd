"""What a real API server refuses and accepts with only the CRDs installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mcp_operator.api.crd import DEFINITIONS, UNOBSERVED, crds
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.admission import RESOURCES, admit
from support.crds import DEFINITIONS as DEFINITIONS_OF_KINDS
from support.manifests import (
    ancestor_manifests,
    defaulted_manifests,
    featured_manifests,
    migrated,
    server,
)
from support.negatives import NEGATIVES, Negative

pytestmark = pytest.mark.usefixtures("crds_installed")

ANCESTOR = ancestor_manifests()
FEATURED = featured_manifests()
WRITTEN = [*FEATURED, *defaulted_manifests()]


@pytest.mark.parametrize("case", NEGATIVES, ids=str)
async def test_an_invalid_object_is_refused_with_a_message_that_names_the_field(
    client: Client, case: Negative
) -> None:
    with pytest.raises(ApiError) as refusal:
        await admit(client, case.obj)
    assert case.field in refusal.value.message
    assert case.fragment in refusal.value.message


@pytest.mark.parametrize("obj", [obj for _, obj in ANCESTOR], ids=[name for name, _ in ANCESTOR])
async def test_manifests_of_the_predecessor_are_admitted_after_changing_only_the_group(
    client: Client, obj: Object
) -> None:
    admitted = await admit(client, migrated(obj))
    assert (
        admitted["spec"].items()
        >= {
            key: value for key, value in obj["spec"].items() if not isinstance(value, list | dict)
        }.items()
    )


@pytest.mark.parametrize("obj", [obj for _, obj in FEATURED], ids=[name for name, _ in FEATURED])
async def test_objects_that_use_every_field_are_admitted_without_losing_any(
    client: Client, obj: Object
) -> None:
    admitted = await admit(client, obj)
    assert covers(admitted["spec"], obj["spec"])


async def test_the_defaults_of_the_crds_equal_those_of_the_models(client: Client) -> None:
    for _, obj in FEATURED:
        definition = next(one for one in DEFINITIONS if one.resource.kind == obj["kind"])
        admitted = await admit(client, obj)
        read = definition.model.model_validate(admitted)
        written = definition.model.model_validate(obj)
        assert read.model_dump(include={"spec"}) == written.model_dump(include={"spec"})


@pytest.mark.parametrize("obj", [obj for _, obj in WRITTEN], ids=[name for name, _ in WRITTEN])
async def test_lists_are_stored_as_they_were_written(client: Client, obj: Object) -> None:
    admitted = await admit(client, obj)
    assert dict(lists(admitted["spec"])) == dict(lists(obj["spec"]))


async def test_the_api_server_stores_every_field_of_the_crds(client: Client) -> None:
    for crd in crds():
        stored = await client.get(DEFINITIONS_OF_KINDS, Key("", crd["metadata"]["name"]))
        assert covers(stored["spec"], crd["spec"])


async def test_the_status_of_a_new_object_says_that_no_operator_has_seen_it(
    client: Client, namespace: str
) -> None:
    resource = RESOURCES["MCPServer"]
    await client.request("POST", resource.path(namespace), body=server("shop"))
    assert (await client.get(resource, Key(namespace, "shop")))["status"] == UNOBSERVED


async def test_a_server_without_replicas_can_be_scaled(client: Client, namespace: str) -> None:
    resource = RESOURCES["MCPServer"]
    await client.request("POST", resource.path(namespace), body=server("shop"))
    await client.merge_patch(
        resource, Key(namespace, "shop"), {"spec": {"replicas": 3}}, subresource="scale"
    )
    scaled = await client.get(resource, Key(namespace, "shop"))
    assert scaled["spec"]["replicas"] == 3


def lists(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield every list that is not inside another list, with its path."""
    if isinstance(value, list):
        yield path, value
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from lists(child, f"{path}.{name}")


def covers(live: Any, wanted: Any) -> bool:
    """Return whether `live` contains everything in `wanted`; it can contain more."""
    if isinstance(wanted, dict):
        return all(name in live and covers(live[name], child) for name, child in wanted.items())
    if isinstance(wanted, list):
        return len(live) == len(wanted) and all(map(covers, live, wanted))
    return bool(live == wanted)
