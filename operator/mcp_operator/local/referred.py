"""Kubernetes' own kinds among the files. Only the fields that this package reads are checked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mcp_operator.api.base import GROUP
from mcp_operator.api.structure import Problem
from mcp_operator.builders.resources import CONFIGMAPS, SECRETS, SERVICES
from mcp_operator.core.meta import Object
from mcp_operator.local.addresses import is_address

LOCAL_ADDRESS: Final = f"{GROUP}/local-address"
"""An annotation of a Service in the files: the `HOST:PORT` at which `serve` reaches it."""

REFERENCE_GRANT: Final = "ReferenceGrant"

_NOT_BASE64: Final = (
    "must be base64; for plain text, use stringData of a Secret, or data of a ConfigMap"
)


def _is_base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(_NOT_BASE64) from None
    return text


def _has_address(annotations: Mapping[str, str] | None) -> Mapping[str, str] | None:
    if annotations and not is_address(annotations.get(LOCAL_ADDRESS, "any:1")):
        raise ValueError(f"{LOCAL_ADDRESS} must be HOST:PORT, such as 127.0.0.1:9000")
    return annotations


Texts = dict[str, str] | None
Bytes = dict[str, Annotated[str, AfterValidator(_is_base64)]] | None


class _Model(BaseModel):
    """Strict types: Kubernetes does not convert values either."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Metadata(_Model):
    name: Annotated[str, Field(min_length=1)]
    namespace: Annotated[str, Field(min_length=1)] = "default"
    labels: Texts = None
    annotations: Annotated[Texts, AfterValidator(_has_address)] = None


class _Port(_Model):
    port: Annotated[int, Field(ge=1, le=65535)]
    name: str | None = None


class _ServiceSpec(_Model):
    type: str | None = None
    ports: list[_Port] | None = None


class _Object(_Model):
    metadata: _Metadata


class _Service(_Object):
    spec: _ServiceSpec


class _ConfigMap(_Object):
    data: Texts = None
    binary_data: Annotated[Bytes, Field(alias="binaryData")] = None


class _Secret(_Object):
    data: Bytes = None
    string_data: Annotated[Texts, Field(alias="stringData")] = None


class _GrantSpec(_Model):
    from_: Annotated[list[dict[str, str]] | None, Field(alias="from")] = None
    to: list[dict[str, str]] | None = None


class _ReferenceGrant(_Object):
    spec: _GrantSpec | None = None


_MODELS: Final[Mapping[str, type[_Object]]] = {
    SERVICES.kind: _Service,
    CONFIGMAPS.kind: _ConfigMap,
    SECRETS.kind: _Secret,
    REFERENCE_GRANT: _ReferenceGrant,
}

REFERRED_KINDS: Final = frozenset(_MODELS)

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be a string; put the value in quotes",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
}
"""Messages that replace pydantic's, by its type of error."""


def referred_problems(obj: Object) -> Iterator[Problem]:
    """Yield the problems of an object of `REFERRED_KINDS`, or of another kind's metadata."""
    try:
        _MODELS.get(obj["kind"], _Object).model_validate(obj)
    except ValidationError as error:
        for detail in error.errors():
            yield Problem(detail["loc"], _sentence(detail))


def _sentence(detail: Any) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    said = str(detail["msg"]).replace("Input should", "must")
    return _SENTENCES.get(detail["type"], said)
