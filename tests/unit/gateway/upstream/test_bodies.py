"""Bodies of each kind, read back by independent parsers."""

from __future__ import annotations

import base64
import json
from email import policy
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_operator.gateway.upstream.mapping import MappingError, Request, build_request
from support.entries import argument, backend
from support.fake_upstream import fields

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def sent(arguments: dict[str, Any], *mapped: Any, **fields: Any) -> Request:
    return build_request(backend("/", *mapped, method="POST", **fields), arguments)


def kind(request: Request) -> str:
    return dict(fields(request))["Content-Type"]


def parts(request: Request) -> list[tuple[str, str | None, str | None, bytes]]:
    """Return name, file name, media type and bytes of each part, as the standard library reads."""
    head = f"Content-Type: {kind(request)}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + (request.body or b""))
    read = []
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        filename = part["Content-Disposition"].params.get("filename")  # with angle brackets, too
        read.append((name, filename, part.get("Content-Type"), content))
    return read


@pytest.mark.parametrize("value", [[1, 2], {"a": None}, "x", 7, None, [], False])
def test_one_argument_can_be_the_whole_json_body(value: Any) -> None:
    request = sent({"items": value, "q": 1}, argument("items", "body"), argument("q"),
                   body_from="items")  # fmt: skip
    assert json.loads(request.body or b"") == value
    assert (kind(request), request.target) == ("application/json", "/?q=1")


def test_a_body_from_one_argument_is_absent_without_that_argument() -> None:
    assert sent({}, argument("items", "body"), body_from="items").body is None


def test_constants_are_merged_into_a_json_body() -> None:
    request = sent({"a": 1}, argument("a", "body"), constants={"version": "2", "deep": {"b": []}})
    assert json.loads(request.body or b"") == {"version": "2", "deep": {"b": []}, "a": 1}
    assert sent({}, constants={"jsonrpc": "2.0"}).body == b'{"jsonrpc":"2.0"}'


def test_constants_are_merged_into_a_form() -> None:
    request = sent(
        {"a": 1}, argument("a", "body"), constants={"v": "2", "deep": {"b": [1]}}, content_type=FORM
    )
    assert parse_qsl((request.body or b"").decode()) == [("v", "2"), ("deep[b][]", "1"), ("a", "1")]


@pytest.mark.parametrize("name", ["v", "V", "v[x]"])
def test_an_argument_cannot_replace_a_constant(name: str) -> None:
    with pytest.raises(MappingError, match="replace another argument"):
        sent({"a": {name: 1}}, argument("a", "body"), constants={"v": "2"}, content_type=FORM)


def test_an_unnamed_argument_cannot_replace_a_constant() -> None:
    with pytest.raises(MappingError, match="replace another argument"):
        sent({"v": 1}, constants={"v": "2"}, rest="body")


def test_nested_values_in_forms_are_written_with_brackets() -> None:
    items = [{"price": "p1", "tags": ["a", "b"]}]
    request = sent(
        {"items": items}, argument("items", "body", style="deepObject"), content_type=FORM
    )
    assert parse_qsl((request.body or b"").decode()) == [
        ("items[0][price]", "p1"),
        ("items[0][tags][]", "a"),
        ("items[0][tags][]", "b"),
    ]


def test_base64_is_sent_as_decoded_bytes() -> None:
    one = argument("file", "body", base64=True)
    octets = sent({"file": "aGVsbG8="}, one, content_type="application/octet-stream")
    assert (octets.body, kind(octets)) == (b"hello", "application/octet-stream")
    assert sent({"file": "_-8"}, one, content_type="image/png").body == b"\xff\xef"
    assert sent({"file": "aGVs\r\nbG8="}, one, content_type="image/png").body == b"hello"


@pytest.mark.parametrize(
    "head", ["data:image/png;base64,", "data:;base64,", "DATA:text/plain;charset=utf-8;BASE64,"]
)
def test_the_base64_of_a_data_url_is_sent_as_decoded_bytes(head: str) -> None:
    one = argument("file", "body", base64=True)
    assert sent({"file": head + "aGVsbG8="}, one, content_type="image/png").body == b"hello"


@pytest.mark.parametrize("type_", ["application/xml", "text/xml", "application/soap+xml"])
@pytest.mark.parametrize("value", [{"a": 1}, [1], 5])
def test_xml_must_be_a_string(type_: str, value: Any) -> None:
    one = argument("doc", "body")
    with pytest.raises(MappingError, match="'doc' is XML; use a string"):
        sent({"doc": value}, one, content_type=type_)
    assert sent({"doc": "<a/>"}, one, content_type=type_).body == b"<a/>"


@pytest.mark.parametrize(
    "value", ["not base64!", "aGVsbG8=x", "é", 5, ["aGVsbG8="], "data:image/png,hello"]
)
def test_a_value_that_is_not_base64_is_refused(value: Any) -> None:
    with pytest.raises(MappingError, match=r"'file'.* base64"):
        sent({"file": value}, argument("file", "body", base64=True), content_type="image/png")


