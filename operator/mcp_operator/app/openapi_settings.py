"""The settings of `mcp-operator import openapi`: only flags, because people run it by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from mcp_operator.importers.options import (
    KINDS,
    MAX_SCHEMA_BYTES,
    Backend,
    Criterion,
    ImportOptions,
)
from mcp_operator.settings import DNS_LABEL, SERVICE
from mcp_operator.settings.loading import Options, Setting, parts


def _labels(value: Sequence[str] | Mapping[str, str]) -> Mapping[str, str]:
    """Parse `KEY=VALUE` parts."""
    if isinstance(value, Mapping):
        return value
    pairs = (part.partition("=") for part in parts(value))
    return {key: label for key, _, label in pairs}


def _with_port(value: str) -> str:
    """Refuse a Service or a URL with a port that no server can have."""
    if urlsplit(value if "://" in value else f"//{value.rpartition('/')[2]}").port == 0:
        raise ValueError("port 0")
    return value


Criteria = Annotated[
    tuple[Annotated[str, Field(pattern=rf"^({'|'.join(KINDS)})=.+$")], ...],
    BeforeValidator(parts),
    Setting(
        "KIND=PATTERN with the kind tag, path, operation or method, such as tag=pets or "
        "path=/pets/**",
        "KIND=PATTERN",
        repeated=True,
    ),
]
Name = Annotated[
    str,
    Field(pattern=rf"^$|{DNS_LABEL}"),
    Setting("a DNS label, such as petstore: lower-case letters, digits and '-'", "NAME"),
]


class ImportSettings(Options):
    """The settings of `mcp-operator import openapi`."""

    source: Annotated[
        str,
        Field(min_length=1),
        Setting("a file, an address that begins with https:// or http://, or -", "SOURCE", ""),
    ]
    """The OpenAPI or Swagger document, as JSON or YAML: a file, a URL, or - for standard input."""
    name: Name = ""
    """The name of the objects. Empty: the title of the document."""
    namespace: Name = ""
    """The namespace of the objects. Empty: none, so that it is set when they are applied."""
    service: Annotated[
        str,
        Field(pattern=rf"^$|{SERVICE}"),
        AfterValidator(_with_port),
        Setting("[NAMESPACE/]SERVICE[:PORT], such as orders:8080", "[NAMESPACE/]SERVICE[:PORT]"),
    ] = ""
    """The Service that runs the API. Empty: a placeholder, the name of the objects and port 80."""
    external: Annotated[
        str,
        Field(
            pattern=r"^$|^https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?$"
        ),
        AfterValidator(_with_port),
        Setting("a URL, such as https://api.example.com/v1", "URL"),
    ] = ""
    """The URL of an API outside of the cluster, instead of --service."""
    scheme: Annotated[Literal["http", "https"], Setting("http or https", "SCHEME")] = "http"
    """The protocol of the Service."""
    base_path: Annotated[
        str,
        Field(pattern=r"^$|^/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$"),
        Setting("an absolute path, such as /api/v2", "PATH"),
    ] = ""
    """The path that precedes the path of every operation. Empty: as the document says for its
    servers."""
    label: Annotated[
        Mapping[
            Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")],
            Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")],
        ],
        BeforeValidator(_labels),
        Setting("KEY=VALUE, such as team=shop", "KEY=VALUE", repeated=True),
    ] = Field(default_factory=dict)
    """A label of the objects, for selectors. Empty: `mcp-operator.dev/import` with their name."""
    server: Annotated[
        str,
        Field(pattern=r"^$|^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$"),
        Setting("a DNS label of at most 52 characters, such as shop", "NAME"),
    ] = ""
    """The name of an MCPServer to write as well; it selects the objects. Empty: none."""
    tool_prefix: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_-]{0,32}$"),
        Setting("a text of at most 32 letters, digits, '_' and '-'", "TEXT"),
    ] = ""
    """A prefix for the names of all tools."""
    include: Criteria = ()
    """Import only matching operations: tag=pets, path=/pets/**, operation=get* or method=GET. An
    operation has to match one pattern of each kind that is used."""
    exclude: Criteria = ()
    """Do not import matching operations; patterns as for --include."""
    all: Annotated[bool, Setting("true or false")] = False
    """Whether to import every operation of a document that has more than 60."""
    output_schemas: Annotated[bool, Setting("true or false")] = False
    """Whether to describe the results of the tools as well, in outputSchema."""
    max_schema_bytes: Annotated[
        int,
        Field(ge=1024),
        Setting("a whole number, 1024 or more", "NUMBER"),
    ] = MAX_SCHEMA_BYTES
    """The maximum size of a schema as JSON. Larger ones lose descriptions first, then details."""
    references_from: Annotated[
        tuple[str, ...],
        BeforeValidator(parts),
        Setting("folders and URLs", "PATH_OR_URL", repeated=True),
    ] = ()
    """An additional folder or URL prefix that the document may refer to. Its own folder, or its own
    host, is always allowed."""
    output: Annotated[Path | None, Setting("a path", "FILE")] = None
    """The file to write, or a folder for a file for each object. Empty: standard output."""
    diff: Annotated[Path | None, Setting("a path", "FILE")] = None
    """Compare with FILE, an earlier import or the folder of one, instead of writing. The exit code
    is 1 if it would change."""
    report: Annotated[Path | None, Setting("a path", "FILE")] = None
    """The file for the whole report, with every tool and place that a note is about. The report on
    standard error names three of each."""
    strict: Annotated[bool, Setting("true or false")] = False
    """Whether to fail, and write nothing, if an operation has to be skipped."""

    @property
    def options(self) -> ImportOptions:
        """The options for the importer."""
        return ImportOptions(
            name=self.name,
            namespace=self.namespace,
            backend=self._backend,
            labels=self.label,
            server=self.server,
            tool_prefix=self.tool_prefix,
            include=_criteria(self.include),
            exclude=_criteria(self.exclude),
            everything=self.all,
            output_schemas=self.output_schemas,
            max_schema_bytes=self.max_schema_bytes,
        )

    @property
    def _backend(self) -> Backend:
        base_path = self.base_path or None
        if self.external:
            split = urlsplit(self.external)
            origin = f"{split.scheme}://{split.netloc}"
            return Backend(external=origin, base_path=base_path or split.path or None)
        namespace, _, service = self.service.rpartition("/")
        name, _, port = service.partition(":")
        return Backend(name, namespace, int(port or 80), self.scheme, base_path)


def _criteria(texts: Sequence[str]) -> tuple[Criterion, ...]:
    pairs = (text.partition("=") for text in texts)
    return tuple(Criterion(kind, pattern) for kind, _, pattern in pairs)
