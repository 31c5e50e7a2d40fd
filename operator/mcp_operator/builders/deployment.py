"""The Deployment of a server, in both modes.

The pod template does not depend on the catalog. Gateways watch their catalog, and in mode Direct
the kubelet updates the mounted files, so pods are replaced only if the MCPServer itself changes. If
a user's own server reads its files only once, it needs `direct.onChange: Restart`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from mcp_operator.api.durations import parse_duration
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.builders.context import BuildContext, child
from mcp_operator.builders.labels import DOMAIN, Mode, child_labels, selector_labels
from mcp_operator.builders.names import child_name, config_name
from mcp_operator.builders.podsecurity import UNPRIVILEGED, container_security, pod_security
from mcp_operator.builders.podtemplate import (
    extra_containers,
    pod_fields,
    pod_template,
    written,
)
from mcp_operator.builders.resources import DEPLOYMENTS
from mcp_operator.builders.service import HTTP_PORT_NAME
from mcp_operator.core.meta import Object

MANAGEMENT_PORT: Final = 8081
"""The port at which a gateway pod serves its probes, its metrics and the digest of its catalog."""

MANAGEMENT_PORT_NAME: Final = "management"

CONFIG_DIR: Final = "/etc/mcp/config"
"""The path of the files in a pod in mode Direct, which gets it as `MCP_CONFIG_DIR`."""

TLS_DIR: Final = "/etc/mcp/tls"
"""The path of the certificate of `spec.tls` in a gateway pod."""

PRESTOP_SECONDS: Final = 5
"""How long a terminating pod still accepts connections, until proxies no longer choose it."""

EXIT_SECONDS: Final = 5
"""Seconds that the process has to exit after draining."""

DEFAULT_RESOURCES: Final[Object] = {"requests": {"cpu": "50m", "memory": "128Mi"}}
"""The resources of a user's own server. Only its author can know which limits it needs."""

_OWN_WAYS: Final = (
    "envFrom",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
)
"""The fields of a user's own container that a template can add or override."""

GATEWAY_RESOURCES: Final[Object] = DEFAULT_RESOURCES | {"limits": {"memory": "1Gi"}}
"""The memory bounds of a gateway add up to less than this (docs/how-to/production.md, "Sizing"),
unless its backends send large answers. There is no CPU limit, because throttling would make every
client wait."""


REPLICAS_ANNOTATION: Final = f"{DOMAIN}/replicas"
"""On a Deployment whose number of pods the operator does not set."""

DIGEST_ANNOTATION: Final = f"{DOMAIN}/catalog-digest"
"""On pods that are replaced when their catalog changes: the digest of that catalog."""


def build_deployment(server: MCPServer, context: BuildContext, digest: str = "") -> Object:
    """Return the Deployment; without `replicas` if an autoscaler or a user sets them on it.

    Args:
        server: The server.
        context: What the operator's settings say.
        digest: The digest of its catalog.
    """
    name = server.name
    template = pod_template(server, context)
    deployment = child(server, DEPLOYMENTS, child_name(name))
    deployment["metadata"] |= _metadata(template, deployment["metadata"]["labels"])
    deployment["spec"] = {
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": selector_labels(name)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "template": _pod_template(server, context, template, digest),
    }
    if (replicas := server.spec.fixed_replicas) is not None:
        deployment["spec"]["replicas"] = replicas
    else:
        annotations = deployment["metadata"].setdefault("annotations", {})
        annotations[REPLICAS_ANNOTATION] = "unmanaged"
    return deployment


def _pod_template(
    server: MCPServer, context: BuildContext, template: PodTemplate, digest: str
) -> Object:
    name = server.name
    mode = server.spec.effective_mode
    spec: Object = {
        "serviceAccountName": child_name(name),
        "automountServiceAccountToken": mode == "Gateway",
        "enableServiceLinks": False,
        "securityContext": pod_security(_user(template, mode)),
        "terminationGracePeriodSeconds": _grace(server, template),
        "topologySpreadConstraints": _spread(name),
        **pod_fields(template),
    }
    if mode == "Gateway":
        spec["containers"] = [_gateway_container(server, context, template)]
        ours = [_certificate(server.spec.tls.secret_name)] if server.spec.tls else []
    else:
        spec["containers"] = [
            _direct_container(server, template),
            *extra_containers(template.containers),
        ]
        if template.init_containers:
            spec["initContainers"] = extra_containers(template.init_containers)
        ours = [_files(name)]
    if volumes := [*ours, *map(written, template.spec.volumes or ())]:
        spec["volumes"] = volumes
    metadata = _metadata(template, child_labels(name, mode))
    if server.spec.direct.on_change == "Restart":
        metadata.setdefault("annotations", {})[DIGEST_ANNOTATION] = digest
    return {"metadata": metadata, "spec": spec}


def _metadata(template: PodTemplate, ours: Mapping[str, str]) -> Object:
    metadata: Object = {"labels": {**template.metadata.labels, **ours}}
    if template.metadata.annotations:
        metadata["annotations"] = dict(template.metadata.annotations)
    return metadata


