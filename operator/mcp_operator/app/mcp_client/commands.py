"""The commands of `mcp-operator inspect`."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import mcp_types as types
from mcp import Client
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from mcp_operator.app.mcp_client import arguments, terminal
from mcp_operator.app.mcp_client.content import contents, prompt_result, tool_result
from mcp_operator.app.mcp_client.describing import described, found, is_destructive, listed
from mcp_operator.app.mcp_client.offers import offer_of, wire
from mcp_operator.app.mcp_client.questions import Asker, agreement
from mcp_operator.app.mcp_client.session import with_server
from mcp_operator.app.mcp_client.settings import (
    CallSettings,
    DescribeSettings,
    ListSettings,
    PromptSettings,
    ReadSettings,
)
from mcp_operator.app.mcp_client.text import as_json, note, show
from mcp_operator.core.errors import OperatorError

NAMED: Final = 10
"""The number of names in an error."""


async def run_list(settings: ListSettings) -> None:
    """Show everything that a server offers.

    Raises:
        OperatorError: The server cannot be reached.
    """
    offer = await with_server(settings, offer_of)
    show([as_json(offer.as_json())] if settings.output == "json" else listed(offer))


async def run_describe(settings: DescribeSettings) -> None:
    """Show one thing that a server offers.

    Raises:
        OperatorError: The server cannot be reached, or has nothing with that name.
    """
    offer = await with_server(settings, offer_of)
    entries = found(offer, settings.name)
    if not entries:
        raise OperatorError(
            f"{settings.server} has no tool, prompt, resource or template {settings.name}; "
            "`inspect list` shows what there is"
        )
    for number, (kind, entry) in enumerate(entries):
        shown = [as_json(entry)] if settings.output == "json" else described(kind, entry)
        show(["", *shown] if number else shown)


async def run_call(settings: CallSettings) -> bool:
    """Call a tool, and show its result.

    Returns:
        Whether the tool succeeded.

    Raises:
        OperatorError: The server cannot be reached, or the tool was not called.
    """
    whole = await asyncio.to_thread(arguments.whole, settings.args)
    given = arguments.pairs(settings.arg)

    async def call(client: Client) -> types.CallToolResult:
        tool = await _entry(client, settings, "tools")
        _note_unknown(f"the tool {settings.name}", {*whole, *given}, _properties(tool))
        if is_destructive(tool) and not settings.yes:
            await _confirm(settings.name)
        await _ask_for_logs(client, settings)
        found = whole | arguments.typed(given, tool["inputSchema"])
        return await client.call_tool(settings.name, found, progress_callback=_progress)

    result = wire(
        await with_server(
            settings,
            call,
            elicitation_callback=Asker(),
            logging_callback=_log,
            log_level=settings.log_level,
        )
    )
    show([as_json(result)] if settings.output == "json" else tool_result(result))
    return not result.get("isError")


async def run_prompt(settings: PromptSettings) -> None:
    """Get a prompt, and show its messages.

    Raises:
        OperatorError: The server cannot be reached, or has no such prompt.
    """
    given = arguments.pairs(settings.arg)

    async def get(client: Client) -> types.GetPromptResult:
        prompt = await _entry(client, settings, "prompts")
        declared = [one["name"] for one in prompt.get("arguments") or ()]
        _note_unknown(f"the prompt {settings.name}", given, declared)
        return await client.get_prompt(settings.name, given)

    result = wire(await with_server(settings, get, elicitation_callback=Asker()))
    show([as_json(result)] if settings.output == "json" else prompt_result(result))


async def run_read(settings: ReadSettings) -> None:
    """Read a resource, and show its contents.

    Raises:
        OperatorError: The server cannot be reached, or has no such resource.
    """
    result = wire(
        await with_server(
            settings,
            lambda client: client.read_resource(settings.uri),
            elicitation_callback=Asker(),
        )
    )
    show([as_json(result)] if settings.output == "json" else contents(result))


async def _entry(
    client: Client, settings: CallSettings | PromptSettings, kind: Literal["tools", "prompts"]
) -> dict[str, Any]:
    """Return what the server tells about the tool or the prompt.

    Raises:
        OperatorError: The server has none of that name.
    """
    offered = (await offer_of(client, [kind])).entries[kind]
    entries = {entry["name"]: dict(entry) for entry in offered}
    if settings.name not in entries:
        names = ", ".join(sorted(entries)[:NAMED]) or "none"
        more = ", …" if len(entries) > NAMED else ""
        what = kind.removesuffix("s")
        raise OperatorError(
            f"{settings.server} has no {what} {settings.name}; it has: {names}{more}"
        )
    return entries[settings.name]


def _properties(tool: Mapping[str, Any]) -> Iterable[str] | None:
    """Return the names of a tool's arguments; None if its schema allows any others."""
    schema = tool["inputSchema"]
    properties = schema.get("properties")
    others = any(schema.get(name) for name in ("additionalProperties", "patternProperties"))
    return None if others or not isinstance(properties, dict) else properties


def _note_unknown(what: str, given: Iterable[str], declared: Iterable[str] | None) -> None:
    """Tell about arguments that are not declared: servers ignore them, or refuse the call."""
    if declared is None:
        return
    names = sorted(declared)
    for name in sorted(set(given) - set(names)):
        note(f"{what} declares no argument {name}; it declares: {', '.join(names) or 'none'}")


async def _confirm(name: str) -> None:
    """Ask whether to call a tool that can destroy something.

    Raises:
        OperatorError: The answer is no, or nobody can be asked.
    """
    told = f"the tool {name} may change or delete something"
    if not terminal.is_interactive():
        raise OperatorError(f"{told}; to call it without a terminal, add --yes")
    note(f"{told[0].upper()}{told[1:]}.")
    if not await agreement("Call it? (yes or no) "):
        raise OperatorError(f"the tool {name} was not called")


async def _ask_for_logs(client: Client, settings: CallSettings) -> None:
    """Request log messages from a server with sessions. Newer servers get the level in the call."""
    if client.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        return
    if client.server_capabilities.logging is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            await client.set_logging_level(settings.log_level)


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    done = f"{progress:g} of {total:g}" if total is not None else f"{progress:g}"
    note(f"progress: {done}{f' ({message})' if message else ''}")


async def _log(params: types.LoggingMessageNotificationParams) -> None:
    source = f" {params.logger}" if params.logger else ""
    said = params.data if isinstance(params.data, str) else as_json(params.data)
    note(f"{params.level}{source}: {said}")
