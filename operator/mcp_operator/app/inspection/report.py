"""One server's catalog as text: what is served, what is not, and by which pods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mcp_operator.api.catalog import Backend, Catalog, ResourceEntry, SourceRef
from mcp_operator.app.inspection.tables import printable, table
from mcp_operator.core.meta import Object

SHORT_DIGEST = 12
"""Characters of a digest in the output, a few more than in `git log --oneline`."""


class PodAnswer(NamedTuple):
    """A pod's answer about what it serves.

    Attributes:
        name: The pod's name.
        ready: Whether the pod is ready, so that it gets requests from clients.
        digest: The digest of its catalog; empty if it did not answer.
        problem: Why it did not answer.
    """

    name: str
    ready: bool
    digest: str = ""
    problem: str = ""


def report(
    server: Object, digest: str, catalog: Catalog, pods: Sequence[PodAnswer]
) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        server: The MCPServer.
        digest: The digest of the catalog that the operator has written.
        catalog: That catalog.
        pods: Every pod of the server.
    """
    metadata, status = server["metadata"], server.get("status") or {}
    current = sum(pod.digest == digest for pod in pods)
    name = f"{metadata['namespace']}/{metadata['name']}"
    served = f"served by {current} of {len(pods)} pods"
    yield f"MCPServer {name}: catalog {digest[:SHORT_DIGEST]}, {served}"
    yield from _conditions(status)
    tools = [(each.name, _source(each.source), request(each.backend)) for each in catalog.tools]
    yield from _section(("TOOL", "OBJECT", "REQUEST"), tools)
    prompts = [
        (each.name, _source(each.source), ", ".join(one.name for one in each.variables))
        for each in catalog.prompts
    ]
    yield from _section(("PROMPT", "OBJECT", "VARIABLES"), prompts)
    resources = [
        (each.uri or each.uri_template, _source(each.source), _origin(each))
        for each in catalog.resources
    ]
    yield from _section(("RESOURCE", "OBJECT", "CONTENT"), resources)
    rejected = [_rejected(each) for each in status.get("rejected") or ()]
    yield from _section(("REJECTED", "REASON", "MESSAGE"), rejected)
    rows = [
        (
            pod.name,
            "yes" if pod.ready else "no",
            pod.digest[:SHORT_DIGEST] or "?",
            _state(pod, digest),
        )
        for pod in pods
    ]
    yield from _section(("POD", "READY", "CATALOG", "STATE"), rows)


def request(backend: Backend) -> str:
    """Return the request of a call, such as `GET http://orders.demo.svc:80/orders/{id}`."""
    return f"{backend.method} {backend.scheme}://{backend.host}:{backend.port}{backend.path}"


def _section(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield ""
        yield from table(header, rows)


def _conditions(status: Object) -> Iterator[str]:
    for condition in status.get("conditions") or ():
        good = "False" if condition.get("type") == "Degraded" else "True"
        if condition.get("status") != good:
            reason, message = condition.get("reason", ""), condition.get("message", "")
            yield printable(
                f"{condition.get('type')}={condition.get('status')} {reason}: {message}"
            )


def _source(source: SourceRef) -> str:
    return f"{source.kind}/{source.name}"


def _origin(entry: ResourceEntry) -> str:
    if entry.backend is not None:
        return request(entry.backend)
    if entry.secret is not None:
        return f"Secret/{entry.secret.name}, key {entry.secret.key}"
    return "in the catalog"


def _rejected(entry: dict[str, Any]) -> tuple[str, str, str]:
    said = [str(entry.get(field, "")) for field in ("kind", "name", "reason", "message")]
    return (f"{said[0]}/{said[1]}", said[2], said[3])


def _state(pod: PodAnswer, digest: str) -> str:
    if pod.problem:
        return pod.problem
    return "serves this catalog" if pod.digest == digest else "serves another catalog"
