"""A user of one namespace, who creates objects with defaults for most fields."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY, Index, ShardError, decode
from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import CONFIGMAPS, PODS, SECRETS, SERVICEACCOUNTS, SERVICES
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.waiting import eventually

EVENTS = Resource("events.k8s.io", "v1", "events", "Event")

KINDS: dict[str, Resource] = {
    resource.kind: resource
    for resource in (
        *(MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES),
        *(SERVICES, CONFIGMAPS, SECRETS, SERVICEACCOUNTS),
    )
}


class Shop:
    """Creates, changes and deletes objects of one namespace, as a user with kubectl would."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def key(self, name: str) -> Key:
        return Key(self.namespace, name)

    async def create(
        self, kind: str, name: str, *, labels: dict[str, str] | None = None, **content: Any
    ) -> Object:
        """Create an object; `content` has its fields besides the metadata."""
        resource = KINDS[kind]
        metadata = {"name": name, "namespace": self.namespace, "labels": labels or {}}
        head = {"apiVersion": resource.api_version, "kind": kind, "metadata": metadata}
        return await self.client.create(resource, head | content)

    async def service(self, name: str = "orders", port: int = 80) -> Object:
        spec = {"ports": [{"name": "http", "port": port}], "selector": {"app": name}}
        return await self.create("Service", name, spec=spec)

    async def server(self, name: str, team: str | None = None, **spec: Any) -> Object:
        """Create a server that selects a team by label, by default its own name."""
        selector = {"matchLabels": {"team": team or name}}
        return await self.create("MCPServer", name, spec={"toolSelector": selector} | spec)

    async def tool(self, name: str, team: str, /, **spec: Any) -> Object:
        service = {"name": "orders", "port": 80, "path": f"/{name}"}
        given = {"name": name, "description": "first", "service": service} | spec
        return await self.create("MCPTool", name, labels={"team": team}, spec=given)

    async def prompt(self, name: str, team: str, /, **spec: Any) -> Object:
        given = {"name": name, "template": "Say {{what}}", "variables": [{"name": "what"}]} | spec
        return await self.create("MCPPrompt", name, labels={"team": team}, spec=given)

    async def resource(self, name: str, team: str, /, **spec: Any) -> Object:
        given = {"name": name, "content": {"uri": f"shop://{name}", "text": "first"}} | spec
        return await self.create("MCPResource", name, labels={"team": team}, spec=given)

    async def patch(self, kind: str, name: str, **change: Any) -> Object:
        """Send a merge patch for an object."""
        return await self.client.merge_patch(KINDS[kind], self.key(name), change)

    async def label(self, kind: str, name: str, team: str | None) -> Object:
        return await self.patch(kind, name, metadata={"labels": {"team": team}})

    async def delete(self, kind: str, name: str) -> None:
        await self.client.delete(KINDS[kind], self.key(name))

    async def get(self, kind: str, name: str) -> Object:
        return await self.client.get(KINDS[kind], self.key(name))

    async def find(self, resource: Resource, name: str) -> Object | None:
        """Return an object of any resource; None if it does not exist."""
        try:
            return await self.client.get(resource, self.key(name))
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def condition(self, kind: str, name: str, type_: str) -> tuple[str, str, str]:
        """Return (status, reason, message) of a condition; empty texts if it does not exist."""
        status = (await self.get(kind, name)).get("status") or {}
        for condition in status.get("conditions") or ():
            if condition["type"] == type_:
                return condition["status"], condition["reason"], condition["message"]
        return "", "", ""

    async def wait_for_reason(self, kind: str, name: str, type_: str, reason: str) -> str:
        """Wait until a condition has a reason, and return its message."""

        async def read() -> str:
            return (await self.condition(kind, name, type_))[1]

        await eventually(read, reason)
        return (await self.condition(kind, name, type_))[2]

    async def events(self, name: str) -> set[str]:
        """Return the reasons of the Events about an object."""
        pages = self.client.list_pages(EVENTS, namespace=self.namespace)
        events = [event async for page in pages for event in page.items]
        return {each["reason"] for each in events if each["regarding"]["name"] == name}

    async def warnings(self) -> list[tuple[str, str]]:
        """Return the object's name and the reason of each warning Event."""
        pages = self.client.list_pages(EVENTS, namespace=self.namespace)
        events = [event async for page in pages for event in page.items]
        return [
            (event["regarding"]["name"], event["reason"])
            for event in events
            if event["type"] == "Warning"
        ]

    async def replicas(self, server: str) -> int:
        """Return the number of pods in the server's status."""
        status = (await self.get("MCPServer", server)).get("status") or {}
        return int(status.get("replicas", 0))

    async def synced(self, server: str) -> int:
        """Return the number of pods in the server's status that have its catalog."""
        status = (await self.get("MCPServer", server)).get("status") or {}
        return int(status.get("syncedReplicas", 0))

    async def pods(self) -> list[Object]:
        """Return every pod of the namespace."""
        pages = self.client.list_pages(PODS, namespace=self.namespace)
        return [pod async for page in pages for pod in page.items]

    async def catalog(self, server: str) -> Catalog | None:
        """Read a server's catalog from its ConfigMaps, as a gateway does.

        Returns:
            The catalog; None if there is none, or between the writes of its shards.
        """
        try:
            first = await self.client.get(CONFIGMAPS, self.key(config_name(server)))
            index = Index.model_validate_json(first["data"][INDEX_KEY])
            rest = [
                await self.client.get(CONFIGMAPS, self.key(config_name(server, number)))
                for number in range(1, len(index.shards))
            ]
        except ApiError as error:
            if error.is_not_found:
                return None
            raise
        shards = [base64.b64decode(shard["binaryData"][SHARD_KEY]) for shard in (first, *rest)]
        with contextlib.suppress(ShardError):
            return decode(index, shards)
        return None

    async def served(self, server: str) -> dict[str, str] | None:
        """Return the tools, prompts and resources in a server's catalog, by name.

        Returns:
            The description of each, or the text of a resource; None without a catalog.
        """
        catalog = await self.catalog(server)
        if catalog is None:
            return None
        entries = {entry.name: entry.description for entry in catalog.tools}
        entries |= {entry.name: entry.description for entry in catalog.prompts}
        return entries | {entry.name: entry.text or "" for entry in catalog.resources}
