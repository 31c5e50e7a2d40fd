"""The 2026-07-28 revision, in which requests are independent of each other.

If a client disconnects, its request is cancelled: the front cancels the task that runs `post`.
"""

from __future__ import annotations

from typing import Any

from mcp_operator.api.catalog import JsonObject
from mcp_operator.core.clock import Clock
from mcp_operator.gateway.contract import ClientInput, InputRequired
from mcp_operator.gateway.protocol import jsonrpc, spec, task_calls
from mcp_operator.gateway.protocol.asking import AskError, not_asked
from mcp_operator.gateway.protocol.channel import Channel
from mcp_operator.gateway.protocol.core import Core, outcome_of
from mcp_operator.gateway.protocol.envelope import check_envelope, check_version
from mcp_operator.gateway.protocol.jsonrpc import Notification, Request, RequestId, RpcError
from mcp_operator.gateway.protocol.log_levels import level_of
from mcp_operator.gateway.protocol.message import HttpRequest, HttpResponse, HttpStream
from mcp_operator.gateway.protocol.operations import Context
from mcp_operator.gateway.protocol.request_state import RequestStates
from mcp_operator.gateway.protocol.retried import Retried
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.protocol.subscriptions import (
    MAX_SUBSCRIBED_URIS,
    Event,
    Subscription,
    Wants,
    check_uri,
)
from mcp_operator.gateway.protocol.view import View
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.tasks.watch import Listener


class Modern:
    """Handles requests that contain their own envelope."""

    def __init__(self, core: Core, clock: Clock, root: RootKey) -> None:
        self._core = core
        self._states = RequestStates(clock, root)

    async def post(self, http: HttpRequest, raw: Any) -> HttpResponse | HttpStream:
        """Respond to a POST with the given decoded body."""
        message = jsonrpc.parse(raw)
        if isinstance(message, Request):
            if self._core.is_operation(message.method):
                level = level_of(message.params)
                channel = Channel(http, message, self._core.patience, level)
                return await channel.answered(self._operate(http, message, channel))
            try:
                if message.method in task_calls.METHODS:
                    return await self._task(http, message)
                if message.method == "subscriptions/listen":
                    return await self._listen(http, message)
                return self._answer(http, message)
            except RpcError as error:
                return jsonrpc.failure(message.id, error)
        if isinstance(message, Notification):
            # This revision has no notifications from clients. Legacy cancellations are ignored too:
            # clients choose their request ids, so another client's request could have the same id.
            check_version(http.headers.get(spec.VERSION_HEADER, ""))
            return HttpResponse(202)
        raise RpcError(spec.INVALID_REQUEST, "This server sends no requests to clients", status=400)

    def _answer(self, http: HttpRequest, request: Request) -> HttpResponse:
        """Respond to a request from memory."""
        with self._core.span(Era.MODERN, http, request) as span:
            check_envelope(http, request)
            view = self._core.view(Era.MODERN, http.principal)
            body = _prebuilt(view, request)
            span.outcome = "ok"
            return jsonrpc.ok(jsonrpc.result(request.id, body))

    async def _operate(self, http: HttpRequest, request: Request, channel: Channel) -> HttpResponse:
        """Respond to a request that can wait for a backend."""
        with self._core.span(Era.MODERN, http, request) as span:
            check_envelope(http, request)
            view = self._core.view(Era.MODERN, http.principal)
            declared = request.params["_meta"][spec.CAPABILITIES_META]
            context = Context(view, http, request.params, channel, declared, trace=span.handed_on)
            result = await self._result(request.method, context)
            span.outcome = outcome_of(result)
            result.setdefault("resultType", "complete")
            result["_meta"] = result.get("_meta", {}) | view.meta
            body = jsonrpc.encode(result)
            span.response_bytes = len(body)
            return jsonrpc.ok(jsonrpc.result(request.id, body))

    async def _result(self, method: str, context: Context) -> JsonObject:
        """Run an operation; its result can be a request for the client's input."""
        retried = Retried(self._states, method, context)
        try:
            given = await retried.first()
            if not isinstance(given, ClientInput):
                return given
            result = await self._core.operate(method, context._replace(input=given))
            if isinstance(result, InputRequired) and (answered := retried.in_advance(result)):
                result = await self._core.operate(method, context._replace(input=answered))
            return await retried.asks(result) if isinstance(result, InputRequired) else result
        except AskError as error:
            return not_asked(method, context, error)

    async def _task(self, http: HttpRequest, request: Request) -> HttpResponse:
        """Respond to a request about tasks."""
        with self._core.span(Era.MODERN, http, request) as span:
            check_envelope(http, request)
            result = await self._core.serve_task(request.method, request.params, http)
            span.outcome = "ok"
            body = jsonrpc.encode(result)
            span.response_bytes = len(body)
            return jsonrpc.ok(jsonrpc.result(request.id, body))

    async def _listen(self, http: HttpRequest, request: Request) -> HttpStream:
        """Open a stream of the notifications that the client asks for."""
        with self._core.span(Era.MODERN, http, request) as span:
            check_envelope(http, request)
            view = self._core.view(Era.MODERN, http.principal)
            ids, listener = _task_ids(request.params), None
            if ids:
                listener = await self._core.task_calls.listen(ids, http, request.params, view)
            try:
                stream = self._open(view, http, request, listener)
            except RpcError:
                if listener is not None:
                    listener.close()
                raise
            span.outcome = "ok"
            return HttpStream(stream)

    def _open(
        self, view: View, http: HttpRequest, request: Request, listener: Listener | None
    ) -> Subscription:
        accept = http.headers.get("accept", "*/*")
        if not any(kind in accept for kind in ("text/event-stream", "text/*", "*/*")):
            problem = "subscriptions/listen responds with text/event-stream; accept it"
            raise RpcError(spec.REFUSED, problem, status=406)
        honoured = _visible(view, _honoured(request.params))
        if listener is not None:
            honoured["taskIds"] = list(listener.known)
        request_id = request.id  # so that the stream does not keep the whole request
        meta = {spec.SUBSCRIPTION_META: request_id}
        acknowledged = jsonrpc.notification(
            "notifications/subscriptions/acknowledged", {"_meta": meta, "notifications": honoured}
        )
        goodbye = {"resultType": "complete", "_meta": view.meta | meta}
        stream = self._core.hub.open(
            Wants(
                tools="toolsListChanged" in honoured,
                prompts="promptsListChanged" in honoured,
                resources="resourcesListChanged" in honoured,
                uris=frozenset(honoured.get("resourceSubscriptions", ())),
            ),
            lambda event: _tagged(event, request_id),
            client=http.client,
            principal=http.principal,
            first=acknowledged,
            last=jsonrpc.result(request_id, jsonrpc.encode(goodbye)),
            until=self._core.stream_end(http.principal),
            headers=self._core.poller.forwarded(http.headers),
        )
        self._core.poller.wake()
        if listener is not None:
            principal = http.principal

            def served() -> View:
                return self._core.view(Era.MODERN, principal)

            stream.attach(self._core.task_calls.feed(http, request_id, listener, served))
            listener.tell = stream.offer_fed
            for task_id in listener.known:  # it can have changed since the client last saw it
                stream.offer_fed(task_id)
        return stream


