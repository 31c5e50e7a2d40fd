"""Converts security schemes to credentials of the gateway, so that no argument holds a secret."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from mcp_operator.api.hosts import SERVICE_HOST, is_outside
from mcp_operator.api.places import FRAMING
from mcp_operator.importers.documents import Dialect, Documents, OpenApiError
from mcp_operator.importers.names import is_target, object_name
from mcp_operator.importers.operations import Operation
from mcp_operator.importers.swagger import security_scheme

_BASE_CHARACTERS, _OWN_CHARACTERS = 40, 20
"""Of the name of a Secret: the length of the base, and the least that is left for the scheme."""

_PREFIX: Final = re.compile(
    r"""(?:prepended|prefixed|preceded|starts?|begins?)\s+(?:with|by)\s+(?:the\s+)?"""
    r"""["'`]?(\w+)["'`]?\s*(?:followed|and|,|\.|$)""",
    re.IGNORECASE,
)
"""The word before a token in a description: `must be prepended with "token" followed by`."""

_URL: Final = re.compile(
    r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
)
"""A usable token URL. A relative URL does not name the host, and IP addresses and names such as
`localhost` refer to the author's machine."""

_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")
"""RFC 6749, section 3.3."""

_SECRET_NAMES: Final = frozenset(
    {"accesstoken", "apikey", "apitoken", "auth", "authtoken", "authorization", "token"}
    | {"xapikey", "xauthtoken"}
)
_SECRET_PARTS: Final = re.compile(
    r"(^|[-_])(auth|authorization|token|secret|password|api[-_]?key)([-_]|$)", re.IGNORECASE
)
_SECRET_WORDS: Final = re.compile(
    r"authenticat|authoriz|api key|access token|bearer", re.IGNORECASE
)


_RANKED: Final = {
    "basic": ("Basic", 1),
    "bearer": ("Bearer", 0),
    "clientCredentials": ("OAuth2", 0),
    "mutualTLS": ("mutualTLS", 4),
    "oauth2": ("Bearer", 0),  # flows with a user's consent: the token is created elsewhere
    "openIdConnect": ("Bearer", 0),
}
"""The types of schemes, with their names here and their ranks. The lowest rank is preferred."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme that a Secret can fill.

    Attributes:
        name: Its name in the document.
        type: `Bearer`, `Basic`, `Header`, `Query`, `Cookie`, `OAuth2` or `mutualTLS`.
        target: The header, query parameter or cookie that carries the token.
        prefix: The text before the token in a header.
        token_url: The token endpoint of OAuth 2.
        description: The description in the document.
        rank: The preference among several; the lowest is used.
        number: The number among schemes whose Secrets would have the same name, from 1.
    """

    name: str
    type: str
    target: str = ""
    prefix: str = ""
    token_url: str = ""
    description: str = ""
    rank: int = 0
    number: int = 1

    def secret_name(self, base: str) -> str:
        """Return the name of the Secret to fill."""
        end = f"-{self.number}" if self.number > 1 else ""
        return object_name(f"{base[:_BASE_CHARACTERS]}-{_words(self.name)}", 63 - len(end)) + end

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys of the Secret to fill."""
        match self.type:
            case "Basic":
                return ("username", "password")
            case "OAuth2":
                return ("client_id", "client_secret")
            case "mutualTLS":
                return ("tls.crt", "tls.key")
            case _:
                return ("token",)


@dataclass(frozen=True, slots=True)
class Access:
    """How one operation authenticates.

    Attributes:
        schemes: All are needed together; empty if the operation needs no authentication.
        scopes: The scopes to request with OAuth 2.
        unsupported: The schemes that no credentials can express, and why.
    """

    schemes: tuple[Scheme, ...] = ()
    scopes: tuple[str, ...] = ()
    unsupported: tuple[tuple[str, str], ...] = ()


class Security:
    """The security schemes of a document."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._schemes = dict(_numbered(_schemes(documents)))
        self._declared = {name for name, _ in documents.main.entries(*_place(documents))}
        self._carriers = {(scheme.type, scheme.target.lower()) for scheme in self._schemes.values()}

    def access(self, operation: Operation) -> Access:
        """Return how an operation authenticates. If there are several ways, this chooses one."""
        own = operation.place.mapping.get("security")
        wanted = own if isinstance(own, list) else self._documents.main.mapping.get("security")
        if not isinstance(wanted, list):
            return Access()
        ways = [way for way in wanted if isinstance(way, dict) and way]
        if not ways:
            return Access()
        possible = [way for way in ways if all(name in self._schemes for name in way)]
        if not possible:
            names = dict.fromkeys(name for way in ways for name in way)
            return Access(unsupported=tuple((name, self._why_not(name)) for name in names))
        best = min(possible, key=lambda way: (len(way), self._rank(way)))
        schemes = tuple(self._schemes[name] for name in best)
        scopes = [scope for scheme in schemes for scope in _scopes(scheme, best[scheme.name])]
        return Access(schemes, tuple(dict.fromkeys(scopes)))

    def is_credential(self, name: str, location: str, description: str, access: Access) -> bool:
        """Tell whether a parameter carries a credential that a security scheme already covers."""
        type_ = location.capitalize()
        if (type_, name.lower()) in self._carriers:
            return True
        bare = "".join(character for character in name.lower() if character.isalnum())
        told = _SECRET_WORDS.search(description) is not None
        return bool(access.schemes) and bare in _SECRET_NAMES and told

    def _why_not(self, name: str) -> str:
        return "not supported" if name in self._declared else "not declared"

    def _rank(self, way: Iterable[str]) -> int:
        return sum(self._schemes[name].rank for name in way)


