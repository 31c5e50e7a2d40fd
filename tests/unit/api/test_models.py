"""Reading objects: the models of the JSON that the API server sends."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mcp_operator.api.crd import DEFINITIONS
from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPResource, MCPServer, MCPTool
from mcp_operator.core.meta import Object
from support.manifests import (
    ancestor_manifests,
    featured_manifests,
    migrated,
    operation,
    server,
    tool,
    tools,
)

MODELS = {one.resource.kind: one.model for one in DEFINITIONS}
ALL = [obj for _, obj in ancestor_manifests() + featured_manifests()]


@pytest.mark.parametrize("obj", ALL, ids=lambda obj: f"{obj['kind']}-{obj['metadata']['name']}")
def test_every_valid_object_can_be_read(obj: Object) -> None:
    read = MODELS[obj["kind"]].model_validate(obj)
    assert read.name == obj["metadata"]["name"]
    assert read.namespace == obj["metadata"].get("namespace", "")


def test_unknown_fields_of_a_newer_release_are_ignored() -> None:
    newer = server(config={"pageSize": 7, "colour": "blue"}, autoscaling={"maxReplicas": 9})
    assert MCPServer.model_validate({**newer, "future": 1}).spec.config.page_size == 7


def test_omitted_fields_have_their_defaults() -> None:
    spec = MCPServer.model_validate(server()).spec
    assert (spec.replicas, spec.port, spec.service.port) == (None, 8080, 8080)
    assert spec.config.request_timeout == "30s"
    assert spec.naming.on_conflict == "OldestWins"
    assert spec.redis is None


def test_a_model_cannot_be_changed() -> None:
    read = MCPServer.model_validate(server())
    with pytest.raises(ValidationError, match="frozen"):
        read.spec.config.page_size = 1  # type: ignore[misc]  # mypy reports it too


def test_fields_with_reserved_names_have_another_attribute_name() -> None:
    read = MCPResource.model_validate(operation(parameters=[{"name": "q", "in": "query"}]))
    assert read.spec.operations[0].parameters[0].location == "query"
    request = {"arguments": [{"name": "q", "in": "query", "as": "query"}]}
    mapped = MCPTool.model_validate(tool(request=request)).spec.request
    assert mapped is not None
    assert mapped.arguments[0].target == "query"


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        ({}, "Gateway"),
        ({"image": "mine"}, "Direct"),
        ({"image": "mine", "args": ["x"]}, "Direct"),
        ({"image": "mine", "command": ["x"]}, "Direct"),
        ({"image": "mine", "mode": "Gateway"}, "Gateway"),
        ({"image": "mine", "mode": "Direct"}, "Direct"),
    ],
)
def test_the_effective_mode_depends_on_the_mode_and_the_image(
    spec: dict[str, Any], mode: str
) -> None:
    assert MCPServer.model_validate(server(**spec)).spec.effective_mode == mode


def test_the_tool_selector_is_the_default_of_the_other_selectors() -> None:
    spec = MCPServer.model_validate(server(promptSelector={"matchLabels": {"p": "1"}})).spec
    selected = [selector.match_labels for selector in spec.selectors]
    assert selected == [{"mcp": "x"}, {"p": "1"}, {"mcp": "x"}]


@pytest.mark.parametrize("redis", [{"serviceName": "cache"}, {"address": "cache"}])
def test_the_redis_host_is_read_from_each_field_that_can_set_it(redis: Object) -> None:
    read = MCPServer.model_validate(server(redis=redis)).spec.redis
    assert read is not None
    assert (read.host, read.port) == ("cache", 6379)


def test_an_object_in_the_single_form_has_one_definition() -> None:
    service = {"name": "orders", "port": 80, "path": "/find"}
    (only,) = MCPTool.model_validate(
        tool(service=service, title="Find", method="GET", inputSchema={"type": "object"})
    ).spec.definitions
    assert (only.name, only.title, only.path, only.method) == ("search", "Find", "/find", "GET")
    assert only.input_schema == {"type": "object"}
    assert only.request is not None
    assert only.request.content_type == "application/json"
    assert only.response is not None
    assert only.response.error_status == "4xx,5xx"


def test_the_path_of_an_entry_replaces_that_of_the_service() -> None:
    """As in the ancestor: the path of an entry replaces that of the service."""
    own = {"name": "others", "port": 81, "path": "/two"}
    first, second = MCPTool.model_validate(
        tools(
            {"name": "one", "path": "/one"},
            {"name": "two", "service": own},
            service={"name": "orders", "port": 80, "path": "/base"},
        )
    ).spec.definitions
    assert first.service is not None
    assert second.service is not None
    assert (first.path, first.service.name) == ("/one", "orders")
    assert (second.path, second.service.name) == ("/two", "others")


def test_an_entry_inherits_each_field_that_it_does_not_set() -> None:
    credentials = {"type": "Bearer", "secretRef": {"name": "s"}}
    first, second = MCPTool.model_validate(
        tools(
            {"name": "one", "path": "/", "request": {"contentType": "text/plain"}},
            {"name": "two", "path": "/", "method": "PUT", "timeout": "1s", "enabled": False},
            method="PATCH",
            timeout="9s",
            request={"credentials": credentials, "contentType": "application/xml"},
            response={"maxBytes": 5},
        )
    ).spec.definitions
    assert (first.method, first.timeout, first.enabled) == ("PATCH", "9s", True)
    assert (second.method, second.timeout, second.enabled) == ("PUT", "1s", False)
    for definition, content_type in ((first, "text/plain"), (second, "application/xml")):
        assert definition.request is not None
        assert definition.request.content_type == content_type
        assert definition.request.credentials is not None
        assert definition.response is not None
        assert definition.response.max_bytes == 5


def test_disabling_the_object_disables_every_entry() -> None:
    spec = MCPTool.model_validate(tools({"name": "a", "path": "/"}, enabled=False)).spec
    assert [definition.enabled for definition in spec.definitions] == [False]


def test_a_migrated_tool_of_the_ancestor_has_the_method_post() -> None:
    bare = next(obj for _, obj in ancestor_manifests() if obj["metadata"]["name"] == "bare")
    (only,) = MCPTool.model_validate(migrated(bare)).spec.definitions
    assert (only.method, only.path, only.input_schema) == ("POST", "/api/tool", {})


def test_a_resource_has_the_path_of_its_objects() -> None:
    assert (
        MCPSERVERS.path("demo", "shop", "status")
        == "/apis/mcp-operator.dev/v1alpha1/namespaces/demo/mcpservers/shop/status"
    )
