"""Invalid MCPServers."""

from __future__ import annotations

from mcp_operator.core.meta import Object
from support.manifests import manifest, server
from support.negatives.case import Negative

SECRET: Object = {"name": "token", "key": "value"}

SERVERS = [
    Negative(
        "a server without toolSelector",
        manifest("MCPServer", {}),
        "spec.toolSelector",
        "Required value",
    ),
    Negative("a server without spec", manifest("MCPServer", None), "spec", "Required value"),
    Negative(
        "a server whose name leaves no room for its Service",
        server("n" * 53),
        "metadata.name",
        "use at most 52 characters",
    ),
    Negative("a server with a dot in its name", server("a.b"), "metadata.name", "use no dots"),
    Negative(
        "an unknown mode",
        server(mode="Proxy"),
        "spec.mode",
        'supported values: "Auto", "Gateway", "Direct"',
    ),
    Negative(
        "mode Gateway with a command",
        server(mode="Gateway", command=["run"]),
        "spec.mode",
        "remove command and args, or use mode: Direct",
    ),
    Negative(
        "namespaces by label without a selector",
        server(allowedNamespaces={"from": "Selector"}),
        "spec.allowedNamespaces.selector",
        "selector is required with from: Selector",
    ),
    Negative(
        "a namespace selector with from All",
        server(allowedNamespaces={"from": "All", "selector": {}}),
        "spec.allowedNamespaces.selector",
        "selector is required with from: Selector",
    ),
    Negative(
        "a namespace selector with from Same",
        server(allowedNamespaces={"selector": {"matchLabels": {"team": "shop"}}}),
        "spec.allowedNamespaces.selector",
        "not allowed with other values of from",
    ),
    Negative(
        "an unknown source of namespaces",
        server(allowedNamespaces={"from": "None"}),
        "spec.allowedNamespaces.from",
        'supported values: "Same", "All", "Selector"',
    ),
    Negative("tls without a Secret", server(tls={}), "spec.tls.secretName", "Required value"),
    Negative(
        "an origin with a path",
        server(protocol={"allowedOrigins": ["https://chat.example.com/"]}),
        "spec.protocol.allowedOrigins[0]",
        "write an origin in lower case",
    ),
    Negative(
        "a duplicate origin",
        server(protocol={"allowedOrigins": ["https://a.example", "https://a.example"]}),
        "spec.protocol.allowedOrigins[1]",
        "Duplicate value",
    ),
    Negative(
        "an allowed host with a port",
        server(protocol={"allowedHosts": ["mcp.example.com:8080"]}),
        "spec.protocol.allowedHosts[0]",
        "write a lower-case host name",
    ),
    Negative(
        "a session timeout of zero",
        server(protocol={"sessionTTL": "0s"}),
        "spec.protocol.sessionTTL",
        "write a duration longer than zero",
    ),
    Negative(
        "mode Gateway with args",
        server(mode="Gateway", args=["--x"]),
        "spec.mode",
        "remove command and args, or use mode: Direct",
    ),
    Negative("a command without image", server(command=["run"]), "spec.image", "set image to it"),
    Negative("args without image", server(args=["--x"]), "spec.image", "set image to it"),
    Negative(
        "an image with a space", server(image="my app"), "spec.image", "write an image without"
    ),
    Negative("an empty image", server(image=""), "spec.image", "write an image without"),
    Negative(
        "negative replicas", server(replicas=-1), "spec.replicas", "greater than or equal to 0"
    ),
    Negative(
        "too many replicas", server(replicas=201), "spec.replicas", "less than or equal to 200"
    ),
    Negative(
        "replicas as text", server(replicas="two"), "spec.replicas", "must be of type integer"
    ),
    Negative("port zero", server(port=0), "spec.port", "greater than or equal to 1"),
    Negative("a port too large", server(port=65536), "spec.port", "less than or equal to 65535"),
    Negative(
        "an argument that is a number",
        server(image="a", args=[8080]),
        "spec.args[0]",
        "must be of type string",
    ),
    Negative(
        "an environment variable with two sources",
        server(env=[{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": SECRET}}]),
        "spec.env[0]",
        "set only one of value and valueFrom",
    ),
    Negative(
        "an environment variable without a source",
        server(env=[{"name": "A", "valueFrom": {}}]),
        "spec.env[0].valueFrom",
        "set exactly one of secretKeyRef, configMapKeyRef and fieldRef",
    ),
    Negative(
        "an environment variable twice",
        server(env=[{"name": "A"}, {"name": "A"}]),
        "spec.env[1]",
        "Duplicate value",
    ),
    Negative(
        "a setting of the gateway as an environment variable",
        server(env=[{"name": "MCP_OPERATOR_SERVICES", "value": "a/b:80=169.254.169.254:80"}]),
        "spec.env",
        "the gateway does not take its settings",
    ),
    Negative(
        "PYTHONPATH of a gateway as an environment variable",
        server(mode="Gateway", env=[{"name": "OK"}, {"name": "PYTHONPATH", "value": "/data"}]),
        "spec.env",
        "the gateway does not take its settings",
    ),
    Negative(
        "a proxy in the environment of a gateway from another image",
        server(mode="Gateway", image="a", env=[{"name": "https_proxy", "value": "http://b"}]),
        "spec.env",
        "or use mode: Direct",
    ),
    Negative(
        "the address of the API server as an environment variable",
        server(image="a", env=[{"name": "KUBERNETES_SERVICE_HOST", "value": "evil.example"}]),
        "spec.env",
        "are set by the operator",
    ),
    Negative(
        "the folder of mode Direct as an environment variable",
        server(image="a", env=[{"name": "MCP_CONFIG_DIR", "value": "/data"}]),
        "spec.env",
        "are set by the operator",
    ),
    Negative(
        "an environment variable with a space",
        server(env=[{"name": "A B"}]),
        "spec.env[0].name",
        "not beginning with a digit",
    ),
    Negative(
        "an environment variable whose value is a number",
        server(env=[{"name": "A", "value": 1}]),
        "spec.env[0].value",
        "must be of type string",
    ),
    Negative(
        "an unknown imagePullPolicy",
        server(imagePullPolicy="Sometimes"),
        "spec.imagePullPolicy",
        'supported values: "Always", "IfNotPresent", "Never"',
    ),
    Negative(
        "redis without an address",
        server(redis={}),
        "spec.redis",
        "set exactly one of serviceName and address",
    ),
    Negative(
        "redis with two addresses",
        server(redis={"serviceName": "a", "address": "b"}),
        "spec.redis",
        "set exactly one of serviceName and address",
    ),
    Negative(
        "a Redis Service with a capital letter",
        server(redis={"serviceName": "Redis"}),
        "spec.redis.serviceName",
        "use lower-case letters",
    ),
    Negative(
        "an Ingress certificate without host",
        server(ingress={"tlsSecretName": "cert"}),
        "spec.ingress.tlsSecretName",
        "tlsSecretName needs host",
    ),
    Negative(
        "an Ingress host with a scheme",
        server(ingress={"host": "https://x"}),
        "spec.ingress.host",
        "write a lower-case host name",
    ),
    Negative(
        "a relative pathPrefix",
        server(ingress={"pathPrefix": "mcp"}),
        "spec.ingress.pathPrefix",
        "write an absolute path",
    ),
    Negative(
        "an unknown pathType",
        server(ingress={"pathType": "Regex"}),
        "spec.ingress.pathType",
        'supported values: "Prefix", "Exact", "ImplementationSpecific"',
    ),
    Negative(
        "an Ingress annotation that is not text",
        server(ingress={"annotations": {"a": True}}),
        "spec.ingress.annotations",
        "must be of type string",
    ),
    Negative(
        "a selector with the operator In without values",
        server(toolSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        "spec.toolSelector.matchExpressions[0].values",
        "In and NotIn need values",
    ),
    Negative(
        "a selector with the operator Exists and values",
        server(
            promptSelector={
                "matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]
            }
        ),
        "spec.promptSelector.matchExpressions[0].values",
        "Exists and DoesNotExist take none",
    ),
    Negative(
        "a selector with an unknown operator",
        server(resourceSelector={"matchExpressions": [{"key": "a", "operator": "Gt"}]}),
        "spec.resourceSelector.matchExpressions[0].operator",
        'supported values: "In", "NotIn", "Exists", "DoesNotExist"',
    ),
    Negative(
        "a selector with an expression on a key that no label can have",
        server(toolSelector={"matchExpressions": [{"key": "-a", "operator": "Exists"}]}),
        "spec.toolSelector.matchExpressions[0].key",
        "write a label key, such as app",
    ),
    Negative(
        "a selector without a key",
        server(toolSelector={"matchExpressions": [{"operator": "Exists"}]}),
        "spec.toolSelector.matchExpressions[0].key",
        "Required value",
    ),
    Negative(
        "a selector with a key that no label can have",
        server(toolSelector={"matchLabels": {"a b": "x"}}),
        "spec.toolSelector.matchLabels",
        "every key must be a label key",
    ),
    Negative(
        "a selector with a value that no label can have",
        server(toolSelector={"matchLabels": {"a": "x y"}}),
        "spec.toolSelector.matchLabels",
        "a label value has at most 63",
    ),
    Negative(
        "an unknown onConflict",
        server(naming={"onConflict": "NewestWins"}),
        "spec.naming.onConflict",
        'supported values: "OldestWins", "RejectAll"',
    ),
    Negative(
        "a requestTimeout of zero",
        server(config={"requestTimeout": "0s"}),
        "spec.config.requestTimeout",
        "write a duration longer than zero",
    ),
    Negative(
        "a requestTimeout without unit",
        server(config={"requestTimeout": "30"}),
        "spec.config.requestTimeout",
        "write a duration longer than zero",
    ),
    Negative(
        "a drainTimeout that is a number",
        server(config={"drainTimeout": 30}),
        "spec.config.drainTimeout",
        "must be of type string",
    ),
    Negative(
        "zero concurrent requests",
        server(config={"maxConcurrentRequests": 0}),
        "spec.config.maxConcurrentRequests",
        "greater than or equal to 1",
    ),
    Negative(
        "too many concurrent requests",
        server(config={"maxConcurrentRequests": 10001}),
        "spec.config.maxConcurrentRequests",
        "less than or equal to 10000",
    ),
    Negative(
        "a request limit of one byte",
        server(config={"maxRequestBytes": 1}),
        "spec.config.maxRequestBytes",
        "greater than or equal to 1024",
    ),
    Negative(
        "a response limit that is too large",
        server(config={"maxResponseBytes": 1 << 31}),
        "spec.config.maxResponseBytes",
        "less than or equal to 1073741824",
    ),
    Negative(
        "a page size of zero",
        server(config={"pageSize": 0}),
        "spec.config.pageSize",
        "greater than or equal to 1",
    ),
    Negative(
        "an unknown logLevel",
        server(config={"logLevel": "trace"}),
        "spec.config.logLevel",
        'supported values: "debug", "info", "warning", "error"',
    ),
    Negative(
        "instructions that are too long",
        server(config={"instructions": "x" * 8001}),
        "spec.config.instructions",
        "Too long: may not be more than 8000",
    ),
    Negative(
        "a title in mode Direct",
        server(image="example.com/mcp", title="The shop"),
        "spec.mode",
        "in mode Direct, your own server declares its title",
    ),
    Negative("an empty title", server(title=""), "spec.title", "should be at least 1 chars long"),
    Negative(
        "an empty version", server(version=""), "spec.version", "should be at least 1 chars long"
    ),
    Negative(
        "a website that is a path",
        server(websiteURL="/about"),
        "spec.websiteURL",
        "write a URL with http or https",
    ),
    Negative(
        "an unknown Service type",
        server(service={"type": "ExternalName"}),
        "spec.service.type",
        'supported values: "ClusterIP", "NodePort", "LoadBalancer"',
    ),
    Negative(
        "an invalid quantity",
        server(resources={"limits": {"cpu": "much"}}),
        "spec.resources.limits.cpu",
        "should match",
    ),
    Negative(
        "a misspelled field",
        server(replica=2),
        "spec.replica",
        "unknown field",
    ),
    Negative(
        "a misspelled nested field",
        server(config={"requestTimeOut": "1s"}),
        "spec.config.requestTimeOut",
        "unknown field",
    ),
]
