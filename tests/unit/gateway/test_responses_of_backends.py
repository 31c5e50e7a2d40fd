"""The result of a call for each kind of response of real APIs, through a whole gateway."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import brotli
import pytest

from support.everything import PNG
from support.served_calls import Said, serving
from support.zstandard import compressed as zstd

Json = dict[str, Any]

OBJECT = {"type": "object"}
JSON = "application/json"


async def answered(said: Said, **entry: Any) -> Json:
    """Call a tool whose backend sends this response."""
    written = {"name": "t", "path": "/said", "method": "GET"} | entry
    async with serving(written, answers={"/said": said}) as served:
        return await served.call("t")


def texts(result: Json) -> list[str]:
    return [block["text"] for block in result["content"]]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (Said(content_type=JSON, status=204), "204 No Content without content."),
        (Said(content_type=JSON, status=202), "202 Accepted without content."),
        (Said("\n", JSON), "200 OK without content."),
        (Said(" \r\n ", "text/plain"), "200 OK without content."),
        (Said(content_type="image/png"), "200 OK without content."),
        (Said(content_type="application/pdf", status=205), "205 Reset Content without content."),
        (Said(headers=(("Content-Encoding", "gzip"),)), "200 OK without content."),
    ],
)
async def test_a_success_without_content_returns_a_success_with_its_status(
    said: Said, line: str
) -> None:
    result = await answered(said)
    assert texts(result) == [f"The backend answered {line}"]
    assert "isError" not in result


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_success_without_content_tells_not_to_repeat_the_call(status: int) -> None:
    result = await answered(Said(content_type=JSON, status=status), outputSchema=OBJECT)
    [text] = texts(result)
    assert "the call succeeded and returned nothing, so do not repeat it" in text


@pytest.mark.parametrize(
    ("response", "listed"),
    [({"structured": "Never"}, False), ({"structured": "Always"}, True), ({}, True)],
)
@pytest.mark.parametrize("body", ['{"id":7}', "[7]", "7", "null"])
async def test_only_tools_with_a_listed_output_schema_return_structured_content(
    response: Json, body: str, *, listed: bool
) -> None:
    schema = {"type": ["object", "array", "number", "null"]}
    written = {"name": "t", "path": "/said", "outputSchema": schema, "response": response}
    async with serving(written, answers={"/said": Said(body, JSON)}) as served:
        [tool] = (await served.ask("tools/list"))["tools"]
        result = await served.call("t")
    assert ("outputSchema" in tool) is listed
    assert ("structuredContent" in result) is listed
    assert texts(result) == [body]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (Said('{"id":4711,"note":null}', JSON, 201), "note: null is not of type"),
        (Said("[1]", JSON, 201), "is not of type"),
        (Said("created 4711", "text/plain", 201), "is not the JSON asked for"),
        (Said("<order id='4711'/>", "application/xml", 201), "is not the JSON asked for"),
        (Said('{"id":4711', JSON, 201), "not the JSON that its content type declares"),
    ],
)
async def test_a_response_that_violates_the_output_schema_is_shown_with_the_error(
    said: Said, shown: str
) -> None:
    schema = OBJECT | {"properties": {"note": {"type": "string"}}}
    result = await answered(said, outputSchema=schema)
    [text] = texts(result)
    assert result["isError"]
    assert "201 Created: the call was made, so do not repeat it" in text
    assert shown in text
    assert text.endswith(f"The answer: {said.body!s}")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/html; charset=utf-8", "", "text/json"]
)
@pytest.mark.parametrize(
    "entry",
    [
        {"outputSchema": OBJECT},
        {"response": {"structured": "Always"}},
        {"response": {"jsonPath": "$"}},
        {"response": {"mimeType": JSON}},
    ],
)
async def test_json_with_another_content_type_is_parsed_if_the_tool_expects_json(
    content_type: str, entry: Json
) -> None:
    result = await answered(Said('{"id":4711}', content_type), **entry)
    assert result["structuredContent"] == {"id": 4711}


BODY = b'{"a":1}'
RAW = zlib.compressobj(wbits=-15)
ENCODED = [
    ("gzip", gzip.compress(BODY, mtime=0)),
    ("x-gzip", gzip.compress(BODY, mtime=0)),
    ("deflate", zlib.compress(BODY)),
    ("deflate", RAW.compress(BODY) + RAW.flush()),
    ("br", brotli.compress(BODY)),
    ("zstd", zstd(BODY)),
    ("gzip, br", brotli.compress(gzip.compress(BODY, mtime=0))),
    ("", BODY),
    ("UTF-8", BODY),
    ("identity", BODY),
    ("gzip", BODY),
]


@pytest.mark.parametrize(("coding", "body"), ENCODED)
@pytest.mark.parametrize("status", [200, 404])
async def test_compressed_responses_are_decompressed(coding: str, body: bytes, status: int) -> None:
    result = await answered(Said(body, JSON, status, (("Content-Encoding", coding),)))
    assert texts(result)[0].endswith('{"a":1}')
    assert result.get("isError", False) is (status == 404)


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", gzip.compress(BODY, mtime=0)[:-9]), ("br", BODY), ("compress", b"\x1f\x9d")],
)
async def test_an_error_response_that_cannot_be_decompressed_keeps_its_status(
    coding: str, body: bytes
) -> None:
    result = await answered(Said(body, JSON, 404, (("Content-Encoding", coding),)))
    assert "404 Not Found: its body cannot be decompressed" in texts(result)[0]


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
async def test_a_response_that_is_too_large_after_decompression_is_refused(coding: str) -> None:
    body = bytes(2_000_000)
    for _ in coding.split(","):
        body = gzip.compress(body)
    said = Said(body, "text/plain", headers=(("Content-Encoding", coding),))
    result = await answered(said, response={"maxBytes": 1_000_000})
    assert "larger than 1000000 bytes. Request less" in texts(result)[0]


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("GBK", "gbk", "北京"),
        ("gb2312", "gbk", "東京"),
        ("Shift_JIS", "cp932", "在庫①"),
        ("EUC-KR", "cp949", "똠방각하"),
        ("KOI8-R", "koi8-r", "Привет"),
        ("Big5", "big5", "庫存"),
        ("cp1252", "cp1252", "5 €"),
        ("ISO-8859-1", "cp1252", "5 €"),
        ("windows-1251", "cp1251", "Привет"),
        ("utf-16", "utf-16", "grüße"),
        ("no-such-charset", "utf-8", "grüße"),
        ("latin1", "utf-8-sig", "grüße"),
    ],
)
async def test_text_and_json_are_decoded_with_their_charset(
    charset: str, codec: str, text: str
) -> None:
    plain = await answered(Said(text.encode(codec), f"text/plain; charset={charset}"))
    assert texts(plain) == [text]
    quoted = json.dumps({"a": text}, ensure_ascii=False).encode(codec)
    found = await answered(Said(quoted, f"application/json; charset={charset}"))
    assert found["structuredContent"] == {"a": text}


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=utf-8", "text/csv"])
async def test_text_that_cannot_be_decoded_is_returned_as_bytes(content_type: str) -> None:
    result = await answered(Said(b"gr\xfc\xdfe", content_type))
    line, block = result["content"]
    assert f"with {content_type.partition(';')[0]}, 5 bytes" in line["text"]
    assert base64.b64decode(block["resource"]["blob"]) == b"gr\xfc\xdfe"


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        (Said("<svg/>", "image/svg+xml"), ["text"]),
        (Said(b"II*\0", "image/tiff"), ["text", "resource"]),
        (Said(b"\0\0\1\0", "image/x-icon"), ["text", "resource"]),
        (Said(b"BM\0\0", "image/bmp"), ["text", "resource"]),
        (Said(b"", "image/gif"), ["text"]),
        (Said(PNG, "image/png"), ["image"]),
        (Said(PNG, "image/jpeg"), ["image"]),
        (Said(b"\0 no image", "image/png"), ["text", "resource"]),
        (Said("<html>login", "image/png"), ["text"]),
        (Said(b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"), ["image"]),
    ],
)
async def test_only_image_types_that_models_support_become_image_blocks(
    said: Said, kinds: list[str]
) -> None:
    result = await answered(said)
    assert [block["type"] for block in result["content"]] == kinds
    assert all(block["mimeType"] == "image/png" or said.body != PNG
               for block in result["content"] if block["type"] == "image")  # fmt: skip


@pytest.mark.parametrize(
    ("said", "entry", "shown"),
    [
        (
            Said("[1]", JSON, headers=(("Link", '</p?c=2>; rel="next"'), ("X-Total-Count", "42"))),
            {},
            'Link: </p?c=2>; rel="next"\nX-Total-Count: 42',
        ),
        (Said(status=201, headers=(("Location", "/orders/4711"),)), {}, "Location: /orders/4711"),
        (Said("slow down", status=429, headers=(("Retry-After", "17"),)), {}, "Retry-After: 17"),
        (Said(status=503, headers=(("Retry-After", "17"),)), {}, "Retry-After: 17"),
        (Said("{}", JSON, headers=(("ETag", '"x"'),)), {}, 'ETag: "x"'),
        (
            Said("{}", JSON, headers=(("Link", "</a>"), ("Link", "</b>"))),
            {"response": {"headers": ["link"]}},
            "link: </a>, </b>",
        ),
    ],
)
async def test_headers_that_a_model_needs_are_in_the_result(
    said: Said, entry: Json, shown: str
) -> None:
    result = await answered(said, **entry)
    assert texts(result)[-1] == f"Headers of the answer:\n{shown}"


@pytest.mark.parametrize("headers", [[], ["X-Other"]])
async def test_other_headers_are_not_in_the_result(headers: list[str]) -> None:
    said = Said("{}", JSON, headers=(("ETag", '"x"'), ("Set-Cookie", "a=b")))
    assert texts(await answered(said, response={"headers": headers})) == ["{}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/x/", "http://orders.demo.svc/x/", "//orders.demo/x/", "x/"])
async def test_a_redirect_within_the_service_is_followed(status: int, location: str) -> None:
    result = await answered(Said(status=status, headers=(("Location", location),)))
    assert json.loads(texts(result)[0])["request"] == "GET /x/"


@pytest.mark.parametrize(
    ("said", "entry", "told"),
    [
        (
            Said(status=302, headers=(("Location", "https://sso.example/"),)),
            {},
            "a redirect to https://sso.example/, which is not on the tool's Service",
        ),
        (
            Said(status=307, headers=(("Location", "/x/"),)),
            {"method": "POST"},
            "a redirect to /x/, which is not followed",
        ),
        (
            Said(status=302, headers=(("Location", "/x/"),)),
            {"response": {"followRedirects": "Never"}},
            "a redirect to /x/, which is not followed",
        ),
        (Said(status=302), {}, "a redirect without a location"),
        (
            Said(status=303, headers=(("Location", "/orders/1"),)),
            {"method": "POST"},
            "the call was made, so do not repeat it; the result is at /orders/1",
        ),
        (Said(status=304), {}, "304 Not Modified, but the request had no condition"),
    ],
)
async def test_any_other_redirect_is_an_error_with_its_location(
    said: Said, entry: Json, told: str
) -> None:
    result = await answered(said, **entry)
    assert result["isError"]
    assert told in texts(result)[0]


@pytest.mark.parametrize("error_status", ["5xx", "4xx,5xx"])
@pytest.mark.parametrize("status", [300, 306, 399])
async def test_a_3xx_response_that_is_not_a_redirect_returns_its_content(
    status: int, error_status: str
) -> None:
    said = Said('{"choices":["a"]}', JSON, status)
    result = await answered(said, response={"errorStatus": error_status})
    assert result["structuredContent"] == {"choices": ["a"]}


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "object"},
        {"type": "object", "additionalProperties": False},
        {"type": "object", "description": "No arguments."},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
)
async def test_the_listed_input_schema_always_has_properties(schema: Any) -> None:
    written = {"name": "t", "path": "/x"} | ({"inputSchema": schema} if schema else {})
    async with serving(written) as served:
        [tool] = (await served.ask("tools/list"))["tools"]
    assert tool["inputSchema"]["properties"] == {}
    assert tool["inputSchema"]["type"] == "object"


@pytest.mark.parametrize(
    ("lines", "forwarded"),
    [
        (["203.0.113.9", "10.0.0.1"], "203.0.113.9, 10.0.0.1"),
        (["203.0.113.9, 10.0.0.1", "10.0.0.2"], "203.0.113.9, 10.0.0.1, 10.0.0.2"),
        (["203.0.113.9"], "203.0.113.9"),
        (["", "10.0.0.1"], ", 10.0.0.1"),
    ],
)
async def test_repeated_headers_are_forwarded_as_one_list(lines: list[str], forwarded: str) -> None:
    written = {"name": "t", "path": "/x", "request": {"forwardHeaders": ["X-Forwarded-For"]}}
    async with serving(written) as served:
        result = await served.call("t", {}, *(("X-Forwarded-For", line) for line in lines))
    assert json.loads(texts(result)[0])["headers"]["x-forwarded-for"] == forwarded


@pytest.mark.parametrize(
    "accepted",
    [
        ["text/event-stream", "application/json"],
        ["application/json", "text/event-stream"],
        ["application/json, text/event-stream", "*/*"],
        ["text/html", "application/json;q=0.9", "text/event-stream"],
    ],
)
async def test_several_accept_headers_are_accepted(accepted: list[str]) -> None:
    async with serving({"name": "t", "path": "/x"}) as served:
        served.own_headers.append("accept")
        result = await served.call("t", {}, *(("Accept", one) for one in accepted))
    assert "content" in result


@pytest.mark.parametrize(
    ("mime_type", "said", "content"),
    [
        ("text/markdown", Said("# Hi", "application/octet-stream"), {"text": "# Hi"}),
        ("application/json", Said('{"a":1}', "text/plain"), {"text": '{"a":1}'}),
        ("text/csv; charset=cp1252", Said(b"5 \x80", "binary/octet-stream"), {"text": "5 €"}),
        ("application/pdf", Said(b"%PDF", "text/plain"), {"blob": "JVBERg=="}),
        ("image/png", Said(b"\x89PNG", ""), {"blob": "iVBORw=="}),
    ],
)
async def test_the_mime_type_of_a_resource_is_the_declared_one(
    mime_type: str, said: Said, content: Json
) -> None:
    service = {"name": "orders", "port": 80, "path": "/said"}
    operation = {"uri": "docs://a", "service": service, "mimeType": mime_type}
    async with serving(operations=(operation,), answers={"/said": said}) as served:
        listed = await served.ask("resources/list")
        read = await served.ask("resources/read", uri="docs://a")
    assert listed["resources"][0]["mimeType"] == mime_type
    assert read["contents"] == [{"uri": "docs://a", "mimeType": mime_type} | content]
