"""The result of compiling an MCPTool, MCPPrompt or MCPResource: catalog entries and findings.

It does not depend on any server, so every server that selects the object uses the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mcp_operator.api.catalog import Backend, PromptEntry, ResourceEntry, SecretKey, ToolEntry
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.core.meta import Key

Entry = ToolEntry | PromptEntry | ResourceEntry
CatalogKind = Literal["MCPTool", "MCPPrompt", "MCPResource"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Why an object, or one of its entries, is not served; without `blocking`, only a remark."""

    condition: Literal[ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS]
    reason: Reason
    message: str
    blocking: bool = True


def remark(reason: Reason, message: str) -> Finding:
    """Return a finding that does not keep anything from being served."""
    return Finding(ConditionType.ACCEPTED, reason, message, blocking=False)


class FaultError(Exception):
    """An entry cannot be served; `finding` says why."""

    condition: Literal[ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS]

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(self.condition, reason, message)


class InvalidError(FaultError):
    """The spec itself is not valid."""

    condition = ConditionType.ACCEPTED


class UnresolvedError(FaultError):
    """A referenced object does not exist or does not permit the reference."""

    condition = ConditionType.RESOLVED_REFS


class EntryKey(NamedTuple):
    """What identifies an entry within a catalog: its list, and its name, URI or URI template."""

    list: Literal["tools", "prompts", "resources"]
    identity: str

    def __str__(self) -> str:
        return f"{self.list[:-1]} {self.identity!r}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """One object, compiled.

    Attributes:
        kind: The object's kind.
        key: Its namespace and name.
        created: Its creationTimestamp, empty for objects read from files.
        entries: The catalog entries, without those that cannot be served.
        findings: What is wrong, and remarks.
        entry_keys: The key of each entry.
        secrets: For each entry, the Secret keys that a gateway must read to serve it.
    """

    kind: CatalogKind
    key: Key
    created: str
    entries: tuple[Entry, ...] = ()
    findings: tuple[Finding, ...] = ()
    entry_keys: tuple[EntryKey, ...] = field(init=False, repr=False, compare=False)
    secrets: tuple[frozenset[SecretKey], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "entry_keys", tuple(map(entry_key_of, self.entries)))
        object.__setattr__(self, "secrets", tuple(map(_secrets_of, self.entries)))

    @property
    def precedence(self) -> tuple[str, Key]:
        """The sort key that decides between objects which claim one entry key: age, then name."""
        return (self.created, self.key)

    def findings_of(self, condition: ConditionType) -> tuple[Finding, ...]:
        """Return the findings that make a condition false."""
        return tuple(f for f in self.findings if f.blocking and f.condition is condition)

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """The findings that do not keep anything from being served."""
        return tuple(finding for finding in self.findings if not finding.blocking)


def entry_key_of(entry: Entry) -> EntryKey:
    """Return the key of an entry: tools and prompts by name, resources by URI or template."""
    match entry:
        case ToolEntry():
            return EntryKey("tools", entry.name)
        case PromptEntry():
            return EntryKey("prompts", entry.name)
        case ResourceEntry():
            return EntryKey("resources", entry.uri or entry.uri_template)


def _secrets_of(entry: Entry) -> frozenset[SecretKey]:
    """Return the Secret keys that a gateway must read to serve an entry."""
    match entry:
        case ToolEntry():
            return backend_secrets(entry.backend)
        case ResourceEntry():
            own = frozenset({entry.secret} if entry.secret else ())
            return own | (backend_secrets(entry.backend) if entry.backend else frozenset())
        case PromptEntry():
            return frozenset()


def backend_secrets(backend: Backend) -> frozenset[SecretKey]:
    """Return the Secret keys that a gateway must read to send requests to a backend."""
    found = [one.secret for one in (*backend.headers, *backend.query)]
    found += [backend.ca, backend.client_certificate, backend.client_key]
    below: frozenset[SecretKey] = frozenset()
    if backend.credentials:
        found += [backend.credentials.secret, backend.credentials.username]
        if backend.credentials.oauth2:
            below = backend_secrets(backend.credentials.oauth2.endpoint)
    return frozenset(secret for secret in found if secret is not None) | below
