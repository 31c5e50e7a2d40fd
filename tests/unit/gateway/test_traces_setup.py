"""When a gateway exports traces, by the environment variables of OpenTelemetry."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from mcp_operator.gateway.traces.setup import Service, from_environment
from support.guides import assert_the_guide_installs
from support.waiting import HANG_SECONDS

SERVICE = Service("shop", "sales", "1.2.3")
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}

OFF = """
import sys
from mcp_operator.app import data_plane, serve
from mcp_operator.gateway.traces.setup import Service, from_environment
assert from_environment({}, Service("shop", "sales", "1.2.3")) is None
loaded = [name for name in sys.modules if name.split(".")[0] in ("opentelemetry", "requests")]
sys.exit(", ".join(loaded) or 0)
"""


def test_a_gateway_without_an_endpoint_imports_nothing_of_opentelemetry() -> None:
    result = subprocess.run(  # noqa: S603 - the text above
        [sys.executable, "-c", OFF], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "off",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["blank", "disabled", "none"],
)
def test_traces_are_off_without_logging_if_they_are_disabled(
    off: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert from_environment(off, SERVICE) is None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            (
                "the protocol of OTLP is 'grpc'; set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf,"
                " and the endpoint to the port of the collector for HTTP, usually 4318"
            ),
        ),
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER is 'zipkin'; set it to otlp, or remove it",
        ),
    ],
    ids=["protocol", "exporter"],
)
def test_an_unsupported_setting_is_logged_with_the_fix(
    wrong: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert from_environment(ENDPOINT | wrong, SERVICE) is None
    (record,) = caplog.records
    assert (record.levelno, record.error) == (logging.WARNING, said)  # type: ignore[attr-defined]


def test_a_missing_package_is_logged_with_the_command_to_install_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp_operator.gateway.traces.export", None)
    assert from_environment(ENDPOINT, SERVICE) is None
    (record,) = caplog.records
    error = record.error  # type: ignore[attr-defined]
    assert "is not installed: install mcp-operator with its extra otel" in error
    assert_the_guide_installs(error, "otel")


def test_an_invalid_value_turns_traces_off_and_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    assert from_environment(ENDPOINT, SERVICE) is None
    (record,) = caplog.records
    assert "max_queue_size must be a positive integer" in record.error  # type: ignore[attr-defined]


def test_the_endpoint_is_logged_without_its_credentials(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:p@ss@collector.test:4318/x?key=secret"}
    traces = from_environment(given, SERVICE)
    assert traces is not None
    asyncio.run(asyncio.wait_for(traces.close(), HANG_SECONDS))
    (record,) = [each for each in caplog.records if each.message == "Traces are exported"]
    assert record.endpoint == "http://collector.test:4318/x"  # type: ignore[attr-defined]
