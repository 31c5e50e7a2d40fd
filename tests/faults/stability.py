"""How every experiment ends: all is as declared, and nothing is written any more."""

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
    """Wait until an operator has done all there is to do, and see that it leaves it at that.

    Told of every object once more, as happens by itself every ten hours, it writes nothing.

    Args:
        shop: Where it works.
        operator: The operator.
        served: For each server what it has to serve, as `Shop.served` tells it.

    Returns:
        What it wrote to get there.

    Raises:
        AssertionError: It does not get there, or goes on writing.
    """
    for server, entries in served.items():
        await eventually(functools.partial(shop.served, server), entries)
    await eventually(functools.partial(unfinished, shop, operator), [])
    writes = operator.writes
    operator.forget_requests()
    await operator.resync()
    await operator.idle()
    assert not operator.writes, f"written though nothing has changed: {operator.writes}"
    return writes


async def unfinished(shop: Shop, operator: Operator) -> list[str]:
    """Say what the operator and the cluster's own controllers have yet to do."""
    await operator.settled(shop.client)
    return left_to_do(operator)


def left_to_do(operator: Operator) -> list[str]:
    """Say what the caches show that is yet to be done, by the operator or the cluster."""
    return [*operator.retries(), *_not_rolled_out(operator), *_orphans(operator)]


def _not_rolled_out(operator: Operator) -> Iterator[str]:
    for deployment in stored(operator, DEPLOYMENTS):
        status = deployment.get("status", {})
        made = status.get("observedGeneration"), status.get("replicas")
        if made != (generation_of(deployment), deployment["spec"]["replicas"]):
            yield f"Deployment {key_of(deployment).name} has not all its pods"


def _orphans(operator: Operator) -> Iterator[str]:
    """Name what has an owner that is gone, and is not yet collected as garbage."""
    servers = {uid_of(server) for server in stored(operator, MCPSERVERS)}
    for resource in CHILDREN:
        for child in stored(operator, resource):
            owner = controller_of(child)
            if owner and owner["kind"] == MCPSERVERS.kind and owner["uid"] not in servers:
                yield f"{resource.kind} {key_of(child).name} has no owner"


def stored(operator: Operator, resource: Resource) -> Iterator[Object]:
    """Yield what an operator's caches hold of a resource."""
    for informer in operator.informers:
        if informer.resource == resource:
            yield from informer.store
