"""Children of a server are restored after edits, and deleted when no longer declared."""

from __future__ import annotations

import functools
import hashlib
import json

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPTOOLS
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    INGRESSES,
    ROLEBINDINGS,
    ROLES,
    SERVICES,
)
from mcp_operator.core.meta import Object, Resource
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

NAME = "mcp-server-red"


async def child(shop: Shop, resource: Resource, name: str = NAME) -> Object | None:
    return await shop.find(resource, name)


async def exists(shop: Shop, resource: Resource, name: str = NAME) -> bool:
    return await child(shop, resource, name) is not None


async def deployed(shop: Shop) -> Object:
    found = await child(shop, DEPLOYMENTS)
    assert found is not None
    return found


@pytest.fixture
async def red(shop: Shop, operator: Operator) -> Shop:
    """A server `red` with one tool, settled."""
    await shop.server("red")
    await shop.tool("search", "red")
    await eventually(functools.partial(shop.served, "red"), {"search": "first"})
    await eventually(functools.partial(shop.replicas, "red"), 1)
    await operator.settled(shop.client)
    operator.forget_requests()
    return shop


async def test_an_edited_field_is_restored_and_fields_of_others_are_kept(
    red: Shop, operator: Operator
) -> None:
    change = {
        "metadata": {"annotations": {"somebody": "else"}},
        "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 99}}},
    }
    wanted = (await deployed(red))["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    await red.client.merge_patch(DEPLOYMENTS, red.key(NAME), change)

    async def grace() -> int:
        spec = (await deployed(red))["spec"]["template"]["spec"]
        return int(spec["terminationGracePeriodSeconds"])

    await eventually(grace, wanted)
    await operator.settled(red.client)
    assert (await deployed(red))["metadata"]["annotations"]["somebody"] == "else"
    assert operator.writes.count(f"PATCH deployments/{NAME}") == 1


async def test_removing_the_ingress_field_deletes_the_ingress(red: Shop) -> None:
    await red.patch("MCPServer", "red", spec={"ingress": {"host": "mcp.example.com"}})
    await eventually(functools.partial(exists, red, INGRESSES), expected=True)
    await red.patch("MCPServer", "red", spec={"ingress": None})
    await eventually(functools.partial(exists, red, INGRESSES), expected=False)


async def test_the_url_in_the_status_is_that_of_the_ingress(red: Shop) -> None:
    ingress = {"host": "mcp.example.com", "tlsSecretName": "cert", "pathPrefix": "/red"}
    await red.patch("MCPServer", "red", spec={"ingress": ingress})

    async def url() -> object:
        return (await red.get("MCPServer", "red"))["status"].get("url")

    await eventually(url, "https://mcp.example.com/red")


async def test_mode_direct_writes_plain_files_and_deletes_the_role_of_the_gateway(
    red: Shop,
) -> None:
    assert await exists(red, ROLES)
    await red.patch("MCPServer", "red", spec={"mode": "Direct", "image": "example.com/mcp:1"})
    await eventually(functools.partial(exists, red, ROLES), expected=False)
    await eventually(functools.partial(exists, red, ROLEBINDINGS), expected=False)
    config = await child(red, CONFIGMAPS, f"{NAME}-config")
    assert config is not None
    [tool] = json.loads(config["data"]["tools.json"])
    assert tool["name"] == "search"
    assert tool["endpoint"] == f"http://orders.{red.namespace}.svc:80/search"
    assert "binaryData" not in config
    await red.wait_for_reason("MCPServer", "red", "Programmed", "NotReported")


async def test_a_catalog_of_three_mebibytes_is_stored_in_shards(
    red: Shop, operator: Operator
) -> None:
    # Hexadecimal hashes of a counter: text that gzip cannot compress much.
    texts = {f"big-{number}": _noise(number, 800_000) for number in range(4)}
    for name, text in texts.items():
        await red.resource(name, "red", content={"uri": f"shop://{name}", "text": text})
    expected = {"search": "first"} | texts
    await eventually(functools.partial(red.served, "red"), expected)
    server = await red.get("MCPServer", "red")
    assert server["status"]["configBytes"] > 3 * 1024 * 1024
    assert await exists(red, CONFIGMAPS, f"{NAME}-config-1")
    role = await child(red, ROLES)
    assert role is not None
    named = role["rules"][0]["resourceNames"]
    assert f"{NAME}-config-1" in named
    for name in texts:
        await red.delete("MCPResource", name)
    await eventually(functools.partial(red.served, "red"), {"search": "first"})
    await eventually(functools.partial(exists, red, CONFIGMAPS, f"{NAME}-config-1"), expected=False)


def _noise(seed: int, length: int) -> str:
    digests = (hashlib.sha256(f"{seed}:{n}".encode()).hexdigest() for n in range(length // 64 + 1))
    return "".join(digests)[:length]


async def test_objects_can_be_deleted_while_no_operator_runs(red: Shop, operator: Operator) -> None:
    await operator.stop()
    await red.delete("MCPTool", "search")
    assert await red.find(MCPTOOLS, "search") is None
    await red.delete("MCPServer", "red")
    assert await red.find(MCPSERVERS, "red") is None
    for resource in (DEPLOYMENTS, SERVICES, ROLES, CONFIGMAPS):
        name = config_name("red") if resource == CONFIGMAPS else NAME
        await eventually(functools.partial(exists, red, resource, name), expected=False)


async def test_changed_annotations_cause_no_writes(red: Shop, operator: Operator) -> None:
    await red.patch("MCPServer", "red", metadata={"annotations": {"touched": "1"}})
    await red.patch("MCPTool", "search", metadata={"annotations": {"touched": "1"}})
    await operator.settled(red.client)
    assert operator.writes == []
