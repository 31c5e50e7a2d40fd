"""What a subcommand is, and what the exit codes mean."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TextIO

from mcp_operator.settings.loading import Options

EXIT_OK: Final = 0
EXIT_PROBLEM: Final = 1
"""The command ran and found or encountered a problem."""
EXIT_USAGE: Final = 2
"""The command line or a setting is invalid; argparse uses the same code."""
EXIT_TOOL_ERROR: Final = 3
"""`inspect call` called the tool, and the tool reports an error."""
EXIT_INTERRUPTED: Final = 130
"""Ctrl-C interrupted the command before it could stop cleanly: 128 + SIGINT, as in shells."""


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its help text, its settings and its function.

    A name of two words is a command of a group.
    """

    name: str
    summary: str
    description: str
    examples: str
    run: Callable[[argparse.Namespace], int]
    settings: type[Options] | None = None
    takes_paths: bool = False


def write_line(line: str, stream: TextIO | None = None) -> None:
    """Write a line for a person to a stream; by default, to the standard output."""
    (stream or sys.stdout).write(f"{line}\n")
