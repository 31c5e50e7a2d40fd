"""The servers of metrics and probes, apart from a manager."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from aiohttp import web

from mcp_operator.runtime.probes import HttpServer
from support.network import free_port


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


HOSTS = ("127.0.0.1", "[::1]") if has_ipv6() else ("127.0.0.1",)


@pytest.mark.parametrize("host", HOSTS)
async def test_without_a_host_addresses_of_both_families_are_listened_on(host: str) -> None:
    port = free_port()
    async with (
        HttpServer(port, {"/": hello}),
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}/") as answer,
    ):
        assert await answer.text() == "hello"
