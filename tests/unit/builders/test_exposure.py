"""The Service, the Ingress and the HTTPRoute, and the paths at which the gateway answers."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.builders.catalog import endpoint_paths
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.deployment import build_deployment
from mcp_operator.builders.httproute import build_http_route
from mcp_operator.builders.ingress import build_ingress
from mcp_operator.builders.service import build_service
from support.servers import server

CONTEXT = BuildContext(gateway_image="gateway:1")


def test_the_service_selects_the_pods_of_its_own_server() -> None:
    pods = build_deployment(server(), CONTEXT)["spec"]["template"]["metadata"]["labels"]
    others = build_deployment(server("other"), CONTEXT)["spec"]["template"]["metadata"]["labels"]
    selector = build_service(server())["spec"]["selector"].items()

    assert selector <= pods.items()
    assert not selector <= others.items()


def test_the_service_has_the_port_type_and_annotations_of_the_spec() -> None:
    wanted = {"type": "LoadBalancer", "port": 80, "annotations": {"lb.example/scheme": "internal"}}
    service = build_service(server(port=9999, service=wanted))

    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    ]
    assert service["metadata"]["annotations"] == {"lb.example/scheme": "internal"}


def test_the_management_port_is_not_on_the_service() -> None:
    assert [port["name"] for port in build_service(server())["spec"]["ports"]] == ["http"]


def test_no_ingress_is_built_by_default() -> None:
    assert build_ingress(server()) is None


def test_an_empty_ingress_serves_every_host_at_the_default_path() -> None:
    ingress = build_ingress(server(ingress={}))

    assert ingress is not None
    assert ingress["spec"] == {
        "rules": [
            {
                "http": {
                    "paths": [
                        {
                            "path": "/mcp",
                            "pathType": "Prefix",
                            "backend": {
                                "service": {"name": "mcp-server-shop", "port": {"name": "http"}}
                            },
                        }
                    ]
                }
            }
        ]
    }


def test_an_ingress_has_all_fields_of_the_spec() -> None:
    ingress = build_ingress(
        server(
            ingress={
                "host": "shop.example.com",
                "tlsSecretName": "shop-tls",
                "pathPrefix": "/shop/mcp",
                "pathType": "Exact",
                "className": "nginx",
                "annotations": {"nginx.example/timeout": "3600"},
            }
        )
    )

    assert ingress is not None
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert rule["host"] == "shop.example.com"
    assert (path["path"], path["pathType"]) == ("/shop/mcp", "Exact")
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}]
    assert ingress["metadata"]["annotations"] == {"nginx.example/timeout": "3600"}


def test_no_http_route_is_built_by_default() -> None:
    assert build_http_route(server()) is None


def test_a_route_has_the_gateways_as_parents_and_the_service_as_backend() -> None:
    parent = {"name": "public", "namespace": "infra", "sectionName": "https", "port": 443}
    route = build_http_route(
        server(
            service={"port": 80},
            httpRoute={
                "parentRefs": [{"name": "local"}, parent],
                "hostnames": ["shop.example.com"],
                "pathPrefix": "/shop",
            },
        )
    )

    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    assert route is not None
    assert route["spec"] == {
        "parentRefs": [{**gateway, "name": "local"}, {**gateway, **parent}],
        "hostnames": ["shop.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/shop"}}],
                "backendRefs": [
                    {"kind": "Service", "name": "mcp-server-shop", "port": 80, "weight": 1}
                ],
            }
        ],
    }


def test_a_route_without_hosts_has_no_hostnames() -> None:
    route = build_http_route(server(httpRoute={"parentRefs": [{"name": "public"}]}))

    assert route is not None
    assert "hostnames" not in route["spec"]


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({}, ("/mcp",)),
        ({"ingress": {}}, ("/mcp",)),
        ({"ingress": {"pathPrefix": "/shop/"}}, ("/mcp", "/shop")),
        ({"ingress": {"pathPrefix": "/"}}, ("/", "/mcp")),
        (
            {
                "ingress": {"pathPrefix": "/a"},
                "httpRoute": {"parentRefs": [{"name": "public"}], "pathPrefix": "/b/c"},
            },
            ("/a", "/b/c", "/mcp"),
        ),
    ],
)
def test_the_endpoint_paths_include_those_of_ingress_and_route(
    spec: dict[str, Any], paths: tuple[str, ...]
) -> None:
    assert endpoint_paths(server(**spec)) == paths


def test_the_service_port_has_the_app_protocol_https_with_tls() -> None:
    def protocols(**spec: Any) -> list[str | None]:
        return [port.get("appProtocol") for port in build_service(server(**spec))["spec"]["ports"]]

    assert protocols(tls={"secretName": "shop-tls"}) == ["https"]
    assert protocols() == [None]
