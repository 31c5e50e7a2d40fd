"""The settings of each process: frozen, checked at the start, the same by flag and environment.

A field of a settings class is the whole declaration of a setting: its name gives the flag
(`--log-level`) and the variable (`MCP_OPERATOR_LOG_LEVEL`), its docstring gives the help text, and
the `Setting` in its type says what is accepted. A flag wins over the environment, which wins over
the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from mcp_operator.core.errors import SettingsError
from mcp_operator.local.addresses import is_address
from mcp_operator.version import VERSION

ENVIRONMENT_PREFIX: Final = "MCP_OPERATOR_"

DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""RFC 1123 label, the form of a namespace's name."""

SERVICE: Final = r"^([a-z0-9-]+/)?[a-z0-9-]+(:[0-9]{1,5})?$"
"""`[NAMESPACE/]SERVICE[:PORT]`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a setting accepts and how its flag is written.

    Attributes:
        accepts: Completes the sentence "… is not …" about a refused value.
        metavar: Stands for the value in the help text.
        flag: The flag, where it is not the field's name; empty for a positional argument.
        repeated: Whether the flag may be given several times; in the environment and in one flag,
            commas do the same.
    """

    accepts: str
    metavar: str = "TEXT"
    flag: str | None = None
    repeated: bool = False


def _parts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Split a text, or each of several, at commas."""
    texts = [value] if isinstance(value, str) else value
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def _pairs(value: str | Sequence[str] | Mapping[str, str]) -> Mapping[str, str]:
    """Read `SERVICE=HOST:PORT` parts as a mapping.

    Raises:
        ValueError: A part is something else.
    """
    if isinstance(value, Mapping):
        return value
    return dict(_pair(part) for part in _parts(value))


def _pair(part: str) -> tuple[str, str]:
    service, _, address = part.partition("=")
    if not is_address(address):
        raise ValueError(f"{part!r} leads to no address")
    return service, address


Port = Annotated[
    int,
    Field(ge=0, le=65535),
    Setting("a port number from 0 to 65535 (0 takes any free one)", "PORT"),
]
Namespace = Annotated[
    str, Field(pattern=DNS_LABEL), Setting("the name of a namespace, such as demo", "NAMESPACE")
]
Name = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][-.a-z0-9]*$", max_length=253),
    Setting("the name of an object, such as shop", "NAME"),
]
Kubeconfig = Annotated[Path | None, Setting("a path", "FILE")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    Setting("one of debug, info, warning, error", "LEVEL"),
]
LogFormat = Annotated[Literal["auto", "json", "text"], Setting("one of auto, json, text", "FORMAT")]
Seconds = Annotated[
    float, Field(gt=0, le=3600), Setting("a number of seconds from 0 to 3600", "SECONDS")
]
Address = Annotated[
    str,
    Field(pattern=r"^[0-9A-Za-z.:_-]*$"),
    Setting("an IP address or host name, such as 127.0.0.1", "ADDRESS"),
]
Services = Annotated[
    Mapping[Annotated[str, Field(pattern=SERVICE)], str],
    BeforeValidator(_pairs),
    Setting(
        "[NAMESPACE/]SERVICE[:PORT]=HOST:PORT, such as orders=127.0.0.1:9000",
        "SERVICE=HOST:PORT",
        flag="--service",
        repeated=True,
    ),
]


class Settings(BaseModel):
    """What every process has."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    log_level: LogLevel = "info"
    """The least severe records that are logged."""
    log_format: LogFormat = "auto"
    """`json` for machines, `text` for people, `auto` for text on a terminal and JSON elsewhere."""


class OperatorSettings(Settings):
    """The settings of `mcp-operator operator`, the control plane."""

    kubeconfig: Kubeconfig = None
    """The kubeconfig file. Without it: the pod's account in a cluster, else the default file."""
    namespace: Annotated[
        str,
        Field(pattern=rf"^$|{DNS_LABEL}"),
        Setting("the name of a namespace, such as demo", "NAMESPACE"),
    ] = ""
    """The one namespace to work in. Empty: all of them."""
    gateway_image: Annotated[
        str, Field(min_length=1, pattern=r"^\S+$"), Setting("an image reference", "IMAGE")
    ] = f"mcp-operator:{VERSION}"
    """The image of gateway pods. It is the operator's own image, by whichever name you pull it."""
    gateway_image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"],
        Setting("one of Always, IfNotPresent, Never", "POLICY"),
    ] = "IfNotPresent"
    """When the kubelet pulls that image."""
    bind_address: Address = ""
    """The address that both ports are opened on. Empty: every address, IPv4 and IPv6."""
    metrics_port: Port = 8080
    """The port of `/metrics`."""
    health_port: Port = 8081
    """The port of `/livez`, `/readyz` and `/healthz`."""
    leader_elect: Annotated[bool, Setting("true or false")] = True
    """Whether replicas take turns by a Lease. Without it run one replica only."""
    lease_namespace: Annotated[
        str,
        Field(pattern=rf"^$|{DNS_LABEL}"),
        Setting("the name of a namespace, such as mcp-operator-system", "NAMESPACE"),
    ] = ""
    """The namespace of the Lease. Empty: the operator's own in a cluster, else `default`."""
    lease_name: Name = "mcp-operator"
    """The name of the Lease. Operators that share no work need different ones."""
    lease_duration: Seconds = 15.0
    """How long the other replicas wait for a leader that they do not hear from."""
    renew_deadline: Seconds = 10.0
    """How long the leader goes on without renewing the Lease. Shorter than the lease duration."""
    retry_period: Seconds = 2.0
    """The pause between renewals of the Lease; the others look at it more often. Much shorter than
    the deadline."""
    identity: Annotated[
        str, Field(max_length=253), Setting("a text of at most 253 characters", "NAME")
    ] = ""
    """This replica's name in the Lease. Empty: the host name and a random part."""
    workers: Annotated[
        int, Field(ge=1, le=64), Setting("a whole number from 1 to 64", "NUMBER")
    ] = 4
    """How many objects of one kind are reconciled at a time."""


