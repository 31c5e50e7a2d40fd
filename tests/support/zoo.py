"""A backend that returns every kind of content, behind a real gateway on loopback."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from mcp_operator.api.catalog import ResponseMapping, ToolEntry
from support.entries import backend, tool
from support.everything import PNG, WAV
from support.mcp_http import table
from support.whole_gateway import before_backend

OBJECT = {"type": "object"}


class Animal(NamedTuple):
    """One kind of result.

    Attributes:
        kinds: The content blocks of the result.
        failed: Whether the result is an error.
    """

    body: bytes = b""
    content_type: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    output_schema: dict[str, Any] | None = None
    response: ResponseMapping = ResponseMapping()
    kinds: tuple[str, ...] = ("text",)
    failed: bool = False


ANIMALS = {
    "object": Animal(
        b'{"id":7,"price":1.10,"big":123456789012345678901234567890}', "application/json"
    ),
    "object-with-schema": Animal(b'{"id":7}', "application/json", output_schema=OBJECT),
    "array-with-schema": Animal(b"[1,2]", "application/json", output_schema={"type": "array"}),
    "schema-not-listed": Animal(
        b'{"id":7}',
        "application/json",
        output_schema=OBJECT,
        response=ResponseMapping(structured="Never"),
    ),
    "schema-broken": Animal(
        b'{"id":7}',
        "application/json",
        output_schema={"type": "object", "required": ["name"]},
        failed=True,
    ),
    "array": Animal(b"[1.50,null]", "application/json"),
    "picked": Animal(
        b'{"items":[{"id":1,"x":2}]}',
        "application/json",
        response=ResponseMapping(json_path="$.items", jmes_path="[*].{id: id}"),
    ),
    "empty": Animal(content_type="application/json", status=204),
    "empty-with-schema": Animal(status=204, output_schema=OBJECT, failed=True),
    "created": Animal(status=201, headers=(("Location", "/orders/4711"),), kinds=("text", "text")),
    "not-json": Animal(b'{"a":', "application/json", failed=True),
    "charset": Animal("東京".encode("shift_jis"), "text/plain; charset=Shift_JIS"),
    "unknown-text": Animal(b"plain", "application/vnd.acme"),
    "lines": Animal(b'{"a":1}\n{"a":2}\n', "application/x-ndjson"),
    "events": Animal(b"data: 1\n\n", "text/event-stream"),
    "gzip": Animal(
        gzip.compress(b"{}"), "application/json", headers=(("Content-Encoding", "gzip"),)
    ),
    "png": Animal(PNG, "image/png", kinds=("image",)),
    "svg": Animal(b"<svg/>", "image/svg+xml"),
    "tiff": Animal(b"II*\x00", "image/tiff", kinds=("text", "resource")),
    "pdf": Animal(b"%PDF-1.4\x00", "application/pdf", kinds=("text", "resource")),
    "octets": Animal(b"text", "application/octet-stream", kinds=("text", "resource")),
    "wav": Animal(WAV, "audio/wav", kinds=("audio",)),
    "declared": Animal(
        PNG,
        "application/octet-stream",
        response=ResponseMapping(mime_type="image/png"),
        kinds=("image",),
    ),
    "declared-file": Animal(
        WAV,
        "audio/wav",
        response=ResponseMapping(mime_type="application/octet-stream"),
        kinds=("text", "resource"),
    ),
    "lines-as-json": Animal(b'{"a":1}\n{"a":2}\n', "application/json"),
    "not-a-number": Animal(b'{"a":NaN}', "application/json"),
    "missing": Animal(b'{"error":"no such order"}', "application/json", 404, failed=True),
    "busy": Animal(
        status=429, headers=(("Retry-After", "17"),), kinds=("text", "text"), failed=True
    ),
    "moved": Animal(
        status=302,
        headers=(("Location", "https://sso.example/"),),
        kinds=("text", "text"),
        failed=True,
    ),
    "says-no": Animal(
        b'{"ok":false}',
        "application/json",
        response=ResponseMapping(error_when="!body.ok"),
        failed=True,
    ),
}
"""Each kind of result by the name of its tool."""


def _tool(name: str, animal: Animal) -> ToolEntry:
    return tool(
        name,
        description=f"Shows {name}",
        to=backend(f"/{name}"),
        output_schema=animal.output_schema,
        response=animal.response,
    )


async def _show(request: web.BaseRequest) -> web.Response:
    animal = ANIMALS[request.path.removeprefix("/")]
    headers = dict(animal.headers)
    if animal.content_type:
        headers["Content-Type"] = animal.content_type
    return web.Response(status=animal.status, body=animal.body, headers=headers)


@asynccontextmanager
async def serving_zoo() -> AsyncIterator[str]:
    """Serve the zoo until the block ends; yield the gateway's URL."""
    animals = table(*(_tool(name, animal) for name, animal in ANIMALS.items()))
    async with before_backend(animals, _show) as url:
        yield url


def as_expected() -> dict[str, str]:
    """Return the expected outcome of each call, as the client programs print it."""
    return {name: "failed" if animal.failed else "fine" for name, animal in ANIMALS.items()}
