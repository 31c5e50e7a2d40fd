"""`mcp-operator inspect` with a real gateway, both protocol generations and a terminal."""

from __future__ import annotations

import asyncio
import functools
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web

from mcp_operator.app.mcp_client.commands import (
    run_call,
    run_describe,
    run_list,
    run_prompt,
    run_read,
)
from mcp_operator.app.mcp_client.settings import (
    CallSettings,
    DescribeSettings,
    ListSettings,
    PromptSettings,
    ReadSettings,
    WatchSettings,
)
from mcp_operator.app.mcp_client.watching import run_watch
from mcp_operator.core.errors import OperatorError, SettingsError
from mcp_operator.gateway.front.listener import Listener
from support.entries import resource, tool
from support.everything import TOOLS, Everything, everything, serving_everything
from support.mcp_http import table
from support.typist import typist
from support.waiting import eventually, hang_guard

Output = pytest.CaptureFixture[str]
Protocol = Literal["auto", "legacy"]
both_protocols = pytest.mark.parametrize("protocol", ["auto", "legacy"])


@pytest.fixture
async def served() -> AsyncIterator[Everything]:
    async with serving_everything() as running:
        yield running


@both_protocols
async def test_tools_prompts_resources_and_templates_are_listed(
    served: Everything, protocol: Protocol, capsys: Output
) -> None:
    served.current.swap(table(*TOOLS, resource(uri="shop://stock"), page_size=5))

    await run_list(ListSettings(url=served.url, protocol=protocol))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("shop 0.1.0 speaks MCP 20")
    names = [line.split()[0] for line in lines if line]
    assert all(entry.name in names for entry in TOOLS)
    assert "shop://stock" in names


async def test_a_list_is_printed_as_json(served: Everything, capsys: Output) -> None:
    await run_list(ListSettings(url=served.url, output="json"))

    shown = json.loads(capsys.readouterr().out)
    assert shown["serverInfo"]["name"] == "shop"
    assert {entry["name"] for entry in shown["tools"]} == {entry.name for entry in TOOLS}
    assert shown["resourceTemplates"][0]["uriTemplate"] == "test://template/{id}/data"


async def test_describe_shows_the_schemas_of_a_tool(served: Everything, capsys: Output) -> None:
    await run_describe(DescribeSettings(url=served.url, name="add_numbers"))

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["a", "number", "yes"] in lines
    assert ["sum", "number", "yes"] in lines


async def test_an_unknown_name_or_uri_is_an_error_that_names_it(served: Everything) -> None:
    with pytest.raises(OperatorError, match="has no tool, prompt, resource or template nope"):
        await run_describe(DescribeSettings(url=served.url, name="nope"))
    with pytest.raises(OperatorError, match=r"has no tool nope; it has: add_numbers, "):
        await run_call(CallSettings(url=served.url, name="nope", yes=True))
    with pytest.raises(OperatorError, match=r"has no prompt nope; it has: .*trip"):
        await run_prompt(PromptSettings(url=served.url, name="nope"))
    with pytest.raises(OperatorError, match="Resource not found: test://nope"):
        await run_read(ReadSettings(url=served.url, uri="test://nope"))


@both_protocols
async def test_call_merges_arguments_and_prints_the_result(
    served: Everything, protocol: Protocol, capsys: Output
) -> None:
    settings = CallSettings(
        url=served.url,
        name="add_numbers",
        args='{"a": 1, "b": 7}',
        arg=("b=2",),
        yes=True,
        protocol=protocol,
    )
    assert await run_call(settings)
    assert json.loads(capsys.readouterr().out) == {"sum": 3.0}

    assert await run_call(settings.model_copy(update={"output": "json"}))
    assert json.loads(capsys.readouterr().out)["structuredContent"] == {"sum": 3.0}


@both_protocols
async def test_progress_and_log_messages_are_shown_during_a_call(
    served: Everything, protocol: Protocol, capsys: Output
) -> None:
    for name in ("test_tool_with_progress", "test_tool_with_logging"):
        settings = CallSettings(url=served.url, name=name, yes=True, protocol=protocol)
        assert await run_call(settings)

    shown = capsys.readouterr()
    assert "progress: 50 of 100" in shown.err.splitlines()
    assert "info: Tool processing data" in shown.err.splitlines()
    assert shown.out == "It is done.\nIt is done.\n"


