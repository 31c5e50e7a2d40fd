from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from mcp_operator.api.catalog import Credentials, Header, SecretKey
from mcp_operator.gateway.upstream.mapping import (
    MAX_TARGET_LENGTH,
    MappingError,
    Request,
    build_request,
    check_header,
)
from support.entries import argument, backend
from support.fake_upstream import fields
from support.traversals import TRAVERSALS

HEADER_INJECTIONS = [
    "a\r\nX-Admin: 1",
    "a\nX-Admin: 1",
    "a\rX-Admin: 1",
    "a\r\n\r\nGET /admin HTTP/1.1",
    "a\x00b",
    "a\x0bb",
    "a\x1b[31m",
    "a\x7f",
    "a\x85b",
    "a\u2028b",
    "a\u560d\u560ab",  # their low bytes are CR and LF
    "é",
    "\ud800",
]

FORBIDDEN_HEADERS = [
    "Host",
    "host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Upgrade",
    "TE",
    "Trailer",
    "Proxy-Authorization",
    "Expect",
    "Authorization",
    "Cookie",
    "Content-Type",
    "X Bad",
    "X-Bad:",
    "X-Bad\r\nX-Other",
    "",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
evil = st.sampled_from(
    [
        *TRAVERSALS,
        *HEADER_INJECTIONS,
        "http://169.254.169.254/",
        "//evil",
        "@evil:1",
        "a?q=1",
        "a#b",
    ]
)


def build(path: str, arguments: dict[str, Any], *mapped: Any, **fields: Any) -> Request:
    return build_request(backend(path, *mapped, **fields), arguments)


def query_of(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.target.partition("?")[2], keep_blank_values=True)


def test_the_error_for_a_missing_argument_names_it() -> None:
    with pytest.raises(MappingError, match="'q' is required"):
        build("/", {}, argument("q", required=True))


def test_a_default_is_used_for_an_absent_argument() -> None:
    request = build("/", {}, argument("limit", default=10), argument("q"))
    assert request.target == "/?limit=10"


def test_a_value_outside_the_enum_is_refused() -> None:
    with pytest.raises(MappingError, match="one of new, used"):
        build("/", {"state": "stolen"}, argument("state", enum=("new", "used")))


@pytest.mark.parametrize(
    ("style", "value", "expected"),
    [
        ("form", ["a", "b&c"], "q=a&q=b%26c"),
        ("form", [], ""),
        ("form", "a b", "q=a%20b"),
        ("form", True, "q=true"),
        ("form", 1.5, "q=1.5"),
        ("form", None, ""),
        ("form", {"a": [1]}, "a=%5B1%5D"),
        ("spaceDelimited", ["a", "b"], "q=a%20b"),
        ("pipeDelimited", ["a", 1], "q=a%7C1"),
        ("pipeDelimited", "a", "q=a"),
        ("json", ["a", None], "q=%5B%22a%22%2Cnull%5D"),
        ("json", "a", "q=%22a%22"),
    ],
)
def test_query_values_are_written_in_their_style(style: str, value: Any, expected: str) -> None:
    request = build("/", {"q": value}, argument("q", style=style))
    assert request.target == ("/?" + expected if expected else "/")


def test_a_query_value_cannot_add_a_parameter() -> None:
    request = build("/", {"q": "a&admin=1#x", "r": "b=c"}, argument("q"), argument("r"))
    assert query_of(request) == [("q", "a&admin=1#x"), ("r", "b=c")]


def test_declared_query_parameters_come_first() -> None:
    fixed = [{"name": "api-version", "value": "7.1"}, {"name": "a b", "value": "&"}]
    assert (
        build("/s", {"q": "x"}, argument("q"), query=fixed).target
        == "/s?api-version=7.1&a%20b=%26&q=x"
    )


def test_a_path_without_a_leading_slash_gets_one() -> None:
    assert build("orders", {}).target == "/orders"


@pytest.mark.parametrize("value", HEADER_INJECTIONS)
@pytest.mark.parametrize("shape", [lambda v: v, lambda v: [v]])
def test_a_header_value_cannot_start_another_line(value: str, shape: Any) -> None:
    with pytest.raises(MappingError) as caught:
        build("/", {"h": shape(value)}, argument("h", "header", target="X-H"))
    assert value not in str(caught.value)


@pytest.mark.parametrize("name", FORBIDDEN_HEADERS)
def test_an_argument_cannot_set_a_reserved_or_invalid_header(name: str) -> None:
    with pytest.raises(MappingError):
        build("/", {"h": "x"}, argument("h", "header", target=name))


def test_header_values_are_trimmed_and_lists_are_joined() -> None:
    mapped = [argument("a", "header"), argument("b", "header"), argument("c", "header")]
    request = build("/", {"a": " x ", "b": [1, "y"], "c": None}, *mapped)
    assert fields(request) == (("a", "x"), ("b", "1,y"))


def test_a_header_that_is_too_long_is_refused() -> None:
    with pytest.raises(MappingError, match="longer"):
        check_header("X-Long", "a" * 9000)


@pytest.mark.parametrize("value", ["a; admin=1", 'a"b', "a,b", "a\\b", "a\r\nb", "é", "100%"])
def test_a_cookie_value_cannot_add_a_cookie(value: str) -> None:
    request = build("/", {"c": value, "d": "1"}, argument("c", "cookie"), argument("d", "cookie"))
    ((name, cookie),) = fields(request)
    assert name == "Cookie"
    first, second = cookie.split("; ")
    assert unquote(first.removeprefix("c=")) == value
    assert second == "d=1"
    assert not set(first) & set(' ;,"\\\r\n')


def test_a_cookie_name_must_be_a_token() -> None:
    with pytest.raises(MappingError, match="not a cookie name"):
        build("/", {"c": "x"}, argument("c", "cookie", target="a;b"))


def test_body_arguments_become_one_json_object() -> None:
    request = build(
        "/",
        {"a": {"b": [1, None]}, "c": "ü", "ignored": 1},
        argument("a", "body"),
        argument("c", "body", target="see"),
        argument("absent", "body"),
        method="post",
    )
    assert request.method == "POST"
    assert request.body == '{"a":{"b":[1,null]},"see":"ü"}'.encode()
    assert fields(request) == (("Content-Type", "application/json"),)


def test_a_declared_body_without_arguments_is_an_empty_object() -> None:
    assert build("/", {}, argument("a", "body")).body == b"{}"
    assert build("/", {}).body is None


def test_unnamed_arguments_are_sent_in_the_declared_rest() -> None:
    assert query_of(build("/", {"a": "1"}, rest="query")) == [("a", "1")]
    assert build("/", {"a": 1}, method="POST", rest="body").body == b'{"a":1}'
    assert build("/", {"a": 1}, method="POST").body is None
    assert build("/", {}, method="POST", rest="body").body == b"{}"


@pytest.mark.parametrize("name", ["id", "Id", " id", "id[]", "id[a]", "v", "V[0]", "key", "Key "])
def test_an_unnamed_argument_cannot_replace_another_query_parameter(name: str) -> None:
    named = argument("user", "query", target="id")
    secret = SecretKey(namespace="demo", name="login", key="token")
    fixed = {
        "query": (Header(name="v", value="1"),),
        "credentials": Credentials(type="Query", name="key", secret=secret),
    }
    with pytest.raises(MappingError, match="would replace another argument"):
        build("/", {"user": "me", name: "you"}, named, rest="query", **fixed)


@pytest.mark.parametrize("name", ["id", "ID", "kind", "Kind"])
def test_an_unnamed_argument_cannot_replace_another_body_field(name: str) -> None:
    named = argument("user", "body", target="id")
    constants = {"kind": "order"}
    with pytest.raises(MappingError, match="would replace another argument"):
        build("/", {name: "you"}, named, method="POST", rest="body", constants=constants)


def test_a_form_body_is_encoded_like_a_query() -> None:
    request = build(
        "/",
        {"a": "x&y=z", "b": [1, 2]},
        argument("a", "body"),
        argument("b", "body"),
        content_type="application/x-www-form-urlencoded",
    )
    assert request.body == b"a=x%26y%3Dz&b=1&b=2"


def test_a_plain_body_is_exactly_one_argument_unchanged() -> None:
    one = argument("text", "body")
    assert build("/", {"text": "<a/>"}, one, content_type="text/xml; charset=utf-8").body == b"<a/>"
    assert build("/", {}, one, content_type="text/xml").body is None
    with pytest.raises(MappingError, match="exactly one"):
        build("/", {"a": "", "text": ""}, one, argument("a", "body"), content_type="text/xml")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), ["a", float("-inf")]])
