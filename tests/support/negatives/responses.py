"""Objects with invalid mappings of responses."""

from __future__ import annotations

from typing import Any

from support.manifests import tool
from support.negatives.case import Negative


def _response(sentence: str, field: str, fragment: str, **response: Any) -> Negative:
    return Negative(sentence, tool(response=response), f"spec.response.{field}", fragment)


RESPONSES = [
    _response(
        "a header of the answer with a space",
        "headers[0]",
        "write the name of an HTTP header",
        headers=["X Total"],
    ),
    _response("a header without a name", "headers[0]", "write the name", headers=[""]),
    _response(
        "a header of the answer that sets cookies",
        "headers[1]",
        "this header carries credentials",
        headers=["Link", "set-Cookie"],
    ),
    _response(
        "a header of the answer that holds a token",
        "headers[0]",
        "this header carries credentials",
        headers=["Authorization"],
    ),
    _response(
        "one header of the answer twice", "headers[1]", "Duplicate value", headers=["Link", "Link"]
    ),
    _response(
        "33 headers of the answer",
        "headers",
        "must have at most 32 items",
        headers=[f"X-{number}" for number in range(33)],
    ),
    _response(
        "redirects to everywhere",
        "followRedirects",
        "Unsupported value",
        followRedirects="Always",
    ),
    _response("a type of half a word", "mimeType", "write a media type", mimeType="json"),
    _response(
        "a type of two lines",
        "mimeType",
        "write a media type",
        mimeType="text/plain;\r\nX-Admin: 1",
    ),
    _response(
        "a type without an end", "mimeType", "may not be more than 255", mimeType="a/" + "b" * 300
    ),
    _response("a jsonPath without root", "jsonPath", "from the root $", jsonPath="items[0]"),
    _response(
        "a jsonPath without an end", "jsonPath", "may not be more than 1024", jsonPath="$.a" * 400
    ),
    _response("an empty jmesPath", "jmesPath", "should be at least 1 chars long", jmesPath=""),
    _response(
        "a jmesPath without an end", "jmesPath", "may not be more than 4096", jmesPath="a." * 2100
    ),
    _response("an empty errorWhen", "errorWhen", "should be at least 1 chars long", errorWhen=""),
    _response(
        "an errorWhen without an end",
        "errorWhen",
        "may not be more than 1024",
        errorWhen="true && " * 200,
    ),
    _response("native that is not a boolean", "native", "boolean", native="MCP"),
    _response("a stream without an end", "stream", "set maxEvents, maxDuration or both", stream={}),
    _response(
        "a stream of no events",
        "stream.maxEvents",
        "greater than or equal to 1",
        stream={"maxEvents": 0},
    ),
    _response(
        "a stream of a million events",
        "stream.maxEvents",
        "less than or equal to 100000",
        stream={"maxEvents": 1_000_000},
    ),
    _response(
        "a stream for a while",
        "stream.maxDuration",
        "write a duration longer than zero",
        stream={"maxDuration": "a while"},
    ),
]
