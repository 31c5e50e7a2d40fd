"""Bytes of hostile, broken and unusual clients, and the statuses of all responses.

Each input is followed by `PROBE`, a valid request with `Connection: close`, in the same packet. An
input with one status is refused and its connection closed; an input that ends with `(..., 200)` is
accepted, and so is the request after it. If an input smuggled a request, the number of responses
would differ.
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Final, TypeAlias

Statuses: TypeAlias = tuple[int, ...]

HOST: Final = b"Host: localhost"
META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MESSAGE: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
BODY: Final = json.dumps(MESSAGE).encode()
SIZE: Final = len(BODY)
MCP: Final = (
    b"Content-Type: application/json",
    b"MCP-Protocol-Version: 2026-07-28",
    b"Mcp-Method: tools/list",
)
LENGTH: Final = b"Content-Length: %d" % SIZE
CHUNKED: Final = b"Transfer-Encoding: chunked"


def raw(*headers: bytes, line: bytes = b"POST /mcp HTTP/1.1", body: bytes = BODY) -> bytes:
    """Return a request with exactly these header lines, in addition to the required ones."""
    return b"\r\n".join([line, HOST, *MCP, *headers, b"", body])


def chunk(size: bytes, data: bytes = BODY) -> bytes:
    """Return a chunked request whose only chunk has a given size line."""
    return raw(CHUNKED, body=size + b"\r\n" + data + b"\r\n0\r\n\r\n")


def head(*lines: bytes) -> bytes:
    """Return a request with only these lines, without a body."""
    return b"\r\n".join([*lines, b"", b""])


def sent(body: bytes) -> bytes:
    """Return a correctly framed request with a body."""
    return raw(b"Content-Length: %d" % len(body), body=body)


def encoded(name: bytes, body: bytes) -> bytes:
    return raw(b"Content-Encoding: " + name, b"Content-Length: %d" % len(body), body=body)


GOOD: Final = raw(LENGTH)
PROBE: Final = raw(LENGTH, b"Connection: close")
HEX: Final = b"%x" % SIZE
ONE_CHUNK: Final = HEX + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
GET: Final = b"GET /mcp HTTP/1.1"

OK: Final = (200, 200)
REFUSED: Final = (400,)

FRAMING: Final[dict[str, tuple[bytes, Statuses]]] = {
    "length and chunked": (raw(LENGTH, CHUNKED, body=ONE_CHUNK), REFUSED),
    "chunked and length": (raw(CHUNKED, LENGTH, body=ONE_CHUNK), REFUSED),
    "chunked and length 0": (raw(CHUNKED, b"Content-Length: 0", body=ONE_CHUNK), REFUSED),
    "coding xchunked": (raw(b"Transfer-Encoding: xchunked", body=ONE_CHUNK), REFUSED),
    "coding identity": (raw(b"Transfer-Encoding: identity", body=ONE_CHUNK), REFUSED),
    "coding empty": (raw(b"Transfer-Encoding:", body=ONE_CHUNK), REFUSED),
    "chunked, identity": (raw(b"Transfer-Encoding: chunked, identity", body=ONE_CHUNK), REFUSED),
    "gzip, chunked": (raw(b"Transfer-Encoding: gzip, chunked", body=ONE_CHUNK), (400,)),
    "chunked, chunked": (raw(b"Transfer-Encoding: chunked, chunked", body=ONE_CHUNK), REFUSED),
    "chunked twice": (raw(CHUNKED, CHUNKED, body=ONE_CHUNK), REFUSED),
    "chunked and identity": (
        raw(CHUNKED, b"Transfer-Encoding: identity", body=ONE_CHUNK),
        REFUSED,
    ),
    "chunked quoted": (raw(b'Transfer-Encoding: "chunked"', body=ONE_CHUNK), REFUSED),
    "chunked with a parameter": (raw(CHUNKED + b";q=1", body=ONE_CHUNK), REFUSED),
    "chunked after a tab": (raw(b"Transfer-Encoding:\tchunked", body=ONE_CHUNK), OK),
    "chunked in uppercase": (raw(b"Transfer-Encoding: CHUNKED", body=ONE_CHUNK), OK),
    "chunked before a blank": (raw(CHUNKED + b" ", body=ONE_CHUNK), OK),
    "chunked after a vertical tab": (
        raw(b"Transfer-Encoding:\x0bchunked", body=ONE_CHUNK),
        REFUSED,
    ),
    "chunked before NUL": (raw(CHUNKED + b"\x00", body=ONE_CHUNK), REFUSED),
    "chunked before 0xff": (raw(CHUNKED + b"\xff", body=ONE_CHUNK), REFUSED),
    "coding with a blank before the colon": (
        raw(b"Transfer-Encoding : chunked", body=ONE_CHUNK),
        REFUSED,
    ),
    "coding with a line feed in its name": (
        raw(b"Transfer-Encoding\n: chunked", body=ONE_CHUNK),
        REFUSED,
    ),
    "coding folded": (raw(b"Transfer-Encoding:\r\n chunked", body=ONE_CHUNK), REFUSED),
    "coding in a folded value": (raw(b"X-A: b\r\n Transfer-Encoding: chunked", LENGTH), REFUSED),
    "coding after a blank": (raw(b" Transfer-Encoding: chunked", body=ONE_CHUNK), REFUSED),
    "coding after a bare return": (raw(b"X-A: b\rTransfer-Encoding: chunked", LENGTH), REFUSED),
    "coding after a bare line feed": (
        raw(b"X-A: b\nTransfer-Encoding: chunked", LENGTH),
        REFUSED,
    ),
    "coding with an underscore": (raw(b"Transfer_Encoding: chunked", LENGTH), OK),
    "coding in HTTP/1.0": (
        raw(CHUNKED, line=b"POST /mcp HTTP/1.0", body=ONE_CHUNK),
        REFUSED,
    ),
}

LENGTHS: Final[dict[str, tuple[bytes, Statuses]]] = {
    "the same twice": (raw(LENGTH, LENGTH), REFUSED),
    "two that differ": (raw(LENGTH, b"Content-Length: 0"), REFUSED),
    "a list of the same twice": (raw(LENGTH + b", %d" % SIZE), REFUSED),
    "a plus sign": (raw(b"Content-Length: +%d" % SIZE), REFUSED),
    "a minus sign": (raw(b"Content-Length: -1"), REFUSED),
    "a hexadecimal number": (raw(b"Content-Length: 0x%x" % SIZE), REFUSED),
    "an exponent": (raw(b"Content-Length: 1e2"), REFUSED),
    "an underscore": (raw(b"Content-Length: 1_0"), REFUSED),
    "a blank inside": (raw(b"Content-Length: 1 0"), REFUSED),
    "a fraction": (raw(LENGTH + b".0"), REFUSED),
    "a parameter": (raw(LENGTH + b";a"), REFUSED),
    "nothing": (raw(b"Content-Length:"), REFUSED),
    "a comma": (raw(b"Content-Length: ,"), REFUSED),
    "2**64": (raw(b"Content-Length: 18446744073709551616"), REFUSED),
    "2**64 plus the size": (raw(b"Content-Length: %d" % (2**64 + SIZE)), REFUSED),
    "2**63": (raw(b"Content-Length: 9223372036854775808"), (413,)),
    "above the limit of a body": (raw(b"Content-Length: 4194305"), (413,)),
    "leading zeros": (raw(b"Content-Length: 000%d" % SIZE), OK),
    "a tab after it": (raw(LENGTH + b"\t"), OK),
    "a vertical tab after it": (raw(LENGTH + b"\x0b"), REFUSED),
    "a blank before the colon": (raw(b"Content-Length : %d" % SIZE), REFUSED),
    "Arabic digits": (raw("Content-Length: \u0661".encode()), REFUSED),
    "folded": (raw(b"Content-Length:\r\n %d" % SIZE), REFUSED),
    "none": (raw(body=b""), (400, 200)),
}

CHUNKS: Final[dict[str, tuple[bytes, Statuses]]] = {
    "one": (raw(CHUNKED, body=ONE_CHUNK), OK),
    "uppercase": (chunk(HEX.upper()), OK),
    "leading zeros": (chunk(b"000" + HEX), OK),
    "an extension": (chunk(HEX + b";a=b"), OK),
    "a quoted extension": (chunk(HEX + b';a="b c"'), OK),
    "a trailer": (raw(CHUNKED, body=HEX + b"\r\n" + BODY + b"\r\n0\r\nX-A: b\r\n\r\n"), OK),
    "a trailer of another length": (
        raw(CHUNKED, body=HEX + b"\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n"),
        REFUSED,
    ),
    "many": (
        raw(CHUNKED, body=b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"),
        OK,
    ),
    "a minus sign": (chunk(b"-1"), REFUSED),
    "a plus sign": (chunk(b"+" + HEX), REFUSED),
    "a prefix": (chunk(b"0x" + HEX), REFUSED),
    "not a number": (chunk(b"g"), REFUSED),
    "nothing": (chunk(b""), REFUSED),
    "a blank before it": (chunk(b" " + HEX), REFUSED),
    "a blank after it": (chunk(HEX + b" "), REFUSED),
    "an underscore": (chunk(b"1_0"), REFUSED),
    "more than 64 bits": (chunk(b"f" * 17), REFUSED),
    "above the limit of a body": (chunk(b"%x" % (2**22 + 1), b" " * (2**22 + 1)), (413,)),
    "a bare line feed after it": (
        raw(CHUNKED, body=HEX + b"\n" + BODY + b"\r\n0\r\n\r\n"),
        REFUSED,
    ),
    "a bare return after it": (
        raw(CHUNKED, body=HEX + b"\r" + BODY + b"\r\n0\r\n\r\n"),
        REFUSED,
    ),
    "a line feed in its extension": (chunk(HEX + b";a\nb"), REFUSED),
    "NUL in its extension": (chunk(HEX + b";a=\x00"), REFUSED),
    "less than the data": (chunk(b"%x" % (SIZE - 5)), REFUSED),
    "more than the data": (chunk(b"%x" % (SIZE + 1)), REFUSED),
    "data without an end": (raw(CHUNKED, body=HEX + b"\r\n" + BODY + b"0\r\n\r\n"), REFUSED),
    "data that ends in a line feed": (
        raw(CHUNKED, body=HEX + b"\r\n" + BODY + b"\n0\r\n\r\n"),
        REFUSED,
    ),
    "a trailer without a colon": (
        raw(CHUNKED, body=HEX + b"\r\n" + BODY + b"\r\n0\r\nX-A\r\n\r\n"),
        REFUSED,
    ),
}

LINES: Final[dict[str, tuple[bytes, Statuses]]] = {
    "an empty line before": (b"\r\n" + GOOD, OK),
    "a blank before": (b" " + GOOD, REFUSED),
    "bare line feeds": (GOOD.replace(b"\r\n", b"\n"), REFUSED),
    "bare returns": (GOOD.replace(b"\r\n", b"\r"), REFUSED),
    "a method in lowercase": (raw(LENGTH, line=b"post /mcp HTTP/1.1"), REFUSED),
    "an unknown method": (raw(LENGTH, line=b"FOO /mcp HTTP/1.1"), REFUSED),
    "a method with a blank": (raw(LENGTH, line=b"PO ST /mcp HTTP/1.1"), REFUSED),
    "a method with NUL": (raw(LENGTH, line=b"POST\x00 /mcp HTTP/1.1"), REFUSED),
    "no version": (raw(LENGTH, line=b"POST /mcp"), REFUSED),
    "no path": (raw(LENGTH, line=b"POST HTTP/1.1"), REFUSED),
    "two blanks": (raw(LENGTH, line=b"POST  /mcp HTTP/1.1"), OK),  # RFC 9112 section 3 allows it
    "tabs": (raw(LENGTH, line=b"POST\t/mcp\tHTTP/1.1"), REFUSED),
    "a blank in the path": (raw(LENGTH, line=b"POST /m cp HTTP/1.1"), REFUSED),
    "a blank after the version": (raw(LENGTH, line=b"POST /mcp HTTP/1.1 "), REFUSED),
    "HTTP/0.9": (raw(LENGTH, line=b"POST /mcp HTTP/0.9"), REFUSED),
    "HTTP/1.2": (raw(LENGTH, line=b"POST /mcp HTTP/1.2"), REFUSED),
    "HTTP/2.0": (raw(LENGTH, line=b"POST /mcp HTTP/2.0"), REFUSED),
    "HTTP/11": (raw(LENGTH, line=b"POST /mcp HTTP/11"), REFUSED),
    "http/1.1": (raw(LENGTH, line=b"POST /mcp http/1.1"), REFUSED),
    "another protocol": (raw(LENGTH, line=b"POST /mcp ICY/1.1"), REFUSED),
    "HTTP/2 with prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)), REFUSED),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", REFUSED),
    "zeros": (bytes(64), REFUSED),
    "a long path": (raw(LENGTH, line=b"POST /mcp?" + b"a" * 9000 + b" HTTP/1.1"), (431,)),
    "a path with NUL": (raw(LENGTH, line=b"POST /mcp\x00 HTTP/1.1"), REFUSED),
    "an encoded NUL": (raw(LENGTH, line=b"POST /mcp%00 HTTP/1.1"), (404, 200)),
    "an encoded letter": (raw(LENGTH, line=b"POST /%6dcp HTTP/1.1"), OK),
    "a query": (raw(LENGTH, line=b"POST /mcp?a=b HTTP/1.1"), OK),
    "a parent folder": (raw(LENGTH, line=b"POST /mcp/../admin HTTP/1.1"), (404, 200)),
    "two slashes": (raw(LENGTH, line=b"POST //mcp HTTP/1.1"), (404, 200)),
    "the URL": (raw(LENGTH, line=b"POST http://localhost/mcp HTTP/1.1"), OK),
    "the URL of another host": (raw(LENGTH, line=b"POST http://evil/mcp HTTP/1.1"), (403, 200)),
    "the URL with a user": (raw(LENGTH, line=b"POST http://a@localhost/mcp HTTP/1.1"), (403, 200)),
    "an invalid URL": (raw(LENGTH, line=b"POST http://[/mcp HTTP/1.1"), REFUSED),
    "a tunnel": (head(b"CONNECT localhost:80 HTTP/1.1", HOST), (404, 200)),
    "an asterisk": (head(b"OPTIONS * HTTP/1.1", HOST), (404, 200)),
    "an asterisk and an invalid host": (head(b"OPTIONS * HTTP/1.1", b"Host: \xff"), (404, 200)),
    "an asterisk and half an IPv6 address": (
        head(b"OPTIONS * HTTP/1.1", b"Host: [::1"),
        (404, 200),
    ),
    "the URL and an invalid host": (
        head(b"PUT http://localhost/mcp HTTP/1.1", b"Host: \xff"),
        (405, 200),
    ),
    "TRACE": (head(b"TRACE /mcp HTTP/1.1", HOST), (405, 200)),
    "PUT": (raw(LENGTH, line=b"PUT /mcp HTTP/1.1"), (405, 200)),
    "HEAD": (head(b"HEAD /mcp HTTP/1.1", HOST), (405, 200)),
}

HEADERS: Final[dict[str, tuple[bytes, Statuses]]] = {
    "no host": (head(b"GET /mcp HTTP/1.1"), REFUSED),
    "two hosts": (head(GET, HOST, b"Host: evil.example"), REFUSED),
    "the same host twice": (head(GET, HOST, HOST), REFUSED),
    "an empty host": (head(GET, b"Host:"), (403, 200)),
    "a foreign host": (head(GET, b"Host: evil.example"), (403, 200)),
    "a host with a user": (head(GET, b"Host: localhost@evil.example"), (403, 200)),
    "a host with an invalid port": (head(GET, b"Host: localhost:x"), (403, 200)),
    "a host with a slash": (head(GET, b"Host: localhost/evil"), (403, 200)),
    "a foreign origin": (head(GET, HOST, b"Origin: http://evil.example"), (403, 200)),
    "the origin null": (head(GET, HOST, b"Origin: null"), (403, 200)),
    "no colon": (head(GET, HOST, b"X-A"), REFUSED),
    "no name": (head(GET, HOST, b": b"), REFUSED),
    "a name with a blank": (head(GET, HOST, b"X A: b"), REFUSED),
    "a name with a bracket": (head(GET, HOST, b"X(A): b"), REFUSED),
    "a name with 0xff": (head(GET, HOST, b"X\xff: b"), REFUSED),
    "a name with NUL": (head(GET, HOST, b"X\x00: b"), REFUSED),
    "a value with NUL": (head(GET, HOST, b"Authorization: Bearer CANARY\x00"), REFUSED),
    "a value with a control character": (head(GET, HOST, b"X-A: \x01"), REFUSED),
    "a value with DEL": (head(GET, HOST, b"X-A: \x7f"), REFUSED),
    "a value with a bare return": (head(GET, HOST, b"X-A: b\rX-B: c"), REFUSED),
    "a value with a bare line feed": (head(GET, HOST, b"X-A: b\nX-B: c"), REFUSED),
    "a value with 0xff": (head(GET, HOST, b"X-A: \xff"), (400, 200)),
    "a folded value": (head(GET, HOST, b"X-A: b\r\n c"), REFUSED),
    "a blank before the first": (head(GET, b" X-A: b", HOST), REFUSED),
    "a long name": (head(GET, HOST, b"X" * 9000 + b": b"), (431,)),
    "a long value": (head(GET, HOST, b"X-A: " + b"b" * 9000), (431,)),
    "129 headers": (head(GET, *([b"X-A: b"] * 128), HOST), REFUSED),
    "a mebibyte of headers": (head(GET, HOST, *([b"X-A: " + b"b" * 8000] * 131)), REFUSED),
    "two media types": (raw(LENGTH, b"Content-Type: text/plain"), REFUSED),
    "two sessions": (
        raw(LENGTH, b"Mcp-Session-Id: a", b"Mcp-Session-Id: b"),
        OK,  # 2026-07-28 has no sessions
    ),
    "two methods": (raw(LENGTH, b"Mcp-Method: tools/call"), (400, 200)),
    "a header of an old WebSocket version": (head(GET, HOST, b"Sec-WebSocket-Key1: a"), REFUSED),
}

CODINGS: Final[dict[str, tuple[bytes, Statuses]]] = {
    "identity": (encoded(b"identity", BODY), OK),
    "gzip": (encoded(b"gzip", gzip.compress(BODY)), (415, 200)),
    "deflate": (encoded(b"deflate", zlib.compress(BODY)), (415, 200)),
    "br": (encoded(b"br", BODY), (415, 200)),
    "zstd": (encoded(b"zstd", BODY), (415, 200)),
    "gzip of other data": (encoded(b"gzip", BODY), (415, 200)),
    "gzip in uppercase": (encoded(b"GZIP", gzip.compress(BODY)), (415, 200)),
    "gzip twice": (encoded(b"gzip, gzip", gzip.compress(gzip.compress(BODY))), (415, 200)),
    "an unknown coding": (encoded(b"x-nothing", BODY), (415, 200)),
    "gzip of a gigabyte": (encoded(b"gzip", gzip.compress(bytes(10**7))), (415, 200)),
}

UPGRADES: Final[dict[str, tuple[bytes, Statuses]]] = {
    name: (
        raw(LENGTH, b"Connection: Upgrade", b"Upgrade: " + name.encode(), b"HTTP2-Settings: AAMA"),
        (200,),
    )
    for name in ("h2c", "websocket", "tcp", "TLS/1.0", "foo")
}

PIPELINES: Final[dict[str, tuple[bytes, Statuses]]] = {
    "two valid requests": (GOOD * 2, (200, 200, 200)),
    "forty valid requests": (GOOD * 40, (200,) * 41),
    "a valid request and an invalid one": (GOOD + b"\x00\r\n\r\n", REFUSED),
    "an invalid request and a valid one": (b"\x00\r\n\r\n" + GOOD, REFUSED),
    "a request after Connection: close": (PROBE + GOOD, REFUSED),
    "HTTP/1.0": (raw(LENGTH, line=b"POST /mcp HTTP/1.0") + GOOD, REFUSED),
    "a body in a GET": (raw(LENGTH, line=GET) + GOOD, (405, 200, 200)),
}

BODIES: Final[dict[str, tuple[bytes, Statuses]]] = {
    "empty": (sent(b""), (400, 200)),
    "not JSON": (sent(b"{"), (400, 200)),
    "not UTF-8": (sent(b'"\xff"'), (400, 200)),
    "UTF-16": (sent(BODY.decode().encode("utf-16")), (400, 200)),
    "a byte order mark": (sent(b"\xef\xbb\xbf" + BODY), (400, 200)),
    "NaN": (sent(b'{"id":NaN}'), (400, 200)),
    "half a surrogate pair": (sent(rb'"\ud800"'), (400, 200)),
    "nested 100,000 deep": (sent(b"[" * 100_000), (400, 200)),
    "an id of 5,000 digits": (sent(BODY.replace(b": 1", b": " + b"1" * 5000)), (400, 200)),
    "a fraction as id": (sent(BODY.replace(b": 1", b": 1.5")), (400, 200)),
    "null as id": (sent(BODY.replace(b": 1", b": null")), (400, 200)),
    "a batch": (sent(b"[" + BODY + b"]"), (400, 200)),
    "an empty batch": (sent(b"[]"), (400, 200)),
    "a number": (sent(b"1"), (400, 200)),
    "a string": (sent(b'"a"'), (400, 200)),
    "null": (sent(b"null"), (400, 200)),
    "two documents": (sent(BODY + BODY), (400, 200)),
}

TABLES: Final = {
    "framing": FRAMING,
    "length": LENGTHS,
    "chunk": CHUNKS,
    "request line": LINES,
    "header": HEADERS,
    "coding": CODINGS,
    "upgrade": UPGRADES,
    "pipeline": PIPELINES,
    "body": BODIES,
}

CASES: Final = {
    f"{table}: {name}": case for table, cases in TABLES.items() for name, case in cases.items()
}

IN_PIECES: Final[dict[str, Statuses]] = {
    "pipeline: a valid request and an invalid one": (200, 400),
    "pipeline: a request after Connection: close": (200,),
    "pipeline: HTTP/1.0": (200,),
}
"""The statuses if the input arrives in pieces, where they differ from `CASES`: aiohttp refuses a
packet with data after a request that closes the connection, or with an invalid end."""
