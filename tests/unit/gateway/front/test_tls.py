"""HTTPS at the gateway itself: the certificate, and clients that do not use TLS."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from mcp_operator.gateway.front import certificate, connection
from mcp_operator.gateway.front.certificate import Certificate, CertificateError
from mcp_operator.gateway.front.connection import Connection
from support.certificates import Authority
from support.clocks import SettableClock
from support.entries import tool
from support.fake_executor import text_result
from support.identity import by_token
from support.mcp_http import modern, table
from support.raw_client import client, raw_call
from support.raw_requests import GOOD
from support.running_gateway import Running, running
from support.waiting import hang_guard


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    secret = tmp_path / "secret"
    secret.mkdir()
    show(authority, secret, "first")
    return secret


def show(authority: Authority, secret: Path, name: str) -> None:
    """Write a certificate for a name, as the kubelet does when a Secret has changed."""
    made = authority.issue(name, hosts=("127.0.0.1",))
    for file, path in zip(("tls.crt", "tls.key"), made, strict=True):
        shutil.copy(path, secret / f"{file}.new")
        (secret / f"{file}.new").rename(secret / file)


def trusting(tmp_path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=tmp_path / "ca.crt")


async def shown_name(gateway: Running, tmp_path: Path) -> str:
    """Return the name in the certificate that a new connection gets."""
    async with client(gateway, tls=trusting(tmp_path)) as visitor:
        return str(visitor.writer.get_extra_info("peercert")["subject"][0][0][1])


async def test_a_client_is_served_over_https(tmp_path: Path, folder: Path) -> None:
    async with running(tls=folder) as gateway, aiohttp.ClientSession() as session:
        request = modern("tools/list")
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        url = gateway.url.replace("http:", "https:")
        async with session.post(
            url, data=request.body, headers=headers, ssl=trusting(tmp_path)
        ) as answer:
            assert answer.status == 200
            assert len((await answer.json())["result"]["tools"]) == 1


async def test_a_client_without_a_token_gets_the_https_url_of_the_metadata(
    tmp_path: Path, folder: Path
) -> None:
    async with running(tls=folder) as gateway, aiohttp.ClientSession() as session:
        gateway.current.swap(table(tool("add"), auth=by_token()))
        url = gateway.url.replace("http:", "https:")
        async with session.post(url, ssl=trusting(tmp_path)) as answer:
            challenge = answer.headers["www-authenticate"]
        (place,) = re.findall('resource_metadata="([^"]+)"', challenge)
        async with session.get(place, ssl=trusting(tmp_path)) as answer:
            assert (await answer.json())["resource"] == url


async def test_a_new_certificate_is_used_without_a_restart(
    tmp_path: Path, folder: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "CHECK_SECONDS", 0.01)
    async with running(tls=folder) as gateway:
        assert await shown_name(gateway, tmp_path) == "first"

        show(authority, folder, "second")

        async with hang_guard():
            while await shown_name(gateway, tmp_path) != "second":
                pass  # each iteration waits for a handshake


def test_an_unusable_certificate_does_not_replace_the_one_in_use(
    folder: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    used = Certificate(folder)
    before = used.context
    (folder / "tls.crt").write_text("none")
    used._renew()
    used._renew()

    assert caplog.text.count("cannot be used") == 1
    assert used.context is before
    caplog.set_level("INFO")
    show(authority, folder, "third")
    used._renew()
    assert caplog.text.count("A new certificate is in use") == 1
    assert used.context is not before


def test_a_certificate_is_logged_once_when_it_expires_within_a_week_and_once_when_it_has_expired(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SettableClock()  # in the past, when the certificate is far from its end
    used = Certificate(folder, clock)
    end = datetime.fromtimestamp(used.expires, UTC)
    for left in (7, 6, 5, 0, -1):
        clock.time = end - timedelta(days=left)
        used._report()
    assert caplog.messages == [
        "The certificate expires within a week",
        "The certificate has expired",
    ]
    assert {vars(record)["file"] for record in caplog.records} == {str(folder / "tls.crt")}


def test_tls_versions_before_1_2_are_disabled(folder: Path) -> None:
    assert Certificate(folder).context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_a_gateway_without_its_certificate_does_not_start(folder: Path) -> None:
    (folder / "tls.key").unlink()

    with pytest.raises(CertificateError, match=r"cannot use tls.crt and tls.key in .*secret"):
        async with running(tls=folder):
            pass


async def test_clients_without_tls_are_disconnected_and_do_not_block_others(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_operator.gateway.front.listener.HEAD_SECONDS", 0.2)
    monkeypatch.setattr(connection, "HEAD_SECONDS", 3600)
    async with running(tls=folder) as gateway:
        places = gateway.app._front._listener._places
        silent, writer = await asyncio.open_connection("127.0.0.1", gateway.app.port)
        plain, other = await asyncio.open_connection("127.0.0.1", gateway.app.port)
        other.write(GOOD)
        assert await shown_name(gateway, tmp_path) == "first"

        async with hang_guard():
            assert b"HTTP" not in await plain.read()
            assert await silent.read() == b""
            while places.shares.held:
                await gateway.manage("/livez")
        for one in (writer, other):
            one.close()


@pytest.mark.parametrize("said", [b"", b"POST /mcp "])
async def test_a_client_over_tls_that_never_completes_its_headers_is_disconnected(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    async with running(tls=folder) as gateway, client(gateway, tls=trusting(tmp_path)) as silent:
        silent.send(said)

        assert await silent.rest() == b""


async def test_a_stream_over_tls_continues_after_many_notifications(
    tmp_path: Path, folder: Path
) -> None:
    news = {"notifications": {"toolsListChanged": True}}
    async with running(tls=folder) as gateway, aiohttp.ClientSession() as session:
        request = modern("subscriptions/listen", news, request_id="x" * 250)  # in each event
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        url = gateway.url.replace("http:", "https:")
        async with (
            session.post(url, data=request.body, headers=headers, ssl=trusting(tmp_path)) as answer,
            hang_guard(),
        ):
            received = len(await answer.content.readuntil(b"\n\n"))
            for number in range(600):
                gateway.current.swap(table(tool(f"tool-{number}")))
                received += len(await answer.content.readuntil(b"\n\n"))

        assert received > 3 * 2**16  # aiohttp waits for its client after each 64 KiB


@pytest.mark.parametrize("packets", [1, 2])  # asyncio's own TLS would pause at every other packet
async def test_a_client_over_tls_that_reads_slowly_gets_its_whole_last_response(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, packets: int
) -> None:
    monkeypatch.setattr("mcp_operator.gateway.front.listener.LINGERING_SECONDS", 0.01)
    async with (
        running(tls=folder) as gateway,
        stuck(gateway, tmp_path, packets) as (reader, served),
    ):
        assert served.unread > 2**24
        for _ in range(20):  # the client has other things to do
            await gateway.manage("/livez")

        async with hang_guard():
            assert len(await reader.read()) > 2**26


async def test_a_client_over_tls_that_does_not_read_its_response_is_disconnected(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.05)
    async with running(tls=folder) as gateway, stuck(gateway, tmp_path, 2), hang_guard():
        while await gateway.metric("mcp_open_connections") != 0:
            pass  # each iteration waits for a response


@asynccontextmanager
async def stuck(
    gateway: Running, tmp_path: Path, packets: int
) -> AsyncIterator[tuple[asyncio.StreamReader, Connection]]:
    """Call a tool with a large result as the last request, and do not read the response."""
    gateway.executor.results["add"] = text_result("x" * 2**26)
    call = raw_call().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    async with client(gateway, tls=trusting(tmp_path)) as reader:
        for packet in (call[: 50 * (packets - 1)], call[50 * (packets - 1) :]):
            reader.send(packet)
            await gateway.manage("/livez")
        async with hang_guard():
            await reader.reader.readuntil(b"HTTP/1.1 200 OK")
        yield reader.reader, served_by(gateway)


def served_by(gateway: Running) -> Connection:
    """Return the gateway's side of its only connection."""
    (served,) = gateway.app._front._listener._opened.server.connections  # type: ignore[union-attr]
    assert isinstance(served, Connection)
    return served


async def test_a_gateway_that_stops_does_not_wait_for_the_tls_shutdown_of_a_client(
    tmp_path: Path, folder: Path
) -> None:
    async with running(tls=folder) as gateway, client(gateway, tls=trusting(tmp_path)) as busy:
        busy.send(GOOD)
        assert await busy.status() == 200
        busy.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport reads too
        places = gateway.app._front._listener._places.shares
        assert places.held == 1

        await gateway.app.stop()

        assert places.held == 0
