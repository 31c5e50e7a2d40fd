"""What the roles must never grant, and what they give to the users of a namespace."""

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
"""The good practices for RBAC of the Kubernetes documentation, and CIS benchmark 5.1."""

WITHOUT_NAMESPACES = {"components/named-namespaces", "components/namespaced-rbac"}
"""Ways to install in which the operator may not look at Namespaces."""

OPERATORS_OWN = ("mcp-operator", "mcp-operator-lease", "mcp-operator-scope")


@pytest.mark.parametrize("way", OPERATORS)
def test_the_operator_has_no_permission_that_leads_to_others(build: Build, way: str) -> None:
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


def test_the_lease_is_written_in_the_operators_own_namespace_under_its_own_name(
    build: Build,
) -> None:
    everywhere = granted(named(build("base"), "ClusterRole", "mcp-operator")["rules"])
    assert {each.verb for each in everywhere if each.resource == "leases"} == {"get"}
    rules = named(build("base"), "Role", "mcp-operator-lease")["rules"]
    [restricted] = [rule for rule in rules if rule["verbs"] != ["create"]]
    assert restricted["resourceNames"] == ["mcp-operator"]


def matrix(read: bool, write: bool, scale: bool, collect: bool) -> dict[str, bool]:  # noqa: FBT001
    """Return what a role allows, as VERB RESOURCE, for every question that is asked."""
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
"""With ours aggregated to them; only the questions about our custom resources count for these."""


GROUPS = {
    "deployments": "apps",
    "roles": "rbac.authorization.k8s.io",
    **dict.fromkeys(PLURALS, MCPTOOLS.group),
}


async def answers(
    client: Client, namespace: str, user: str, questions: list[str]
) -> dict[str, bool]:
    """Ask the API server what a user may do in a namespace, as `kubectl auth can-i` does."""
    asked = {question: _permission(question) for question in questions}
    allowed = await allowed_in(client, namespace, user, asked.values())
    return {question: permission in allowed for question, permission in asked.items()}


def _permission(question: str) -> Permission:
    verb, _, target = question.partition(" ")
    return Permission(GROUPS.get(target.partition("/")[0], ""), target, verb)


async def come_to_allow(
    client: Client, namespace: str, user: str, expected: Mapping[str, bool]
) -> None:
    """Wait until a user may do exactly what is expected: bindings are heard of a little later."""

    async def allowed() -> dict[str, bool]:
        return await answers(client, namespace, user, list(expected))

    await eventually(allowed, expected)


async def bind(client: Client, namespace: str, role: str) -> str:
    """Give a new user a ClusterRole in a namespace; return the user's name."""
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
    """The roles for users, as they are installed."""
    for role in of_kind(build("base"), "ClusterRole"):
        if role["metadata"]["name"] not in OPERATORS_OWN:
            await client.apply(KINDS["ClusterRole"], role)


@pytest.mark.parametrize("role", OURS)
async def test_a_role_bound_alone_allows_exactly_this(
    tenant_roles: None, client: Client, namespace: str, role: str
) -> None:
    user = await bind(client, namespace, role)
    questions = list(OURS[role])
    await come_to_allow(client, namespace, user, OURS[role])
    elsewhere = await answers(client, "default", user, questions)
    assert set(elsewhere.values()) == {False}


@pytest.mark.parametrize("role", BUILT_IN)
async def test_the_built_in_roles_come_to_include_ours(
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
    await come_to_allow(client, namespace, user, expected)


async def test_users_who_may_edit_tools_may_read_no_secret(
    tenant_roles: None, client: Client, namespace: str
) -> None:
    user = await bind(client, namespace, "mcp-operator-edit")
    asked = [f"{verb} secrets" for verb in ALL]
    await come_to_allow(client, namespace, user, {"patch mcptools": True})
    assert set((await answers(client, namespace, user, asked)).values()) == {False}
