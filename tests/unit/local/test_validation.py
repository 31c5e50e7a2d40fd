from __future__ import annotations

from pathlib import Path

import pytest

from mcp_operator.local.validation import Report, validate

SERVER = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec:
  toolSelector: {}
"""

TOOL = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: orders}
spec:
  name: get-order
  service:
    name: orders
    port: 80
    path: /orders/{id}
  inputSchema:
    type: object
    properties:
      id: {type: integer}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: orders}
spec:
  ports:
    - port: 80
"""


def check(tmp_path: Path, *documents: str) -> Report:
    (tmp_path / "shop.yaml").write_text("---\n".join(documents))
    return validate([tmp_path])


def told(report: Report) -> list[str]:
    """Return the problems without their file."""
    return [str(problem).removeprefix(f"{problem.file}:") for problem in report.problems]


def test_valid_objects_have_no_problems(tmp_path: Path) -> None:
    report = check(tmp_path, SERVER, TOOL, SERVICE)

    assert report.problems == ()
    assert report.summary == "2 objects in 1 file: no problems"


def test_a_value_that_the_api_server_rejects_is_reported_at_its_field(tmp_path: Path) -> None:
    report = check(tmp_path, SERVER, TOOL.replace("port: 80", "port: 80000"))

    (problem,) = told(report)
    assert problem.startswith("14:spec.service.port: ")
    assert report.summary == "1 problem in 1 file"


def test_a_violated_rule_across_fields_is_reported(tmp_path: Path) -> None:
    report = check(tmp_path, SERVER + "  mode: Direct\n")

    assert any("image" in problem for problem in told(report))


def test_an_unknown_field_is_reported(tmp_path: Path) -> None:
    (problem,) = told(check(tmp_path, TOOL + "  methd: GET\n"))
    assert problem.startswith("14:spec.methd: ")


def test_another_api_group_is_reported(tmp_path: Path) -> None:
    (problem,) = told(check(tmp_path, TOOL.replace("mcp-operator.dev", "example.com")))
    assert problem == "1:apiVersion: must be mcp-operator.dev/v1alpha1"


def test_an_object_without_a_kind_is_reported(tmp_path: Path) -> None:
    assert told(check(tmp_path, "apiVersion: v1\nmetadata: {name: a}\n")) == [
        "1:kind: is missing; every object has an apiVersion and a kind"
    ]


def test_objects_of_other_kinds_are_skipped(tmp_path: Path) -> None:
    assert check(tmp_path, SERVER, "apiVersion: apps/v1\nkind: Deployment\n").problems == ()


def test_an_unknown_kind_of_the_api_group_is_reported(tmp_path: Path) -> None:
    (problem,) = told(check(tmp_path, SERVER, TOOL.replace("kind: MCPTool", "kind: McpTool")))
    assert problem == (
        "8:kind: mcp-operator.dev has no kind 'McpTool'; use one of: MCPPrompt, MCPResource, "
        "MCPServer, MCPTool"
    )


def test_two_tools_with_the_same_name_are_reported_at_the_rejected_one(tmp_path: Path) -> None:
    report = check(tmp_path, SERVER, TOOL, TOOL.replace("name: orders}", "name: second}"), SERVICE)

    (problem,) = told(report)
    assert problem.startswith(
        "25:spec.name: tool 'get-order' is already served by MCPTool default/orders"
    )


def test_a_duplicate_entry_of_a_list_is_reported_at_the_entry(tmp_path: Path) -> None:
    several = (
        "apiVersion: mcp-operator.dev/v1alpha1\nkind: MCPTool\nmetadata: {name: several}\nspec:\n"
        "  service: {name: orders, port: 80}\n  tools:\n"
        "    - {name: other, path: /other}\n    - {name: get-order, path: /order}\n"
    )
    (problem,) = told(check(tmp_path, SERVER, TOOL, several, SERVICE))

    assert problem.startswith("28:spec.tools[1].name: tool 'get-order' is already served")


def test_the_same_name_in_two_servers_is_valid(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        SERVER.replace("{}", "{matchLabels: {app: a}}"),
        SERVER.replace("shop", "other").replace("{}", "{matchLabels: {app: b}}"),
        TOOL.replace("name: orders}", "name: a, labels: {app: a}}"),
        TOOL.replace("name: orders}", "name: b, labels: {app: b}}"),
    )
    assert report.problems == ()


def test_an_object_declared_twice_is_reported_with_the_place_of_the_first(tmp_path: Path) -> None:
    (problem,) = told(check(tmp_path, SERVER, SERVER))
    assert problem.startswith("9:metadata.name: MCPServer default/shop is also declared in ")
    assert problem.endswith("shop.yaml:1; keep one of them")


