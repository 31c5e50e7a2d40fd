"""Connections with TLS, and through proxies."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_operator.core.connections import Connections, NoConnectionError, Server
from support.certificates import Authority
from support.raw_server import GET, LOCAL, RawServer, again, asking

HOST = "api.test"
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Certificates:
    def __init__(self, directory: Path) -> None:
        authority = Authority(directory, "ca")
        certificate, key = authority.issue("server", hosts=(HOST,))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(certificate, key)
        self.client = ssl.create_default_context(cafile=authority.certificate)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def secure_server(certificates: Certificates) -> AsyncIterator[RawServer]:
    made = RawServer(certificates.server)
    await made.start()
    yield made
    await made.stop()


def through(proxy: str, tls: ssl.SSLContext | None = None, host: str = HOST) -> Connections:
    return Connections(Server(host, 6443, tls, proxy=proxy))


async def test_a_server_speaks_tls(secure_server: RawServer, certificates: Certificates) -> None:
    server = Server(LOCAL, secure_server.port, certificates.client, name=HOST)
    connections = Connections(server)
    body = os.urandom(1 << 22)
    task = asking(connections, body)
    peer = await secure_server.accept()
    assert (await peer.receive()).endswith(body)
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)
    assert b"".join([part async for part in (await task).stream()]) == body
    assert await again(connections, peer) == b"ok"
    connections.close()


async def test_a_certificate_of_another_name_means_no_connection(
    secure_server: RawServer, certificates: Certificates
) -> None:
    server = Server(LOCAL, secure_server.port, certificates.client, name="other.test")
    with pytest.raises(NoConnectionError, match="certificate verify failed"):
        await asking(Connections(server))


@pytest.mark.parametrize("is_secure", [False, True])
async def test_a_proxy_is_asked_for_a_tunnel(
    server: RawServer, certificates: Certificates, *, is_secure: bool
) -> None:
    proxy = f"http://a%40b:p%3Aw@{LOCAL}:{server.port}"
    connections = through(proxy, certificates.client if is_secure else None)
    task = asking(connections)
    peer = await server.accept()
    login = base64.b64encode(b"a@b:p:w")
    expected = b"CONNECT api.test:6443 HTTP/1.1\r\nHost: api.test:6443\r\n"
    expected += b"Proxy-Authorization: Basic " + login + b"\r\n\r\n"
    assert await peer.answer(CONNECTED) == expected
    if is_secure:
        await peer.secure(certificates.server)
    assert await peer.answer() == GET
    assert await (await task).read() == b"ok"
    assert await again(connections, peer) == b"ok"
    connections.close()


@pytest.mark.parametrize(
    "host",
    [HOST, "::1"],
)
async def test_a_tunnel_needs_no_login(server: RawServer, host: str) -> None:
    task = asking(through(f"http://{LOCAL}:{server.port}", host=host))
    request = await (await server.accept()).answer(b"HTTP/1.1 502 No\r\n\r\n")
    with pytest.raises(NoConnectionError, match="the proxy answered with HTTP status 502"):
        await task
    target = f"[{host}]" if ":" in host else host
    assert request == f"CONNECT {target}:6443 HTTP/1.1\r\nHost: {target}:6443\r\n\r\n".encode()


@pytest.mark.parametrize("status", [407, 200])
async def test_no_request_is_sent_to_a_proxy(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    connections, kept = through(f"http://{LOCAL}:{server.port}"), list[object]()
    monkeypatch.setattr(connections, "keep", kept.append)
    task = asking(connections)
    peer = await server.accept()
    await peer.answer(b"HTTP/1.1 %d So\r\nContent-Length: 0\r\n\r\n" % status)
    if status == 200:
        await peer.receive()
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    connections.close()
    assert await peer.left() == b""
    assert kept == []
