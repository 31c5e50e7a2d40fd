"""Conditional requests, which ask a backend whether a cached response has changed."""

from __future__ import annotations

import pytest

from mcp_operator.gateway.contract import Call, ToolResult, Validators
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream.answer import Answer
from support.entries import backend, resource, tool
from support.fake_upstream import FakeSecrets, FakeUpstream
from support.mcp_http import table

READ = tool(to=backend(method="GET"))


def answer(status: int = 200, **headers: str) -> Answer:
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, "text/plain", b"fine" if status == 200 else b"", lines)


async def call(upstream: FakeUpstream, known: Validators | None, **fields: str) -> ToolResult:
    called = tool(to=backend(**({"method": "GET"} | fields)))
    current = Current()
    current.swap(table(called))
    executor = HttpExecutor(current, upstream, FakeSecrets())
    result = await executor.call_tool(called, {}, Call(validators=known))
    assert isinstance(result, ToolResult)
    return result


async def test_the_validators_of_a_response_are_returned() -> None:
    known = Validators()
    upstream = FakeUpstream(answer(etag='W/"1"', last_modified="Mon, 30 Nov 2026 00:00:00 GMT"))

    await call(upstream, known)

    assert known == Validators('W/"1"', "Mon, 30 Nov 2026 00:00:00 GMT")
    assert not {"If-None-Match", "If-Modified-Since"} & upstream.headers.keys()


async def test_a_known_etag_is_sent_as_if_none_match() -> None:
    upstream = FakeUpstream(answer(304))
    known = Validators('"1"', "Mon, 30 Nov 2026 00:00:00 GMT")

    result = await call(upstream, known)

    assert upstream.headers["If-None-Match"] == '"1"'
    assert "If-Modified-Since" not in upstream.headers
    assert known.unchanged
    assert not result.is_error


async def test_without_an_etag_the_time_is_sent_as_if_modified_since() -> None:
    upstream = FakeUpstream(answer(304))
    known = Validators("", "Mon, 30 Nov 2026 00:00:00 GMT")

    await call(upstream, known)

    assert upstream.headers["If-Modified-Since"] == known.last_modified
    assert known.unchanged


async def test_a_changed_response_is_returned_with_its_new_validators() -> None:
    known = Validators('"1"')

    result = await call(FakeUpstream(answer(etag='"2"')), known)

    assert result.content[0]["text"] == "fine"
    assert known == Validators('"2"')


async def test_an_unsolicited_304_does_not_count_as_unchanged() -> None:
    known = Validators()

    result = await call(FakeUpstream(answer(304)), known)

    assert not known.unchanged
    assert result.content


@pytest.mark.parametrize("etag", ['"\x00"', "é"])
async def test_an_etag_that_is_not_valid_in_a_header_is_not_sent(etag: str) -> None:
    upstream = FakeUpstream(answer())

    await call(upstream, Validators(etag))

    assert "If-None-Match" not in upstream.headers


async def test_a_post_is_never_conditional() -> None:
    upstream = FakeUpstream(answer())

    await call(upstream, Validators('"1"'), method="POST")

    assert "If-None-Match" not in upstream.headers


async def test_a_resource_is_read_with_a_conditional_request() -> None:
    entry = resource("r", uri="a:b", mime_type="", backend=backend("/r"))
    current, upstream = Current(), FakeUpstream(answer(304))
    current.swap(table(entry))
    known = Validators('"1"')
    executor = HttpExecutor(current, upstream, FakeSecrets())

    assert await executor.read_resource(entry, "a:b", {}, Call(validators=known)) == ()
    assert known.unchanged
