from __future__ import annotations

import gzip
import tracemalloc
import zlib

import brotli
import pytest

from mcp_operator.gateway.upstream.compression import CompressionError, decompress
from support.zstandard import compressed as zstd

TEXT = b'{"a":1}' * 1000
RAW = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": gzip.compress(TEXT),
    "X-GZip": gzip.compress(TEXT[:10]) + gzip.compress(TEXT[10:]),
    "deflate": zlib.compress(TEXT),
    "deflate ": RAW.compress(TEXT) + RAW.flush(),
    "br": brotli.compress(TEXT),
    "zstd": zstd(TEXT),
    "gzip, br": brotli.compress(gzip.compress(TEXT)),
    "gzip;q=1.0": gzip.compress(TEXT),
    "identity, gzip ,aws-chunked": gzip.compress(TEXT),
}


@pytest.mark.parametrize("coding", CODED)
def test_what_backends_compress_with_is_undone(coding: str) -> None:
    assert decompress(CODED[coding], coding, 1 << 20) == TEXT


@pytest.mark.parametrize("coding", ["", "identity", "UTF-8", "aws-chunked", "gzip", "zstd"])
def test_a_header_that_is_not_true_means_nothing(coding: str) -> None:
    assert decompress(TEXT, coding, 1 << 20) == TEXT


@pytest.mark.parametrize("coding", CODED)
def test_nothing_stays_nothing(coding: str) -> None:
    assert decompress(b"", coding, 1 << 20) == b""


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip, gzip, gzip", "exi"])
def test_what_is_not_known_is_said(coding: str) -> None:
    with pytest.raises(CompressionError):
        decompress(TEXT, coding, 1 << 20)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_broken_body_is_said_and_half_a_body_is_half(coding: str) -> None:
    half = CODED[coding][: len(CODED[coding]) // 2]
    with pytest.raises(CompressionError):
        decompress(half, coding, 1 << 20)
    assert TEXT.startswith(decompress(half, coding, 1 << 20, partial=True))
    with pytest.raises(CompressionError):
        decompress(CODED[coding][:4] + b"\xff" * 40, coding, 1 << 20)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_left_alone_at_the_limit(coding: str) -> None:
    bomb = {
        "gzip": lambda data: gzip.compress(data, 9),
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstd,
    }[coding](bytes(64 << 20))
    assert len(bomb) < 1 << 17
    tracemalloc.start()
    try:
        found = decompress(bomb, coding, 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1 << 20 < len(found) < 2 << 20
    assert peak < 8 << 20
