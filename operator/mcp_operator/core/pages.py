"""A few pages over HTTP/1.1, for the kubelet's probes and for whoever collects metrics.

A server for all of HTTP is a third of what the operator takes to start, and whoever waits for a new
leader waits for that. Here a connection carries one question, nothing is read of it but the first
line and Accept, and every answer is made at once from memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from mcp_operator.core.errors import OperatorError

PATIENCE: Final = 10.0
"""Seconds for a question to come and its answer to be taken."""

logger = logging.getLogger(__name__)

_HEAD_BYTES: Final = 1 << 14
_TEXT: Final = "text/plain; charset=utf-8"


class Question(NamedTuple):
    """What was asked.

    Attributes:
        path: The path, without the query.
        query: The values of each parameter.
        accept: The header Accept, empty if there is none.
    """

    path: str
    query: Mapping[str, list[str]]
    accept: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its body, in UTF-8 if it is text, and what it is."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _TEXT


Render = Callable[[Question], Page]
"""Makes an answer. Must be fast."""


class _NotAskedWellError(Exception):
    """What came is no question that can be answered; the status says why."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class PageServer:
    """Serves pages while its `async with` block runs.

    Args:
        port: Where to listen; 0 takes any free one.
        pages: What to answer with, by path.
        host: The address to listen on; all of both families if empty.
    """

    def __init__(self, port: int, pages: Mapping[str, Render], *, host: str = "") -> None:
        self._port = port
        self._host = host
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._bound = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OperatorError: The address cannot be had.
        """
        try:
            self._server = await asyncio.start_server(
                self._answer, self._host, self._port, limit=_HEAD_BYTES
            )
        except OSError as error:
            raise OperatorError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}; choose another port"
            ) from error
        self._port = int(self._server.sockets[0].getsockname()[1])
        self._bound.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop at once: whoever asks here asks again."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def port(self) -> int:
        """Return the port that the server listens on, once it does."""
        await self._bound.wait()
        return self._port

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with asyncio.timeout(PATIENCE):
                method, page = await self._page(reader)
                body = b"" if method == "HEAD" else page.body
                writer.write(_head(page) + body)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, TimeoutError):
            writer.transport.abort()  # who asked has gone, or is too slow
        finally:
            self._open.discard(writer)

    async def _page(self, reader: asyncio.StreamReader) -> tuple[str, Page]:
        method = "GET"
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, question = _read(head.decode("latin-1"))
            if render := self._pages.get(question.path):
                return method, render(question)
            status = HTTPStatus.NOT_FOUND
        except asyncio.LimitOverrunError:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        except _NotAskedWellError as error:
            status = error.status
        except (OSError, EOFError):
            raise  # nobody is there any more
        except Exception:  # whoever asks is to get an answer, whatever a check or collector does
            logger.exception("A page could not be made")
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        return method, Page(f"{status.phrase}\n".encode(), status)


def _read(head: str) -> tuple[str, Question]:
    """Return the method and what is asked; a body would come after and is not read."""
    first, *fields = head.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004  # RFC 9112, 3
        raise _NotAskedWellError(HTTPStatus.BAD_REQUEST)
    method, target, _ = words
    if method not in {"GET", "HEAD"}:
        raise _NotAskedWellError(HTTPStatus.METHOD_NOT_ALLOWED)
    try:
        _, _, path, query, _ = urlsplit(target)  # a proxy may ask for a whole URL (RFC 9112, 3.2.2)
    except ValueError as error:
        raise _NotAskedWellError(HTTPStatus.BAD_REQUEST) from error
    headers = (field.partition(":") for field in fields)
    accept = ", ".join(value.strip() for name, _, value in headers if name.lower() == "accept")
    return method, Question(path, parse_qs(query, keep_blank_values=True), accept)


def _head(page: Page) -> bytes:
    lines = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Connection: close",
    ]
    if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET, HEAD")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
