"""What one MCPTool, MCPPrompt or MCPResource contributes to a catalog, and why it may not.

Compiling an object knows nothing of servers: the same result serves every server that selects it.
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
    """Why an object, or one entry of it, is not served; or, without `blocking`, a remark."""

    condition: Literal[ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS]
    reason: Reason
    message: str
    blocking: bool = True


def remark(reason: Reason, message: str) -> Finding:
    """Return a finding that is worth saying and stops nothing."""
    return Finding(ConditionType.ACCEPTED, reason, message, blocking=False)


class FaultError(Exception):
    """An entry cannot be served; carries the finding that says why."""

    condition: Literal[ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS]

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(self.condition, reason, message)


class InvalidError(FaultError):
    """The spec is wrong in itself."""

    condition = ConditionType.ACCEPTED


class UnresolvedError(FaultError):
    """A reference leads nowhere, or to something that does not consent."""

    condition = ConditionType.RESOLVED_REFS


class EntryKey(NamedTuple):
    """The place an entry takes in a catalog; a server can fill each only once."""

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
        entries: What it contributes, faulty entries left out.
        findings: What is wrong with it, or worth saying.
        entry_keys: The place that each entry takes.
        secrets: The Secret keys that a gateway must read to serve each entry.
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
        """The order in which objects win a contested entry key: the oldest first, then by name."""
        return (self.created, self.key)

    def findings_of(self, condition: ConditionType) -> tuple[Finding, ...]:
        """Return the findings that make a condition false."""
        return tuple(f for f in self.findings if f.blocking and f.condition is condition)

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """The findings that are worth saying but stop nothing."""
        return tuple(finding for finding in self.findings if not finding.blocking)


def entry_key_of(entry: Entry) -> EntryKey:
    """Return the place of an entry: tools and prompts by name, resources by URI or template."""
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
            return _backend_secrets(entry.backend)
        case ResourceEntry():
            own = frozenset({entry.secret} if entry.secret else ())
            return own | (_backend_secrets(entry.backend) if entry.backend else frozenset())
        case PromptEntry():
            return frozenset()


def _backend_secrets(backend: Backend) -> frozenset[SecretKey]:
    found = [header.secret for header in backend.headers]
    found.append(backend.ca)
    if backend.credentials:
        found += [backend.credentials.secret, backend.credentials.username]
    return frozenset(secret for secret in found if secret is not None)
