"""MCPServers with invalid fields for mode Direct."""

from __future__ import annotations

from support.manifests import server
from support.negatives.case import Negative

DIRECT = [
    Negative(
        "tls in mode Direct",
        server(image="example/server:1", tls={"secretName": "shop-tls"}),
        "spec.tls",
        "in mode Direct, your own server decides on HTTP",
    ),
    Negative(
        "a protocol in mode Direct",
        server(image="example/server:1", protocol={"allowedOrigins": ["*"]}),
        "spec.protocol",
        "in mode Direct, your own server decides",
    ),
    Negative("mode Direct without image", server(mode="Direct"), "spec.image", "set image to it"),
    Negative(
        "two Redis hosts",
        server(image="a", redis={"address": "b"}, env=[{"name": "REDIS_HOST", "value": "c"}]),
        "spec.env",
        "are set by the operator",
    ),
    Negative(
        "a variable of a field that only a file can have",
        server(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]),
        "spec.env[0].valueFrom.fieldRef.fieldPath",
        "write a field that a variable can have",
    ),
    Negative(
        "mode Gateway with a restart on catalog changes",
        server(direct={"onChange": "Restart"}),
        "spec.direct",
        "a gateway always reloads and reports its catalog",
    ),
    Negative(
        "an unknown action on catalog changes",
        server(image="example/server:1", direct={"onChange": "Ignore"}),
        "spec.direct.onChange",
        'supported values: "Reload", "Restart"',
    ),
]