@both_protocols
async def test_an_error_of_a_tool_is_shown_and_reported_as_a_failure(
    served: Everything, protocol: Protocol, capsys: Output
) -> None:
    settings = CallSettings(url=served.url, name="test_error_handling", yes=True, protocol=protocol)
    assert not await run_call(settings)
    assert "This tool intentionally returns an error" in capsys.readouterr().out


async def test_without_a_terminal_a_destructive_tool_needs_yes(
    served: Everything, capsys: Output
) -> None:
    with pytest.raises(OperatorError, match=r"may change or delete something; .* add --yes"):
        await run_call(CallSettings(url=served.url, name="test_trigger_tool_change"))
    assert "newcomer" not in str(served.current.table)


async def test_a_read_only_tool_is_called_without_confirmation(
    served: Everything, capsys: Output
) -> None:
    reader = tool("look", next(t.backend for t in TOOLS if t.name == "test_simple_text"))
    served.current.swap(
        everything(reader.model_copy(update={"annotations": {"readOnlyHint": True}}))
    )
    assert await run_call(CallSettings(url=served.url, name="look"))


async def test_in_a_terminal_a_destructive_tool_needs_confirmation(
    served: Everything, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    settings = CallSettings(url=served.url, name="test_simple_text")
    with typist(monkeypatch) as user:
        done, _ = await asyncio.gather(run_call(settings), user.answer("maybe", "yes"))
        assert done
        with pytest.raises(OperatorError, match="the tool test_simple_text was not called"):
            await asyncio.gather(run_call(settings), user.answer("no"))


@both_protocols
async def test_in_a_terminal_the_user_fills_in_a_form_of_the_tool(
    served: Everything, protocol: Protocol, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    settings = CallSettings(
        url=served.url, name="test_elicitation_sep1034_defaults", yes=True, protocol=protocol
    )
    with typist(monkeypatch) as user:
        await asyncio.gather(
            run_call(settings), user.answer("y", "Ann", "many", "41", "", "inactive", "no")
        )
    assert "Answer with a whole number." in user.seen
    answered = capsys.readouterr().out.partition("content=")[2]
    assert json.loads(answered) == {
        "name": "Ann",
        "age": 41,
        "score": 95.5,
        "status": "inactive",
        "verified": False,
    }


@pytest.mark.parametrize(
    ("answers", "action"),
    [(["no"], "decline"), (["\x04"], "cancel"), (["yes", "\x04"], "cancel")],
)
async def test_in_a_terminal_the_user_can_decline_or_cancel_a_form(
    served: Everything,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    answers: list[str],
    action: str,
) -> None:
    settings = CallSettings(url=served.url, name="test_elicitation_sep1034_defaults", yes=True)
    with typist(monkeypatch) as user:
        await asyncio.gather(run_call(settings), user.answer(*answers))
    assert f"action={action}" in capsys.readouterr().out


async def test_without_a_terminal_a_form_is_shown_and_is_an_error(
    served: Everything, capsys: Output
) -> None:
    settings = CallSettings(url=served.url, name="test_elicitation_sep1034_defaults", yes=True)
    with pytest.raises(OperatorError, match="was not asked, because there is no terminal"):
        await run_call(settings)
    assert "The server asks: Please review" in capsys.readouterr().err


@both_protocols
async def test_a_prompt_and_a_resource_are_printed(
    served: Everything, protocol: Protocol, capsys: Output
) -> None:
    options: dict[str, Any] = {"url": served.url, "protocol": protocol}
    await run_prompt(PromptSettings(name="trip", arg=("city=Rome",), **options))
    assert capsys.readouterr().out.endswith("--- user\nPlan a trip to Rome.\n")

    await run_read(ReadSettings(uri="test://static-text", **options))
    assert capsys.readouterr().out == "This is the text.\n"


async def test_an_argument_that_is_not_declared_is_noted(
    served: Everything, capsys: Output
) -> None:
    arg = ("city=Rome", "town=Rome")
    await run_prompt(PromptSettings(url=served.url, name="trip", arg=arg))
    assert "the prompt trip declares no argument town; it declares: city" in capsys.readouterr().err

    numbers = ("a=1", "b=2", "c=3")
    await run_call(CallSettings(url=served.url, name="add_numbers", arg=numbers, yes=True))
    noted = capsys.readouterr().err
    assert "the tool add_numbers declares no argument c; it declares: a, b" in noted


@both_protocols
async def test_watch_shows_changes_until_ctrl_c(
    served: Everything, protocol: Protocol, capsys: Output
) -> None:
    """Change the catalog until a change is shown: a session opens its stream some time later."""
    settings = WatchSettings(
        url=served.url, uris=("test://watched-resource",), protocol=protocol, output="json"
    )
    shown: list[str] = []
    number = 0

    async def printed(words: str) -> bool:
        shown.extend(capsys.readouterr())
        return words in "".join(shown)

    async def newcomer() -> bool:
        nonlocal number
        number += 1
        served.current.swap(everything(tool(f"newcomer-{number}")))
        return await printed("newcomer")

    async with hang_guard():
        watch = asyncio.create_task(run_watch(settings))
        await eventually(functools.partial(printed, "Watching"), expected=True)
        await eventually(newcomer, expected=True)
        signal.raise_signal(signal.SIGINT)
        await watch

    changes = [json.loads(line) for line in "".join(shown).splitlines() if line[0] == "{"]
    assert (changes[0]["change"], changes[0]["kind"]) == ("added", "tools")
    assert changes[0]["name"].startswith("newcomer-")


@asynccontextmanager
async def answering(
    status: int, **headers: str
) -> AsyncIterator[tuple[str, list[web.BaseRequest]]]:
    """Run an HTTP server that does not speak MCP; yield its URL and its requests."""
    requests: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        requests.append(request)
        return web.Response(status=status, headers=headers)

    listener = Listener(answer)
    await listener.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.port}/mcp", requests
    finally:
        await listener.stop(0)


async def test_the_token_and_headers_are_sent_but_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "headers").write_text("X-Key: k3y\n\nX-Team: shop\n")
    monkeypatch.setenv("MCP_OPERATOR_INSPECT_TOKEN", "0ther")
    challenge = 'Bearer resource_metadata="https://example.com"'
    async with answering(401, **{"WWW-Authenticate": challenge}) as (url, requests):
        settings = ListSettings(url=url, header=(f"@{tmp_path}/headers", "X-More: m0re"))
        with pytest.raises(OperatorError) as refused:
            await run_list(settings)
        token = {"token_file": tmp_path / "token"}
        with pytest.raises(OperatorError):
            await run_list(settings.model_copy(update=token))

    assert requests[0].headers["X-Key"] == "k3y"
    assert requests[0].headers["X-More"] == "m0re"
    assert requests[0].headers["Authorization"] == "Bearer 0ther"
    assert requests[-1].headers["Authorization"] == "Bearer s3cret"
    assert "does not accept the token (HTTP 401); give another with --token-file" in str(
        refused.value
    )
    assert challenge in str(refused.value)
    shown = capsys.readouterr()
    output = f"{shown.out}{shown.err}{refused.value}"
    assert not any(secret in output for secret in ("s3cret", "k3y", "m0re", "0ther"))


