"""The files that a server in mode Direct finds at MCP_CONFIG_DIR.

`catalog.json` has the digest of each other file, so that a reader can detect a mix of two versions.
It also has one digest of all files, with which pods report what they serve.

Their names and the keys `name`, `endpoint`, `inputSchema`, `template`, `variables`, `content` and
`operations` are those of the operator that this project follows, so its server images keep working.
They do not say how a gateway would build a request: a server in mode Direct builds its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from pydantic_core import to_json

from mcp_operator.api.catalog import (
    Backend,
    Catalog,
    JsonObject,
    PromptEntry,
    ResourceEntry,
    ToolEntry,
)
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.assembly import Assembly, Rejection
from mcp_operator.core.meta import Key

MAX_FILES_BYTES = 1024 * 1024 - 16 * 1024
"""The 1 MiB that a ConfigMap can hold, less room for its metadata."""


DIGESTS_FILE = "catalog.json"
"""The file with the digests of the others."""


def deliverable(assembly: Assembly) -> Assembly:
    """Leave out resources whose content is in a Secret, which the files cannot hold."""
    lost = [entry for entry in assembly.catalog.resources if entry.secret is not None]
    if not lost:
        return assembly
    kept = tuple(entry for entry in assembly.catalog.resources if entry.secret is None)
    keys = {Key(entry.source.namespace, entry.source.name) for entry in lost}
    return replace(
        assembly,
        catalog=assembly.catalog.model_copy(update={"resources": kept}),
        fully_served=tuple(
            m for m in assembly.fully_served if m.kind != "MCPResource" or m.key not in keys
        ),
        rejected=(*assembly.rejected, *(_not_delivered(key) for key in sorted(keys))),
    )


def _not_delivered(key: Key) -> Rejection:
    return Rejection(
        "MCPResource",
        key,
        Reason.SECRET_NOT_DELIVERED,
        "its content is in a Secret, and mode Direct does not copy Secrets into the mounted "
        "files: mount the Secret into your own pods, or use mode Gateway",
        ConditionType.ACCEPTED,
    )


def direct_files(catalog: Catalog) -> dict[str, str]:
    """Return the content of each file by its name, without the one with their digests."""
    files = {
        "tools.json": [_tool(entry) for entry in catalog.tools],
        "prompts.json": [_prompt(entry) for entry in catalog.prompts],
        "resources.json": [_resource(entry) for entry in catalog.resources],
    }
    return {name: to_json(content, indent=2).decode() for name, content in files.items()}


def with_digests(files: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the digest of files, and the files together with the one that names their digests.

    The digest is the SHA-256 of what `sha256sum` prints for the files in the order of their names.
    """
    digests = {name: _sha256(content) for name, content in sorted(files.items())}
    digest = _sha256("".join(f"{each}  {name}\n" for name, each in digests.items()))
    written = to_json({"digest": digest, "files": digests}, indent=2).decode()
    return digest, {**files, DIGESTS_FILE: written}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def files_size(files: Mapping[str, str]) -> int:
    """Return the bytes that the files take in a ConfigMap."""
    return sum(len(name) + len(content.encode()) for name, content in files.items())


def _endpoint(backend: Backend) -> str:
    return f"{backend.scheme}://{backend.host}:{backend.port}{backend.path}"


def _tool(entry: ToolEntry) -> JsonObject:
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "icons": list(entry.icons),
        "method": entry.backend.method,
        "endpoint": _endpoint(entry.backend),
        "inputSchema": entry.input_schema,
        "outputSchema": entry.output_schema,
        "annotations": entry.annotations,
        "requiredClientCapabilities": list(entry.required_client_capabilities),
    }


def _prompt(entry: PromptEntry) -> JsonObject:
    texts = [message.text for message in entry.messages if message.text is not None]
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "icons": list(entry.icons),
        "template": texts[0] if len(entry.messages) == 1 and texts else None,
        "messages": [message.model_dump(by_alias=True) for message in entry.messages],
        "variables": [variable.model_dump(by_alias=True) for variable in entry.variables],
    }


def _resource(entry: ResourceEntry) -> JsonObject:
    content = {
        "uri": entry.uri,
        "mimeType": entry.mime_type,
        "text": entry.text,
        "blob": entry.blob,
    }
    operation = entry.backend and {
        "method": entry.backend.method,
        "endpoint": _endpoint(entry.backend),
        "uri": entry.uri,
        "uriTemplate": entry.uri_template,
        "mimeType": entry.mime_type,
    }
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "icons": list(entry.icons),
        "content": None if operation else content,
        "operations": [operation] if operation else None,
    }
