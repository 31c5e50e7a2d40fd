"""Conditions of objects: invalid objects are reported, and the others are served."""

from __future__ import annotations

import base64
import functools
import json

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.core.meta import Resource
from support.operators import Operator
from support.shop import EVENTS, KINDS, Shop
from support.waiting import eventually

CANARY = "canary-7d1f0c"


@pytest.fixture
async def red(shop: Shop, operator: Operator) -> Shop:
    """A server `red` that serves the tool `good`."""
    await shop.server("red")
    await shop.tool("good", "red")
    await eventually(functools.partial(shop.served, "red"), {"good": "first"})
    return shop


async def rejected(shop: Shop) -> dict[str, str]:
    status = (await shop.get("MCPServer", "red")).get("status") or {}
    return {entry["name"]: entry["reason"] for entry in status.get("rejected") or ()}


async def test_a_schema_that_does_not_compile_is_reported_and_other_tools_are_served(
    red: Shop,
) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "nonsense"}}}
    await red.tool("broken", "red", inputSchema=schema)
    message = await red.wait_for_reason("MCPTool", "broken", "Accepted", Reason.INVALID_SCHEMA)
    assert "inputSchema" in message
    await eventually(functools.partial(rejected, red), {"broken": "InvalidSchema"})
    assert await red.served("red") == {"good": "first"}


async def test_a_schema_that_would_take_a_gigabyte_is_reported_and_other_tools_are_served(
    red: Shop,
) -> None:
    patterns = [{"pattern": rf"^\pL{{200}}x{number}$"} for number in range(100)]
    schema = {"type": "object", "properties": {"p": {"anyOf": patterns}}}
    await red.tool("bomb", "red", inputSchema=schema)
    message = await red.wait_for_reason("MCPTool", "bomb", "Accepted", Reason.SCHEMA_TOO_COMPLEX)
    assert message.startswith("inputSchema: #/properties/p/anyOf/0/pattern would take 11 MiB")
    await eventually(functools.partial(rejected, red), {"bomb": "SchemaTooComplex"})
    await red.tool("other", "red")
    await eventually(functools.partial(red.served, "red"), {"good": "first", "other": "first"})


async def test_a_path_argument_that_the_schema_does_not_declare_is_reported(red: Shop) -> None:
    service = {"name": "orders", "port": 80, "path": "/orders/{id}"}
    schema = {"type": "object", "properties": {"other": {"type": "string"}}}
    await red.tool("broken", "red", service=service, inputSchema=schema)
    message = await red.wait_for_reason("MCPTool", "broken", "Accepted", Reason.UNDECLARED_ARGUMENT)
    assert "{id}" in message


async def test_a_missing_port_is_reported_with_the_ports_of_the_service(red: Shop) -> None:
    await red.tool("broken", "red", service={"name": "orders", "port": 81, "path": "/"})
    message = await red.wait_for_reason("MCPTool", "broken", "ResolvedRefs", Reason.PORT_NOT_FOUND)
    assert message.endswith("has no port 81; use one of: 80 (http)")


async def test_an_undeclared_variable_of_a_prompt_is_reported(red: Shop) -> None:
    await red.prompt("broken", "red", template="Say {{what}} to {{whom}}")
    message = await red.wait_for_reason(
        "MCPPrompt", "broken", "Accepted", Reason.UNDECLARED_VARIABLE
    )
    assert "{{whom}}" in message
    status = (await red.get("MCPPrompt", "broken"))["status"]
    assert status["undeclared"] == ["whom"]
    assert status["validated"] is False


async def test_of_two_tools_with_the_same_name_the_oldest_is_served(red: Shop) -> None:
    await red.tool("younger", "red", name="good", description="second")
    message = await red.wait_for_reason("MCPTool", "younger", "Accepted", Reason.DUPLICATE_NAME)
    assert f"MCPTool {red.namespace}/good" in message
    assert await red.served("red") == {"good": "first"}
    [entry] = (await red.get("MCPTool", "younger"))["status"]["servers"]
    assert (entry["name"], entry["accepted"], entry["reason"]) == ("red", False, "DuplicateName")
    await red.delete("MCPTool", "good")
    await eventually(functools.partial(red.served, "red"), {"good": "second"})
    await red.wait_for_reason("MCPTool", "younger", "Accepted", Reason.ACCEPTED)


