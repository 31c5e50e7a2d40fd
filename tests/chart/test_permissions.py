"""Rows 27-29 of the checklist: permissions of the operator and of users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_operator.core.label_selectors import parse_selector
from mcp_operator.core.meta import Object
from support.helm import CHART, Library, Rendered
from support.permissions import Permission, granted

SOURCE = CHART.parents[1] / "manifests" / "base" / "rbac.yaml"

CLUSTER_KINDS = {"ClusterRole", "ClusterRoleBinding"}

FORBIDDEN_VERBS = {"*", "bind", "escalate", "impersonate"}


@pytest.fixture(scope="module")
def manifest() -> list[Object]:
    """The roles in the Kustomize base, which are the source of all permissions."""
    text = Path(SOURCE).read_text(encoding="utf-8")
    return [obj for obj in yaml.safe_load_all(text) if obj["kind"].endswith("Role")]


def rules(objects: list[Object], name: str) -> Any:
    (role,) = (obj for obj in objects if obj["metadata"]["name"] == name)
    return role["rules"]


def roles(rendered: Rendered) -> list[Object]:
    return rendered.of("ClusterRole") + rendered.of("Role")


def permissions(rendered: Rendered) -> set[Permission]:
    """Return the permissions of the operator itself."""
    own = [
        rule
        for role in roles(rendered)
        if not any("aggregate" in label for label in role["metadata"]["labels"])
        for rule in role["rules"]
    ]
    return granted(own)


def test_row_27_a_cluster_wide_operator_has_cluster_roles_and_a_role_for_leases(
    helm4: Library,
) -> None:
    rendered = helm4.render()
    bound = [binding["roleRef"]["name"] for binding in rendered.of("ClusterRoleBinding")]
    assert bound == ["mcp-operator", "mcp-operator-scope"]
    assert [role["metadata"]["name"] for role in rendered.of("Role")] == ["mcp-operator-lease"]
    assert not [name for name in rendered.settings if name.startswith("MCP_OPERATOR_NAMESPACE")]


def test_row_27_with_named_namespaces_nothing_is_cluster_scoped(helm4: Library) -> None:
    teams = ["team-a", "team-b", "team-a"]
    rendered = helm4.render({"watchNamespaces": teams, "crds": {"install": False}})
    assert {obj["kind"] for obj in rendered.objects} & CLUSTER_KINDS == set()
    assert all("namespace" in obj["metadata"] for obj in rendered.objects)
    assert rendered.settings["MCP_OPERATOR_NAMESPACES"] == "team-a,team-b,team-a"
    for kind in ("Role", "RoleBinding"):
        found = [obj["metadata"] for obj in rendered.of(kind)]
        assert sorted((each["namespace"], each["name"]) for each in found) == [
            ("mcp-system", "mcp-operator-lease"),
            ("team-a", "mcp-operator"),
            ("team-b", "mcp-operator"),
        ]
    for binding in rendered.of("RoleBinding"):
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": binding["metadata"]["name"],
        }
        assert binding["subjects"][0]["namespace"] == "mcp-system"


def test_row_27_with_named_namespaces_only_the_permission_to_watch_namespaces_is_missing(
    helm4: Library,
) -> None:
    namespaces = {Permission("", "namespaces", verb) for verb in ("list", "watch")}
    named = permissions(helm4.render({"watchNamespaces": ["team-a"]}))
    assert named == permissions(helm4.render()) - namespaces


SELECTORS = [
    (
        {"matchLabels": {"mcp": "true", "example.com/team": "shop"}},
        "example.com/team=shop,mcp=true",
    ),
    (
        {
            "matchExpressions": [
                {"key": "team", "operator": "In", "values": ["shop", "ops"]},
                {"key": "env", "operator": "NotIn", "values": ["test"]},
                {"key": "mcp", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist"},
            ]
        },
        "team in (shop,ops),env notin (test),mcp,!old",
    ),
]


@pytest.mark.parametrize(("selector", "text"), SELECTORS)
def test_row_27_with_a_namespace_selector_the_permissions_are_the_same(
    helm4: Library, selector: Object, text: str
) -> None:
    rendered = helm4.render({"watchNamespaceSelector": selector})
    assert permissions(rendered) == permissions(helm4.render())
    assert rendered.settings["MCP_OPERATOR_NAMESPACE_SELECTOR"] == text
    parse_selector(text)


def test_row_28_the_permissions_equal_those_of_the_manifests(
    helm4: Library, manifest: list[Object]
) -> None:
    rendered = helm4.render()
    for name in (role["metadata"]["name"] for role in roles(rendered)):
        assert rules(roles(rendered), name) == rules(manifest, name)
    assert len(roles(rendered)) == len(manifest)


def test_row_28_no_permission_is_a_wildcard_or_allows_escalation(helm4: Library) -> None:
    for permission in permissions(helm4.render()):
        assert "*" not in (permission.group, permission.resource)
        assert permission.verb not in FORBIDDEN_VERBS
        assert permission.resource != "secrets" or permission.verb in {"get", "create"}
        assert permission.resource not in {"nodes/proxy", "pods/exec", "serviceaccounts/token"}


def test_row_28_roles_can_be_left_out(helm4: Library) -> None:
    rendered = helm4.render({"rbac": {"create": False}})
    assert [obj["kind"] for obj in rendered.objects if "Role" in obj["kind"]] == []


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_row_29_the_aggregated_roles_equal_those_of_the_manifests(
    helm4: Library, manifest: list[Object], role: str
) -> None:
    rendered = helm4.render().one("ClusterRole", f"mcp-operator-{role}")
    (source,) = (obj for obj in manifest if obj["metadata"]["name"] == f"mcp-operator-{role}")
    aggregated = {
        key: value
        for key, value in rendered["metadata"]["labels"].items()
        if key.startswith("rbac.authorization.k8s.io/")
    }
    expected = {
        key: value
        for key, value in source["metadata"]["labels"].items()
        if key.startswith("rbac.authorization.k8s.io/")
    }
    assert aggregated == expected
    assert rendered["rules"] == source["rules"]


def test_row_29_the_aggregated_roles_can_be_left_out(helm4: Library) -> None:
    rendered = helm4.render({"rbac": {"aggregateRoles": False}})
    names = [role["metadata"]["name"] for role in rendered.of("ClusterRole")]
    assert names == ["mcp-operator", "mcp-operator-scope"]
