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
        "the port of a gateway's management",
        server(port=8081),
        "spec.port",
        "port 8081 is for the probes and metrics of the gateway",
    ),
    Negative(
        "autoscaling beside replicas",
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
        "autoscaling between three and two pods",
        autoscaled(minReplicas=3, maxReplicas=2),
        "spec.autoscaling.minReplicas",
        "must not be larger than maxReplicas",
    ),
    Negative(
        "autoscaling to at most one pod, and by default at least two",
        autoscaled(maxReplicas=1),
        "spec.autoscaling.minReplicas",
        "which is 2 by default",
    ),
    Negative(
        "autoscaling to nothing",
        autoscaled(minReplicas=0),
        "spec.autoscaling.minReplicas",
        "greater than or equal to 1",
    ),
    Negative(
        "autoscaling beyond what a server may have",
        autoscaled(maxReplicas=201),
        "spec.autoscaling.maxReplicas",
        "less than or equal to 200",
    ),
    Negative(
        "autoscaling at no CPU use",
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
        "autoscaling that looks back for more than an hour",
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
        "a disruption budget of more than everything",
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
        "a route of one host twice",
        routed(hostnames=["a.example.com", "a.example.com"]),
        "spec.httpRoute.hostnames[1]",
        "Duplicate value",
    ),
    Negative(
        "a route of a host with a port",
        routed(hostnames=["a.example.com:443"]),
        "spec.httpRoute.hostnames[0]",
        "write a lower-case host name",
    ),
    Negative(
        "a route at a path that climbs",
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
        "a peer that is nobody",
        guarded({}),
        "spec.networkPolicy.ingressFrom[0]",
        "set either ipBlock, or podSelector, namespaceSelector or both",
    ),
    Negative(
        "a peer that is both pods and addresses",
        guarded({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}),
        "spec.networkPolicy.ingressFrom[0]",
        "set either ipBlock, or podSelector, namespaceSelector or both",
    ),
    Negative(
        "a range of addresses that is none",
        guarded({"ipBlock": {"cidr": "10.0.0.256/8"}}),
        "spec.networkPolicy.ingressFrom[0].ipBlock.cidr",
        "should match",
    ),
    Negative(
        "a peer selected In nothing",
        guarded({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
        "spec.networkPolicy.ingressFrom[0].podSelector.matchExpressions[0].values",
        "In and NotIn need values",
    ),
    Negative(
        "a way out by an unknown protocol",
        reaching(ports=[{"port": 1, "protocol": "ICMP"}]),
        "spec.networkPolicy.extraEgress[0].ports[0].protocol",
        'supported values: "TCP", "UDP", "SCTP"',
    ),
    Negative(
        "a range of ports that ends before it begins",
        reaching(ports=[{"port": 9000, "endPort": 8999}]),
        "spec.networkPolicy.extraEgress[0].ports[0].endPort",
        "endPort is the last port of a range",
    ),
    Negative(
        "a range of ports that begins with a name",
        reaching(ports=[{"port": "http", "endPort": 8999}]),
        "spec.networkPolicy.extraEgress[0].ports[0].endPort",
        "endPort is the last port of a range",
    ),
]
