from __future__ import annotations

import base64

import pytest

from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.content import resource_contents
from support.answers import PNG, map_answer, text_of


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain", "grüße".encode(), "grüße"),
        ("text/html; charset=ISO-8859-1", b"gr\xfc\xdfe", "grüße"),
        ("text/plain; charset=base64", b"abc", "abc"),
        ("text/plain; charset=utf-99", b"abc", "abc"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/rss+xml", b"<a/>", "<a/>"),
        ("application/yaml", b"a: 1", "a: 1"),
        ("", b"plain", "plain"),
    ],
)
def test_text_becomes_a_text_block(content_type: str, body: bytes, expected: str) -> None:
    assert text_of(map_answer(body, content_type)) == expected


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain; charset=GBK", "东京".encode("gbk"), "东京"),
        ("text/plain; charset='gb18030'", "东京".encode("gb18030"), "东京"),
        ('text/html; charset="Shift_JIS"', "在庫".encode("shift_jis"), "在庫"),
        ("text/csv; charset=x-sjis", "在庫".encode("shift_jis"), "在庫"),
        ("text/plain; charset=cp1252", b"5 \x80", "5 €"),
        ("text/plain; charset=utf-16", "a€".encode("utf-16"), "a€"),
        ("text/plain", b"\xef\xbb\xbfa", "a"),
        ("application/json;charset=ISO-8859-1", b'"M\xfcller"', "Müller"),
        ("application/json", '"€"'.encode("utf-16"), "€"),
        (
            "text/xml",
            '<?xml version="1.0" encoding="latin1"?>ü'.encode("latin1"),
            '<?xml version="1.0" encoding="latin1"?>ü',
        ),
        ("text/html", b'<meta charset="koi8-r">\xf0', '<meta charset="koi8-r">П'),
        ("application/x-ndjson", b'{"a":1}', '{"a":1}'),
        ("text/event-stream", b"data: 1\n\n", "data: 1\n\n"),
        ("application/openmetrics-text; version=1.0.0", b"a 1\n# EOF", "a 1\n# EOF"),
        ("application/vnd.acme.thing", "grüße".encode(), "grüße"),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
        ("image/png", b"<html>login</html>", "<html>login</html>"),
    ],
)
def test_text_is_read_in_the_charset_that_it_is_in(
    content_type: str, body: bytes, expected: str
) -> None:
    assert text_of(map_answer(body, content_type)) == expected


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"a\xffb"),
        ("text/plain; charset=utf-8", b"a\xffb"),
        ("application/vnd.acme.thing", b"a\x00b"),
        ("application/pdf", b"%PDF-1.4"),
        ("image/tiff", b"II*\x00"),
        ("image/x-icon", b"\x00\x00\x01\x00"),
        ("image/png", b"\x00\x01"),
        ("video/mp4", b"ftyp"),
    ],
)
def test_what_no_model_can_read_is_a_resource_with_a_line_before_it(
    content_type: str, body: bytes
) -> None:
    line, block = map_answer(body, content_type).content
    assert f"{len(body)} bytes" in line["text"]
    assert content_type.partition(";")[0] in line["text"]
    assert base64.b64decode(block["resource"]["blob"]) == body


def test_a_file_of_text_is_a_resource_that_can_be_read() -> None:
    line, block = map_answer(b"# Read me", "application/octet-stream").content
    assert "application/octet-stream, 9 bytes" in line["text"]
    assert block["resource"]["text"] == "# Read me"


@pytest.mark.parametrize(
    ("body", "mime_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (PNG, "image/png"),
    ],
)
def test_an_image_is_of_the_type_that_its_bytes_are(body: bytes, mime_type: str) -> None:
    (block,) = map_answer(body, "image/jpg").content
    assert (block["type"], block["mimeType"]) == ("image", mime_type)


@pytest.mark.parametrize(("content_type", "kind"), [("image/png", "image"), ("audio/wav", "audio")])
def test_pictures_and_sound_become_their_blocks(content_type: str, kind: str) -> None:
    (block,) = map_answer(PNG, content_type).content
    assert block["type"] == kind
    assert block["mimeType"] == content_type
    assert base64.b64decode(block["data"]) == PNG


@pytest.mark.parametrize(
    ("content_type", "mime_type"),
    [("application/pdf", "application/pdf"), ("", "application/octet-stream")],
)
def test_other_bytes_become_an_embedded_resource(content_type: str, mime_type: str) -> None:
    line, block = map_answer(PNG, content_type, name="get/pdf").content
    assert line["text"] == f"The backend answered 200 OK with {mime_type}, 10 bytes, as a resource:"
    assert block["type"] == "resource"
    assert block["resource"]["uri"] == "tool://get%2Fpdf/result"
    assert block["resource"]["mimeType"] == mime_type
    assert base64.b64decode(block["resource"]["blob"]) == PNG


def test_a_resource_takes_its_own_type_or_the_backends() -> None:
    csv = Answer(200, "text/csv; charset=utf-8", b"a,b")
    assert resource_contents(csv, "x:1", "text/plain") == (
        {"uri": "x:1", "mimeType": "text/plain", "text": "a,b"},
    )
    assert resource_contents(csv, "x:1", "") == (
        {"uri": "x:1", "mimeType": "text/csv", "text": "a,b"},
    )
    assert resource_contents(Answer(200, "", PNG), "x:1", "image/png") == (
        {"uri": "x:1", "mimeType": "image/png", "blob": base64.b64encode(PNG).decode()},
    )
    assert resource_contents(Answer(200, "", b"a"), "x:1", "") == ({"uri": "x:1", "text": "a"},)
