from __future__ import annotations

from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.rbac import build_role, build_role_binding
from mcp_operator.builders.serviceaccount import build_service_account, chosen_account
from support.servers import server

CONTEXT = BuildContext(gateway_image="gateway:1")


def test_a_gateway_can_watch_only_the_config_maps_of_its_catalog() -> None:
    rule, _ = build_role(server(), shards=3, secret_names=())["rules"]

    assert rule == {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "watch"],
        "resourceNames": [
            "mcp-server-shop-config",
            "mcp-server-shop-config-1",
            "mcp-server-shop-config-2",
        ],
    }


def test_a_gateway_can_get_only_its_key_and_the_secrets_of_its_catalog() -> None:
    _, rule = build_role(server(), shards=1, secret_names=["token", "basic", "token"])["rules"]

    assert rule == {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get"],
        "resourceNames": ["basic", "mcp-server-shop-keys", "token"],
    }


def test_the_order_of_secrets_does_not_change_the_role() -> None:
    assert build_role(server(), 1, ["a", "b"]) == build_role(server(), 1, ["b", "a"])


def test_the_binding_refers_to_the_role_and_the_service_account_of_the_server() -> None:
    binding = build_role_binding(server(), "")
    role = build_role(server(), 1, ())
    account = build_service_account(server(), CONTEXT)

    assert account is not None
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role["metadata"]["name"],
    }
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "demo"}
    ]


def test_the_service_account_does_not_mount_tokens_by_default() -> None:
    account = build_service_account(server(), CONTEXT)
    assert account is not None
    assert account["automountServiceAccountToken"] is False


def test_a_service_account_of_the_user_is_bound_and_none_is_built() -> None:
    own = server(podTemplate={"spec": {"serviceAccountName": "identity"}})
    assert build_service_account(own, CONTEXT) is None
    [subject] = build_role_binding(own, chosen_account(own, CONTEXT))["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "identity", "namespace": "demo"}
