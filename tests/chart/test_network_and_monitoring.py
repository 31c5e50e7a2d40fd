"""Rows 31-36 of the checklist: connections to and from the operator, and its monitoring."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from mcp_operator.builders.deployment import MANAGEMENT_PORT, MANAGEMENT_PORT_NAME
from mcp_operator.builders.labels import SERVER_LABEL, child_labels
from mcp_operator.core.meta import LabelSelector, Object
from support.helm import CHART, MONITORING, Command, HelmError, Library, Rendered
from support.metric_families import BY_PROMETHEUS, asked, exposed
from support.netpol import End, Network, Outside, Pod

NAMESPACES: dict[str, dict[str, str]] = {
    "demo": {},
    "kube-system": {},
    "mcp-system": {},
    "monitoring": {"mcp-operator.dev/scrapes-metrics": "true"},
}

PORTS = (53, 80, 443, 6443, 8080, 8081, 10250)

BY_SCRAPING = {"job", "instance", "namespace", "pod", "mcp_operator_dev_server"}
"""Labels that Prometheus adds to every target; the last comes from the gateways' PodMonitor."""

BOARDS = ("mcp-operator.json", "mcp-server.json")

ALL_MONITORS: Object = {
    "renderMode": "always",
    "serviceMonitor": {"enabled": True},
    "gatewayPodMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
}


def edges(rendered: Rendered) -> set[tuple[str, str, int]]:
    """Return every allowed connection from or to an operator pod."""
    operator = Pod.of_workload(rendered.one("Deployment"))
    everybody: dict[str, End] = {
        "operator": operator,
        "API server": Outside("192.0.2.1"),
        "dns": Pod("kube-system", {"k8s-app": "kube-dns"}),
        "gateway": Pod("demo", child_labels("shop", "Gateway")),
        "prometheus": Pod("monitoring", {"app": "prometheus"}),
        "stranger": Pod("demo", {"app": "stranger"}),
        "neighbor": Pod("mcp-system", {"app": "stranger"}),
    }
    network = Network(rendered.of("NetworkPolicy"), NAMESPACES)
    return {
        (source, target, port)
        for source, target in itertools.permutations(everybody, 2)
        for port in PORTS
        if "operator" in (source, target)
        and network.allows(everybody[source], everybody[target], port)
    }


def test_row_31_only_the_connections_in_the_readme_are_allowed(helm4: Library) -> None:
    assert edges(helm4.render()) == {
        ("prometheus", "operator", 8080),
        ("operator", "API server", 443),
        ("operator", "API server", 6443),
        ("operator", "gateway", MANAGEMENT_PORT),
    }
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Network")[2].partition("\n## ")[0]
    assert re.findall(r"(?m)^\| (\S+) \| (.+?) \| TCP (.+?) \|", table) == [
        ("Prometheus", "operator", "8080"),
        ("operator", "API server", "443, 6443"),
        ("operator", "gateway pods", str(MANAGEMENT_PORT)),
    ]


def test_row_31_with_named_namespaces_only_their_gateways_can_be_reached(helm4: Library) -> None:
    assert ("operator", "gateway", 8081) in edges(
        helm4.render({"watchNamespaces": ["other", "demo"]})
    )
    assert ("operator", "gateway", 8081) not in edges(helm4.render({"watchNamespaces": ["other"]}))


def test_row_31_peers_and_ports_can_be_changed(helm4: Library) -> None:
    changed = helm4.render(
        {
            "networkPolicy": {
                "metricsFrom": [],
                "apiServerTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                "apiServerPorts": [80],
                "extraEgress": [{"ports": [{"port": 53, "protocol": "TCP"}]}],
                "extraIngress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8081}]}],
            }
        }
    )
    found = edges(changed)
    assert ("stranger", "operator", 8080) in found
    assert ("operator", "dns", 53) in found
    assert ("neighbor", "operator", 8081) in found
    assert not any(target == "API server" for _, target, port in found if port != 53)


