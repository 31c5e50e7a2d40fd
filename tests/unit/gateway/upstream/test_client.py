from __future__ import annotations

import asyncio
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import MAX_TLS_CONTEXTS, HttpUpstream, Tls, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request, check_header
from support.certificates import Authority
from support.fake_dns import FakeDns
from support.hostile_backend import HostileBackend, hostile_backend

MEBIBYTE = 1 << 20


def get(target: str, **fields: object) -> Request:
    request = {"method": "GET", "scheme": "http", "host": "orders.demo.svc", "port": 80}
    return Request(**request | {"target": target} | fields)  # type: ignore[arg-type] # as tests say


@asynccontextmanager
async def upstream_to(address: str = "", *dns: str) -> AsyncIterator[HttpUpstream]:
    services = {"demo/orders:80": address} if address else {}
    async with HttpUpstream(services, user_agent="test/1", resolver=FakeDns(*dns)) as upstream:
        yield upstream


@pytest.fixture
async def hostile() -> AsyncIterator[HostileBackend]:
    async with hostile_backend() as backend:
        yield backend


@pytest.fixture
async def upstream(hostile: HostileBackend) -> AsyncIterator[HttpUpstream]:
    async with upstream_to(hostile.address) as upstream:
        yield upstream


async def reason_of(upstream: HttpUpstream, request: Request, tls: Tls | None = None) -> str:
    with pytest.raises(UpstreamError) as caught:
        await upstream.send(request, tls or Tls(), MEBIBYTE)
    assert "127.0.0.1" not in str(caught.value)
    assert "orders.demo" not in str(caught.value)
    return caught.value.reason


async def test_a_request_arrives_with_exactly_the_given_bytes(
    upstream: HttpUpstream, hostile: HostileBackend
) -> None:
    request = get(
        "/a%2Fb/%2e%2e/%7Ex/%252e?q=%20%2f&r=a+b%41",
        method="POST",
        headers=dict([check_header("X-A", "1")]),
        body=b"{}",
    )
    answer = await upstream.send(request, Tls(), MEBIBYTE)
    received = (("content-length", "11"), ("content-type", "application/json"))
    assert answer == Answer(200, "application/json", b'{"ok":true}', received)
    (raw,) = hostile.requests
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    assert line == "POST /a%2Fb/%2e%2e/%7Ex/%252e?q=%20%2f&r=a+b%41 HTTP/1.1"
    assert body == b"{}"
    assert dict(header.split(": ") for header in headers) == {
        "Host": "orders.demo.svc",
        "X-A": "1",
        "User-Agent": "test/1",
        "Accept-Encoding": "identity",
        "Accept": "*/*",
        "Content-Length": "2",
    }


async def test_connections_are_reused(upstream: HttpUpstream, hostile: HostileBackend) -> None:
    for _ in range(3):
        await upstream.send(get("/ok"), Tls(), MEBIBYTE)
    assert hostile.connections == 1


async def test_the_host_header_contains_a_port_other_than_80(hostile: HostileBackend) -> None:
    async with HttpUpstream({"demo/orders:81": hostile.address}, user_agent="t") as upstream:
        await upstream.send(get("/ok", port=81), Tls(), MEBIBYTE)
    assert b"Host: orders.demo.svc:81\r\n" in hostile.requests[0]


@pytest.mark.parametrize("path", ["/gigabyte", "/chunked-gigabyte", "/claims-gigabyte"])
async def test_reading_a_gigabyte_stops_at_the_limit(
    upstream: HttpUpstream, hostile: HostileBackend, path: str
) -> None:
    tracemalloc.start()
    try:
        assert await reason_of(upstream, get(path)) == "too_large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MEBIBYTE
    await hostile.closed.wait()
    # What the kernel's socket buffers on both sides took before the connection was closed.
    assert hostile.sent < 32 * MEBIBYTE


async def test_a_response_of_exactly_the_limit_is_read(upstream: HttpUpstream) -> None:
    assert (await upstream.send(get("/ok"), Tls(), 11)).body == b'{"ok":true}'
    with pytest.raises(UpstreamError, match="larger than 10 bytes"):
        await upstream.send(get("/ok"), Tls(), 10)


@pytest.mark.parametrize("path", ["/stall", "/drip", "/drip-headers", "/continue"])
async def test_cancelling_a_call_closes_its_connection(
    upstream: HttpUpstream, hostile: HostileBackend, path: str
) -> None:
    call = asyncio.create_task(upstream.send(get(path), Tls(), MEBIBYTE))
    await hostile.reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await hostile.closed.wait()
    assert hostile.open_connections == 0


@pytest.mark.parametrize("path", ["/stall", "/drip", "/drip-headers", "/continue"])
async def test_a_deadline_ends_an_endless_response(upstream: HttpUpstream, path: str) -> None:
    # It can also be refused for what it has sent by then, such as 128 headers.
    with pytest.raises((TimeoutError, UpstreamError)):
        async with asyncio.timeout(0.2):
            await upstream.send(get(path), Tls(), MEBIBYTE)


