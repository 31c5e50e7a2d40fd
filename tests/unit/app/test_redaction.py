"""What a support bundle removes from objects."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.app.inspection.redaction import REMOVED, redacted


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            {"env": [{"name": "PASSWORD", "value": "x"}, {"name": "A", "valueFrom": {"b": "c"}}]},
            {
                "env": [
                    {"name": "PASSWORD", "value": REMOVED},
                    {"name": "A", "valueFrom": {"b": "c"}},
                ]
            },
        ),
        (
            {"request": {"headers": [{"name": "X-Key", "value": "x"}]}},
            {"request": {"headers": [{"name": "X-Key", "value": REMOVED}]}},
        ),
        (
            {"query": [{"name": "key", "value": "x"}]},
            {"query": [{"name": "key", "value": REMOVED}]},
        ),
        (
            {"httpGet": {"httpHeaders": [{"name": "X-Key", "value": "x"}]}},
            {"httpGet": {"httpHeaders": [{"name": "X-Key", "value": REMOVED}]}},
        ),
        (
            {"set": [{"name": "Authorization", "value": "Bearer x"}]},
            {"set": [{"name": "Authorization", "value": REMOVED}]},
        ),
        (
            {"properties": {"apiKey": {"type": "string", "default": "x", "examples": ["y"]}}},
            {"properties": {"apiKey": {"type": "string", "default": REMOVED, "examples": REMOVED}}},
        ),
        (
            {"arguments": [{"name": "api_key", "default": "x"}]},
            {"arguments": [{"name": "api_key", "default": REMOVED}]},
        ),
        ({"body": {"constants": {"a": {"b": "x"}}}}, {"body": {"constants": REMOVED}}),
        ({"command": ["sh"], "args": ["--password=x"]}, {"command": REMOVED, "args": REMOVED}),
        ({"content": {"uri": "a:b", "text": "x"}}, {"content": {"uri": "a:b", "text": REMOVED}}),
        (
            {"annotations": {"own": "x", "mcp-operator.dev/applied-hash": "1"}},
            {"annotations": {"own": REMOVED, "mcp-operator.dev/applied-hash": "1"}},
        ),
        ({"apiToken": "x", "password": "y"}, {"apiToken": REMOVED, "password": REMOVED}),
    ],
)
def test_values_that_could_be_secrets_are_removed(given: Any, kept: Any) -> None:
    assert redacted(given) == kept


@pytest.mark.parametrize(
    "obj",
    [
        {"credentials": {"type": "Bearer", "secretRef": {"name": "api", "key": "token"}}},
        {"tls": {"secretName": "cert"}, "oauth2": {"tokenURL": "https://id.example.com/token"}},
        {"imagePullSecrets": [{"name": "registry"}], "serviceAccountName": "shop"},
        {"status": {"conditions": [{"type": "Ready", "message": "Secret demo/api has no key"}]}},
        {"properties": {"limit": {"type": "integer", "default": 10}}},
        {"replicas": 3, "paused": False, "nothing": None},
    ],
)
def test_references_of_an_object_are_kept(obj: Any) -> None:
    assert redacted(obj) == obj
