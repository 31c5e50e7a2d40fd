"""Turns traces on or off, according to the environment variables of OpenTelemetry."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from mcp_operator.core import guides

if TYPE_CHECKING:
    from mcp_operator.gateway.traces.spans import Traces

log = logging.getLogger(__name__)

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL: Final = "http/protobuf"


class Service(NamedTuple):
    """The service in traces, unless `OTEL_SERVICE_NAME` is set.

    Attributes:
        name: `service.name`: the name of the MCPServer.
        namespace: `service.namespace`: the namespace of the MCPServer.
        version: `service.version`.
    """

    name: str
    namespace: str
    version: str


def from_environment(environment: Mapping[str, str], service: Service) -> Traces | None:
    """Start to export traces if the environment names an endpoint for them.

    Errors are only logged, because a gateway without traces is better than none.

    Args:
        environment: The variables; the exporter reads further ones from `os.environ`.
        service: The service in the traces.
    """
    endpoint = _first(environment, ENDPOINTS)
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not endpoint or disabled or exporter == "none":
        return None
    problem = _problem(exporter, _first(environment, PROTOCOLS))
    if problem:
        log.warning("No traces are exported", extra={"error": problem})
        return None
    try:
        from mcp_operator.gateway.traces.export import started  # noqa: PLC0415 - costs 50 ms, 12 MB

        traces = started(service)
    except ModuleNotFoundError as error:
        problem = (
            f"{error.name} is not installed: install mcp-operator with its extra otel; see "
            f"{guides.TRACES}"
        )
    except ValueError as error:
        problem = f"a variable OTEL_* has no valid value: {error}"
    else:
        log.info("Traces are exported", extra={"endpoint": _without_secrets(endpoint)})
        return traces
    log.warning("No traces are exported", extra={"error": problem})
    return None


def _problem(exporter: str, protocol: str) -> str:
    """Return which setting requires something that this gateway does not support."""
    if exporter not in ("", "otlp"):
        return f"OTEL_TRACES_EXPORTER is {exporter!r}; set it to otlp, or remove it"
    if protocol not in ("", PROTOCOL):
        return (
            f"the protocol of OTLP is {protocol!r}; set OTEL_EXPORTER_OTLP_PROTOCOL to {PROTOCOL},"
            " and the endpoint to the port of the collector for HTTP, usually 4318"
        )
    return ""


def _without_secrets(url: str) -> str:
    """Return a URL without credentials and query, which can contain a password or a key."""
    return re.sub(r"//[^/?#]*@", "//", url).partition("?")[0]


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next(filter(None, (environment.get(name, "").strip() for name in names)), "")
