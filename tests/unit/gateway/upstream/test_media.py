from __future__ import annotations

import base64

import pytest

from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.media import resource
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
        ("text/plain; charset=Shift_JIS", "在庫①".encode("cp932"), "在庫①"),
        ("text/plain; charset=windows-31j", "在庫①".encode("cp932"), "在庫①"),
        ("text/plain; charset=ISO-2022-JP", "在庫".encode("iso2022_jp"), "在庫"),
        ("text/plain; charset=EUC-KR", "똠방각하".encode("cp949"), "똠방각하"),
        ("text/plain; charset=ks_c_5601-1987", "재고".encode("euc_kr"), "재고"),
        ("text/plain; charset=gb2312", "東京镕".encode("gbk"), "東京镕"),
        ("text/plain; charset=Big5", "碁銹".encode("cp950"), "碁銹"),
        ("text/plain; charset=windows-874", "ก€".encode("cp874"), "ก€"),
        ("text/plain; charset=iso-8859-8-i", "שלום".encode("iso8859_8"), "שלום"),
        ("text/plain; charset=windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("text/plain; charset=cp1252", b"5 \x80", "5 €"),
        ("text/plain; charset=ISO-8859-1", b"5 \x80", "5 €"),
        ("text/plain; charset=us-ascii", b"5 \x80 na\xefve", "5 € naïve"),
        ("text/plain; charset=us-ascii", "naïve".encode(), "naïve"),
        ("text/plain; charset=iso-8859-9", b"\x80 \xfe", "€ ş"),
        ("text/plain; charset=utf8mb4", "ü".encode(), "ü"),
        ("text/plain; charset=iso-8859-1", b"\xef\xbb\xbf\xc3\xbc", "ü"),
        ("text/plain; charset=utf-8", "ü".encode("utf-16"), "ü"),
        ("text/plain; charset=utf-16le", "ü".encode("utf-16-le"), "ü"),
        ("text/plain; charset=utf-16", "a€".encode("utf-16"), "a€"),
        ("text/plain", b"\xef\xbb\xbfa", "a"),
        ("application/json;charset=ISO-8859-1", b'"M\xfcller"', "Müller"),
        ("application/json", '"€"'.encode("utf-16"), "€"),
        (
            "text/xml",
            '<?xml version="1.0" encoding="latin1"?>ü'.encode("latin1"),
            '<?xml version="1.0" encoding="latin1"?>ü',
        ),
        ("text/xml", "<a>ü</a>".encode("utf-16-be"), "<a>ü</a>"),
        ("text/html", b'<meta charset="koi8-r">\xf0', '<meta charset="koi8-r">П'),
        ("application/xhtml+xml", b'<meta charset="koi8-r"/>\xf0', '<meta charset="koi8-r"/>П'),
        ("text/css", b'@charset "latin1"; /*\xfc*/', '@charset "latin1"; /*ü*/'),
        ("application/x-json", b'"M\\u00fc"', "Mü"),
        ("application/x-ndjson", b'{"a":1}', '{"a":1}'),
        ("text/event-stream", b"data: 1\n\n", "data: 1\n\n"),
        ("application/openmetrics-text; version=1.0.0", b"a 1\n# EOF", "a 1\n# EOF"),
        ("application/vnd.acme.thing", "grüße".encode(), "grüße"),
        ("image/svg+xml", b"<svg/>", "<svg/>"),
        ("image/png", b"<html>login</html>", "<html>login</html>"),
    ],
)
def test_text_is_decoded_with_the_declared_or_detected_charset(
    content_type: str, body: bytes, expected: str
) -> None:
    assert text_of(map_answer(body, content_type)) == expected


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"a\xffb"),
        ("text/plain; charset=utf-8", b"a\xffb"),
        ("text/plain; charset=utf-99", b"a\xffb"),
        ("text/plain; charset=iso-8859-1", b"a\x81"),
        ("text/plain; charset=gbk", b"\xff\xffa"),
        ("text/plain", b"a\x00b"),
        ("text/csv", "a;ü".encode("utf-16-le")),
        ("application/vnd.acme.thing", b"a\x00b"),
        ("application/pdf", b"%PDF-1.4"),
        ("image/tiff", b"II*\x00"),
        ("image/x-icon", b"\x00\x00\x01\x00"),
        ("image/png", b"\x00\x01"),
        ("video/mp4", b"ftyp"),
    ],
)
def test_content_that_models_cannot_read_is_a_resource_after_a_line_of_text(
    content_type: str, body: bytes
) -> None:
    line, block = map_answer(body, content_type).content
    assert f"{len(body)} bytes" in line["text"]
    assert content_type.partition(";")[0] in line["text"]
    assert base64.b64decode(block["resource"]["blob"]) == body


