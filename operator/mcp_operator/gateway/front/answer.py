"""A response with a complete body, sent in one write, without the overhead of aiohttp's own."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion10, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from mcp_operator.gateway.protocol.message import HttpResponse


class Answer(web.StreamResponse):
    """A complete response; it drops its body once the body is sent."""

    def __init__(self, answer: HttpResponse) -> None:
        """Take the response to send."""
        super().__init__(status=answer.status, headers=answer.headers)
        self._whole = answer.body
        self._writer: AbstractStreamWriter | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Prepare the head, which is sent together with the body."""
        headers, head_only = self.headers, request.method == "HEAD"
        if self.status != 204 and (self._whole or not head_only):  # noqa: PLR2004  # RFC 9110 §8.6
            headers[hdrs.CONTENT_LENGTH] = str(len(self._whole))
        if head_only:
            self._whole = b""
        headers[hdrs.DATE] = _date(int(time.time()))
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        version = request.version
        if self._keep_alive == (version == HttpVersion10):  # HTTP/1.0 closes by default
            headers[hdrs.CONNECTION] = "keep-alive" if self._keep_alive else "close"
        self._writer = request.writer
        status_line = f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}"
        await self._writer.write_headers(status_line, headers)
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Send head and body."""
        assert self._writer is not None  # noqa: S101  # aiohttp prepares first
        assert not data  # noqa: S101  # only aiohttp calls this
        body, self._whole = self._whole, b""
        await self._writer.write_eof(body)


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Return the value of `Date` for a second (RFC 9110 section 6.6.1)."""
    return formatdate(second, usegmt=True)
