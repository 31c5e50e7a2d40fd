"""Invalid MCPPrompts."""

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
        "a template that is too long",
        prompt(template="x" * 10001),
        "spec.template",
        "Too long: may not be more than 10000",
    ),
    Negative(
        "a message without text",
        prompt(messages=[{"role": "user"}]),
        "spec.messages[0]",
        "set exactly one of text, image, audio, resourceURI and resourceLink",
    ),
    Negative(
        "a message with text and resource",
        prompt(messages=[{"text": "x", "resourceURI": "docs://guide"}]),
        "spec.messages[0]",
        "set exactly one of text, image, audio, resourceURI and resourceLink",
    ),
    Negative(
        "a message with two kinds of media",
        prompt(
            messages=[
                {
                    "image": {"mimeType": "image/png", "data": "aGk="},
                    "audio": {"mimeType": "audio/wav", "data": "aGk="},
                }
            ]
        ),
        "spec.messages[0]",
        "set exactly one of text, image, audio, resourceURI and resourceLink",
    ),
    Negative(
        "an image that is not base64",
        prompt(messages=[{"image": {"mimeType": "image/png", "data": "@@"}}]),
        "spec.messages[0].image.data",
        "must be of type byte",
    ),
    Negative(
        "an image without type",
        prompt(messages=[{"image": {"data": "aGk="}}]),
        "spec.messages[0].image.mimeType",
        "Required value",
    ),
    Negative(
        "an image with an invalid type",
        prompt(messages=[{"image": {"mimeType": "text/plain", "data": "aGk="}}]),
        "spec.messages[0].image.mimeType",
        "write image/ and a subtype: image/png",
    ),
    Negative(
        "audio with the type of an image",
        prompt(messages=[{"audio": {"mimeType": "image/png", "data": "aGk="}}]),
        "spec.messages[0].audio.mimeType",
        "write audio/ and a subtype: audio/wav",
    ),
    Negative(
        "audio without bytes",
        prompt(messages=[{"audio": {"mimeType": "audio/wav", "data": ""}}]),
        "spec.messages[0].audio.data",
        "should be at least 1 chars long",
    ),
    Negative(
        "an image that is too large",
        prompt(messages=[{"image": {"mimeType": "image/png", "data": "aaaa" * 225_001}}]),
        "spec.messages[0].image.data",
        "Too long: may not be more than 900000",
    ),
    Negative(
        "a link without name",
        prompt(messages=[{"resourceLink": {"uri": "docs://guide"}}]),
        "spec.messages[0].resourceLink.name",
        "Required value",
    ),
    Negative(
        "a link without a valid URI",
        prompt(messages=[{"resourceLink": {"uri": "guide", "name": "guide"}}]),
        "spec.messages[0].resourceLink.uri",
        "write an absolute URI",
    ),
    Negative(
        "a message with the role system",
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
    Negative(
        "elicit as text",
        prompt(variables=[{"name": "a", "elicit": "yes"}]),
        "spec.variables[0].elicit",
        "must be of type boolean",
    ),
]
