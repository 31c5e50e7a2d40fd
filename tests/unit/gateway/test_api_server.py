from __future__ import annotations

import asyncio
import json
import logging

import pytest

from mcp_operator.gateway.api_server import INTERVAL, endpoints, follow, service_address
from mcp_operator.gateway.upstream.addresses import Blocked, why_forbidden
from mcp_operator.gateway.upstream.names import SystemResolver
from mcp_operator.runtime.errors import ApiError
from support.fake_dns import FakeDns


def discovery(*addresses: str) -> bytes:
    entries = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address} for address in addresses]
    return json.dumps({"kind": "APIVersions", "serverAddressByClientCIDRs": entries}).encode()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("192.168.49.2:8443", ("192.168.49.2", 8443)),
        ("[fd00:0::1]:6443", ("fd00::1", 6443)),
        ("api.internal:443", ("10.0.0.1", 443)),
    ],
)
async def test_the_endpoint_is_read_from_the_discovery_document(
    address: str, found: tuple[str, int]
) -> None:
    resolver = FakeDns("10.0.0.1") if "internal" in address else SystemResolver()
    assert await endpoints(discovery(address), resolver) == {found}


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{", b'{"serverAddressByClientCIDRs":[{}]}', discovery("a"), discovery(":")],
)
async def test_a_discovery_document_without_an_address_is_an_error(answer: bytes) -> None:
    with pytest.raises((ValueError, OSError)):
        await endpoints(answer, FakeDns())


def test_the_address_of_the_api_server_is_forbidden_only_at_its_port() -> None:
    blocked: set[Blocked] = {("10.0.0.1", 6443)}
    assert "cluster itself" in why_forbidden("10.0.0.1", blocked, port=6443)
    assert "cluster itself" in why_forbidden("::ffff:10.0.0.1", blocked, port=6443)
    assert not why_forbidden("10.0.0.1", blocked, port=80)  # a pod on the network of that host


@pytest.mark.parametrize(
    ("host", "expected"),
    [("10.96.0.1", {"10.96.0.1"}), ("fd00:0:0::1", {"fd00::1"}), ("", set()), ("api", set())],
)
def test_the_service_address_is_read_from_the_environment(
    host: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    assert service_address() == expected


@pytest.mark.looptime
async def test_new_api_server_addresses_are_added_and_errors_are_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    asked: list[tuple[str, str]] = []
    answers: list[bytes | ApiError] = [
        discovery("10.0.0.1:6443"),
        ApiError(503, "Down", "no"),
        b"",
        discovery("10.0.0.2:6443"),
    ]

    async def get(method: str, path: str) -> bytes:
        asked.append((method, path))
        answer = answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    blocked: set[Blocked] = {"10.96.0.1"}
    resolver = FakeDns("10.0.0.1")
    following = asyncio.create_task(follow(get, resolver, blocked))
    await asyncio.sleep(INTERVAL / 2)
    assert blocked == {"10.96.0.1", ("10.0.0.1", 6443)}
    resolver.addresses = ("10.0.0.2",)
    await asyncio.sleep(3 * INTERVAL)
    assert blocked == {"10.96.0.1", ("10.0.0.1", 6443), ("10.0.0.2", 6443)}
    assert asked == [("GET", "/api")] * 4
    following.cancel()
    assert "Cannot get the addresses" in caplog.text
