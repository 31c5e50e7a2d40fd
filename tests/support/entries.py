"""Catalog entries for tests, with defaults for everything that a test does not specify."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.catalog import (
    Argument,
    Backend,
    Catalog,
    PromptEntry,
    ResourceEntry,
    ResponseMapping,
    ServerSettings,
    SourceRef,
    ToolEntry,
)
from mcp_operator.api.prompts import PromptMessage

SERVER = ServerSettings(namespace="demo", name="shop")


def argument(name: str, location: str = "query", **fields: Any) -> Argument:
    return Argument.model_validate({"name": name, "in": location, "target": name} | fields)


def backend(path: str = "/", *arguments: Argument, **fields: Any) -> Backend:
    return Backend(
        **{"host": "orders.demo.svc", "port": 80, "path": path, "arguments": arguments} | fields
    )


def tool(name: str = "search", to: Backend | None = None, **fields: Any) -> ToolEntry:
    defaults: dict[str, Any] = {
        "input_schema": {"type": "object"},
        "response": ResponseMapping(),
        "source": SourceRef(kind="MCPTool", namespace="demo", name=name),
    }
    return ToolEntry(name=name, backend=to or backend(), **defaults | fields)


def prompt(*texts: str, name: str = "review", **fields: Any) -> PromptEntry:
    defaults: dict[str, Any] = {
        "messages": tuple(PromptMessage(text=text) for text in texts),
        "source": SourceRef(kind="MCPPrompt", namespace="demo", name=name),
    }
    return PromptEntry(name=name, **defaults | fields)


def resource(name: str = "docs", **fields: Any) -> ResourceEntry:
    source = SourceRef(kind="MCPResource", namespace="demo", name=name)
    return ResourceEntry(name=name, source=source, **fields)


def catalog(*entries: ToolEntry | PromptEntry | ResourceEntry, **settings: Any) -> Catalog:
    return Catalog(
        server=SERVER.model_copy(update=settings),
        tools=tuple(e for e in entries if isinstance(e, ToolEntry)),
        prompts=tuple(e for e in entries if isinstance(e, PromptEntry)),
        resources=tuple(e for e in entries if isinstance(e, ResourceEntry)),
    )
