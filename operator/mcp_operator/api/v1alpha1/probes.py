"""Probes and lifecycle hooks of a container, in the words of the Pod API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import PodPortName, PortNumber
from mcp_operator.api.v1alpha1.container import Argument

Port = Annotated[PortNumber | PodPortName, Field(union_mode="left_to_right")]
Count = Annotated[int, Field(ge=1, le=1000)]
Seconds = Annotated[int, Field(ge=1, le=3600)]


class HttpHeader(ApiModel):
    """A header of the request."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    """Name of the header."""
    value: Annotated[str, Field(max_length=2048)]
    """Its value."""


class HttpGet(ApiModel):
    """A GET request."""

    path: Annotated[str, Field(min_length=1, max_length=1024)] = "/"
    """Path of the request."""
    port: Port
    """Number or name of the port; the server's own is called http."""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    """Whether TLS is used."""
    http_headers: Annotated[tuple[HttpHeader, ...], Field(max_length=16)] | None = None
    """Headers of the request."""


class TcpSocket(ApiModel):
    """A connection."""

    port: Port
    """Number or name of the port; the server's own is called http."""


class Grpc(ApiModel):
    """A request of the gRPC health protocol."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """Number of the port."""
    service: Annotated[str, Field(max_length=253)] = ""
    """Service of the health check."""


class Exec(ApiModel):
    """A command in the container."""

    command: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=64)]
    """The command and its arguments; no shell reads them."""


class Sleep(ApiModel):
    """A pause."""

    seconds: Annotated[int, Field(ge=0, le=3600, json_schema_extra={"format": "int64"})]
    """How long."""


class Probe(ApiModel):
    """How a container is asked for its health."""

    model_config = validated(
        rule(
            "[has(self.httpGet), has(self.tcpSocket), has(self.grpc), has(self.exec)]"
            ".filter(given, given).size() == 1",
            "set exactly one of httpGet, tcpSocket, grpc and exec",
        )
    )

    http_get: HttpGet | None = None
    """A GET request that is answered with a status from 200 to 399."""
    tcp_socket: TcpSocket | None = None
    """A connection that is accepted."""
    grpc: Grpc | None = None
    """A request of the gRPC health protocol."""
    exec: Exec | None = None
    """A command that exits with 0."""
    initial_delay_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """When the first probe is made."""
    period_seconds: Seconds | None = None
    """How often probes are made; every 10 seconds when left out."""
    timeout_seconds: Seconds | None = None
    """How long an answer may take; 1 second when left out."""
    success_threshold: Count | None = None
    """Successes in a row after which it is healthy again."""
    failure_threshold: Count | None = None
    """Failures in a row after which it is not healthy."""


class HealthProbe(Probe):
    """How a container is asked whether it lives, or has started: one success says so."""

    success_threshold: Annotated[int, Field(ge=1, le=1)] | None = None
    """Successes in a row after which it is healthy again."""


class Hook(ApiModel):
    """What is done at a moment of a container's life."""

    model_config = validated(
        rule(
            "[has(self.httpGet), has(self.sleep), has(self.exec)].filter(given, given).size() == 1",
            "set exactly one of exec, httpGet and sleep",
        )
    )

    exec: Exec | None = None
    """A command."""
    http_get: HttpGet | None = None
    """A GET request."""
    sleep: Sleep | None = None
    """A pause."""


class Lifecycle(ApiModel):
    """What is done when a container has started, and before it is stopped."""

    post_start: Hook | None = None
    """After the container has started."""
    pre_stop: Hook | None = None
    """Before the container gets the signal to stop."""
