"""Arguments of a request: other parsers read exactly the arguments from what is sent."""

from __future__ import annotations

import email.policy
import json
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl, unquote

import h11

from fuzz.feed import HOSTILE, Feed
from fuzz.loop import run
from mcp_operator.api.catalog import Backend, Credentials, Header, SecretKey
from mcp_operator.api.places import is_form, is_json, is_multipart
from mcp_operator.gateway.contract import Call
from mcp_operator.gateway.upstream.client import HttpUpstream
from mcp_operator.gateway.upstream.mapping import MappingError, Request, build_request
from mcp_operator.gateway.upstream.outgoing import complete
from support.entries import argument, backend

KEY = SecretKey(namespace="demo", name="login", key="token")
SECRET = "canary-of-a-credential"  # noqa: S105 - the canary
FIXED = "fixed by the author"

SENDER = HttpUpstream({}, user_agent="fuzz")
"""Only writes heads, and never connects."""

USUAL = frozenset({"host", "accept", "accept-encoding", "user-agent"})
"""The headers of every request."""

STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject", "json")
PLACED = ("simple", "label", "matrix", "json")


def _credentials(kind: str, name: str) -> Credentials:
    return Credentials.model_validate({"type": kind, "name": name, "secret": KEY})


BACKENDS: tuple[Backend, ...] = (
    *(
        backend(
            "/a/{p}/b-{q}.json",
            argument("p", "path", style=style, explode=explode),
            argument("q", "path"),
            credentials=_credentials("Query", "api_key"),
        )
        for style in PLACED
        for explode in (False, True)
    ),
    backend("/files/{+p}/x", argument("p", "path"), argument("q")),
    backend("/a/{p}/b", argument("p", "path", allow_reserved=True), argument("q")),
    *(
        backend(
            "/find",
            argument("p", style=style, explode=explode, allow_reserved=style == "form"),
            argument("q"),
            query=(Header(name="fixed", value=FIXED),),
            credentials=_credentials("Query", "api_key"),
        )
        for style in STYLES
        for explode in (False, True)
    ),
    backend("/find", argument("q"), rest="query", query=(Header(name="fixed", value=FIXED),)),
    *(
        backend(
            "/find",
            argument("p", "header", target="X-P", style=style, explode=True),
            argument("q", "header", target="X-Q"),
            headers=(Header(name="X-Fixed", value=FIXED),),
            credentials=_credentials("Header", "X-Api-Key"),
        )
        for style in ("simple", "json")
    ),
    *(
        backend(
            "/find",
            argument("p", "cookie", style="form", explode=explode),
            argument("q", "cookie"),
            credentials=_credentials("Cookie", "session"),
        )
        for explode in (False, True)
    ),
    *(
        backend(
            "/make",
            argument("p", "body", style=style),
            argument("q", "body"),
            method="POST",
            content_type=kind,
            constants={"fixed": FIXED},
        )
        for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
        for style in (None, "form", "deepObject")
    ),
    backend(
        "/make",
        argument("p", "body", base64=True, file_name_from="q", content_type="text/plain"),
        method="POST",
        content_type="multipart/form-data",
    ),
    backend("/make", argument("q", "body"), method="PUT", rest="body", constants={"fixed": FIXED}),
    *(
        backend("/make", argument("p", "body"), method="PUT", body_from="p", content_type=kind)
        for kind in ("application/xml", "text/plain; charset=iso-8859-1", "application/x-ndjson")
    ),
)


class OneSecret:
    """Returns the same value for every key."""

    async def value(self, key: SecretKey) -> bytes:
        return SECRET.encode()

    def distrust(self, key: SecretKey) -> None:
        pass


class NoTokens:
    """Returns no access tokens, because nothing requests them."""

    async def token(self, credentials: Credentials) -> tuple[str, list[bytes]]:
        raise AssertionError


def check(data: bytes) -> None:
    """Send arguments, and parse the request."""
    feed = Feed(data)
    to = feed.pick(BACKENDS)
    given: dict[str, Any] = {name: feed.value() for name in ("p", "q") if feed.byte() % 8}
    if feed.byte() % 4 == 0:
        given[feed.text()] = feed.value()
        given[feed.pick((*HOSTILE, "fixed", "q[x]", " Q ", "api_key"))] = feed.value()
    try:
        request, _ = run(complete(build_request(to, given), to, Call(), OneSecret(), NoTokens()))
    except MappingError as error:
        assert "canary" not in str(error)
        return
    received, body = received_by_h11(request)
    _check_line(to, received)
    _check_path(to, received.target.decode().partition("?")[0])
    _check_query(to, given, received.target.decode().partition("?")[2])
    _check_headers(to, received)
    _check_body(to, given, received, body)


def received_by_h11(request: Request) -> tuple[h11.Request, bytes]:
    """Return what a server parses, which must be exactly one request."""
    head = SENDER._head(request)
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    server.receive_data(head + (request.body or b""))
    received, body = server.next_event(), b""
    assert isinstance(received, h11.Request)
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert not event.headers
    assert server.trailing_data[0] == b""
    return received, body