@pytest.mark.parametrize(
    "path",
    [
        "/upgrade",
        "/not-http",
        "/short",
        "/hang-up",
        "/bad-chunk",
        "/huge-header",
    ],
)
async def test_invalid_http_is_a_typed_error(upstream: HttpUpstream, path: str) -> None:
    assert await reason_of(upstream, get(path)) in {"closed", "protocol"}
    answer = await upstream.send(get("/ok"), Tls(), MEBIBYTE)
    assert answer.status == 200


async def test_redirects_are_returned_and_not_followed(
    upstream: HttpUpstream, hostile: HostileBackend
) -> None:
    answer = await upstream.send(get("/redirect"), Tls(), MEBIBYTE)
    assert (answer.status, answer.body) == (302, b"")
    assert len(hostile.requests) == 1


async def test_cookies_are_not_stored(upstream: HttpUpstream, hostile: HostileBackend) -> None:
    for _ in range(2):
        await upstream.send(get("/cookie"), Tls(), MEBIBYTE)
    assert b"cookie:" not in hostile.requests[1].lower()


async def test_proxies_of_the_environment_are_ignored(
    upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert (await upstream.send(get("/ok"), Tls(), MEBIBYTE)).status == 200


async def test_a_failed_post_is_not_repeated(
    upstream: HttpUpstream, hostile: HostileBackend
) -> None:
    await upstream.send(get("/ok"), Tls(), MEBIBYTE)
    assert await reason_of(upstream, get("/hang-up", method="POST", body=b"{}")) == "closed"
    assert len(hostile.requests) == 2


async def test_a_refused_connection_is_a_connect_error(unused_tcp_port: int) -> None:
    async with upstream_to(f"127.0.0.1:{unused_tcp_port}") as upstream:
        assert await reason_of(upstream, get("/ok")) == "connect"


async def test_a_connect_error_has_the_address_for_the_log(unused_tcp_port: int) -> None:
    for address in (f"127.0.0.1:{unused_tcp_port}", f"[::1]:{unused_tcp_port}"):
        async with upstream_to(address) as upstream:
            with pytest.raises(UpstreamError) as caught:
                await upstream.send(get("/ok"), Tls(), MEBIBYTE)
        assert caught.value.address == address


async def test_an_unknown_name_is_a_connect_error() -> None:
    async with upstream_to() as upstream:
        assert await reason_of(upstream, get("/ok")) == "connect"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "100.100.100.200"]
)
async def test_a_name_that_resolves_to_a_special_address_is_not_called(
    hostile: HostileBackend, address: str
) -> None:
    async with upstream_to("", "10.0.0.1", address) as upstream:
        assert await reason_of(upstream, get("/ok", port=hostile.port)) == "forbidden"
    assert hostile.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "::1", "169.254.169.254", "0.0.0.0"])  # noqa: S104
async def test_a_literal_special_address_is_not_called(hostile: HostileBackend, host: str) -> None:
    async with upstream_to("", "10.0.0.1") as upstream:
        assert await reason_of(upstream, get("/ok", host=host, port=hostile.port)) == "forbidden"
    assert hostile.connections == 0


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.1", "0177.0.0.1"])
async def test_other_notations_of_loopback_are_not_called(
    hostile: HostileBackend, host: str
) -> None:
    async with upstream_to("", "127.0.0.1") as upstream:
        assert await reason_of(upstream, get("/ok", host=host, port=hostile.port))
    assert hostile.connections == 0


async def test_a_name_rebound_to_loopback_is_not_called(hostile: HostileBackend) -> None:
    dns = FakeDns("10.0.0.1")
    async with HttpUpstream({}, user_agent="t", resolver=dns) as upstream:
        dns.addresses = ("127.0.0.1",)
        assert await reason_of(upstream, get("/ok", port=hostile.port)) == "forbidden"
    assert hostile.connections == 0


async def test_an_override_allows_only_the_service_that_it_names(hostile: HostileBackend) -> None:
    async with upstream_to(f"localhost:{hostile.port}", "127.0.0.1") as upstream:
        assert (await upstream.send(get("/ok"), Tls(), MEBIBYTE)).status == 200
        direct = get("/ok", host="localhost", port=hostile.port)
        assert await reason_of(upstream, direct) == "forbidden"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


@asynccontextmanager
async def serving_tls(
    authority: Authority, context: ssl.SSLContext, text: str
) -> AsyncIterator[str]:
    """Run a backend with a certificate of the authority; yield its address."""
    context.load_cert_chain(*authority.issue("backend", hosts=("orders.demo.svc",)))

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text=text)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def tls_address(authority: Authority) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    async with serving_tls(authority, context, "secret garden") as address:
        yield address


