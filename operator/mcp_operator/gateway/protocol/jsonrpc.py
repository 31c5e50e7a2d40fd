"""Encodes and decodes JSON-RPC 2.0 messages, without an object model in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, TypeGuard

from pydantic_core import from_json, to_json

from mcp_operator.api.catalog import JsonObject
from mcp_operator.core.weight import holds_more
from mcp_operator.gateway import exact
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.message import JSON, HttpResponse

RequestId: TypeAlias = str | int
"""MCP restricts the ids of JSON-RPC: they are never null or fractions."""


MAX_ID: Final = 256
"""Characters or bits of an id. Limited, because responses and each event of a stream repeat it."""


MAX_VALUES: Final = 20_000
"""Values in a body. Limited, because the work for each value delays all clients."""


class RpcError(Exception):
    """A JSON-RPC error that ends a request.

    Attributes:
        code: The JSON-RPC code.
        message: A sentence for the client.
        data: Additional details, or None.
        status: The HTTP status, if the specification requires one.
        retry_after: Seconds after which the same request can succeed, or None.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        data: JsonObject | None = None,
        status: int = 200,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status
        self.retry_after = retry_after


class Request(NamedTuple):
    """A request, which must be answered."""

    id: RequestId
    method: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification, which is never answered."""

    method: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class Reply:
    """A client's answer to a request from the server: a result or an error."""

    id: Any
    result: Any
    error: Any


Message: TypeAlias = Request | Notification | Reply


def decode(body: bytes) -> Any:
    """Parse JSON (RFC 8259): no NaN, no lone surrogates, limited depth.

    Raises:
        RpcError: The body is not JSON, or contains too many values.
    """
    if len(body) > MAX_VALUES and holds_more(body, MAX_VALUES):
        problem = f"The body has more than {MAX_VALUES} values"
        raise RpcError(spec.INVALID_REQUEST, problem, status=400)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RpcError(spec.PARSE_ERROR, f"The body is not JSON: {error}", status=400) from error


def parse(raw: Any) -> Message:
    """Turn a decoded JSON value into a message.

    Raises:
        RpcError: It is not a JSON-RPC message.
    """
    if not isinstance(raw, dict):
        raise _invalid("A JSON-RPC message is an object")
    if raw.get("jsonrpc") != "2.0":
        raise _invalid("`jsonrpc` must be the string 2.0")
    if "method" not in raw:
        if "id" in raw and ("result" in raw or "error" in raw):
            return Reply(raw["id"], raw.get("result"), raw.get("error"))
        raise _invalid("`method` is missing")
    method, params = raw["method"], _params(raw)
    if not isinstance(method, str):
        raise _invalid("`method` must be a string")
    if not isinstance(params, dict):
        raise _invalid("`params` must be an object")
    if "id" not in raw:
        return Notification(method, params)
    request_id = raw["id"]
    if not _is_id(request_id):
        raise _invalid("`id` must be a string or an integer")
    if _length(request_id) > MAX_ID:
        raise _invalid(f"`id` is longer than {MAX_ID} characters, or has more bits")
    return Request(request_id, method, params)


def id_of(raw: Any) -> RequestId | None:
    """Return the id of a possibly invalid request, so that an error response can refer to it."""
    if not isinstance(raw, dict) or "result" in raw or "error" in raw:
        return None
    found = raw.get("id")
    return found if is_short_id(found) else None


def is_short_id(value: Any) -> TypeGuard[RequestId]:
    """Tell whether a value can be the id or the progress token of a request."""
    return _is_id(value) and _length(value) <= MAX_ID


def _params(raw: JsonObject) -> Any:
    """Return the parameters; null means none, as some clients send it."""
    params = raw.get("params")
    return {} if params is None else params


def _is_id(value: Any) -> TypeGuard[RequestId]:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _length(request_id: RequestId) -> int:
    return len(request_id) if isinstance(request_id, str) else request_id.bit_length()


def _invalid(message: str) -> RpcError:
    return RpcError(spec.INVALID_REQUEST, message, status=400)


def encode(value: Any) -> bytes:
    """Encode a value as compact JSON in UTF-8."""
    return exact.encode(value)


def result(request_id: RequestId, body: bytes) -> bytes:
    """Wrap an encoded result in a response; for a prebuilt list, this is the only work."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (to_json(request_id), body)


def error(request_id: RequestId | None, problem: RpcError) -> bytes:
    """Encode an error response; the id is null if the request has no valid id."""
    detail: JsonObject = {"code": problem.code, "message": problem.message}
    if problem.data is not None:
        detail["data"] = problem.data
    return encode({"jsonrpc": "2.0", "id": request_id, "error": detail})


def notification(method: str, params: JsonObject | None = None) -> bytes:
    """Encode a notification from the server."""
    message: JsonObject = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    return encode(message)


def ok(body: bytes) -> HttpResponse:
    """Put an encoded JSON-RPC response into an HTTP response."""
    return HttpResponse(200, body, JSON)


def failure(request_id: RequestId | None, problem: RpcError) -> HttpResponse:
    """Return the HTTP response for an error, with its status and `Retry-After`."""
    headers = JSON
    if problem.retry_after is not None:
        headers = {**JSON, "retry-after": str(problem.retry_after)}
    return HttpResponse(problem.status, error(request_id, problem), headers)
