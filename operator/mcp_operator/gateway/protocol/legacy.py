"""The revisions 2024-11-05 to 2025-11-25: an `initialize` handshake and sessions.

In these revisions, a disconnect does not cancel a request; `notifications/cancelled` does. One
process holds the state of a session other than its id: its open stream and its requests. With a
Redis, all processes of the server learn when a session ends, what it subscribes to, and what it
cancels.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from weakref import WeakValueDictionary

from mcp_operator.core.clock import Clock
from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.protocol import capabilities, jsonrpc, spec
from mcp_operator.gateway.protocol.asking import Asking
from mcp_operator.gateway.protocol.channel import Channel
from mcp_operator.gateway.protocol.core import Core, outcome_of
from mcp_operator.gateway.protocol.jsonrpc import (
    Message,
    Notification,
    Request,
    RpcError,
)
from mcp_operator.gateway.protocol.log_levels import SessionLevels, checked_level
from mcp_operator.gateway.protocol.message import HttpRequest, HttpResponse, HttpStream
from mcp_operator.gateway.protocol.older import older_result
from mcp_operator.gateway.protocol.operations import Context, find_resource
from mcp_operator.gateway.protocol.relay import Relay
from mcp_operator.gateway.protocol.running import Running
from mcp_operator.gateway.protocol.sessions import NoKeyError, Session, Sessions
from mcp_operator.gateway.protocol.shared_sessions import SessionState, SharedSessions
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.protocol.subscribed import Subscribed
from mcp_operator.gateway.protocol.subscriptions import Event, Subscription, Wants
from mcp_operator.gateway.protocol.view import View
from mcp_operator.gateway.redis.contract import HasLink
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.shares import Shares

MAX_BATCH: Final = 50
"""Messages in one batch, which are processed one after the other."""

MAX_ABANDONED: Final = 64 * 1024 * 1024
"""Bytes of bodies whose requests continue after a disconnect; further requests are cancelled."""

FOLLOW_SECONDS: Final = 1.0
"""How soon a stream learns what its session has subscribed to at another gateway."""


class Legacy:
    """Serves clients that initialize a session."""

    def __init__(
        self, core: Core, clock: Clock, root: RootKey, redis: HasLink | None = None
    ) -> None:
        self._core = core
        self._sessions = Sessions(clock, root)
        self._shared = SharedSessions(redis)
        self._tasks = TaskSet()
        self._running = Running(redis)
        self._streams: WeakValueDictionary[str, Subscription] = WeakValueDictionary()
        self._subscribed = Subscribed()
        self._levels = SessionLevels()
        self._asking = Asking(Relay(redis, root))
        self._abandoned = Shares(MAX_ABANDONED)

    async def post(self, http: HttpRequest, raw: Any) -> HttpResponse | HttpStream:
        """Respond to a POST with the given decoded body."""
        if isinstance(raw, list):
            return await self._batch(http, raw)
        message = jsonrpc.parse(raw)
        request_id = message.id if isinstance(message, Request) else None
        try:
            if isinstance(message, Request) and message.method == "initialize":
                return self._initialize(http, message)
            session = await self._session(http)
        except RpcError as error:
            return jsonrpc.failure(request_id, error)
        return await self._serve(session, http, message) or HttpResponse(202)

    async def get(self, http: HttpRequest) -> HttpStream:
        """Open the stream of notifications of a session.

        A session has only one stream, so that each notification is sent only once. A second stream
        ends the first, which the client could have lost without the gateway noticing.

        Raises:
            RpcError: The session does not exist, or there are too many streams.
        """
        session = await self._session(http)
        if not any(kind in http.headers.get("accept", "*/*") for kind in ("event-stream", "*/*")):
            raise RpcError(spec.REFUSED, "Accept text/event-stream to open a stream", status=406)
        await self._learn(session.id, http.client)
        uris = self._subscribed.open(session.id, http.client)
        stream = self._core.hub.open(
            Wants(tools=True, prompts=True, resources=True, uris=uris),
            _plain,
            client=http.client,
            principal=http.principal,
            until=self._core.stream_end(http.principal),
            headers=self._core.poller.forwarded(http.headers),
        )
        self._core.poller.wake()
        self._end_stream(session)
        self._streams[session.id] = stream
        if not self._tasks:
            self._tasks.start("follow subscriptions", self._follow())
        return HttpStream(stream)

    async def delete(self, http: HttpRequest) -> HttpResponse:
        """End a session.

        Raises:
            RpcError: The session does not exist.
        """
        session = await self._session(http)
        self._sessions.end(session)
        await self._shared.end(session.id, self._core.server.session_ttl_seconds)
        self._end_stream(session)
        self._subscribed.forget(session.id)
        self._levels.forget(session.id)
        self._asking.end(session.id)
        return HttpResponse(204)

    @property
    def asking(self) -> int:
        """The number of calls that wait for input from their clients."""
        return self._asking.waiting

    def stop_asking(self) -> None:
        """Fail every call that waits for its client, and stop asking."""
        self._asking.stop()

    def forget_subscriptions(self) -> None:
        """Forget all subscriptions, because the rules that allowed them have changed."""
        self._subscribed.clear()

    async def close(self) -> None:
        """Stop background work."""
        await self._tasks.close()
        await self._running.close()
        await self._asking.close()

    async def _follow(self) -> None:
        """While there are streams, learn what their sessions subscribe to elsewhere."""
        while self._streams:
            await asyncio.sleep(FOLLOW_SECONDS)
            clients = {session: stream.client for session, stream in self._streams.items()}
            changed, missed = await self._shared.changed(clients.keys())
            for session in changed:
                await self._learn(session, clients[session], missed=missed)

    async def _learn(self, session: str, client: str, *, missed: bool = False) -> None:
        """Load what a session subscribed to elsewhere; write to Redis what Redis missed."""
        told = await self._shared.subscribed(session, self._rules())
        if told is None:
            return
        for uri in self._subscribed.open(session, client) - told:
            if missed:
                await self._shared.note(session, self._rules(), uri, subscribed=True)
            else:
                self._subscribed.discard(session, uri)
        with suppress(RpcError):  # the limit of subscriptions is reached
            for uri in told:
                self._subscribed.add(session, client, uri)

    def _rules(self) -> str:
        """Return a digest of the rules that decide what clients can subscribe to."""
        auth = self._core.server.auth
        return hashlib.sha256(auth.canonical_json.encode()).hexdigest()[:16] if auth else ""

    def _end_stream(self, session: Session) -> None:
        stream = self._streams.pop(session.id, None)
        if stream is not None:
            stream.end()

    def _initialize(self, http: HttpRequest, request: Request) -> HttpResponse:
        with self._core.span(Era.LEGACY, http, request) as span:
            asked = request.params.get("protocolVersion")
            if not isinstance(asked, str):
                raise RpcError(spec.INVALID_PARAMS, "`params.protocolVersion` must be a string")
            version = asked if asked in spec.LEGACY_VERSIONS else spec.LEGACY_VERSIONS[0]
            view = self._core.view(Era.LEGACY, http.principal, version)
            try:
                can = capabilities.declared(request.params.get("capabilities"))
                session = self._sessions.create(version, http.principal, can)
            except NoKeyError:
                raise _no_sessions() from None
            response = jsonrpc.ok(jsonrpc.result(request.id, view.initialized()))
            span.outcome = "ok"
            headers = {**response.headers, spec.SESSION_HEADER: session.id}
            return HttpResponse(response.status, response.body, headers)

    async def _session(self, http: HttpRequest) -> Session:
        """Return the session that a request belongs to.

        Raises:
            RpcError: 400 if the request names no session. 404 if the session is unknown or has
                ended; the client then initializes again. 503 if sessions cannot be verified.
        """
        session_id = http.headers.get(spec.SESSION_HEADER)
        if session_id is None or spec.SESSION_HEADER in http.repeated:
            problem = (
                "Missing Mcp-Session-Id. Send `initialize`, then repeat the returned ID on every "
                "request"
            )
            raise RpcError(spec.REFUSED, problem, status=400)
        settings = self._core.view(Era.LEGACY, http.principal).table.catalog.server
        try:
            session = self._sessions.find(session_id, settings.session_ttl_seconds, http.principal)
        except NoKeyError:
            raise _no_sessions() from None
        state = await self._shared.state(session.id) if session else SessionState(ended=True)
        if session is None or state.ended:
            raise RpcError(
                spec.REFUSED,
                "The session is unknown or has expired. Send `initialize` again",
                status=404,
            )
        if state.level is not None:
            self._levels.set(session.id, state.level)
        return session

    async def _batch(self, http: HttpRequest, raw: list[Any]) -> HttpResponse:
        session = await self._session(http)
        if session.version != spec.BATCHING_VERSION:
            problem = f"Only MCP {spec.BATCHING_VERSION} has batches; send one message per request"
            raise RpcError(spec.INVALID_REQUEST, problem, status=400)
        if not 0 < len(raw) <= MAX_BATCH:
            problem = f"A batch must have 1 to {MAX_BATCH} messages"
            raise RpcError(spec.INVALID_REQUEST, problem, status=400)
        whole = replace(http, begin=None)
        answers = []
        for item in raw:
            request_id = None
            try:
                message = jsonrpc.parse(item)
                request_id = message.id if isinstance(message, Request) else None
                answer = await self._serve(session, whole, message)
            except RpcError as error:
                answer = jsonrpc.failure(request_id, error)
            except Refusal as refusal:  # only this message fails: earlier ones may have made calls
                answer = jsonrpc.failure(request_id, RpcError(spec.REFUSED, str(refusal)))
            if isinstance(answer, HttpResponse):
                answers.append(answer.body)
        return jsonrpc.ok(b"[" + b",".join(answers) + b"]") if answers else HttpResponse(202)

    async def _serve(
        self, session: Session, http: HttpRequest, message: Message
    ) -> HttpResponse | HttpStream | None:
        """Respond to a message; None if it must not be answered."""
        if isinstance(message, Notification):
            if message.method == "notifications/cancelled":
                await self._running.cancel(session.id, message.params.get("requestId"))
            return None
        if not isinstance(message, Request):
            await self._asking.posted(session.id, message, len(http.body))
            return None
        if not self._core.is_operation(message.method):
            return await self._answer(session, http, message)
        channel = Channel(http, message, self._core.patience, self._levels.of(session.id))
        return await channel.answered(self._operate(session, http, message, channel))

    async def _operate(
        self, session: Session, http: HttpRequest, request: Request, channel: Channel
    ) -> HttpResponse:
        """Respond to a request that can wait for a backend and that outlives a disconnect."""
        work = self._operated(session, http, request, channel)
        task = self._running.start(session.id, request.id, work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                self._asking.hang_up(channel)
                self._abandon(task, http)
                raise
            raise RpcError(spec.CANCELLED, "The client cancelled this request") from None

    def _abandon(self, task: asyncio.Task[HttpResponse], http: HttpRequest) -> None:
        """Let the request of a disconnected client continue, if the memory limit allows it."""
        client, size = http.client, len(http.body)
        if self._abandoned.take(client, size):
            task.add_done_callback(lambda _: self._abandoned.give_back(client, size))
        else:
            task.cancel()

    async def _operated(
        self, session: Session, http: HttpRequest, request: Request, channel: Channel
    ) -> HttpResponse:
        with self._core.span(Era.LEGACY, http, request, session.version) as span:
            view = self._core.view(Era.LEGACY, http.principal, session.version)
            can = capabilities.written(session.capabilities)
            context = Context(view, http, request.params, channel, can, trace=span.handed_on)
            result = await self._asking.result(self._core, span, session, context)
            result = older_result(result, session.version)
            span.outcome = outcome_of(result)
            body = jsonrpc.encode(result)
            span.response_bytes = len(body)
            return jsonrpc.ok(jsonrpc.result(request.id, body))

    async def _answer(self, session: Session, http: HttpRequest, request: Request) -> HttpResponse:
        """Respond to a request from memory."""
        try:
            with self._core.span(Era.LEGACY, http, request, session.version) as span:
                view = self._core.view(Era.LEGACY, http.principal, session.version)
                listing = view.lists.get(request.method)
                if listing is not None:
                    body = listing.page(request.params.get("cursor"))
                else:
                    await self._obey(view, session, request, http)
                    body = b"{}"
                span.outcome = "ok"
                return jsonrpc.ok(jsonrpc.result(request.id, body))
        except RpcError as error:
            return jsonrpc.failure(request.id, error)

    async def _obey(
        self, view: View, session: Session, request: Request, http: HttpRequest
    ) -> None:
        """Handle a request whose result is empty."""
        match request.method:
            case "ping":
                pass
            case "logging/setLevel":
                level = checked_level(request.params.get("level"))
                self._levels.set(session.id, level)
                await self._shared.set_level(
                    session.id, level, self._core.server.session_ttl_seconds
                )
            case "resources/subscribe" | "resources/unsubscribe":
                await self._subscribe(view, session, request, http)
            case method:
                raise RpcError(spec.METHOD_NOT_FOUND, f"Method not found: {method}")

    async def _subscribe(
        self, view: View, session: Session, request: Request, http: HttpRequest
    ) -> None:
        uri = request.params.get("uri")
        if not isinstance(uri, str):
            raise RpcError(spec.INVALID_PARAMS, "`params.uri` must be a string")
        if request.method == "resources/unsubscribe":
            self._subscribed.discard(session.id, uri)
            await self._shared.note(session.id, self._rules(), uri, subscribed=False)
            return
        find_resource(view, http.principal, uri)
        self._subscribed.add(session.id, http.client, uri)
        await self._shared.note(session.id, self._rules(), uri, subscribed=True)


def _no_sessions() -> RpcError:
    """Return the error for clients of a server without a key; other clients are not affected."""
    problem = (
        "This server has no key for sessions now. Try again later, or use the protocol version "
        f"{spec.MODERN_VERSIONS[0]}, which needs no sessions. The server's log says why"
    )
    return RpcError(spec.REFUSED, problem, status=503)


def _plain(event: Event) -> bytes:
    return jsonrpc.notification(event.method, event.params() or None)
