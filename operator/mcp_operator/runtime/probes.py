"""The two small HTTP servers of a manager: one for metrics, one for the kubelet's probes.

They are apart so that metrics can be exposed to a monitoring system and probes to the kubelet only.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from mcp_operator.core.pages import Page, PageServer, Question

ALL_INTERFACES: Final = ""
"""As a host: every address, IPv4 and IPv6, since a pod's may be of either family."""

Check = Callable[[], str]
"""Returns what is wrong, as a text for people; nothing if all is well. Must be fast."""


class Checks:
    """Named checks that one probe asks for together."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Add a check; names are unique."""
        if name in self._checks:
            raise ValueError(f"there is a check {name!r} already")
        self._checks[name] = check

    def page(self, question: Question) -> Page:
        """Answer like the API server's own probes: `ok`, or with `?verbose` a line per check."""
        problems = {name: check() for name, check in self._checks.items()}
        lines = [
            f"[-]{name} failed: {problem}" if problem else f"[+]{name} ok"
            for name, problem in problems.items()
        ]
        healthy = not any(problems.values())
        if healthy and "verbose" not in question.query:
            return Page(b"ok")
        lines.append(f"{question.path.strip('/')} check {'passed' if healthy else 'failed'}\n")
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return Page("\n".join(lines).encode(), status)


def metrics_server(
    registry: CollectorRegistry, port: int, host: str = ALL_INTERFACES
) -> PageServer:
    """Return a server of `/metrics`, in OpenMetrics or Prometheus text as the client asks.

    It renders on the event loop, where what it reads holds still. The figures of the process come
    from files in /proc, which answer from memory.
    """

    def page(question: Question) -> Page:
        encode, content_type = choose_encoder(question.accept)
        return Page(encode(registry), content_type=content_type)

    return PageServer(port, {"/metrics": page}, host=host)


def health_server(live: Checks, ready: Checks, port: int, host: str = ALL_INTERFACES) -> PageServer:
    """Return a server of `/livez`, `/readyz`, and `/healthz`, the old name of the first."""
    pages = {"/livez": live.page, "/healthz": live.page, "/readyz": ready.page}
    return PageServer(port, pages, host=host)
