"""Reads OpenAPI documents from files, URLs and standard input.

A document can come from anywhere, and its references are read with the permissions of the user who
imports it. References can therefore only point into the folder of the document, or to its own host,
unless the user allows more.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp

from mcp_operator.importers.documents import Documents, OpenApiError, external_references
from mcp_operator.local.hints import hint_of_line
from mcp_operator.local.yaml_values import JsonLoader, YamlError, yaml_values

MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all documents together. The document of GitHub has 12 MB."""

MAX_DOCUMENTS: Final = 256
TIMEOUT: Final = 30.0
"""The timeout for one document, in seconds."""

STDIN: Final = "-"
_STDIN_URI: Final = "stdin:"

_MARKUP: Final = re.compile(r"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_JSON: Final = re.compile(r"\s*\{\s*\"")
"""The start of a JSON object; YAML is rarely written like that."""

_ACCEPT: Final = "application/json, application/yaml;q=0.9, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Source:
    """A document that was read.

    Attributes:
        documents: The document, and those it refers to.
        shown: Its origin: the name of the file, or the URL without secrets.
        digest: The SHA-256 of everything that was read, in hexadecimal.
        count: How many documents were read.
        notes: What a reviewer should know about them.
    """

    documents: Documents
    shown: str
    digest: str
    count: int
    notes: tuple[str, ...] = ()


def read_source(source: str, allowed: Sequence[str] = ()) -> Source:
    """Read a document, and those it refers to.

    Args:
        source: A path, a URL, or `-` for standard input.
        allowed: Additional folders and URLs that references can point into.

    Raises:
        OpenApiError: It cannot be read, or is not a document that can be imported.
    """
    reader = _Reader()
    uri, content = reader.read(_uri(source))
    notes: list[str] = []
    roots = {uri: _parsed(content, source, notes)}
    contents = {uri: content}
    unread: dict[str, str] = {}
    places = _Places(uri, allowed)
    with _naming(source):
        pending = sorted(external_references(roots[uri], uri))
    while pending:
        wanted = pending.pop(0)
        if wanted in roots or wanted in unread:
            continue
        try:
            places.check(wanted)
            _, contents[wanted] = reader.read(wanted, follow=False)
            roots[wanted] = _parsed(contents[wanted], wanted, notes)
            pending += sorted(external_references(roots[wanted], wanted))
        except OpenApiError as error:
            unread[wanted] = str(error)
    with _naming(source):
        documents = Documents(uri, roots, unread)
    return Source(documents, _shown(source), _digest(contents), len(roots), tuple(notes))


@contextmanager
def _naming(source: str) -> Iterator[None]:
    """Put the name of the document before the text of an error."""
    try:
        yield
    except OpenApiError as error:
        raise OpenApiError(f"{_shown(source)}: {error}") from error


class _Reader:
    """Reads bytes from files, URLs and standard input, up to the limits."""

    def __init__(self) -> None:
        self._bytes = 0
        self._documents = 0

    def read(self, uri: str, *, follow: bool = True) -> tuple[str, bytes]:
        """Return the URI of a document after redirects, and its bytes.

        Args:
            uri: The URI to read.
            follow: Whether to follow redirects.

        Raises:
            OpenApiError: It cannot be read.
        """
        self._documents += 1
        if self._documents > MAX_DOCUMENTS:
            raise OpenApiError(f"the document refers to more than {MAX_DOCUMENTS} others")
        rest = MAX_BYTES - self._bytes
        if uri == _STDIN_URI:
            found, content = uri, sys.stdin.buffer.read(rest + 1)
        elif urlsplit(uri).scheme == "file":
            found, content = uri, _file(uri, rest + 1)
        else:
            found, content = asyncio.run(_fetched(uri, rest + 1, follow=follow))
        self._bytes += len(content)
        if self._bytes > MAX_BYTES:
            raise OpenApiError(f"the documents have more than {MAX_BYTES} bytes")
        return found, content


class _Places:
    """The folders and URLs that references can point into."""

    def __init__(self, main: str, allowed: Sequence[str]) -> None:
        self._folders = [Path(one).resolve() for one in allowed if not _is_url(one)]
        self._urls = [one for one in allowed if _is_url(one)]
        split = urlsplit(main)
        if split.scheme == "file":
            self._folders.append(_path(main).parent)
        elif main != _STDIN_URI:
            self._urls.append(f"{split.scheme}://{split.netloc}/")

    def check(self, uri: str) -> None:
        """Check that references can point to a URI.

        Raises:
            OpenApiError: It is not in an allowed place.
        """
        if urlsplit(uri).scheme == "file":
            inside = any(_path(uri).is_relative_to(folder) for folder in self._folders)
        else:
            inside = any(_is_below(uri, one) for one in self._urls)
        if not inside:
            raise OpenApiError(
                "that is neither in the folder of the document nor on its host: allow it with "
                "--references-from"
            )


def _uri(source: str) -> str:
    if source == STDIN:
        return _STDIN_URI
    if "://" in source and not _is_url(source):
        raise OpenApiError(f"{source} cannot be read: use a file, or a URL with https or http")
    return source if _is_url(source) else Path(source).resolve().as_uri()


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _is_below(uri: str, allowed: str) -> bool:
    """Tell whether a URL has the same origin as another, and a path at or below its path."""
    one, other = urlsplit(uri), urlsplit(allowed)
    same = (one.scheme, one.netloc) == (other.scheme, other.netloc)
    folder = other.path.rstrip("/") + "/"
    return same and (one.path == other.path or one.path.startswith(folder))


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path)).resolve()


