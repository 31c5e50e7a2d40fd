"""The MCP endpoint: one URL for both eras, a request value in, a response value out."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mcp_operator.core.clock import Clock, SystemClock
from mcp_operator.gateway.contract import Executor
from mcp_operator.gateway.protocol import jsonrpc, spec
from mcp_operator.gateway.protocol.core import Core
from mcp_operator.gateway.protocol.envelope import claims_modern, names_modern
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.legacy import Legacy
from mcp_operator.gateway.protocol.message import HttpRequest, HttpResponse, HttpStream
from mcp_operator.gateway.protocol.modern import Modern
from mcp_operator.gateway.protocol.observer import Observer
from mcp_operator.gateway.protocol.origin import OriginPolicy
from mcp_operator.gateway.table import Current

_JSON_RANGES: Final = ("application/json", "application/*", "*/*")


class Endpoint:
    """Serves what one `Current` holds."""

    def __init__(
        self,
        current: Current,
        executor: Executor,
        *,
        policy: OriginPolicy,
        observer: Observer,
        clock: Clock | None = None,
    ) -> None:
        """Set up an endpoint.

        Args:
            current: Holds the table in service.
            executor: Calls tools and reads resources.
            policy: Which hosts and origins are served.
            observer: Is told of every MCP request.
            clock: For the expiry of sessions.
        """
        self._core = Core(current, executor, observer)
        self._policy = policy
        self._modern = Modern(self._core)
        self._legacy = Legacy(self._core, clock or SystemClock())

    @property
    def open_streams(self) -> int:
        """How many event streams are open."""
        return self._core.hub.open_streams

    @property
    def in_flight(self) -> int:
        """How many requests wait for backends."""
        return self._core.gate.busy

    def close_streams(self) -> None:
        """End every event stream as the protocol has it, and open no more."""
        self._core.hub.close()

    async def idle(self) -> None:
        """Wait until no request waits for a backend, also none whose client has gone."""
        await self._core.gate.idle()

    async def handle(self, http: HttpRequest) -> HttpResponse | HttpStream:
        """Serve one HTTP request.

        Cancelling the awaiting task means that the client disconnected. A stream that is returned
        must be closed by the caller.
        """
        try:
            self._policy.check(http)
            answer = await self._route(http)
        except RpcError as error:
            answer = jsonrpc.failure(None, error)
        cors = self._policy.response_headers(http)
        return replace(answer, headers={**answer.headers, **cors}) if cors else answer

    async def _route(self, http: HttpRequest) -> HttpResponse | HttpStream:
        match http.method:
            case "POST":
                return await self._post(http)
            case "GET" | "DELETE" if names_modern(http):
                return _not_allowed("POST")
            case "GET":
                return self._legacy.get(http)
            case "DELETE":
                return self._legacy.delete(http)
            case "OPTIONS":
                return HttpResponse(204, headers=self._policy.preflight_headers(http))
            case _:
                return _not_allowed("POST, GET, DELETE")

    async def _post(self, http: HttpRequest) -> HttpResponse | HttpStream:
        # Requiring JSON keeps a foreign page from posting without a preflight.
        kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            problem = "Send `Content-Type: application/json`"
            raise RpcError(spec.REFUSED, problem, status=415)
        raw = jsonrpc.decode(http.body)
        modern = claims_modern(http, raw)
        listening = modern and isinstance(raw, dict) and raw.get("method") == "subscriptions/listen"
        accept = http.headers.get("accept", "*/*").lower()
        if not listening and not any(kind in accept for kind in _JSON_RANGES):
            problem = "Answers are application/json; accept that"
            raise RpcError(spec.REFUSED, problem, status=406)
        return await (self._modern if modern else self._legacy).post(http, raw)


def _not_allowed(allowed: str) -> HttpResponse:
    return HttpResponse(405, headers={"allow": allowed})
