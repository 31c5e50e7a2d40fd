"""The operator asks pods which catalog they serve."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

import pytest

from mcp_operator.controllers.confirmations import (
    Answer,
    AskError,
    Confirmations,
    Pod,
)
from mcp_operator.core.meta import Key
from support.channels import sent

SERVER = Key("shop", "api")
ONE, TWO = (Pod(uid=str(n), name=f"pod-{n}", ip="127.0.0.1", port=8081) for n in (1, 2))


class Pods:
    """Pods that give the answers that the test sets."""

    def __init__(self) -> None:
        self.serves: dict[str, str | AskError] = defaultdict(str)
        self.lack = ""
        self.redis: str | None = None
        self.asked: list[tuple[str, str]] = []
        self.told: list[Key] = []

    async def ask(self, pod: Pod, digest: str) -> Answer:
        self.asked.append((pod.name, digest))
        answer = self.serves[pod.uid]
        if isinstance(answer, AskError):
            raise answer
        return Answer(answer, self.lack, self.redis)


@pytest.fixture
def pods() -> Pods:
    return Pods()


def watching(pods: Pods) -> Confirmations:
    confirmations = Confirmations(pods.ask)
    pods.told = sent(confirmations.confirmed)
    return confirmations


@pytest.mark.looptime
async def test_a_pod_is_synced_when_it_has_confirmed_the_digest(pods: Pods) -> None:
    confirmations = watching(pods)
    assert confirmations.expect(SERVER, "new", [ONE]).missing == {"pod-1": "has not answered yet"}
    pods.serves["1"] = "old"
    await asyncio.sleep(0.1)
    assert confirmations.expect(SERVER, "new", [ONE]).missing == {"pod-1": "serves catalog old"}
    pods.serves["1"] = "new"
    await asyncio.sleep(1)
    assert pods.told == [SERVER]
    assert confirmations.expect(SERVER, "new", [ONE]).synced == 1
    await confirmations.close()


@pytest.mark.looptime
async def test_an_unreachable_pod_is_asked_again_with_backoff(pods: Pods) -> None:
    confirmations = watching(pods)
    pods.serves["1"] = AskError("cannot be reached on port 8081")
    confirmations.expect(SERVER, "new", [ONE])
    await asyncio.sleep(60)
    state = confirmations.expect(SERVER, "new", [ONE])
    assert state.missing == {"pod-1": "cannot be reached on port 8081"}
    assert state.waited == pytest.approx(60)
    assert 6 < len(pods.asked) < 12
    await confirmations.close()


@pytest.mark.looptime
async def test_a_new_digest_must_be_confirmed_again(pods: Pods) -> None:
    confirmations = watching(pods)
    pods.serves["1"] = "first"
    confirmations.expect(SERVER, "first", [ONE])
    await asyncio.sleep(0.1)
    assert confirmations.expect(SERVER, "first", [ONE]).synced == 1
    assert confirmations.expect(SERVER, "second", [ONE]).synced == 0
    await confirmations.close()


@pytest.mark.looptime
async def test_a_pod_that_stopped_being_ready_must_confirm_again(pods: Pods) -> None:
    confirmations = watching(pods)
    pods.serves["1"] = "new"
    confirmations.expect(SERVER, "new", [ONE, TWO])
    await asyncio.sleep(0.1)
    confirmations.expect(SERVER, "new", [TWO])
    assert confirmations.expect(SERVER, "new", [ONE, TWO]).synced == 0
    await confirmations.close()


@pytest.mark.looptime
async def test_the_pods_of_a_forgotten_server_are_no_longer_asked(pods: Pods) -> None:
    confirmations = watching(pods)
    confirmations.expect(SERVER, "new", [ONE])
    await asyncio.sleep(0.1)
    confirmations.forget(SERVER)
    asked = len(pods.asked)
    await asyncio.sleep(60)
    assert len(pods.asked) == asked


@pytest.mark.looptime
async def test_a_pod_that_lacks_something_is_asked_until_it_has_it(pods: Pods) -> None:
    confirmations = watching(pods)
    pods.serves["1"], pods.lack = "new", "Secret keys does not exist"
    confirmations.expect(SERVER, "new", [ONE])
    await asyncio.sleep(0.1)
    assert confirmations.is_lacking(SERVER)
    state = confirmations.expect(SERVER, "new", [ONE])
    assert (state.synced, state.lacking) == (1, {"pod-1": "Secret keys does not exist"})
    await asyncio.sleep(60)
    assert pods.told == [SERVER]
    pods.lack = ""
    await asyncio.sleep(20)
    assert pods.told == [SERVER, SERVER]
    assert not confirmations.is_lacking(SERVER)
    assert not confirmations.expect(SERVER, "new", [ONE]).lacking
    asked = len(pods.asked)
    await asyncio.sleep(600)
    assert len(pods.asked) == asked
    await confirmations.close()


@pytest.mark.looptime
async def test_a_pod_with_a_redis_is_polled_and_only_changes_notify_the_server(
    pods: Pods,
) -> None:
    confirmations = watching(pods)
    pods.serves["1"], pods.redis = "new", ""
    confirmations.expect(SERVER, "new", [ONE])
    await asyncio.sleep(95)
    assert pods.told == [SERVER]
    assert len(pods.asked) == 10
    assert not confirmations.expect(SERVER, "new", [ONE]).without_redis

    pods.redis = "Connection refused"
    await asyncio.sleep(20)
    pods.redis = "it did not answer in time"
    await asyncio.sleep(60)
    assert pods.told == [SERVER, SERVER]
    state = confirmations.expect(SERVER, "new", [ONE])
    assert (state.synced, state.without_redis) == (1, {"pod-1": "Connection refused"})

    pods.redis = ""
    await asyncio.sleep(20)
    assert pods.told == [SERVER] * 3
    assert not confirmations.expect(SERVER, "new", [ONE]).without_redis
    await confirmations.close()


@pytest.mark.looptime
async def test_a_pod_that_cannot_be_asked_is_logged_once_for_each_cause(
    pods: Pods, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mcp_operator")
    confirmations = watching(pods)
    for cause in ("did not answer in time", "cannot be reached on port 8081"):
        pods.serves["1"] = AskError(cause)
        confirmations.expect(SERVER, "new", [ONE])
        await asyncio.sleep(60)
    await confirmations.close()
    assert [(record.message, vars(record)["error"]) for record in caplog.records] == [
        ("Cannot ask a pod for its catalog", "did not answer in time"),
        ("Cannot ask a pod for its catalog", "cannot be reached on port 8081"),
    ]
