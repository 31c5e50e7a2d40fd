"""Pods that become ready as soon as they exist, and gateways that confirm every catalog.

For tests of the operator alone, this replaces a kubelet without starting processes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from mcp_operator.builders.resources import PODS
from mcp_operator.controllers.confirmations import Answer, Pod
from mcp_operator.core.meta import Key, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.informer import InformerSet
from mcp_operator.runtime.notification import Event

_READY = {
    "phase": "Running",
    "podIP": "127.0.0.1",
    "podIPs": [{"ip": "127.0.0.1"}],
    "conditions": [{"type": "Ready", "status": "True"}],
}


async def confirms(_: Pod, digest: str) -> Answer:
    """Respond like a gateway that serves the requested catalog."""
    return Answer(digest)


@contextlib.asynccontextmanager
async def ready_pods(client: Client, namespace: str) -> AsyncIterator[None]:
    """Mark every pod of a namespace as ready until the block ends."""
    informers = InformerSet(client)
    created: asyncio.Queue[Key] = asyncio.Queue()

    def note(event: Event) -> None:
        if event.type == "Created":
            created.put_nowait(key_of(event.object))

    async def make_ready() -> None:
        while True:
            pod = await created.get()
            with contextlib.suppress(ApiError):  # it might be deleted already
                await client.merge_patch(PODS, pod, {"status": _READY}, subresource="status")

    informers.informer(PODS, namespace=namespace).add_handler(note)
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(make_ready())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
