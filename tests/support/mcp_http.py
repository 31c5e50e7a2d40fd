"""Requests of both protocol generations and their responses, for tests without sockets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from mcp_operator.api.catalog import JsonObject, PromptEntry, ResourceEntry, ToolEntry, digest
from mcp_operator.core.clock import Clock
from mcp_operator.gateway.limits.errors import Limit
from mcp_operator.gateway.policy.guard import Guard
from mcp_operator.gateway.policy.sources import FetchJwks, KeySecrets
from mcp_operator.gateway.protocol.endpoint import Endpoint
from mcp_operator.gateway.protocol.message import (
    KEEP_ALIVE,
    HttpRequest,
    HttpResponse,
    HttpStream,
)
from mcp_operator.gateway.protocol.observer import Authenticated, Outcome, TaskEvent, ToolOutcome
from mcp_operator.gateway.protocol.origin import OriginPolicy
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.redis.contract import HasLink
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Current, Table
from support.entries import catalog
from support.fake_executor import FakeExecutor

MODERN = "2026-07-28"
JSON_HEADERS = {
    "host": "shop.demo:8080",
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}
META: JsonObject = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_NAMED_BY = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}


def table(*entries: ToolEntry | PromptEntry | ResourceEntry, **settings: Any) -> Table:
    """Return the table of a catalog; `settings` are fields of its server."""
    compiled = catalog(*entries, **{"uid": "uid-1", **settings})
    return Table(compiled, digest(compiled.canonical()))


def post(message: object, **headers: str) -> HttpRequest:
    """Return a POST of any JSON value; in header names, `_` means `-`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return HttpRequest("POST", JSON_HEADERS | given, frozenset(), body)


def modern(
    method: str, params: JsonObject | None = None, request_id: object = 1, **headers: str
) -> HttpRequest:
    """Return a well-formed 2026-07-28 request."""
    params = {"_meta": META, **(params or {})}
    routing = {"mcp_protocol_version": MODERN, "mcp_method": method}
    if method in _NAMED_BY and isinstance(params.get(_NAMED_BY[method]), str):
        routing["mcp_name"] = params[_NAMED_BY[method]]
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return post(message, **routing | headers)


def legacy(
    method: str, params: JsonObject | None = None, request_id: object = 1, **headers: str
) -> HttpRequest:
    """Return a request of the revisions with sessions."""
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}
    return post(message, **headers)


def of_session(method: str, session: str) -> HttpRequest:
    """Return a request of a session without a body: GET opens its stream, DELETE ends it."""
    return HttpRequest(method, JSON_HEADERS | {"mcp-session-id": session})


def notification(method: str, params: JsonObject | None = None, **headers: str) -> HttpRequest:
    return post({"jsonrpc": "2.0", "method": method, "params": params or {}}, **headers)


@dataclass
class RecordingObserver:
    """Records the observations."""

    requests: list[tuple[str, Era, Outcome]] = field(default_factory=list)
    tools: list[tuple[str, ToolOutcome]] = field(default_factory=list)
    authentications: list[Authenticated] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tasks: list[TaskEvent] = field(default_factory=list)

    def request(self, method: str, era: Era, outcome: Outcome, seconds: float) -> None:
        assert seconds >= 0
        self.seconds.append(seconds)
        self.requests.append((method, era, outcome))

    def authentication(self, outcome: Authenticated) -> None:
        self.authentications.append(outcome)

    def limited(self, limit: Limit) -> None:
        self.limits.append(limit)

    def tool(self, name: str, outcome: ToolOutcome, seconds: float) -> None:
        assert seconds >= 0
        self.tools.append((name, outcome))

    def task(self, event: TaskEvent, seconds: float | None = None) -> None:
        assert (seconds is None) == (event == "created")
        self.tasks.append(event)


class Server:
    """An endpoint with a fake executor."""

    def __init__(
        self,
        *entries: ToolEntry | PromptEntry | ResourceEntry,
        policy: OriginPolicy | None = None,
        secrets: KeySecrets | None = None,
        fetch: FetchJwks | None = None,
        clock: Clock | None = None,
        root: RootKey | None = None,
        redis_link: HasLink | None = None,
        **settings: Any,
    ) -> None:
        self.executor = FakeExecutor()
        self.observer = RecordingObserver()
        self.current = Current()
        self.current.swap(table(*entries, **settings))
        self.endpoint = Endpoint(
            self.current,
            self.executor,
            policy=policy or OriginPolicy(),
            observer=self.observer,
            guard=Guard(self.current, secrets=secrets, fetch=fetch, clock=clock),
            clock=clock,
            root=root,
            redis=redis_link,
        )

    async def respond(self, request: HttpRequest) -> HttpResponse:
        answer = await self.endpoint.handle(request)
        assert isinstance(answer, HttpResponse)
        return answer

    async def stream(self, request: HttpRequest) -> HttpStream:
        answer = await self.endpoint.handle(request)
        assert isinstance(answer, HttpStream), answer
        return answer

    async def exchange(self, request: HttpRequest) -> list[JsonObject]:
        """Return every message of a response; several if it is a stream; `{}` is a keep-alive."""
        begun: list[asyncio.Task[list[JsonObject]]] = []
        request.begin = lambda stream: begun.append(asyncio.create_task(_messages(stream)))
        answer = await self.endpoint.handle(request)
        if begun:
            assert isinstance(answer, HttpStream)
            return await begun[0]
        assert isinstance(answer, HttpResponse)
        return [json.loads(answer.body)]

    async def result(self, request: HttpRequest) -> JsonObject:
        """Return the result of a request that succeeds."""
        answer = await self.respond(request)
        body = json.loads(answer.body)
        assert answer.status == 200, body
        assert "result" in body, body
        result: JsonObject = body["result"]
        return result

    async def error(self, request: HttpRequest) -> tuple[int, JsonObject]:
        """Return the HTTP status and the error of a request that fails."""
        answer = await self.respond(request)
        error: JsonObject = json.loads(answer.body)["error"]
        return answer.status, error

    async def initialize(self, version: str = "2025-11-25") -> str:
        """Open a legacy session and return its id."""
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {}}
        answer = await self.respond(legacy("initialize", params))
        assert answer.status == 200, answer.body
        return answer.headers["mcp-session-id"]


async def _messages(stream: HttpStream) -> list[JsonObject]:
    messages = [{} if one == KEEP_ALIVE else message_of(one) async for one in stream.frames]
    await stream.frames.aclose()
    return messages


def message_of(frame: bytes) -> JsonObject:
    """Return the message of one server-sent event."""
    prefix, suffix = b"event: message\ndata: ", b"\n\n"
    assert frame.startswith(prefix)
    assert frame.endswith(suffix)
    decoded: JsonObject = json.loads(frame.removeprefix(prefix))
    return decoded
