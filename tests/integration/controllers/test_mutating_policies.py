"""The operator keeps what a mutating admission policy changes in its children."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mcp_operator.builders.labels import MANAGED_BY_LABEL
from mcp_operator.builders.resources import DEPLOYMENTS, SERVICES
from mcp_operator.core.meta import Key, Object, Resource, resource_version_of
from mcp_operator.runtime.client import Client
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

POLICIES = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingadmissionpolicies",
    "MutatingAdmissionPolicy",
    namespaced=False,
)
BINDINGS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingadmissionpolicybindings",
    "MutatingAdmissionPolicyBinding",
    namespaced=False,
)

NAME = "mcp-server-red"


@dataclass(frozen=True)
class Mutation:
    """A field that a policy changes at each write of the object, though the operator owns it.

    Attributes:
        resource: The kind of the object.
        path: The path of the field.
        expression: Its new value, as a CEL expression.
        value: Its new value.
        hides: Whether the change removes the object from what the operator watches by label.
    """

    resource: Resource
    path: tuple[str | int, ...]
    expression: str
    value: object
    hides: bool = False

    @property
    def pointer(self) -> str:
        return "".join("/" + str(part).replace("/", "~1") for part in self.path)

    def of(self, obj: Any) -> object:
        for part in self.path:
            obj = obj[part]
        return obj


_LABELS = ("metadata", "labels")
_CONTAINER = ("spec", "template", "spec", "containers", 0)

MUTATIONS = {
    "a label": Mutation(DEPLOYMENTS, (*_LABELS, "app.kubernetes.io/component"), "'ai'", "ai"),
    "the label by which the operator watches children": Mutation(
        DEPLOYMENTS, (*_LABELS, MANAGED_BY_LABEL), "'platform'", "platform", hides=True
    ),
    "the image": Mutation(
        DEPLOYMENTS,
        (*_CONTAINER, "image"),
        "'mirror.example.com/mcp-operator:test'",
        "mirror.example.com/mcp-operator:test",
    ),
    "the resources": Mutation(
        DEPLOYMENTS, (*_CONTAINER, "resources", "requests", "memory"), "'77Mi'", "77Mi"
    ),
    "the number of pods": Mutation(DEPLOYMENTS, ("spec", "replicas"), "2", 2),
    "the target port of a Service": Mutation(
        SERVICES, ("spec", "ports", 0, "targetPort"), "8443", 8443
    ),
}


RESOURCES = {"requests": {"cpu": "100m", "memory": "64Mi"}}


@pytest.fixture
async def policy(client: Client, namespace: str) -> AsyncIterator[str]:
    """The name of a policy that is deleted after the test."""
    name = f"{namespace}-mutation"
    yield name
    await client.delete(BINDINGS, Key("", name))
    await client.delete(POLICIES, Key("", name))


async def enforce(client: Client, namespace: str, name: str, mutation: Mutation) -> None:
    rule = {
        "apiGroups": [mutation.resource.group],
        "apiVersions": [mutation.resource.version],
        "operations": ["CREATE", "UPDATE"],
        "resources": [mutation.resource.plural],
    }
    operation = f'JSONPatch{{op: "add", path: "{mutation.pointer}", value: {mutation.expression}}}'
    spec = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [rule],
        },
        "mutations": [
            {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{operation}]"}},
        ],
    }
    head: Object = {"apiVersion": POLICIES.api_version, "metadata": {"name": name}}
    await client.create(POLICIES, head | {"kind": POLICIES.kind, "spec": spec})
    await client.create(BINDINGS, head | {"kind": BINDINGS.kind, "spec": {"policyName": name}})


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
async def test_the_operator_does_not_revert_what_a_mutating_policy_sets(
    shop: Shop, operator: Operator, policy: str, mutation: Mutation
) -> None:
    await shop.tool("search", "red")
    await shop.server("red", replicas=1, resources=RESOURCES)
    await shop.wait_for_reason("MCPServer", "red", "Ready", "NoReadyPods")
    await enforce(shop.client, shop.namespace, policy, mutation)
    await eventually(functools.partial(touched, shop, mutation), mutation.value)
    await operator.settled(shop.client)
    before = await shop.client.get(mutation.resource, shop.key(NAME))
    assert mutation.of(before) == mutation.value

    operator.forget_requests()
    corrected = operator.drift_corrected()
    await operator.resync()
    await operator.settled(shop.client)

    after = await shop.client.get(mutation.resource, shop.key(NAME))
    assert resource_version_of(after) == resource_version_of(before)
    without_effect = {f"PATCH {mutation.resource.plural}/{NAME}"} if mutation.hides else set()
    assert set(operator.writes) == without_effect
    assert operator.drift_corrected() == corrected
    await shop.wait_for_reason("MCPServer", "red", "Ready", "NoReadyPods")


async def touched(shop: Shop, mutation: Mutation) -> object:
    """Write the child as another manager, and return the value of the field after the policy."""
    change = {"metadata": {"annotations": {"example.com/touched": "yes"}}}
    written = await shop.client.merge_patch(mutation.resource, shop.key(NAME), change)
    return mutation.of(written)