def _prebuilt(view: View, request: Request) -> bytes:
    if request.method == "server/discover":
        return view.discovery
    listing = view.lists.get(request.method)
    if listing is None:
        raise RpcError(spec.METHOD_NOT_FOUND, f"Method not found: {request.method}", status=404)
    return listing.page(request.params.get("cursor"))


def _honoured(params: JsonObject) -> JsonObject:
    """Validate the filter of a listen request, and return the part that is supported.

    Raises:
        RpcError: The filter is malformed or names too many resources.
    """
    asked = params.get("notifications")
    if not isinstance(asked, dict):
        raise RpcError(spec.INVALID_PARAMS, "`params.notifications` must be an object")
    flags = ("toolsListChanged", "promptsListChanged", "resourcesListChanged")
    honoured: JsonObject = {flag: True for flag in flags if asked.get(flag) is True}
    uris = asked.get("resourceSubscriptions") or []
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        problem = "`params.notifications.resourceSubscriptions` must be a list of URIs"
        raise RpcError(spec.INVALID_PARAMS, problem)
    if len(uris) > MAX_SUBSCRIBED_URIS:
        problem = f"At most {MAX_SUBSCRIBED_URIS} resources can be subscribed to in one stream"
        raise RpcError(spec.INVALID_PARAMS, problem)
    for uri in uris:
        check_uri(uri)
    return honoured | {"resourceSubscriptions": uris} if uris else honoured


def _task_ids(params: JsonObject) -> list[str]:
    """Return the tasks that a listen request names.

    Raises:
        RpcError: They are not a list of ids, or there are too many.
    """
    asked = params.get("notifications")
    ids = asked.get("taskIds") if isinstance(asked, dict) else None
    if ids is None:
        return []
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        problem = "`params.notifications.taskIds` must be a list of ids"
        raise RpcError(spec.INVALID_PARAMS, problem)
    if len(ids) > task_calls.MAX_LISTENED:
        problem = f"At most {task_calls.MAX_LISTENED} tasks can be subscribed to in one stream"
        raise RpcError(spec.INVALID_PARAMS, problem)
    return ids


def _visible(view: View, honoured: JsonObject) -> JsonObject:
    """Remove the resources that are not served to this client, but to others."""
    uris = honoured.get("resourceSubscriptions")
    if uris is None or view.table is view.whole:
        return honoured
    return honoured | {
        "resourceSubscriptions": [uri for uri in uris if view.table.match(uri) is not None]
    }


def _tagged(event: Event, request_id: RequestId) -> bytes:
    meta = {"_meta": {spec.SUBSCRIPTION_META: request_id}}
    return jsonrpc.notification(event.method, event.params() | meta)
