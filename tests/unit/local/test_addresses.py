from __future__ import annotations

from mcp_operator.core.meta import Key
from mcp_operator.gateway.upstream.addresses import Overrides
from mcp_operator.local.addresses import ServiceAddresses


def test_a_service_can_be_given_without_namespace_and_port() -> None:
    addresses = ServiceAddresses({"orders": "127.0.0.1:9000"}, "demo")

    assert addresses["demo/orders:80"] == "127.0.0.1:9000"
    assert "other/orders:80" not in addresses


def test_a_given_port_takes_precedence_over_the_whole_service() -> None:
    typed = {"orders": "127.0.0.1:9000", "orders:81": "127.0.0.1:9001"}
    addresses = ServiceAddresses(typed, "demo")

    assert addresses["demo/orders:80"] == "127.0.0.1:9000"
    assert addresses["demo/orders:81"] == "127.0.0.1:9001"


def test_a_given_address_takes_precedence_over_annotations_which_can_change() -> None:
    addresses = ServiceAddresses({"orders": "127.0.0.1:9000"}, "demo")

    addresses.annotate({Key("demo", "orders"): "127.0.0.1:1", Key("demo", "users"): "127.0.0.1:2"})
    assert addresses["demo/orders:80"] == "127.0.0.1:9000"
    assert addresses["demo/users:80"] == "127.0.0.1:2"
    assert len(addresses) == 2

    addresses.annotate({})
    assert "demo/users:80" not in addresses
    assert dict(addresses) == {"demo/orders": "127.0.0.1:9000"}


def test_the_gateway_resolves_services_with_the_addresses() -> None:
    addresses = ServiceAddresses({"orders": "127.0.0.1:9000"}, "demo")
    overrides = Overrides(addresses)

    assert overrides.find("orders.demo.svc", 80) == ("127.0.0.1", 9000)
    assert overrides.find("users.demo.svc", 80) is None

    addresses.annotate({Key("demo", "users"): "[::1]:9001"})
    assert overrides.find("users.demo.svc", 80) == ("::1", 9001)
    assert overrides.lead_to("[::1]", 9001)


def test_an_external_host_can_have_a_local_address() -> None:
    addresses = ServiceAddresses({"api.example.com": "127.0.0.1:9000"}, "demo")
    assert addresses["api.example.com:443"] == "127.0.0.1:9000"
    assert "demo/api:443" not in addresses
