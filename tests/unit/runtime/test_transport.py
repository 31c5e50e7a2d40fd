"""Connections to the API server: TLS, proxies, and answers that are cut short."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.core.meta import Key, Object
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.connector import _new_socket
from mcp_operator.runtime.errors import LOST, REFUSED, ApiError
from mcp_operator.runtime.kubernetes import Configuration
from mcp_operator.runtime.transport import Transport
from support.certificates import Authority
from support.objects import CONFIG_MAPS, config_map
from support.raw_server import LOCAL, Peer, RawServer
from support.scripted_api import configuration

A = Key("demo", "a")
HOST = "api.test"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"

Configure = Callable[[Configuration], None]


class Certificates:
    def __init__(self, directory: Path) -> None:
        authority = Authority(directory, "ca")
        certificate, key = authority.issue("server", hosts=(HOST,))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(certificate, key)
        self.ca = str(authority.certificate)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    made = RawServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def secure_server(certificates: Certificates) -> AsyncIterator[RawServer]:
    made = RawServer(certificates.server)
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def connected(
    metrics: RuntimeMetrics, url: str, configure: Configure = lambda _: None
) -> AsyncIterator[Client]:
    made = configuration(url)
    configure(made)

    async def load() -> Configuration:
        return made

    transport = Transport(
        load, made, refresh_every=60.0, user_agent="tests/1", metrics=metrics, max_in_flight=2
    )
    await transport.open()
    try:
        yield Client(transport, field_manager="tests", metrics=metrics)
    finally:
        await transport.close()


def answer(obj: Object) -> bytes:
    body = json.dumps(obj).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def reading(client: Client) -> asyncio.Task[Object]:
    return asyncio.create_task(client.get(CONFIG_MAPS, A))


async def test_the_certificate_must_match_the_tls_server_name_of_the_kubeconfig(
    secure_server: RawServer, certificates: Certificates, metrics: RuntimeMetrics
) -> None:
    def named(name: str) -> Configure:
        def configure(made: Configuration) -> None:
            made.ssl_ca_cert, made.tls_server_name = certificates.ca, name

        return configure

    url = f"https://{LOCAL}:{secure_server.port}"
    async with connected(metrics, url, named(HOST)) as client:
        task = reading(client)
        await (await secure_server.accept()).answer(answer(config_map("a", 5)))
        assert (await task)["metadata"]["name"] == "a"
    async with connected(metrics, url, named("other.test")) as client:
        with pytest.raises(ApiError, match="certificate verify failed") as caught:
            await client.apply(CONFIG_MAPS, config_map("a"))
    assert caught.value.reason == REFUSED


async def test_a_proxy_gets_a_connect_request_with_the_credentials_of_its_url(
    server: RawServer, certificates: Certificates, metrics: RuntimeMetrics
) -> None:
    def configure(made: Configuration) -> None:
        made.ssl_ca_cert = certificates.ca
        made.proxy = f"http://a%40b:p%3Aw@{LOCAL}:{server.port}"

    async with connected(metrics, f"https://{HOST}:6443", configure) as client:
        task = reading(client)
        peer = await server.accept()
        head = await peer.answer(TUNNEL)
        assert head.startswith(b"CONNECT api.test:6443 HTTP/1.1\r\nHost: api.test:6443\r\n")
        assert b"Proxy-Authorization: Basic " + base64.b64encode(b"a@b:p:w") in head
        assert b"Bearer" not in head
        await peer.secure(certificates.server)
        await peer.answer(answer(config_map("a", 5)))
        assert (await task)["metadata"]["name"] == "a"


@pytest.mark.parametrize("status", [407, 502])
async def test_an_error_about_a_proxy_that_refuses_does_not_show_its_password(
    server: RawServer, metrics: RuntimeMetrics, status: int
) -> None:
    def configure(made: Configuration) -> None:
        made.proxy = f"http://user:hunter2@{LOCAL}:{server.port}"

    async with connected(metrics, f"https://{HOST}:6443", configure) as client:
        writing = asyncio.create_task(client.get(CONFIG_MAPS, A))
        while not writing.done():
            accepting = asyncio.create_task(server.accept())
            await asyncio.wait({writing, accepting}, return_when=asyncio.FIRST_COMPLETED)
            if accepting.done():
                await refuse(accepting.result(), status)
            else:
                accepting.cancel()
        with pytest.raises(ApiError, match=str(status)) as caught:
            await writing
    assert caught.value.reason == REFUSED
    assert "hunter2" not in str(caught.value)


async def refuse(peer: Peer, status: int) -> None:
    head = await peer.answer(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
    assert head.startswith(b"CONNECT ")
    peer.close()


async def test_an_error_about_an_unreachable_proxy_does_not_show_its_password(
    server: RawServer, metrics: RuntimeMetrics
) -> None:
    def configure(made: Configuration) -> None:
        made.proxy = f"http://user:hunter2@{LOCAL}:1"

    async with connected(metrics, f"https://{HOST}:6443", configure) as client:
        with pytest.raises(ApiError) as caught:
            await client.apply(CONFIG_MAPS, config_map("a"))
    assert caught.value.reason == REFUSED
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("method", ["apply", "replace", "delete"])
async def test_a_write_on_a_reused_connection_that_breaks_is_not_retried(
    server: RawServer, metrics: RuntimeMetrics, method: str
) -> None:
    async with connected(metrics, f"http://{LOCAL}:{server.port}") as client:
        task = reading(client)
        peer = await server.accept()
        await peer.answer(answer(config_map("a", 5)))
        await task
        writing = asyncio.create_task(
            client.delete(CONFIG_MAPS, A)
            if method == "delete"
            else getattr(client, method)(CONFIG_MAPS, config_map("a"))
        )
        await peer.receive()
        peer.close()
        with pytest.raises(ApiError) as caught:
            await writing
    assert caught.value.reason == LOST
    assert len(server.peers) == 1


async def test_a_response_with_too_many_header_bytes_raises_an_error(
    server: RawServer, metrics: RuntimeMetrics
) -> None:
    async with connected(metrics, f"http://{LOCAL}:{server.port}") as client:
        writing = asyncio.create_task(client.apply(CONFIG_MAPS, config_map("a")))
        peer = await server.accept()
        await peer.answer(b"HTTP/1.1 200 OK\r\n" + b"X-Header: aaaaaaaaaaaaaaaa\r\n" * 10_000)
        with pytest.raises(ApiError) as caught:
            await writing
    assert caught.value.reason == LOST


async def test_a_cancelled_request_leaves_no_socket_open_after_the_client_is_closed(
    secure_server: RawServer,
    certificates: Certificates,
    metrics: RuntimeMetrics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[socket.socket] = []

    def remembered(address: Any) -> socket.socket:
        opened.append(_new_socket(address))
        return opened[-1]

    def configure(made: Configuration) -> None:
        made.ssl_ca_cert, made.tls_server_name = certificates.ca, HOST

    monkeypatch.setattr("mcp_operator.runtime.connector._new_socket", remembered)
    async with connected(metrics, f"https://{LOCAL}:{secure_server.port}", configure) as client:
        task = reading(client)
        await (await secure_server.accept()).receive()
        task.cancel()
        await asyncio.wait([task])
    assert [each.fileno() for each in opened] == [-1]
