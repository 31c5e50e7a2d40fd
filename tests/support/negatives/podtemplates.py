"""MCPServers with invalid pod templates."""

from __future__ import annotations

from typing import Any

from mcp_operator.core.meta import Object
from support.manifests import server
from support.negatives.case import Negative

DIRECT = {"image": "own/server:1"}
ALONE = "a gateway has its own probes, hooks and environment"
ONE_VOLUME = "set exactly one of configMap, secret, projected, emptyDir"
UNKNOWN = "unknown field"
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}


def templated(**template: Any) -> Object:
    return server(podTemplate=template)


def direct(**template: Any) -> Object:
    return server(podTemplate=template, **DIRECT)


def pod(**spec: Any) -> Object:
    return templated(spec=spec)


def contained(**container: Any) -> Object:
    return templated(container=container)


def beside(**container: Any) -> Object:
    return direct(containers=[{"name": "exporter", "image": "exporter:1", **container}])


NEAR = "spec.podTemplate.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution"
NOT_IN = {"key": "app", "operator": "NotIn"}


def near(**term: Any) -> Object:
    required = {NEAR.rpartition(".")[2]: [term]}
    return pod(affinity={"podAffinity": required})


def volume(**kind: Any) -> Object:
    return pod(volumes=[{"name": "scratch", **kind}])


def mounted_at(path: str) -> Object:
    return contained(volumeMounts=[{"name": "scratch", "mountPath": path}])


def probed(**probe: Any) -> Object:
    return direct(container={"livenessProbe": probe})