class GatewaySettings(Settings):
    """The settings of `mcp-operator gateway`, the data plane in a cluster."""

    namespace: Namespace
    """The namespace of the MCPServer to serve."""
    server: Name
    """The name of the MCPServer to serve."""
    kubeconfig: Kubeconfig = None
    """The kubeconfig file. Without it: the pod's account in a cluster, else the default file."""
    bind_address: Address = ""
    """The address that both ports are opened on. Empty: every address, IPv4 and IPv6."""
    port: Port = 8080
    """The port of the MCP endpoint."""
    management_port: Port = 8081
    """The port of `/metrics`, `/livez`, `/readyz` and `/catalog`."""
    services: Services = Field(default_factory=dict)
    """Sends calls for a Service elsewhere, for a gateway outside the cluster's network."""


class ServeSettings(Settings):
    """The settings of `mcp-operator serve`, the endpoint without a cluster."""

    paths: Annotated[
        tuple[Path, ...],
        Field(min_length=1),
        Setting("at least one path", "PATH", "", repeated=True),
    ]
    """Files and folders of YAML."""
    host: Address = "127.0.0.1"
    """The address that the ports are opened on. Other machines reach the default not at all."""
    port: Port = 8080
    """The port of the MCP endpoint."""
    management_port: Port = 0
    """The port of `/metrics`, `/livez`, `/readyz` and `/catalog`. The log tells which was taken."""
    server: Annotated[
        str,
        Field(pattern=r"^$|^([a-z0-9-]+/)?[a-z0-9][-.a-z0-9]*$"),
        Setting("the name of an MCPServer, as [NAMESPACE/]NAME", "[NAMESPACE/]NAME"),
    ] = ""
    """Which MCPServer to serve. Needed only where the paths hold more than one."""
    services: Services = Field(default_factory=dict)
    """Where a Service is reached from here, such as `orders=127.0.0.1:9000`."""
    demo_backend: Annotated[bool, Setting("true or false")] = False
    """Whether to run the shop that `manifests/samples` calls as well. It takes a free port of this
    machine, and stands for the Service `shop-backend`."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting of a settings class, ready for a parser."""

    name: str
    """The field's name."""
    setting: Setting = field(repr=False)
    help: str
    default: Any
    boolean: bool

    @property
    def flag(self) -> str:
        """The flag as typed; empty for a positional argument."""
        own = self.setting.flag
        return own if own is not None else "--" + self.name.replace("_", "-")

    @property
    def label(self) -> str:
        """What a sentence calls the setting on the command line."""
        return self.flag or self.setting.metavar

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def shown_default(self) -> str:
        """The default as one would type it; empty where it stands for the absence of a value."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return str(self.default) if self.default else ""


def declared(model: type[Settings]) -> Iterator[Declared]:
    """Yield every setting of a class in the order of declaration, those of every process last."""
    own = [name for name in model.model_fields if name not in Settings.model_fields]
    for name in (*own, *Settings.model_fields):
        info = model.model_fields[name]
        yield Declared(
            name=name,
            setting=_setting_of(info),
            help=" ".join((info.description or "").split()),
            default=None if info.is_required() else info.get_default(call_default_factory=True),
            boolean=info.annotation is bool,
        )


S = TypeVar("S", bound=Settings)


def load(model: type[S], flags: Mapping[str, Any], environ: Mapping[str, str]) -> S:
    """Read the settings of one process.

    Args:
        model: The class of settings.
        flags: The values given on the command line, by field name; None, and no value at all for a
            repeated one, stand for not given.
        environ: The environment.

    Raises:
        SettingsError: Values are missing or wrong; one line for each, naming the flag or variable
            that it came from and what is accepted.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    settings = {declaration.name: declaration for declaration in declared(model)}
    for name, declaration in settings.items():
        if flags.get(name) not in (None, []):
            values[name], origins[name] = flags[name], declaration.label
        elif environ.get(declaration.variable):
            values[name], origins[name] = environ[declaration.variable], declaration.variable
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = dict.fromkeys(str(detail["loc"][0]) for detail in error.errors())
        raise SettingsError(
            "\n".join(_sentence(settings[name], values, origins) for name in wrong)
        ) from None


def _setting_of(info: FieldInfo) -> Setting:
    """Return the outermost `Setting` in a field's type."""
    return next(item for item in info.metadata if isinstance(item, Setting))


def _sentence(declaration: Declared, values: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    name, accepts = declaration.name, declaration.setting.accepts
    if name not in values:
        return f"{declaration.label} (or {declaration.variable}) is missing: give {accepts}"
    value = values[name]
    shown = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return f"{origins[name]}: {str(shown)!r} is not {accepts}"
