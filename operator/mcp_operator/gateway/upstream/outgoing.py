"""Adds forwarded headers and credentials to a request, which so far has only the arguments.

No part of the client's request reaches a backend unless the tool's author listed it. The author's
values take precedence over the client's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

from mcp_operator.api.catalog import Backend, Credentials, SecretKey
from mcp_operator.api.places import FRAMING, OF_THE_GATEWAY
from mcp_operator.gateway.contract import TRACEPARENT, Call
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls
from mcp_operator.gateway.upstream.mapping import Request, check_header
from mcp_operator.gateway.upstream.pool.head import FieldLine
from mcp_operator.gateway.upstream.secret_values import SecretSource
from mcp_operator.gateway.upstream.styles import quoted

_USUAL = dict([check_header("Accept", "application/json, text/*;q=0.9, */*;q=0.5")])
"""The types that tools can use best, in order of preference."""

_NOT_FORWARDED = FRAMING | OF_THE_GATEWAY

_NO_TLS = Tls()

REDACTED = b"[redacted]"

MIN_REDACTED_LENGTH = 6
"""Minimum bytes of a credential to redact; redacting shorter ones would damage ordinary text."""

_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")
"""State of tracing systems, up to the length that W3C Trace Context requires to forward (3.3)."""


@dataclass(slots=True)
class UsedSecrets:
    """The Secrets in one request: their names, and the values to redact from the response.

    `token` is the access token in the request, if there is one.
    """

    keys: list[SecretKey] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    token: str = field(default="", repr=False)

    def redacted(self, data: bytes) -> bytes:
        """Redact the values in a part of a response, in case the backend echoes them."""
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= MIN_REDACTED_LENGTH:
                data = data.replace(value, REDACTED)
        return data

    def redact(self, answer: Answer) -> Answer:
        """Redact the values in a response, in case the backend echoes them."""
        if not self.values:
            return answer
        problem, headers = answer.problem, answer.headers
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= MIN_REDACTED_LENGTH:
                text, mark = value.decode(errors="replace"), REDACTED.decode()
                problem = problem.replace(text, mark)
                headers = tuple((name, sent.replace(text, mark)) for name, sent in headers)
        body = self.redacted(answer.body)
        return replace(answer, body=body, problem=problem, headers=headers)


class TokenSource(Protocol):
    """Provides access tokens."""

    async def token(self, credentials: Credentials) -> tuple[str, list[bytes]]:
        """Return a token, and other values to redact from the response.

        Raises:
            OperatorError: There is no token; the message is safe for clients.
        """
        ...


async def complete(
    request: Request,
    backend: Backend,
    call: Call,
    secrets: SecretSource,
    tokens: TokenSource,
) -> tuple[Request, UsedSecrets]:
    """Add headers and query parameters to a request; returns which Secrets they contain.

    Later headers replace earlier ones with the same name, in this order: defaults, forwarded
    headers, arguments, the author's constants, credentials.

    Raises:
        MappingError: A value cannot be sent in a header.
        SecretUnavailable: A Secret could not be read.
        UpstreamError: There is no access token.
    """
    used = UsedSecrets()
    headers = {**_USUAL, **dict(_forwarded(backend, call)), **request.headers}
    for header in backend.headers:
        if header.secret is None:
            name, line = _fixed(header.name, header.value or "")
        else:
            name, line = check_header(header.name, await _read(header.secret, secrets, used))
        headers[name] = line
    target = request.target
    for parameter in backend.query:
        if parameter.secret is not None:
            value = await _read(parameter.secret, secrets, used)
            target = _with_parameter(target, parameter.name, value, used)
    credentials = backend.credentials
    if credentials is not None and credentials.type == "Query":
        value = credentials.prefix + await _read(credentials.secret, secrets, used)
        target = _with_parameter(target, credentials.name, value, used)
    elif credentials is not None and credentials.type == "Cookie":
        value = credentials.prefix + await _read(credentials.secret, secrets, used)
        headers["cookie"] = _with_cookie(headers.get("cookie"), credentials.name, value)
    elif credentials is not None:
        name, line = await _credentials(credentials, secrets, tokens, used)
        headers[name] = line
    return replace(request, target=target, headers=headers), used


@lru_cache(maxsize=1024)
def _fixed(name: str, value: str) -> tuple[str, FieldLine]:
    """Return a constant header; cached, because it is the same in each call."""
    return check_header(name, value)


def _with_parameter(target: str, name: str, value: str, used: UsedSecrets) -> str:
    encoded = quoted(value)
    used.values.append(encoded.encode())
    return f"{target}{'&' if '?' in target else '?'}{quoted(name)}={encoded}"


def _with_cookie(sent: FieldLine | None, name: str, value: str) -> FieldLine:
    """Add a cookie to the existing ones; it replaces a cookie with the same name."""
    text = sent.decode().partition(":")[2] if sent else ""
    others = [one.strip() for one in text.split(";")]
    kept = [one for one in others if one and one.partition("=")[0].strip() != name]
    return check_header("Cookie", "; ".join([*kept, f"{name}={value}"]))[1]


async def tls_of(backend: Backend, secrets: SecretSource) -> Tls:
    """Return how to verify an https backend.

    Raises:
        SecretUnavailable: The Secret that holds the CA could not be read.
    """
    if backend.scheme != "https":
        return _NO_TLS
    return Tls(
        ca=await secrets.value(backend.ca) if backend.ca else None,
        server_name=backend.server_name,
        verify=not backend.insecure_skip_verify,
        certificate=await secrets.value(backend.client_certificate)
        if backend.client_certificate
        else None,
        key=await secrets.value(backend.client_key) if backend.client_key else None,
    )


def _forwarded(backend: Backend, call: Call) -> Iterator[tuple[str, FieldLine]]:
    if TRACEPARENT.fullmatch(call.trace.get("traceparent", "")):
        yield check_header("traceparent", call.trace["traceparent"])
        state = call.trace.get("tracestate", "")  # meaningless without `traceparent`
        if _TRACESTATE.fullmatch(state):
            yield check_header("tracestate", state)
    for name in backend.forward_headers:
        sent = call.headers.get(name.lower())
        if sent is not None and name.lower() not in _NOT_FORWARDED:
            yield check_header(name, sent)


async def _credentials(
    credentials: Credentials, secrets: SecretSource, tokens: TokenSource, used: UsedSecrets
) -> tuple[str, FieldLine]:
    if credentials.type == "OAuth2":
        used.token, hidden = await tokens.token(credentials)
        used.values += [used.token.encode(), *hidden]
        used.keys += filter(None, [credentials.secret, credentials.username])
        return check_header("Authorization", f"Bearer {used.token}")
    value = await _read(credentials.secret, secrets, used)
    if credentials.type == "Basic":
        user = await _read(credentials.username, secrets, used) if credentials.username else ""
        value = basic(user, value)
        used.values.append(value.removeprefix("Basic ").encode())
    prefix = credentials.prefix or ("Bearer " if credentials.type == "Bearer" else "")
    return check_header(credentials.name, prefix + value)


def basic(user: str, password: str) -> str:
    """Return the value of the Authorization header for HTTP Basic authentication (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


async def _read(key: SecretKey, secrets: SecretSource, used: UsedSecrets) -> str:
    value = await read_secret(key, secrets, used.values)
    used.keys.append(key)
    return value


async def read_secret(key: SecretKey, secrets: SecretSource, read: list[bytes]) -> str:
    """Read a value, add it to `read`, and return it as text.

    A trailing newline, which `kubectl create secret --from-file` keeps, is removed.

    Raises:
        SecretUnavailable: The value could not be read.
    """
    value = (await secrets.value(key)).rstrip(b"\r\n")
    read.append(value)
    return value.decode(errors="replace")
