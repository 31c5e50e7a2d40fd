from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mcp_operator.core.errors import SettingsError
from mcp_operator.settings import GatewaySettings, OperatorSettings, ServeSettings
from mcp_operator.settings.loading import Settings, declared, load
from mcp_operator.version import VERSION

GATEWAY = {"namespace": "demo", "server": "shop"}
CLASSES = [OperatorSettings, GatewaySettings, ServeSettings]


def refusal(model: type[Settings], flags: dict[str, Any], environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(model, flags, environ)
    return str(caught.value)


def test_the_settings_have_the_documented_defaults() -> None:
    operator = load(OperatorSettings, {}, {})

    assert (operator.metrics_port, operator.health_port) == (8080, 8081)
    assert (operator.namespaces, operator.namespace_selector) == ((), "")
    assert operator.leader_elect is True
    assert operator.gateway_image == f"mcp-operator:{VERSION}"
    serve = load(ServeSettings, {"paths": ["samples"]}, {})
    assert (serve.host, serve.port, serve.paths) == ("127.0.0.1", 8080, (Path("samples"),))


def test_a_flag_overrides_the_environment_which_overrides_the_default() -> None:
    environ = {"MCP_OPERATOR_PORT": "9001", "MCP_OPERATOR_MANAGEMENT_PORT": "9002"}

    settings = load(GatewaySettings, {**GATEWAY, "port": "9000"}, environ)

    assert (settings.port, settings.management_port) == (9000, 9002)
    assert settings.log_level == "info"


def test_an_empty_variable_is_ignored() -> None:
    assert load(OperatorSettings, {}, {"MCP_OPERATOR_WORKERS": ""}).workers == 4


def test_settings_cannot_be_changed() -> None:
    settings = load(OperatorSettings, {}, {})
    with pytest.raises(ValidationError):
        setattr(settings, "workers", 8)  # noqa: B010 - mypy rejects the plain assignment


def test_addresses_of_services_are_parsed_as_pairs() -> None:
    flags = {**GATEWAY, "services": ["orders=127.0.0.1:9000", "demo/users:80=[::1]:9001"]}

    assert load(GatewaySettings, flags, {}).services == {
        "orders": "127.0.0.1:9000",
        "demo/users:80": "[::1]:9001",
    }


def test_a_repeated_setting_can_be_separated_by_commas() -> None:
    environ = {"MCP_OPERATOR_SERVICES": "orders=127.0.0.1:9000, users=127.0.0.1:9001"}

    assert load(GatewaySettings, GATEWAY, environ).services == {
        "orders": "127.0.0.1:9000",
        "users": "127.0.0.1:9001",
    }


@pytest.mark.parametrize(
    "pair",
    [
        "orders",
        "orders=127.0.0.1",
        "orders=127.0.0.1:0",
        "orders=127.0.0.1:65536",
        "orders=http://127.0.0.1:80",
        "a/b/c=127.0.0.1:80",
        "=127.0.0.1:80",
    ],
)
def test_an_invalid_address_of_a_service_is_rejected(pair: str) -> None:
    assert f"--service: '{pair}' is not" in refusal(
        GatewaySettings, {**GATEWAY, "services": [pair]}, {}
    )


@pytest.mark.parametrize(
    ("model", "flags", "sentence"),
    [
        (
            OperatorSettings,
            {"log_level": "loud"},
            "--log-level: 'loud' is not one of debug, info, warning, error",
        ),
        (
            OperatorSettings,
            {"metrics_port": "70000"},
            "--metrics-port: '70000' is not a port number from 0 to 65535 (0 for any free port)",
        ),
        (
            OperatorSettings,
            {"workers": "many"},
            "--workers: 'many' is not a whole number from 1 to 64",
        ),
        (
            OperatorSettings,
            {"namespaces": ["Shop"]},
            "--namespace: 'Shop' is not a list of namespaces, such as demo",
        ),
        (
            OperatorSettings,
            {"namespace_selector": "team in shop"},
            (
                "--namespace-selector: 'team in shop' is not a label selector, such as team=shop "
                "or team in (shop, ops)"
            ),
        ),
        (
            OperatorSettings,
            {"gateway_image_pull_policy": "Sometimes"},
            "--gateway-image-pull-policy: 'Sometimes' is not one of Always, IfNotPresent, Never",
        ),
        (
            GatewaySettings,
            {**GATEWAY, "services": ["orders"]},
            (
                "--service: 'orders' is not [NAMESPACE/]SERVICE[:PORT]=HOST:PORT, such as "
                "orders=127.0.0.1:9000"
            ),
        ),
        (
            ServeSettings,
            {"paths": ["x"], "server": "a/b/c"},
            "--server: 'a/b/c' is not the name of an MCPServer, as [NAMESPACE/]NAME",
        ),
        (
            ServeSettings,
            {"paths": ["x"], "host": "not a host"},
            "--host: 'not a host' is not an IP address or host name, such as 127.0.0.1",
        ),
    ],
)
def test_the_error_about_an_invalid_flag_says_what_is_accepted(
    model: type[Settings], flags: dict[str, Any], sentence: str
) -> None:
    assert refusal(model, flags, {}) == sentence


def test_the_error_about_an_invalid_variable_names_it() -> None:
    assert refusal(OperatorSettings, {}, {"MCP_OPERATOR_LEADER_ELECT": "perhaps"}) == (
        "MCP_OPERATOR_LEADER_ELECT: 'perhaps' is not true or false"
    )


def test_a_port_variable_that_kubernetes_sets_for_a_service_is_rejected() -> None:
    environ = {"MCP_OPERATOR_PORT": "tcp://10.0.0.1:8080"}
    assert refusal(GatewaySettings, GATEWAY, environ).startswith("MCP_OPERATOR_PORT: 'tcp://")


def test_the_error_about_a_missing_setting_names_flag_and_variable() -> None:
    assert refusal(GatewaySettings, {"server": "shop"}, {}) == (
        "--namespace (or MCP_OPERATOR_NAMESPACE) is missing: "
        "specify the name of a namespace, such as demo"
    )
    assert refusal(ServeSettings, {"paths": []}, {}) == (
        "PATH (or MCP_OPERATOR_PATHS) is missing: specify at least one path"
    )


def test_all_invalid_settings_are_reported_together() -> None:
    lines = refusal(OperatorSettings, {"workers": "0", "log_format": "xml"}, {}).splitlines()

    assert [line.partition(":")[0] for line in lines] == ["--log-format", "--workers"]


@pytest.mark.parametrize("model", CLASSES)
def test_every_setting_has_a_help_text_and_its_accepted_values(model: type[Settings]) -> None:
    for setting in declared(model):
        assert setting.help.endswith("."), setting.name
        assert setting.setting.accepts, setting.name


@pytest.mark.parametrize("model", CLASSES)
def test_every_default_is_accepted_as_a_flag(model: type[Settings]) -> None:
    required = {"namespace": "demo", "server": "shop", "paths": ["x"]}
    typed: dict[str, Any] = {
        setting.name: setting.shown_default for setting in declared(model) if setting.shown_default
    }
    needed = {name: value for name, value in required.items() if name in model.model_fields}

    assert load(model, {**typed, **needed}, {}) == load(model, needed, {})


def test_external_hosts_are_empty_by_default() -> None:
    assert load(OperatorSettings, {}, {}).external_hosts == ()
    environ = {"MCP_OPERATOR_EXTERNAL_HOSTS": "api.example.com, *.example.org"}
    assert load(OperatorSettings, {}, environ).external_hosts == (
        "api.example.com",
        "*.example.org",
    )
    assert load(OperatorSettings, {"external_hosts": ["*"]}, {}).external_hosts == ("*",)


@pytest.mark.parametrize(
    "host", ["https://api.example.com", "a.*.com", "**", "*.", "API.com", "a:1"]
)
def test_an_invalid_external_host_is_rejected(host: str) -> None:
    said = refusal(OperatorSettings, {"external_hosts": [host]}, {})
    assert said.startswith("--external-host: ")
    assert "is not a list of host names, such as api.example.com" in said


def test_allowed_origins_must_be_as_browsers_send_them() -> None:
    given = {"paths": ["a"], "allowed_origins": ["http://localhost:6274,https://chat.example", "*"]}
    serve = load(ServeSettings, given, {})
    assert serve.allowed_origins == ("http://localhost:6274", "https://chat.example", "*")

    said = refusal(ServeSettings, {"paths": ["a"], "allowed_origins": ["https://a.example/"]}, {})
    assert said.startswith("--allow-origin: ")