def _check_line(to: Backend, received: h11.Request) -> None:
    assert received.method.decode() == to.method
    assert received.http_version == b"1.1"


def _check_path(to: Backend, path: str) -> None:
    """Check that a path has the segments of its template, with unchanged literals."""
    assert path.startswith("/")
    segments, template = path.split("/"), to.path.split("/")
    wide = [index for index, segment in enumerate(template) if segment.startswith("{+")]
    reserved = any(one.allow_reserved for one in to.arguments if one.location == "path")
    if wide:
        more = len(segments) - len(template)
        assert more >= 0
        segments[wide[0] : wide[0] + more + 1] = ["/".join(segments[wide[0] : wide[0] + more + 1])]
    assert len(segments) == len(template), path
    for segment, wanted in zip(segments, template, strict=True):
        if "{" not in wanted:
            assert segment == wanted
            continue
        decoded = segment
        while decoded != unquote(decoded):
            decoded = unquote(decoded)
        parts = decoded.split("/") if wide else [decoded]
        for part in parts:
            assert part.partition(";")[0] not in {".", ".."}, path
            assert not set("\\\r\n\0") & set(part), path
        assert wide or reserved or "/" not in decoded, path


def _names(to: Backend, location: str) -> set[str]:
    return {one.target for one in to.arguments if one.location == location}


def _check_query(to: Backend, given: dict[str, Any], query: str) -> None:
    assert "#" not in query
    pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    for fixed in to.query:
        assert [value for name, value in pairs if name == fixed.name] == [FIXED]
    if to.credentials is not None and to.credentials.type == "Query":
        assert [value for name, value in pairs if name == to.credentials.name] == [SECRET]
        assert pairs[-1] == (to.credentials.name, SECRET)
    known = _names(to, "query") | {one.name for one in to.query} | {"api_key"}
    named = {name.partition("[")[0] for name, _ in pairs}
    assert to.rest == "query" or _is_free(to, given, "query") or named <= known, named - known


def _is_free(to: Backend, given: dict[str, Any], location: str) -> bool:
    """Return whether an argument is an object whose members the client names."""
    free = [one for one in to.arguments if one.location == location and one.explode is not False]
    return any(isinstance(given.get(one.name), dict) for one in free)


def _check_headers(to: Backend, received: h11.Request) -> None:
    headers = [(name.decode(), value.decode()) for name, value in received.headers]
    names = [name for name, _ in headers]
    assert len(names) == len(set(names)), names
    ours = {"content-length", "content-type", "cookie", "x-fixed", "x-api-key"}
    assert set(names) <= USUAL | ours | {name.lower() for name in _names(to, "header")}
    found = dict(headers)
    for fixed in to.headers:
        assert found[fixed.name.lower()] == FIXED
    if to.credentials is None:
        return
    if to.credentials.type == "Header":
        assert found[to.credentials.name.lower()] == SECRET
    if to.credentials.type == "Cookie":
        cookies = [each.partition("=")[::2] for each in found["cookie"].split("; ")]
        assert [value for name, value in cookies if name == "session"] == [SECRET]


def _check_body(to: Backend, given: dict[str, Any], received: h11.Request, body: bytes) -> None:
    kind = dict(received.headers).get(b"content-type", b"").decode()
    if not kind or to.body_from:
        return
    if is_json(kind):
        value = json.loads(body)
        assert value["fixed"] == FIXED
        allowed = _names(to, "body") | {"fixed"}
        assert value.keys() <= (allowed | given.keys() if to.rest else allowed)
    elif is_form(kind):
        _check_pairs(to, given, parse_qsl(body.decode("ascii"), keep_blank_values=True))
    elif is_multipart(kind):
        _check_pairs(to, given, parts_of(kind, body))


def _check_pairs(to: Backend, given: dict[str, Any], pairs: list[tuple[str, str]]) -> None:
    if to.constants:
        assert [value for name, value in pairs if name == "fixed"] == [FIXED]
    known = _names(to, "body") | {"fixed"}
    named = {name.partition("[")[0] for name, _ in pairs}
    assert _is_free(to, given, "body") or named <= known, named - known


def parts_of(kind: str, body: bytes) -> list[tuple[str, str]]:
    """Parse a multipart body with the email parser of the standard library."""
    if body.startswith(b"--" + kind.partition("boundary=")[2].encode() + b"--"):
        return []
    message = BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + body
    )
    assert not message.defects, message.defects
    found = []
    for part in message.iter_parts():
        assert not part.defects, part.defects
        assert {name.lower() for name, _ in part.items()} <= {"content-disposition", "content-type"}
        name = part.get_param("name", header="content-disposition")
        assert isinstance(name, str)
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        found.append((name, payload.decode(errors="replace")))
    return found
