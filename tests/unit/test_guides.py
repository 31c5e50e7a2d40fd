"""The guides are accurate: every reason has its section, and the named things exist."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_operator.api.crd import crds, schemas
from mcp_operator.api.reasons import Reason
from mcp_operator.api.validation import problems
from mcp_operator.app.mcp_client.settings import TOKEN_VARIABLE
from mcp_operator.settings import GatewaySettings, OperatorSettings, ServeSettings
from mcp_operator.settings.loading import declared

ROOT = Path(__file__).parents[2]
TROUBLESHOOTING = ROOT / "docs" / "how-to" / "troubleshooting.md"
PAGES = (
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
)
PACKAGE = ROOT / "operator" / "mcp_operator"
PRESERVED = "x-kubernetes-preserve-unknown-fields"

SCHEMAS = schemas()
OURS = {
    name
    for definition in crds()
    for name in (
        definition["spec"]["names"]["plural"],
        definition["spec"]["names"]["singular"],
        *definition["spec"]["names"]["shortNames"],
        f"{definition['spec']['names']['plural']}.{definition['spec']['group']}",
    )
}
THEIRS = {
    *("configmap", "configmaps", "crd", "deployment", "deployments", "endpointslices", "events"),
    *("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
    *(
        "lease",
        "namespace",
        "pods",
        "referencegrants",
        "replicasets",
        "resourcequota",
        "rolebindings",
        "roles",
    ),
    *("secret", "secrets", "service", "serviceaccounts", "services"),
}
VERBS = {
    *(
        "annotate",
        "apply",
        "api-resources",
        "auth",
        "create",
        "delete",
        "describe",
        "diff",
        "events",
        "explain",
        "get",
        "label",
    ),
    *(
        "kustomize",
        "logs",
        "patch",
        "mcp",
        "port-forward",
        "rollout",
        "run",
        "scale",
        "top",
        "wait",
    ),
}

FIELDS_OF_OTHERS = {"spec.imagePullSecrets", "spec.verify"}  # of a pod template, of Flux
FAMILIES = ("controller_runtime", "informer", "leader_election", "mcp", "rest_client", "workqueue")
METRIC = rf"(?<!/)\b((?:{'|'.join(FAMILIES)})_[a-z][a-z_]+)\b"
PARTS = ("bucket", "count", "sum")
"""Of the samples of a histogram."""

VARIABLE = re.compile(r"\bMCP_OPERATOR_[A-Z_]*[A-Z]\b")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    return {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings(page)}


def commands(page: Path) -> list[str]:
    """Return the kubectl commands of the page, in code blocks and code spans."""
    text = text_of(page)
    shown = re.findall(r"^\$ (kubectl .*)$", text, re.MULTILINE)
    return shown + re.findall(r"`(kubectl [^`]+)`", text.replace("\n", " "))


def yaml_of(page: Path) -> Iterator[str]:
    """Yield the YAML blocks, including those in list items."""
    for block in re.finditer(r"^( *)```yaml\n(.*?)^\1```", text_of(page), re.MULTILINE | re.DOTALL):
        yield textwrap.dedent(block[2])


def has_field(schema: Mapping[str, Any], path: list[str]) -> bool:
    if not path:
        return True
    if "items" in schema:
        return has_field(schema["items"], path)
    inside = schema.get("properties", {}).get(path[0])
    if inside is None:
        return "additionalProperties" in schema or PRESERVED in schema
    return has_field(inside, path[1:])


def known(path: str) -> bool:
    return any(has_field(schema, path.split(".")) for schema in SCHEMAS.values())


def paths_of(part: Any) -> Iterator[list[str]]:
    """Yield the path of every key, without the indices of lists."""
    for item in part if isinstance(part, list) else ():
        yield from paths_of(item)
    for key, value in part.items() if isinstance(part, dict) else ():
        yield [key]
        yield from ([key, *path] for path in paths_of(value))


@cache
def messages() -> str:
    """Return every string in the source of the package, with adjacent parts joined."""
    return "\n".join(
        node.value
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text_of(page))):
            if "://" not in link:
                yield page, link


def test_every_reason_has_one_section_named_after_it() -> None:
    titles = headings(TROUBLESHOOTING)
    assert {reason: titles.count(reason) for reason in Reason} == dict.fromkeys(Reason, 1)


@pytest.mark.parametrize("reason", Reason)
def test_the_section_of_a_reason_has_an_explanation_and_a_fix(reason: Reason) -> None:
    section = re.split(rf"^### {reason}$", text_of(TROUBLESHOOTING), flags=re.MULTILINE)[1]
    body = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0].strip()
    assert len(body.split()) >= 4
    if "**Means**" in body:
        assert "**Fix**" in body or "kubectl" in body


@pytest.mark.parametrize(("page", "link"), list(links()), ids=str)
def test_every_link_has_an_existing_target(page: Path, link: str) -> None:
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    assert path.exists()
    if anchor:
        assert anchor in anchors(path)


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    listed = set(re.findall(r"\]\(([^)#]+\.md)\)", text_of(index)))
    pages = {str(page.relative_to(index.parent)) for page in index.parent.rglob("*.md")}
    assert listed == pages - {"README.md"}


@every_page
def test_kubectl_commands_use_verbs_and_resources_that_exist(page: Path) -> None:
    for command in commands(page):
        words = re.sub(r" (-n|--namespace)[ =]\S+| -\S+", "", command).split()[1:]
        verb, named = words[0], words[1:2]
        assert verb in VERBS, command
        if verb in ("get", "describe", "annotate", "label", "scale") and named:
            kinds = named[0].partition("/")[0].split(",")
            assert "--raw" in command or set(kinds) <= OURS | THEIRS, command
        if verb == "explain" and named:
            kind, _, path = named[0].partition(".")
            schema = {name.lower(): found for name, found in SCHEMAS.items()}[kind]
            assert has_field(schema, path.split(".")), command


@every_page
def test_the_named_fields_of_the_kinds_exist(page: Path) -> None:
    named = re.findall(r"`(?:\.)?((?:spec|status)\.[\w.]+\w)(?::[^`]*)?`", text_of(page))
    named = [path for path in named if path not in FIELDS_OF_OTHERS and not path.endswith(".py")]
    assert [path for path in named if not known(path)] == []


@every_page
def test_the_fields_in_json_paths_exist(page: Path) -> None:
    for command in commands(page):
        if not re.search(r" get (mcp[stpr])\b", command):
            continue
        for path in re.findall(r"\.((?:spec|status)\.\w+)", command):
            assert known(path), command


def test_the_named_environment_variables_exist() -> None:
    settings = (OperatorSettings, GatewaySettings, ServeSettings)
    variables = {one.variable for model in settings for one in declared(model)} | {TOKEN_VARIABLE}
    scripts = [
        ROOT / "noxfile.py",
        *(ROOT / "tools").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
    ]
    used = {name for file in scripts for name in VARIABLE.findall(text_of(file))}
    for page in PAGES:
        named = {one for one in VARIABLE.findall(text_of(page)) if "_SECRET_" not in one}
        assert named <= variables | used, page


@every_page
def test_the_yaml_of_the_kinds_is_valid(page: Path) -> None:
    for obj in (obj for block in yaml_of(page) for obj in yaml.safe_load_all(block)):
        if isinstance(obj, dict) and obj.get("apiVersion", "").startswith("mcp-operator.dev/"):
            assert problems(obj) == []


@every_page
def test_the_fields_in_partial_objects_exist(page: Path) -> None:
    for part in (obj for block in yaml_of(page) for obj in yaml.safe_load_all(block)):
        if isinstance(part, dict) and set(part) <= {"spec", "status"}:
            paths = list(paths_of(part))
            kinds = [
                kind
                for kind, schema in SCHEMAS.items()
                if all(has_field(schema, path) for path in paths)
            ]
            assert kinds, part


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_yaml_on_the_page_of_a_kind_is_valid(kind: str) -> None:
    blocks = yaml_of(ROOT / "docs" / "resources" / f"{kind.lower()}.md")
    shown = [yaml.safe_load(block) for block in blocks]
    assert any(obj.get("kind") == kind for obj in shown)
    whole = {"apiVersion": "mcp-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": "shown"}}
    assert [found for part in shown for found in problems(whole | part)] == []


@every_page
def test_the_named_files_exist(page: Path) -> None:
    text = text_of(page)
    modules = re.findall(r"`((?:gateway|controllers|builders|runtime|core|api)/[\w/]+\.py)`", text)
    files = re.findall(r"`((?:manifests|docs|charts)/[\w./-]+)`", text)
    missing = [path for path in modules if not (PACKAGE / path).exists()]
    missing += [path for path in files if not (ROOT / path).exists()]
    assert missing == []


def test_the_tests_that_the_threat_model_names_exist() -> None:
    page = (ROOT / "docs" / "explanation" / "threat-model.md").read_text(encoding="utf-8")
    tried = page.partition("as tried")[2].partition("## Spoofing")[0]
    named = re.findall(r"`(tests/[a-z_/]+\.py)`", tried)
    assert len(named) >= 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_quoted_log_lines_and_messages_exist_in_the_code() -> None:
    text = " ".join(text_of(TROUBLESHOOTING).split())
    said = messages()
    quoted = re.findall(r'"([A-Z][^"]{10,})"', text)
    quoted += ["Waiting for the lease", "all to a backend failed", "cannot be reached on port "]
    assert [one for one in quoted if one not in said] == []


@pytest.mark.parametrize(
    "words",
    re.findall(
        r"^\| ([a-z][^|]+) \| .*$",
        text_of(TROUBLESHOOTING).partition("## A call fails")[2],
        re.MULTILINE,
    ),
)
def test_the_quoted_messages_of_failed_calls_exist_in_the_code(words: str) -> None:
    assert words in messages()


@every_page
def test_the_named_metrics_exist(page: Path) -> None:
    reference = text_of(ROOT / "docs" / "reference" / "metrics.md")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", reference, re.MULTILINE)
    names = {name for name, _ in rows}
    names |= {f"{name}_{part}" for name, kind in rows if kind == "histogram" for part in PARTS}
    named = re.findall(METRIC, text_of(page))
    assert [one for one in named if one not in {*names, "mcp_operator"}] == []


def test_the_verified_identity_is_that_of_the_release_workflow() -> None:
    page = text_of(ROOT / "docs" / "how-to" / "verify-release.md")
    assert (ROOT / ".github" / "workflows" / "release.yml").exists()
    assert "/.github/workflows/release.yml@refs/tags/v$VERSION" in page
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    for command in ("cosign verify ", "cosign verify-attestation ", "gh attestation verify "):
        assert command in page
        assert command in release
