from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.calibration import relative_work
from mcp_operator.api.uritemplates import TemplateError, UriTemplate, is_safe_segment


@pytest.mark.parametrize(
    ("template", "uri", "expected"),
    [
        ("docs://a/{id}", "docs://a/7", {"id": "7"}),
        ("docs://a/{id}/data", "docs://a/x%20y/data", {"id": "x y"}),
        (
            "docs://{host}/{id}.{ext}",
            "docs://h/a.b.json",
            {"host": "h", "id": "a", "ext": "b.json"},
        ),
        ("x:{a}-{b}-{c}", "x:1--2-3-4", {"a": "1", "b": "-2", "c": "3-4"}),
        ("docs://a{?q,page}", "docs://a?page=2&q=a%2Fb", {"page": "2", "q": "a/b"}),
        ("docs://a{?q}", "docs://a", {}),
        ("docs://a{?q}", "docs://a?q=", {"q": ""}),
        ("docs://a/{id}{?q}", "docs://a/1?q=2", {"id": "1", "q": "2"}),
        ("docs://a/{id}", "docs://a/%E2%82%AC", {"id": "€"}),
        ("docs://a{?tag*}", "docs://a", {}),
        ("docs://a{?tag*}", "docs://a?tag=1", {"tag": ["1"]}),
        ("docs://a{?tag*}", "docs://a?tag=1&tag=1&tag=a%2Cb", {"tag": ["1", "1", "a,b"]}),
        ("docs://a{?q,tag*}", "docs://a?tag=1&q=x&tag=2", {"q": "x", "tag": ["1", "2"]}),
    ],
)
def test_a_matching_uri_returns_its_variables(
    template: str, uri: str, expected: dict[str, Any]
) -> None:
    assert UriTemplate(template).match(uri) == expected


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("docs://a/{id}", "docs://a/"),
        ("docs://a/{id}", "docs://a/1/2"),
        ("docs://a/{id}", "docs://b/1"),
        ("docs://a/{id}", "docs://a/1?q=2"),
        ("docs://a/{id}", "docs://a/1#f"),
        ("docs://a/{id}", "docs://a/.."),
        ("docs://a/{id}", "docs://a/%2e%2e"),
        ("docs://a/{id}", "docs://a/%252e%252e"),
        ("docs://a/{id}", "docs://a/a%2Fb"),
        ("docs://a/{id}", "docs://a/a%252Fb"),
        ("docs://a/{id}", "docs://a/a%5Cb"),
        ("docs://a/{id}", "docs://a/a%00"),
        ("docs://a/{id}", "docs://a/a%0d%0ab"),
        ("docs://a/{id}", "docs://a/%ff"),
        ("docs://a/{id}", "docs://a/%zz"),
        ("docs://a/{id}", "docs://a/" + "x" * 10_000),
        ("docs://a/x{id}y", "docs://a/xy"),
        ("docs://a/{id}y", "docs://a/x"),
        ("docs://a/{id}-{b}", "docs://a/xy"),
        ("docs://a{?q}", "docs://a?other=1"),
        ("docs://a{?q}", "docs://a?q=1&q=2"),
        ("docs://a{?q}", "docs://a?q=1&q=1"),
        ("docs://a{?q,tag*}", "docs://a?tag=1&q=1&q=1"),
        ("docs://a{?tag*}", "docs://a?tag*=1"),
        ("docs://a{?q}", "docs://a?q"),
        ("docs://a{?q}", "docs://a?q=%ff"),
        ("docs://a/{id}{?id2}", "docs://a/1?id=2"),
    ],
)
def test_a_uri_of_another_form_does_not_match(template: str, uri: str) -> None:
    assert UriTemplate(template).match(uri) is None


@pytest.mark.parametrize(
    "template",
    [
        "x:{+a}/{+b}",
        "x:{+a}-{b}",
        "x:{+a}/{a}",
        "x:{++a}",
        "x:{#a}",
        "x:{a*}",
        "x:{a:3}",
        "x:{/a}",
        "x:{a}{b}",
        "x:{a}/{a}",
        "x:{a}{?a}",
        "x:{a",
        "x:a}",
        "x:{}",
        "x:{?q}/x",
    ],
)
def test_a_template_that_cannot_be_matched_safely_is_rejected(template: str) -> None:
    with pytest.raises(TemplateError):
        UriTemplate(template)


def test_matching_many_variables_takes_linear_time() -> None:
    template = UriTemplate("x:" + "a".join(f"{{v{n}}}" for n in range(50)) + "b")
    uri = "x:" + "a" * 8000
    assert template.match(uri) is None
    assert relative_work(lambda: template.match(uri)) < 1


@given(st.text(min_size=1))
def test_matching_an_expanded_uri_returns_a_safe_value(value: str) -> None:
    try:
        uri = f"docs://a/{quote(value, safe='')}/data"
    except UnicodeEncodeError:
        return
    expected = {"id": value} if is_safe_segment(value) and len(uri) <= 8192 else None
    assert UriTemplate("docs://a/{id}/data").match(uri) == expected


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("files://{+path}", "files://a", {"path": "a"}),
        ("files://{+path}", "files://a/b/c.txt", {"path": "a/b/c.txt"}),
        ("files://{+path}", "files://a%2Fb", {"path": "a/b"}),
        ("f://{a}/{+b}/raw", "f://x/y/z/raw", {"a": "x", "b": "y/z"}),
        ("f://{a}/{+b}/raw", "f://x/raw", None),
        ("f://{+b}.md?x", "f://a/b.md?x", None),
        ("f://d/{+b}.md{?q}", "f://d/a/b.md?q=1", {"b": "a/b", "q": "1"}),
        *(
            ("f://d/{+b}", f"f://d/{climbing}", None)
            for climbing in (
                "..",
                "a/../b",
                "a/%2e%2e/b",
                "a%252F%252e%252e",
                "a//b",
                "/a",
                "a/",
                "",
            )
        ),
    ],
)
def test_a_variable_with_a_plus_matches_several_segments_without_dot_segments(
    template: str, uri: str, values: dict[str, str] | None
) -> None:
    assert UriTemplate(template).match(uri) == values
