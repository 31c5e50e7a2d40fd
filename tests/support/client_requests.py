"""Tools that send requests to clients, and clients that respond, without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import Call, InputRequired, ToolResult
from mcp_operator.gateway.protocol.message import KEEP_ALIVE, HttpRequest, HttpStream
from support.entries import tool
from support.fake_executor import Script, text_result
from support.mcp_http import META, Server, legacy, message_of, modern, post

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"

NAME = {
    "method": "elicitation/create",
    "params": {
        "message": "Who are you?",
        "requestedSchema": {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "required": ["name"],
        },
    },
}
POEM = {
    "method": "sampling/createMessage",
    "params": {
        "messages": [{"role": "user", "content": {"type": "text", "text": "Write a poem."}}],
        "maxTokens": 50,
    },
}
FOLDERS = {"method": "roots/list", "params": {}}

ADA = {"action": "accept", "content": {"name": "Ada"}}
VERSE = {"role": "assistant", "content": {"type": "text", "text": "O rose."}, "model": "m"}
HOME = {"roots": [{"uri": "file:///home", "name": "Home"}]}

FORMS: JsonObject = {"elicitation": {}}
EVERYTHING: JsonObject = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}


def asking(*rounds: InputRequired, last: ToolResult | None = None) -> Script:
    """Return a tool that requests input in rounds, then returns the last responses."""
    states = {one.state: n for n, one in enumerate(rounds)}
    assert len(states) == len(rounds)

    async def script(call: Call) -> ToolResult | InputRequired:
        if not call.input.responses:
            return rounds[0]
        reached = states[call.input.state] + 1
        if reached < len(rounds):
            return rounds[reached]
        return last or text_result(json.dumps(call.input.responses, sort_keys=True))

    return script


def declares(capabilities: JsonObject, **params: Any) -> JsonObject:
    """Return parameters of a 2026-07-28 request of a client with capabilities."""
    return {"_meta": META | {CAPABILITIES: capabilities}, **params}


def call(name: str = "greet", can: JsonObject = FORMS, **params: Any) -> HttpRequest:
    return modern("tools/call", declares(can, name=name, **params))


def said(result: Mapping[str, Any]) -> Any:
    """Return the responses in the result of a tool of `asking`."""
    (block,) = result["content"]
    return json.loads(block["text"])


def greeter(*rounds: InputRequired, **given: Any) -> Server:
    """Return a server with a tool that asks for a name, or for the given input."""
    server = Server(tool("greet"), tool("other"), **given)
    server.executor.results["greet"] = asking(*rounds or (InputRequired({"name": NAME}, "plain"),))
    return server


async def refused(server: Server, **params: Any) -> str:
    """Return the error message for a call whose parameters are refused."""
    _, error = await server.error(call(**params))
    assert error["code"] == -32602
    return str(error["message"])


class RespondingClient:
    """A client of a session that calls a tool, and responds to requests on the call's stream."""

    def __init__(self, server: Server, session: str) -> None:
        self.server = server
        self.session = session
        self._began: asyncio.Future[HttpStream] = asyncio.get_running_loop().create_future()
        self.running: asyncio.Task[Any] | None = None

    @classmethod
    async def connect(
        cls, server: Server, capabilities: JsonObject = EVERYTHING
    ) -> RespondingClient:
        params = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {}}
        answer = await server.respond(legacy("initialize", params))
        return cls(server, answer.headers["mcp-session-id"])

    def another(self) -> RespondingClient:
        """Return the same client for another call."""
        return RespondingClient(self.server, self.session)

    def call(self, name: str = "greet", method: str = "tools/call", **params: Any) -> None:
        """Start a call."""
        request = legacy(method, {"name": name, **params}, mcp_session_id=self.session)
        begun = replace(request, begin=self._began.set_result)
        self.running = asyncio.create_task(self.server.endpoint.handle(begun))

    async def next(self) -> JsonObject:
        """Return the next message on the stream of the call."""
        stream = await self._began
        while True:
            frame = await anext(aiter(stream.frames))
            if frame != KEEP_ALIVE:
                return message_of(frame)

    async def answer(
        self, request_id: Any, result: Any, session: str = "", at: Server | None = None
    ) -> None:
        """Respond to a request.

        Args:
            request_id: The id of the request.
            result: The response.
            session: The session of the response; by default, the client's own.
            at: The replica that gets the response; by default, the one that was called.
        """
        await self.post({"jsonrpc": "2.0", "id": request_id, "result": result}, session, at)

    async def post(self, message: JsonObject, session: str = "", at: Server | None = None) -> None:
        request = post(message, mcp_session_id=session or self.session)
        answer = await (at or self.server).respond(request)
        assert answer.status == 202

    async def result(self) -> JsonObject:
        """Return the result of the call, which must be the next message on the stream."""
        message = await self.next()
        result: JsonObject = message["result"]
        return result

    async def leave(self) -> None:
        """Disconnect while the call runs."""
        assert self.running is not None
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