@pytest.mark.parametrize("type_", ["text/csv", "text/plain; charset=utf-8", "application/soap+xml"])
def test_a_text_is_sent_unchanged(type_: str) -> None:
    request = sent({"text": "a,ü\n"}, argument("text", "body"), content_type=type_)
    assert (request.body, kind(request)) == ("a,ü\n".encode(), type_)


@pytest.mark.parametrize(
    ("type_", "text", "body"),
    [
        ("text/plain; charset=iso-8859-1", "é", b"\xe9"),
        ("text/csv; charset=windows-1251", "Привет", "Привет".encode("cp1251")),
        ('text/xml;charset="Shift_JIS"', "在庫", "在庫".encode("shift_jis")),
        ("application/xml; charset=utf-16", "<a/>", "<a/>".encode("utf-16")),
        ("text/plain; charset=utf-99", "é", "é".encode()),
        ("application/json; charset=iso-8859-1", "é", '{"text":"é"}'.encode()),
    ],
)
def test_a_text_is_sent_in_the_charset_that_its_type_declares(
    type_: str, text: str, body: bytes
) -> None:
    assert sent({"text": text}, argument("text", "body"), content_type=type_).body == body


def test_a_part_is_sent_in_the_charset_that_its_type_declares() -> None:
    part = argument("text", "body", content_type="text/plain; charset=latin1")
    [(_, _, _, data)] = parts(sent({"text": "é"}, part, content_type=MULTIPART))
    assert data == b"\xe9"


def test_a_character_that_the_charset_does_not_have_is_refused() -> None:
    with pytest.raises(MappingError, match="'text' contains a character that latin1 cannot encode"):
        sent({"text": "€"}, argument("text", "body"), content_type="text/plain; charset=latin1")


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ([{"index": {}}, {"a": "ü"}], '{"index":{}}\n{"a":"ü"}\n'),
        ([], ""),
        ('{"a":1}\n', '{"a":1}\n'),
        ({"a": 1}, '{"a":1}'),
    ],
)
@pytest.mark.parametrize("type_", ["application/x-ndjson", "application/jsonl; charset=utf-8"])
def test_a_list_is_sent_as_lines_of_json_for_types_of_json_lines(
    value: Any, body: str, type_: str
) -> None:
    request = sent({"ops": value}, argument("ops", "body"), body_from="ops", content_type=type_)
    assert request.body == body.encode()


@pytest.mark.parametrize(
    "type_", ["text/plain", "application/octet-stream", "application/xml", FORM, MULTIPART]
)
@pytest.mark.parametrize("base64", [False, True])
def test_null_is_not_sent_except_in_json(type_: str, *, base64: bool) -> None:
    one = argument("a", "body", base64=base64)
    field = sent({"a": None}, one, content_type=type_).body
    assert b"null" not in (field or b"")
    if type_ != MULTIPART:
        assert sent({"a": None}, one, content_type=type_, body_from="a").body is None
    assert sent({"a": None}, one, body_from="a").body == b"null"


@pytest.mark.parametrize("value", [[1, 2], [], 5, True])
def test_a_whole_form_must_be_an_object_or_a_string(value: Any) -> None:
    one = argument("form", "body")
    with pytest.raises(MappingError, match="'form' is a form; use an object"):
        sent({"form": value}, one, body_from="form", content_type=FORM)
    whole = sent({"form": {"a": [1, None]}}, one, body_from="form", content_type=FORM)
    assert whole.body == b"a=1"
    assert sent({"form": "a=1"}, one, body_from="form", content_type=FORM).body == b"a=1"


def test_null_in_a_list_is_not_sent_as_a_part() -> None:
    request = sent({"a": [None, "x"]}, argument("a", "body"), content_type=MULTIPART)
    assert [data for _, _, _, data in parts(request)] == [b"x"]


def test_a_multipart_body_has_a_part_for_each_argument() -> None:
    request = sent(
        {"title": "ü", "meta": {"a": 1}, "file": "aGVsbG8=", "n": 3, "none": None},
        argument("title", "body"),
        argument("meta", "body"),
        argument("file", "body", base64=True, file_name="a b.txt", content_type="text/plain"),
        argument("n", "body"),
        argument("none", "body"),
        content_type=MULTIPART,
    )
    assert parts(request) == [
        ("title", None, None, "ü".encode()),
        ("meta", None, "application/json", b'{"a":1}'),
        ("file", "a b.txt", "text/plain", b"hello"),
        ("n", None, None, b"3"),
    ]


def test_a_file_has_a_default_name_and_type() -> None:
    request = sent({"f": ["YQ==", "Yg=="]}, argument("f", "body", base64=True),
                   content_type=MULTIPART)  # fmt: skip
    assert parts(request) == [
        ("f", "f", "application/octet-stream", b"a"),
        ("f", "f", "application/octet-stream", b"b"),
    ]