PODTEMPLATES = [
    Negative(
        "a pod with hostNetwork",
        pod(hostNetwork=True),
        "spec.podTemplate.spec.hostNetwork",
        UNKNOWN,
    ),
    Negative(
        "a pod with hostPID",
        pod(hostPID=True),
        "spec.podTemplate.spec.hostPID",
        UNKNOWN,
    ),
    Negative(
        "a ServiceAccount with a capital letter",
        pod(serviceAccountName="Shop"),
        "spec.podTemplate.spec.serviceAccountName",
        "use lower-case letters",
    ),
    Negative(
        "a privileged container",
        contained(securityContext={"privileged": True}),
        "spec.podTemplate.container.securityContext.privileged",
        UNKNOWN,
    ),
    Negative(
        "a container with more capabilities",
        contained(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        "spec.podTemplate.container.securityContext.capabilities",
        UNKNOWN,
    ),
    Negative(
        "a privileged sidecar",
        beside(securityContext={"privileged": True}),
        "spec.podTemplate.containers[0].securityContext.privileged",
        UNKNOWN,
    ),
    Negative(
        "a pod that runs as root",
        pod(securityContext={"runAsUser": 0}),
        "spec.podTemplate.spec.securityContext.runAsUser",
        "greater than or equal to 1",
    ),
    Negative(
        "a sidecar that runs as root",
        beside(securityContext={"runAsUser": 0}),
        "spec.podTemplate.containers[0].securityContext.runAsUser",
        "greater than or equal to 1",
    ),
    Negative(
        "a hostPath volume",
        pod(volumes=[{"name": "scratch", "emptyDir": {}, "hostPath": {"path": "/"}}]),
        "spec.podTemplate.spec.volumes[0].hostPath",
        UNKNOWN,
    ),
    Negative("a volume without a source", volume(), "spec.podTemplate.spec.volumes[0]", ONE_VOLUME),
    Negative(
        "a volume with two sources",
        volume(emptyDir={}, configMap={"name": "settings"}),
        "spec.podTemplate.spec.volumes[0]",
        ONE_VOLUME,
    ),
    Negative(
        "a volume with the name of one of the operator",
        pod(volumes=[{"name": "tls", "emptyDir": {}}]),
        "spec.podTemplate.spec.volumes[0].name",
        "config and tls are reserved for the operator",
    ),
    Negative(
        "a mount at a path of the operator",
        mounted_at("/etc/mcp/tls"),
        "spec.podTemplate.container.volumeMounts[0].mountPath",
        "outside of /etc/mcp",
    ),
    Negative(
        "a mount with .. at a path of the operator",
        mounted_at("/etc/../etc/mcp"),
        "spec.podTemplate.container.volumeMounts[0].mountPath",
        "outside of /etc/mcp",
    ),
    Negative(
        "a mount at the root",
        mounted_at("/"),
        "spec.podTemplate.container.volumeMounts[0].mountPath",
        "a plain absolute path",
    ),
    Negative(
        "a label by which the operator selects objects",
        templated(metadata={"labels": {"mcp-operator.dev/server": "other"}}),
        "spec.podTemplate.metadata.labels",
        "the operator sets the keys of mcp-operator.dev",
    ),
    Negative(
        "a label by which a Service selects pods",
        templated(metadata={"labels": {"app.kubernetes.io/instance": "other"}}),
        "spec.podTemplate.metadata.labels",
        "the operator sets the keys of mcp-operator.dev",
    ),
    Negative(
        "a container that AppArmor does not confine",
        templated(
            metadata={
                "annotations": {
                    "container.apparmor.security.beta.kubernetes.io/gateway": "unconfined"
                }
            }
        ),
        "spec.podTemplate.metadata.annotations",
        "Kubernetes sets those of deployment.kubernetes.io and",
    ),
    Negative(
        "an annotation that the Deployment controller manages",
        templated(metadata={"annotations": {"deployment.kubernetes.io/revision": "7"}}),
        "spec.podTemplate.metadata.annotations",
        "those of deployment.kubernetes.io",
    ),
    Negative(
        "a probe without a path, for which the API server sets /",
        probed(httpGet={"path": "", "port": "http"}),
        "spec.podTemplate.container.livenessProbe.httpGet.path",
        "at least 1 chars long",
    ),
    Negative(
        "a label with a space",
        templated(metadata={"labels": {"cost center": "42"}}),
        "spec.podTemplate.metadata.labels",
        "every key must be a label key",
    ),
    Negative(
        "a sidecar of a gateway",
        templated(containers=[{"name": "exporter", "image": "exporter:1"}]),
        "spec.podTemplate",
        ALONE,
    ),
    Negative(
        "an init container of a gateway",
        templated(initContainers=[{"name": "migrate", "image": "migrate:1"}]),
        "spec.podTemplate",
        ALONE,
    ),
    Negative(
        "a probe of a gateway",
        contained(livenessProbe={"tcpSocket": {"port": "http"}}),
        "spec.podTemplate",
        ALONE,
    ),
    Negative(
        "envFrom of a gateway",
        contained(envFrom=[{"configMapRef": {"name": "settings"}}]),
        "spec.podTemplate",
        ALONE,
    ),
    Negative(
        "a gateway without a read-only root file system",
        contained(securityContext={"readOnlyRootFilesystem": False}),
        "spec.podTemplate",
        ALONE,
    ),
    Negative(
        "a gateway with a grace period below its drain timeout",
        pod(terminationGracePeriodSeconds=1),
        "spec.podTemplate",
        ALONE,
    ),
    Negative(
        "a container with the name of the main one",
        beside(name="server"),
        "spec.podTemplate.containers[0].name",
        "are the names of the main container",
    ),
    Negative(
        "an environment source without a reference",
        direct(container={"envFrom": [{"prefix": "A_"}]}),
        "spec.podTemplate.container.envFrom[0]",
        "set exactly one of configMapRef and secretRef",
    ),
    Negative(
        "a probe with two actions",
        probed(tcpSocket={"port": 1}, exec={"command": ["healthy"]}),
        "spec.podTemplate.container.livenessProbe",
        "set exactly one of httpGet, tcpSocket, grpc and exec",
    ),
    Negative(
        "a hook without an action",
        direct(container={"lifecycle": {"preStop": {}}}),
        "spec.podTemplate.container.lifecycle.preStop",
        "set exactly one of exec, httpGet and sleep",
    ),
    Negative(
        "a hook with a port above the maximum",
        direct(container={"lifecycle": {"postStart": {"httpGet": {"port": 65536}}}}),
        "spec.podTemplate.container.lifecycle.postStart.httpGet.port",
        "less than or equal to 65535",
    ),
    Negative(
        "DNS policy None without nameservers",
        pod(dnsPolicy="None", dnsConfig={"searches": ["example.com"]}),
        "spec.podTemplate.spec.dnsPolicy",
        "needs at least one entry of dnsConfig.nameservers",
    ),
    Negative(
        "a probe of an init container",
        direct(
            initContainers=[
                {"name": "copy", "image": "copy:1", "startupProbe": {"tcpSocket": {"port": 1}}}
            ]
        ),
        "spec.podTemplate.initContainers[0]",
        "set restartPolicy: Always",
    ),
    Negative(
        "a liveness probe that must succeed twice",
        direct(container={"livenessProbe": {"grpc": {"port": 1}, "successThreshold": 2}}),
        "spec.podTemplate.container.livenessProbe.successThreshold",
        "less than or equal to 1",
    ),
    Negative(
        "a port whose name is a number",
        direct(container={"readinessProbe": {"tcpSocket": {"port": "8080"}}}),
        "spec.podTemplate.container.readinessProbe.tcpSocket.port",
        "should match",
    ),
    Negative(
        "a toleration without a key and with operator Equal",
        pod(tolerations=[{"effect": "NoSchedule"}]),
        "spec.podTemplate.spec.tolerations[0].operator",
        "must be Exists",
    ),
    Negative(
        "a toleration with operator Exists and a value",
        pod(tolerations=[{"key": "pool", "operator": "Exists", "value": "ai"}]),
        "spec.podTemplate.spec.tolerations[0].value",
        "takes no value",
    ),
    Negative(
        "a toleration with tolerationSeconds for an effect other than NoExecute",
        pod(tolerations=[{"key": "pool", "effect": "NoSchedule", "tolerationSeconds": 9}]),
        "spec.podTemplate.spec.tolerations[0].tolerationSeconds",
        "is for effect NoExecute",
    ),
    Negative(
        "a group ID above the maximum",
        pod(securityContext={"fsGroup": 2**31}),
        "spec.podTemplate.spec.securityContext.fsGroup",
        "less than or equal to 2147483647",
    ),
    Negative(
        "minDomains with ScheduleAnyway",
        pod(topologySpreadConstraints=[{**SPREAD, "minDomains": 2}]),
        "spec.podTemplate.spec.topologySpreadConstraints[0].minDomains",
        "is for whenUnsatisfiable DoNotSchedule",
    ),
    Negative(
        "a topology spread with matchLabelKeys but no selector",
        pod(topologySpreadConstraints=[{**SPREAD, "matchLabelKeys": ["pod-template-hash"]}]),
        "spec.podTemplate.spec.topologySpreadConstraints[0].matchLabelKeys",
        "needs a labelSelector",
    ),
    Negative(
        "two topology spreads with the same key",
        pod(topologySpreadConstraints=[SPREAD, {**SPREAD, "maxSkew": 2}]),
        "spec.podTemplate.spec.topologySpreadConstraints[1]",
        "Duplicate value",
    ),
    Negative(
        "pod affinity with mismatchLabelKeys but no selector",
        near(topologyKey="zone", mismatchLabelKeys=["colour"]),
        f"{NEAR}[0].labelSelector",
        "need a labelSelector",
    ),
    Negative(
        "pod affinity with the operator NotIn without values",
        near(topologyKey="zone", labelSelector={"matchExpressions": [{**NOT_IN, "values": []}]}),
        f"{NEAR}[0].labelSelector.matchExpressions[0].values",
        "In and NotIn need values",
    ),
    Negative(
        "a projected volume with two sources in one item",
        volume(projected={"sources": [{"configMap": {"name": "a"}, "secret": {"name": "b"}}]}),
        "spec.podTemplate.spec.volumes[0].projected.sources[0]",
        "set exactly one of configMap, secret, downwardAPI and serviceAccountToken",
    ),
    Negative(
        "a label whose name is too long",
        templated(metadata={"labels": {"example.com/" + "n" * 64: "x"}}),
        "spec.podTemplate.metadata.labels",
        "every key must be a label key",
    ),
]
