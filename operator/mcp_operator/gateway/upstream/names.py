"""The system's resolver, used so that one slow name does not delay other names.

`getaddrinfo` blocks while DNS does not respond, which can take half a minute. Each lookup has its
own thread, so it does not wait for other lookups or for other work in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import OrderedDict
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

DEADLINE: Final = 5.0
"""Seconds that a caller waits for a name, which is enough for one retry of glibc's resolver
(resolv.conf(5)). The thread ends when `getaddrinfo` does."""

TTL: Final = 10.0
"""Seconds that a result is cached; short, because the pods of a headless Service change."""

MAX_KEPT: Final = 1024
"""Results that are cached."""

MAX_ASKED: Final = 64
"""Concurrent lookups, each with a thread."""

MAX_SLOW: Final = 32
"""Concurrent lookups of names whose last lookup timed out."""

_Addresses = list[tuple[str, socket.AddressFamily]]


class SystemResolver(AbstractResolver):
    """`getaddrinfo` with a thread per lookup, a deadline, and a cache."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[_Addresses]] = {}
        self._slow: OrderedDict[str, None] = OrderedDict()
        self._kept: OrderedDict[str, tuple[float, _Addresses]] = OrderedDict()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve a name, or share the result of a lookup in progress.

        Raises:
            OSError: The name does not resolve, or not in time, or too many lookups are in
                progress.
        """
        now = asyncio.get_running_loop().time()
        until, addresses = self._kept.get(host, (0.0, []))
        if now >= until:
            addresses = await self._fresh(host)
        return [
            resolved(host, address, kind, port)
            for address, kind in addresses
            if family in (kind, socket.AF_UNSPEC)
        ]

    async def close(self) -> None:
        """Abandon the lookups in progress; their threads end when `getaddrinfo` returns."""
        for future in self._asked.values():
            future.cancel()
        self._asked.clear()

    async def _fresh(self, host: str) -> _Addresses:
        future = self._asked.get(host) or self._ask(host)
        try:
            async with asyncio.timeout(DEADLINE):
                addresses = await asyncio.shield(future)
        except TimeoutError as error:
            self._slow[host] = None
            _bound(self._slow)
            raise OSError(socket.EAI_AGAIN, f"no answer within {DEADLINE:g} s") from error
        self._slow.pop(host, None)
        return addresses

    def _ask(self, host: str) -> asyncio.Future[_Addresses]:
        slow = sum(name in self._slow for name in self._asked)
        if len(self._asked) >= MAX_ASKED or (host in self._slow and slow >= MAX_SLOW):
            raise OSError(socket.EAI_AGAIN, "too many other names are being resolved")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Addresses] = loop.create_future()
        self._asked[host] = future
        future.add_done_callback(lambda done: self._answered(host, done))

        def ask() -> None:
            outcome = _outcome(host)
            with contextlib.suppress(RuntimeError):  # the loop is closed, so no caller waits
                loop.call_soon_threadsafe(_settle, future, outcome)

        try:
            threading.Thread(target=ask, name="dns", daemon=True).start()
        except RuntimeError as error:  # as where a pod may have no more of them
            future.cancel()
            del self._asked[host]
            raise OSError(socket.EAI_AGAIN, "a thread to resolve it cannot be started") from error
        return future

    def _answered(self, host: str, future: asyncio.Future[_Addresses]) -> None:
        if self._asked.get(host) is future:
            del self._asked[host]
        if not future.cancelled() and future.exception() is None:
            until = asyncio.get_running_loop().time() + TTL
            self._kept[host] = (until, future.result())
            _bound(self._kept)


def resolved(name: str, address: str, family: socket.AddressFamily, port: int) -> ResolveResult:
    """Return one address of a name, in the form of aiohttp's resolvers."""
    return ResolveResult(
        hostname=name,
        host=address,
        port=port,
        family=family,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )


def _outcome(host: str) -> _Addresses | OSError:
    """Look up a name with the system's resolver; blocks."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        return error
    except UnicodeError as error:  # a name that IDNA cannot encode
        return OSError(socket.EAI_NONAME, str(error))
    return [(str(address[0]), kind) for kind, _, _, _, address in found]


def _settle(future: asyncio.Future[_Addresses], outcome: _Addresses | OSError) -> None:
    if future.done():
        return
    if isinstance(outcome, OSError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _bound(kept: OrderedDict[str, Any]) -> None:
    if len(kept) > MAX_KEPT:
        kept.popitem(last=False)
