"""No argument can inject syntax: independent parsers read back what the gateway writes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest

from fuzz.arguments import FIXED, USUAL, NoTokens, OneSecret, parts_of, received_by_h11
from mcp_operator.api.catalog import Backend, Credentials, Header, SecretKey
from mcp_operator.core.logs import JsonLineFormatter, TextFormatter
from mcp_operator.gateway.contract import Call
from mcp_operator.gateway.prompts import render
from mcp_operator.gateway.upstream.mapping import MappingError, build_request
from mcp_operator.gateway.upstream.outgoing import complete
from support.entries import argument, backend, prompt, resource, tool
from support.identity import by_token
from support.injections import CORPUS
from support.mcp_http import Server, legacy, modern

KEY = SecretKey(namespace="demo", name="login", key="token")
SECRET = "canary-of-a-credential"  # noqa: S105 - the canary
CASES = [(place, text) for place, texts in CORPUS.items() for text in texts]
HALF = "\ud800"
"""Half of a surrogate pair, which UTF-8 cannot encode: only it can be refused everywhere."""

QUERY: dict[str, Any] = {
    "query": (Header(name="fixed", value=FIXED),),
    "credentials": Credentials(type="Query", name="api_key", secret=KEY),
}
MULTIPART: dict[str, Any] = {"method": "POST", "content_type": "multipart/form-data"}


def test_the_corpus_has_at_least_150_texts_for_11_places() -> None:
    assert len(set(CASES)) >= 150
    assert len(CORPUS) >= 11


@pytest.mark.parametrize(("place", "text"), CASES)
async def test_no_text_injects_syntax(place: str, text: str) -> None:
    await CHECKS[place](text)


async def sent(to: Backend, **arguments: Any) -> tuple[Any, bytes] | None:
    """Return the request as h11 reads it, or None if the arguments are refused."""
    try:
        made, _ = await complete(build_request(to, arguments), to, Call(), OneSecret(), NoTokens())
    except MappingError:
        return None
    return received_by_h11(made)


async def path(text: str) -> None:
    assert await sent(backend("/v1/{p}/x", argument("p", "path")), p=text) is None


async def query(text: str) -> None:
    received = await sent(backend("/find", argument("p"), **QUERY), p=text)
    if received is None:
        assert text == HALF
        return
    target = received[0].target.decode()
    assert target.startswith("/find?")
    pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True, strict_parsing=True)
    assert pairs == [("fixed", FIXED), ("p", text), ("api_key", SECRET)]


async def form(text: str) -> None:
    kind = "application/x-www-form-urlencoded"
    to = backend("/", argument("p", "body"), method="POST", content_type=kind)
    to = to.model_copy(update={"constants": {"fixed": FIXED}})
    received = await sent(to, p=text)
    if received is None:
        assert text == HALF
        return
    pairs = parse_qsl(received[1].decode("ascii"), keep_blank_values=True, strict_parsing=True)
    assert pairs == [("fixed", FIXED), ("p", text)]


async def header(text: str) -> None:
    fixed = (Header(name="X-Fixed", value=FIXED),)
    received = await sent(backend("/", argument("p", "header"), headers=fixed), p=text)
    if received is None:
        assert re.search(r"[^\t -~]", text) or len(text) > 8192
        return
    headers = dict(received[0].headers)
    assert len(headers) == len(list(received[0].headers))
    assert headers.keys() == {b"p", b"x-fixed", *(name.encode() for name in USUAL)}
    assert (headers[b"p"], headers[b"x-fixed"]) == (text.encode(), FIXED.encode())


async def cookie(text: str) -> None:
    credentials = Credentials(type="Cookie", name="session", secret=KEY)
    received = await sent(backend("/", argument("p", "cookie"), credentials=credentials), p=text)
    if received is None:
        assert text == HALF
        return
    found = SimpleCookie(dict(received[0].headers)[b"cookie"].decode())
    assert found.keys() == {"p", "session"}
    assert found["session"].value == SECRET
    assert unquote(found["p"].value) == text


async def json_body(text: str) -> None:
    to = backend("/", argument("p", "body"), method="POST", constants={"fixed": FIXED})
    received = await sent(to, p={text: text})
    if received is None:
        assert text == HALF
    else:
        assert json.loads(received[1]) == {"fixed": FIXED, "p": {text: text}}


async def multipart(text: str) -> None:
    to = backend("/", argument("p", "body"), argument("q", "body"), **MULTIPART)
    received = await sent(to, p=text, q="2")
    if received is not None:
        kind = dict(received[0].headers)[b"content-type"].decode()
        assert parts_of(kind, received[1]) == [("p", text), ("q", "2")]


async def file_name(text: str) -> None:
    file = argument("p", "body", file_name_from="name", content_type="text/plain")
    received = await sent(backend("/", file, **MULTIPART), p="content", name=text)
    if received is not None:
        assert not {"/", "\\", '"', "\r", "\n", "\0"} & set(text)
        kind = dict(received[0].headers)[b"content-type"].decode()
        assert parts_of(kind, received[1]) == [("p", "content")]
        assert received[1].count(b"filename") == 1


async def log(text: str) -> None:
    fields = {"name": "shop", "levelname": "INFO", "msg": "A call failed", "entry": text}
    record = logging.makeLogRecord(fields)
    line = JsonLineFormatter().format(record)
    assert "\n" not in line
    assert line.isprintable()
    written = json.loads(line)
    del written["timestamp"]
    said = {"level": "INFO", "logger": "shop", "message": "A call failed", "entry": text}
    assert written == said
    shown = TextFormatter().format(record)
    assert shown.isprintable()
    assert re.sub(r'"(\\.|[^"\\])*"', "", shown).count("=") == 1  # the one of the field


async def prompted(text: str) -> None:
    variables = ({"name": "name"}, {"name": "other"})
    entry = prompt("{{name}} and {{other}}", name="p", variables=variables)
    (message,) = render(entry, {"name": text, "other": "secret"})
    assert message.content == {"type": "text", "text": f"{text} and secret"}


async def event(text: str) -> None:
    shop = Server(tool("search"))
    stream = await shop.stream(
        modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, text)
    )
    frame = (await anext(stream.frames)).decode()
    await stream.frames.aclose()
    lines = re.split(r"\r\n|\n|\r", frame)
    assert [line.partition(":")[0] for line in lines] == ["event", "data", "", ""]
    meta = json.loads(lines[1].removeprefix("data: "))["params"]["_meta"]
    assert meta["io.modelcontextprotocol/subscriptionId"] == text


async def challenge(text: str) -> None:
    shop = Server(tool("search"), auth=by_token())
    for request in (modern("tools/list", host=text), legacy("tools/list", host=text)):
        answer = await shop.respond(request)
        assert answer.status == 401
        value = answer.headers["www-authenticate"]
        assert re.fullmatch(r'Bearer (\w+="[ -!#-\[\]-~]*"(, |$))*', value), value
        assert text == "" or text not in value


async def uri(text: str) -> None:
    shop = Server(resource("orders", uri_template="orders://{id}", backend=backend("/{id}")))
    _, error = await shop.error(modern("resources/read", {"uri": text}))
    assert error["message"] == f"Resource not found: {text}"


CHECKS: dict[str, Callable[[str], Any]] = {
    "path": path,
    "query": query,
    "form": form,
    "header": header,
    "cookie": cookie,
    "json": json_body,
    "multipart": multipart,
    "file name": file_name,
    "log": log,
    "prompt": prompted,
    "event": event,
    "challenge": challenge,
    "uri": uri,
}