def test_row_31_the_policy_can_be_disabled(helm4: Library) -> None:
    assert helm4.render({"networkPolicy": {"enabled": False}}).of("NetworkPolicy") == []


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_row_32_the_operator_is_scraped_through_its_service_or_its_pods(
    helm4: Library, kind: str
) -> None:
    rendered = helm4.render(
        {
            "monitoring": {
                "renderMode": "always",
                f"{kind[0].lower()}{kind[1:]}": {"enabled": True},
                "labels": {"release": "prometheus"},
                "interval": "15s",
                "scrapeTimeout": "10s",
                "relabelings": [{"action": "labeldrop", "regex": "endpoint"}],
                "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"]}],
            }
        }
    )
    monitor = rendered.one(kind)
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    spec = monitor["spec"]
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]
    assert endpoint == {
        "port": "metrics",
        "path": "/metrics",
        "honorLabels": True,
        "interval": "15s",
        "scrapeTimeout": "10s",
        "relabelings": [{"action": "labeldrop", "regex": "endpoint"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"]}],
    }
    assert "metrics" in [port["name"] for port in rendered.one("Service")["spec"]["ports"]]
    assert "metrics" in [port["name"] for port in rendered.pod["containers"][0]["ports"]]
    scraped = rendered.one("Service") if kind == "ServiceMonitor" else rendered.one("Deployment")
    assert LabelSelector.parse(spec["selector"]).matches(scraped["metadata"]["labels"])
    assert scraped["metadata"]["labels"][spec["jobLabel"]] == "mcp-operator"


def test_row_32_gateways_are_scraped_at_their_management_port(helm4: Library) -> None:
    values: Object = {
        "monitoring": {"renderMode": "always", "gatewayPodMonitor": {"enabled": True}}
    }
    spec = helm4.render(values).one("PodMonitor")["spec"]
    labels = child_labels("shop", "Gateway")
    assert LabelSelector.parse(spec["selector"]).matches(labels)
    assert spec["podMetricsEndpoints"][0]["port"] == MANAGEMENT_PORT_NAME
    assert spec["podTargetLabels"] == [SERVER_LABEL]
    assert spec["namespaceSelector"] == {"any": True}
    one = helm4.render({**values, "watchNamespaces": ["demo"]}).one("PodMonitor")["spec"]
    assert one["namespaceSelector"] == {"matchNames": ["demo"]}


MONITORED: Object = {
    "serviceMonitor": {"enabled": True},
    "gatewayPodMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
}


def monitoring(rendered: Rendered) -> list[str]:
    return [obj["kind"] for obj in rendered.objects if obj["apiVersion"].startswith("monitoring")]


def test_row_33_missing_monitoring_kinds_are_skipped_refused_or_rendered(
    helm3: Command,
) -> None:
    def rendered(mode: str, *apis: str) -> list[str]:
        values = {"monitoring": {"renderMode": mode, **MONITORED}}
        return monitoring(helm3.render(values, apis=apis))

    every = ["PodMonitor", "ServiceMonitor", "PrometheusRule"]
    assert rendered("skipIfMissing") == []
    assert sorted(rendered("skipIfMissing", *MONITORING)) == sorted(every)
    assert sorted(rendered("failIfMissing", *MONITORING)) == sorted(every)
    assert sorted(rendered("always")) == sorted(every)
    with pytest.raises(HelmError, match="install the Prometheus operator first, or set monitoring"):
        rendered("failIfMissing")


def alerts(rendered: Rendered) -> list[Object]:
    groups = rendered.one("PrometheusRule")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_row_34_every_alert_links_to_its_runbook(helm4: Library) -> None:
    page = (CHART.parents[1] / "docs" / "reference" / "alerts.md").read_text(encoding="utf-8")
    found = alerts(helm4.render({"monitoring": ALL_MONITORS}))
    assert len(found) >= 5
    for alert in found:
        url, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert url.endswith("/docs/reference/alerts.md")
        assert anchor == alert["alert"].lower()
        assert f"\n## {alert['alert']}\n" in page
        assert alert["labels"]["severity"] in {"critical", "warning"}


def test_row_34_alerts_can_be_labeled_disabled_and_linked_to_other_runbooks(helm4: Library) -> None:
    rule = {
        "enabled": True,
        "disabled": ["MCPToolFailing"],
        "labels": {"team": "platform", "severity": "mine"},
        "runbookUrlPrefix": "https://runbooks.example.com/",
    }
    found = alerts(helm4.render({"monitoring": {"renderMode": "always", "prometheusRule": rule}}))
    assert "MCPToolFailing" not in [alert["alert"] for alert in found]
    for alert in found:
        assert alert["labels"]["team"] == "platform"
        assert alert["labels"]["severity"] in {"critical", "warning"}
        url = alert["annotations"]["runbook_url"]
        assert url == f"https://runbooks.example.com/{alert['alert'].lower()}"


def test_row_34_alerts_use_the_job_label_of_the_monitors(helm4: Library) -> None:
    rendered = helm4.render({"monitoring": ALL_MONITORS, "nameOverride": "own"})
    assert 'job="mcp-operator"' not in rendered.one("PrometheusRule").__repr__()
    monitor = rendered.one("ServiceMonitor")["spec"]
    job = rendered.one("Service")["metadata"]["labels"][monitor["jobLabel"]]
    assert f'absent(up{{job="{job}"}} == 1)' in [one["expr"] for one in alerts(rendered)]


def test_row_34_alerts_query_metrics_and_labels_that_exist(helm4: Library) -> None:
    for alert in alerts(helm4.render({"monitoring": ALL_MONITORS})):
        assert_answerable(alert["expr"])


@pytest.mark.parametrize("name", BOARDS)
def test_row_35_a_dashboard_queries_metrics_and_labels_that_exist(
    helm4: Library, name: str
) -> None:
    board = dashboards(helm4.render({"monitoring": ALL_MONITORS}))[name]
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len(panels) >= 10
    variables = {f"${one['name']}" for one in board["templating"]["list"]}
    for panel in panels:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "5m")
            assert_answerable(query)
            assert set(re.findall(r"\$\w+", query)) <= variables
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            grouped = set(", ".join(re.findall(r" by \(([^)]*)\)", query)).split(", "))
            assert legend <= grouped | BY_SCRAPING


@pytest.mark.parametrize("name", BOARDS)
def test_row_35_panels_do_not_overlap(helm4: Library, name: str) -> None:
    board = dashboards(helm4.render({"monitoring": ALL_MONITORS}))[name]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_row_35_the_dashboard_of_a_server_filters_by_server_and_namespace(helm4: Library) -> None:
    board = dashboards(helm4.render({"monitoring": ALL_MONITORS}))["mcp-server.json"]
    one = {'mcp_operator_dev_server="$server"', 'name="$server"'}
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            selectors = re.findall(r"{([^}]*)}", target["expr"])
            assert all(set(each.split(",")) & one for each in selectors), target["expr"]
            assert all('namespace="$namespace"' in each for each in selectors), target["expr"]


def test_row_35_the_dashboards_follow_the_job_that_the_monitors_name(helm4: Library) -> None:
    rendered = helm4.render({"monitoring": ALL_MONITORS, "nameOverride": "own"})
    queries = [
        target["expr"]
        for board in dashboards(rendered).values()
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    asked = {job for query in queries for job in re.findall(r'job="([^"]*)"', query)}
    monitor = rendered.one("ServiceMonitor")["spec"]
    assert asked == {rendered.one("Service")["metadata"]["labels"][monitor["jobLabel"]]}


def test_row_35_the_dashboard_has_the_label_and_the_folder_for_grafana(helm4: Library) -> None:
    rendered = helm4.render({"monitoring": ALL_MONITORS})
    metadata = rendered.one("ConfigMap", "mcp-operator-dashboard")["metadata"]
    assert metadata["labels"]["grafana_dashboard"] == "1"
    assert metadata["annotations"] == {"grafana_folder": "MCP"}


def dashboards(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {
        name: json.loads(text)
        for found in rendered.of("ConfigMap")
        if found["metadata"]["name"].endswith("-dashboard")
        for name, text in found["data"].items()
    }


def assert_answerable(query: str) -> None:
    known = exposed()
    named = list(asked(query))
    assert named
    for metric, labels in named:
        assert metric in known.keys() | BY_PROMETHEUS, query
        assert labels <= known.get(metric, set()) | BY_SCRAPING, query


def test_row_36_there_are_no_webhooks_and_no_certificates(helm4: Library) -> None:
    rendered = helm4.render({"monitoring": ALL_MONITORS})
    kinds = {obj["kind"] for obj in rendered.objects}
    assert kinds & {"Certificate", "Issuer", "Secret"} == set()
    assert [kind for kind in kinds if "Webhook" in kind] == []
    for definition in rendered.of("CustomResourceDefinition"):
        assert definition["spec"].get("conversion", {}).get("strategy", "None") == "None"
    ports = {port["containerPort"] for port in rendered.pod["containers"][0]["ports"]}
    assert ports == {8080, 8081}