def test_a_missing_service_or_port_is_reported_if_the_files_have_services(tmp_path: Path) -> None:
    absent = check(tmp_path, TOOL, SERVICE.replace("name: orders", "name: users"))
    assert told(absent) == [
        "7:spec.service.name: Service default/orders does not exist: create it, or correct the name"
    ]

    wrong_port = check(tmp_path, TOOL, SERVICE.replace("80", "81"))
    assert told(wrong_port) == [
        "8:spec.service.port: Service default/orders has no port 80; use one of: 81"
    ]


def test_a_missing_service_is_not_reported_if_the_files_have_no_services(tmp_path: Path) -> None:
    assert check(tmp_path, SERVER, TOOL).problems == ()


def test_a_schema_that_does_not_compile_is_reported(tmp_path: Path) -> None:
    (problem,) = told(check(tmp_path, TOOL.replace("type: integer", "type: whole")))
    assert problem.startswith("13:spec.inputSchema.properties.id.type: inputSchema: the schema ")
    (problem,) = told(check(tmp_path, TOOL.replace("type: object", "type: array")))
    assert problem.startswith("10:spec.inputSchema: inputSchema: the root must have type")


@pytest.mark.parametrize("field", ["inputSchema", "outputSchema"])
def test_a_schema_that_costs_too_much_is_reported_at_its_place(tmp_path: Path, field: str) -> None:
    head = TOOL[: TOOL.index("  inputSchema")].replace("/{id}", "")
    schema = (
        f"  {field}:\n    type: object\n    properties:\n      a/b:\n        anyOf:\n"
        "        - {}\n        - pattern: a{9999999}\n"
    )
    (problem,) = told(check(tmp_path, head + schema))
    assert problem == (
        f"16:spec.{field}.properties[a/b].anyOf[1].pattern: {field}: "
        "#/properties/a~1b/anyOf/1/pattern would take 183.1 MiB when compiled, and at most 6 MiB "
        "are allowed: use lower repeat counts, or limit the length with maxLength"
    )
    (problem,) = told(check(tmp_path, head + schema.replace("a/b", "a b")))
    assert problem.startswith(f"12:spec.{field}.properties: {field}: #/properties/a b/anyOf/1/")


def test_a_path_placeholder_that_is_missing_in_the_schema_is_reported(tmp_path: Path) -> None:
    (problem,) = told(check(tmp_path, TOOL.replace("id: {type", "number: {type")))
    assert problem.startswith("9:spec.service.path: ")


@pytest.mark.parametrize(
    ("request_", "field", "line"),
    [
        ("arguments: [{name: other, in: query}]", "request.arguments", 15),
        ("arguments: [{name: id, in: body, fileName: a}]", "request.arguments", 15),
        ("body: {from: other}", "request.body.from", 15),
        ("forwardHeaders: [Cookie]", "request.forwardHeaders", 15),
    ],
)
def test_a_problem_of_a_request_is_reported_at_its_field(
    tmp_path: Path, request_: str, field: str, line: int
) -> None:
    report = check(tmp_path, f"{TOOL}  request:\n    {request_}\n")
    [problem] = told(report)
    assert problem.startswith(f"{line}:spec.{field}: ")


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("jsonPath: '$['", "jsonPath"),
        ("errorWhen: answer.ok", "errorWhen"),
        ("parameters: [{name: x, in: header, as: Authorization}]", "parameters"),
        ("body: {from: x}", "body.from"),
    ],
)
def test_a_problem_of_an_operation_is_reported_at_its_field(
    tmp_path: Path, written: str, field: str
) -> None:
    report = check(
        tmp_path,
        f"""\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPResource
metadata: {{name: docs}}
spec:
  name: docs
  operations:
    - uri{"Template: docs://a{?x}" if "parameters" in written else ": docs://a"}
      service: {{name: orders, port: 80}}
      {written}
""",
    )
    [problem] = told(report)
    assert problem.startswith(f"9:spec.operations[0].{field}: ")


def test_a_problem_in_an_entry_of_a_list_is_reported_at_that_entry(tmp_path: Path) -> None:
    several = (
        "apiVersion: mcp-operator.dev/v1alpha1\nkind: MCPTool\nmetadata: {name: several}\nspec:\n"
        "  service: {name: orders, port: 80}\n  tools:\n"
        "    - {name: fine, path: /fine}\n"
        "    - name: bad\n      path: /bad\n      inputSchema: {type: array}\n"
    )
    (problem,) = told(check(tmp_path, several))
    assert problem.startswith("10:spec.tools[1].inputSchema: tools[bad]: ")


