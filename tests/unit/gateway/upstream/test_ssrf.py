"""Hosts in a catalog and addresses from DNS that a gateway must not connect to."""

from __future__ import annotations

import socket

import pytest

from mcp_operator.gateway.upstream.client import HttpUpstream, Tls, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request
from support.fake_dns import FakeDns

API_SERVER = ("10.96.0.1", "192.168.49.2", "fd00:10:96::1")
"""The address of its Service, and those of its endpoints."""

NEVER = [
    # loopback
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "::1",
    # this host (RFC 1122)
    "0.0.0.0",  # noqa: S104 - an address to refuse, not to listen on
    "0.1.2.3",
    "0.255.255.255",
    "::",
    # link-local, and the metadata services of clouds
    "169.254.0.1",
    "169.254.169.254",
    "169.254.169.253",
    "169.254.170.2",
    "169.254.170.23",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    # multicast and broadcast
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "ff02::1",
    "ff05::1:3",
    # the other special addresses of RFC 6890
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "100::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fec0::1",
    # IPv4 in IPv6: mapped, compatible, NAT64, 6to4, Teredo
    "::ffff:127.0.0.1",
    "::ffff:0.0.0.0",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "::169.254.169.254",
    "::10.96.0.20",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:a60:14::1",
    "2001:0:a9fe:a9fe::1",
    "2001::5601:5601",
    # the API server, also in other forms
    *API_SERVER,
    "::ffff:10.96.0.1",
    "64:ff9b::a60:1",
    "fd00:10:96:0::1",
    # not valid addresses, but some libraries accept them
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.0.1.",
    "localhost",
    "",
]

NEVER_OUTSIDE = [
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "fc00::1",
    "fd12:3456:789a::1",
    "::ffff:10.0.0.1",
    "::ffff:192.168.0.1",
    "64:ff9b::a00:1",
    "64:ff9b::c0a8:1",
]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The addresses that sockets try to connect to. All connections are refused."""
    asked: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return asked


async def reason(host: str, *dns: str, external: bool = False) -> str:
    request = Request(
        method="GET", scheme="http", host=host, port=80, target="/", external=external
    )
    resolver = FakeDns(*dns)
    async with HttpUpstream(
        {}, user_agent="t", resolver=resolver, blocked=API_SERVER, domain="d"
    ) as upstream:
        with pytest.raises(UpstreamError) as caught:
            await upstream.send(request, Tls(), 1000)
    return caught.value.reason


@pytest.mark.parametrize("address", NEVER)
async def test_a_service_with_a_special_address_is_forbidden(
    address: str, connected: list[object]
) -> None:
    assert await reason("orders.demo.svc", "10.0.0.1", address) == "forbidden"
    assert await reason("orders.demo.svc", address) == "forbidden"
    assert connected == []


@pytest.mark.parametrize("address", [*NEVER, *NEVER_OUTSIDE])
async def test_an_external_host_with_a_special_or_private_address_is_forbidden(
    address: str, connected: list[object]
) -> None:
    dns = ("93.184.216.34", address)
    assert await reason("api.example.com", *dns, external=True) == "forbidden"
    assert connected == []


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("host", [*filter(None, NEVER), *NEVER_OUTSIDE, "[::1]", "[fe80::1]"])
async def test_a_literal_address_in_a_catalog_is_forbidden(
    host: str, connected: list[object], *, external: bool
) -> None:
    assert await reason(host, "127.0.0.1", external=external) == "forbidden"
    assert connected == []


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a60:14"])
async def test_the_gateway_connects_to_the_address_that_it_checked(
    address: str, connected: list[tuple[str, int]]
) -> None:
    assert await reason("orders.demo.svc", address) == "connect"
    assert [to[:2] for to in connected] == [(address, 80)]
