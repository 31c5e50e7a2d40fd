"""The body of a request: its media type, and the arguments that become its fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.places import FORM_TYPE, is_json
from mcp_operator.importers.dialect import ANNOTATIONS
from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.linking import Linker
from mcp_operator.importers.names import is_target
from mcp_operator.importers.operations import Body, Media
from mcp_operator.importers.schemas import Schemas
from mcp_operator.importers.texts import cleaned, sentences

JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
OCTETS: Final = "application/octet-stream"

_RANKED: Final = (
    re.compile(r"application/json"),
    re.compile(r"\*/\*"),
    re.compile(r"application/merge-patch\+json"),  # an object, like most schemas of PATCH bodies
    re.compile(r".*[/+]json(?<!/json-patch\+json)"),
    re.compile(r".*[/+]json"),
    re.compile(r"application/x-www-form-urlencoded"),
    re.compile(r"multipart/form-data"),
    re.compile(r"text/.*|.*[/+]xml|.*[/+]yaml"),
    re.compile(r".*"),
)
"""The media types, in order of preference."""

_TEXT: Final = re.compile(
    r"text/.*|.*[/+](xml|yaml|x-yaml|csv|graphql|javascript|jsonl|json-seq|ndjson|x-ndjson|sdp|sql)"
)
"""Media types whose bodies are text; all others are bytes."""

_PART_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")

_FLAT: Final = ANNOTATIONS | {"type", "properties", "required", "additionalProperties", "format"}
"""Keywords that an object's schema can have if its fields become separate arguments."""

_BASE64: Final[JsonObject] = {"type": "string", "contentEncoding": "base64"}


@dataclass(frozen=True, slots=True)
class Field:
    """One argument of a body.

    Attributes:
        name: Its name in the body.
        schema: Its translated schema.
        required: Whether every request has it.
        style: How lists and objects are written in a form; empty for the default.
        explode: Whether each item is written separately; None for the default of the style.
        reserved: Whether reserved characters are not percent-encoded in a form.
        content_type: The media type of its part in a multipart body; empty for the default.
    """

    name: str
    schema: JsonObject
    required: bool = False
    style: str = ""
    explode: bool | None = None
    reserved: bool = False
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class BodyPlan:
    """How a body is sent.

    Attributes:
        content_type: Its media type.
        fields: The arguments that are its fields.
        whole: The argument that is the whole body, instead of fields.
        others: The schema of additional fields, or whether any are allowed; None if the document
            does not say.
        notes: What a reviewer should know.
        part: The key of the schema object of the body.
    """

    content_type: str
    fields: tuple[Field, ...] = ()
    whole: Field | None = None
    others: Any = None
    notes: tuple[str, ...] = ()
    part: str = ""


