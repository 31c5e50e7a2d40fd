"""Asks the pods which catalog they serve, so that `Programmed` states a fact.

Each gateway pod answers on its management port, and so does a pod in mode Direct that reports. The
request carries the expected digest and how long to wait for it, so a pod answers as soon as it
serves that catalog, and a change costs one request for each pod.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mcp_operator.core.meta import Key
from mcp_operator.core.tasks import until_cancelled
from mcp_operator.runtime.sources import Channel

logger = logging.getLogger(__name__)

WAIT_SECONDS = 5
"""Seconds for which a pod can delay its answer until it serves the expected digest."""

WATCH_SECONDS = 10.0
"""Seconds before a pod with a Redis is asked again whether its Redis answers."""

RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
"""The pauses after requests that were not answered with the digest; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A ready pod, and the address and port at which it reports what it serves."""

    uid: str
    name: str
    ip: str
    port: int


class AskError(Exception):
    """A pod did not answer; the text says why, without addresses."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a pod.

    Attributes:
        digest: The digest of the catalog that it serves.
        lacks: What else it needs to serve every client, as a sentence; empty for nothing.
        redis: Why its Redis does not answer, empty while it does; None without a Redis.
    """

    digest: str
    lacks: str = ""
    redis: str | None = None


Ask = Callable[[Pod, str], Awaitable[Answer]]
"""Asks a pod, with the expected digest, what it serves. Raises AskError."""


@dataclass(slots=True)
class _Expectation:
    """The catalog that the pods of a server are expected to serve, and their answers so far."""

    digest: str
    asked_at: dict[str, float] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    without_redis: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The state of a server's ready pods.

    Attributes:
        synced: How many serve the expected digest.
        missing: The names of those that do not, each with its answer.
        waited: Seconds since the first of them was asked; 0 if none is missing.
        lacking: The names of those that do but cannot serve every client, each with the cause.
        without_redis: The names of those whose Redis does not answer, each with the cause.
    """

    synced: int
    missing: Mapping[str, str]
    waited: float
    lacking: Mapping[str, str] = field(default_factory=dict)
    without_redis: Mapping[str, str] = field(default_factory=dict)


class Confirmations:
    """Keeps one request open for each pod that has not confirmed its server's catalog.

    Args:
        ask: Asks a pod.

    Attributes:
        confirmed: Sends the key of a server whenever one of its pods confirms the catalog, lacks
            something else than before, or loses or regains its Redis.
    """

    def __init__(self, ask: Ask) -> None:
        self.confirmed = Channel("pod confirmations")
        self._ask = ask
        self._servers: dict[Key, _Expectation] = {}

    def expect(self, server: Key, digest: str, pods: Sequence[Pod]) -> Confirmed:
        """Set what the pods are expected to serve; return what is known now, without waiting."""
        expectation = self._servers.get(server)
        if expectation is None or expectation.digest != digest:
            self.forget(server)
            expectation = self._servers[server] = _Expectation(digest)
        self._follow(server, expectation, pods)
        waiting = [pod for pod in pods if pod.uid not in expectation.confirmed]
        now = asyncio.get_running_loop().time()
        return Confirmed(
            synced=len(pods) - len(waiting),
            missing={
                pod.name: expectation.errors.get(pod.uid, "has not answered yet") for pod in waiting
            },
            waited=max((now - expectation.asked_at[pod.uid] for pod in waiting), default=0.0),
            lacking=_named(expectation.lacking, pods),
            without_redis=_named(expectation.without_redis, pods),
        )

    def is_lacking(self, server: Key) -> bool:
        """Return whether a pod has said that it cannot serve every client."""
        expectation = self._servers.get(server)
        return expectation is not None and bool(expectation.lacking)

    def forget(self, server: Key) -> None:
        """Stop asking the pods of a server."""
        expectation = self._servers.pop(server, None)
        if expectation is not None:
            for task in expectation.tasks.values():
                task.cancel()

    async def run(self) -> None:
        """Run until cancelled, then end all open requests."""
        try:
            await until_cancelled()
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop asking, and wait until every request has ended."""
        tasks = [task for e in self._servers.values() for task in e.tasks.values()]
        for server in list(self._servers):
            self.forget(server)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self, server: Key, expectation: _Expectation, pods: Sequence[Pod]) -> None:
        present = {pod.uid for pod in pods}
        for uid in expectation.tasks.keys() - present:
            expectation.tasks.pop(uid).cancel()
            expectation.confirmed.discard(uid)
            expectation.asked_at.pop(uid, None)
            expectation.errors.pop(uid, None)
            expectation.lacking.pop(uid, None)
            expectation.without_redis.pop(uid, None)
        for pod in pods:
            if pod.uid not in expectation.tasks:
                expectation.asked_at[pod.uid] = asyncio.get_running_loop().time()
                expectation.tasks[pod.uid] = asyncio.create_task(
                    self._question(server, expectation, pod), name=f"confirm {server} {pod.name}"
                )

    async def _question(self, server: Key, expectation: _Expectation, pod: Pod) -> None:
        for retry in itertools.chain(RETRY_SECONDS, itertools.repeat(RETRY_SECONDS[-1])):
            pause = retry
            try:
                answer = await self._ask(pod, expectation.digest)
            except AskError as error:
                text = str(error)
                is_news = expectation.errors.get(pod.uid) != text
                expectation.errors[pod.uid] = text
                logger.log(
                    logging.INFO if is_news else logging.DEBUG,
                    "Cannot ask a pod for its catalog",
                    extra={"pod": pod.name, "error": text},
                )
            else:
                if answer.digest == expectation.digest:
                    self._confirm(server, expectation, pod, answer)
                    if not answer.lacks and answer.redis is None:
                        return
                    if not answer.lacks:
                        pause = WATCH_SECONDS
                elif pod.uid not in expectation.confirmed:
                    expectation.errors[pod.uid] = f"serves catalog {answer.digest[:12] or 'none'}"
            await asyncio.sleep(pause)

    def _confirm(self, server: Key, expectation: _Expectation, pod: Pod, answer: Answer) -> None:
        """Record that a pod serves the catalog, and what it lacks; notify if any of it is new."""
        news = pod.uid not in expectation.confirmed
        expectation.confirmed.add(pod.uid)
        expectation.errors.pop(pod.uid, None)
        if expectation.lacking.pop(pod.uid, "") != answer.lacks:
            news = True
        if answer.lacks:
            expectation.lacking[pod.uid] = answer.lacks
        if (pod.uid in expectation.without_redis) != bool(answer.redis):
            news = True  # not for another cause, which may change with every attempt
            expectation.without_redis.pop(pod.uid, None)
        if answer.redis:
            expectation.without_redis.setdefault(pod.uid, answer.redis)
        if news:
            self.confirmed.send(server)


def _named(said: Mapping[str, str], pods: Sequence[Pod]) -> Mapping[str, str]:
    return {pod.name: said[pod.uid] for pod in pods if pod.uid in said}