def test_an_undeclared_variable_is_reported_at_the_template(tmp_path: Path) -> None:
    prompt = (
        "apiVersion: mcp-operator.dev/v1alpha1\nkind: MCPPrompt\nmetadata: {name: review}\n"
        "spec:\n  name: review\n  template: Review {{diff}}\n"
    )
    (problem,) = told(check(tmp_path, prompt))
    assert problem.startswith("6:spec.template: the text uses {{diff}}")


RESOURCE = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPResource
metadata: {name: docs}
spec:
  name: docs
  contentFrom:
    uri: docs://intro
    %s: {name: docs, key: intro.md}
"""


def test_a_missing_key_in_a_config_map_of_the_files_is_reported(tmp_path: Path) -> None:
    resource = RESOURCE % "configMapKeyRef"
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: docs}\ndata: {other: text}\n"

    assert told(check(tmp_path, resource, config_map)) == [
        (
            "8:spec.contentFrom.configMapKeyRef: ConfigMap default/docs has no key 'intro.md'"
            ": add it, or correct the key"
        )
    ]


@pytest.mark.parametrize("reference", ["configMapKeyRef", "secretKeyRef"])
def test_a_reference_to_an_object_outside_of_the_files_is_not_reported(
    tmp_path: Path, reference: str
) -> None:
    assert check(tmp_path, RESOURCE % reference).problems == ()


def test_a_missing_key_in_a_secret_of_the_files_is_reported(tmp_path: Path) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: docs}\nstringData: {other: text}\n"  # noqa: S105 - no secret

    assert told(check(tmp_path, RESOURCE % "secretKeyRef", secret)) == [
        (
            "8:spec.contentFrom.secretKeyRef: Secret default/docs has no key 'intro.md'"
            ": add it, or correct the key"
        )
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("apiVersion: v1\nkind: Service\nspec: {}\n", "1:metadata: is missing"),
        ("apiVersion: v1\nkind: Service\nmetadata: {}\nspec: {}\n", "3:metadata.name: is missing"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", "1:spec: is missing"),
        (
            SERVICE.replace("orders", "a, annotations: {mcp-operator.dev/local-address: nowhere}"),
            "3:metadata.annotations: mcp-operator.dev/local-address must be HOST:PORT",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: [x]\n",
            "4:data: must be an object",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  n: 5\n",
            "5:data.n: must be a string",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  token: '*'\n",
            "5:data.token: must be base64",
        ),
    ],
)
def test_malformed_fields_of_referenced_objects_are_reported(
    tmp_path: Path, document: str, expected: str
) -> None:
    (problem,) = told(check(tmp_path, document))
    assert problem.startswith(expected)


def test_a_note_is_added_for_an_object_that_no_server_selects(tmp_path: Path) -> None:
    selective = SERVER.replace("{}", "{matchLabels: {app: shop}}")

    assert check(tmp_path, selective, TOOL).summary == (
        "2 objects in 1 file: no problems\nnote: MCPTool default/orders: no MCPServer of the "
        "namespace selects this object: compare its labels with the servers' selectors, and its "
        "namespace with theirs"
    )
    assert check(tmp_path, TOOL).summary == "1 object in 1 file: no problems"


def test_problems_are_sorted_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(TOOL.replace("80", "0").replace("/orders/", "orders/"))
    (tmp_path / "a.yaml").write_text("kind: [\n")

    places = [(p.file.name, p.line) for p in validate([tmp_path]).problems]
    assert places == [("a.yaml", 2), ("b.yaml", 8), ("b.yaml", 9)]


TOKENS = """\
  auth:
    type: JWT
    jwt:
      issuer: https://login.example.com
      audiences: [shop]
      %s
"""


def test_a_missing_reference_of_the_authentication_is_reported_at_its_field(tmp_path: Path) -> None:
    uri = "jwksURI: http://login.default.svc:81/certs"
    report = check(tmp_path, SERVER + TOKENS % uri, SERVICE.replace("orders", "login"))
    assert told(report) == [
        "11:spec.auth.jwt.jwksURI: Service default/login has no port 81; use one of: 80"
    ]
    by_config_map = SERVER + TOKENS % "jwksConfigMapRef: {name: keys, key: jwks.json}"
    empty = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keys}\ndata: {jwks.json: '{}'}\n"
    (problem,) = told(check(tmp_path, by_config_map, empty))
    assert problem.startswith("11:spec.auth.jwt.jwksConfigMapRef: the key 'jwks.json' of ConfigMap")
    assert problem.endswith("it is not a JWK set: an object with the list keys")
    assert told(check(tmp_path, by_config_map)) == [], "it can be defined elsewhere"
