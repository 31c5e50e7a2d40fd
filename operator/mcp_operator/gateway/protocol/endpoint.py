"""The MCP endpoint: one URL for both eras; takes a request and returns a response."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, TypeVar

from mcp_operator.api.catalog import Auth
from mcp_operator.core.clock import Clock, SystemClock
from mcp_operator.gateway.contract import Executor
from mcp_operator.gateway.policy.challenge import (
    base_url,
    challenge_headers,
    metadata,
    metadata_path,
)
from mcp_operator.gateway.policy.guard import Guard, credential_header
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.protocol import jsonrpc, spec
from mcp_operator.gateway.protocol.channel import accepts_events
from mcp_operator.gateway.protocol.core import Core
from mcp_operator.gateway.protocol.envelope import claims_modern, names_modern
from mcp_operator.gateway.protocol.jsonrpc import RequestId, RpcError
from mcp_operator.gateway.protocol.legacy import Legacy
from mcp_operator.gateway.protocol.message import (
    EVENT_STREAM,
    JSON,
    HttpRequest,
    HttpResponse,
    HttpStream,
    frame,
)
from mcp_operator.gateway.protocol.modern import Modern
from mcp_operator.gateway.protocol.observer import Observer
from mcp_operator.gateway.protocol.origin import OriginPolicy
from mcp_operator.gateway.protocol.tracer import Tracer
from mcp_operator.gateway.redis.contract import HasLink
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.worker import off_loop

_Answer = TypeVar("_Answer", HttpResponse, HttpStream, HttpResponse | HttpStream)

_JSON_RANGES: Final = ("application/json", "application/*", "*/*")

KNOWN_VALUES: Final = 64
"""Cached checks of the values of one header, of up to 8 KiB each."""


class Endpoint:
    """Serves the table and the settings that `current` holds."""

    def __init__(
        self,
        current: Current,
        executor: Executor,
        *,
        policy: OriginPolicy,
        observer: Observer,
        guard: Guard | None = None,
        clock: Clock | None = None,
        root: RootKey | None = None,
        redis: HasLink | None = None,
        alone: bool = True,
        tracer: Tracer | None = None,
    ) -> None:
        """Set up an endpoint.

        Args:
            current: Holds the table in service.
            executor: Calls tools and reads resources.
            policy: The hosts and origins that are served.
            observer: Records every MCP request.
            guard: Authenticates clients. Without a guard, a server that requires authentication
                serves nobody.
            clock: For the expiry of sessions.
            root: The key that all replicas share. Without it, sessions and request states work in
                this process only.
            redis: The state that the gateways of the server share, if the server has a Redis.
            alone: Whether no other process accepts requests on the same port.
            tracer: Records every MCP request; None turns traces off.
        """
        clock = clock or SystemClock()
        self._auth = current.server.auth
        # Subscribe before the streams do: streams that end must not get events by the new rules.
        current.subscribe(lambda _: self._follow_auth())
        self._core = Core(current, executor, observer, clock, redis, alone=alone, tracer=tracer)
        self._current = current
        self._policy = policy
        self._observer = observer
        self._guard = guard or Guard(current)
        root = root or RootKey.of_this_process()
        self._modern = Modern(self._core, clock, root)
        self._legacy = Legacy(self._core, clock, root, redis)

    @property
    def open_streams(self) -> int:
        """The number of open event streams."""
        return self._core.hub.open_streams

    @property
    def in_flight(self) -> int:
        """The number of requests that wait for backends."""
        return self._core.gate.busy

    @property
    def asking(self) -> int:
        """The number of calls that wait for input from their clients."""
        return self._legacy.asking

    @property
    def tasks_in_progress(self) -> int:
        """The number of tasks that this gateway works on now."""
        return self._core.tasks.runner.busy

    def _follow_auth(self) -> None:
        """End all streams if `auth` changes, so that their clients must authenticate again."""
        auth = self._current.server.auth
        if auth != self._auth:
            self._auth = auth
            self._legacy.forget_subscriptions()
            self._core.hub.end_all()

    def start(self) -> None:
        """Start to take over tasks that other gateways of the server have left."""
        self._core.tasks.start()

    def close_streams(self) -> None:
        """End every event stream as MCP requires, open no new ones, and stop asking clients."""
        self._legacy.stop_asking()
        self._core.hub.close()
        self._core.tasks.runner.drain()

    async def close(self) -> None:
        """Stop background work."""
        await self._core.tasks.close()
        await self._legacy.close()
        await self._core.poller.close()

    async def idle(self) -> None:
        """Wait until no request waits for a backend, including those of disconnected clients."""
        await self._core.gate.idle()

    async def handle(self, http: HttpRequest) -> HttpResponse | HttpStream:
        """Serve one HTTP request.

        If the client disconnects, cancel the awaiting task. The caller must close the stream that
        is returned, and a stream that began earlier.
        """
        answer: HttpResponse | HttpStream
        self._prepare_stream(http)
        try:
            admitted = await self._admitted(http)
            if admitted is not http:
                self._observer.authentication("ok")
            post = admitted.method == "POST"
            answer = await (self._post(admitted) if post else self._other(admitted))
        except RpcError as error:
            answer = jsonrpc.failure(None, error)
        except Refusal as refusal:
            answer = self._refusal(http, refusal)
        return self._with_cors(http, answer)

    async def refused(self, http: HttpRequest) -> HttpResponse | None:
        """Return the response to a request that is refused before its body is read.

        `handle` checks again, because a body can take long to arrive.
        """
        try:
            await self._admitted(http)
        except RpcError as error:
            return self._with_cors(http, jsonrpc.failure(None, error))
        except Refusal as refusal:
            return self._with_cors(http, self._refusal(http, refusal))
        return None

    def metadata(self, http: HttpRequest) -> HttpResponse | None:
        """Return the metadata of RFC 9728, or None if the path is not a metadata path.

        Clients need it before they can authenticate, so it needs no credentials.
        """
        server = self._current.server
        path = metadata_path(http.path, server.paths)
        if path is None or server.auth is None or server.auth.jwt is None:
            return None
        try:
            self._policy.check(http)
        except RpcError as error:
            return jsonrpc.failure(None, error)
        if http.method == "OPTIONS":  # for pages that send MCP-Protocol-Version, as MCP requires
            return HttpResponse(204, headers=self._policy.preflight_headers(http))
        if http.method not in ("GET", "HEAD"):
            return _not_allowed("GET, HEAD")
        document = metadata(server, server.auth.jwt, path, _base(http))
        answer = HttpResponse(200, jsonrpc.encode(document), {**JSON, "cache-control": "no-store"})
        return self._with_cors(http, answer)

    async def _admitted(self, http: HttpRequest) -> HttpRequest:
        """Return a request with the client that sent it, and without its credentials.

        Raises:
            RpcError: Its `Host` or `Origin` is not allowed, or its content type is not accepted.
            Refusal: The client is refused.
        """
        self._policy.check(http)
        if http.method == "OPTIONS":
            return http  # browsers send preflights without credentials (Fetch, section 3.3.5)
        try:
            principal = await self._guard.admit(http.headers, http.repeated, http.address)
        except Refusal as refusal:
            self._observer.authentication(refusal.why)
            self._core.audit.refusal(refusal.why)
            raise
        if http.method == "POST":
            _check_content(http)
        auth = self._current.server.auth
        return http if auth is None else http.admitted(principal, credential_header(auth))

    def _refusal(
        self, http: HttpRequest, refusal: Refusal, request_id: RequestId | None = None
    ) -> HttpResponse:
        auth = self._current.server.auth or Auth()
        error = RpcError(
            spec.REFUSED, str(refusal), status=refusal.status, retry_after=refusal.retry_after
        )
        answer = jsonrpc.failure(request_id, error)
        path = http.path.rstrip("/") or "/"
        challenge = challenge_headers(auth, refusal, path, _base(http))
        return replace(answer, headers={**answer.headers, **challenge})

    def _prepare_stream(self, http: HttpRequest) -> None:
        """Make sure that a stream which begins early has CORS headers, like other responses."""
        begin = http.begin
        if begin is not None and "origin" in http.headers:
            http.begin = lambda stream: begin(self._with_cors(http, stream))

    def _with_cors(self, http: HttpRequest, answer: _Answer) -> _Answer:
        cors = self._policy.response_headers(http)
        return replace(answer, headers={**answer.headers, **cors}) if cors else answer

    async def _other(self, http: HttpRequest) -> HttpResponse | HttpStream:
        match http.method:
            case "GET" | "DELETE" if names_modern(http):
                return _not_allowed("POST")
            case "GET":
                return await self._legacy.get(http)
            case "DELETE":
                return await self._legacy.delete(http)
            case "OPTIONS":
                return HttpResponse(204, headers=self._policy.preflight_headers(http))
            case _:
                return _not_allowed("POST, GET, DELETE")

    async def _post(self, http: HttpRequest) -> HttpResponse | HttpStream:
        raw = await off_loop(len(http.body), jsonrpc.decode, http.body)
        try:
            return await self._message(http, raw)
        except RpcError as error:
            return jsonrpc.failure(jsonrpc.id_of(raw), error)
        except Refusal as refusal:
            return self._refusal(http, refusal, jsonrpc.id_of(raw))

    async def _message(self, http: HttpRequest, raw: Any) -> HttpResponse | HttpStream:
        modern = claims_modern(http, raw)
        listening = modern and isinstance(raw, dict) and raw.get("method") == "subscriptions/listen"
        accept = http.headers.get("accept", "*/*")
        takes_json = _takes_json(accept)
        if not (listening or takes_json or accepts_events(accept)):
            problem = "Responses are application/json or text/event-stream; accept both"
            raise RpcError(spec.REFUSED, problem, status=406)
        answer = await (self._modern if modern else self._legacy).post(http, raw)
        return answer if takes_json else _as_event(answer)


def _check_content(http: HttpRequest) -> None:
    """Check the headers that describe the body.

    Raises:
        RpcError: 415.
    """
    # Because JSON is required, a page of another origin cannot post without a preflight.
    if not _is_json(http.headers.get("content-type", "")):
        problem = "Send `Content-Type: application/json`"
        raise RpcError(spec.REFUSED, problem, status=415)
    # A small compressed body can decompress to a large one, and MCP clients do not compress.
    if http.headers.get("content-encoding", "identity").lower() != "identity":
        problem = "Send the body without Content-Encoding"
        raise RpcError(spec.REFUSED, problem, status=415)


@lru_cache(maxsize=KNOWN_VALUES)
def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


@lru_cache(maxsize=KNOWN_VALUES)
def _takes_json(accept: str) -> bool:
    return any(kind in accept.lower() for kind in _JSON_RANGES)


def _as_event(answer: HttpResponse | HttpStream) -> HttpResponse | HttpStream:
    """Return a response as a stream of one event, for a client that accepts only streams.

    A response with a status other than 200 stays as it is, because it rejects the HTTP request.
    """
    if isinstance(answer, HttpStream) or answer.status != HTTPStatus.OK:
        return answer
    headers = {**answer.headers, **EVENT_STREAM}
    return HttpResponse(answer.status, frame(answer.body), headers)


def _base(http: HttpRequest) -> str:
    return base_url(http.scheme, http.headers.get("host", ""))


def _not_allowed(allowed: str) -> HttpResponse:
    return HttpResponse(405, headers={"allow": allowed})
