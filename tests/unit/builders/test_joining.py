"""Objects of other namespaces that join a server, and their entries that do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer, MCPTool
from mcp_operator.builders.catalog import build_catalog, compile_object
from mcp_operator.builders.compiled import Compiled
from mcp_operator.builders.joining import joining, permits, reach_of
from mcp_operator.builders.references import ALLOW_ANNOTATION, Facts, Granted, granted
from mcp_operator.core.meta import Key, Object


def server(**allowed: Any) -> MCPServer:
    spec = {"toolSelector": {}, **({"allowedNamespaces": allowed} if allowed else {})}
    metadata = {"name": "red", "namespace": "front", "uid": "1"}
    return MCPServer.model_validate({"metadata": metadata, "spec": spec})


def tool(namespace: str, name: str = "search", **annotations: str) -> Object:
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "mcp-operator.dev/v1alpha1", "kind": "MCPTool", "metadata": metadata}


def grant(namespace: str, *, source: Object | None = None, to: Object | None = None) -> Object:
    given = {"group": "mcp-operator.dev", "kind": "MCPServer", "namespace": "front"}
    leads = {"group": "mcp-operator.dev", "kind": "MCPTool"}
    spec = {"from": [{**given, **(source or {})}], "to": [{**leads, **(to or {})}]}
    return {"metadata": {"name": "g", "namespace": namespace}, "spec": spec}


def test_a_server_selects_only_objects_of_its_own_namespace_by_default() -> None:
    reach = reach_of(server())
    assert reach.includes("front", {})
    assert not reach.includes("back", {"team": "shop"})


def test_from_all_includes_every_namespace() -> None:
    assert reach_of(server(**{"from": "All"})).includes("back", {})


def test_from_selector_includes_matching_namespaces_and_its_own() -> None:
    selector = {"matchLabels": {"team": "shop"}}
    reach = reach_of(server(**{"from": "Selector", "selector": selector}))
    assert reach.includes("back", {"team": "shop"})
    assert not reach.includes("back", {"team": "ops"})
    assert reach.includes("front", {})


CONSENT: list[tuple[Object, list[Object]]] = [
    (tool("front"), []),
    (tool("back", **{ALLOW_ANNOTATION: "front"}), []),
    (tool("back", **{ALLOW_ANNOTATION: "other, front"}), []),
    (tool("back", **{ALLOW_ANNOTATION: "*"}), []),
    (tool("back"), [grant("back")]),
    (tool("back"), [grant("back", to={"name": "search"})]),
]
NO_CONSENT: list[tuple[Object, list[Object]]] = [
    (tool("back"), []),
    (tool("back", **{ALLOW_ANNOTATION: "frontier"}), []),
    (tool("back", **{ALLOW_ANNOTATION: ""}), []),
    (tool("back"), [grant("other")]),
    (tool("back"), [grant("front")]),
    (tool("back"), [grant("back", source={"namespace": "other"})]),
    (tool("back"), [grant("back", source={"kind": "MCPTool"})]),
    (tool("back"), [grant("back", source={"group": "gateway.networking.k8s.io"})]),
    (tool("back"), [grant("back", to={"kind": "MCPPrompt"})]),
    (tool("back"), [grant("back", to={"kind": "Service", "group": ""})]),
    (tool("back"), [grant("back", to={"group": ""})]),
    (tool("back"), [grant("back", to={"name": "other"})]),
]


def among(grants: list[Object]) -> Callable[[str], Granted]:
    """Return a function that lists the ReferenceGrants of a namespace, like an index of a cache."""

    def granted_in(namespace: str) -> Granted:
        found = [each for each in grants if each["metadata"]["namespace"] == namespace]
        return granted(found, "MCPServer", "front")

    return granted_in


@pytest.mark.parametrize(("obj", "grants"), CONSENT)
def test_an_object_permits_a_server_of_another_namespace(obj: Object, grants: list[Object]) -> None:
    assert permits(obj, among(grants), "front")


@pytest.mark.parametrize(("obj", "grants"), NO_CONSENT)
def test_an_object_does_not_permit_a_server_of_another_namespace(
    obj: Object, grants: list[Object]
) -> None:
    assert not permits(obj, among(grants), "front")


def compiled(namespace: str, *, created: str = "", **spec: Any) -> Compiled:
    service = {"name": "orders", "port": 80}
    metadata = {"name": "search", "namespace": namespace, "creationTimestamp": created}
    given = {"name": "search", "service": service, **spec}
    obj = MCPTool.model_validate({"metadata": metadata, "spec": given})
    services = {Key(namespace, "orders"): {"spec": {"ports": [{"port": 80}]}}}
    secrets = {Key(namespace, "token"): frozenset({"token"})}
    return compile_object(obj, Facts(services=services, secrets=secrets))


CREDENTIALS = {"credentials": {"type": "Bearer", "secretRef": {"name": "token", "key": "token"}}}


def test_an_object_without_secrets_joins_unchanged() -> None:
    obj = compiled("back")
    assert joining(obj, "front") is obj


def test_an_object_with_secrets_joins_a_server_of_its_own_namespace() -> None:
    obj = compiled("back", request=CREDENTIALS)
    assert joining(obj, "back") is obj
    assert obj.entries


def test_an_object_with_secrets_does_not_join_a_server_of_another_namespace() -> None:
    assembly = build_catalog(server(), [compiled("back", request=CREDENTIALS)])
    assert assembly.catalog.tools == ()
    assert assembly.secrets == frozenset()
    [rejection] = assembly.rejected
    assert rejection.reason is Reason.REF_NOT_PERMITTED
    assert "cannot read the Secrets of namespace back" in rejection.message


def test_only_the_tools_without_secrets_join_a_server_of_another_namespace() -> None:
    tools = [{"name": "open"}, {"name": "closed", "request": CREDENTIALS}]
    assembly = build_catalog(server(), [compiled("back", name=None, tools=tools)])
    assert [entry.name for entry in assembly.catalog.tools] == ["open"]
    assert assembly.secrets == frozenset()
    assert "tool 'closed'" in assembly.rejected[0].message


def test_an_object_that_does_not_join_does_not_take_a_name() -> None:
    older = compiled("back", created="2026-01-01T00:00:00Z", request=CREDENTIALS)
    newer = compiled("front", created="2026-02-01T00:00:00Z")
    assembly = build_catalog(server(), [older, newer])
    assert [entry.source.namespace for entry in assembly.catalog.tools] == ["front"]


def test_the_oldest_object_keeps_a_name_across_namespaces() -> None:
    older = compiled("back", created="2026-01-01T00:00:00Z")
    newer = compiled("front", created="2026-02-01T00:00:00Z")
    assembly = build_catalog(server(), [newer, older])
    assert [entry.source.namespace for entry in assembly.catalog.tools] == ["back"]
    assert [str(each.key) for each in assembly.rejected] == ["front/search"]
