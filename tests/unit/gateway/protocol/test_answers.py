"""Which requests can be sent to a client, and which answers to them are valid."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.policy.principal import ANONYMOUS
from mcp_operator.gateway.protocol.answers import MAX_REQUESTS, Questions, RequestError
from mcp_operator.gateway.protocol.capabilities import NOTHING, Capability, declared, written
from mcp_operator.gateway.protocol.forms import MAX_FIELDS, Form, FormError
from mcp_operator.gateway.protocol.sessions import Session, Sessions
from mcp_operator.gateway.root_key import RootKey
from support.client_requests import ADA, FOLDERS, HOME, NAME, POEM, VERSE
from support.clocks import SettableClock


def form(required: list[str] | None = None, **fields: Any) -> JsonObject:
    return {"type": "object", "properties": fields, "required": required or []}


CHOICE = {"type": "string", "enum": ["a", "b"]}
TITLED = {"type": "string", "oneOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}]}
SEVERAL = {"type": "array", "items": CHOICE, "maxItems": 1}
SEVERAL_TITLED = {"type": "array", "items": {"anyOf": TITLED["oneOf"]}}


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ({"type": "string"}, ["", "x"], [7, None, True, [], {}]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab"], ["a", "abcd"]),
        ({"type": "string", "default": "x", "format": "email"}, ["a@b.de"], [7]),
        ({"type": "number", "minimum": 1.5}, [1.5, 2], [1, "2", True]),
        ({"type": "integer", "maximum": 5}, [5, -1, 5.0], [6, 1.5, "5", True]),
        ({"type": "boolean", "default": True}, [True, False], [0, "true", None]),
        (CHOICE, ["a"], ["c", 1]),
        (TITLED, ["b"], ["B", 1]),
        (CHOICE | {"enumNames": ["A", "B"]}, ["a"], ["A"]),
        (SEVERAL, [[], ["a"]], [["c"], "a", ["a", "b"]]),
        (SEVERAL_TITLED, [["a", "b"]], [["A"], [1]]),
    ],
    ids=str,
)
def test_a_field_accepts_only_values_of_its_type(
    field: JsonObject, right: list[Any], wrong: list[Any]
) -> None:
    asked = Form(form(x=field))
    assert [asked.filled_in({"x": value})[1] for value in right] == [[]] * len(right)
    assert all(asked.filled_in({"x": value})[1] for value in wrong)


def test_only_required_fields_must_be_filled_in() -> None:
    fields = {"a": {"type": "string"}, "b": {"type": "boolean"}}
    assert Form(form(["a"], **fields)).filled_in({"a": "x"}) == ({"a": "x"}, [])
    [problem] = Form(form(["b"], **fields)).filled_in({"a": "x"})[1]
    assert "b" in problem


def test_fields_that_the_form_does_not_have_are_dropped() -> None:
    assert Form(form(a=CHOICE)).filled_in({"a": "a", "b": 1}) == ({"a": "a"}, [])


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "properties": []},
        form(x={"type": "object", "properties": {}}),
        form(x={"type": "array", "items": {"type": "string"}}),
        form(x={"type": "array", "items": {"type": "object"}}),
        form(x={"type": "array"}),
        form(x={"type": ["string", "null"]}),
        form(x={"type": "null"}),
        form(x={}),
        form(x=True),
        form(x={"$ref": "#/properties/x"}),
        form(x={"type": "string", "enum": [1]}),
        form(x={"type": "string", "enum": "a"}),
        form(x={"type": "string", "oneOf": [{"title": "A"}]}),
        form(x={"type": "string", "oneOf": "a"}),
        form(x={"type": "string", "minLength": "a"}),
        form([7]),  # type: ignore[list-item]
        form("x"),  # type: ignore[arg-type]
        form(None, **{f"f{n}": CHOICE for n in range(MAX_FIELDS + 1)}),
        form(x={"type": "string", "enum": ["x" * 300_000]}),
    ],
    ids=lambda schema: str(schema)[:60],
)
def test_a_form_that_is_nested_malformed_or_too_large_is_refused(schema: Any) -> None:
    with pytest.raises(FormError):
        Form(schema)


def test_references_of_a_form_are_not_followed() -> None:
    remote = {"type": "string", "$ref": "http://127.0.0.1:1/x", "pattern": "(a+)+$"}
    assert Form(form(x=remote)).filled_in({"x": "a" * 50 + "b"})[1] == []


@pytest.mark.parametrize(
    ("request_", "right", "wrong"),
    [
        (
            NAME,
            [ADA, {"action": "decline"}, {"action": "cancel", "content": None}],
            [None, {}, {"action": "accept"}, {"action": "ACCEPT", "content": {"name": "x"}}],
        ),
        (
            POEM,
            [
                VERSE,
                VERSE | {"stopReason": "endTurn"},
                VERSE | {"content": [{"type": "tool_use", "id": "1", "name": "x", "input": {}}]},
            ],
            [
                [],
                VERSE | {"role": "system"},
                VERSE | {"model": None},
                VERSE | {"content": "text"},
                VERSE | {"content": [{"type": "resource"}]},
            ],
        ),
        (
            FOLDERS,
            [HOME, {"roots": []}],
            [{}, {"roots": {}}, {"roots": ["file:///x"]}, {"roots": [{"uri": "http://x"}]}],
        ),
    ],
)
def test_answers_must_match_the_type_of_their_request(
    request_: JsonObject, right: list[Any], wrong: list[Any]
) -> None:
    questions = Questions({"x": request_})
    for answer in right:
        assert questions.answers({"x": answer})[0].keys() == {"x"}
    for answer in wrong:
        right_ones, problems = questions.answers({"x": answer})
        assert not right_ones
        assert problems["x"]


def test_the_content_of_a_declined_elicitation_is_dropped() -> None:
    declined = {"action": "decline", "content": {"name": "Ada"}, "more": 1}
    assert Questions({"x": NAME}).answers({"x": declined})[0] == {"x": {"action": "decline"}}


def test_more_than_32_requests_are_refused() -> None:
    Questions({str(n): NAME for n in range(MAX_REQUESTS)})
    with pytest.raises(RequestError, match="more than 32"):
        Questions({str(n): NAME for n in range(MAX_REQUESTS + 1)})


@pytest.mark.parametrize(
    ("said", "can"),
    [
        ({}, NOTHING),
        (None, NOTHING),
        ({"elicitation": True, "sampling": None, "roots": []}, NOTHING),
        ({"elicitation": {}}, Capability.FORMS),
        ({"elicitation": {"form": {}}}, Capability.FORMS),
        ({"elicitation": {"url": {}}}, Capability.URLS),
        ({"elicitation": {"form": {}, "url": {}}}, Capability.FORMS | Capability.URLS),
        ({"sampling": {}}, Capability.SAMPLING),
        ({"sampling": {"tools": {}}}, Capability.SAMPLING | Capability.SAMPLING_TOOLS),
        ({"sampling": {"context": {}}}, Capability.SAMPLING | Capability.SAMPLING_CONTEXT),
        ({"roots": {"listChanged": True}, "experimental": {}}, Capability.ROOTS),
    ],
)
def test_capabilities_are_parsed_and_written_as_in_mcp(said: Any, can: Capability) -> None:
    assert declared(said) == can
    assert declared(written(can)) == can


@pytest.mark.parametrize("bits", range(64))
def test_a_session_id_contains_the_capabilities_of_its_client(bits: int) -> None:
    can = Capability(bits)
    root = RootKey(b"k" * 32)
    session = Sessions(SettableClock(), root).create("2025-11-25", capabilities=can)

    found = Sessions(SettableClock(), root).find(session.id, 60.0)

    assert found == Session(session.id, "2025-11-25", can)
    assert len(session.id) == 56


def test_capability_bits_of_a_later_release_are_ignored() -> None:
    root = RootKey(b"k" * 32)
    session = Sessions(SettableClock(), root).create("2025-11-25", capabilities=Capability.ROOTS)
    claims = bytearray(base64.urlsafe_b64decode(session.id)[:24])
    claims[0] |= 0x80
    signature = Sessions(SettableClock(), root)._sign(bytes(claims), ANONYMOUS)

    later = base64.urlsafe_b64encode(bytes(claims) + signature).decode()

    found = Sessions(SettableClock(), root).find(later, 60.0)
    assert found == Session(later, "2025-11-25", Capability.ROOTS)
