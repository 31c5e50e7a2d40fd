"""An operator that is killed at one of its writes."""

from __future__ import annotations

import asyncio
import math
from enum import StrEnum

from aiohttp import web

from faults.actions import Exchange, pass_on
from faults.proxy import FaultProxy
from support.forked_operator import ForkedOperator
from support.waiting import eventually

WRITE = "^(POST|PATCH|PUT|DELETE) .*/namespaces/[^/]+/(?!events|leases)"
"""Events are left out: nothing depends on them, and how many there are differs between runs."""


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

    async def run(self, proxy: FaultProxy, namespace: str, user: asyncio.Task[None]) -> None:
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

    def said(self) -> str:
        """Return what the operator had logged, warnings and worse."""
        return self._victim.said()

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
