"""Compiles the credentials that requests to backends authenticate with."""

from __future__ import annotations

from mcp_operator.api.catalog import Credentials, OAuth2
from mcp_operator.api.v1alpha1.backend import OAuth2Client, RequestCredentials
from mcp_operator.builders.compile_endpoint import (
    Referrer,
    service_of_url,
    tls_secrets,
    url_endpoint,
)
from mcp_operator.builders.references import References
from mcp_operator.core.meta import Key


def credential_references(credentials: RequestCredentials | None, namespace: str) -> References:
    """Return everything that credentials refer to."""
    if credentials is None:
        return References()
    client = credentials.oauth2
    service = service_of_url(client.token_url) if client else None
    names = {credentials.secret_ref.name} | tls_secrets(client.tls if client else None)
    return References(
        services=frozenset({service} if service else ()),
        secrets=frozenset(Key(namespace, name) for name in names),
    )


def compile_credentials(credentials: RequestCredentials, referrer: Referrer) -> Credentials:
    """Resolve credentials.

    Raises:
        InvalidError: The port of the token endpoint is not valid.
        UnresolvedError: A Secret or the token endpoint is missing, or not allowed.
    """
    reference = credentials.secret_ref
    if credentials.type == "Basic":
        return Credentials(
            type="Basic",
            secret=referrer.secret(reference.name, reference.password_key),
            username=referrer.secret(reference.name, reference.username_key),
        )
    if credentials.oauth2 is not None:
        return Credentials(
            type="OAuth2",
            secret=referrer.secret(reference.name, reference.client_secret_key),
            username=referrer.secret(reference.name, reference.client_id_key),
            oauth2=_client(credentials.oauth2, referrer),
        )
    return Credentials(
        type=credentials.type,
        name=credentials.name or credentials.header or "Authorization",
        prefix=credentials.prefix or "",
        secret=referrer.secret(reference.name, reference.key),
    )


def _client(client: OAuth2Client, referrer: Referrer) -> OAuth2:
    endpoint = url_endpoint(client.token_url, client.tls, referrer, "credentials.oauth2.tokenURL")
    return OAuth2(
        endpoint=endpoint.model_copy(update={"method": "POST"}),
        scopes=client.scopes,
        audience=client.audience or "",
        resource=client.resource or "",
        in_form=client.client_authentication == "Post",
    )
