"""Every subcommand, and what it runs."""
# ruff: noqa: PLC0415 - see the package

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mcp_operator.app.openapi_settings import ImportSettings
from mcp_operator.app.workers.worker import Worker, receive
from mcp_operator.cli.command import EXIT_OK, EXIT_PROBLEM, Command, write_line
from mcp_operator.cli.inspecting import INSPECT
from mcp_operator.cli.looking import LOOKING
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.settings import GatewaySettings, OperatorSettings, ServeSettings
from mcp_operator.settings.loading import Settings, load
from mcp_operator.version import VERSION


@contextmanager
def _without_gc() -> Iterator[None]:
    """Import without the garbage collector: it takes a tenth of the time, and finds almost nothing.

    Imported objects stay, so later collections need not traverse them either. A full collection
    that does would block the event loop for 50 ms.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
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
        write_line(str(problem))
    write_line(report.summary, sys.stderr)
    return EXIT_PROBLEM if report.problems else EXIT_OK


def _run_import(arguments: argparse.Namespace) -> int:
    settings = load(ImportSettings, vars(arguments), os.environ)
    from mcp_operator.app.openapi_import import run_import

    return EXIT_OK if run_import(settings) else EXIT_PROBLEM


def _run_crds(_: argparse.Namespace) -> int:
    import yaml

    from mcp_operator.api.crd import crds

    yaml.safe_dump_all(crds(), sys.stdout, sort_keys=False, width=100)
    return EXIT_OK


def _run_version(_: argparse.Namespace) -> int:
    write_line(f"mcp-operator {VERSION}")
    return EXIT_OK


def _process(settings: Settings, main_task: Coroutine[Any, Any, int | None]) -> int:
    """Run a process until it is stopped; return its exit code."""
    from mcp_operator.core import logs
    from mcp_operator.core.few_lines import FewLines

    bound = FewLines("mcp_operator.gateway", besides="mcp_operator.gateway.policy.audit")
    logs.configure(settings.log_level, settings.log_format, bound)
    return asyncio.run(main_task) or EXIT_OK


GROUPS: Final = {
    "import": "write custom resources for an API from its description",
    "inspect": "inspect any MCP server, and call its tools",
}
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
    *INSPECT,
    *LOOKING,
    Command(
        "crds",
        "print the CustomResourceDefinitions",
        "Prints the CustomResourceDefinitions as YAML.",
        "  mcp-operator crds | kubectl apply --server-side -f -",
        _run_crds,
    ),
    Command("version", "print the version", "Prints the version.", "", _run_version),
)

WORKER: Final = Command("worker", "", "Serves in a process of `serve --workers`.", "", _run_worker)
"""Only this program itself runs this command, so no help lists it."""
