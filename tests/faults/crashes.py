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
"""Writes, except of Events, whose number differs between runs."""


class Moment(StrEnum):
    """When the process is killed, relative to a request."""

    BEFORE_SEND = "before it is sent"
    IN_FLIGHT = "while it is in flight"
    AFTER_COMMIT = "before its response is read"


class Crash:
    """SIGKILL at the n-th write; with 0 there is no crash, and the writes are counted."""

    def __init__(self, at: int = 0, moment: Moment = Moment.BEFORE_SEND) -> None:
        self.at = at
        self.moment = moment
        self.writes = 0
        self.happened = asyncio.Event()

    async def run(self, proxy: FaultProxy, namespace: str, user: asyncio.Task[None]) -> None:
        """Run an operator until it crashes, or until its user is done if it does not.

        When this returns, the API server has processed everything that the operator sent. In a
        cluster, the lease guarantees that: a successor starts seconds later.
        """
        rule = proxy.on(WRITE, self._strike, times=math.inf)
        self._victim = ForkedOperator(proxy.kubeconfig, namespace)
        crashing = asyncio.create_task(self.happened.wait())
        await asyncio.wait({user, crashing}, return_when=asyncio.FIRST_COMPLETED)
        crashing.cancel()
        self._victim.kill()
        await self._victim.ended()
        await eventually(proxy.is_idle, expected=True)
        rule.end()

    def log(self) -> str:
        """Return the warnings and errors that the operator logged."""
        return self._victim.log()

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
