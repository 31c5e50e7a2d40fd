"""Pods that are ready the moment they exist, and gateways in them that agree to everything.

Where only the operator matters, this is a kubelet that costs no process.
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
    """Answer as a gateway does that serves what it is asked for."""
    return Answer(digest)


@contextlib.asynccontextmanager
async def ready_pods(client: Client, namespace: str) -> AsyncIterator[None]:
    """Make every pod of a namespace ready until the block ends."""
    informers = InformerSet(client)
    created: asyncio.Queue[Key] = asyncio.Queue()

    def note(event: Event) -> None:
        if event.type == "Created":
            created.put_nowait(key_of(event.object))

    async def make_ready() -> None:
        while True:
            pod = await created.get()
            with contextlib.suppress(ApiError):  # it may be gone already
                await client.merge_patch(PODS, pod, {"status": _READY}, subresource="status")

    informers.informer(PODS, namespace=namespace).add_handler(note)
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(make_ready())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