def _user(template: PodTemplate, mode: Mode) -> Object:
    """Return the IDs that pods run as. A gateway's image names a user, which OpenShift replaces."""
    if template.spec.security_context is None and mode == "Direct":
        return UNPRIVILEGED
    return written(template.spec.security_context)


def _grace(server: MCPServer, template: PodTemplate) -> int:
    """Return how many seconds a pod has to terminate."""
    own = template.spec.termination_grace_period_seconds
    if own is not None and server.spec.effective_mode == "Direct":
        return own
    drain = math.ceil(parse_duration(server.spec.config.drain_timeout))
    return PRESTOP_SECONDS + drain + EXIT_SECONDS


def _spread(server: str) -> list[Object]:
    """Prefer other nodes and zones, counting only pods of the same revision."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector_labels(server)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def _gateway_container(server: MCPServer, context: BuildContext, template: PodTemplate) -> Object:
    spec = server.spec
    mounts = [written(mount) for mount in template.container.volume_mounts or ()]
    container: Object = {
        "name": "gateway",
        "image": spec.image or context.gateway_image,
        "imagePullPolicy": spec.image_pull_policy or context.gateway_image_pull_policy,
        "command": ["mcp-operator"],
        "args": [
            "gateway",
            f"--namespace={server.namespace}",
            f"--server={server.name}",
            f"--port={spec.port}",
            f"--management-port={MANAGEMENT_PORT}",
        ],
        "ports": [
            _port(HTTP_PORT_NAME, spec.port),
            _port(MANAGEMENT_PORT_NAME, MANAGEMENT_PORT),
        ],
        "startupProbe": _probe("/livez", period=1, failures=60),
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=5, failures=2),
        **_lifecycle(_grace(server, template)),
        "resources": _resources(server, GATEWAY_RESOURCES),
        "securityContext": _ids(template) | container_security(read_only_root=True),
    }
    if spec.env:
        container["env"] = _env({}, server)
    if spec.tls is not None:
        container["args"].append(f"--tls-directory={TLS_DIR}")
        mounts.insert(0, {"name": "tls", "mountPath": TLS_DIR, "readOnly": True})
    if mounts:
        container["volumeMounts"] = mounts
    return container


def _direct_container(server: MCPServer, template: PodTemplate) -> Object:
    """Return the user's own container. Its HTTP paths are unknown, so the port is probed."""
    spec = server.spec
    settings = template.container
    mounts = [written(mount) for mount in settings.volume_mounts or ()]
    container: Object = {
        "name": "server",
        "image": spec.image,
        "env": _env({"MCP_CONFIG_DIR": CONFIG_DIR} | _redis_env(server), server),
        "ports": [_port(HTTP_PORT_NAME, spec.port)],
        "readinessProbe": {
            "tcpSocket": {"port": HTTP_PORT_NAME},
            "periodSeconds": 5,
            "failureThreshold": 2,
        },
        **_lifecycle(_grace(server, template)),
        "resources": _resources(server, DEFAULT_RESOURCES),
        **{name: value for name, value in written(settings).items() if name in _OWN_WAYS},
        "securityContext": container_security(read_only_root=False) | _ids(template),
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG_DIR, "readOnly": True},
            *mounts,
        ],
    }
    if spec.image_pull_policy:
        container["imagePullPolicy"] = spec.image_pull_policy
    if spec.command:
        container["command"] = list(spec.command)
    if spec.args:
        container["args"] = list(spec.args)
    return container


def _ids(template: PodTemplate) -> Object:
    return written(template.container.security_context)


def _files(server: str) -> Object:
    """Return the volume of the files; null removes an emptyDir that others may have left."""
    return {"name": "config", "configMap": {"name": config_name(server)}, "emptyDir": None}


def _certificate(secret: str) -> Object:
    """Return the volume of the listener's certificate; for the null, see `_files`."""
    return {"name": "tls", "secret": {"secretName": secret}, "emptyDir": None}


def _port(name: str, number: int) -> Object:
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def _probe(path: str, *, period: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": MANAGEMENT_PORT_NAME, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _lifecycle(grace: int) -> Object:
    """Sleep natively (KEP-3960), which needs no shell in the image; less than the grace period."""
    seconds = min(PRESTOP_SECONDS, grace - 1)
    return {"lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}} if seconds else {}


def _resources(server: MCPServer, default: Object) -> Object:
    wanted = server.spec.resources
    given = wanted.model_dump(exclude_unset=True) if wanted else {}
    return {kind: amounts for kind, amounts in given.items() if amounts} or default


def _redis_env(server: MCPServer) -> dict[str, str]:
    redis = server.spec.redis
    return {"REDIS_HOST": redis.host, "REDIS_PORT": str(redis.port)} if redis else {}


def _env(ours: Mapping[str, str], server: MCPServer) -> list[Object]:
    """Merge our variables, which take precedence, with the user's: names must not repeat."""
    entries: dict[str, Object] = {}
    for variable in server.spec.env:
        entry = variable.model_dump(by_alias=True, exclude_none=True)
        if not variable.value:
            # The API server omits an empty value; null removes a value that others have set.
            entry["value"] = None
        entries[variable.name] = entry
    mine = {name: {"name": name, "value": value} for name, value in ours.items()}
    return list((entries | mine).values())
