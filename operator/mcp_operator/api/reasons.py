"""Every reason that a condition of ours can carry, with the sentence that explains it.

Reasons are an interface: users wait for them and alert on them. A reason is never renamed inside an
API version. `api.conditions.REASONS` tells which condition has which of them, and
docs/reference/conditions.md, which is generated, lists them all.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """Why a condition has its status; the value is what stands in `reason`."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Attach the explanation to the member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member

    # Accepted
    ACCEPTED = "Accepted", "The spec is valid."
    INVALID = "Invalid", "The spec passed admission but is still wrong; the message says where."
    INVALID_SCHEMA = "InvalidSchema", "An input or output schema is not JSON Schema 2020-12."
    SCHEMA_TOO_COMPLEX = (
        "SchemaTooComplex",
        "An input or output schema would take too much memory or time; the message says where.",
    )
    UNDECLARED_ARGUMENT = (
        "UndeclaredArgument",
        "A path or an argument mapping names something that the input schema does not declare.",
    )
    UNDECLARED_VARIABLE = (
        "UndeclaredVariable",
        "A prompt's text names a variable that the prompt does not declare.",
    )
    DUPLICATE_NAME = (
        "DuplicateName",
        "An older object of the same server has the same name, or both are refused by its policy.",
    )
    CATALOG_TOO_LARGE = (
        "CatalogTooLarge",
        "In mode Direct the catalog is mounted as one ConfigMap, which holds at most 1 MiB.",
    )
    SECRET_NOT_DELIVERED = (
        "SecretNotDelivered",
        "In mode Direct the catalog is mounted as files, and no Secret is copied into them.",
    )
    INGRESS_PATH_IGNORED = (
        "IngressPathIgnored",
        "The object is accepted; its ingressPath has no effect, as MCP has one endpoint.",
    )
    HIDDEN_CHARACTERS = (
        "HiddenCharacters",
        "The object is accepted; a text has characters that people do not see and models read.",
    )
    REDIS_NOT_USED = (
        "RedisNotUsed",
        "The object is accepted; its redis settings have no effect, as nothing is limited.",
    )
    EGRESS_INCOMPLETE = (
        "EgressIncomplete",
        "The object is accepted; its NetworkPolicy blocks traffic to places unknown to it.",
    )
    DISABLED = (
        "Disabled",
        "The object is switched off by enabled: false. It is as Git says, and so Ready is True.",
    )

    # ResolvedRefs
    RESOLVED_REFS = "ResolvedRefs", "Every object that the spec refers to exists and consents."
    SERVICE_NOT_FOUND = "ServiceNotFound", "The Service does not exist."
    SERVICE_UNSUPPORTED = (
        "ServiceUnsupported",
        "An ExternalName Service would let its owner point the gateway anywhere.",
    )
    PORT_NOT_FOUND = "PortNotFound", "The Service exists and has no such port."
    REF_NOT_PERMITTED = (
        "RefNotPermitted",
        "It needs the consent of another namespace, or a Secret that may not be read from there.",
    )
    CONFIG_MAP_NOT_FOUND = (
        "ConfigMapNotFound",
        "The ConfigMap, or its key, does not exist, or holds what cannot be used there.",
    )
    SECRET_NOT_FOUND = "SecretNotFound", "The Secret, or its key, does not exist."
    GATEWAY_API_MISSING = (
        "GatewayApiMissing",
        "An HTTPRoute is asked for, and the cluster has no Gateway API.",
    )
    SERVICE_ACCOUNT_NOT_USABLE = (
        "ServiceAccountNotUsable",
        "The ServiceAccount of the pods does not exist, or does not consent to them by its label.",
    )
    OBJECTS_UNRESOLVED = (
        "ObjectsUnresolved",
        "A selected tool or resource refers to something that does not exist.",
    )

    # Programmed
    PROGRAMMED = "Programmed", "Every ready pod has confirmed that it serves this catalog."
    NOT_REPORTED = (
        "NotReported",
        "In mode Direct: the files are mounted; nobody tells whether the pods serve them.",
    )
    PROPAGATING = "Propagating", "Some ready pods have not yet confirmed this catalog."
    NO_READY_PODS = "NoReadyPods", "No pod of the server is ready."
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "The server has zero replicas, as its spec or an autoscaler says, and so Ready is True.",
    )
    CONFLICT = (
        "Conflict",
        "An object that is not the server's own has a child's name; no child is made or changed.",
    )
    APPLY_FAILED = "ApplyFailed", "The API server refused a child of the server, or fails at it."
    NOT_SELECTED = "NotSelected", "No MCPServer of the namespace selects this object."
    SERVER_NOT_PROGRAMMED = (
        "ServerNotProgrammed",
        "A server that selects this object has not been confirmed by its pods.",
    )
    NOT_ACCEPTED = "NotAccepted", "The object is not served, because another condition is false."

    # Ready, Degraded
    READY = "Ready", "The object is served."
    UNAVAILABLE = "Unavailable", "Too few pods of the server are available."
    NOTHING_SERVED = "NothingServed", "The server serves nothing of what it selects."
    PODS_FAILING = (
        "PodsFailing",
        "A pod of the server is refused or will not become ready by itself; the others serve on.",
    )
    KIND_MISSING = (
        "KindMissing",
        "The API server no longer knows a kind of objects that the server selects.",
    )
    SESSION_KEY_MISSING = (
        "SessionKeyMissing",
        "A pod has no key for the sessions of 2025-11-25 and before; newer clients are served.",
    )
    REDIS_UNAVAILABLE = (
        "RedisUnavailable",
        "The Redis of the server does not answer a pod, which does without it.",
    )
    OBJECTS_REJECTED = "ObjectsRejected", "Some selected objects are not served; see rejected."
    HEALTHY = "Healthy", "Everything that is selected is served."
