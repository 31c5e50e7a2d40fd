"""A server and the objects that it selects become its catalog."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import ServerSettings
from mcp_operator.builders.catalog import (
    CatalogObject,
    build_catalog,
    compile_object,
    entry_keys_of,
    references_of,
    selectors,
    server_settings,
)
from mcp_operator.builders.compiled import EntryKey, entry_key_of
from mcp_operator.builders.references import References
from mcp_operator.core.meta import Key
from support.compiled import TO_ORDERS, facts, operation, prompt, resource, tool
from support.servers import server

OWN = ("mcp-server-shop.demo.svc", "mcp-server-shop.demo.svc.cluster.local")
"""The full names of the Service of the server `shop`."""

SEARCH = tool()
REVIEW = prompt(template="Hello")
GUIDE = resource(content={"uri": "docs://guide", "text": "x"})


def test_the_settings_of_a_server_have_all_defaults() -> None:
    assert server_settings(server()) == ServerSettings(
        namespace="demo", name="shop", uid="uid-of-shop", own_hosts=OWN
    )


def test_the_settings_of_a_server_have_the_values_of_its_config() -> None:
    config = {
        "requestTimeout": "1m30s",
        "drainTimeout": "250ms",
        "maxConcurrentRequests": 5,
        "maxRequestBytes": 2048,
        "maxResponseBytes": 4096,
        "pageSize": 10,
        "logLevel": "debug",
        "instructions": "Be kind.",
    }
    assert server_settings(server(config=config)) == ServerSettings(
        namespace="demo",
        name="shop",
        uid="uid-of-shop",
        instructions="Be kind.",
        page_size=10,
        request_timeout_seconds=90,
        drain_timeout_seconds=0.25,
        max_concurrent_requests=5,
        max_request_bytes=2048,
        max_response_bytes=4096,
        log_level="debug",
        own_hosts=OWN,
    )


def test_the_own_hosts_of_a_server_include_those_of_its_ingress_and_route() -> None:
    route = {"parentRefs": [{"name": "public"}], "hostnames": ["a.example", "*.b.example"]}
    protocol = {"allowedHosts": ["localhost"], "allowedOrigins": ["https://chat.example"]}
    settings = server_settings(
        server(ingress={"host": "mcp.example"}, httpRoute=route, protocol=protocol)
    )

    assert settings.own_hosts == (*OWN, "mcp.example", "a.example", "*.b.example")
    assert settings.allowed_hosts == ("localhost",)
    assert settings.allowed_origins == ("https://chat.example",)


def test_sessions_last_a_day_unless_the_server_sets_another_time() -> None:
    assert server_settings(server()).session_ttl_seconds == 86400
    assert server_settings(server(protocol={"sessionTTL": "30m"})).session_ttl_seconds == 1800


@pytest.mark.parametrize("fields", [{"replicas": 2}, {"autoscaling": {"maxReplicas": 2}}])
def test_the_settings_say_that_a_server_can_have_several_pods(fields: dict[str, Any]) -> None:
    assert server_settings(server(**fields)).several_pods


@pytest.mark.parametrize("fields", [{}, {"replicas": 0}, {"replicas": 1}])
def test_the_settings_say_that_a_server_has_one_pod(fields: dict[str, Any]) -> None:
    assert not server_settings(server(**fields)).several_pods


def test_prompts_and_resources_use_the_tool_selector_by_default() -> None:
    chosen = selectors(server(toolSelector={"matchLabels": {"a": "1"}}))
    assert all(selector.matches({"a": "1", "b": "2"}) for selector in chosen.values())
    assert not any(selector.matches({"b": "2"}) for selector in chosen.values())


def test_each_kind_can_have_a_selector_of_its_own() -> None:
    exists = {"matchExpressions": [{"key": "c", "operator": "Exists"}]}
    chosen = selectors(
        server(
            toolSelector={"matchLabels": {"a": "1"}},
            promptSelector={"matchLabels": {"b": "2"}},
            resourceSelector=exists,
        )
    )
    fitting = {"MCPTool": {"a": "1"}, "MCPPrompt": {"b": "2"}, "MCPResource": {"c": "x"}}
    for kind, selector in chosen.items():
        assert [other for other in fitting if selector.matches(fitting[other])] == [kind]


@pytest.mark.parametrize(
    ("obj", "references"),
    [
        (SEARCH, References(services=frozenset({Key("demo", "orders")}))),
        (operation(uri="a:b"), References(services=frozenset({Key("demo", "orders")}))),
        (GUIDE, References()),
        (REVIEW, References()),
    ],
)
def test_the_references_of_an_object_are_found_for_every_kind(
    obj: CatalogObject, references: References
) -> None:
    assert references_of(obj) == references


@pytest.mark.parametrize(
    ("obj", "entry_keys"),
    [
        (SEARCH, {EntryKey("tools", "search")}),
        (
            tool(tools=[{"name": "a", "path": "/"}, {"name": "b", "path": "/"}]),
            {EntryKey("tools", "a"), EntryKey("tools", "b")},
        ),
        (REVIEW, {EntryKey("prompts", "review")}),
        (GUIDE, {EntryKey("resources", "docs://guide")}),
        (operation(ingressPath="/a"), {EntryKey("resources", "mcp://demo/example/a")}),
    ],
)
def test_the_entry_keys_that_an_object_claims_are_those_of_its_entries(
    obj: CatalogObject, entry_keys: set[EntryKey]
) -> None:
    assert entry_keys_of(obj) == entry_keys
    assert {entry_key_of(entry) for entry in compile_object(obj, facts()).entries} == entry_keys


def test_objects_of_every_kind_are_put_into_one_catalog() -> None:
    compiled = [compile_object(obj, facts()) for obj in (SEARCH, REVIEW, GUIDE)]
    assembly = build_catalog(server(), compiled)
    catalog = assembly.catalog
    assert catalog.server == server_settings(server())
    assert [entry.name for entry in catalog.tools] == ["search"]
    assert [entry.name for entry in catalog.prompts] == ["review"]
    assert [entry.name for entry in catalog.resources] == ["docs"]
    assert assembly.rejected == ()
    assert sorted(one.kind for one in assembly.fully_served) == sorted(one.kind for one in compiled)


def test_the_conflict_policy_of_the_server_decides_who_gets_a_name() -> None:
    one = compile_object(SEARCH, facts())
    renamed = SEARCH.model_copy(update={"metadata": SEARCH.metadata | {"name": "zz"}})
    two = compile_object(renamed, facts())
    assert len(build_catalog(server(), [one, two]).catalog.tools) == 1
    strict = server(naming={"onConflict": "RejectAll"})
    assert build_catalog(strict, [one, two]).catalog.tools == ()


def test_a_catalog_has_the_name_and_key_of_a_secret_and_not_its_value() -> None:
    credentials = {"type": "Bearer", "secretRef": {"name": "login"}}
    known = facts(secrets={"login": {"token"}})
    compiled = compile_object(tool(service=TO_ORDERS, request={"credentials": credentials}), known)
    assembly = build_catalog(server(), [compiled])
    assert {(secret.name, secret.key) for secret in assembly.secrets} == {("login", "token")}
    assert b'"secret":{"namespace":"demo","name":"login","key":"token"}' in (
        assembly.catalog.canonical()
    )
