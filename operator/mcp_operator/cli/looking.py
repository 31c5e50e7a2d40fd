"""The commands that look at what runs, in a cluster or behind a URL."""
# ruff: noqa: PLC0415 - see the package

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Final

from mcp_operator.app.inspection.settings import BundleSettings, CatalogSettings, TopSettings
from mcp_operator.cli.command import EXIT_OK, Command
from mcp_operator.settings.loading import load


def _run_catalog(arguments: argparse.Namespace) -> int:
    settings = load(CatalogSettings, vars(arguments), os.environ)
    from mcp_operator.app.inspection.catalog import run_catalog

    asyncio.run(run_catalog(settings))
    return EXIT_OK


def _run_top(arguments: argparse.Namespace) -> int:
    settings = load(TopSettings, vars(arguments), os.environ)
    from mcp_operator.app.inspection.top.command import run_top

    asyncio.run(run_top(settings))
    return EXIT_OK


def _run_bundle(arguments: argparse.Namespace) -> int:
    settings = load(BundleSettings, vars(arguments), os.environ)
    from mcp_operator.app.inspection.bundle import run_bundle

    asyncio.run(run_bundle(settings))
    return EXIT_OK


LOOKING: Final = (
    Command(
        "catalog",
        "show what an MCPServer of a cluster serves",
        "Prints the catalog that the operator has written for an MCPServer: its tools, prompts\n"
        "and resources, what is rejected and why, and which pods serve it. You need permission to\n"
        "read the MCPServer, its ConfigMaps and its pods and, to ask the pods, to get pods/proxy.",
        "  mcp-operator catalog shop --namespace demo\n"
        "  mcp-operator catalog shop --namespace demo --output json",
        _run_catalog,
        CatalogSettings,
    ),
    Command(
        "top",
        "show what the MCPServers of a cluster do",
        "Shows the MCPServers with their calls, errors and latencies of the last seconds, and the\n"
        "tools that were called, until Ctrl-C. READY counts the pods that are ready, SYNCED those\n"
        "of them that serve the current catalog. Errors are failures of backends and of the\n"
        "gateway, as the alerts count them.\n\n"
        "You need permission to list MCPServers and pods and, for calls and latencies, to get\n"
        "pods/proxy.",
        "  mcp-operator top --namespace demo\n"
        "  mcp-operator top -A --sort errors\n"
        "  mcp-operator top -A --once --interval 30",
        _run_top,
        TopSettings,
    ),
    Command(
        "support-bundle",
        "collect objects, events and logs for troubleshooting",
        "Writes an archive with the custom resources, the objects that the operator created for\n"
        "them, events, and the logs of the operator and of the gateways. It has no Secrets, and\n"
        "no values of environment variables, headers, commands and annotations. It has only what\n"
        "you have permission to read.",
        "  mcp-operator support-bundle bundle.tar.gz\n"
        "  mcp-operator support-bundle bundle.tar.gz --namespace demo",
        _run_bundle,
        BundleSettings,
    ),
)
"""The commands, in the order in which the help lists them."""