@pytest.mark.parametrize(
    "given", ["X-Key s3cret", "X-Key: s3cret\n", ": s3cret", "@/nowhere/at/all"]
)
async def test_an_invalid_header_is_refused_without_showing_its_value(given: str) -> None:
    with pytest.raises(SettingsError) as caught:
        await run_list(ListSettings(url="http://127.0.0.1:1/mcp", header=(given,)))
    assert str(caught.value).startswith("--header")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (403, "refuses this client"),
        (404, "no MCP endpoint at this path"),
        (500, "answered with HTTP 500"),
    ],
)
async def test_an_http_error_of_the_server_is_explained_by_its_status(
    status: int, sentence: str
) -> None:
    async with answering(status) as (url, _):
        with pytest.raises(OperatorError, match=sentence):
            await run_list(ListSettings(url=url))


@pytest.mark.parametrize(
    "url", ["http://me:s3cret@127.0.0.1:1/mcp", "http://127.0.0.1:1/mcp?key=s3cret"]
)
async def test_secrets_in_a_url_are_not_shown(url: str) -> None:
    with pytest.raises(OperatorError) as caught:
        await run_list(ListSettings(url=url))
    assert "s3cret" not in str(caught.value)


async def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(OperatorError, match="cannot be reached"):
        await run_list(ListSettings(url="http://127.0.0.1:1/mcp"))
