"""Decides which objects of other namespaces a server can serve, and which of their entries.

Both sides have to agree, as with routes and backends of the Gateway API: the server selects objects
of a namespace (`spec.allowedNamespaces`), and that namespace permits the server to serve them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.assembly import Rejection
from mcp_operator.builders.compiled import CatalogKind, Compiled, Finding
from mcp_operator.builders.networkpolicy import NAMESPACE_LABEL
from mcp_operator.builders.references import (
    ALLOW_ANNOTATION,
    API_GROUP,
    Granted,
    allows,
    is_granted,
)
from mcp_operator.core.meta import Key, LabelSelector, Object, key_of


@dataclass(frozen=True, slots=True)
class Reach:
    """The namespaces from which a server selects objects; its own is always one of them.

    Attributes:
        own: The server's namespace.
        mode: As in `spec.allowedNamespaces.from`.
        labels: For `Selector`, the selector of the other namespaces.
    """

    own: str
    mode: Literal["Same", "All", "Selector"] = "Same"
    labels: LabelSelector | None = None

    def includes(self, namespace: str, labels: Mapping[str, str] | None) -> bool:
        """Return whether a namespace is one of them.

        Args:
            namespace: Its name.
            labels: Its labels; None if only the label with its name is known. A selector that uses
                other labels then does not match, because the namespace could have them.
        """
        if namespace == self.own or self.mode == "All":
            return True
        if self.labels is None or (labels is None and not self.labels.keys <= {NAMESPACE_LABEL}):
            return False
        return self.labels.matches({NAMESPACE_LABEL: namespace} if labels is None else labels)


def reach_of(server: MCPServer) -> Reach:
    """Return the namespaces from which a server selects objects."""
    allowed = server.spec.allowed_namespaces
    selector = allowed.selector if allowed.from_ == "Selector" else None
    labels = LabelSelector.parse(selector.model_dump(by_alias=True)) if selector else None
    return Reach(server.namespace, allowed.from_, labels)


def permits(obj: Object, granted_in: Callable[[str], Granted], namespace: str) -> bool:
    """Return whether a catalog object consents to being served by servers of a namespace.

    Args:
        obj: The object.
        granted_in: Returns what the ReferenceGrants of a namespace let those servers refer to.
        namespace: The namespace of the servers; an object always permits its own namespace.
    """
    own = key_of(obj).namespace
    return own == namespace or allows(obj, namespace) or is_granted(obj, granted_in(own), API_GROUP)


def not_permitted(kind: CatalogKind, key: Key, namespace: str) -> Rejection:
    """Return the rejection of an object that does not consent."""
    message = (
        f"namespace {key.namespace} does not permit an MCPServer of namespace {namespace} to "
        f"serve {kind} {key.name}: annotate the {kind} with {ALLOW_ANNOTATION}: {namespace}, or "
        "add a ReferenceGrant there"
    )
    return Rejection(kind, key, Reason.REF_NOT_PERMITTED, message, ConditionType.RESOLVED_REFS)


def joining(compiled: Compiled, namespace: str) -> Compiled:
    """Return the part of an object that the servers of a namespace can serve.

    If the object is in another namespace, entries that need a Secret are left out. Otherwise, the
    gateway would need permission to read the Secret, and everybody who can create pods in the
    gateway's namespace could use this permission.

    Returns:
        The same object if nothing is left out.
    """
    if compiled.key.namespace == namespace or not any(compiled.secrets):
        return compiled
    kept = [
        entry
        for entry, secrets in zip(compiled.entries, compiled.secrets, strict=True)
        if not secrets
    ]
    refused = [
        str(entry_key)
        for entry_key, secrets in zip(compiled.entry_keys, compiled.secrets, strict=True)
        if secrets
    ]
    finding = Finding(
        ConditionType.RESOLVED_REFS,
        Reason.REF_NOT_PERMITTED,
        f"{', '.join(refused)}: a gateway of namespace {namespace} cannot read the Secrets of "
        f"namespace {compiled.key.namespace}: serve this in namespace {compiled.key.namespace}, "
        "or remove the references to Secrets",
    )
    return replace(compiled, entries=tuple(kept), findings=(*compiled.findings, finding))


def refused_secrets(compiled: Compiled, namespace: str) -> tuple[Finding, ...]:
    """Return why the servers of a namespace cannot serve all of an object."""
    return joining(compiled, namespace).findings[len(compiled.findings) :]
