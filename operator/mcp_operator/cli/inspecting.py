"""The commands of `mcp-operator inspect`."""
# ruff: noqa: PLC0415 - see the package; the official SDK is there for these commands only

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mcp_operator.app.mcp_client.settings import (
    CallSettings,
    DescribeSettings,
    ListSettings,
    PromptSettings,
    ReadSettings,
    WatchSettings,
)
from mcp_operator.cli.command import EXIT_OK, EXIT_TOOL_ERROR, Command
from mcp_operator.core import guides
from mcp_operator.core.errors import OperatorError
from mcp_operator.settings.loading import load

SDK: Final = frozenset({"httpx2", "mcp", "mcp_types"})
"""The modules that the extra `inspect` installs and this program imports."""

_URL: Final = "http://127.0.0.1:8080/mcp"


@contextmanager
def _sdk() -> Iterator[None]:
    """Import modules that need the official SDK, or say how to install it.

    Raises:
        OperatorError: The SDK is not installed, or is too old.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in SDK:
            raise
        raise OperatorError(
            "inspect needs the official MCP SDK for Python, version 2.3 or newer "
            f"({error}): install mcp-operator with its extra inspect; see {guides.INSPECT}"
        ) from error


def _run_list(arguments: argparse.Namespace) -> int:
    settings = load(ListSettings, vars(arguments), os.environ)
    with _sdk():
        from mcp_operator.app.mcp_client.commands import run_list

    asyncio.run(run_list(settings))
    return EXIT_OK


def _run_describe(arguments: argparse.Namespace) -> int:
    settings = load(DescribeSettings, vars(arguments), os.environ)
    with _sdk():
        from mcp_operator.app.mcp_client.commands import run_describe

    asyncio.run(run_describe(settings))
    return EXIT_OK


def _run_call(arguments: argparse.Namespace) -> int:
    settings = load(CallSettings, vars(arguments), os.environ)
    with _sdk():
        from mcp_operator.app.mcp_client.commands import run_call

    return EXIT_OK if asyncio.run(run_call(settings)) else EXIT_TOOL_ERROR


def _run_prompt(arguments: argparse.Namespace) -> int:
    settings = load(PromptSettings, vars(arguments), os.environ)
    with _sdk():
        from mcp_operator.app.mcp_client.commands import run_prompt

    asyncio.run(run_prompt(settings))
    return EXIT_OK


def _run_read(arguments: argparse.Namespace) -> int:
    settings = load(ReadSettings, vars(arguments), os.environ)
    with _sdk():
        from mcp_operator.app.mcp_client.commands import run_read

    asyncio.run(run_read(settings))
    return EXIT_OK


def _run_watch(arguments: argparse.Namespace) -> int:
    settings = load(WatchSettings, vars(arguments), os.environ)
    with _sdk():
        from mcp_operator.app.mcp_client.watching import run_watch

    asyncio.run(run_watch(settings))
    return EXIT_OK


INSPECT: Final = (
    Command(
        "inspect list",
        "list what an MCP server offers",
        "Lists the tools, prompts, resources and resource templates of an MCP server, here or\n"
        "elsewhere. All commands of inspect need the extra inspect of mcp-operator. To install\n"
        f"it, see {guides.INSPECT}",
        f"  mcp-operator inspect list {_URL}\n"
        f"  mcp-operator inspect list {_URL} --token-file token --output json",
        _run_list,
        ListSettings,
    ),
    Command(
        "inspect describe",
        "show a tool, prompt or resource with its schema",
        "Shows what an MCP server says about a tool, a prompt, a resource or a template: title,\n"
        "description, the fields of its schemas, hints, task support and icons.",
        f"  mcp-operator inspect describe {_URL} search-orders",
        _run_describe,
        DescribeSettings,
    ),
    Command(
        "inspect call",
        "call a tool, and show its result",
        "Calls a tool and shows its result. Progress, log messages and questions of the server go\n"
        "to standard error. It asks you before it calls a tool that may be destructive, which is\n"
        "any tool that the server does not mark otherwise; with --yes, it does not ask.\n\n"
        "The exit code is 0 if the tool succeeded, 3 if it reports an error, 1 if there is no\n"
        "result, and 2 if the command line is wrong.",
        f"  mcp-operator inspect call {_URL} search-orders --arg query=shoes --arg limit=5\n"
        f'  mcp-operator inspect call {_URL} cancel-order --args \'{{"id": "7"}}\' --yes',
        _run_call,
        CallSettings,
    ),
    Command(
        "inspect prompt",
        "get a prompt, and show its messages",
        "Gets a prompt with its arguments filled in, and shows its messages.",
        f"  mcp-operator inspect prompt {_URL} answer-complaint --arg order=7",
        _run_prompt,
        PromptSettings,
    ),
    Command(
        "inspect read",
        "read a resource",
        "Reads a resource and shows its contents.",
        f"  mcp-operator inspect read {_URL} shop://policies/returns",
        _run_read,
        ReadSettings,
    ),
    Command(
        "inspect watch",
        "show what changes in a server, until Ctrl-C",
        "Shows each tool, prompt, resource and template that is added, changed or removed, and\n"
        "each update of the resources that you name, when the server announces it.",
        f"  mcp-operator inspect watch {_URL}\n"
        f"  mcp-operator inspect watch {_URL} shop://stock --output json",
        _run_watch,
        WatchSettings,
    ),
)
"""The commands, in the order in which the help lists them."""
