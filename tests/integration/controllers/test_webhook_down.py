"""What is said of a server whose children an admission webhook that is down does not let pass."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

import pytest

from mcp_operator.builders.resources import CHILDREN
from mcp_operator.core.meta import Key, Object, Resource, generation_of
from mcp_operator.runtime.client import Client
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)


def closed(namespace: str, plural: str) -> Object:
    """Return a webhook without pods that every write of a resource in a namespace has to pass."""
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
    """The name of a webhook, which is removed after the test."""
    key = Key("", f"{namespace}-policy")
    yield key
    await client.delete(WEBHOOKS, key)


@pytest.mark.parametrize("plural", ["serviceaccounts", "configmaps", "deployments", "services"])
async def test_a_child_that_a_webhook_keeps_back_is_said_until_it_is_made(
    shop: Shop, operator: Operator, webhook: Key, plural: str
) -> None:
    await shop.client.create(WEBHOOKS, closed(shop.namespace, plural))
    await shop.server("red")

    said = await shop.told("MCPServer", "red", "Ready", "ApplyFailed")
    server = await shop.get("MCPServer", "red")
    assert "failed calling webhook" in said
    assert server["status"]["observedGeneration"] == generation_of(server)
    await eventually(functools.partial(has_event, shop, "ApplyFailed"), expected=True)

    await shop.client.merge_patch(WEBHOOKS, webhook, {"webhooks": []})
    await shop.told("MCPServer", "red", "Ready", "NoReadyPods")


async def has_event(shop: Shop, reason: str) -> bool:
    return reason in await shop.events("red")
