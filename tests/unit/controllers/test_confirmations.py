"""How the operator learns which pods serve a catalog."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.controllers.confirmations import (
    ANSWER_BYTES,
    AskError,
    Confirmations,
    Pod,
    http_ask,
)
from mcp_operator.core.meta import Key
from support.channels import sent

SERVER = Key("shop", "api")
ONE, TWO = (Pod(uid=str(n), name=f"pod-{n}", ip="127.0.0.1", port=8081) for n in (1, 2))


class Pods:
    """Pods that answer what the test says, as soon as it is said."""

    def __init__(self) -> None:
        self.serves: dict[str, str | AskError] = defaultdict(str)
        self.asked: list[tuple[str, str]] = []
        self.told: list[Key] = []

    async def ask(self, pod: Pod, digest: str) -> str:
        self.asked.append((pod.name, digest))
        answer = self.serves[pod.uid]
        if isinstance(answer, AskError):
            raise answer
        return answer


@pytest.fixture
def pods() -> Pods:
    return Pods()


def watching(pods: Pods) -> Confirmations:
    confirmations = Confirmations(pods.ask)
    pods.told = sent(confirmations.confirmed)
    return confirmations


@pytest.mark.looptime
async def test_a_pod_counts_once_it_has_confirmed_the_digest(pods: Pods) -> None:
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
async def test_a_pod_that_cannot_be_reached_is_asked_again_with_growing_pauses(pods: Pods) -> None:
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
async def test_a_new_digest_must_be_confirmed_anew(pods: Pods) -> None:
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
async def test_a_forgotten_server_is_asked_no_more(pods: Pods) -> None:
    confirmations = watching(pods)
    confirmations.expect(SERVER, "new", [ONE])
    await asyncio.sleep(0.1)
    confirmations.forget(SERVER)
    asked = len(pods.asked)
    await asyncio.sleep(60)
    assert len(pods.asked) == asked


async def ask_a_server_that(answer: web.Response) -> str:
    async def catalog(request: web.Request) -> web.Response:
        assert dict(request.query) == {"digest": "abc", "wait": "5"}
        return answer

    app = web.Application()
    app.router.add_get("/catalog", catalog)
    async with TestServer(app) as server:
        assert server.port is not None
        pod = Pod("u", "pod", "127.0.0.1", server.port)
        return await http_ask(pod, "abc")


async def test_the_digest_is_read_from_the_management_port() -> None:
    assert await ask_a_server_that(web.json_response({"digest": "abc", "tools": 3})) == "abc"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (web.Response(status=503), "answered with HTTP status 503"),
        (web.Response(text="<html>"), "gave an answer that is not a gateway's"),
    ],
)
async def test_an_answer_that_is_not_one_is_said(answer: web.Response, sentence: str) -> None:
    with pytest.raises(AskError, match=sentence):
        await ask_a_server_that(answer)


async def test_a_closed_port_is_said_without_its_address() -> None:
    with pytest.raises(AskError, match=r"^cannot be reached on port 1$"):
        await http_ask(Pod("u", "pod", "127.0.0.1", 1), "abc")


async def test_an_answer_is_read_no_further_than_one_can_be_long() -> None:
    endless = web.Response(body=b'{"digest": "' + b"a" * 2 * ANSWER_BYTES)
    with pytest.raises(AskError, match="gave an answer that is not a gateway's"):
        await ask_a_server_that(endless)


@pytest.mark.looptime
async def test_a_pod_that_says_nothing_is_left_after_a_while() -> None:
    def mute() -> asyncio.Protocol:
        return asyncio.Protocol()

    server = await asyncio.get_running_loop().create_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(AskError, match=r"^did not answer in time$"):
            await http_ask(Pod("u", "pod", "127.0.0.1", port), "abc")
