"""An operator that is killed at one of its writes, and what a namespace holds in the end."""

from __future__ import annotations

import asyncio
import difflib
import json
import math
import re
from enum import StrEnum
from typing import Any

from aiohttp import web

from faults.actions import Exchange, pass_on
from faults.proxy import FaultProxy
from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import CHILDREN, HTTPROUTES
from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.runtime.client import Client
from support.forked_operator import ForkedOperator
from support.waiting import eventually

WRITE = "^(POST|PATCH|PUT|DELETE) .*/namespaces/[^/]+/(?!events|leases)"
"""Events are left out: nothing depends on them, and how many there are differs between runs."""

OURS = (MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES)

_VARYING = {
    "UID": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "HASH": re.compile(r"[0-9a-f]{16,64}"),
    "TIME": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "IP": re.compile(r"10\.\d+\.\d+\.\d+"),
}


class Moment(StrEnum):
    """When, seen from a request, the process is killed."""

    BEFORE_SEND = "before it is sent"
    IN_FLIGHT = "while it is on its way"
    AFTER_COMMIT = "before its answer is read"


class Crash:
    """SIGKILL at the n-th write; without a number it never comes, and writes are counted."""

    def __init__(self, at: int = 0, moment: Moment = Moment.BEFORE_SEND) -> None:
        self.at = at
        self.moment = moment
        self.writes = 0
        self.happened = asyncio.Event()

    async def befall(self, proxy: FaultProxy, namespace: str, user: asyncio.Task[None]) -> None:
        """Run an operator until it crashes, or else until its user is done.

        Whatever it had sent by then has reached the API server, and been acted on, when this
        returns. In a cluster the lease sees to that: a successor begins seconds later.
        """
        rule = proxy.on(WRITE, self._strike, times=math.inf)
        self._victim = ForkedOperator(proxy.kubeconfig, namespace)
        crashing = asyncio.create_task(self.happened.wait())
        await asyncio.wait({user, crashing}, return_when=asyncio.FIRST_COMPLETED)
        crashing.cancel()
        self._victim.kill()
        await self._victim.gone()
        await eventually(proxy.deserted, expected=True)
        rule.end()
        assert self._victim.said() == ""

    async def _strike(self, exchange: Exchange) -> web.StreamResponse:
        self.writes += 1
        if self.writes != self.at:
            return await pass_on(exchange)
        if self.moment is Moment.AFTER_COMMIT:
            await (await exchange.forward()).read()
        self._victim.kill()
        self.happened.set()
        if self.moment is Moment.IN_FLIGHT:
            await (await exchange.forward()).read()
        exchange.abort()
        return web.Response()


async def end_state(client: Client, namespace: str) -> dict[str, Any]:
    """Return all objects of a namespace without what differs from one run to the next."""
    found: dict[str, Any] = {}
    for resource in (*OURS, *(child for child in CHILDREN if child != HTTPROUTES)):
        async for page in client.list_pages(resource, namespace=namespace):
            for obj in page.items:
                if not key_of(obj).name.startswith("kube-"):
                    name = f"{resource.kind} {key_of(obj).name}"
                    found[name] = _constant(obj, resource, namespace)
    return found


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """Return what two end states differ in, line by line; nothing if they are equal."""
    texts = [json.dumps(state, indent=1, sort_keys=True).splitlines() for state in (wanted, found)]
    return "\n".join(difflib.unified_diff(*texts, "wanted", "found", n=12, lineterm=""))


def _constant(obj: Object, resource: Resource, namespace: str) -> Any:
    metadata = obj["metadata"]
    kept = {name: metadata.get(name) for name in ("labels", "annotations", "ownerReferences")}
    content = {name: value for name, value in obj.items() if name not in {"metadata", "binaryData"}}
    if resource not in OURS:
        content.pop("status", None)
    text = json.dumps({"metadata": kept, **content}, sort_keys=True).replace(namespace, "NS")
    for word, pattern in _VARYING.items():
        text = pattern.sub(word, text)
    return _filled(json.loads(text))


def _filled(value: Any) -> Any:
    """Leave out what is empty: whether the API server does so depends on what was before."""
    if isinstance(value, dict):
        pairs = ((name, _filled(each)) for name, each in value.items())
        return {name: each for name, each in pairs if each not in (None, "", [], {})}
    return [_filled(each) for each in value] if isinstance(value, list) else value
