"""`mcp-operator inspect watch`: shows what changes in a server, until Ctrl-C."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import mcp_types as types
from mcp import Client
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    SubscriptionLost,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from mcp_operator.app.mcp_client.changes import Change, changes
from mcp_operator.app.mcp_client.describing import KINDS
from mcp_operator.app.mcp_client.offers import offer_of
from mcp_operator.app.mcp_client.session import with_server
from mcp_operator.app.mcp_client.settings import WatchSettings
from mcp_operator.app.mcp_client.text import as_json, note, show
from mcp_operator.app.signals import until_stopped

RECONNECT_SECONDS: Final = 1.0
"""How long to wait before reopening a stream that has ended."""

EVENTS: Final[Mapping[type, ServerEvent]] = {
    types.ToolListChangedNotification: ToolsListChanged(),
    types.PromptListChangedNotification: PromptsListChanged(),
    types.ResourceListChangedNotification: ResourcesListChanged(),
}
"""The notifications of sessions, as events of the newer streams."""


async def run_watch(settings: WatchSettings) -> None:
    """Show changes until SIGINT or SIGTERM.

    Raises:
        OperatorError: The server cannot be reached, or refuses the request.
    """
    arrived: asyncio.Queue[ServerEvent] = asyncio.Queue()

    async def receive(message: IncomingMessage) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            arrived.put_nowait(ResourceUpdated(uri=str(message.params.uri)))
        elif type(message) in EVENTS:
            arrived.put_nowait(EVENTS[type(message)])

    async def watch(client: Client) -> None:
        watcher = Watcher(client, settings)
        if client.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
            await watcher.follow_session(arrived)
        else:
            await watcher.follow_stream()

    await until_stopped(with_server(settings, watch, message_handler=receive))


class Watcher:
    """Shows changes, by comparing what the server offers with what it offered before."""

    def __init__(self, client: Client, settings: WatchSettings) -> None:
        self._client = client
        self._json = settings.output == "json"
        self._uris = list(dict.fromkeys(settings.uris))
        self._entries: dict[str, Sequence[Mapping[str, Any]]] = {}

    async def follow_stream(self) -> None:
        """Follow a stream of MCP 2026-07-28, and reopen it whenever it ends."""
        while True:
            try:
                async with self._client.listen(
                    tools_list_changed=True,
                    prompts_list_changed=True,
                    resources_list_changed=True,
                    resource_subscriptions=self._uris,
                ) as events:
                    await self._begin()
                    async for event in events:
                        await self._tell(event)
            except SubscriptionLost:
                pass
            note("The stream of the server has ended; opening it again.")
            await asyncio.sleep(RECONNECT_SECONDS)

    async def follow_session(self, arrived: asyncio.Queue[ServerEvent]) -> None:
        """Follow the notifications of a session, in earlier versions of MCP."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            for uri in self._uris:
                await self._client.subscribe_resource(uri)
        await self._begin()
        while True:
            await self._tell(await arrived.get())

    async def _begin(self) -> None:
        """Record what the server offers; after an interruption, show what has changed."""
        if not self._entries:
            self._entries = dict((await offer_of(self._client)).entries)
            total = sum(map(len, self._entries.values()))
            updates = f", and updates of {', '.join(self._uris)}" if self._uris else ""
            note(f"Watching {total} entries{updates}. Ctrl-C ends.")
        else:
            await self._compare(list(KINDS))

    async def _tell(self, event: ServerEvent) -> None:
        match event:
            case ResourceUpdated(uri=uri):
                self._show([Change("updated", "resources", uri)])
            case ToolsListChanged():
                await self._compare(["tools"])
            case PromptsListChanged():
                await self._compare(["prompts"])
            case _:
                await self._compare(["resources", "resourceTemplates"])

    async def _compare(self, kinds: Sequence[str]) -> None:
        new = (await offer_of(self._client, kinds)).entries
        found = [
            change for kind in kinds for change in changes(kind, self._entries[kind], new[kind])
        ]
        self._entries |= new
        self._show(found or [Change("announced", kinds[0], "a change, but the list is the same")])

    def _show(self, found: Sequence[Change]) -> None:
        now = datetime.now(UTC)
        if self._json:
            told = [
                {"time": now.isoformat(timespec="milliseconds"), **one._asdict()} for one in found
            ]
            show(as_json(one, indent=None) for one in told)
        else:
            clock = now.astimezone().strftime("%H:%M:%S")
            show(f"{clock} {one.line()}" for one in found)