def test_a_part_is_written_in_its_declared_style() -> None:
    request = sent({"a": {"b": [1]}}, argument("a", "body", style="deepObject"),
                   content_type=MULTIPART)  # fmt: skip
    assert parts(request) == [("a[b][]", None, None, b"1")]


def test_a_multipart_body_can_have_no_parts() -> None:
    assert parts(sent({}, argument("a", "body"), content_type=MULTIPART)) == []


@given(data=st.binary(), text=st.text(st.characters(exclude_categories=["Cs"])))
def test_no_content_can_end_its_part(data: bytes, text: str) -> None:
    mapped = [argument("t", "body"), argument("f", "body", base64=True)]
    call = {"t": text, "f": base64.b64encode(data).decode()}
    request = sent(call, *mapped, content_type=MULTIPART)
    again = sent(call | {"t": (request.body or b"").decode(errors="replace")}, *mapped,
                 content_type=MULTIPART)  # fmt: skip
    boundary = kind(request).partition("boundary=")[2].encode()
    assert (request.body or b"").count(b"--" + boundary) == 3
    assert boundary not in kind(again).encode()
    assert sent(call, *mapped, content_type=MULTIPART) == request


@pytest.mark.parametrize("method", ["DELETE", "GET", "OPTIONS"])
def test_any_method_can_send_a_declared_body(method: str) -> None:
    request = build_request(backend("/", argument("ids", "body"), method=method), {"ids": ["a"]})
    assert (request.method, request.body) == (method, b'{"ids":["a"]}')


def test_an_empty_map_of_arguments_is_sent_as_a_body() -> None:
    assert sent({}, rest="body").body == b"{}"
    assert sent({}).body is None


def uploaded(value: Any, names: Any, **fields: Any) -> list[str | None]:
    """Return the file names of the parts that are sent."""
    file = argument("file", "body", base64=True, file_name_from="names", **fields)
    arguments = {"file": value} | ({} if names is None else {"names": names})
    return [name for _, name, _, _ in parts(sent(arguments, file, content_type=MULTIPART))]


@pytest.mark.parametrize(
    ("value", "names", "expected"),
    [
        ("YQ==", "report 2026.pdf", ["report 2026.pdf"]),
        ("YQ==", "Bericht Größe.pdf", ["Bericht Größe.pdf"]),
        ("YQ==", "a;b=c.txt", ["a;b=c.txt"]),
        ("YQ==", None, ["default.bin"]),
        ("YQ==", "", ["default.bin"]),
        (["YQ==", "Yg=="], ["a.txt", "b.txt"], ["a.txt", "b.txt"]),
        (["YQ==", "Yg=="], ["a.txt"], ["a.txt", "default.bin"]),
        (["YQ==", "Yg=="], [None, "b.txt"], ["default.bin", "b.txt"]),
        (["YQ==", "Yg=="], "same.txt", ["same.txt", "same.txt"]),
    ],
)
def test_file_names_are_taken_from_an_argument(value: Any, names: Any, expected: list[str]) -> None:
    assert uploaded(value, names, file_name="default.bin") == expected


def test_a_file_without_a_name_has_the_name_of_its_part() -> None:
    assert uploaded("YQ==", None) == ["file"]


@pytest.mark.parametrize(
    "name",
    [
        'a"; name="admin',
        "a\r\nX-Admin: 1",
        "a\nb",
        "a\x00.txt",
        "a\x7f",
        "a\x85b",
        "a\u2028b",
        "../../etc/passwd",
        "..\\boot.ini",
        "/etc/passwd",
        "..",
        ".",
        " .. ",
        "x" * 256,
        7,
        {"a": 1},
    ],
)
def test_an_unsafe_file_name_is_refused_without_being_quoted(name: Any) -> None:
    for given_name in (name, [name]):
        with pytest.raises(MappingError, match="'names' is a file name") as caught:
            uploaded("YQ==", given_name)
        assert len(str(name)) < 3 or str(name) not in str(caught.value)


def test_half_a_surrogate_pair_in_a_file_name_is_refused() -> None:
    with pytest.raises(MappingError, match="surrogate"):
        uploaded("YQ==", "a\udc00")


def test_the_argument_with_a_file_name_is_not_sent_as_a_part() -> None:
    file = argument("file", "body", base64=True, file_name_from="name")
    request = sent({"file": "YQ==", "name": "a.txt", "x": "1"}, file, rest="body",
                   content_type=MULTIPART)  # fmt: skip
    assert [name for name, _, _, _ in parts(request)] == ["file", "x"]


@example(name="<>")
@given(name=st.text())
def test_no_file_name_can_add_a_line_or_a_part(name: str) -> None:
    try:
        [only] = uploaded("YQ==", name)
    except MappingError:
        return
    assert only == (name.strip() or "file")
