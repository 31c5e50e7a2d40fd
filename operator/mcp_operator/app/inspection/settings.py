"""The settings of the commands that look at a cluster: only flags, because people run them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.settings import DNS_LABEL, Kubeconfig, Seconds
from mcp_operator.settings.loading import Options, Setting

Context = Annotated[str, Setting("the name of a context of the kubeconfig", "CONTEXT")]

OptionalNamespace = Annotated[
    str,
    Field(pattern=rf"^$|{DNS_LABEL}"),
    Setting("the name of a namespace, such as demo", "NAMESPACE", short="-n"),
]

OneNamespace = Annotated[
    str,
    Field(pattern=DNS_LABEL),
    Setting("the name of a namespace, such as demo", "NAMESPACE", short="-n"),
]

Order = Literal["calls", "errors", "latency", "name", "tools"]
"""The columns by which `mcp-operator top` sorts."""


class CatalogSettings(Options):
    """The settings of `mcp-operator catalog`."""

    server: Annotated[
        str,
        Field(pattern=DNS_LABEL, max_length=52),
        Setting("the name of an MCPServer, such as shop", "SERVER", ""),
    ]
    """The MCPServer whose catalog is shown."""
    namespace: OneNamespace = "default"
    """The namespace of the MCPServer."""
    output: Annotated[
        Literal["text", "json"], Setting("one of text, json", "FORMAT", short="-o")
    ] = "text"
    """How it is shown: `text` as tables, `json` as the catalog that gateways read."""
    kubeconfig: Kubeconfig = None
    """The kubeconfig file. Empty: the files in KUBECONFIG, or the default file."""
    context: Context = ""
    """The context of the kubeconfig. Empty: the current one."""


class BundleSettings(Options):
    """The settings of `mcp-operator support-bundle`."""

    output: Annotated[
        Path,
        Setting("the path of a file that does not exist yet, such as bundle.tar.gz", "FILE", ""),
    ]
    """The archive to write, such as bundle.tar.gz."""
    namespace: OptionalNamespace = ""
    """The namespace of the MCPServers. Empty: all namespaces."""
    operator_namespace: Annotated[
        str, Field(pattern=DNS_LABEL), Setting("the name of a namespace", "NAMESPACE")
    ] = "mcp-system"
    """The namespace that the operator runs in."""
    kubeconfig: Kubeconfig = None
    """The kubeconfig file. Empty: the files in KUBECONFIG, or the default file."""
    context: Context = ""
    """The context of the kubeconfig. Empty: the current one."""


class TopSettings(Options):
    """The settings of `mcp-operator top`."""

    namespace: OneNamespace = "default"
    """The namespace of the MCPServers."""
    all_namespaces: Annotated[bool, Setting("true or false", short="-A")] = False
    """Show the MCPServers of all namespaces."""
    sort: Annotated[
        Order,
        Setting("one of calls, errors, latency, name, tools", "COLUMN"),
    ] = "calls"
    """What servers and tools are sorted by; `latency` is P95."""
    once: Annotated[bool, Setting("true or false")] = False
    """Print the figures of one interval and end, as where the output is not a terminal."""
    interval: Seconds = 2
    """How long to count until the figures are shown again, in seconds."""
    kubeconfig: Kubeconfig = None
    """The kubeconfig file. Empty: the files in KUBECONFIG, or the default file."""
    context: Context = ""
    """The context of the kubeconfig. Empty: the current one."""

    @property
    def scope(self) -> str:
        """The namespace to list; empty for all."""
        return "" if self.all_namespaces else self.namespace
