"""How settings are declared and loaded: by flags, else from the environment, else the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from mcp_operator.core.errors import SettingsError

ENVIRONMENT_PREFIX: Final = "MCP_OPERATOR_"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a setting accepts and how its flag is written.

    Attributes:
        accepts: Completes the sentence "… is not …" about a rejected value.
        metavar: The placeholder for the value in the help text.
        flag: The flag, if it is not the field's name; empty for a positional argument.
        repeated: Whether the flag can be repeated; in the environment and within one flag, commas
            separate the values.
        short: A flag of one letter besides, such as `-n`; empty for none.
    """

    accepts: str
    metavar: str = "TEXT"
    flag: str | None = None
    repeated: bool = False
    short: str = ""


def parts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Split one or more texts at commas."""
    texts = [value] if isinstance(value, str) else value
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    Setting("one of debug, info, warning, error", "LEVEL"),
]
LogFormat = Annotated[Literal["auto", "json", "text"], Setting("one of auto, json, text", "FORMAT")]


class Options(BaseModel):
    """The settings of any command."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )


class Settings(Options):
    """The settings of every process, which the environment can set as well."""

    log_level: LogLevel = "info"
    """The lowest severity that is logged."""
    log_format: LogFormat = "auto"
    """The log format: `json`, `text`, or `auto` for text on a terminal and JSON elsewhere."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting of a settings class, as an argument parser needs it."""

    name: str
    """The field's name."""
    setting: Setting = field(repr=False)
    help: str
    default: Any
    boolean: bool
    in_environment: bool = True
    required: bool = False

    @property
    def flag(self) -> str:
        """The flag on the command line; empty for a positional argument."""
        own = self.setting.flag
        return own if own is not None else "--" + self.name.replace("_", "-")

    @property
    def label(self) -> str:
        """The name of the setting in messages about the command line."""
        return self.flag or self.setting.metavar

    @property
    def variable(self) -> str:
        """The environment variable; empty if none can set it."""
        return ENVIRONMENT_PREFIX + self.name.upper() if self.in_environment else ""

    @property
    def shown_default(self) -> str:
        """The default as a user would type it; empty if it means that there is no value."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return str(self.default) if self.default else ""


def declared(model: type[Options]) -> Iterator[Declared]:
    """Yield the settings of a class in declaration order, the common ones last."""
    own = [name for name in model.model_fields if name not in Settings.model_fields]
    common = [name for name in Settings.model_fields if name in model.model_fields]
    for name in (*own, *common):
        info = model.model_fields[name]
        yield Declared(
            name=name,
            setting=_setting_of(info),
            help=" ".join((info.description or "").split()),
            default=None if info.is_required() else info.get_default(call_default_factory=True),
            boolean=info.annotation is bool,
            in_environment=issubclass(model, Settings),
            required=info.is_required(),
        )


S = TypeVar("S", bound=Options)


def load(model: type[S], flags: Mapping[str, Any], environ: Mapping[str, str]) -> S:
    """Load the settings of one process.

    Args:
        model: The settings class.
        flags: The values from the command line, by field name; None or an empty list if not given.
        environ: The environment.

    Raises:
        SettingsError: Values are missing or invalid; one line for each, with the flag or variable
            that it comes from and the accepted values.
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
        other = f" (or {declaration.variable})" if declaration.variable else ""
        return f"{declaration.label}{other} is missing: specify {accepts}"
    value = values[name]
    shown = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
    return f"{origins[name]}: {str(shown)!r} is not {accepts}"
