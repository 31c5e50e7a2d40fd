"""The command `mcp-operator`: parses the command line into settings, and runs the application.

Heavy modules are imported inside functions, once the command is known, so that `--help`, `version`
and `serve` start fast and without a Kubernetes client.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from mcp_operator.app.inspection.settings import BundleSettings, CatalogSettings
from mcp_operator.app.openapi_settings import ImportSettings
from mcp_operator.app.workers.worker import Worker, receive
from mcp_operator.core.errors import OperatorError, SettingsError
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.settings import GatewaySettings, OperatorSettings, ServeSettings
from mcp_operator.settings.loading import Declared, Options, Settings, declared, load
from mcp_operator.version import VERSION

EXIT_OK: Final = 0
EXIT_PROBLEM: Final = 1
"""The command ran and found or encountered a problem."""
EXIT_USAGE: Final = 2
"""The command line or a setting is invalid; argparse uses the same code."""
EXIT_INTERRUPTED: Final = 130
"""Ctrl-C before the command could stop by itself: 128 + SIGINT, as in shells."""


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its help text, its settings and its function.

    Two words as the name are a command of a group.
    """

    name: str
    summary: str
    description: str
    examples: str
    run: Callable[[argparse.Namespace], int]
    settings: type[Options] | None = None
    takes_paths: bool = False


@contextmanager
def _without_gc() -> Iterator[None]:
    """Import without the garbage collector: it finds almost nothing, in a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _run_operator(arguments: argparse.Namespace) -> int:
    settings = load(OperatorSettings, vars(arguments), os.environ)
    with _without_gc():
        from mcp_operator.app.control_plane import run_operator

    return _process(settings, run_operator(settings))


def _run_gateway(arguments: argparse.Namespace) -> int:
    settings = load(GatewaySettings, vars(arguments), os.environ)
    return _gateway(settings) if settings.workers == 1 else _workers(settings)


def _gateway(settings: GatewaySettings, worker: Worker | None = None) -> int:
    with _without_gc():
        from mcp_operator.app.data_plane import run_gateway

    return _process(settings, run_gateway(settings, worker))


def _run_serve(arguments: argparse.Namespace) -> int:
    settings = load(ServeSettings, vars(arguments), os.environ)
    return _serve(settings) if settings.workers == 1 else _workers(settings)


def _serve(settings: ServeSettings, worker: Worker | None = None) -> int:
    with _without_gc():
        from mcp_operator.app.serve import run_serve

    return _process(settings, run_serve(settings, worker))


def _workers(settings: GatewaySettings | ServeSettings) -> int:
    with _without_gc():
        from mcp_operator.app.workers.supervisor import run_workers

    return _process(settings, run_workers(settings))


def _run_worker(_: argparse.Namespace) -> int:
    from mcp_operator.core.logs import bind

    order = receive()
    worker = Worker(RootKey(bytes.fromhex(order.root_key)))
    with bind(worker=order.number):
        if order.kind == "serve":
            return _serve(ServeSettings.model_validate(order.settings), worker)
        return _gateway(GatewaySettings.model_validate(order.settings), worker)


def _run_validate(arguments: argparse.Namespace) -> int:
    from mcp_operator.local.validation import validate

    report = validate([Path(path) for path in arguments.paths])
    for problem in sorted((*report.problems, *report.warnings)):
        _print(str(problem))
    _print(report.summary, sys.stderr)
    return EXIT_PROBLEM if report.problems else EXIT_OK


def _run_import(arguments: argparse.Namespace) -> int:
    settings = load(ImportSettings, vars(arguments), os.environ)
    from mcp_operator.app.openapi_import import run_import

    return EXIT_OK if run_import(settings) else EXIT_PROBLEM


def _run_catalog(arguments: argparse.Namespace) -> int:
    settings = load(CatalogSettings, vars(arguments), os.environ)
    from mcp_operator.app.inspection.catalog import run_catalog

    asyncio.run(run_catalog(settings))
    return EXIT_OK


def _run_bundle(arguments: argparse.Namespace) -> int:
    settings = load(BundleSettings, vars(arguments), os.environ)
    from mcp_operator.app.inspection.bundle import run_bundle

    asyncio.run(run_bundle(settings))
    return EXIT_OK


def _run_crds(_: argparse.Namespace) -> int:
    import yaml

    from mcp_operator.api.crd import crds

    yaml.safe_dump_all(crds(), sys.stdout, sort_keys=False, width=100)
    return EXIT_OK


def _run_version(_: argparse.Namespace) -> int:
    _print(f"mcp-operator {VERSION}")
    return EXIT_OK


GROUPS: Final = {"import": "write custom resources for APIs described elsewhere"}
"""The help text of each group of commands."""

COMMANDS: Final = (
    Command(
        "operator",
        "run the control plane, which reconciles the custom resources",
        "Watches MCPServers, MCPTools, MCPPrompts and MCPResources, and runs a gateway for each\n"
        "server, with the catalog of the objects that it selects.",
        "  mcp-operator operator\n"
        "  mcp-operator operator --kubeconfig ~/.kube/config --namespace demo --no-leader-elect",
        _run_operator,
        OperatorSettings,
    ),
    Command(
        "gateway",
        "run the data plane, which serves one MCPServer of a cluster over MCP",
        "Serves the catalog of one MCPServer and follows its changes. The operator runs this in\n"
        "the pods of a server. Run it by hand to serve an MCPServer from your own machine.",
        "  mcp-operator gateway --namespace demo --server shop\n"
        "  mcp-operator gateway --namespace demo --server shop --kubeconfig ~/.kube/config \\\n"
        "      --bind-address 127.0.0.1 --service orders:80=127.0.0.1:9000",
        _run_gateway,
        GatewaySettings,
    ),
    Command(
        "serve",
        "serve YAML files over MCP, without a cluster",
        "Serves the MCPServer in the given files and folders, and follows their changes. It logs\n"
        "what each MCPServer selects, and what is not served and why. If a file becomes invalid,\n"
        "it logs that and keeps serving the last valid catalog.\n\n"
        "The address of a Service comes from --service, or from the annotation\n"
        "mcp-operator.dev/local-address on the Service in the files. The value of a Secret comes\n"
        "from the environment, or from the Secret in the files: for the key `token` of the Secret\n"
        "`default/shop-api`, the variable is MCP_OPERATOR_SECRET_DEFAULT_SHOP_API_TOKEN.",
        "  mcp-operator serve manifests/samples --demo-backend\n"
        "  mcp-operator serve shop.yaml --port 8090 --service orders=127.0.0.1:9000\n"
        "  mcp-operator serve . --server demo/shop --management-port 8081",
        _run_serve,
        ServeSettings,
    ),
    Command(
        "validate",
        "check YAML files, and print one problem per line",
        "Checks the custom resources in the given files and folders as the API server and the\n"
        "operator would, and prints each problem as FILE:LINE:FIELD: MESSAGE. References to\n"
        "Services are checked if the files contain Services. The exit code is 1 if there are\n"
        "problems, or nothing to check.",
        "  mcp-operator validate manifests/samples\n  mcp-operator validate shop.yaml tools/",
        _run_validate,
        takes_paths=True,
    ),
    Command(
        "import openapi",
        "write tools for the operations of an OpenAPI document",
        "Reads an OpenAPI 3.x or Swagger 2.0 document, and writes MCPTools to review, commit and\n"
        "apply: one tool for each operation. It reports what it skips, and why.",
        "  mcp-operator import openapi pets.json --service pets:8080 --output pets.yaml\n"
        "  mcp-operator import openapi https://example.com/openapi.yaml --include tag=order \\\n"
        "      --exclude method=DELETE --server shop\n"
        "  mcp-operator import openapi pets.json --service pets:8080 --diff pets.yaml",
        _run_import,
        ImportSettings,
    ),
    Command(
        "catalog",
        "show what an MCPServer of a cluster serves",
        "Prints the catalog that the operator has written for an MCPServer: its tools, prompts\n"
        "and resources, what is rejected and why, and which pods serve it. It needs the rights to\n"
        "read the MCPServer, its ConfigMaps and its pods; to ask the pods, that to get pods/proxy.",
        "  mcp-operator catalog shop --namespace demo\n"
        "  mcp-operator catalog shop --namespace demo --output json",
        _run_catalog,
        CatalogSettings,
    ),
    Command(
        "support-bundle",
        "collect what is needed to find out what is wrong",
        "Writes an archive with the custom resources, what the operator made of them, events, and\n"
        "the logs of the operator and of the gateways. It holds no Secrets, and no values of\n"
        "environment variables, headers, commands and annotations. It contains what you may read.",
        "  mcp-operator support-bundle bundle.tar.gz\n"
        "  mcp-operator support-bundle bundle.tar.gz --namespace demo",
        _run_bundle,
        BundleSettings,
    ),
    Command(
        "crds",
        "print the CustomResourceDefinitions",
        "Prints the CustomResourceDefinitions as YAML.",
        "  mcp-operator crds | kubectl apply --server-side -f -",
        _run_crds,
    ),
    Command("version", "print the version", "Prints the version.", "", _run_version),
)

WORKER: Final = Command("worker", "", "Serves as --workers has it.", "", _run_worker)
"""What this program itself runs, and no help lists."""


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
        own.set_defaults(run=command.run)
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments; by default, those of the process.

    Returns:
        The exit code: 0, 1 for a problem, 2 for an invalid command line or setting.
    """
    arguments = build_parser().parse_args(argv)
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
        return _report(_leaves(expected))
    return code