def looks_secret(name: str) -> bool:
    """Tell whether the name of a header suggests that it carries a secret."""
    return _SECRET_PARTS.search(name) is not None


def _scopes(scheme: Scheme, given: Any) -> Iterator[str]:
    if scheme.type == "OAuth2" and isinstance(given, list):
        yield from (one for one in given if isinstance(one, str) and _SCOPE.fullmatch(one))


def _schemes(documents: Documents) -> Iterator[tuple[str, Scheme]]:
    old = documents.dialect is Dialect.SWAGGER_2
    for name, written in documents.main.entries(*_place(documents)):
        try:
            part = documents.resolved(written)
        except OpenApiError:
            continue
        scheme = _scheme(name, security_scheme(part.mapping) if old else part.mapping)
        if scheme:
            yield name, scheme


def _numbered(schemes: Iterable[tuple[str, Scheme]]) -> Iterator[tuple[str, Scheme]]:
    """Number the schemes whose Secrets would have the same name."""
    counts = Counter[str]()
    for name, scheme in schemes:
        words = object_name(_words(name))[:_OWN_CHARACTERS]
        counts[words] += 1
        yield name, replace(scheme, number=counts[words])


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)


def _place(documents: Documents) -> tuple[str, ...]:
    """Return the path of the security schemes in the document."""
    if documents.dialect is Dialect.SWAGGER_2:
        return ("securityDefinitions",)
    return ("components", "securitySchemes")


def _scheme(name: str, node: Mapping[str, Any]) -> Scheme | None:
    description = str(node.get("description") or "")
    late = 10 if "deprecated" in description.lower() else 0
    type_, token_url = str(node.get("type")), ""
    if type_ == "apiKey":
        return _api_key(name, node, description, late)
    if type_ == "http":
        type_ = str(node.get("scheme", "")).lower()
    elif type_ == "oauth2":
        token_url = _token_url(node.get("flows"))
        type_ = "clientCredentials" if token_url else type_
    if type_ not in _RANKED:
        return None
    kind, rank = _RANKED[type_]
    return Scheme(name, kind, token_url=token_url, description=description, rank=rank + late)


def _token_url(flows: Any) -> str:
    flow = flows.get("clientCredentials") if isinstance(flows, dict) else None
    url = flow.get("tokenUrl") if isinstance(flow, dict) else None
    if not isinstance(url, str) or not _URL.fullmatch(url):
        return ""
    host = urlsplit(url).hostname or ""
    return url if is_outside(host) or SERVICE_HOST.match(host) else ""


def _api_key(name: str, node: Mapping[str, Any], description: str, late: int) -> Scheme | None:
    target, location = node.get("name"), node.get("in")
    if not isinstance(target, str) or location not in ("header", "query", "cookie"):
        return None
    if not is_target(target, location) or (location == "header" and target.lower() in FRAMING):
        return None
    if location == "header" and target.lower() == "authorization":
        if "bearer" in f"{name} {description}".lower():
            return Scheme(name, "Bearer", description=description, rank=late)
        word = _PREFIX.search(description)
        prefix = f"{word[1]} " if word else ""
        return Scheme(name, "Header", "Authorization", prefix, "", description, late)
    rank = {"header": 2, "query": 3, "cookie": 3}[location] + late
    return Scheme(name, location.capitalize(), target, description=description, rank=rank)
