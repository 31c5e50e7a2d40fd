"""How every test with faults ends: the state is as declared, and nothing more is written."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.resources import CHILDREN, DEPLOYMENTS
from mcp_operator.core.meta import (
    Object,
    Resource,
    controller_of,
    generation_of,
    key_of,
    uid_of,
)
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

Served = dict[str, str] | None


async def stable(shop: Shop, operator: Operator, served: dict[str, Served]) -> list[str]:
    """Wait until an operator has finished, and check that a resync causes no writes.

    Args:
        shop: The namespace that it watches.
        operator: The operator.
        served: The expected catalog of each server, in the form of `Shop.served`.

    Returns:
        What it wrote before it finished.

    Raises:
        AssertionError: It does not finish, or a resync causes writes.
    """
    for server, entries in served.items():
        await eventually(functools.partial(shop.served, server), entries)
    await eventually(functools.partial(unfinished, shop, operator), [])
    writes = operator.writes
    operator.forget_requests()
    await operator.resync()
    await operator.idle()
    assert not operator.writes, f"written without a change: {operator.writes}"
    return writes


async def unfinished(shop: Shop, operator: Operator) -> list[str]:
    """Return what the operator and the controllers of the cluster still have to do."""
    await operator.settled(shop.client)
    return left_to_do(operator)


def left_to_do(operator: Operator) -> list[str]:
    """Return what, according to the caches, the operator or the cluster still has to do."""
    return [*operator.retries(), *_not_rolled_out(operator), *_orphans(operator)]


def _not_rolled_out(operator: Operator) -> Iterator[str]:
    for deployment in stored(operator, DEPLOYMENTS):
        status = deployment.get("status", {})
        made = status.get("observedGeneration"), status.get("replicas")
        if made != (generation_of(deployment), deployment["spec"]["replicas"]):
            yield f"Deployment {key_of(deployment).name} has not all its pods"


def _orphans(operator: Operator) -> Iterator[str]:
    """Yield the children whose owner is deleted and that are not garbage collected yet."""
    servers = {uid_of(server) for server in stored(operator, MCPSERVERS)}
    for resource in CHILDREN:
        for child in stored(operator, resource):
            owner = controller_of(child)
            if owner and owner["kind"] == MCPSERVERS.kind and owner["uid"] not in servers:
                yield f"{resource.kind} {key_of(child).name} has no owner"


def stored(operator: Operator, resource: Resource) -> Iterator[Object]:
    """Yield the objects of a resource in an operator's caches."""
    for informer in operator.informers:
        if informer.resource == resource:
            yield from informer.store
