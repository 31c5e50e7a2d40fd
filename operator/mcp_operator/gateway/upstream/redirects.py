"""Redirects: the next request if it stays on the same Service, or an explanation."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from mcp_operator.gateway.upstream.answer import Answer, clean
from mcp_operator.gateway.upstream.mapping import MAX_TARGET_LENGTH, Request

REDIRECTS: Final = frozenset({301, 302, 303, 305, 307, 308})
"""Statuses treated as redirects. Not 300, which has content, nor 304 (RFC 9110 section 15.4)."""

MAX_REDIRECTS: Final = 5
"""Redirects that are followed per call; frameworks use one to add a trailing slash."""

_FOLLOWED: Final = REDIRECTS - {305}  # RFC 9110 deprecates 305, which names a proxy
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SAFE: Final = "/%:@!$&'()*+,;=~?[]"
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")


def next_request(request: Request, answer: Answer) -> Request | None:
    """Return the request that a redirect asks for, if it stays on the same Service.

    Scheme, host, port and all headers stay the same, so credentials reach no other server.
    """
    location = answer.header("location")
    if answer.status not in _FOLLOWED or request.method not in _SAFE_METHODS:
        return None
    target = resolved(request, location)
    return replace(request, target=target, template="") if target is not None else None


def resolved(request: Request, location: str) -> str | None:
    """Return the path and query of a Location header; None if it leads to another server."""
    if not location or _UNSAFE.search(location) or not _stays(request, location):
        return None
    parts = urlsplit(urljoin(_url(request), location))
    target = _encoded(parts.path or "/") + (f"?{_encoded(parts.query)}" if parts.query else "")
    return target if len(target) <= MAX_TARGET_LENGTH else None


def _encoded(text: str) -> str:
    """Percent-encode characters that URLs cannot contain, and bytes that are not UTF-8."""
    return quote(text, safe=_SAFE, errors="surrogateescape")


def explain(request: Request | None, answer: Answer, followed: int = 0) -> str:
    """Explain why a redirect is not followed, and where it leads; without a final period.

    Args:
        request: The request that was redirected, if known.
        answer: The redirect.
        followed: Earlier redirects of the same call.
    """
    location = clean(answer.header("location"))
    if not location:
        return "a redirect without a location"
    if followed >= MAX_REDIRECTS:
        return f"the {followed + 1}th redirect in a row, to {location}"
    if (
        request is not None
        and request.method not in _SAFE_METHODS
        and answer.status == HTTPStatus.SEE_OTHER
    ):
        return f"the call was made, so do not repeat it; the result is at {location}"
    if request is not None and not _stays(request, answer.header("location")):
        return f"a redirect to {location}, which is not on the tool's Service and is not followed"
    return f"a redirect to {location}, which is not followed"


def _url(request: Request) -> str:
    return f"{request.scheme}://{request.host}:{request.port}{request.target}"


def _stays(request: Request, location: str) -> bool:
    """Tell whether a target has the scheme, host and port of a request."""
    try:
        parts = urlsplit(urljoin(_url(request), location))
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return False
    if parts.username is not None or parts.scheme != request.scheme or port != request.port:
        return False
    return (parts.hostname or "").rstrip(".") in _names(request)


def _names(request: Request) -> set[str]:
    """Return the names of a request's host; for a Service also those in the cluster's domain."""
    host = request.host.lower().rstrip(".")
    names = {host, (request.virtual_host or host).lower()}
    if host.endswith(".svc"):
        names |= {f"{host}.cluster.local", host.removesuffix(".svc")}
    return names
