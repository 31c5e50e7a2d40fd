"""An MCPPrompt becomes an entry of the catalog, or findings."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import PromptEntry, SourceRef
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.prompts import PromptMedia, PromptMessage, PromptVariable, ResourceLink
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compile_prompt import compile_prompt, undeclared, unused, variables_used
from support.compiled import prompt

WHAT = [{"name": "what"}]


def entry(**spec: Any) -> PromptEntry:
    [only] = compile_prompt(prompt(**spec)).entries
    assert isinstance(only, PromptEntry)
    return only


def test_a_template_becomes_one_user_message() -> None:
    only = entry(title="Review", description="Reviews.", template="Say {{what}}", variables=WHAT)
    assert (only.name, only.title, only.description) == ("review", "Review", "Reviews.")
    assert only.messages == (PromptMessage(role="user", text="Say {{what}}"),)
    assert only.source == SourceRef(kind="MCPPrompt", namespace="demo", name="example")


def test_messages_keep_their_order_and_their_roles() -> None:
    messages = [
        {"text": "Read this."},
        {"role": "assistant", "text": "Yes?"},
        {"resourceURI": "docs://guide"},
    ]
    assert entry(messages=messages).messages == (
        PromptMessage(role="user", text="Read this."),
        PromptMessage(role="assistant", text="Yes?"),
        PromptMessage(role="user", resource_uri="docs://guide"),
    )


def test_line_breaks_in_images_and_audio_are_removed() -> None:
    messages = [
        {"image": {"mimeType": "image/png", "data": "iVBO\nRw==\n"}},
        {"audio": {"mimeType": "audio/wav", "data": "UklGRg=="}},
    ]
    assert entry(messages=messages).messages == (
        PromptMessage(image=PromptMedia(mime_type="image/png", data="iVBORw==")),
        PromptMessage(audio=PromptMedia(mime_type="audio/wav", data="UklGRg==")),
    )


def test_a_prompt_with_an_image_that_is_not_base64_is_not_served() -> None:
    messages = [{"text": "x"}, {"image": {"mimeType": "image/png", "data": "a"}}]
    compiled = compile_prompt(prompt(messages=messages))
    assert compiled.entries == ()
    [wrong] = compiled.findings_of(ConditionType.ACCEPTED)
    assert (wrong.reason, wrong.message) == (
        Reason.INVALID,
        "messages[1].image.data is not base64: encode the content",
    )


def test_the_uri_of_a_resource_link_can_have_variables() -> None:
    link = {"uri": "docs://{{section}}", "name": "rules", "title": "Rules"}
    given = prompt(messages=[{"resourceLink": link}], variables=[{"name": "section"}])
    [only] = compile_prompt(given).entries
    assert isinstance(only, PromptEntry)
    [message] = only.messages
    assert message.resource_link == ResourceLink(
        uri="docs://{{section}}", name="rules", title="Rules"
    )
    assert undeclared(prompt(messages=[{"resourceLink": link}])) == ("section",)


def test_hidden_characters_in_a_resource_link_are_reported() -> None:
    link = {"uri": "docs://a", "name": "a", "description": "a\u202eb"}
    [remark] = compile_prompt(prompt(messages=[{"resourceLink": link}])).remarks
    assert remark.reason is Reason.HIDDEN_CHARACTERS
    assert remark.message.startswith("messages[0].resourceLink.description:")


def test_variables_are_compiled_with_all_their_fields() -> None:
    tone = {"name": "tone", "title": "Tone", "default": "dry", "enum": ["dry", "warm"]}
    only = entry(template="{{what}} {{tone}}", variables=[{"name": "what", "required": True}, tone])
    assert only.variables == (
        PromptVariable(name="what", required=True),
        PromptVariable(name="tone", title="Tone", default="dry", enum=("dry", "warm")),
    )


def test_a_prompt_with_an_undeclared_variable_is_not_served() -> None:
    compiled = compile_prompt(prompt(template="{{b}} {{a}} {{ a }}", variables=WHAT))
    assert compiled.entries == ()
    [wrong] = compiled.findings_of(ConditionType.ACCEPTED)
    assert wrong.reason is Reason.UNDECLARED_VARIABLE
    assert wrong.message == "the text uses {{a}}, {{b}}: declare it in variables, or remove it"


def test_a_variable_in_the_uri_of_a_resource_counts_as_used() -> None:
    messages = [{"resourceURI": "docs://{{section}}"}]
    declared = prompt(messages=messages, variables=[{"name": "section"}])
    assert compile_prompt(declared).findings == ()
    assert undeclared(prompt(messages=messages)) == ("section",)


def test_an_unused_variable_adds_a_remark_and_the_prompt_is_served() -> None:
    compiled = compile_prompt(prompt(template="Hello", variables=WHAT))
    assert len(compiled.entries) == 1
    [remark] = compiled.remarks
    assert (remark.reason, remark.message) == (
        Reason.ACCEPTED,
        "no text uses the declared {{what}}",
    )


def test_a_default_of_a_required_variable_adds_a_remark() -> None:
    variables = [{"name": "what", "required": True, "default": "x"}]
    [remark] = compile_prompt(prompt(template="{{what}}", variables=variables)).remarks
    assert remark.message == "the default of what has no effect, because the variable is required"


def test_a_disabled_prompt_is_checked_and_not_served() -> None:
    compiled = compile_prompt(prompt(template="{{a}}", enabled=False, ingressPath="/x"))
    assert compiled.entries == ()
    assert [finding.reason for finding in compiled.findings] == [
        Reason.UNDECLARED_VARIABLE,
        Reason.DISABLED,
    ]
    assert compile_prompt(prompt(template="a", enabled=False)).entries == ()


def test_an_ingress_path_adds_a_remark_that_it_is_ignored() -> None:
    compiled = compile_prompt(prompt(template="a", ingressPath="/x"))
    assert len(compiled.entries) == 1
    assert [remark.reason for remark in compiled.remarks] == [Reason.INGRESS_PATH_IGNORED]


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("{{a}}{{ b }}", {"a", "b"}),
        ("{a} { {b} }", set()),
        ("{{a b}} {{}} {{-}}", set()),
        ("{{{a}}}", {"a"}),
        ("{{a\n}}", {"a"}),
        ("{{1st}}", {"1st"}),
    ],
)
def test_variables_are_names_in_double_braces(text: str, used: set[str]) -> None:
    assert variables_used(prompt(template=text)) == used


def test_undeclared_variables_are_listed_in_order() -> None:
    declared = [{"name": name} for name in ("d", "c")]
    given = prompt(template="{{b}} {{a}}", variables=declared)
    assert undeclared(given) == ("a", "b")
    assert unused(given) == ("c", "d")


def test_a_prompt_in_a_form_of_a_newer_release_is_invalid() -> None:
    compiled = compile_prompt(prompt(templateFrom={"name": "texts"}))
    assert compiled.entries == ()
    [wrong] = compiled.findings
    assert wrong.reason is Reason.INVALID
    assert wrong.message == "spec sets neither template nor messages: set one of them"
