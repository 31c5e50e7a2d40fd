"""What a call adds to its request besides the arguments: forwarded headers and credentials.

Nothing of the client's request reaches a backend unless the tool's author named it, and what the
author fixed wins over what a client sends.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mcp_operator.api.catalog import Backend, Credentials, SecretKey
from mcp_operator.api.places import FRAMING
from mcp_operator.gateway.contract import Call
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls
from mcp_operator.gateway.upstream.mapping import Request, check_header
from mcp_operator.gateway.upstream.secret_values import SecretSource
from mcp_operator.gateway.upstream.styles import quoted

ACCEPT = "application/json, text/*;q=0.9, */*;q=0.5"
"""What tools can make most of, in this order."""

REDACTED = b"[redacted]"

MIN_REDACTED_LENGTH = 6
"""Bytes of a credential that is removed from answers; shorter ones would mangle ordinary text."""

_TRACE = {
    "traceparent": re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    "tracestate": re.compile(r"[\x20-\x7e]{1,512}"),
}
"""What W3C Trace Context hands on, and its form; anything else is dropped."""


@dataclass(slots=True)
class UsedSecrets:
    """The Secrets that one request carries: their names, and what must not come back."""

    keys: list[SecretKey] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)

    def redact(self, answer: Answer) -> Answer:
        """Remove the values from an answer that echoes them."""
        body, problem, headers = answer.body, answer.problem, answer.headers
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= MIN_REDACTED_LENGTH:
                body = body.replace(value, REDACTED)
                text, mark = value.decode(errors="replace"), REDACTED.decode()
                problem = problem.replace(text, mark)
                headers = tuple((name, sent.replace(text, mark)) for name, sent in headers)
        return replace(answer, body=body, problem=problem, headers=headers)


async def complete(
    request: Request, backend: Backend, call: Call, secrets: SecretSource
) -> tuple[Request, UsedSecrets]:
    """Add headers to a request, and say which Secrets they hold.

    Later ones replace earlier ones of the same name: what is usual, what is forwarded, what the
    arguments set, what the author fixed, credentials.

    Raises:
        MappingError: A value cannot be sent in a header.
        SecretUnavailable: A Secret could not be read.
    """
    used = UsedSecrets()
    headers = [("Accept", ACCEPT), *_forwarded(backend, call), *request.headers]
    for header in backend.headers:
        value = header.value or ""
        if header.secret is not None:
            value = await _read(header.secret, secrets, used)
        headers.append(check_header(header.name, value))
    if backend.credentials is not None:
        headers.append(await _credentials(backend.credentials, secrets, used))
    target = await _with_query(request.target, backend, secrets, used)
    merged = {name.lower(): (name, value) for name, value in headers}
    return replace(request, target=target, headers=tuple(merged.values())), used


async def _with_query(
    target: str, backend: Backend, secrets: SecretSource, used: UsedSecrets
) -> str:
    """Append the query parameters that come from Secrets."""
    for parameter in backend.query:
        if parameter.secret is not None:
            value = quoted(await _read(parameter.secret, secrets, used))
            used.values.append(value.encode())
            target += f"{'&' if '?' in target else '?'}{quoted(parameter.name)}={value}"
    return target


async def tls_of(backend: Backend, secrets: SecretSource) -> Tls:
    """Return how to verify an https backend.

    Raises:
        SecretUnavailable: The Secret that holds the CA could not be read.
    """
    return Tls(
        ca=await secrets.value(backend.ca) if backend.ca else None,
        server_name=backend.server_name,
        verify=not backend.insecure_skip_verify,
    )


def _forwarded(backend: Backend, call: Call) -> Iterator[tuple[str, str]]:
    for name, form in _TRACE.items():
        value = call.trace.get(name, "")
        if form.fullmatch(value):
            yield name, value
    for name in backend.forward_headers:
        sent = call.headers.get(name.lower())
        if sent is not None and name.lower() not in FRAMING:
            yield check_header(name, sent)


async def _credentials(
    credentials: Credentials, secrets: SecretSource, used: UsedSecrets
) -> tuple[str, str]:
    value = await _read(credentials.secret, secrets, used)
    if credentials.type == "Bearer":
        value = f"Bearer {value}"
    elif credentials.type == "Basic":
        user = await _read(credentials.username, secrets, used) if credentials.username else ""
        token = base64.b64encode(f"{user}:{value}".encode())
        used.values.append(token)
        value = f"Basic {token.decode()}"
    return check_header(credentials.header, value)


async def _read(key: SecretKey, secrets: SecretSource, used: UsedSecrets) -> str:
    """Read a value for a header; `kubectl create secret --from-file` leaves a final line break."""
    value = (await secrets.value(key)).rstrip(b"\r\n")
    used.keys.append(key)
    used.values.append(value)
    return value.decode(errors="replace")
