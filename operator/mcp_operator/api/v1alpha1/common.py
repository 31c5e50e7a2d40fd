"""Types that several kinds share: names, references, selectors, headers, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_operator.api.base import WHOLE, ApiModel, list_map, matching, rule, rules, validated
from mcp_operator.api.durations import DURATION_PATTERN

LABEL_VALUE = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
LABEL_KEY = (
    r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
"""apimachinery `validation.IsQualifiedName`: at most 63 characters, and 253 before the slash."""

HEADER_FIELD = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
"""RFC 9110 §5.6.2, `token`."""

RESERVED_HEADERS = (
    "host|content-length|connection|keep-alive|proxy-authenticate|proxy-authorization"
    "|proxy-connection|te|trailer|transfer-encoding|upgrade"
)
"""Headers that frame or route a message: RFC 9110 §7.6.1, Host and Content-Length."""

DnsLabel = Annotated[
    str,
    matching(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "use lower-case letters, digits and '-', beginning and ending with a letter or digit",
        max_length=63,
    ),
]
"""A namespace or Service name."""

DnsSubdomain = Annotated[
    str,
    matching(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "use lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
        max_length=253,
    ),
]
"""A Secret or ConfigMap name, or a host name."""

DataKey = Annotated[
    str, matching(r"^[-._a-zA-Z0-9]+$", "use letters, digits, '-', '_' and '.'", max_length=253)
]
"""A key of a Secret's or ConfigMap's data."""

McpName = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9_.-]{1,128}$",
        "use 1 to 128 letters, digits, '_', '-' and '.'; put a name for people into title",
        max_length=128,
    ),
]
"""A tool, prompt or resource name as MCP clients see it."""

VariableName = Annotated[
    str, matching(r"^[a-zA-Z0-9_]+$", "use letters, digits and '_'", max_length=63)
]
"""A variable of a prompt or of a resource template."""

Title = Annotated[str, Field(min_length=1, max_length=256)]
Description = Annotated[str, Field(max_length=4000)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
PortName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=15)]
PodPortName = Annotated[
    str, Field(pattern=r"^([0-9](-?[0-9])*-?)?[a-z](-?[a-z0-9])*$", max_length=15)
]
"""With at least one letter, and no two hyphens in a row (RFC 6335, section 5.1)."""

Duration = Annotated[
    str,
    matching(
        DURATION_PATTERN,
        "write a duration longer than zero, such as 30s, 1m30s or 250ms",
        max_length=32,
    ),
]


def _media_type(max_length: int, *also: Mapping[str, Any]) -> Any:
    return matching(
        r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(;[ -~]*)?$",
        "write a media type, such as text/plain or application/json",
        *also,
        max_length=max_length,
    )


MimeType = Annotated[str, _media_type(255)]

BodyType = Annotated[
    str,
    _media_type(
        255,
        rule(
            "!self.matches('^(?i:multipart/)') || self.matches('^(?i:multipart/form-data) *(;|$)') "
            "|| self.matches('(?i:; *boundary=)')",
            "add the boundary that the body uses, as in multipart/mixed; boundary=x; only "
            "multipart/form-data needs none",
        ),
    ),
]
"""The media type of a request's body."""

PartType = Annotated[str, _media_type(100)]
"""The media type of one part of a body: shorter, since an object may have thousands, and the API
server limits what the rules of one object may cost."""

Uri = Annotated[
    str,
    matching(
        r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$",
        "write an absolute URI with its scheme and no spaces, such as docs://guide",
        max_length=2048,
    ),
]
"""An absolute URI (RFC 3986), or a URI template (RFC 6570) that begins with its scheme."""

HttpPath = Annotated[
    str,
    matching(
        r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*$",
        "write an absolute path such as /orders/{id}, without spaces, query or fragment; put "
        "constant query parameters in the field query",
        rule(
            r"!self.matches('(^|/)[.][.]?(/|$)')",
            "a path must not contain the segments . or ..; write the path it leads to",
        ),
        max_length=1024,
    ),
]
"""An absolute URL path, with `{name}` where an argument goes; no query, no fragment."""

HeaderName = Annotated[
    str,
    matching(
        HEADER_FIELD,
        "write the name of an HTTP header, such as X-Api-Key",
        rule(
            f"!self.matches('^(?i:{RESERVED_HEADERS})$')",
            "Host, Content-Length and the connection headers are set by the gateway; "
            "name another header",
        ),
        max_length=128,
    ),
]

