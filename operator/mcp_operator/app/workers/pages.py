"""The pages of the management port if several workers serve as one gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Protocol

import aiohttp
from prometheus_client import CollectorRegistry, generate_latest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.app.workers.adding_up import Totals
from mcp_operator.app.workers.worker import MANAGEMENT_HOST

ANSWER_SECONDS: Final = 10.0
"""The timeout for a worker's answer. A worker that takes longer counts as dead, because its event
loop is blocked."""

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})

Answer = tuple[int, str]
"""The status and the text of an answer."""

SILENT: Final[Answer] = (HTTPStatus.GATEWAY_TIMEOUT, "")
"""Replaces the answer of a worker that accepts connections, but does not answer in time."""

NOT_SERVED: Final[JsonObject] = {"digest": "", "generation": 0}
"""The report of a gateway without a catalog."""


class Member(Protocol):
    """A worker, seen as a target of requests.

    Attributes:
        number: The worker's number.
        management_port: Its port; None if it is not running, or not listening yet.
    """

    number: int
    management_port: int | None


class AllPages:
    """The answers of all workers together; implements `gateway.front.pages.Pages`."""

    def __init__(
        self,
        members: Sequence[Member],
        totals: Totals,
        registry: CollectorRegistry,
        session: aiohttp.ClientSession,
    ) -> None:
        """Set up.

        Args:
            members: The workers, in every state.
            totals: Keeps the counts of workers that have ended.
            registry: The parent's own metrics.
            session: Sends the requests to workers.
        """
        self._members = members
        self._totals = totals
        self._registry = registry
        self._session = session

    async def dead(self) -> str:
        """Name a worker that does not answer. One that refuses connections is being restarted."""
        for member, answer in zip(self._members, await self._ask("/livez"), strict=True):
            if answer is SILENT:
                return f"worker {member.number} does not answer"
        return ""

    async def unready(self) -> str:
        """Name a worker that is not ready, because the kernel sends connections to all workers."""
        for member, answer in zip(self._members, await self._ask("/readyz"), strict=True):
            if answer is None:
                return f"worker {member.number} is not running"
            if answer is SILENT:
                return f"worker {member.number} does not answer"
            status, text = answer
            if status != HTTPStatus.OK:
                return f"worker {member.number}: {text.strip()}"
        return ""

    async def metrics(self) -> bytes:
        """Add up the metrics of the workers and of the parent.

        For a worker that does not answer, its last metrics count.
        """
        for member, answer in zip(self._members, await self._ask("/metrics"), strict=True):
            if answer is not None and answer is not SILENT:
                self._totals.note(member.number, answer[1])
        self._totals.note("parent", generate_latest(self._registry).decode())
        return self._totals.text()

    async def catalog(self, digest: str, wait: float) -> JsonObject:
        """Report a catalog once all workers serve it, or the wait is over."""
        query = {"digest": digest, "wait": str(wait)}
        answers = await self._ask("/catalog", query, wait)
        served = [json.loads(each[1]) if each and each[1] else NOT_SERVED for each in answers]
        return together(served, digest)

    async def _ask(
        self, path: str, query: Mapping[str, str] = NO_QUERY, wait: float = 0.0
    ) -> list[Answer | None]:
        """Return each worker's answer; None for workers that are not running, or have just ended.

        Args:
            path: The path of the page.
            query: The query parameters.
            wait: Seconds that the page itself can take, in addition to the timeout.
        """
        ports = [each.management_port for each in self._members]
        asking = (self._ask_one(port, path, query, wait) for port in ports)
        answers = await asyncio.gather(*asking)
        asked = zip(self._members, ports, answers, strict=True)
        return [answer if each.management_port == port else None for each, port, answer in asked]

    async def _ask_one(
        self, port: int | None, path: str, query: Mapping[str, str], wait: float
    ) -> Answer | None:
        if port is None:
            return None
        url = f"http://{MANAGEMENT_HOST}:{port}{path}"
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS + wait)
        try:
            async with self._session.get(url, params=query, timeout=timeout) as answer:
                return answer.status, await answer.text()
        except TimeoutError:  # before ClientError, which aiohttp's own timeouts are as well
            return SILENT
        except aiohttp.ClientError:
            return None


def together(reports: Sequence[JsonObject], wanted: str) -> JsonObject:
    """Return the report of the worker that is furthest behind `wanted`; the latest if none is.

    Args:
        reports: One report per worker.
        wanted: The digest that the request names; can be empty.
    """
    lacks = next((each["lacks"] for each in reports if each.get("lacks")), "")
    behind = [each for each in reports if each["digest"] != wanted]
    if behind and len({each["digest"] for each in reports}) > 1:
        return min(behind, key=_loaded_at)
    latest = max(reports, key=_loaded_at)
    if not latest["digest"]:
        return latest
    away = next((each["redis"] for each in reports if each.get("redis")), "")
    return latest | {"lacks": lacks} | ({"redis": away} if away else {})


def _loaded_at(report: JsonObject) -> str:
    return str(report.get("loadedAt", ""))