class Bodies:
    """Plans bodies with the schemas of one document."""

    def __init__(self, schemas: Schemas, linker: Linker) -> None:
        self._schemas = schemas
        self._linker = linker

    def plan(self, body: Body, *, as_whole: bool) -> BodyPlan:
        """Choose the media type of a body, and its arguments.

        Args:
            body: The body.
            as_whole: Whether the body becomes one argument even if it has fields.

        Raises:
            OpenApiError: Arguments cannot express any of its media types.
        """
        media = min(body.media, key=self._rank)
        planned = self._planned(media, body, as_whole=as_whole)
        return replace(planned, part=media.schema.key)

    def _planned(self, media: Media, body: Body, *, as_whole: bool) -> BodyPlan:
        schema = self._schemas.translate(media.schema)
        if media.type == "*/*" or is_json(media.type):
            type_ = JSON if media.type == "*/*" else media.type
            return self._json(type_, schema, body, as_whole=as_whole)
        if media.type in (FORM_TYPE, MULTIPART):
            return self._form(media, schema, body, as_whole=as_whole)
        if media.type.startswith("multipart/"):
            raise OpenApiError(f"the parts of its {media.type} body have no names")
        return self._opaque(media.type, schema, body)

    def _rank(self, media: Media) -> tuple[bool, int]:
        """Rank a media type. JSON with a binary schema is a mistake, so it comes last."""
        opened = self._linker.opened(self._schemas.translate(media.schema))
        by_type = next(i for i, one in enumerate(_RANKED) if one.fullmatch(media.type))
        return is_json(media.type) and opened.get("format") == "binary", by_type

    def _json(self, type_: str, schema: JsonObject, body: Body, *, as_whole: bool) -> BodyPlan:
        opened = self._linker.opened(schema)
        optional = body.optional and bool(opened.get("required"))
        if as_whole or optional or not _is_flat(opened) or _unnamable(opened["properties"]):
            needed = body.required or (not body.optional and bool(opened.get("required")))
            return BodyPlan(type_, whole=_whole(schema, body, required=needed))
        fields = tuple(
            Field(name, schema, name in opened.get("required", ()))
            for name, schema in opened["properties"].items()
        )
        return BodyPlan(type_, fields, others=opened.get("additionalProperties"))

    def _form(self, media: Media, schema: JsonObject, body: Body, *, as_whole: bool) -> BodyPlan:
        opened = self._united(self._linker.opened(schema))
        properties = opened.get("properties", {})
        if media.type == MULTIPART and not properties:
            raise OpenApiError("the parts of its multipart/form-data body have no names")
        unnamable = _unnamable(properties)
        if media.type == FORM_TYPE and (as_whole or not properties or unnamable):
            needed = body.required or bool(opened.get("required"))
            whole = _whole(opened | {"type": "object"}, body, required=needed)
            return BodyPlan(media.type, whole=whole)
        required = opened.get("required", ())
        missed = next((name for name in unnamable if name in required), None)
        if missed is not None:
            raise OpenApiError(
                f"the part {missed!r} has a name that a tool cannot send, and it is required"
            )
        fields = tuple(
            self._form_field(name, schema, name in required, media)
            for name, schema in properties.items()
            if name not in unnamable
        )
        left_out = tuple(
            f"the part {name!r} has a name that a tool cannot send, so it is left out"
            for name in unnamable
        )
        return BodyPlan(
            media.type, fields, others=opened.get("additionalProperties"), notes=left_out
        )

    def _united(self, schema: JsonObject) -> JsonObject:
        """Return one object with the fields of all alternatives: a form cannot be one argument."""
        for keyword in ("oneOf", "anyOf"):
            branches = [self._united(self._linker.opened(one)) for one in schema.get(keyword, ())]
            if not branches:
                continue
            properties = dict(schema.get("properties", {}))
            for branch in branches:
                properties = {**branch.get("properties", {}), **properties}
            always = set.intersection(*(set(branch.get("required", ())) for branch in branches))
            required = dict.fromkeys([*schema.get("required", ()), *sorted(always)])
            schema = schema | {"properties": properties, "required": list(required)}
        return schema

    def _form_field(self, name: str, schema: JsonObject, required: bool, media: Media) -> Field:  # noqa: FBT001 - as the document has it
        encoding = media.encoding.get(name)
        told: Mapping[str, Any] = encoding if isinstance(encoding, dict) else {}
        schema = self._without_encoding(schema)
        style = str(told.get("style") or "")
        unsaid = media.type == FORM_TYPE and not told.keys() & {"style", "explode"}
        if unsaid and self._is_structured(schema):
            style = "json"  # OpenAPI 3.1, Encoding Object: the default for objects
        explode = told.get("explode")
        return Field(
            name,
            schema,
            required,
            style=style,
            explode=explode if isinstance(explode, bool) else None,
            reserved=told.get("allowReserved") is True and media.type == FORM_TYPE,
            content_type=_concrete(told.get("contentType")) if media.type == MULTIPART else "",
        )

    def _without_encoding(self, schema: JsonObject) -> JsonObject:
        """Ask for files as base64, and pass on unchanged what the API itself wants in base64."""
        opened = self._linker.opened(schema)
        said = {key: value for key, value in opened.items() if key in ANNOTATIONS}
        if opened.get("format") == "binary" or _is_raw(opened):
            return _BASE64 | said
        if isinstance(opened.get("items"), dict):
            return opened | {"items": self._without_encoding(opened["items"])}
        for keyword in ("anyOf", "oneOf"):
            branches = [self._without_encoding(one) for one in opened.get(keyword, ())]
            if any(_is_file(branch) for branch in branches):
                several = [one for one in branches if one.get("type") == "array"]
                return (several or [one for one in branches if _is_file(one)])[0] | said
        if "contentEncoding" in opened:
            return {key: value for key, value in opened.items() if key != "contentEncoding"}
        return schema

    def _is_structured(self, schema: JsonObject) -> bool:
        opened = self._linker.opened(schema)
        return "properties" in opened or opened.get("type") == "object"

    def _opaque(self, type_: str, schema: JsonObject, body: Body) -> BodyPlan:
        opened = self._linker.opened(schema)
        said = opened.get("description", "")
        if _TEXT.fullmatch(type_):
            sent = "text/plain" if type_ == "text/*" else type_
            hint = "" if sent == "text/plain" else f"Text of type {sent}."
            text = {"type": "string", "description": sentences(said, hint)}
            return BodyPlan(sent, whole=_whole(text, body, required=body.required))
        sent = OCTETS if "*" in type_ else type_
        data = _BASE64 | {"description": said}
        return BodyPlan(sent, whole=_whole(data, body, required=body.required))


def _unnamable(properties: Iterable[str]) -> list[str]:
    """Return the fields whose names are not valid in `as` of an argument."""
    return [name for name in properties if not is_target(name, "body")]


def _is_flat(opened: JsonObject) -> bool:
    types = opened.get("type", "object")
    is_object = "object" in types if isinstance(types, list) else types == "object"
    return is_object and bool(opened.get("properties")) and opened.keys() <= _FLAT


def _whole(schema: JsonObject, body: Body, *, required: bool) -> Field:
    text = cleaned(body.description) or schema.get("description", "")
    rest = {key: value for key, value in schema.items() if key != "description"}
    return Field("body", rest | ({"description": text} if text else {}), required)


def _is_raw(opened: JsonObject) -> bool:
    """Tell whether a field is binary by OpenAPI 3.1: it has a media type, but no text encoding."""
    media_type = opened.get("contentMediaType", "")
    return bool(media_type) and "contentEncoding" not in opened and not _is_text(media_type)


def _is_text(media_type: str) -> bool:
    return is_json(media_type) or _TEXT.fullmatch(media_type) is not None


def _is_file(schema: JsonObject) -> bool:
    inner = schema.get("items") if schema.get("type") == "array" else schema
    return isinstance(inner, dict) and inner.get("contentEncoding") == "base64"


def _concrete(content_type: Any) -> str:
    """Return the media type of a part; empty if the document allows none or several."""
    given = content_type.strip() if isinstance(content_type, str) else ""
    return given if _PART_TYPE.fullmatch(given) else ""
