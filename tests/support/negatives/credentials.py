"""Tools with invalid credentials."""

from __future__ import annotations

from support.manifests import tool
from support.negatives.case import Negative

CREDENTIALS = [
    Negative(
        "credentials without a Secret",
        tool(request={"credentials": {"type": "Bearer"}}),
        "spec.request.credentials.secretRef",
        "Required value",
    ),
    Negative(
        "credentials of type Header without header",
        tool(request={"credentials": {"type": "Header", "secretRef": {"name": "s"}}}),
        "spec.request.credentials.header",
        "type: Header requires exactly one of header and name",
    ),
    Negative(
        "Bearer credentials with a header",
        tool(
            request={"credentials": {"type": "Bearer", "header": "X", "secretRef": {"name": "s"}}}
        ),
        "spec.request.credentials.header",
        "type: Header requires exactly one of header and name",
    ),
    Negative(
        "Basic credentials with key",
        tool(request={"credentials": {"type": "Basic", "secretRef": {"name": "s", "key": "k"}}}),
        "spec.request.credentials.secretRef",
        "Basic reads usernameKey and passwordKey",
    ),
]
