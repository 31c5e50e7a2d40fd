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
def test_supported_codings_are_decompressed(coding: str) -> None:
    assert decompress(CODED[coding], coding, 1 << 20) == TEXT


@pytest.mark.parametrize("coding", ["", "identity", "UTF-8", "aws-chunked", "gzip", "zstd"])
def test_a_body_that_is_not_compressed_is_returned_unchanged(coding: str) -> None:
    assert decompress(TEXT, coding, 1 << 20) == TEXT


@pytest.mark.parametrize("coding", CODED)
def test_an_empty_body_stays_empty(coding: str) -> None:
    assert decompress(b"", coding, 1 << 20) == b""


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip, gzip, gzip", "exi"])
def test_an_unsupported_coding_is_an_error(coding: str) -> None:
    with pytest.raises(CompressionError):
        decompress(TEXT, coding, 1 << 20)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_an_invalid_body_is_an_error_and_a_partial_one_can_be_read(coding: str) -> None:
    half = CODED[coding][: len(CODED[coding]) // 2]
    with pytest.raises(CompressionError):
        decompress(half, coding, 1 << 20)
    assert TEXT.startswith(decompress(half, coding, 1 << 20, partial=True))
    with pytest.raises(CompressionError):
        decompress(CODED[coding][:4] + b"\xff" * 40, coding, 1 << 20)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_decompression_stops_at_the_limit(coding: str) -> None:
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
