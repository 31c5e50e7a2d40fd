from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_operator.gateway.upstream import names
from mcp_operator.gateway.upstream.names import MAX_ASKED, MAX_SLOW, SystemResolver
from support.waiting import eventually


class SystemDns:
    """A fake `getaddrinfo`: names that start with `hang` get no answer until `free` is set."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.free = threading.Event()

    async def count(self) -> int:
        return len(self.asked)

    def __call__(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked[host] += 1
        if host.startswith("hang"):
            self.free.wait()
        if host.startswith("unknown"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::1", 0, 0, 0)),
        ]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[SystemDns]:
    dns = SystemDns()
    monkeypatch.setattr(socket, "getaddrinfo", dns)
    yield dns
    dns.free.set()


async def addresses(resolver: SystemResolver, host: str) -> list[str]:
    return [result["host"] for result in await resolver.resolve(host)]


async def test_a_name_resolves_to_all_its_addresses(dns: SystemDns) -> None:
    resolver = SystemResolver()
    assert await addresses(resolver, "orders.") == ["10.0.0.1", "fd00::1"]
    (only,) = await resolver.resolve("orders.", 80, socket.AF_INET6)
    assert (only["host"], only["port"], only["family"]) == ("fd00::1", 80, socket.AF_INET6)
    assert dns.asked == {"orders.": 1}


async def test_names_that_get_no_answer_do_not_block_other_names(dns: SystemDns) -> None:
    resolver = SystemResolver()
    waiting = [asyncio.create_task(addresses(resolver, f"hang{n}.")) for n in range(MAX_ASKED - 1)]
    await eventually(dns.count, len(waiting))
    assert await addresses(resolver, "orders.") == ["10.0.0.1", "fd00::1"]
    assert not any(task.done() for task in waiting)
    dns.free.set()
    assert all(await asyncio.gather(*waiting))


@pytest.mark.usefixtures("dns")
async def test_a_name_whose_thread_cannot_start_is_resolved_at_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = SystemResolver()
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="thread"):
            await resolver.resolve("orders.")
    assert await addresses(resolver, "orders.") == ["10.0.0.1", "fd00::1"]


async def test_callers_of_one_name_share_one_lookup(dns: SystemDns) -> None:
    resolver = SystemResolver()
    waiting = [asyncio.create_task(addresses(resolver, "hang.")) for _ in range(9)]
    await eventually(dns.count, 1)
    waiting[0].cancel()
    dns.free.set()
    assert all(await asyncio.gather(*waiting[1:]))
    assert dns.asked == {"hang.": 1}


@pytest.mark.looptime
async def test_a_name_that_gets_no_answer_times_out(dns: SystemDns) -> None:
    with pytest.raises(OSError, match="no answer within 5 s"):
        await addresses(SystemResolver(), "hang.")
    assert dns.asked == {"hang.": 1}


@pytest.mark.looptime
async def test_slow_names_use_a_limited_number_of_threads(dns: SystemDns) -> None:
    resolver = SystemResolver()
    for _ in range(2):
        hanging = (addresses(resolver, f"hang{n}.") for n in range(MAX_ASKED))
        failures = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(failure, OSError) for failure in failures)
        await resolver.close()  # as if their threads had ended
    assert dns.asked.total() == MAX_ASKED + MAX_SLOW


async def test_too_many_concurrent_lookups_are_refused(dns: SystemDns) -> None:
    resolver = SystemResolver()
    waiting = [asyncio.create_task(addresses(resolver, f"hang{n}.")) for n in range(MAX_ASKED)]
    await eventually(dns.count, MAX_ASKED)
    with pytest.raises(OSError, match="too many"):
        await addresses(resolver, "orders.")
    await resolver.close()
    assert dns.asked["orders."] == 0
    assert all(
        isinstance(one, asyncio.CancelledError)
        for one in await asyncio.gather(*waiting, return_exceptions=True)
    )


async def test_addresses_are_cached_for_a_while_and_failures_are_not(
    dns: SystemDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = SystemResolver()
    for _ in range(2):
        await addresses(resolver, "orders.")
        with pytest.raises(socket.gaierror):
            await addresses(resolver, "unknown.")
    assert dns.asked == {"orders.": 1, "unknown.": 2}
    monkeypatch.setattr(names, "TTL", 0.0)
    for _ in range(2):
        await addresses(resolver, "others.")
    assert dns.asked["others."] == 2
