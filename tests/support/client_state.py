"""The state that a gateway keeps for its clients, by component."""

from __future__ import annotations

import asyncio

from support.running_gateway import Running


async def held(gateway: Running) -> dict[str, int]:
    """Count all state that requests, streams, sessions and tasks of clients have left in a gateway.

    Two kinds of state are left out, which are kept by design within a bound: the ids of deleted
    sessions, and subscriptions of sessions that were not deleted (`subscribed_sessions`).
    """
    app = gateway.app
    core, legacy, front = app._endpoint._core, app._endpoint._legacy, app._front
    tasks, caching = core.tasks, core.poller._executor
    await tasks._memory.get("")  # removes what has expired
    return {
        "asyncio tasks": len(asyncio.all_tasks()),
        "connections": front.connections,
        "bytes of bodies": front._bodies.held,
        "clients that have not read": len(front._listener._unread._readers),
        "requests in flight": core.gate.busy,
        "clients with requests in flight": len(core.gate._clients._held),
        "places of tools": len(core._limiter._running),
        "polled tasks": len(core._limiter._polls),
        "patience": len(core.patience._since),
        "streams": core.hub.open_streams,
        "places of streams": core.hub._places.held,
        "bytes of URIs": core.hub._weights.held,
        "polled resources": len(core.poller._polled),
        "requests of sessions": len(legacy._running._running),
        "streams of sessions": len(legacy._streams),
        "levels of sessions": len(legacy._levels._levels),
        "abandoned bytes": legacy._abandoned.held,
        "calls that ask": legacy.asking,
        "questions": len(legacy._asking._requests),
        "places of questions": legacy._asking._shares.held,
        "bytes of answers": legacy._asking._held.held,
        "tasks": len(tasks._memory),
        "bytes of tasks": tasks._memory.held,
        "running tasks": tasks._memory._running.held,
        "due tasks": len(tasks._memory._due),
        "tasks worked on": tasks.runner.busy,
        "watched tasks": tasks.watch.watched,
        "listeners": len(tasks.watch._listeners),
        "bytes of cached answers": caching._store.size,  # type: ignore[attr-defined]
        "calls for the cache": len(caching._flights),  # type: ignore[attr-defined]
    }


def subscribed_sessions(gateway: Running) -> int:
    """Return how many sessions have subscriptions or had a stream."""
    return len(gateway.app._endpoint._legacy._subscribed._sessions)
