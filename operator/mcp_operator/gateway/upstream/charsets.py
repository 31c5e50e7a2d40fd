"""Which charset a text is in, and the text.

Labels mean what browsers take them for (WHATWG Encoding Standard): a byte order mark goes before
any label, and a label names the larger charset that is sent under it in practice, where the text
is not in the smaller one. Text is decoded strictly, so that nothing is read as what it is not.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
)
"""Python calls them text encodings; on the web none of them is a charset."""

_LABELS: Final[Mapping[str, str]] = {
    "cn-big5": "big5",
    "dos-874": "cp874",
    "gb_2312-80": "gb2312",
    "iso-10646-ucs-2": "utf-16",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-8-i": "iso8859-8",
    "ucs-2": "utf-16",
    "unicode": "utf-16",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "x-x-big5": "big5",
}
"""Labels in use that Python does not know."""

_LARGER: Final[Mapping[str, tuple[str, ...]]] = {
    "ascii": ("utf-8", "cp1252"),
    "big5": ("cp950", "big5hkscs"),
    "euc_kr": ("cp949",),
    "gb2312": ("gb18030",),
    "gbk": ("gb18030",),
    "iso8859-1": ("cp1252",),
    "iso8859-9": ("cp1254",),
    "iso8859-11": ("cp874",),
    "shift_jis": ("cp932",),
    "tis-620": ("cp874",),
}
"""What is sent under the name of a smaller charset."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"',]{1,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"^\s*<\?xml[^>]{0,100}\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})")
_HTML_CHARSET = re.compile(
    rb"<meta\s[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9._-]{1,40})", re.IGNORECASE
)
_CSS_CHARSET = re.compile(rb'@charset "([A-Za-z0-9._-]{1,40})";')
_HEAD: Final = 1024  # where the HTML standard has its reader look
_C1 = re.compile("[\x80-\x9f]")


def named(content_type: str) -> str:
    """Return the charset that a media type names, as it is written there; empty for none."""
    match = _CHARSET.search(content_type)
    return match[1] if match else ""


@lru_cache(maxsize=64)
def declared(content_type: str) -> str:
    """Return the charset that a media type names, as Python knows it; empty for none."""
    return _known(named(content_type))


def decoded(body: bytes, content_type: str, media_type: str) -> str | None:
    """Return the text of a body; None where it is in none of the charsets that it may be in.

    Args:
        body: The text.
        content_type: Which may name its charset.
        media_type: Without parameters, whose format may say how a text names its charset.
    """
    for charset in _candidates(body, content_type, media_type):
        try:
            text = body.decode(charset).removeprefix("\ufeff")
        except UnicodeError:
            continue
        if not (charset in {"iso8859-1", "iso8859-9"} and _C1.search(text)):
            return text
    return None


def _candidates(body: bytes, content_type: str, media_type: str) -> Iterator[str]:
    """Yield the charsets that a text may be in, the likeliest first."""
    mark = next((charset for mark, charset in _BOMS if body.startswith(mark)), "")
    if mark:
        yield mark
    charset = declared(content_type) or _within(body, media_type) or "utf-8"
    yield charset
    yield from _LARGER.get(charset, ())


def _known(written: str) -> str:
    label = written.lower()
    bare = label.removeprefix("x-")
    for name in (_LABELS.get(label, label), _LABELS.get(bare, bare)):
        try:
            b"a".decode(name)  # refuses "base64" and the like, which are not encodings of text
        except UnicodeError:
            pass  # half a character of UTF-16
        except (LookupError, ValueError):
            continue
        found = codecs.lookup(name).name
        return "" if found in _NO_CHARSETS else found
    return ""


def _within(body: bytes, media_type: str) -> str:
    """Return the charset that a text names in itself, as its format has it."""
    is_xml = media_type.endswith(("/xml", "+xml"))
    if media_type.endswith(("/json", "+json")) or (is_xml and b"\0" in body[:4]):
        return json.detect_encoding(body)  # by where the zeros are, as XML does (appendix F)
    found = None
    if is_xml:
        found = _XML_CHARSET.match(body[:_HEAD])
    elif media_type == "text/css":
        found = _CSS_CHARSET.match(body)
    if media_type in {"text/html", "application/xhtml+xml"} and not found:
        found = _HTML_CHARSET.search(body[:_HEAD])
    return _known(found[1].decode("ascii")) if found else ""