async def test_with_reject_all_neither_of_two_tools_with_the_same_name_is_served(red: Shop) -> None:
    await red.patch("MCPServer", "red", spec={"naming": {"onConflict": "RejectAll"}})
    await red.tool("younger", "red", name="good")
    await eventually(functools.partial(red.served, "red"), {})
    await red.wait_for_reason("MCPTool", "good", "Accepted", Reason.DUPLICATE_NAME)


async def test_an_object_is_not_selected_until_a_server_selects_it(red: Shop) -> None:
    await red.tool("lost", "nobody")
    message = await red.wait_for_reason("MCPTool", "lost", "Ready", Reason.NOT_SELECTED)
    assert "labels" in message
    assert (await red.get("MCPTool", "lost"))["status"]["serverCount"] == 0
    await red.server("late", team="nobody")
    await eventually(functools.partial(red.served, "late"), {"lost": "first"})
    await red.wait_for_reason("MCPTool", "lost", "Ready", Reason.SERVER_NOT_PROGRAMMED)


async def test_a_disabled_tool_is_not_served_and_reports_it(red: Shop) -> None:
    await red.patch("MCPTool", "good", spec={"enabled": False})
    await eventually(functools.partial(red.served, "red"), {})
    await red.wait_for_reason("MCPTool", "good", "Programmed", Reason.DISABLED)


async def test_an_ingress_path_is_reported_as_ignored(red: Shop) -> None:
    await red.patch("MCPTool", "good", spec={"ingressPath": "/good"})
    await red.wait_for_reason("MCPTool", "good", "Accepted", Reason.INGRESS_PATH_IGNORED)
    assert await red.served("red") == {"good": "first"}


async def test_a_redis_that_does_not_exist_is_reported_without_any_limit(red: Shop) -> None:
    await red.patch("MCPServer", "red", spec={"redis": {"serviceName": "redis"}})
    message = await red.wait_for_reason(
        "MCPServer", "red", "ResolvedRefs", Reason.SERVICE_NOT_FOUND
    )
    assert message.startswith("pods cannot use Redis")


async def test_a_server_scaled_to_zero_reports_it(red: Shop) -> None:
    await red.patch("MCPServer", "red", spec={"replicas": 0})
    await red.wait_for_reason("MCPServer", "red", "Ready", Reason.SCALED_TO_ZERO)


async def test_a_missing_secret_is_reported_and_its_value_appears_in_no_other_object(
    red: Shop,
) -> None:
    reference = {"type": "Bearer", "secretRef": {"name": "token", "key": "token"}}
    await red.tool("guarded", "red", request={"credentials": reference})
    message = await red.wait_for_reason(
        "MCPTool", "guarded", "ResolvedRefs", Reason.SECRET_NOT_FOUND
    )
    assert message.startswith(f"Secret {red.namespace}/token does not exist")
    await red.create("Secret", "token", stringData={"token": CANARY})
    await eventually(functools.partial(red.served, "red"), {"good": "first", "guarded": "first"})
    catalog = await red.catalog("red")
    assert catalog is not None
    assert CANARY not in catalog.canonical().decode()
    everything = [await _dump(red, resource) for resource in (*KINDS.values(), EVENTS)]
    spellings = (CANARY, base64.b64encode(CANARY.encode()).decode())
    assert [kind for kind, text in everything if any(s in text for s in spellings)] == ["Secret"]


async def _dump(shop: Shop, resource: Resource) -> tuple[str, str]:
    pages = shop.client.list_pages(resource, namespace=shop.namespace)
    return resource.kind, json.dumps([page.items async for page in pages])


async def test_a_transition_of_ready_is_recorded_as_an_event(red: Shop) -> None:
    await red.tool("lost", "nobody")
    await red.wait_for_reason("MCPTool", "lost", "Ready", Reason.NOT_SELECTED)
    await eventually(lambda: red.events("lost"), {"NotSelected"})


async def test_the_config_map_does_not_contain_rejected_objects(red: Shop) -> None:
    await red.tool("broken", "red", service={"name": "nowhere", "port": 80, "path": "/"})
    await red.wait_for_reason("MCPTool", "broken", "ResolvedRefs", Reason.SERVICE_NOT_FOUND)
    config = await red.client.get(CONFIGMAPS, red.key("mcp-server-red-config"))
    assert "broken" not in json.dumps(config)
