from __future__ import annotations

import pytest

from mcp_operator.gateway.upstream.addresses import (
    ForbiddenAddressError,
    GuardedResolver,
    Overrides,
    cluster_domain,
    why_forbidden,
)
from support.fake_dns import FakeDns

ALLOWED = [
    "10.96.0.20",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "198.19.0.1",
    "8.8.8.8",
    "fd00::1",
    "2001:4860::8",
    "64:ff9b::a60:14",
    "::ffff:10.96.0.20",
]


@pytest.mark.parametrize("address", ALLOWED)
def test_private_and_public_addresses_are_allowed(address: str) -> None:
    assert not why_forbidden(address)


def test_addresses_of_the_cluster_itself_can_be_blocked() -> None:
    assert "cluster itself" in why_forbidden("10.96.0.1", {"10.96.0.1"})
    assert why_forbidden("::ffff:10.96.0.1", {"10.96.0.1"})


async def test_a_name_with_one_forbidden_address_is_refused() -> None:
    resolver = GuardedResolver(
        FakeDns("10.0.0.1", "127.0.0.1"), trusted=lambda *_: False, blocked=(), domain="d"
    )
    with pytest.raises(
        ForbiddenAddressError, match=r"127\.0\.0\.1 are not allowed: it is loopback"
    ):
        await resolver.resolve("orders.demo.svc", 80)


async def test_a_trusted_name_can_resolve_to_any_address() -> None:
    dns = FakeDns("127.0.0.1")
    resolver = GuardedResolver(
        dns, trusted=Overrides({"a/b:1": "localhost:9000"}).lead_to, blocked=(), domain="d"
    )
    (result,) = await resolver.resolve("localhost", 9000)
    assert result["host"] == "127.0.0.1"
    with pytest.raises(ForbiddenAddressError):
        await resolver.resolve("localhost", 9001)
    await resolver.close()
    assert dns.closed


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("demo/orders:80", "orders.demo.svc"),
        ("demo/orders:80", "orders.demo.svc.cluster.local"),
        ("orders.demo.svc:80", "orders.demo.svc"),
    ],
)
def test_an_override_matches_a_service_by_each_of_its_names(key: str, host: str) -> None:
    overrides = Overrides({key: "127.0.0.1:9000"})
    assert overrides.find(host, 80) == ("127.0.0.1", 9000)
    assert overrides.find(host, 81) is None
    assert overrides.find("other.demo.svc", 80) is None


def test_the_brackets_of_an_ipv6_override_are_removed() -> None:
    assert Overrides({"demo/orders:80": "[::1]:9000"}).find("orders.demo.svc", 80) == ("::1", 9000)


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("orders.demo.svc", "orders.demo.svc.corp.example."),
        ("demo.svc.svc", "demo.svc.svc.corp.example."),
        ("api.example.com", "api.example.com."),
    ],
)
async def test_names_are_resolved_as_absolute_names(host: str, asked: str) -> None:
    dns = FakeDns("93.184.216.34")
    resolver = GuardedResolver(dns, trusted=lambda *_: False, blocked=(), domain="corp.example")
    (result,) = await resolver.resolve(host, 80)
    assert dns.asked == [asked]
    assert (result["hostname"], result["host"]) == (host, "93.184.216.34")


@pytest.mark.parametrize(
    ("resolv_conf", "domain"),
    [
        ("search demo.svc.cluster.local svc.cluster.local cluster.local\n", "cluster.local"),
        ("nameserver 10.0.0.10\nsearch a.svc.k8s.corp svc.k8s.corp. k8s.corp lan\n", "k8s.corp"),
        ("search lan home\n", "cluster.local"),
        ("search svc. svc\n", "cluster.local"),
        ("", "cluster.local"),
        ("searching svc.evil\n", "cluster.local"),
    ],
)
def test_the_cluster_domain_is_read_from_the_search_list(resolv_conf: str, domain: str) -> None:
    assert cluster_domain(resolv_conf) == domain


PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"]


@pytest.mark.parametrize("address", [*PRIVATE, "64:ff9b::a00:1", "198.18.0.1"])
async def test_an_external_host_with_a_private_address_is_refused(address: str) -> None:
    assert "private" in why_forbidden(address, outside=True)
    assert not why_forbidden(address)
    dns = FakeDns("93.184.216.34", address)
    resolver = GuardedResolver(dns, trusted=lambda *_: False, blocked=(), domain="d")
    with pytest.raises(ForbiddenAddressError, match="private"):
        await resolver.resolve("api.example.com", 443)
    assert len(await resolver.resolve("orders.demo.svc", 443)) == 2


def test_an_override_of_a_service_does_not_match_an_external_host() -> None:
    assert Overrides({"example/api:443": "127.0.0.1:1"}).find("api.example.com", 443) is None
