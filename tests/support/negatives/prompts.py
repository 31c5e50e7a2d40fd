"""Wrong MCPPrompts."""

from __future__ import annotations

from support.manifests import prompt, without
from support.negatives.case import Negative

PROMPTS = [
    Negative(
        "a prompt without text",
        without(prompt(), "template"),
        "spec.template",
        "set exactly one of template and messages",
    ),
    Negative(
        "a prompt with template and messages",
        prompt(messages=[{"text": "x"}], template="y"),
        "spec.template",
        "set exactly one of template and messages",
    ),
    Negative(
        "an empty template", prompt(template=""), "spec.template", "should be at least 1 chars long"
    ),
    Negative(
        "a template of great length",
        prompt(template="x" * 10001),
        "spec.template",
        "Too long: may not be more than 10000",
    ),
    Negative(
        "a message without text",
        prompt(messages=[{"role": "user"}]),
        "spec.messages[0]",
        "set exactly one of text and resourceURI",
    ),
    Negative(
        "a message with text and resource",
        prompt(messages=[{"text": "x", "resourceURI": "docs://guide"}]),
        "spec.messages[0]",
        "set exactly one of text and resourceURI",
    ),
    Negative(
        "a message of the system",
        prompt(messages=[{"role": "system", "text": "x"}]),
        "spec.messages[0].role",
        'supported values: "user", "assistant"',
    ),
    Negative(
        "more than 32 messages",
        prompt(messages=[{"text": "x"}] * 33),
        "spec.messages",
        "must have at most 32 items",
    ),
    Negative(
        "a variable with a hyphen",
        prompt(variables=[{"name": "a-b"}]),
        "spec.variables[0].name",
        "use letters, digits and '_'",
    ),
    Negative(
        "a variable twice",
        prompt(variables=[{"name": "a"}, {"name": "a"}]),
        "spec.variables[1]",
        "Duplicate value",
    ),
    Negative(
        "a default outside enum",
        prompt(variables=[{"name": "a", "default": "z", "enum": ["x", "y"]}]),
        "spec.variables[0].default",
        "default must be one of enum",
    ),
    Negative(
        "an enum with a value twice",
        prompt(variables=[{"name": "a", "enum": ["x", "x"]}]),
        "spec.variables[0].enum[1]",
        "Duplicate value",
    ),
    Negative(
        "required as text",
        prompt(variables=[{"name": "a", "required": "yes"}]),
        "spec.variables[0].required",
        "must be of type boolean",
    ),
]
