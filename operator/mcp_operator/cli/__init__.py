"""The command `mcp-operator`: parses the command line into settings, and runs the application.

Heavy modules are imported inside functions, once the command is known, so that `--help`, `version`
and `serve` start fast and without a Kubernetes client.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from mcp_operator.cli.command import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_PROBLEM,
    EXIT_TOOL_ERROR,
    EXIT_USAGE,
    Command,
    write_line,
)
from mcp_operator.cli.commands import COMMANDS
from mcp_operator.cli.parser import build_parser
from mcp_operator.core.errors import OperatorError, SettingsError, leaves

__all__ = [
    "COMMANDS",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_PROBLEM",
    "EXIT_TOOL_ERROR",
    "EXIT_USAGE",
    "Command",
    "build_parser",
    "main",
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments; by default, those of the process.

    Returns:
        The exit code, one of `EXIT_OK` and the others.
    """
    arguments, unknown = build_parser().parse_known_args(argv)
    if unknown:  # the command's parser shows its own usage, and exits with `EXIT_USAGE`
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone, and Python would fail again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PROBLEM
    except OperatorError as error:
        return _report([error])
    except ExceptionGroup as group:
        expected, unexpected = group.split(OperatorError)
        if expected is None or unexpected is not None:
            raise
        return _report(leaves(expected))
    return code


def _report(errors: Iterable[BaseException]) -> int:
    """Print expected errors, and return the exit code for them."""
    code = EXIT_PROBLEM
    for error in errors:
        if isinstance(error, SettingsError):
            code = EXIT_USAGE
        for line in str(error).splitlines():
            write_line(f"mcp-operator: {line}", sys.stderr)
    return code
