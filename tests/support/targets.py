"""The labels that a ServiceMonitor or a PodMonitor gives to its targets.

They are those that the Prometheus operator configures, for the fields that our monitors have
(prometheus-operator, pkg/prometheus/promcfg.go).
"""

from __future__ import annotations

import re

from mcp_operator.core.meta import LabelSelector, Object


def target_labels(monitor: Object, pod: Object, service: Object | None = None) -> dict[str, str]:
    """Return the labels of a pod that a monitor selects.

    Args:
        monitor: The ServiceMonitor or PodMonitor, with one endpoint.
        pod: The Pod that is scraped.
        service: The Service through which a ServiceMonitor finds the Pod.

    Raises:
        ValueError: The monitor does not select it.
    """
    spec = monitor["spec"]
    selected = (service or pod)["metadata"]
    own = selected.get("labels", {})
    if not LabelSelector.parse(spec["selector"]).matches(own):
        raise ValueError(f"{monitor['metadata']['name']} does not select {selected['name']}")
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]
    container, port = _port(
        pod, endpoint["port"] if service is None else _behind(service, endpoint)
    )
    default = (
        service["metadata"]["name"]
        if service
        else "{namespace}/{name}".format_map(monitor["metadata"])
    )
    found = {
        "namespace": selected["namespace"],
        "pod": pod["metadata"]["name"],
        "container": container,
        "endpoint": endpoint["port"],
        "instance": f"{pod['status']['podIP']}:{port}",
        "job": own.get(spec.get("jobLabel", "")) or default,
    }
    if service is not None:
        found["service"] = service["metadata"]["name"]
    for name in spec.get("podTargetLabels", ()):
        if value := pod["metadata"]["labels"].get(name):
            found[re.sub(r"\W", "_", name)] = value
    return found


def honors_labels(monitor: Object) -> bool:
    """Return whether a label of a sample replaces that of its target."""
    spec = monitor["spec"]
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]
    return bool(endpoint.get("honorLabels"))


def _behind(service: Object, endpoint: Object) -> str:
    """Return the name of the container's port behind a port of a Service."""
    ports = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
    return str(ports[endpoint["port"]])


def _port(pod: Object, name: str) -> tuple[str, int]:
    """Return the container that has a port of this name, and the number of the port."""
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", ()):
            if port.get("name") == name:
                return container["name"], port["containerPort"]
    raise ValueError(f"{pod['metadata']['name']} has no port {name}")
