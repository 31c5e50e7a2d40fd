from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.mapping import Request, check_header
from mcp_operator.gateway.upstream.redirects import explain, next_request

ITEMS = Request(
    "GET",
    "http",
    "be.demo.svc",
    80,
    "/v1/items?q=1",
    dict([check_header("Authorization", "Bearer x")]),
)


def redirect(location: str, status: int = 307) -> Answer:
    return Answer(status, "", b"", (("location", location),) if location else ())


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("http://be.demo.svc/v1/items/", "/v1/items/"),
        ("http://be.demo.svc:80/x?a=%2F", "/x?a=%2F"),
        ("http://BE.demo.svc.cluster.local./x", "/x"),
        ("//be.demo/x", "/x"),
        ("/login", "/login"),
        ("other?b=c#d", "/v1/other?b=c"),
        ("?page=2", "/v1/items?page=2"),
        ("/gr\u00fc\u00dfe", "/gr%C3%BC%C3%9Fe"),
        ("/expos\udce9?q=\udce9", "/expos%E9?q=%E9"),  # bytes of Latin-1
    ],
)
def test_a_redirect_within_the_service_changes_only_the_target(location: str, target: str) -> None:
    followed = next_request(ITEMS, redirect(location))
    assert followed is not None
    assert followed.target == target
    assert (followed.method, followed.host, followed.port) == ("GET", "be.demo.svc", 80)
    assert followed.headers == ITEMS.headers


def test_a_redirect_to_the_virtual_host_of_the_request_is_followed() -> None:
    asked = replace(ITEMS, virtual_host="Shop.example")
    followed = next_request(asked, redirect("http://shop.example/v1/items/"))
    assert followed == replace(asked, target="/v1/items/")
    assert next_request(ITEMS, redirect("http://shop.example/v1/items/")) is None


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.demo.svc/",
        "http://be.demo.svc.evil.example/",
        "https://be.demo.svc/",
        "http://be.demo.svc:8080/",
        "http://user@be.demo.svc/",
        "//169.254.169.254/latest",
        "http:\\\\evil",
        "/a\\b",
        "/a b",
        "ftp://be.demo.svc/",
        "http://[::1",
        "http://be.demo.svc:port/",
        "/" + "a" * 20_000,
        "",
    ],
)
def test_any_other_redirect_is_not_followed(location: str) -> None:
    assert next_request(ITEMS, redirect(location)) is None
    assert explain(ITEMS, redirect(location)).startswith("a redirect")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_redirect_of_a_method_that_is_not_safe_is_not_followed(method: str) -> None:
    posted = Request(method, "http", "be.demo.svc", 80, "/items")
    assert next_request(posted, redirect("/items/")) is None
    assert explain(posted, redirect("/items/")) == "a redirect to /items/, which is not followed"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("location", ["/orders/4711", "https://elsewhere.example/4711"])
def test_a_303_after_a_change_tells_not_to_repeat_the_call(method: str, location: str) -> None:
    posted = Request(method, "http", "be.demo.svc", 80, "/orders")
    assert next_request(posted, redirect(location, 303)) is None
    assert (
        explain(posted, redirect(location, 303))
        == f"the call was made, so do not repeat it; the result is at {location}"
    )


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 399])
def test_other_statuses_are_not_redirects(status: int) -> None:
    assert next_request(ITEMS, redirect("/items/", status)) is None


def test_the_explanation_of_a_redirect_has_the_sanitized_target() -> None:
    assert explain(ITEMS, redirect("https://sso.example/\u202elogin")) == (
        "a redirect to https://sso.example/login, which is not on the tool's Service and is not "
        "followed"
    )
    assert explain(ITEMS, redirect("/a"), followed=5) == "the 6th redirect in a row, to /a"
