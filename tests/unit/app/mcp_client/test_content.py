from __future__ import annotations

import json

from mcp_operator.app.mcp_client.content import contents, prompt_result, tool_result
from mcp_operator.app.mcp_client.text import as_json


def test_each_kind_of_content_is_shown() -> None:
    blocks = [
        {"type": "text", "text": "one\ntwo"},
        {"type": "image", "mimeType": "image/png", "data": "AAAAAA=="},
        {"type": "audio", "data": ""},
        {"type": "resource_link", "uri": "shop://stock", "name": "stock"},
        {"type": "resource", "resource": {"uri": "shop://a", "text": "three"}},
        {"type": "resource", "resource": {"uri": "shop://b", "mimeType": "a/b", "blob": "AAAA"}},
        {"type": "hologram"},
    ]
    assert list(tool_result({"content": blocks})) == [
        "one",
        "two",
        "[image, image/png, 4 bytes; use --output json to get it]",
        "[audio, unknown type, 0 bytes; use --output json to get it]",
        "[link to shop://stock: stock]",
        "[resource shop://a]",
        "three",
        "[resource shop://b]",
        "[data, a/b, 3 bytes; use --output json to get it]",
        "[content of type hologram; use --output json to see it]",
    ]


def test_structured_content_is_shown_unless_the_text_is_the_same() -> None:
    same = {"content": [{"type": "text", "text": '{"a": 1}'}], "structuredContent": {"a": 1}}
    other = {"content": [{"type": "text", "text": "One."}], "structuredContent": {"a": 1}}

    assert list(tool_result(same)) == ['{"a": 1}']
    assert list(tool_result(other)) == ["One.", "structured content:", "{", '  "a": 1', "}"]


def test_an_error_of_a_tool_is_shown_as_an_error() -> None:
    result = {"isError": True, "content": [{"type": "text", "text": "No stock."}]}
    assert list(tool_result(result)) == ["The tool reports an error:", "No stock."]


def test_the_messages_of_a_prompt_are_shown_with_their_roles() -> None:
    messages = [
        {"role": "user", "content": {"type": "text", "text": "Hi."}},
        {"role": "assistant", "content": {"type": "text", "text": "Yes?"}},
    ]
    shown = list(prompt_result({"description": "Talks.", "messages": messages}))
    assert shown == ["Talks.", "--- user", "Hi.", "--- assistant", "Yes?"]


def test_several_contents_are_separated_by_their_uris() -> None:
    parts = [{"uri": "shop://a", "text": "A"}, {"uri": "shop://b", "text": "B"}]
    assert list(contents({"contents": parts[:1]})) == ["A"]
    assert list(contents({"contents": parts})) == ["--- shop://a", "A", "--- shop://b", "B"]


def test_json_output_keeps_every_value_and_escapes_control_characters() -> None:
    value = {"text": "Zürich\x1b[2J\u202e\x9b\U000e0041", "lines": ["a\nb"]}
    shown = as_json(value)

    assert json.loads(shown) == value
    assert "Zürich" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
