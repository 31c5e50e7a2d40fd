"""References to Services, ConfigMaps and Secrets are resolved, or reported."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compiled import UnresolvedError
from mcp_operator.builders.references import (
    ALLOW_ANNOTATION,
    Facts,
    config_map_value,
    require_secret,
    service_port,
)
from mcp_operator.core.meta import Key

ORDERS = Key("shop", "orders")


def service(
    *, namespace: str = "shop", annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": "orders", "annotations": annotations or {}},
        "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 9000}], **spec},
    }


def resolve(
    found: dict[str, Any] | None, port: int | str = 80, *, grants: list[Any] | None = None
) -> int:
    key = Key(found["metadata"]["namespace"], "orders") if found else ORDERS
    return service_port(
        Facts(services={key: found}, grants=grants or []),
        key,
        port,
        kind="MCPTool",
        namespace="shop",
    )


def refused(*args: Any, **kwargs: Any) -> tuple[Reason, str]:
    with pytest.raises(UnresolvedError) as caught:
        resolve(*args, **kwargs)
    return caught.value.finding.reason, caught.value.finding.message


@pytest.mark.parametrize("port", [80, "80", "http"])
def test_a_port_is_resolved_by_number_or_by_name(port: int | str) -> None:
    assert resolve(service(), port) == 80


def test_the_finding_about_a_missing_service_names_it() -> None:
    assert refused(None) == (
        Reason.SERVICE_NOT_FOUND,
        "Service shop/orders does not exist: create it, or correct the name",
    )


def test_the_finding_about_a_missing_port_lists_the_existing_ports() -> None:
    reason, message = refused(service(), "grpc")
    assert reason is Reason.PORT_NOT_FOUND
    assert message == "Service shop/orders has no port grpc; use one of: 80 (http), 9000"


def test_a_service_of_type_external_name_is_rejected() -> None:
    reason, _ = refused(service(type="ExternalName"))
    assert reason is Reason.SERVICE_UNSUPPORTED


def test_a_service_of_another_namespace_must_grant_access() -> None:
    reason, message = refused(service(namespace="billing"))
    assert reason is Reason.REF_NOT_PERMITTED
    assert "mcp-operator.dev/allow-from: shop" in message


@pytest.mark.parametrize("allowed", ["shop", "*", "other, shop"])
def test_an_annotation_on_the_service_grants_access(allowed: str) -> None:
    consenting = service(namespace="billing", annotations={ALLOW_ANNOTATION: allowed})
    assert resolve(consenting) == 80


def grant(*, namespace: str = "billing", kind: str = "MCPTool", name: str | None = None) -> Any:
    target = {"group": "", "kind": "Service"} | ({"name": name} if name else {})
    return {
        "metadata": {"namespace": namespace, "name": "g"},
        "spec": {
            "from": [{"group": "mcp-operator.dev", "kind": kind, "namespace": "shop"}],
            "to": [target],
        },
    }


@pytest.mark.parametrize("given", [grant(), grant(name="orders")])
def test_a_reference_grant_grants_access(given: Any) -> None:
    assert resolve(service(namespace="billing"), grants=[given]) == 80


@pytest.mark.parametrize(
    "given", [grant(name="invoices"), grant(kind="MCPResource"), grant(namespace="elsewhere")]
)
def test_a_reference_grant_for_something_else_does_not_grant_access(given: Any) -> None:
    reason, _ = refused(service(namespace="billing"), grants=[given])
    assert reason is Reason.REF_NOT_PERMITTED


def test_without_a_cluster_only_numeric_and_well_known_ports_are_resolved() -> None:
    facts = Facts(check_services=False)
    assert service_port(facts, ORDERS, "8080", kind="MCPTool", namespace="shop") == 8080
    with pytest.raises(UnresolvedError, match="is a name"):
        service_port(facts, ORDERS, "grpc", kind="MCPTool", namespace="shop")
    assert service_port(facts, ORDERS, "https", kind="MCPTool", namespace="shop") == 443


def test_a_config_map_and_its_key_must_exist() -> None:
    facts = Facts(config_maps={ORDERS: {"text": "hello"}})
    assert config_map_value(facts, ORDERS, "text") == "hello"
    with pytest.raises(UnresolvedError, match="has no key 'other': add it, or correct the key"):
        config_map_value(facts, ORDERS, "other")
    with pytest.raises(
        UnresolvedError, match="ConfigMap a/b does not exist: create it, or correct the name"
    ):
        config_map_value(facts, Key("a", "b"), "text")


def test_a_secret_and_its_key_must_exist() -> None:
    facts = Facts(secrets={ORDERS: frozenset({"token"})})
    require_secret(facts, ORDERS, "token")
    with pytest.raises(UnresolvedError, match="has no key 'other': add it, or correct the key"):
        require_secret(facts, ORDERS, "other")
    with pytest.raises(
        UnresolvedError, match="Secret a/b does not exist: create it, or correct the name"
    ):
        require_secret(facts, Key("a", "b"), "token")


def test_a_secret_without_read_permission_is_not_reported_as_missing() -> None:
    with pytest.raises(UnresolvedError, match="not allowed to read Secret shop/orders") as caught:
        require_secret(Facts(denied=frozenset({ORDERS})), ORDERS, "token")
    assert caught.value.finding.reason is Reason.REF_NOT_PERMITTED