def _process(settings: Settings, main_task: Coroutine[Any, Any, int | None]) -> int:
    """Run a process until it is stopped; return its exit code."""
    from mcp_operator.core import logs
    from mcp_operator.core.few_lines import FewLines

    bound = FewLines("mcp_operator.gateway", besides="mcp_operator.gateway.policy.audit")
    logs.configure(settings.log_level, settings.log_format, bound)
    return asyncio.run(main_task) or EXIT_OK


def _report(errors: Iterable[BaseException]) -> int:
    """Print expected errors, and return the exit code for them."""
    code = EXIT_PROBLEM
    for error in errors:
        if isinstance(error, SettingsError):
            code = EXIT_USAGE
        for line in str(error).splitlines():
            _print(f"mcp-operator: {line}", sys.stderr)
    return code


def _print(line: str, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(f"{line}\n")


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _add_setting(parser: argparse.ArgumentParser, declaration: Declared) -> None:
    """Add a setting's flag. Its value stays text, so that flags and variables are parsed alike."""
    shown = declaration.shown_default
    notes = [f"default {shown}" if shown else "", declaration.variable]
    noted = ", ".join(filter(None, notes))
    described = f"{declaration.help} [{noted}]" if noted else declaration.help
    described = described.replace("%", "%%")
    setting = declaration.setting
    if declaration.boolean:
        parser.add_argument(
            declaration.flag,
            dest=declaration.name,
            action=argparse.BooleanOptionalAction,
            help=described,
        )
    elif not declaration.flag:
        count = "*" if setting.repeated else "?"
        parser.add_argument(declaration.name, nargs=count, metavar=setting.metavar, help=described)
    else:
        parser.add_argument(
            declaration.flag,
            dest=declaration.name,
            metavar=setting.metavar,
            action="append" if setting.repeated else "store",
            help=described,
        )
