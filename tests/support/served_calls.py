"""Custom resources that a real gateway serves, with a real backend."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.validation import problems
from mcp_operator.builders.compile_resource import compile_resource
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.builders.compiled import Compiled
from mcp_operator.gateway.table import Table
from support import manifests
from support.compiled import facts, resource, tool
from support.mcp_http import modern, table
from support.whole_gateway import before_backend

NOT_ECHOED = frozenset({"host", "user-agent", "accept", "accept-encoding", "content-length"})


@dataclass(frozen=True)
class Said:
    """A response of the backend."""

    body: bytes | str = b""
    content_type: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Backend:
    """Sends the response for a path; for any other path, returns the request as JSON."""

    def __init__(self, answers: Mapping[str, Said]) -> None:
        self._answers = answers

    async def answer(self, request: web.BaseRequest) -> web.Response:
        said = self._answers.get(request.path)
        if said is None:
            return web.json_response(await _echo(request))
        headers = [
            *said.headers,
            *([("Content-Type", said.content_type)] * bool(said.content_type)),
        ]
        body = said.body.encode() if isinstance(said.body, str) else said.body
        return web.Response(status=said.status, headers=headers, body=body)


async def _echo(request: web.BaseRequest) -> JsonObject:
    body = (await request.read()).decode("utf-8", "backslashreplace")
    headers = {
        name.lower(): value
        for name, value in request.headers.items()
        if name.lower() not in NOT_ECHOED
    }
    return {"request": f"{request.method} {request.raw_path}", "headers": headers, "body": body}


class Served:
    """A gateway, and a client that sends MCP messages directly."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url = url
        self.client = client
        self.own_headers = ["host"]
        """Headers that a request has only if a test gives them."""

    async def ask(self, method: str, /, *more: tuple[str, str], **params: Any) -> JsonObject:
        """Send a request with additional header lines; return its result or error."""
        asked = modern(method, params)
        headers = [(name, value) for name, value in asked.headers.items()]
        headers = [one for one in headers if one[0] not in self.own_headers]
        async with self.client.post(self.url, data=asked.body, headers=[*headers, *more]) as answer:
            message = await answer.json()
        told: JsonObject = message["result"] if "result" in message else message["error"]
        return told

    async def call(
        self, name: str, arguments: JsonObject | None = None, *more: tuple[str, str]
    ) -> JsonObject:
        return await self.ask("tools/call", *more, name=name, arguments=arguments or {})

    async def request_of(self, name: str, arguments: JsonObject) -> JsonObject:
        """Call a tool, and return the request that its backend received."""
        result = await self.call(name, arguments)
        assert not result.get("isError"), result["content"]
        told: JsonObject = json.loads(result["content"][0]["text"])
        return told


def _table(tools: tuple[JsonObject, ...], operations: tuple[JsonObject, ...]) -> Table:
    compiled: list[Compiled] = []
    if tools:
        assert problems(manifests.tools(*tools)) == []
        compiled.append(compile_tool(tool(tools=list(tools)), facts()))
    if operations:
        assert problems(manifests.resource(operations=list(operations))) == []
        compiled.append(compile_resource(resource(operations=list(operations)), facts()))
    assert [one.message for each in compiled for one in each.findings if one.blocking] == []
    return table(*(entry for each in compiled for entry in each.entries))


@asynccontextmanager
async def serving(
    *tools: JsonObject,
    operations: tuple[JsonObject, ...] = (),
    answers: Mapping[str, Said] | None = None,
) -> AsyncIterator[Served]:
    """Serve entries of an MCPTool and operations of an MCPResource, all of the Service `orders`."""
    entries = await asyncio.to_thread(_table, tools, operations)
    async with (
        before_backend(entries, Backend(answers or {}).answer) as url,
        aiohttp.ClientSession() as client,
    ):
        yield Served(url, client)
