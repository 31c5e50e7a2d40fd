"""YAML that is difficult for a validator, and the expected problem of each.

Each is a text or bytes, and the end of the first problem's line, from the line number on; or None
if the only problem is that the file has no custom resource of the project.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Final

Told = str | None
Case = tuple[str | bytes, Told]

OURS = "apiVersion: mcp-operator.dev/v1alpha1\n"
TOOL = OURS + "kind: MCPTool\nmetadata: {name: a}\n"
SERVICE = "{name: b, port: 80, path: /}"
SCHEMA = TOOL + f"spec: {{name: a, service: {SERVICE}, inputSchema: {{type: object, properties: "
GRANT = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\n"
ADDRESSED = "{name: b, annotations: {mcp-operator.dev/local-address: 5}}"
SERVER = OURS + "kind: MCPServer\nmetadata: {name: a}\nspec: "

TOO_DEEP = "is nested deeper than 100 levels; reduce the nesting"
MAX_NODES = 20_000
"""The limit of nodes in the tests, because half a million nodes take seconds."""

TOO_MANY = f"has more than {MAX_NODES} values; split the file"
EXPANDS = "aliases and << add more than 50000 values; use fewer of them"
ITSELF = "contains itself through an alias; remove the alias"
NO_TEXT = "a key must be a string; put it in quotes"
MERGES = "<< merges only a mapping, or a list of mappings"


def laughs(count: int, one: str, several: str) -> str:
    """Return values that each contain several of the previous one."""
    lines = [f"a{n}: &a{n} {several.replace('*', f'*a{n - 1}')}" for n in range(1, count)]
    return "\n".join([f"a0: &a0 {one}", *lines])


NESTED: Final[Mapping[str, Case]] = {
    "a hundred thousand lists": ("a: " + "[" * 100_000 + "]" * 100_000, f"1: {TOO_DEEP}"),
    "a hundred thousand objects": ("{a: " * 100_000 + "1" + "}" * 100_000, f"1: {TOO_DEEP}"),
    "five thousand lists": ("a: " + "[" * 5000 + "]" * 5000, f"1: {TOO_DEEP}"),
    "lists that are not closed": ("[" * 100_000, f"1: {TOO_DEEP}"),
    "nested keys": ("? " * 5000 + "a", f"1: {TOO_DEEP}"),
    "dashes": ("- " * 5000 + "a", f"1: {TOO_DEEP}"),
    "a schema of four hundred levels": (
        SCHEMA + "{a: " * 400 + "1" + "}" * 400 + "}}",
        f"4: {TOO_DEEP}",
    ),
    "a schema of seventy levels": (
        SCHEMA + "{a: " * 70 + "{}" + "}" * 70 + "}}",
        "4:spec.inputSchema.properties.a.a.a.a",
    ),
    "a spec of ninety levels": (
        TOOL + "spec: {other: " + "{a: " * 90 + "1" + "}" * 90 + "}",
        "4:spec.other: unknown field",
    ),
    "nested merges": ("{<<: " * 5000 + "{}" + "}" * 5000, f"1: {TOO_DEEP}"),
    "a chain of merges": (
        "x: [&a0 {b: c}, "
        + ", ".join(f"&a{n} {{<<: *a{n - 1}}}" for n in range(1, 3000))
        + "]\n<<: *a2999",
        "1: << is nested deeper than 100 levels; reduce the nesting",
    ),
}

EXPANDING: Final[Mapping[str, Case]] = {
    "a billion laughs": (laughs(10, "[x]", f"[{', '.join('*' * 9)}]"), f"6: {EXPANDS}"),
    "a billion objects": (laughs(12, "{x: 1}", "{p: *, q: *, r: *, s: *}"), f"8: {EXPANDS}"),
    "one alias, 15,000 times": (
        "a: &a [x, x, x, x]\nb:\n- *a" + "\n- *a" * 15_000,
        f"3: {EXPANDS}",
    ),
    "merges of one mapping": (
        "a: &a {"
        + ", ".join(f"k{n}: 1" for n in range(300))
        + "}\n"
        + "\n".join(f"m{n}:\n  <<: [{', '.join(['*a'] * 200)}]" for n in range(50)),
        f"5: {EXPANDS}",
    ),
    "merges of merges": (
        laughs(9, "{" + ", ".join(f"k{n}: 1" for n in range(50)) + "}", "{<<: [*, *, *, *]}"),
        None,
    ),
    "merges that are never read": (
        "a: {<<: [&a0 {"
        + ", ".join(f"k{n}: 1" for n in range(5000))
        + "}, "
        + ", ".join(f"&a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9))
        + "]}",
        f"1: {EXPANDS}",
    ),
    "very many anchors": ("".join(f"- &a{n} x\n" for n in range(15_000)), None),
    "very many documents": ("---\n" * 30_000, f"20002: {TOO_MANY}"),
    "very many items": ("kind: x\na:\n" + "- 1\n" * 30_000, f"19998: {TOO_MANY}"),
    "a list that contains itself": ("a: &a [*a]", f"1: {ITSELF}"),
    "an object that contains itself": ("a: &a {b: {c: *a}}", f"1: {ITSELF}"),
    "an object that merges itself": ("a: &a\n  <<: *a", f"1: {ITSELF}"),
    "an object that merges itself in a merge": ("a: &a {<<: {<<: *a}}", f"1: {ITSELF}"),
    "an object that merges its parent": ("a: &a {b: {<<: *a}}", f"1: {ITSELF}"),
    "an anchor that is defined twice": ("a: &x 1\nb: &x 2\nc: *x", None),
    "an alias without an anchor": ("a: *b", "1: is not valid YAML: found undefined alias 'b'"),
    "an alias of another document": (
        "a: &b 1\n---\na: *b",
        "3: is not valid YAML: found undefined",
    ),
    "an alias as a key": ("a: &a b\n*a : c", None),
}

SCALARS: Final[Mapping[str, Case]] = {
    **{
        f"!!{kind} {text!r}": (
            f"a: !!{kind} {text}",
            f"1: {text.strip(chr(34))!r} is not a valid {kind};",
        )
        for kind in ("int", "float", "bool")
        for text in ("abc", '""', "1__x")
    },
    "a null with another text": ("a: !!null abc", None),
    **{
        f"!!{kind}": (f"a: !!{kind} {text}", f"1: JSON has no type for the tag !!{kind}")
        for kind, text in {
            "binary": "AAA",
            "omap": "[b: 1]",
            "pairs": "[b: 1]",
            "set": "{b, c}",
            "timestamp": "abc",
        }.items()
    },
    "a Python tag": (
        "a: !!python/object/apply:os.system [id]",
        "1: JSON has no type for the tag !!python/object/apply:os.system; remove it",
    ),
    "a custom tag": ("a: !foo", "1: JSON has no type for the tag !foo; remove it"),
    "a custom tag on a list": ("a: !foo [b]", "1: JSON has no type for the tag !foo"),
    "a tag of a megabyte": (
        "a: !" + "f" * 10**6 + " b",
        "1: JSON has no type for the tag !fffffff",
    ),
    "an integer of five thousand digits": ("a: " + "9" * 5000, "1: '9999999999"),
    "a hexadecimal of five thousand digits": ("a: 0x" + "f" * 5000, "1: '0xffff"),
    "a binary number of five thousand digits": ("a: 0b" + "1" * 5000, "1: '0b1111"),
    "a number in base 60": ("a: 1" + ":59" * 100_000, None),
    "four hundred digits in a schema": (SCHEMA + "{a: {maximum: " + "9" * 400 + "}}}}", "4: '999"),
    "infinity": (
        "a: .inf",
        "1: '.inf' is not a number in JSON; if it is text, put it in quotes",
    ),
    "not a number": (SCHEMA + "{a: {const: .nan}}}}", "4: '.nan' is not a number in JSON"),
    "an exponent": ("a: 1.0e+999", "1: '1.0e+999' is not a number in JSON"),
    "infinity in a spec": (
        SERVER + "{toolSelector: {}, config: {pageSize: -.inf}}",
        "4: '-.inf' is not a number in JSON",
    ),
    "a list as a key": ("? [a]\n: b", f"1: {NO_TEXT}"),
    "an object as a key": ("? {a: b}\n: c", f"1: {NO_TEXT}"),
    "null as a key": ("~: a", f"1: {NO_TEXT}"),
    "a fraction as a key": ("1.5: a", f"1: {NO_TEXT}"),
    "infinity as a key": ("? .inf\n: a", "1: '.inf' is not a number in JSON"),
    "a huge number as a key": ("9" * 30 + ": a", f"1: {NO_TEXT}"),
    "a merge of numbers": ("<<: [1, 2]", f"1: {MERGES}"),
    "a merge of text": ("<<: a", f"1: {MERGES}"),
    "a key of a megabyte, twice": (f"? {'k' * 10**6}\n: 1\n? {'k' * 10**6}\n", "3: the key 'kkkk"),
    "a key with an escape": (
        '"\\e[31m": 1\n"\\e[31m": 2\n',
        r"2: the key '\x1b[31m' appears twice",
    ),
}

CHARACTERS: Final[Mapping[str, Case]] = {
    "a null character": ("a: 1\nb: \x00", "2: is not valid YAML: unacceptable character #x0000"),
    "a bell character": ("# é\na: \x07", "2: is not valid YAML: unacceptable character #x0007"),
    "half of a surrogate pair": (
        'a: "\\ud800"',
        "1: is not valid YAML: found invalid Unicode character",
    ),
    "half of a surrogate pair in a spec": (
        TOOL + f'spec: {{name: a, description: "\\ud800", service: {SERVICE}}}',
        "4: is not valid YAML: found invalid Unicode character",
    ),
    "half of a surrogate pair in UTF-8": (
        b"a: \xed\xa0\x80",
        "1: is not UTF-8 text; save it as UTF-8",
    ),
    "a tab": ("\ta: 1", "1: is not valid YAML: found character that cannot start any token"),
    "UTF-16": ("a: 1".encode("utf-16"), "1: is not UTF-8 text; save it as UTF-8"),
    "UTF-16 without a mark": (
        "a: 1".encode("utf-16-be"),
        "1: is not valid YAML: unacceptable character",
    ),
    "UTF-32": ("a: 1".encode("utf-32"), "1: is not UTF-8 text; save it as UTF-8"),
    "Latin 1": ("a: é".encode("latin-1"), "1: is not UTF-8 text; save it as UTF-8"),
    "random bytes": (bytes(range(256)), "1: is not UTF-8 text; save it as UTF-8"),
    "a byte order mark": (codecs.BOM_UTF8 + b"a: 1", None),
    "two byte order marks": (codecs.BOM_UTF8 * 2 + b"a: 1", None),
    "Windows line ends": ("a: 1\r\nb:\r\n- c\r\n- &x d\r\n", None),
    "old Macintosh line ends": ("a: 1\rb: 2\r", None),
    "Unicode line separators": ("a: 1\u2028b: 2\u0085c: 3", None),
    "an unknown escape": ('a: "\\q"', "1: is not valid YAML: found unknown escape character"),
    "a quote that is not closed": (
        'a: "b\n\n\n',
        "4: is not valid YAML: found unexpected end of stream",
    ),
    "a bracket that is not closed": (
        "a: [b\n",
        "2: is not valid YAML: did not find expected ',' or ']'",
    ),
    "a directive of another version": (
        "%YAML 3.0\n---\na: 1",
        "1: is not valid YAML: found incompatible",
    ),
    "an unknown directive": (
        "%FOO bar\n---\na: 1",
        "1: is not valid YAML: found unknown directive",
    ),
    "a long text": ("a: " + "x" * 10**6, None),
    "a long block": ("a: |\n  " + "x\n  " * 10**5, None),
    "an empty file": ("", None),
    "a comment": ("# nothing", None),
    "document separators": ("---\n---\n...\n---\n", None),
    "a list": ("- a\n- b", None),
    "a text": ("just text", None),
}

OBJECTS: Final[Mapping[str, Case]] = {
    "a List of different types": (
        "apiVersion: v1\nkind: List\nitems: [1, null, {}, [], {kind: MCPTool}]",
        "3:apiVersion: must be mcp-operator.dev/v1alpha1",
    ),
    "an empty List": ("apiVersion: v1\nkind: List\nitems:", None),
    "a List in a List": (
        "kind: List\nitems:\n- {kind: List, items: [{kind: MCPTool}]}",
        "3:apiVersion: must be mcp-operator.dev/v1alpha1",
    ),
    "an apiVersion and a kind that are numbers": (
        "apiVersion: 1\nkind: 2",
        "2:kind: must be a string; every object has an apiVersion and a kind",
    ),
    "a kind that is a list": (OURS + "kind: [MCPTool]", "2:kind: must be a string"),
    "a kind of a megabyte": (OURS + "kind: " + "k" * 10**6, "2:kind: mcp-operator.dev has no kind"),
    "metadata that is text": (
        OURS + "kind: MCPTool\nmetadata: x\nspec: 5",
        "3:metadata.name: Required value: give the object a name",
    ),
    "metadata that is left out": (OURS + "kind: MCPTool\nmetadata:\nspec:", "3:metadata.name: Req"),
    "a name that is a number": (
        SERVER.replace("a}", "5}") + "{toolSelector: {}}",
        "3:metadata.name: must consist of lower case",
    ),
    "a name of a megabyte": (
        TOOL.replace("a}", "a" * 10**6 + "}") + "spec: {}",
        "3:metadata.name: must consist of lower case",
    ),
    "labels that are a list": (
        TOOL.replace("a}", "a, labels: [x], annotations: 5}") + f"spec: {{service: {SERVICE}}}",
        "3:metadata.annotations: must be of type object",
    ),
    "a label of a megabyte": (
        OURS + f"kind: MCPTool\nmetadata:\n  name: a\n  labels:\n    ? {'k-' * 10**5}\nspec: {{}}",
        "6:metadata.labels[k-k-k",
    ),
    "a namespace that is a list": (
        TOOL.replace("a}", "a, creationTimestamp: 5, namespace: [x]}")
        + f"spec: {{name: a, service: {SERVICE}}}",
        "3:metadata.namespace: must be a string; put the value in quotes",
    ),
    "a spec that is a list": (TOOL + "spec: [a]", '4:spec: must be of type object: "array"'),
    "unknown fields": (
        TOOL + "spec:\n" + "".join(f"  name{n}: 1\n" for n in range(2000)),
        "5:spec.name0: unknown field; did you mean name?",
    ),
    "very many entries": (
        TOOL + "spec:\n  tools:\n" + "".join(f"  - {{name: {n}}}\n" for n in range(5000)),
        "5:spec.tools: Too many: 5000: must have at most 128 items",
    ),
    "a Secret whose name is a list": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: [a]}\ndata: {a: 5}",
        "3:metadata.name: must be a string; put the value in quotes",
    ),
    "a Secret whose data are a list": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: [1]\nstringData: 5",
        "4:data: must be an object",
    ),
    "a Service whose ports are text": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: x}",
        "4:spec.ports: must be a list",
    ),
    "a Service with invalid ports": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [5, {port: x}, {}]}",
        "4:spec.ports[0]: must be an object",
    ),
    "a Service without a spec": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: b}",
        "1:spec: is missing",
    ),
    "a Service whose annotations are a list": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: b, annotations: [1]}\nspec: {}",
        "3:metadata.annotations: must be an object",
    ),
    "a Service whose address is a number": (
        f"kind: Service\nspec: {{}}\nmetadata: {ADDRESSED}",
        "3:metadata.annotations[mcp-operator.dev/local-address]: must be a string",
    ),
    "a ConfigMap whose data are a list": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: [x]\nbinaryData: {a: '!'}",
        "4:data: must be an object",
    ),
    "a ReferenceGrant with fields of other types": (
        GRANT + "metadata: {name: x}\nspec: {from: x, to: 5}",
        "4:spec.from: must be a list",
    ),
    "a ReferenceGrant without a name": (
        GRANT + "metadata: {}\nspec: x",
        "3:metadata.name: is missing",
    ),
}

HOSTILE: Final[Mapping[str, Case]] = {**NESTED, **EXPANDING, **SCALARS, **CHARACTERS, **OBJECTS}

SOUND: Final[Mapping[str, str]] = {
    "a status with another type": TOOL + f"status: 5\nspec: {{name: a, service: {SERVICE}}}",
    "an unsigned 64-bit number": (SCHEMA + "{a: {type: integer, maximum: 18446744073709551615}}}}"),
    "a number that only a double holds": SCHEMA + "{a: {maximum: 1" + "0" * 300 + "}}}}",
}
"""Objects that the API server stores."""

USING = f"""
---
{OURS}kind: MCPTool
metadata: {{name: user, labels: {{app: a}}}}
spec:
  name: user
  service: {SERVICE}
  request:
    headers:
    - {{name: X, valueFrom: {{secretKeyRef: {{name: a, key: k}}}}}}
    - {{name: Y, valueFrom: {{configMapKeyRef: {{name: b, key: k}}}}}}
---
{OURS}kind: MCPServer
metadata: {{name: usersrv}}
spec: {{toolSelector: {{matchLabels: {{app: a}}}}}}
"""
"""Valid objects that refer to the others."""
