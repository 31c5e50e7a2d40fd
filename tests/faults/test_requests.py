"""Single requests with network faults: retries, timeouts, credentials and concurrency."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from faults.actions import drop, drop_answer, failure, hang
from faults.proxy import FaultProxy
from mcp_operator.core.meta import Key, Object
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.controller import Controller
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.kubernetes import Configuration
from mcp_operator.runtime.reconcile import Result
from mcp_operator.runtime.transport import Transport
from support.objects import CONFIG_MAPS
from support.scripted_api import configuration
from support.waiting import eventually


def config_map(namespace: str, **data: str) -> Object:
    metadata = {"namespace": namespace, "name": "a"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.mark.parametrize("fault", [drop(), failure(500), failure(503)], ids=["drop", "500", "503"])
async def test_a_failed_read_is_retried(
    subject: Client, client: Client, proxy: FaultProxy, namespace: str, fault: object
) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace))
    assert callable(fault)
    proxy.on("GET .*/configmaps/a", fault, times=2)
    assert (await subject.get(CONFIG_MAPS, Key(namespace, "a")))["metadata"]["name"] == "a"
    assert len(proxy.seen) == 3


@pytest.mark.parametrize("fault", [drop_answer(), failure(500)], ids=["no response", "500"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_with_an_unknown_outcome_is_not_retried(
    subject: Client, proxy: FaultProxy, namespace: str, method: str, fault: object
) -> None:
    assert callable(fault)
    write: dict[str, Callable[[], Awaitable[object]]] = {
        "POST": lambda: subject.create(CONFIG_MAPS, config_map(namespace)),
        "PUT": lambda: subject.replace(CONFIG_MAPS, config_map(namespace)),
        "PATCH": lambda: subject.apply(CONFIG_MAPS, config_map(namespace)),
        "DELETE": lambda: subject.delete(CONFIG_MAPS, Key(namespace, "a")),
    }
    await subject.request("GET", "/version")  # opens the connection, which is then reused
    if method != "POST":
        await subject.create(CONFIG_MAPS, config_map(namespace))
    proxy.forget()
    proxy.on(f"{method} .*/configmaps", fault)
    with pytest.raises(ApiError) as caught:
        await write[method]()
    assert caught.value.is_retryable
    assert len(proxy.writes()) == 1


async def test_a_write_that_gets_429_is_retried_after_the_time_in_retry_after(
    subject: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on("POST .*/configmaps", failure(429, "TooManyRequests", headers={"Retry-After": "1"}))
    await subject.create(CONFIG_MAPS, config_map(namespace))
    first, second = proxy.writes()
    assert second.at - first.at >= 1


async def test_a_write_whose_connection_was_refused_is_retried(
    subject: Client, proxy: FaultProxy, namespace: str
) -> None:
    refused = {"code": "<error>", "method": "POST", "host": proxy.url.removeprefix("https://")}

    async def has_failed() -> bool:
        sample = subject.metrics.registry.get_sample_value("rest_client_requests_total", refused)
        return bool(sample)

    await proxy.refuse()
    proxy.hang_up()
    writing = asyncio.create_task(subject.create(CONFIG_MAPS, config_map(namespace)))
    await eventually(has_failed, expected=True)
    await proxy.accept()
    await writing
    assert len(proxy.writes()) == 1


async def test_replacing_an_outdated_version_is_a_conflict_and_changes_nothing(
    subject: Client, client: Client, namespace: str
) -> None:
    old = await client.create(CONFIG_MAPS, config_map(namespace, x="1"))
    new = await client.replace(CONFIG_MAPS, {**old, "data": {"x": "2"}})
    with pytest.raises(ApiError) as caught:
        await subject.replace(CONFIG_MAPS, {**old, "data": {"x": "3"}})
    assert caught.value.is_conflict
    assert await client.get(CONFIG_MAPS, Key(namespace, "a")) == new


class Writes:
    """A reconciler that writes one object."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._object = config_map(namespace, x="1")

    async def reconcile(self, request: Key) -> Result | None:
        await self._client.apply(CONFIG_MAPS, self._object)
        return None


async def test_a_reconciliation_whose_write_gets_no_response_times_out_and_is_retried(
    subject: Client, proxy: FaultProxy, namespace: str
) -> None:
    controller = Controller(
        "maps", "ConfigMap", Writes(subject, namespace), metrics=subject.metrics, timeout=5
    )
    proxy.on("PATCH .*/configmaps/a", hang())
    running = asyncio.create_task(controller.run())
    controller.enqueue(Key(namespace, "a"))
    read = subject.metrics.registry.get_sample_value
    success = {"controller": "maps", "result": "success"}

    async def successes() -> float | None:
        return read("controller_runtime_reconcile_total", success)

    await eventually(successes, 1)
    timeouts = read("controller_runtime_reconcile_timeouts_total", {"controller": "maps"})
    assert timeouts
    running.cancel()
    await asyncio.wait({running})


@asynccontextmanager
async def pod_client(
    proxy: FaultProxy, token: Path, ca: Path, *, refresh_every: float = math.inf
) -> AsyncIterator[Client]:
    """A client that reads its token and CA from files, as in a pod."""

    async def load() -> Configuration:
        made = configuration(proxy.url, (await asyncio.to_thread(token.read_text)).strip())
        made.ssl_ca_cert = str(ca)
        return made

    metrics = RuntimeMetrics(new_registry())
    transport = Transport(
        load,
        await load(),
        refresh_every=refresh_every,
        user_agent="mcp-operator-tests",
        metrics=metrics,
        max_in_flight=4,
    )
    await transport.open()
    client = Client(transport, field_manager="subject", metrics=metrics)
    yield client
    await client.close()


async def test_a_replaced_token_is_read_again_when_the_server_refuses_the_old_one(
    proxy: FaultProxy, namespace: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(f"{proxy.token}\n")
    async with pod_client(proxy, token, proxy.authority) as client:
        await client.create(CONFIG_MAPS, config_map(namespace))
        proxy.token = "the-next"  # noqa: S105 - opens nothing but this proxy
        token.write_text("the-next\n")
        await client.get(CONFIG_MAPS, Key(namespace, "a"))
        assert len(proxy.seen) == 3


async def test_a_replaced_ca_is_trusted_after_the_next_refresh(
    proxy: FaultProxy, namespace: str, tmp_path: Path
) -> None:
    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text(proxy.token)
    ca.write_text(proxy.authority.read_text())
    async with pod_client(proxy, token, ca, refresh_every=0.2) as client:
        await client.create(CONFIG_MAPS, config_map(namespace))
        new = proxy.rotate_ca("second")
        proxy.hang_up()
        ca.write_text(new.read_text())
        await eventually(functools.partial(_reaches, client, namespace), expected=True)


async def _reaches(client: Client, namespace: str) -> bool:
    try:
        await client.get(CONFIG_MAPS, Key(namespace, "a"))
    except ApiError:
        return False
    return True


async def test_at_most_32_requests_are_in_flight(
    subject: Client, proxy: FaultProxy, namespace: str
) -> None:
    proxy.on("GET .*/configmaps", hang(), times=math.inf)
    asking = [asyncio.create_task(subject.get(CONFIG_MAPS, Key(namespace, "a"))) for _ in range(40)]
    await eventually(lambda: _count(proxy), 32)
    await asyncio.sleep(0.2)  # another request would arrive in this time if it were sent
    assert len(proxy.seen) == 32
    for each in asking:
        each.cancel()
    await asyncio.wait(asking)


async def _count(proxy: FaultProxy) -> int:
    return len(proxy.seen)
