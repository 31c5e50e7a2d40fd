from __future__ import annotations

from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.rbac import build_role, build_role_binding
from mcp_operator.builders.serviceaccount import build_service_account, chosen_account
from support.servers import server

CONTEXT = BuildContext(gateway_image="gateway:1")


def test_a_gateway_may_watch_exactly_the_config_maps_of_its_catalog() -> None:
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


def test_a_gateway_may_get_its_key_and_exactly_the_secrets_its_catalog_names() -> None:
    _, rule = build_role(server(), shards=1, secret_names=["token", "basic", "token"])["rules"]

    assert rule == {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get"],
        "resourceNames": ["basic", "mcp-server-shop-keys", "token"],
    }


def test_the_order_in_which_secrets_are_found_changes_nothing() -> None:
    assert build_role(server(), 1, ["a", "b"]) == build_role(server(), 1, ["b", "a"])


def test_the_binding_joins_the_role_and_the_service_account_of_the_server() -> None:
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


def test_a_token_is_mounted_only_where_a_pod_asks_for_it() -> None:
    account = build_service_account(server(), CONTEXT)
    assert account is not None
    assert account["automountServiceAccountToken"] is False


def test_an_account_of_the_users_own_is_bound_in_place_of_one_that_is_made() -> None:
    own = server(podTemplate={"spec": {"serviceAccountName": "identity"}})
    assert build_service_account(own, CONTEXT) is None
    [subject] = build_role_binding(own, chosen_account(own, CONTEXT))["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "identity", "namespace": "demo"}
