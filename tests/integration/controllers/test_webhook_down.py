"""Conditions of a server while an admission webhook that is down refuses its children."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

import pytest

from mcp_operator.builders.resources import CHILDREN, DEPLOYMENTS
from mcp_operator.core.meta import Key, Object, Resource, generation_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.controlplane import Cluster
from support.operators import Operator, running_operator
from support.ready_pods import confirms, ready_pods
from support.shop import Shop
from support.waiting import eventually

WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)


def unavailable_webhook(namespace: str, plural: str) -> Object:
    """Return a webhook without pods that must admit every write of a resource in a namespace."""
    [resource] = [each for each in CHILDREN if each.plural == plural]
    return {
        "apiVersion": WEBHOOKS.api_version,
        "kind": WEBHOOKS.kind,
        "metadata": {"name": f"{namespace}-policy"},
        "webhooks": [
            {
                "name": "validate.policy.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 2,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "clientConfig": {"service": {"name": "nobody", "namespace": namespace}},
                "rules": [
                    {
                        "apiGroups": [resource.group],
                        "apiVersions": [resource.version],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [plural],
                    }
                ],
            }
        ],
    }


@pytest.fixture
async def webhook(client: Client, namespace: str) -> AsyncIterator[Key]:
    """The name of a webhook that is deleted after the test."""
    key = Key("", f"{namespace}-policy")
    yield key
    await client.delete(WEBHOOKS, key)


@pytest.mark.parametrize("plural", ["serviceaccounts", "configmaps", "deployments", "services"])
async def test_a_child_that_a_webhook_refuses_is_reported_until_it_is_created(
    shop: Shop, operator: Operator, webhook: Key, plural: str
) -> None:
    await shop.client.create(WEBHOOKS, unavailable_webhook(shop.namespace, plural))
    await shop.server("red")

    said = await shop.wait_for_reason("MCPServer", "red", "Ready", "ApplyFailed")
    server = await shop.get("MCPServer", "red")
    assert "failed calling webhook" in said
    assert server["status"]["observedGeneration"] == generation_of(server)
    await eventually(functools.partial(has_event, shop, "ApplyFailed"), expected=True)

    await shop.client.merge_patch(WEBHOOKS, webhook, {"webhooks": []})
    await shop.wait_for_reason("MCPServer", "red", "Ready", "NoReadyPods")


async def has_event(shop: Shop, reason: str) -> bool:
    return reason in await shop.events("red")


async def test_served_tools_stay_ready_while_a_webhook_refuses_changes_of_the_deployment(
    client: Client, control_plane: Cluster, shop: Shop, webhook: Key
) -> None:
    async with (
        ready_pods(client, shop.namespace),
        running_operator(control_plane.kubeconfig, shop.namespace, ask=confirms) as operator,
    ):
        await shop.server("red")
        await shop.tool("first", "red")
        await shop.wait_for_reason("MCPTool", "first", "Ready", "Ready")
        await operator.idle()
        before = (await shop.get("MCPTool", "first"))["status"]

        await shop.client.create(WEBHOOKS, unavailable_webhook(shop.namespace, "deployments"))
        await eventually(functools.partial(is_enforced, shop), expected=True)
        await shop.patch("MCPServer", "red", spec={"replicas": 2})
        await shop.wait_for_reason("MCPServer", "red", "Ready", "ApplyFailed")
        await operator.idle()
        assert (await shop.get("MCPTool", "first"))["status"] == before

        await shop.tool("second", "red")
        await shop.wait_for_reason("MCPTool", "second", "Ready", "Ready")
    async with running_operator(control_plane.kubeconfig, shop.namespace, ask=confirms) as operator:
        await operator.idle()
        assert [write for write in operator.writes if "mcptools" in write] == []


async def is_enforced(shop: Shop) -> bool:
    """Return whether the API server already calls the webhook."""
    try:
        await shop.client.merge_patch(DEPLOYMENTS, shop.key("mcp-server-red"), {"metadata": {}})
    except ApiError:
        return True
    return False
