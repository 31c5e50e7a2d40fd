"""The state that a client sends back with the retry of a call, and attempts to forge it."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

from mcp_operator.gateway.contract import InputRequired
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.protocol.request_state import STATE_SECONDS
from mcp_operator.gateway.root_key import RootKey
from support.client_requests import (
    ADA,
    FORMS,
    NAME,
    call,
    declares,
    greeter,
    refused,
    said,
)
from support.clocks import SettableClock
from support.entries import prompt, tool
from support.mcp_http import Server, modern

REFUSED = "Invalid or expired requestState"


async def asked_state(server: Server, **params: Any) -> str:
    state: str = (await server.result(call(**params)))["requestState"]
    return state


async def test_a_modified_state_is_refused() -> None:
    server = greeter()
    state = await asked_state(server)
    changed = {
        state + "-TAMPERED",
        state[:-1],
        state + "=",
        "",
        "A" * len(state),
        *(
            state[:n] + ("A" if state[n] != "A" else "B") + state[n + 1 :]
            for n in range(0, len(state), 7)
        ),
    }
    for one in changed:
        assert await refused(server, inputResponses={"name": ADA}, requestState=one) == REFUSED
    nonsense: tuple[Any, ...] = (7, [], {"a": 1})
    for other in nonsense:
        assert await refused(server, requestState=other) == REFUSED
    assert len(server.executor.calls) == 1


async def test_a_state_in_another_encoding_is_refused() -> None:
    server = greeter()
    state = await asked_state(server)
    raw = base64.urlsafe_b64decode(state + "=" * (-len(state) % 4))
    other = base64.b64encode(raw).decode()  # with + and /

    if other.rstrip("=") != state:
        assert await refused(server, requestState=other) == REFUSED
    assert await refused(server, requestState=f" {state}") == REFUSED


async def test_a_state_is_refused_with_other_arguments() -> None:
    server = greeter()
    state = await asked_state(server, arguments={"to": "me"})

    for arguments in ({}, {"to": "you"}, {"to": "me", "more": 1}):
        assert await refused(server, requestState=state, arguments=arguments) == REFUSED


async def test_a_state_is_refused_for_another_tool() -> None:
    server = greeter()
    state = await asked_state(server)

    assert await refused(server, name="other", requestState=state) == REFUSED


async def test_a_state_is_refused_for_another_method() -> None:
    server = Server(tool("greet"), prompt("Hello", name="greet"))
    server.executor.results["greet"] = InputRequired({"name": NAME})
    state = await asked_state(server)

    request = modern("prompts/get", declares(FORMS, name="greet", requestState=state))
    _, error = await server.error(request)

    assert error["message"] == REFUSED


async def test_a_state_is_refused_by_another_server() -> None:
    root = RootKey(b"r" * 32)
    state = await asked_state(greeter(root=root))
    other = greeter(root=root, name="another")

    assert await refused(other, requestState=state) == REFUSED


async def test_a_state_is_refused_from_another_client() -> None:
    server = greeter()
    ada, eve = Principal(name="ada", issuer="i"), Principal(name="eve", issuer="i")
    request = call()
    request.principal = ada
    state = (await server.result(request))["requestState"]

    for other in (eve, Principal(name="ada", issuer="j"), Principal()):
        retry = call(inputResponses={"name": ADA}, requestState=state)
        retry.principal = other
        _, error = await server.error(retry)
        assert error["message"] == REFUSED
    retry = call(inputResponses={"name": ADA}, requestState=state)
    retry.principal = ada
    assert said(await server.result(retry)) == {"name": ADA}


async def test_a_state_expires() -> None:
    clock = SettableClock()
    server = greeter(clock=clock)
    state = await asked_state(server)

    clock.time += timedelta(seconds=STATE_SECONDS - 1)
    assert await server.result(call(requestState=state))
    clock.time += timedelta(seconds=1)
    assert await refused(server, requestState=state) == REFUSED


async def test_a_state_is_refused_after_the_key_changes() -> None:
    root = RootKey(b"r" * 32)
    server = greeter(root=root)
    state = await asked_state(server)

    root.replace(b"s" * 32)

    assert await refused(server, requestState=state) == REFUSED
    assert root.suspected.is_set()


async def test_without_a_key_a_result_has_no_state_and_input_is_still_accepted() -> None:
    server = greeter(root=RootKey())

    asks = await server.result(call())

    assert "requestState" not in asks
    assert said(await server.result(call(inputResponses={"name": ADA}))) == {"name": ADA}


async def test_a_state_does_not_reveal_its_content() -> None:
    server = greeter()
    one, two = await asked_state(server), await asked_state(server)

    assert one != two
    assert b"Who are you?" not in base64.urlsafe_b64decode(one + "=" * (-len(one) % 4))
