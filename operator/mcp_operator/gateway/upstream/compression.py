"""`Content-Encoding`, undone in bounded pieces, so that a small answer cannot become a huge one.

Backends are asked for plain content. Object stores and API gateways send what they have stored
compressed all the same, and some backends write nonsense into the header.
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
"""Bytes that one step gives; about as much is held beyond the limit before a bomb is noticed."""

MAX_CODINGS: Final = 3
"""Codings on top of each other that are undone; nobody sends more than two."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878 section 3.1.1
_UNKNOWN: Final = frozenset({"compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"})
"""Registered codings that no library here undoes; any other word is taken for a mistake."""


class CompressionError(ValueError):
    """A body is not compressed as its header says, or in a way that is not known here."""


def decompress(body: bytes, content_encoding: str, limit: int, *, partial: bool = False) -> bytes:
    """Undo the codings of a body.

    Args:
        body: As received, of at most `limit` bytes.
        content_encoding: The header's value; words that name no coding count for nothing.
        limit: Bytes after which decompressing stops; more than that come back for a larger body.
        partial: Whether the body may end anywhere, because reading it did.

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
    """Yield the content of all members (RFC 1952); of a body that is none, what it is."""
    if not body.startswith(_GZIP_MAGIC):
        yield body
    while body.startswith(_GZIP_MAGIC):
        body = yield from _inflate(body, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes) -> Iterator[bytes]:
    """Yield the content of a zlib stream, or of the bare one that some servers send instead."""
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
    """Yield the content of all frames (RFC 8878); of a body that is none, what it is."""
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
