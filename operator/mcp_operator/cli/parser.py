"""The parser of the command line."""

from __future__ import annotations

import argparse
from typing import Any

from mcp_operator.cli.commands import COMMANDS, GROUPS, WORKER
from mcp_operator.settings.loading import Declared, declared
from mcp_operator.version import VERSION


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="mcp-operator",
        description="Serve HTTP services over MCP, declared in YAML: in a Kubernetes cluster, "
        "or from files.",
        epilog="mcp-operator COMMAND --help shows a command's options and examples.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mcp-operator {VERSION}")
    commands = {"": parser.add_subparsers(title="commands", metavar="COMMAND", required=True)}
    for command in (*COMMANDS, WORKER):
        group, _, name = command.name.rpartition(" ")
        if group not in commands:
            commands[group] = _add_group(commands[""], group)
        listed: dict[str, Any] = {"help": command.summary} if command.summary else {}
        own = commands[group].add_parser(
            name,
            **listed,
            description=command.description,
            epilog=f"examples:\n{command.examples}" if command.examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        own.set_defaults(run=command.run, parser=own)
        if command.takes_paths:
            own.add_argument("paths", nargs="+", metavar="PATH", help="YAML files and folders.")
        if command.settings:
            for declaration in declared(command.settings):
                _add_setting(own, declaration)
    return parser


def _add_group(commands: Any, name: str) -> Any:
    """Add a command that has commands of its own, and return those."""
    own = commands.add_parser(
        name, help=GROUPS[name], description=f"{GROUPS[name].capitalize()}.", allow_abbrev=False
    )
    return own.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add_setting(parser: argparse.ArgumentParser, declaration: Declared) -> None:
    """Add a setting's flag. Its value stays text, so that flags and variables are parsed alike."""
    shown = declaration.shown_default
    notes = [f"default {shown}" if shown else "", declaration.variable]
    noted = ", ".join(filter(None, notes))
    described = f"{declaration.help} [{noted}]" if noted else declaration.help
    described = described.replace("%", "%%")
    setting = declaration.setting
    flags = [flag for flag in (setting.short, declaration.flag) if flag]
    if declaration.boolean:
        parser.add_argument(
            *flags,
            dest=declaration.name,
            action=argparse.BooleanOptionalAction,
            help=described,
        )
    elif not declaration.flag:
        count = "*" if setting.repeated else "?"
        parser.add_argument(declaration.name, nargs=count, metavar=setting.metavar, help=described)
    else:
        parser.add_argument(
            *flags,
            dest=declaration.name,
            metavar=setting.metavar,
            action="append" if setting.repeated else "store",
            help=described,
        )
