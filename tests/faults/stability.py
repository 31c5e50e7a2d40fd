"""How every experiment ends: all is as declared, and nothing is written any more."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.resources import CHILDREN, DEPLOYMENTS
from mcp_operator.core.meta import (
    Key,
    Object,
    controller_of,
    generation_of,
    key_of,
    resource_version_of,
    uid_of,
)
from mcp_operator.runtime.informer import Informer
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

PATIENCE = 60.0
"""Seconds from the end of a fault to the wanted state."""

Served = dict[str, str] | None


async def stable(shop: Shop, operator: Operator, served: dict[str, Served]) -> None:
    """Wait until an operator has done all there is to do, and see that it leaves it at that.

    Told of every object once more, as happens by itself every ten hours, it writes nothing.

    Args:
        shop: Where it works.
        operator: The operator.
        served: For each server what it has to serve, as `Shop.served` tells it.

    Raises:
        AssertionError: It does not get there, or goes on writing.
    """
    for server, entries in served.items():
        await eventually(functools.partial(shop.served, server), entries, seconds=PATIENCE)
    await eventually(functools.partial(unfinished, shop, operator), [], seconds=PATIENCE)
    operator.forget_requests()
    resync(operator)
    await operator.idle()
    assert not operator.writes, f"written though nothing has changed: {operator.writes}"


async def unfinished(shop: Shop, operator: Operator) -> list[str]:
    """Say what the operator and the cluster's own controllers have yet to do."""
    operator.check()
    found = [*_retries(operator)]
    for informer in informers_of(operator):
        if informer.served:
            real = await _objects(shop, informer)
            if _versions(real) != _versions([*informer.store]):
                found.append(f"the cache of {informer.resource} lags behind")
            if informer.resource == DEPLOYMENTS:
                found += _not_rolled_out(real)
    await operator.idle()
    return [*found, *_orphans(operator)]


def resync(operator: Operator) -> None:
    """Tell of every object once more."""
    for informer in informers_of(operator):
        for obj in informer.store.list():
            informer.cache.resync(obj)


def informers_of(operator: Operator) -> list[Informer]:
    """Return the informers that the controllers watch."""
    sources = [source for each in operator._controllers for source in each._sources]
    return [source for source in dict.fromkeys(sources) if isinstance(source, Informer)]


async def _objects(shop: Shop, informer: Informer) -> list[Object]:
    pages = shop.client.list_pages(
        informer.resource,
        namespace=shop.namespace,
        label_selector=informer.cache._selection.label_selector,
    )
    return [obj async for page in pages for obj in page.items]


def _versions(objects: list[Object]) -> dict[Key, int]:
    return {key_of(obj): resource_version_of(obj) for obj in objects}


def _retries(operator: Operator) -> Iterator[str]:
    for controller in operator._controllers:
        for key in controller.queue._rate_limiter._failures:
            yield f"{controller.kind} {key} failed and is tried again"


def _not_rolled_out(deployments: list[Object]) -> Iterator[str]:
    for deployment in deployments:
        status = deployment.get("status", {})
        made = status.get("observedGeneration"), status.get("replicas")
        if made != (generation_of(deployment), deployment["spec"]["replicas"]):
            yield f"Deployment {key_of(deployment).name} has not all its pods"


def _orphans(operator: Operator) -> Iterator[str]:
    """Name what has an owner that is gone, and is not yet collected as garbage."""
    informers = {informer.resource: informer for informer in informers_of(operator)}
    servers = {uid_of(server) for server in informers[MCPSERVERS].store}
    for resource in CHILDREN:
        for child in informers[resource].store:
            owner = controller_of(child)
            if owner and owner["kind"] == MCPSERVERS.kind and owner["uid"] not in servers:
                yield f"{resource.kind} {key_of(child).name} has no owner"
