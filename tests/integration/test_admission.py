"""What a real API server refuses and accepts, with nothing but the CRDs installed."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.crd import DEFINITIONS
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.admission import RESOURCES, admit
from support.manifests import ancestor_manifests, featured_manifests, migrated, server
from support.negatives import NEGATIVES, Negative

pytestmark = pytest.mark.usefixtures("crds_installed")

ANCESTOR = ancestor_manifests()
FEATURED = featured_manifests()


@pytest.mark.parametrize("case", NEGATIVES, ids=str)
async def test_refused_with_a_sentence_that_names_the_field(client: Client, case: Negative) -> None:
    with pytest.raises(ApiError) as refusal:
        await admit(client, case.obj)
    assert case.field in refusal.value.message
    assert case.fragment in refusal.value.message


@pytest.mark.parametrize("obj", [obj for _, obj in ANCESTOR], ids=[name for name, _ in ANCESTOR])
async def test_the_ancestors_manifests_apply_after_changing_only_the_group(
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
async def test_objects_that_use_every_field_are_admitted_whole(client: Client, obj: Object) -> None:
    admitted = await admit(client, obj)
    assert covers(admitted["spec"], obj["spec"])


async def test_defaults_are_those_of_the_models(client: Client) -> None:
    for _, obj in FEATURED:
        definition = next(one for one in DEFINITIONS if one.resource.kind == obj["kind"])
        admitted = await admit(client, obj)
        read = definition.model.model_validate(admitted)
        assert read.model_dump(exclude={"metadata"}) == definition.model.model_validate(
            obj
        ).model_dump(exclude={"metadata"})


async def test_a_server_without_replicas_can_be_scaled(client: Client, namespace: str) -> None:
    resource = RESOURCES["MCPServer"]
    await client.request("POST", resource.path(namespace), body=server("shop"))
    await client.merge_patch(
        resource, Key(namespace, "shop"), {"spec": {"replicas": 3}}, subresource="scale"
    )
    scaled = await client.get(resource, Key(namespace, "shop"))
    assert scaled["spec"]["replicas"] == 3


def covers(live: Any, wanted: Any) -> bool:
    """Tell whether `live` holds everything that is wanted; it may hold more."""
    if isinstance(wanted, dict):
        return all(name in live and covers(live[name], child) for name, child in wanted.items())
    if isinstance(wanted, list):
        return len(live) == len(wanted) and all(map(covers, live, wanted))
    return bool(live == wanted)
