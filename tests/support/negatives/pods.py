"""MCPServers with invalid scaling, exposure and network policies."""

from __future__ import annotations

from typing import Any

from mcp_operator.core.meta import Object
from support.manifests import server
from support.negatives.case import Negative


def autoscaled(**fields: Any) -> Object:
    return server(autoscaling={"maxReplicas": 3, **fields})


def routed(**fields: Any) -> Object:
    return server(httpRoute={"parentRefs": [{"name": "public"}], **fields})


def guarded(*peers: Object) -> Object:
    return server(networkPolicy={"mode": "Ingress", "ingressFrom": list(peers)})


def reaching(**rule: Any) -> Object:
    return server(networkPolicy={"mode": "Full", "extraEgress": [rule]})


PODS = [
    Negative(
        "the management port of a gateway as the port",
        server(port=8081),
        "spec.port",
        "port 8081 is for the probes and metrics of the gateway",
    ),
    Negative(
        "autoscaling with replicas",
        server(replicas=2, autoscaling={"maxReplicas": 3}),
        "spec.replicas",
        "autoscaling decides on the number of pods; remove replicas, or autoscaling",
    ),
    Negative(
        "autoscaling without a maximum",
        server(autoscaling={}),
        "spec.autoscaling.maxReplicas",
        "Required value",
    ),
    Negative(
        "autoscaling with a minimum above the maximum",
        autoscaled(minReplicas=3, maxReplicas=2),
        "spec.autoscaling.minReplicas",
        "must not be larger than maxReplicas",
    ),
    Negative(
        "autoscaling with a maximum below the default minimum",
        autoscaled(maxReplicas=1),
        "spec.autoscaling.minReplicas",
        "which is 2 by default",
    ),
    Negative(
        "autoscaling with a minimum of zero",
        autoscaled(minReplicas=0),
        "spec.autoscaling.minReplicas",
        "greater than or equal to 1",
    ),
    Negative(
        "autoscaling above the maximum of replicas",
        autoscaled(maxReplicas=201),
        "spec.autoscaling.maxReplicas",
        "less than or equal to 200",
    ),
    Negative(
        "autoscaling at zero CPU utilization",
        autoscaled(targetCPUUtilizationPercentage=0),
        "spec.autoscaling.targetCPUUtilizationPercentage",
        "greater than or equal to 1",
    ),
    Negative(
        "autoscaling of containers that request no CPU",
        server(autoscaling={"maxReplicas": 3}, resources={"requests": {"memory": "1Gi"}}),
        "spec.resources",
        "autoscaling measures CPU against its request; set resources.requests.cpu",
    ),
    Negative(
        "autoscaling by a policy of an unknown type",
        autoscaled(
            behavior={"scaleUp": {"policies": [{"type": "Nodes", "value": 1, "periodSeconds": 1}]}}
        ),
        "spec.autoscaling.behavior.scaleUp.policies[0].type",
        'supported values: "Pods", "Percent"',
    ),
    Negative(
        "autoscaling with a stabilization window above an hour",
        autoscaled(behavior={"scaleDown": {"stabilizationWindowSeconds": 3601}}),
        "spec.autoscaling.behavior.scaleDown.stabilizationWindowSeconds",
        "less than or equal to 3600",
    ),
    Negative(
        "a disruption budget with two limits",
        server(podDisruptionBudget={"minAvailable": 1, "maxUnavailable": 1}),
        "spec.podDisruptionBudget",
        "set only one of minAvailable and maxUnavailable",
    ),
    Negative(
        "a disruption budget above 100 percent",
        server(podDisruptionBudget={"minAvailable": "101%"}),
        "spec.podDisruptionBudget.minAvailable",
        "should match",
    ),
    Negative(
        "a route to no Gateway",
        routed(parentRefs=[]),
        "spec.httpRoute.parentRefs",
        "should have at least 1 items",
    ),
    Negative(
        "a route to a Gateway without name",
        routed(parentRefs=[{"namespace": "infra"}]),
        "spec.httpRoute.parentRefs[0].name",
        "Required value",
    ),
    Negative(
        "a route with a hostname twice",
        routed(hostnames=["a.example.com", "a.example.com"]),
        "spec.httpRoute.hostnames[1]",
        "Duplicate value",
    ),
    Negative(
        "a route with a port in a hostname",
        routed(hostnames=["a.example.com:443"]),
        "spec.httpRoute.hostnames[0]",
        "write a lower-case host name",
    ),
    Negative(
        "a route with .. in the path",
        routed(pathPrefix="/a/../b"),
        "spec.httpRoute.pathPrefix",
        "must not contain // or the segments . or ..",
    ),
    Negative(
        "an Ingress at a path with an empty segment",
        server(ingress={"pathPrefix": "/a//b"}),
        "spec.ingress.pathPrefix",
        "must not contain // or the segments . or ..",
    ),
    Negative(
        "an unknown mode of the NetworkPolicy",
        server(networkPolicy={"mode": "Egress"}),
        "spec.networkPolicy.mode",
        'supported values: "Disabled", "Ingress", "Full"',
    ),
    Negative(
        "an empty peer",
        guarded({}),
        "spec.networkPolicy.ingressFrom[0]",
        "set either ipBlock, or podSelector, namespaceSelector or both",
    ),
    Negative(
        "a peer with pods and addresses",
        guarded({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}),
        "spec.networkPolicy.ingressFrom[0]",
        "set either ipBlock, or podSelector, namespaceSelector or both",
    ),
    Negative(
        "an invalid range of addresses",
        guarded({"ipBlock": {"cidr": "10.0.0.256/8"}}),
        "spec.networkPolicy.ingressFrom[0].ipBlock.cidr",
        "should match",
    ),
    Negative(
        "a peer with the operator In without values",
        guarded({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
        "spec.networkPolicy.ingressFrom[0].podSelector.matchExpressions[0].values",
        "In and NotIn need values",
    ),
    Negative(
        "an egress rule with an unknown protocol",
        reaching(ports=[{"port": 1, "protocol": "ICMP"}]),
        "spec.networkPolicy.extraEgress[0].ports[0].protocol",
        'supported values: "TCP", "UDP", "SCTP"',
    ),
    Negative(
        "a range of ports with its end before its start",
        reaching(ports=[{"port": 9000, "endPort": 8999}]),
        "spec.networkPolicy.extraEgress[0].ports[0].endPort",
        "endPort is the last port of a range",
    ),
    Negative(
        "a range of ports that starts with a name",
        reaching(ports=[{"port": "http", "endPort": 8999}]),
        "spec.networkPolicy.extraEgress[0].ports[0].endPort",
        "endPort is the last port of a range",
    ),
]
