"""What the roles must never grant, and what they grant to users of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import ROLEBINDINGS
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.installations import OPERATORS, Build
from support.operator_account import KINDS
from support.permissions import Permission, granted
from support.reviews import allowed_in
from support.waiting import eventually
from support.workloads import named, of_kind

PLURALS = tuple(kind.plural for kind in (MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES))

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "patch", "update")
ALL: Final = (*READ, *WRITE, "deletecollection")

FORBIDDEN_VERBS = {"*", "approve", "bind", "deletecollection", "escalate", "impersonate", "sign"}
FORBIDDEN_RESOURCES = {
    "*",
    "certificatesigningrequests",
    "mutatingwebhookconfigurations",
    "nodes",
    "nodes/proxy",
    "persistentvolumes",
    "pods/attach",
    "pods/exec",
    "pods/portforward",
    "serviceaccounts/token",
    "validatingwebhookconfigurations",
}
"""From the RBAC good practices of the Kubernetes documentation, and the CIS benchmark 5.1."""

WITHOUT_NAMESPACES = {"components/named-namespaces", "components/namespaced-rbac"}
"""Installations in which the operator cannot read Namespaces."""

OPERATORS_OWN = ("mcp-operator", "mcp-operator-lease", "mcp-operator-scope")


@pytest.mark.parametrize("way", OPERATORS)
def test_the_operator_has_no_permission_that_allows_escalation(build: Build, way: str) -> None:
    roles = [
        role
        for role in of_kind(build(way), "Role", "ClusterRole")
        if role["metadata"]["name"] in OPERATORS_OWN
    ]
    assert len(roles) == len(OPERATORS_OWN) - (way in WITHOUT_NAMESPACES)
    for role in roles:
        permissions = granted(role["rules"])
        assert {each.verb for each in permissions} & FORBIDDEN_VERBS == set()
        assert {each.resource for each in permissions} & FORBIDDEN_RESOURCES == set()
        assert "*" not in {each.group for each in permissions}
        of_secrets = {each.verb for each in permissions if each.resource == "secrets"}
        assert of_secrets <= {"get", "create"}


def test_only_the_lease_of_the_operator_can_be_written(
    build: Build,
) -> None:
    everywhere = granted(named(build("base"), "ClusterRole", "mcp-operator")["rules"])
    assert {each.verb for each in everywhere if each.resource == "leases"} == {"get"}
    rules = named(build("base"), "Role", "mcp-operator-lease")["rules"]
    [restricted] = [rule for rule in rules if rule["verbs"] != ["create"]]
    assert restricted["resourceNames"] == ["mcp-operator"]


def matrix(read: bool, write: bool, scale: bool, collect: bool) -> dict[str, bool]:  # noqa: FBT001
    """Return whether a role allows each `VERB RESOURCE`."""
    allowed = {
        **{f"{verb} {plural}": read for plural in PLURALS for verb in READ},
        **{f"{verb} {plural}": write for plural in PLURALS for verb in WRITE},
        **{f"deletecollection {plural}": collect for plural in PLURALS},
        **{f"get {plural}/status": read for plural in PLURALS},
        **{f"{verb} {plural}/status": False for plural in PLURALS for verb in ("patch", "update")},
        **{f"{verb} mcpservers/scale": scale for verb in ("get", "patch", "update")},
        "update mcpservers/finalizers": False,
    }
    return allowed | {
        f"{verb} {other}": False
        for other in ("secrets", "configmaps", "pods", "pods/exec", "deployments", "roles")
        for verb in ("get", "list", "watch", "create")
    }


OURS = {
    "mcp-operator-view": matrix(read=True, write=False, scale=False, collect=False),
    "mcp-operator-edit": matrix(read=False, write=True, scale=True, collect=False),
    "mcp-operator-admin": matrix(read=False, write=False, scale=False, collect=True),
}

BUILT_IN = {
    "view": matrix(read=True, write=False, scale=False, collect=False),
    "edit": matrix(read=True, write=True, scale=True, collect=False),
    "admin": matrix(read=True, write=True, scale=True, collect=True),
}
"""The built-in roles with the aggregated rules, for custom resources only."""


GROUPS = {
    "deployments": "apps",
    "roles": "rbac.authorization.k8s.io",
    **dict.fromkeys(PLURALS, MCPTOOLS.group),
}


async def answers(
    client: Client, namespace: str, user: str, questions: list[str]
) -> dict[str, bool]:
    """Return what a user can do in a namespace, as `kubectl auth can-i` does."""
    asked = {question: _permission(question) for question in questions}
    allowed = await allowed_in(client, namespace, user, asked.values())
    return {question: permission in allowed for question, permission in asked.items()}


def _permission(question: str) -> Permission:
    verb, _, target = question.partition(" ")
    return Permission(GROUPS.get(target.partition("/")[0], ""), target, verb)


async def wait_until_allowed(
    client: Client, namespace: str, user: str, expected: Mapping[str, bool]
) -> None:
    """Wait until a user can do exactly what is expected; new bindings take effect with a delay."""

    async def allowed() -> dict[str, bool]:
        return await answers(client, namespace, user, list(expected))

    await eventually(allowed, expected)


async def bind(client: Client, namespace: str, role: str) -> str:
    """Bind a ClusterRole to a new user in a namespace; return the user's name."""
    user = f"{role}-of-{namespace}"
    group = ROLEBINDINGS.group
    binding: Object = {
        "metadata": {"name": user, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    await client.create(ROLEBINDINGS, binding)
    return user


@pytest.fixture
async def tenant_roles(build: Build, client: Client) -> None:
    """Install the roles for users."""
    for role in of_kind(build("base"), "ClusterRole"):
        if role["metadata"]["name"] not in OPERATORS_OWN:
            await client.apply(KINDS["ClusterRole"], role)


@pytest.mark.parametrize("role", OURS)
async def test_each_role_allows_exactly_its_permissions(
    tenant_roles: None, client: Client, namespace: str, role: str
) -> None:
    user = await bind(client, namespace, role)
    questions = list(OURS[role])
    await wait_until_allowed(client, namespace, user, OURS[role])
    elsewhere = await answers(client, "default", user, questions)
    assert set(elsewhere.values()) == {False}


@pytest.mark.parametrize("role", BUILT_IN)
async def test_the_built_in_roles_include_the_aggregated_rules(
    tenant_roles: None, client: Client, namespace: str, role: str, control_plane: Cluster
) -> None:
    if not control_plane.has_controllers:
        pytest.skip("without kube-controller-manager no roles are aggregated")
    user = await bind(client, namespace, role)
    expected = {
        question: allowed
        for question, allowed in BUILT_IN[role].items()
        if question.split()[1].split("/")[0] in PLURALS
    }
    await wait_until_allowed(client, namespace, user, expected)


async def test_users_who_can_edit_tools_cannot_read_secrets(
    tenant_roles: None, client: Client, namespace: str
) -> None:
    user = await bind(client, namespace, "mcp-operator-edit")
    asked = [f"{verb} secrets" for verb in ALL]
    await wait_until_allowed(client, namespace, user, {"patch mcptools": True})
    assert set((await answers(client, namespace, user, asked)).values()) == {False}
