"""Decodes `Content-Encoding` in bounded pieces, so that small responses cannot become huge.

Requests ask for uncompressed content. But object stores and API gateways send stored content
compressed anyway, and some backends send invalid values of the header.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Final

import brotli

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from backports.zstd import ZstdDecompressor, ZstdError

PIECE: Final = 64 * 1024
"""Bytes that one step returns; a bomb is detected after about as many bytes over the limit."""

MAX_CODINGS: Final = 3
"""Nested codings that are decoded; in practice, there are at most two."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878 section 3.1.1
_UNKNOWN: Final = frozenset({"compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"})
"""Registered codings that cannot be decoded here; any other unknown word is ignored."""


class CompressionError(ValueError):
    """A body is not compressed as its header says, or with an unsupported coding."""


def decompress(body: bytes, content_encoding: str, limit: int, *, partial: bool = False) -> bytes:
    """Decode the codings of a body.

    Args:
        body: As received, at most `limit` bytes.
        content_encoding: The header's value; words that are not codings are ignored.
        limit: Bytes after which decoding stops; a longer result means that the limit is exceeded.
        partial: Whether the body can end anywhere, because reading was cut off.

    Raises:
        CompressionError: It cannot be decompressed.
    """
    words = content_encoding.split(",")
    codings = [word.partition(";")[0].strip().lower() for word in words]
    codings = [coding for coding in codings if coding in _DECODERS or coding in _UNKNOWN]
    if len(codings) > MAX_CODINGS or not _UNKNOWN.isdisjoint(codings):
        raise CompressionError("unknown coding")
    for coding in reversed(codings):
        if body:
            body = _undo(body, coding, limit, partial=partial)
    return body


def _undo(body: bytes, coding: str, limit: int, *, partial: bool) -> bytes:
    found = bytearray()
    try:
        for piece in _DECODERS[coding](body):
            found += piece
            if len(found) > limit:
                break
    except EOFError as error:
        if not partial:
            raise CompressionError("truncated") from error
    except (zlib.error, brotli.error, ZstdError) as error:
        raise CompressionError(str(error)) from error
    return bytes(found)


def _gzip(body: bytes) -> Iterator[bytes]:
    """Yield the content of all members (RFC 1952); a body that is not gzip stays as it is."""
    if not body.startswith(_GZIP_MAGIC):
        yield body
    while body.startswith(_GZIP_MAGIC):
        body = yield from _inflate(body, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes) -> Iterator[bytes]:
    """Yield the content of a zlib stream, or of raw deflate, which some servers send instead."""
    has_header = body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
    yield from _inflate(body, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _inflate(body: bytes, bits: int) -> Generator[bytes, None, bytes]:
    decoder = zlib.decompressobj(bits)
    yield decoder.decompress(body, PIECE)
    while not decoder.eof:
        piece = decoder.decompress(decoder.unconsumed_tail, PIECE)
        if not piece and not decoder.unconsumed_tail and not decoder.eof:
            raise EOFError
        yield piece
    return decoder.unused_data


def _brotli(body: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    yield decoder.process(body, output_buffer_limit=PIECE)
    while not decoder.is_finished():
        piece = decoder.process(b"", output_buffer_limit=PIECE)
        if not piece and decoder.can_accept_more_data():
            raise EOFError
        yield piece


def _zstd(body: bytes) -> Iterator[bytes]:
    """Yield the content of all frames (RFC 8878); a body that is not zstd stays as it is."""
    if not body.startswith(_ZSTD_MAGIC):
        yield body
    while body.startswith(_ZSTD_MAGIC):
        decoder = ZstdDecompressor()
        yield decoder.decompress(body, PIECE)
        while not decoder.eof:
            if decoder.needs_input:
                raise EOFError
            yield decoder.decompress(b"", PIECE)
        body = decoder.unused_data


_DECODERS: Final[Mapping[str, Callable[[bytes], Iterator[bytes]]]] = {
    "br": _brotli,
    "deflate": _deflate,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "zstd": _zstd,
}
