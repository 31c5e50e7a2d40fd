"""Where arguments and variables can go: the rules that the compiler and the gateway share.

The compiler rejects objects that break the rules, so that their authors get a message. The gateway
checks the rules again, because it does not trust catalogs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

PATH_PLACE: Final = re.compile(r"\{(\+?[^{}/+][^{}/]*)\}")
"""`{name}` in a path, or `{+name}` for a value of several segments (RFC 6570 section 3.2.3)."""

PROMPT_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
"""`{{name}}` in the text of a prompt."""

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Header fields of a single connection (RFC 9110 section 7.6.1 and RFC 2616 section 13.5.1)."""

FRAMING: Final = HOP_BY_HOP | {"host", "content-length", "content-encoding", "expect"}
"""Headers that only the HTTP client can set: they select the server, and frame the message."""

CAPABILITIES_HEADER: Final = "Mcp-Client-Capabilities"
RESPONSES_HEADER: Final = "Mcp-Input-Responses"
STATE_HEADER: Final = "Mcp-Request-State"

OF_THE_GATEWAY: Final = frozenset(
    {CAPABILITIES_HEADER.lower(), RESPONSES_HEADER.lower(), STATE_HEADER.lower()}
)
"""Headers in which the gateway sends a backend the client's capabilities and its responses. No
other sender can set them, so that the backend can trust them."""

NOT_FOR_ARGUMENTS: Final = (
    FRAMING
    | OF_THE_GATEWAY
    | {
        "authorization",
        "cookie",
        "content-type",
        "accept-encoding",
    }
)
"""Headers that tool arguments cannot set; for cookies, there is the location `cookie`."""

CLIENT_CREDENTIALS: Final = frozenset({"authorization", "cookie", "cookie2"})
"""Headers with a client's credentials. They are forwarded only if they are allowed by name;
`Proxy-Authorization` is never forwarded."""

FORM_TYPE: Final = "application/x-www-form-urlencoded"

MULTIPART_TYPE: Final = "multipart/form-data"


@lru_cache(maxsize=64)
def media_type(content_type: str) -> str:
    """Return a media type in lower case, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Tell whether a media type is JSON: `application/json`, or a type with the suffix `+json`."""
    found = media_type(content_type)
    return found == "application/json" or found.endswith("+json")


def is_form(content_type: str) -> bool:
    """Tell whether a body of this type consists of name=value pairs."""
    return media_type(content_type) == FORM_TYPE


def is_multipart(content_type: str) -> bool:
    """Tell whether a body of this type has a part for each argument."""
    return media_type(content_type) == MULTIPART_TYPE


def is_xml(content_type: str) -> bool:
    """Tell whether a media type is XML, or a type with the suffix `+xml`."""
    return media_type(content_type).endswith(("/xml", "+xml"))


def has_fields(content_type: str) -> bool:
    """Tell whether a body of this type can hold several named arguments."""
    return is_json(content_type) or is_form(content_type) or is_multipart(content_type)
