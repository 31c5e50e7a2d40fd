"""Every reason of the operator's conditions, with the sentence that explains it.

Reasons are part of the API: users wait for them and alert on them. A reason is never renamed within
an API version. `api.conditions.REASONS` maps each condition to its reasons, and the generated file
docs/reference/conditions.md lists them all.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """Why a condition has its status; the value is the text in the field `reason`."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Attach the explanation to the member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member

    # Accepted
    ACCEPTED = "Accepted", "The spec is valid."
    INVALID = "Invalid", "The spec passed admission but is still invalid; the message says where."
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
        "The text of a prompt uses a variable that the prompt does not declare.",
    )
    DUPLICATE_NAME = (
        "DuplicateName",
        "An older object of the server has the same name, or naming.onConflict rejects both.",
    )
    CATALOG_TOO_LARGE = (
        "CatalogTooLarge",
        "In mode Direct, the catalog is mounted as one ConfigMap, which holds at most 1 MiB.",
    )
    SECRET_NOT_DELIVERED = (
        "SecretNotDelivered",
        "In mode Direct, the catalog is mounted as files, and Secrets are not copied into them.",
    )
    INGRESS_PATH_IGNORED = (
        "IngressPathIgnored",
        "The object is accepted, but its ingressPath has no effect: MCP has one endpoint.",
    )
    HIDDEN_CHARACTERS = (
        "HiddenCharacters",
        "The object is accepted, but a text has characters that models read and people cannot see.",
    )
    EGRESS_INCOMPLETE = (
        "EgressIncomplete",
        (
            "The object is accepted, but its NetworkPolicy blocks traffic to addresses it "
            "cannot determine."
        ),
    )
    DISABLED = (
        "Disabled",
        "The object is disabled by enabled: false. This is intended, so Ready is True.",
    )

    # ResolvedRefs
    RESOLVED_REFS = (
        "ResolvedRefs",
        "Every object that the spec refers to exists and permits the reference.",
    )
    SERVICE_NOT_FOUND = "ServiceNotFound", "The Service does not exist."
    SERVICE_UNSUPPORTED = (
        "ServiceUnsupported",
        "The Service has type ExternalName, which could send the gateway to any host.",
    )
    PORT_NOT_FOUND = "PortNotFound", "The Service exists, but does not have this port."
    REF_NOT_PERMITTED = (
        "RefNotPermitted",
        (
            "Another namespace or the installation does not permit the reference, or a Secret "
            "must not be read."
        ),
    )
    CONFIG_MAP_NOT_FOUND = (
        "ConfigMapNotFound",
        "The ConfigMap or its key does not exist, or its value cannot be used.",
    )
    SECRET_NOT_FOUND = "SecretNotFound", "The Secret or its key does not exist."
    GATEWAY_API_MISSING = (
        "GatewayApiMissing",
        "The spec has an httpRoute, but the cluster does not have the Gateway API.",
    )
    SERVICE_ACCOUNT_NOT_USABLE = (
        "ServiceAccountNotUsable",
        "The ServiceAccount of the pods does not exist, or lacks the label that permits its use.",
    )
    OBJECTS_UNRESOLVED = (
        "ObjectsUnresolved",
        "A selected tool or resource refers to something that does not exist.",
    )

    # Programmed
    PROGRAMMED = "Programmed", "Every ready pod has confirmed that it serves this catalog."
    NOT_REPORTED = (
        "NotReported",
        (
            "In mode Direct: the files are mounted, but the pods do not report whether they "
            "serve them."
        ),
    )
    PROPAGATING = "Propagating", "Some ready pods have not yet confirmed this catalog."
    NO_READY_PODS = "NoReadyPods", "No pod of the server is ready."
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "The spec or an autoscaler sets zero replicas. This is intended, so Ready is True.",
    )
    CONFLICT = (
        "Conflict",
        (
            "An object that the server does not own has the name of a child. No child is "
            "created or updated."
        ),
    )
    APPLY_FAILED = (
        "ApplyFailed",
        "The API server refuses a child of the server, or fails to apply it.",
    )
    NOT_SELECTED = "NotSelected", "No MCPServer of the namespace selects this object."
    SERVER_NOT_PROGRAMMED = (
        "ServerNotProgrammed",
        "The pods of a server that selects this object have not confirmed that they serve it.",
    )
    NOT_ACCEPTED = "NotAccepted", "The object is not served because another condition is False."

    # Ready, Degraded
    READY = "Ready", "The object is served."
    UNAVAILABLE = "Unavailable", "Too few pods of the server are available."
    NOTHING_SERVED = "NothingServed", "The server serves none of the objects that it selects."
    PODS_FAILING = (
        "PodsFailing",
        "A pod of the server is rejected or cannot become ready. The other pods keep serving.",
    )
    KIND_MISSING = (
        "KindMissing",
        "The API server no longer serves a kind that the server selects.",
    )
    SESSION_KEY_MISSING = (
        "SessionKeyMissing",
        (
            "A pod has no key for sessions, which MCP 2025-11-25 and older need. Newer clients "
            "are served."
        ),
    )
    REDIS_UNAVAILABLE = (
        "RedisUnavailable",
        "A pod cannot reach the Redis of the server, and runs without it.",
    )
    OBJECTS_REJECTED = (
        "ObjectsRejected",
        "Some selected objects are not served; see status.rejected.",
    )
    HEALTHY = "Healthy", "Every selected object is served."