HeaderValue = Annotated[
    str,
    matching(
        r"^[\t -~]*$", "a header value is one line of printable ASCII characters", max_length=2048
    ),
]

LabelKey = Annotated[
    str, matching(LABEL_KEY, "write a label key, such as app or example.com/team", max_length=317)
]
LabelValue = Annotated[
    str,
    matching(
        LABEL_VALUE,
        "a label value has at most 63 letters, digits, '-', '_' and '.', "
        "beginning and ending with a letter or digit",
        max_length=63,
    ),
]


class SecretKeyRef(ApiModel):
    """One key of a Secret in the same namespace."""

    name: DnsSubdomain
    """Name of the Secret."""
    key: DataKey
    """Key of the Secret's data."""


class ConfigMapKeyRef(ApiModel):
    """One key of a ConfigMap in the same namespace."""

    name: DnsSubdomain
    """Name of the ConfigMap."""
    key: DataKey
    """Key of the ConfigMap's data."""


VALUES_RULE = rule(
    "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 "
    ": !has(self.values) || size(self.values) == 0",
    "In and NotIn need values; Exists and DoesNotExist take none",
    field_path=".values",
)


class LabelRequirement(ApiModel):
    """One requirement on the labels of an object, as in every Kubernetes selector."""

    model_config = validated(VALUES_RULE)

    key: LabelKey
    """Label key that the requirement is about."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label relates to the values."""
    values: tuple[LabelValue, ...] = Field(default_factory=tuple, max_length=64)
    """Values for In and NotIn; left out for Exists and DoesNotExist."""


class Selector(ApiModel):
    """A label selector: every label and every expression must hold; `{}` selects everything."""

    match_labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        json_schema_extra=rules(
            rule(
                f'self.all(key, key.matches(r"{LABEL_KEY}"))',
                "every key must be a label key, such as app or example.com/team",
            )
        ),
    )
    """Labels that must have exactly these values."""
    match_expressions: tuple[LabelRequirement, ...] = Field(default_factory=tuple, max_length=32)
    """Requirements that must all hold."""


Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
ObservedGeneration = Annotated[int, Field(ge=-1, json_schema_extra={"format": "int64"})]
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Condition(ApiModel):
    """One aspect of the state of an object, as metav1.Condition."""

    model_config = WHOLE

    type: Annotated[str, Field(max_length=316, pattern=LABEL_KEY)]
    """Type of the condition: Accepted, ResolvedRefs, Programmed, Ready, or Degraded of a server."""
    status: Literal["True", "False", "Unknown"]
    """Status of the condition."""
    observed_generation: Generation | None = None
    """The metadata.generation that this was decided for."""
    last_transition_time: Timestamp
    """When the status last changed."""
    reason: Annotated[
        str,
        Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """Reason of the status, in one CamelCase word that programs can rely on."""
    message: Annotated[str, Field(max_length=32768)]
    """Message for people."""


Conditions = Annotated[
    tuple[Condition, ...], Field(max_length=16, json_schema_extra=list_map("type"))
]


class ServerRef(ApiModel):
    """An MCPServer whose selector matches the object, and what it made of it."""

    model_config = WHOLE

    namespace: str
    """Namespace of the MCPServer."""
    name: str
    """Name of the MCPServer."""
    accepted: bool
    """Whether the server serves everything that the object declares."""
    reason: str = ""
    """Reason that it is not served, in one CamelCase word."""
    message: str = ""
    """Message that says why it is not served."""


Servers = Annotated[
    tuple[ServerRef, ...], Field(max_length=100, json_schema_extra=list_map("namespace", "name"))
]


class ChildStatus(ApiModel):
    """What the statuses of MCPTool, MCPPrompt and MCPResource have in common."""

    observed_generation: ObservedGeneration | None = None
    """The metadata.generation that this status describes; -1 before an operator has seen it."""
    servers: Servers = Field(default_factory=tuple)
    """The servers that select this object; at most 100 are listed."""
    server_count: Annotated[int, Field(ge=0)] | None = None
    """How many servers select this object."""
    conditions: Conditions = Field(default_factory=tuple)
    """Accepted, ResolvedRefs, Programmed, and Ready as their summary."""


class Kind(ApiModel):
    """One object of a kind. `metadata` and `status` stay the JSON that the API server sent."""

    metadata: dict[str, Any]
    status: dict[str, Any] = Field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The object's namespace."""
        return str(self.metadata.get("namespace", ""))

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.metadata["name"])
