"""Which objects of other namespaces may join a server, and what of them.

Both sides have to agree, as with routes and backends of the Gateway API: the server takes objects
of a namespace (`spec.allowedNamespaces`), and that consents to its objects being served there.
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
    """The namespaces from which a server takes objects; its own is always one of them.

    Attributes:
        own: The server's namespace.
        mode: As in `spec.allowedNamespaces.from`.
        labels: For `Selector`, the labels of the others.
    """

    own: str
    mode: Literal["Same", "All", "Selector"] = "Same"
    labels: LabelSelector | None = None

    def includes(self, namespace: str, labels: Mapping[str, str] | None) -> bool:
        """Return whether a namespace is one of them.

        Args:
            namespace: Its name.
            labels: Its labels; None where only that with its name is known. It is then not one of
                them by the absence of a label that it may have.
        """
        if namespace == self.own or self.mode == "All":
            return True
        if self.labels is None or (labels is None and not self.labels.keys <= {NAMESPACE_LABEL}):
            return False
        return self.labels.matches({NAMESPACE_LABEL: namespace} if labels is None else labels)


def reach_of(server: MCPServer) -> Reach:
    """Return the namespaces from which a server takes objects."""
    allowed = server.spec.allowed_namespaces
    selector = allowed.selector if allowed.from_ == "Selector" else None
    labels = LabelSelector.parse(selector.model_dump(by_alias=True)) if selector else None
    return Reach(server.namespace, allowed.from_, labels)


def permits(obj: Object, granted_in: Callable[[str], Granted], namespace: str) -> bool:
    """Return whether a catalog object consents to being served by servers of a namespace.

    Args:
        obj: The object.
        granted_in: Returns what the ReferenceGrants of a namespace let those servers refer to.
        namespace: That of the servers; its own always may.
    """
    own = key_of(obj).namespace
    return own == namespace or allows(obj, namespace) or is_granted(obj, granted_in(own), API_GROUP)


def not_permitted(kind: CatalogKind, key: Key, namespace: str) -> Rejection:
    """Return what a server's status says of an object that does not consent."""
    message = (
        f"namespace {key.namespace} does not permit an MCPServer of namespace {namespace} to "
        f"serve {kind} {key.name}: annotate the {kind} with {ALLOW_ANNOTATION}: {namespace}, or "
        "add a ReferenceGrant there"
    )
    return Rejection(kind, key, Reason.REF_NOT_PERMITTED, message, ConditionType.RESOLVED_REFS)


def joining(compiled: Compiled, namespace: str) -> Compiled:
    """Return what an object contributes to the servers of a namespace.

    Of another namespace, it contributes nothing that needs a Secret: the gateway would have to be
    allowed to read that, and with it whoever may create pods in the gateway's namespace.

    Returns:
        The same object if all of it joins.
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
    """Return why not all of an object joins the servers of a namespace."""
    return joining(compiled, namespace).findings[len(compiled.findings) :]
