from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.prompts import PromptMedia, PromptMessage, PromptVariable, ResourceLink
from mcp_operator.gateway.prompts import (
    PromptArgumentError,
    complete_prompt,
    complete_resource,
    render,
)
from support.entries import argument, backend, prompt, resource

NAME = PromptVariable(name="name")


def text_of(template: str, arguments: dict[str, Any], *variables: PromptVariable) -> Any:
    (message,) = render(prompt(template, variables=variables), arguments)
    assert message.content is not None
    assert message.content["type"] == "text"
    return message.content["text"]


def test_placeholders_are_filled_with_or_without_blanks() -> None:
    assert text_of("{{name}}, {{ name }}!", {"name": "Ada"}, NAME) == "Ada, Ada!"


def test_placeholders_in_a_value_are_not_filled() -> None:
    secret = PromptVariable(name="secret", default="hidden")
    assert text_of("{{name}}", {"name": "{{secret}}"}, NAME, secret) == "{{secret}}"


def test_adjacent_values_do_not_form_a_placeholder() -> None:
    other = PromptVariable(name="other")
    rendered = text_of("{{name}}{{other}}", {"name": "{{na", "other": "me}}"}, NAME, other)
    assert rendered == "{{name}}"


def test_regular_expression_syntax_in_a_value_stays_text() -> None:
    assert text_of("{{name}}", {"name": r"\1 \g<0> $1"}, NAME) == r"\1 \g<0> $1"


def test_the_name_of_a_variable_can_start_with_a_digit() -> None:
    assert text_of("{{1st}}", {"1st": "Ada"}, PromptVariable(name="1st")) == "Ada"


def test_an_undeclared_placeholder_is_not_changed() -> None:
    assert text_of("{{nobody}} {{}} {{ 1 }}", {}, NAME) == "{{nobody}} {{}} {{ 1 }}"


def test_an_absent_optional_variable_is_empty_or_its_default() -> None:
    assert text_of("[{{name}}]", {}, NAME) == "[]"
    assert text_of("[{{name}}]", {}, PromptVariable(name="name", default="x")) == "[x]"


def test_the_error_for_a_missing_variable_names_it() -> None:
    with pytest.raises(PromptArgumentError, match="'name' is required"):
        text_of("{{name}}", {}, PromptVariable(name="name", required=True))


def test_a_value_that_is_not_a_string_is_refused() -> None:
    with pytest.raises(PromptArgumentError, match="'name' must be a string"):
        text_of("{{name}}", {"name": 7}, NAME)


def test_a_value_outside_the_enum_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(PromptArgumentError, match="one of: low, high"):
        text_of("{{name}}", {"name": "up"}, PromptVariable(name="name", enum=("low", "high")))


def test_a_message_can_embed_a_resource_named_by_an_argument() -> None:
    messages = (
        PromptMessage(resource_uri="docs://{{name}}"),
        PromptMessage(role="assistant", text="Read."),
    )
    first, second = render(prompt(messages=messages, variables=(NAME,)), {"name": "a"})
    assert (first.role, first.content, first.resource_uri) == ("user", None, "docs://a")
    read = {"type": "text", "text": "Read."}
    assert (second.role, second.content, second.resource_uri) == ("assistant", read, "")


def test_a_message_can_be_an_image_or_audio() -> None:
    media = PromptMedia(mime_type="image/png", data="iVBORw==")
    sound = PromptMedia(mime_type="audio/wav", data="UklGRg==")
    rendered = render(prompt(messages=(PromptMessage(image=media), PromptMessage(audio=sound))), {})
    assert [message.content for message in rendered] == [
        {"type": "image", "mimeType": "image/png", "data": "iVBORw=="},
        {"type": "audio", "mimeType": "audio/wav", "data": "UklGRg=="},
    ]


def test_a_message_can_link_to_a_resource_that_an_argument_names() -> None:
    link = ResourceLink(uri="docs://{{name}}", name="rules", mime_type="text/html")
    (message,) = render(
        prompt(messages=(PromptMessage(resource_link=link),), variables=(NAME,)), {"name": "a"}
    )
    assert message.content == {
        "type": "resource_link",
        "uri": "docs://a",
        "name": "rules",
        "mimeType": "text/html",
    }


def test_completion_filters_by_prefix_in_the_declared_order() -> None:
    choice = PromptVariable(name="name", enum=("Python", "pytest", "Rust"))
    assert complete_prompt(prompt("", variables=(choice,)), "name", "PY") == {
        "values": ["Python", "pytest"],
        "total": 2,
        "hasMore": False,
    }


def test_completion_returns_at_most_100_values_and_that_there_are_more() -> None:
    choice = PromptVariable(name="name", enum=tuple(f"v{n}" for n in range(101)))
    answer = complete_prompt(prompt("", variables=(choice,)), "name", "")
    assert (len(answer["values"]), answer["total"], answer["hasMore"]) == (100, 101, True)


def test_completing_a_variable_without_an_enum_returns_nothing() -> None:
    assert complete_prompt(prompt("", variables=(NAME,)), "name", "")["values"] == []


def test_the_variables_of_a_template_are_completed_from_the_enum_of_its_backend() -> None:
    entry = resource(
        uri_template="docs://{lang}",
        backend=backend("/{lang}", argument("lang", "path", enum=("de", "en"))),
    )
    assert complete_resource(entry, "lang", "e")["values"] == ["en"]
    with pytest.raises(PromptArgumentError, match="'page'"):
        complete_resource(entry, "page", "")


def test_completing_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(PromptArgumentError, match="no argument 'other'"):
        complete_prompt(prompt("", variables=(NAME,)), "other", "")