def _file(uri: str, limit: int) -> bytes:
    try:
        with _path(uri).open("rb") as file:
            return file.read(limit)
    except OSError as error:
        path = unquote(urlsplit(uri).path)
        raise OpenApiError(f"{path} cannot be read: {error.strerror or error}") from error


async def _fetched(url: str, limit: int, *, follow: bool) -> tuple[str, bytes]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, allow_redirects=follow, headers={"Accept": _ACCEPT}) as response,
        ):
            if response.status != 200:  # noqa: PLR2004 - HTTP's own number for success
                raise OpenApiError(f"{_shown(url)} answers with status {response.status}")
            content = b""
            async for chunk in response.content.iter_chunked(64 * 1024):
                content += chunk
                if len(content) >= limit:
                    break
            return str(response.url), content
    except TimeoutError as error:
        raise OpenApiError(f"{_shown(url)} did not answer within {TIMEOUT:g} seconds") from error
    except aiohttp.InvalidURL as error:
        raise OpenApiError(f"{_shown(url)} is not a valid URL") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise OpenApiError(f"{_shown(url)} cannot be read: {error}") from error


def _parsed(content: bytes, name: str, notes: list[str]) -> Any:
    """Parse JSON, or YAML if it is not JSON."""
    shown = _shown(name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OpenApiError(f"{shown} is not UTF-8 text: save it as UTF-8") from error
    if _MARKUP.match(text):
        raise OpenApiError(f"{shown} is HTML or XML: use the URL of the JSON or YAML document")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise OpenApiError(f"{shown} is nested too deeply") from error
    except json.JSONDecodeError as error:
        wrong = f"{error.lineno}: is not valid JSON: {error.msg}" if _JSON.match(text) else ""
    except ValueError:
        wrong = ""
    return _yaml(text, shown, notes, wrong)


def _yaml(text: str, shown: str, notes: list[str], wrong: str) -> Any:
    """Parse YAML; `wrong` is what is wrong with it as JSON, if it is likely meant to be JSON."""
    repeated: list[tuple[str, int]] = []
    try:
        values = [value for value, _ in yaml_values(text, partial(JsonLoader, repeated=repeated))]
    except YamlError as error:
        told = wrong or f"{error.line}: {error}{hint_of_line(text, error.line)}"
        raise OpenApiError(f"{shown}:{told}") from error
    except RecursionError as error:
        raise OpenApiError(f"{shown} is nested too deeply") from error
    if len(values) != 1:
        held = f"has {len(values)} YAML documents: keep one" if values else "is empty"
        raise OpenApiError(f"{shown} {held}")
    notes += [
        f"the key {name!r} appears twice, and the import uses the last value ({shown}:{line})"
        for name, line in repeated
    ]
    return values[0]


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _shown(source: str) -> str:
    """Return a source without its folder, password or query, so that it can be written to files."""
    if source == STDIN:
        return "standard input"
    if not _is_url(source):
        return Path(unquote(urlsplit(source).path) if "://" in source else source).name
    split = urlsplit(source)
    host = split.netloc.rpartition("@")[2]
    return urlunsplit((split.scheme, host, split.path, "", ""))


def _digest(contents: Mapping[str, bytes]) -> str:
    """Return the digest of all documents, in the order in which they were found."""
    digest = hashlib.sha256()
    for content in contents.values():
        digest.update(content)
    return digest.hexdigest()