def test_a_file_that_contains_text_is_a_text_resource() -> None:
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
def test_the_type_of_an_image_is_detected_from_its_bytes(body: bytes, mime_type: str) -> None:
    (block,) = map_answer(body, "image/jpg").content
    assert (block["type"], block["mimeType"]) == ("image", mime_type)


@pytest.mark.parametrize(("content_type", "kind"), [("image/png", "image"), ("audio/wav", "audio")])
def test_images_and_audio_become_blocks_of_their_type(content_type: str, kind: str) -> None:
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


@pytest.mark.parametrize(
    ("mime_type", "content_type", "body", "expected"),
    [
        ("application/json", "text/html", b'{"a":1}', {"type": "text", "text": '{"a":1}'}),
        ("application/json", "application/octet-stream", b"[1]", {"type": "text", "text": "[1]"}),
        ("text/markdown", "application/octet-stream", b"# Hi", {"type": "text", "text": "# Hi"}),
        ("text/csv", "", "a;ü".encode(), {"type": "text", "text": "a;ü"}),
        (
            "text/csv; charset=windows-1251",
            "application/octet-stream",
            "Привет".encode("cp1251"),
            {"type": "text", "text": "Привет"},
        ),
        (
            "text/csv",
            "text/plain; charset=windows-1251",
            "Привет".encode("cp1251"),
            {"type": "text", "text": "Привет"},
        ),
        (
            "text/plain; charset=koi8-r",
            "text/plain; charset=utf-8",
            "Привет".encode("koi8-r"),
            {"type": "text", "text": "Привет"},
        ),
        (
            "image/png",
            "application/octet-stream",
            PNG,
            {"type": "image", "data": base64.b64encode(PNG).decode(), "mimeType": "image/png"},
        ),
        (
            "audio/ogg",
            "",
            b"OggS\0",
            {"type": "audio", "data": "T2dnUwA=", "mimeType": "audio/ogg"},
        ),
    ],
)
def test_the_declared_type_overrides_that_of_the_response(
    mime_type: str, content_type: str, body: bytes, expected: dict[str, str]
) -> None:
    result = map_answer(body, content_type, response={"mime_type": mime_type})
    assert result.content == (expected,)
    assert not result.is_error


def test_a_response_declared_as_json_is_structured_and_read_by_error_when() -> None:
    declared = {"mime_type": "application/json"}
    assert map_answer(b'{"ok":true}', "text/html", response=declared).structured == {"ok": True}
    failed = map_answer(
        b'{"ok":false}', "text/html", response=declared | {"error_when": "!body.ok"}
    )
    assert failed.is_error


def test_content_that_is_not_of_the_declared_type_is_an_error_or_text() -> None:
    result = map_answer(b"<p>", "text/html", response={"mime_type": "application/json"})
    assert result.is_error
    assert "not the JSON that its content type declares" in text_of(result)
    assert text_of(map_answer(b"<p>", "text/html", response={"mime_type": "image/png"})) == "<p>"


@pytest.mark.parametrize("content_type", ["audio/wav", "audio/mpeg", "image/png", "video/mp4"])
def test_media_can_be_declared_as_a_file(content_type: str) -> None:
    declared = {"mime_type": "application/octet-stream"}
    line, block = map_answer(b"RIFF\0\0", content_type, response=declared).content
    assert (line["type"], block["type"]) == ("text", "resource")
    assert block["resource"]["mimeType"] == "application/octet-stream"


@pytest.mark.parametrize("mime_type", ["image/png", "application/json", "application/pdf"])
def test_an_error_response_is_read_with_its_own_type(mime_type: str) -> None:
    result = map_answer(
        b"no such page", "text/plain", status=404, response={"mime_type": mime_type}
    )
    assert text_of(result).endswith("404 Not Found: no such page")


def test_a_resource_has_its_declared_type_or_that_of_the_response() -> None:
    csv = Answer(200, "text/csv; charset=utf-8", b"a,b")
    assert resource("x:1", csv, "text/plain") == {
        "uri": "x:1", "mimeType": "text/plain", "text": "a,b",
    }  # fmt: skip
    assert resource("x:1", csv, "") == {"uri": "x:1", "mimeType": "text/csv", "text": "a,b"}
    assert resource("x:1", Answer(200, "", PNG), "image/png") == {
        "uri": "x:1", "mimeType": "image/png", "blob": base64.b64encode(PNG).decode(),
    }  # fmt: skip
    assert resource("x:1", Answer(200, "", b"a"), "") == {"uri": "x:1", "text": "a"}
