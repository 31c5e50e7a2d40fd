"""Conditional requests, which ask whether a known response has changed (RFC 9110 section 13)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus

from mcp_operator.gateway.contract import Validators
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.mapping import MappingError, Request, check_header

_METHODS = ("GET", "HEAD")


def conditional(request: Request, known: Validators | None) -> Request:
    """Return a request that gets a complete response only if the response has changed."""
    if known is None or request.method not in _METHODS:
        return request
    headers = dict(request.headers)
    with suppress(MappingError):  # the validator of a backend can be unsafe to send back
        if known.etag:
            headers |= [check_header("If-None-Match", known.etag)]
        elif known.last_modified:
            headers |= [check_header("If-Modified-Since", known.last_modified)]
    return replace(request, headers=headers)


def note_validators(known: Validators | None, answer: Answer) -> None:
    """Store the validators of a response for the next request, or that it has not changed."""
    if known is None:
        return
    if answer.status == HTTPStatus.NOT_MODIFIED and (known.etag or known.last_modified):
        known.unchanged = True
        return
    known.etag, known.last_modified = answer.header("etag"), answer.header("last-modified")
