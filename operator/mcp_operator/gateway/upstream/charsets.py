"""Decodes text, and finds its charset.

Labels have the meaning that browsers give them (WHATWG Encoding Standard). A byte order mark takes
precedence over a label. If text is not valid in the named charset, the superset that is common in
practice is tried. Decoding is strict, so that text is never misread.
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
"""Text encodings of Python that are not charsets on the web."""

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
"""Larger charsets that are often sent under the name of a smaller one."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because its mark begins with that of UTF-16
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
_HEAD: Final = 1024  # bytes that the HTML standard searches
_C1 = re.compile("[\x80-\x9f]")


def named(content_type: str) -> str:
    """Return the charset in a media type, as it is written; empty for none."""
    match = _CHARSET.search(content_type)
    return match[1] if match else ""


@lru_cache(maxsize=64)
def declared(content_type: str) -> str:
    """Return the charset in a media type, by its name in Python; empty for none."""
    return _known(named(content_type))


def decoded(body: bytes, content_type: str, media_type: str) -> str | None:
    """Return the text of a body; None if it is not valid in any possible charset.

    Args:
        body: The text.
        content_type: The media type, which can name the charset.
        media_type: The media type without parameters; in some formats, the text names its charset.
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
    """Yield the possible charsets of a text, the most likely first."""
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
            b"a".decode(name)  # rejects "base64" and others that are not encodings of text
        except UnicodeError:
            pass  # one byte is half a character of UTF-16
        except (LookupError, ValueError):
            continue
        found = codecs.lookup(name).name
        return "" if found in _NO_CHARSETS else found
    return ""


def _within(body: bytes, media_type: str) -> str:
    """Return the charset that a text itself names, according to its format."""
    is_xml = media_type.endswith(("/xml", "+xml"))
    if media_type.endswith(("/json", "+json")) or (is_xml and b"\0" in body[:4]):
        return json.detect_encoding(body)  # by the positions of zero bytes, as in XML (appendix F)
    found = None
    if is_xml:
        found = _XML_CHARSET.match(body[:_HEAD])
    elif media_type == "text/css":
        found = _CSS_CHARSET.match(body)
    if media_type in {"text/html", "application/xhtml+xml"} and not found:
        found = _HTML_CHARSET.search(body[:_HEAD])
    return _known(found[1].decode("ascii")) if found else ""
