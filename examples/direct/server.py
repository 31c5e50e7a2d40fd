"""An MCP server for `mode: Direct`, on the official Python SDK.

It serves the files that the operator mounts at MCP_CONFIG_DIR: it calls the HTTP services behind
tools, reads them again when they change, tells clients, and answers `GET /catalog` with the digest
of what it serves.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import jsonschema
import mcp_types as types
import uvicorn
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

FOLDER = Path(os.environ.get("MCP_CONFIG_DIR", "."))
PORT = int(os.environ.get("PORT", "8081"))
HOST = "0.0.0.0"  # noqa: S104 - a pod is reached at its address
LOOK_SECONDS = 1.0
MAX_WAIT_SECONDS = 30.0

logger = logging.getLogger("server")

Entry = dict[str, Any]

TEXTS = ("name", "title", "description", "icons")
"""What clients show of every entry."""


@dataclass(frozen=True)
class Catalog:
    """The content of the files, and the digest that names it."""

    digest: str = ""
    tools: dict[str, Entry] = field(default_factory=dict)
    prompts: dict[str, Entry] = field(default_factory=dict)
    resources: list[Entry] = field(default_factory=list)


def read_catalog(folder: Path) -> Catalog:
    """Read the files, and check that all of them belong to one catalog.

    Raises:
        OSError: One is missing.
        ValueError: One is not JSON, or of another version than the others: read again.
    """
    manifest = json.loads((folder / "catalog.json").read_bytes())
    lists = {}
    for name, digest in manifest["files"].items():
        content = (folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"{name} is not the one that catalog.json names")
        lists[name] = json.loads(content)
    return Catalog(
        manifest["digest"],
        {tool["name"]: tool for tool in lists["tools.json"]},
        {prompt["name"]: prompt for prompt in lists["prompts.json"]},
        lists["resources.json"],
    )


class Current:
    """The catalog that is served, and who waits for the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = asyncio.Condition()
        self.catalog = Catalog()
        self.bus = InMemorySubscriptionBus()

    async def follow(self) -> None:
        """Read the files whenever they have changed; the last good catalog stays until then."""
        problem = ""
        while True:
            try:
                new = await asyncio.to_thread(read_catalog, self._folder)
            except (OSError, ValueError, KeyError) as error:
                if problem != str(error):
                    logger.warning("the catalog cannot be read, and is tried again: %s", error)
                problem = str(error)
            else:
                problem = ""
                if new.digest != self.catalog.digest:
                    await self._swap(new)
            await asyncio.sleep(LOOK_SECONDS)

    async def _swap(self, new: Catalog) -> None:
        async with self._changed:
            self.catalog = new
            self._changed.notify_all()
        logger.info("serving catalog %s with %d tools", new.digest, len(new.tools))
        for event in (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged()):
            await self.bus.publish(event)

    async def wait_for(self, digest: str, seconds: float) -> None:
        """Wait until the catalog with a digest is served, but not for longer than asked."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self.catalog.digest == digest)
        except TimeoutError:
            pass


def request_of(tool: Entry, arguments: Entry) -> dict[str, Any]:
    """Return the HTTP request of a call: places of the path first, the rest as query or body.

    Raises:
        ValueError: An argument would lead to another path than the tool's.
    """
    rest = dict(arguments)

    def fill(place: re.Match[str]) -> str:
        value = str(rest.pop(place[1], ""))
        if value in ("", ".", ".."):
            raise ValueError(f"{place[1]} cannot be {value!r}: it is a part of the path")
        return quote(value, safe="")

    origin, slash, path = tool["endpoint"].partition("://")[2].partition("/")
    scheme = tool["endpoint"].partition("://")[0]
    url = f"{scheme}://{origin}{slash}{re.sub(r'{([^}]+)}', fill, path)}"
    if tool["method"] in ("GET", "HEAD", "DELETE"):
        return {"method": tool["method"], "url": url, "params": rest}
    return {"method": tool["method"], "url": url, "json": rest}


class Handlers:
    """Answers MCP requests from the current catalog."""

    def __init__(self, current: Current, http: httpx2.AsyncClient) -> None:
        self._current = current
        self._http = http

    async def list_tools(self, _ctx: Any, _params: Any) -> types.ListToolsResult:
        """Answer `tools/list`."""
        keys = (*TEXTS, "inputSchema", "outputSchema", "annotations")
        tools = self._current.catalog.tools.values()
        listed = [_members(tool, *keys) for tool in tools]
        return types.ListToolsResult.model_validate({"tools": listed})

    async def call_tool(
        self, _ctx: Any, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Answer `tools/call`: one request to the service behind the tool."""
        tool = self._current.catalog.tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name}")
        arguments = params.arguments or {}
        try:
            jsonschema.validate(arguments, tool["inputSchema"])
            answer = await self._http.request(**request_of(tool, arguments))
        except jsonschema.ValidationError as error:
            return _told(f"{error.json_path}: {error.message}", is_error=True)
        except (ValueError, httpx2.HTTPError) as error:
            return _told(f"the service cannot be called: {error}", is_error=True)
        structured = None
        if answer.is_success and tool["outputSchema"]:
            try:
                structured = answer.json()
            except ValueError:
                return _told("the service did not answer with JSON", is_error=True)
        return _told(answer.text, is_error=not answer.is_success, structured=structured)

    async def list_prompts(self, _ctx: Any, _params: Any) -> types.ListPromptsResult:
        """Answer `prompts/list`."""
        listed = [
            _members(prompt, *TEXTS)
            | {
                "arguments": [
                    _members(variable, "name", "title", "description", "required")
                    for variable in prompt["variables"]
                ]
            }
            for prompt in self._current.catalog.prompts.values()
        ]
        return types.ListPromptsResult.model_validate({"prompts": listed})

    async def get_prompt(
        self, _ctx: Any, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        """Answer `prompts/get`: the texts with their variables filled in."""
        prompt = self._current.catalog.prompts.get(params.name)
        if prompt is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt {params.name}")
        defaults = {one["name"]: one["default"] for one in prompt["variables"]}
        values = defaults | (params.arguments or {})

        def fill(place: re.Match[str]) -> str:
            return str(values.get(place[1]) or "")

        messages = []
        for message in prompt["messages"]:
            if message["text"] is not None:
                text = re.sub(r"{{\s*(\w+)\s*}}", fill, message["text"])
                content = {"type": "text", "text": text}
            elif message["image"]:
                content = {"type": "image"} | message["image"]
            elif message["audio"]:
                content = {"type": "audio"} | message["audio"]
            else:
                continue  # one that embeds or links a resource: this example leaves it out
            messages.append({"role": message["role"], "content": content})
        return types.GetPromptResult.model_validate({"messages": messages})

    async def list_resources(self, _ctx: Any, _params: Any) -> types.ListResourcesResult:
        """Answer `resources/list`; this example serves what has its content in the files."""
        listed = [
            _members(resource, *TEXTS) | _members(resource["content"], "uri", "mimeType")
            for resource in self._current.catalog.resources
            if resource["content"]
        ]
        return types.ListResourcesResult.model_validate({"resources": listed})

    async def read_resource(
        self, _ctx: Any, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Answer `resources/read`."""
        for resource in self._current.catalog.resources:
            content = resource["content"]
            if content and content["uri"] == str(params.uri):
                given = {key: value for key, value in content.items() if value is not None}
                return types.ReadResourceResult.model_validate({"contents": [given]})
        raise MCPError(types.INVALID_PARAMS, f"there is no resource {params.uri}")


def _members(entry: Entry, *names: str) -> Entry:
    """Return some members of an entry, those that say something."""
    return {name: entry[name] for name in names if entry[name]}


def _told(text: str, *, is_error: bool, structured: Any = None) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        is_error=is_error,
        structured_content=structured,
    )


def application(folder: Path) -> Any:
    """Return the ASGI application: MCP at /mcp, and /catalog for the operator."""
    current = Current(folder)
    http = httpx2.AsyncClient(timeout=30.0)
    handlers = Handlers(current, http)

    @asynccontextmanager
    async def lifespan(_: Server[Any]) -> AsyncIterator[None]:
        following = asyncio.create_task(current.follow())
        yield
        following.cancel()
        await http.aclose()

    async def catalog(request: Request) -> JSONResponse:
        wanted, wait = request.query_params.get("digest"), request.query_params.get("wait", "0")
        if wanted and wait.isdecimal():
            await current.wait_for(wanted, min(float(wait), MAX_WAIT_SECONDS))
        return JSONResponse({"digest": current.catalog.digest})

    async def ready(_: Request) -> JSONResponse:
        loaded = bool(current.catalog.digest)
        return JSONResponse({"loaded": loaded}, status_code=200 if loaded else 503)

    server = Server(
        "direct-example",
        lifespan=lifespan,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
        on_list_resources=handlers.list_resources,
        on_read_resource=handlers.read_resource,
        on_subscriptions_listen=ListenHandler(current.bus),
    )
    return server.streamable_http_app(
        host=HOST,
        stateless_http=True,
        custom_starlette_routes=[Route("/catalog", catalog), Route("/readyz", ready)],
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    uvicorn.run(application(FOLDER), host=HOST, port=PORT, timeout_graceful_shutdown=5)
