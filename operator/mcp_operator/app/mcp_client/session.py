"""A connection to an MCP server with the official SDK, and the explanation of its errors."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from mcp_operator.app.mcp_client.arguments import read
from mcp_operator.app.mcp_client.settings import TOKEN_VARIABLE, InspectSettings
from mcp_operator.core.errors import OperatorError, SettingsError, leaves
from mcp_operator.version import VERSION

CONNECT_SECONDS: Final = 10.0

UNAUTHORIZED: Final = 401

STAND_INS: Final = frozenset({"Server returned an error response", "Not Found"})
"""The SDK's messages if the server answered with an HTTP error instead of a JSON-RPC error."""

CLOSED: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError)
"""The exceptions of the SDK's own streams once they are closed."""

T = TypeVar("T")


class LastRefusal:
    """The last HTTP error of the server, because the SDK does not report its status."""

    def __init__(self) -> None:
        self.status = 0
        self.challenge = ""
        self.sent_token = False

    async def note(self, response: httpx2.Response) -> None:
        """Record whether the last answer to a message is an error."""
        if response.request.method == "POST":  # servers can refuse the GET stream of a session
            self.status = response.status_code if response.is_error else 0
            self.challenge = response.headers.get("www-authenticate", "")
            self.sent_token = "authorization" in response.request.headers

    def sentence(self, url: str) -> str:
        """Explain the answer of a URL; empty if it was not an error."""
        match self.status:
            case 0:
                return ""
            case 401:
                what = "does not accept the token" if self.sent_token else "requires a token"
                said = f". It says: {self.challenge}" if " " in self.challenge else ""
                return (
                    f"the server {what} (HTTP 401); give {'another' if self.sent_token else 'it'} "
                    f"with --token-file or in {TOKEN_VARIABLE}{said}"
                )
            case 403:
                return "the server refuses this client (HTTP 403)"
            case 404:
                usual = urlsplit(url)._replace(path="/mcp").geturl()
                tried = "" if usual == url else f"; servers usually have it at {usual}"
                return f"there is no MCP endpoint at this path (HTTP 404){tried}"
            case status:
                return f"the server answered with HTTP {status}"


async def with_server(
    settings: InspectSettings, work: Callable[[Client], Awaitable[T]], **callbacks: Any
) -> T:
    """Connect, do the work, and disconnect.

    Args:
        settings: The server, and how to reach it.
        work: Called with the connected client.
        callbacks: Further arguments of the SDK's client, such as `elicitation_callback`.

    Raises:
        SettingsError: The settings do not say how to connect.
        OperatorError: The server cannot be reached, or refuses the request.
    """
    if "@" in urlsplit(settings.url).netloc:
        raise SettingsError(
            "URL: remove the user name and password; pass a token with --token-file, or "
            "another header with --header @FILE"
        )
    logging.getLogger("mcp").addHandler(logging.NullHandler())  # errors are printed only once
    refusal, interrupted = LastRefusal(), False
    http = httpx2.AsyncClient(
        headers=await asyncio.to_thread(headers, settings, os.environ),
        timeout=httpx2.Timeout(settings.timeout, connect=CONNECT_SECONDS, read=None),
        verify=await asyncio.to_thread(_trusted, settings),
        event_hooks={"response": [refusal.note]},
    )
    try:
        async with (
            http,
            Client(
                streamable_http_client(settings.url, http_client=http),
                mode=settings.protocol,
                read_timeout_seconds=settings.timeout,
                client_info=types.Implementation(name="mcp-operator-inspect", version=VERSION),
                **callbacks,
            ) as client,
        ):
            try:
                return await work(client)
            except asyncio.CancelledError:
                interrupted = True
                raise
    except Exception as error:
        # While it closes, the SDK can fail in a request in flight, and hide that the reason was
        # Ctrl-C. Any other cancellation of the work comes with an error of the connection.
        if interrupted and all(isinstance(one, CLOSED) for one in leaves(error)):
            raise asyncio.CancelledError from error
        raise explained(error, settings, refusal) from error


def headers(settings: InspectSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of each request. No error contains a value, because it can be a secret.

    Raises:
        SettingsError: A header is not valid, or a file cannot be read.
    """
    found = {}
    for number, given in enumerate(settings.header, 1):
        where, texts = f"--header number {number}", [given]
        if given.startswith("@"):
            where = f"--header {given}"
            texts = [
                line for line in read(Path(given[1:]), "--header").splitlines() if line.strip()
            ]
        for text in texts:
            name, separator, value = text.partition(":")
            if not separator or not name.strip() or not _is_header(value):
                raise SettingsError(f"{where} is not 'NAME: VALUE' in ASCII")
            found[name.strip()] = value.strip()
    token, where = environ.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE
    if settings.token_file is not None:
        token, where = read(settings.token_file, "--token-file"), "--token-file"
    if token.strip():
        if not _is_header(token.strip()):
            raise SettingsError(f"{where} has more than a token: it must be one line in ASCII")
        found["Authorization"] = f"Bearer {token.strip()}"
    return found


def _is_header(text: str) -> bool:
    return text.isascii() and text.replace("\t", " ").isprintable()


def _trusted(settings: InspectSettings) -> ssl.SSLContext:
    """Return the certificate authorities to trust.

    Raises:
        SettingsError: The file cannot be read, or contains no certificate.
    """
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise SettingsError(f"--ca-file: {settings.ca_file} cannot be read: {error}") from error


def explained(error: Exception, settings: InspectSettings, refusal: LastRefusal) -> BaseException:
    """Explain an error to a person. Return the error itself if it is a bug of this program."""
    found = list(leaves(error))
    first = next((one for one in found if isinstance(one, OperatorError)), found[0])
    told = _told(first, settings, refusal)
    return OperatorError(f"{settings.server}: {told}") if told else first


def _told(error: BaseException, settings: InspectSettings, refusal: LastRefusal) -> str:
    """Explain an error of the server or of the connection; empty for any other error."""
    match error:
        case MCPError():
            said = f"{error.error.message} (error {error.error.code})"
            stands_in = error.error.message in STAND_INS or refusal.status == UNAUTHORIZED
            return (stands_in and refusal.sentence(settings.server)) or said
        case TimeoutError() | httpx2.TimeoutException():
            return f"no answer within {settings.timeout:g} s; raise --timeout"
        case httpx2.HTTPError():
            return f"the server cannot be reached: {error}{_hint(error)}"
        case ValidationError():
            return f"the response of the server is not valid MCP: {error}"
        case RuntimeError():
            return str(error)
        case _:
            return ""


def _hint(error: Exception) -> str:
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "; if you have your own certificate authority, specify it with --ca-file"
    if "WRONG_VERSION_NUMBER" in said:
        return "; it does not serve HTTPS: begin the URL with http://"
    if isinstance(error, httpx2.RemoteProtocolError):
        return "; if it serves HTTPS, begin the URL with https://"
    if isinstance(error, httpx2.ConnectError):
        return "; check the URL, and that the server or `kubectl port-forward` runs"
    return ""