async def test_tls_is_verified_with_the_given_ca_and_the_name_of_the_backend(
    authority: Authority, tls_address: str
) -> None:
    ca = authority.certificate.read_bytes()
    request = get("/", scheme="https")
    async with upstream_to(tls_address) as upstream:
        assert (await upstream.send(request, Tls(ca=ca), MEBIBYTE)).body == b"secret garden"
        assert await reason_of(upstream, request, Tls(ca=ca, server_name="other.svc")) == "tls"
        assert await reason_of(upstream, request) == "tls"
        assert (await upstream.send(request, Tls(verify=False), MEBIBYTE)).status == 200
        other = get("/", scheme="https", host="orders.demo.svc.cluster.local")
        assert await reason_of(upstream, other, Tls(ca=ca)) == "tls"
        named = Tls(ca=ca, server_name="orders.demo.svc")
        assert (await upstream.send(other, named, MEBIBYTE)).status == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST"])
async def test_a_request_without_a_body_has_no_content_length_or_zero(method: str) -> None:
    seen: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers.get("Content-Length", "none"))
        return web.Response(body=b"x" * MEBIBYTE if method == "HEAD" else b"")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with upstream_to(f"127.0.0.1:{runner.addresses[0][1]}") as upstream:
        for _ in range(2):
            found = await upstream.send(get("/", method=method), Tls(), 10)
            assert (found.status, found.body) == (200, b"")
    await runner.cleanup()
    assert len(seen) == 2
    assert set(seen) <= ({"0"} if method == "POST" else {"0", "none"})


async def test_a_virtual_host_is_sent_in_the_host_header_and_verified_by_tls(
    authority: Authority, hostile: HostileBackend, tls_address: str
) -> None:
    async with upstream_to(hostile.address) as upstream:
        await upstream.send(get("/ok", virtual_host="shop.example.com"), Tls(), MEBIBYTE)
    assert b"Host: shop.example.com\r\n" in hostile.requests[-1]
    named = get("/", scheme="https", virtual_host="shop.example.com")
    tls = Tls(ca=authority.certificate.read_bytes())
    async with upstream_to(tls_address) as upstream:
        assert await reason_of(upstream, named, tls) == "tls"


@pytest.fixture
async def strict_address(authority: Authority) -> AsyncIterator[str]:
    """A backend that requires a client certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.verify_mode = ssl.CERT_REQUIRED
    async with serving_tls(authority, context, "known") as address:
        yield address


async def test_a_client_certificate_is_sent_to_the_backend(
    authority: Authority, strict_address: str
) -> None:
    certificate, key = authority.issue("client")
    shown, ca = certificate.read_bytes(), authority.certificate.read_bytes()
    known = Tls(ca=ca, certificate=shown, key=key.read_bytes())
    request = get("/", scheme="https")
    async with upstream_to(strict_address) as upstream:
        assert (await upstream.send(request, known, MEBIBYTE)).body == b"known"
        with pytest.raises(UpstreamError):
            await upstream.send(request, Tls(ca=ca), MEBIBYTE)
        wrong = Tls(ca=ca, certificate=shown, key=b"no key")
        assert await reason_of(upstream, request, wrong) == "tls"


@pytest.mark.parametrize(
    ("host", "external"),
    [
        ("api.example.com", False),
        ("orders.demo.svc", True),
        ("orders", True),
        ("printer.local", True),
        ("localhost", True),
        ("orders.demo.svc.cluster.local", True),
        ("metadata.google.internal", True),
        ("93.184.216.34", True),
        ("93.184.216.34", False),
    ],
)
async def test_a_host_that_does_not_match_external_is_not_called(
    hostile: HostileBackend, host: str, *, external: bool
) -> None:
    async with upstream_to("", "93.184.216.34") as upstream:
        request = get("/", host=host, port=hostile.port, external=external)
        assert await reason_of(upstream, request) == "forbidden"


async def test_an_invalid_ca_is_a_tls_error(tls_address: str) -> None:
    async with upstream_to(tls_address) as upstream:
        for ca in (b"not PEM", b"\xff"):
            assert await reason_of(upstream, get("/", scheme="https"), Tls(ca=ca)) == "tls"


async def test_a_plain_http_response_to_a_tls_handshake_is_a_tls_error() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with upstream_to(f"{host}:{port}") as upstream:
            assert await reason_of(upstream, get("/", scheme="https")) == "tls"


async def test_tls_contexts_are_shared_and_bounded(
    upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mcp_operator.gateway.upstream.client._make_context",
        lambda _: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    first = await upstream._context(Tls(ca=b"0"))
    assert await upstream._context(Tls(ca=b"0")) is first
    for number in range(1, MAX_TLS_CONTEXTS + 1):
        await upstream._context(Tls(ca=b"%d" % number))
    assert len(upstream._contexts) == MAX_TLS_CONTEXTS
    assert await upstream._context(Tls(ca=b"0")) is not first
