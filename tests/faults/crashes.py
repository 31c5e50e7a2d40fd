"""An operator that dies at one of its writes, and what a namespace holds in the end."""

from __future__ import annotations

import asyncio
import json
import re
from enum import StrEnum
from typing import Any

from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    ROLEBINDINGS,
    ROLES,
    SERVICEACCOUNTS,
    SERVICES,
)
from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.runtime.client import Client
from support.operators import LoggingClient

OURS = (MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES)
CHILDREN = (CONFIGMAPS, DEPLOYMENTS, ROLEBINDINGS, ROLES, SERVICEACCOUNTS, SERVICES)

_VARYING = {
    "UID": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "HASH": re.compile(r"[0-9a-f]{16,64}"),
    "TIME": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "IP": re.compile(r"10\.\d+\.\d+\.\d+"),
}


class Moment(StrEnum):
    """When, seen from a request, the process dies."""

    BEFORE_SEND = "before it is sent"
    IN_FLIGHT = "while it is on its way"
    AFTER_COMMIT = "before its answer is read"


class Crash:
    """Dies at the n-th write; without a number it never does, and counts."""

    def __init__(self, at: int = 0, moment: Moment = Moment.BEFORE_SEND) -> None:
        self.at = at
        self.moment = moment
        self.writes = 0
        self.happened = asyncio.Event()
        self.flying: asyncio.Task[bytes] | None = None

    def client_class(self) -> type[LoggingClient]:
        """Return a class of clients that go through this crash."""
        crash = self

        class CrashingClient(LoggingClient):
            async def request(self, method: str, path: str, **options: Any) -> bytes:
                if method != "GET" and "/events" not in path and not crash.happened.is_set():
                    crash.writes += 1
                    if crash.writes == crash.at:
                        sending = super().request(method, path, **options)
                        await crash.die(asyncio.create_task(sending))
                if crash.happened.is_set():
                    await asyncio.Event().wait()  # the dead neither read nor write
                return await super().request(method, path, **options)

        return CrashingClient

    async def die(self, sending: asyncio.Task[bytes]) -> None:
        if self.moment is Moment.BEFORE_SEND:
            sending.cancel()
        elif self.moment is Moment.IN_FLIGHT:
            self.flying = sending
        else:
            await asyncio.wait({sending})
        self.happened.set()


async def end_state(client: Client, namespace: str) -> dict[str, Any]:
    """Return all objects of a namespace without what differs from one run to the next."""
    found: dict[str, Any] = {}
    for resource in (*OURS, *CHILDREN):
        async for page in client.list_pages(resource, namespace=namespace):
            for obj in page.items:
                if not key_of(obj).name.startswith("kube-"):
                    name = f"{resource.kind} {key_of(obj).name}"
                    found[name] = _constant(obj, resource, namespace)
    return found


def _constant(obj: Object, resource: Resource, namespace: str) -> Any:
    metadata = obj["metadata"]
    kept = {name: metadata.get(name) for name in ("labels", "annotations", "ownerReferences")}
    content = {name: value for name, value in obj.items() if name not in {"metadata", "binaryData"}}
    if resource not in OURS:
        content.pop("status", None)
    text = json.dumps({"metadata": kept, **content}, sort_keys=True).replace(namespace, "NS")
    for word, pattern in _VARYING.items():
        text = pattern.sub(word, text)
    return json.loads(text)
