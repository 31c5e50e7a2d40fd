"""What an import is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_SCHEMA_BYTES: Final = 64 * 1024
"""How large the schema of a tool may become, as JSON: some 16,000 tokens of a model's context."""

KINDS: Final = ("tag", "path", "operation", "method")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that an operation may match.

    Attributes:
        kind: One of `KINDS`.
        pattern: What it is compared with: `*` stands for anything, in a path for anything within
            one segment, where `**` stands for any number of segments.
    """

    kind: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the operations are served.

    Attributes:
        service: The Service; empty for one that is named like the objects.
        namespace: Its namespace; empty for that of the objects.
        port: Its port.
        scheme: `http` or `https`.
        base_path: The path before those of the operations; None for that of the document's servers.
        external: The origin of an API outside of the cluster, instead of a Service.
    """

    service: str = ""
    namespace: str = ""
    port: int = 80
    scheme: str = "http"
    base_path: str | None = None
    external: str = ""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What to import, and into what.

    Attributes:
        name: What the objects are called; empty for the title of the document.
        namespace: The namespace of the objects; empty for none.
        backend: Where the operations are served.
        labels: The labels of the objects; a label of their own where none is given.
        server: The MCPServer to write as well; empty for none.
        tool_prefix: What the names of all tools begin with.
        include: What operations have to match.
        exclude: What they may not match.
        everything: Whether any number of tools is asked for.
        output_schemas: Whether tools say what they return.
        max_schema_bytes: How large the schema of a tool may become, as JSON.
    """

    name: str = ""
    namespace: str = ""
    backend: Backend = field(default_factory=Backend)
    labels: Mapping[str, str] = field(default_factory=dict)
    server: str = ""
    tool_prefix: str = ""
    include: tuple[Criterion, ...] = ()
    exclude: tuple[Criterion, ...] = ()
    everything: bool = False
    output_schemas: bool = False
    max_schema_bytes: int = MAX_SCHEMA_BYTES
