"""Specs of servers that together have every kind of child with every feature."""

from __future__ import annotations

from typing import Any

GATEWAY: dict[str, Any] = {
    "autoscaling": {
        "minReplicas": 2,
        "maxReplicas": 4,
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 5,
                "selectPolicy": "Max",
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
            }
        },
    },
    "podDisruptionBudget": {"maxUnavailable": "25%"},
    "imagePullPolicy": "IfNotPresent",
    "env": [
        {"name": "PLAIN", "value": "text"},
        {"name": "EMPTY", "value": ""},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "login", "key": "token"}}},
        {"name": "FROM_CONFIG", "valueFrom": {"configMapKeyRef": {"name": "texts", "key": "a"}}},
        {"name": "FROM_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ],
    "resources": {"limits": {"cpu": 1, "memory": "512Mi"}, "requests": {"cpu": "250m"}},
    "ingress": {
        "host": "a.example.com",
        "tlsSecretName": "certificate",
        "className": "nginx",
        "annotations": {"example.com/buffering": "off"},
    },
    "httpRoute": {
        "parentRefs": [{"name": "public", "namespace": "infra", "sectionName": "https"}],
        "hostnames": ["a.example.com"],
        "pathPrefix": "/shop",
    },
    "networkPolicy": {
        "mode": "Full",
        "ingressFrom": [
            {"podSelector": {}},
            {
                "namespaceSelector": {"matchLabels": {"team": "front"}},
                "podSelector": {
                    "matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]
                },
            },
        ],
        "extraEgress": [
            {
                "to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                "ports": [{"port": 9000, "endPort": 9100}],
            }
        ],
    },
    "service": {"type": "NodePort", "port": 80, "annotations": {"example.com/internal": "true"}},
}
"""A gateway with one child of each kind."""

DIRECT: dict[str, Any] = {
    "mode": "Direct",
    "image": "example.com/mcp:1",
    "command": ["server"],
    "args": ["--verbose"],
    "imagePullPolicy": "Always",
    "replicas": 2,
    "podDisruptionBudget": {"minAvailable": 1},
    "redis": {"serviceName": "redis"},
    "networkPolicy": {"mode": "Ingress"},
}
"""A server with the user's own image, whose pods and files are built differently."""