def test_nan_and_infinity_are_refused_in_a_body(value: Any) -> None:
    with pytest.raises(MappingError, match="JSON"):
        build("/", {"a": value}, argument("a", "body"))


@pytest.mark.parametrize("location", ["path", "query", "cookie", "body"])
def test_half_a_surrogate_pair_is_refused(location: str) -> None:
    with pytest.raises(MappingError, match="surrogate"):
        build("/{a}" if location == "path" else "/", {"a": "x\udc00y"}, argument("a", location))


def test_a_url_that_is_too_long_is_refused() -> None:
    with pytest.raises(MappingError, match="characters"):
        build("/", {"q": "a" * MAX_TARGET_LENGTH}, argument("q"))


@settings(max_examples=400)
@given(arguments=st.fixed_dictionaries(dict.fromkeys("pqhcbr", values | evil)))
def test_no_argument_can_change_where_a_request_goes(arguments: dict[str, Any]) -> None:
    template = backend(
        "/api/{p}/items/x-{r}",
        argument("p", "path"),
        argument("r", "path"),
        argument("q", explode=False),
        argument("h", "header", target="X-H"),
        argument("c", "cookie", explode=False),
        argument("b", "body"),
    )
    try:
        request = build_request(template, arguments)
    except MappingError:
        return
    assert (request.scheme, request.host, request.port) == ("http", "orders.demo.svc", 80)
    url = URL(f"http://orders.demo.svc:80{request.target}", encoded=True)
    assert (url.scheme, url.host, url.port, url.user, url.fragment) == (
        "http", "orders.demo.svc", 80, None, "",
    )  # fmt: skip
    path = request.target.partition("?")[0]
    assert re.fullmatch(r"/api/[^/]+/items/x-[^/]+", path)
    for _ in range(4):
        assert re.fullmatch(r"/api/[^/\\]+/items/x-[^/\\]+", path)
        assert not {".", ".."} & set(path.split("/"))
        path = unquote(path)
    assert {name for name, _ in query_of(request)} <= {"q"}
    assert {name for name, _ in fields(request)} <= {"X-H", "Cookie", "Content-Type"}
    for _, value in fields(request):
        assert re.fullmatch(r"[\t\x20-\x7e]*", value)
    assert request.target.isascii()
    assert not re.search(r"[\x00-\x20\x7f]", request.target)
