"""What the management port shows where several workers serve as one."""

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
"""How long a worker may take to answer; one whose event loop stands still for longer counts as
dead."""

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})

Answer = tuple[int, str]
"""The status and the text of an answer."""

NOT_SERVED: Final[JsonObject] = {"digest": "", "generation": 0}
"""The report of a gateway without a catalog."""


class Member(Protocol):
    """A worker, as far as it can be asked.

    Attributes:
        number: Which of the workers it is.
        management_port: Where it answers; None while it does not run, or does not listen yet.
    """

    number: int
    management_port: int | None


class AllPages:
    """What all workers say together; `gateway.front.pages.Pages`."""

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
            totals: Keeps what workers that have ended had counted.
            registry: The parent's own metrics.
            session: Asks the workers.
        """
        self._members = members
        self._totals = totals
        self._registry = registry
        self._session = session

    async def dead(self) -> str:
        """Say which worker listens but does not answer; one that has ended is started anew."""
        asked = [each.management_port for each in self._members]
        answers = await self._ask("/livez")
        for member, port, answer in zip(self._members, asked, answers, strict=True):
            if answer is None and member.management_port == port is not None:
                return f"worker {member.number} does not answer"
        return ""

    async def unready(self) -> str:
        """Say which worker should get no traffic: they all get some."""
        for member, answer in zip(self._members, await self._ask("/readyz"), strict=True):
            if answer is None:
                return f"worker {member.number} is not running"
            status, text = answer
            if status != HTTPStatus.OK:
                return f"worker {member.number}: {text.strip()}"
        return ""

    async def metrics(self) -> bytes:
        """Add up the metrics of the workers and of the parent.

        A worker that does not answer counts with what it showed last.
        """
        for member, answer in zip(self._members, await self._ask("/metrics"), strict=True):
            if answer is not None:
                self._totals.note(member.number, answer[1])
        self._totals.note("parent", generate_latest(self._registry).decode())
        return self._totals.text()

    async def catalog(self, digest: str, wait: float) -> JsonObject:
        """Report a catalog once all workers serve it."""
        query = {"digest": digest, "wait": str(wait)}
        answers = await self._ask("/catalog", query, ANSWER_SECONDS + wait)
        return together([json.loads(each[1]) if each else NOT_SERVED for each in answers], digest)

    async def _ask(
        self, path: str, query: Mapping[str, str] = NO_QUERY, seconds: float = ANSWER_SECONDS
    ) -> list[Answer | None]:
        """Return what each worker answers, None for those that do not, or have ended since."""
        ports = [each.management_port for each in self._members]
        asking = (self._ask_one(port, path, query, seconds) for port in ports)
        answers = await asyncio.gather(*asking)
        asked = zip(self._members, ports, answers, strict=True)
        return [answer if each.management_port == port else None for each, port, answer in asked]

    async def _ask_one(
        self, port: int | None, path: str, query: Mapping[str, str], seconds: float
    ) -> Answer | None:
        if port is None:
            return None
        url = f"http://{MANAGEMENT_HOST}:{port}{path}"
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.get(url, params=query, timeout=timeout) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return None


def together(reports: Sequence[JsonObject], wanted: str) -> JsonObject:
    """Return the report of the worker that is last: behind with the digest that is wanted, if any.

    Args:
        reports: A report of each worker.
        wanted: The digest that is asked for; may be empty.
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
