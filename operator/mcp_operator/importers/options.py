"""The options of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_SCHEMA_BYTES: Final = 64 * 1024
"""The size limit of a tool's schema, as JSON: about 16,000 tokens of a model's context."""

KINDS: Final = ("tag", "path", "operation", "method")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion that an operation can match.

    Attributes:
        kind: One of `KINDS`.
        pattern: The pattern. `*` matches anything, but only within one segment of a path; `**`
            matches any number of segments.
    """

    kind: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the operations are served.

    Attributes:
        service: The Service; empty for one with the same name as the objects.
        namespace: Its namespace; empty for the namespace of the objects.
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
    """What to import, and how to write it.

    Attributes:
        name: The base of the objects' names; empty for the title of the document.
        namespace: The namespace of the objects; empty for none.
        backend: Where the operations are served.
        labels: The labels of the objects; empty for the default label.
        server: The MCPServer to write as well; empty for none.
        tool_prefix: The prefix of all tool names.
        include: Criteria that operations must match.
        exclude: Criteria that operations must not match.
        everything: Whether to import any number of tools.
        output_schemas: Whether tools get output schemas.
        max_schema_bytes: The size limit of a tool's schema, as JSON.
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
