"""Reading resources: from a backend, a Secret, or the catalog itself."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import SecretKey
from mcp_operator.gateway.contract import Call, ResourceUnavailable
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import UpstreamError
from support.entries import argument, backend, catalog, resource
from support.fake_upstream import FakeSecrets, FakeUpstream, Reply

KEY = SecretKey(namespace="demo", name="api", key="token")


def executor(upstream: Any, secrets: FakeSecrets | None = None) -> HttpExecutor:
    current = Current()
    current.swap(Table(catalog(), "d"))
    return HttpExecutor(current, upstream, secrets or FakeSecrets())


def ok(body: bytes = b"fine", content_type: str = "text/plain", status: int = 200) -> Answer:
    return Answer(status, content_type, body)


async def test_a_template_is_read_from_its_backend() -> None:
    upstream = FakeUpstream(ok(b"hello", "text/markdown"))
    entry = resource(
        uri_template="docs://{id}",
        mime_type="",
        backend=backend("/docs/{id}", argument("id", "path")),
    )
    contents = await executor(upstream).read_resource(entry, "docs://7", {"id": "7"}, Call())
    assert contents == ({"uri": "docs://7", "mimeType": "text/markdown", "text": "hello"},)
    assert upstream.sent[0][0].target == "/docs/7"


@pytest.mark.parametrize(
    "reply", [ok(status=404), UpstreamError("connect", "The backend cannot be reached.")]
)
async def test_a_resource_whose_backend_fails_is_unavailable(reply: Reply) -> None:
    entry = resource(uri="docs://a", backend=backend("/docs"))
    with pytest.raises(ResourceUnavailable, match=r"The backend"):
        await executor(FakeUpstream(reply)).read_resource(entry, "docs://a", {}, Call())


async def test_a_resource_with_a_path_variable_of_dots_is_unavailable() -> None:
    entry = resource(
        uri_template="docs://a{?id}", backend=backend("/docs/{id}", argument("id", "path"))
    )
    with pytest.raises(ResourceUnavailable, match="'id'"):
        await executor(FakeUpstream(ok())).read_resource(entry, "docs://a", {"id": ".."}, Call())


async def test_a_resource_can_be_a_secret_or_a_fixed_text() -> None:
    under_test = executor(FakeUpstream(), secrets=FakeSecrets({"token": b"\x00\xff", "user": b"a"}))
    secret = resource(uri="s:1", secret=KEY, mime_type="application/octet-stream")
    (content,) = await under_test.read_resource(secret, "s:1", {}, Call())
    assert content["blob"] == "AP8="
    fixed = resource(uri="s:2", text="hi")
    (content,) = await under_test.read_resource(fixed, "s:2", {}, Call())
    assert content == {"uri": "s:2", "mimeType": "text/plain", "text": "hi"}


async def test_a_resource_whose_secret_is_missing_is_unavailable() -> None:
    entry = resource(uri="s:1", secret=KEY)
    with pytest.raises(ResourceUnavailable) as caught:
        await executor(FakeUpstream(), secrets=FakeSecrets({})).read_resource(
            entry, "s:1", {}, Call()
        )
    assert "demo/api" not in str(caught.value)
