"""Rules for every workflow, so that none of them can compromise the project.

`nox -s workflows` also lints them, with zizmor, actionlint and the published schemas.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.yml"))}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
# YAML 1.1 reads the key `on` as a boolean.
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}

USES = re.compile(r"^\s*(?:- )?uses: (?P<action>\S+?)@(?P<ref>\S+)(?P<rest>.*)$", re.MULTILINE)
VERSION = re.compile(r" # v\d+\.\d+\.\d+")

HARDEN = "step-security/harden-runner"
CHECKOUT = "actions/checkout"

all_workflows = pytest.mark.parametrize("name", FILES)


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = WORKFLOWS[name]["jobs"]
    return found


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in jobs(name).values():
        yield from job["steps"]


def triggers(name: str) -> set[str]:
    return set(WORKFLOWS[name][True])


def commands(name: str) -> str:
    return "\n".join(step.get("run", "") for step in steps(name))


def test_the_workflows_are_exactly_the_expected_ones() -> None:
    expected = {"chart", "ci", "docs", "e2e", "nightly", "release", "scorecard", "security"}
    assert set(FILES) == expected
    assert list(FOLDER.iterdir()) != []
    assert {path.suffix for path in FOLDER.iterdir()} == {".yml"}


@all_workflows
def test_every_action_is_pinned_by_a_full_commit_and_says_its_version(name: str) -> None:
    found = list(USES.finditer(TEXTS[name]))
    assert len(found) == TEXTS[name].count("uses:")
    for match in found:
        assert re.fullmatch(r"[0-9a-f]{40}", match["ref"]), match.group()
        assert VERSION.fullmatch(match["rest"]), match.group()


def test_an_action_has_the_same_pin_in_all_workflows() -> None:
    pins: dict[str, set[str]] = {}
    for text in TEXTS.values():
        for match in USES.finditer(text):
            owner, repository = match["action"].split("/")[:2]
            pins.setdefault(f"{owner}/{repository}", set()).add(match["ref"] + match["rest"])
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


@all_workflows
def test_no_permission_is_granted_to_a_whole_workflow(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}


@all_workflows
def test_every_job_lists_its_permissions_each_with_its_reason(name: str) -> None:
    assert [job for job, content in jobs(name).items() if "permissions" not in content] == []
    granted = re.findall(r"^\s+[\w-]+: (?:read|write)\b(.*)$", TEXTS[name], re.MULTILINE)
    assert [rest for rest in granted if not rest.startswith(" # ")] == []


@all_workflows
def test_every_job_has_a_timeout(name: str) -> None:
    assert [job for job, content in jobs(name).items() if "timeout-minutes" not in content] == []


@all_workflows
def test_every_workflow_has_a_concurrency_group(name: str) -> None:
    assert {"group", "cancel-in-progress"} == set(WORKFLOWS[name]["concurrency"])


@all_workflows
def test_every_job_runs_on_a_pinned_version_of_the_runner(name: str) -> None:
    assert {content["runs-on"] for content in jobs(name).values()} == {"ubuntu-24.04"}


@all_workflows
def test_the_first_step_of_every_job_is_harden_runner(name: str) -> None:
    for job, content in jobs(name).items():
        assert content["steps"][0]["uses"].startswith(f"{HARDEN}@"), job


@all_workflows
def test_no_checkout_persists_credentials(name: str) -> None:
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith(f"{CHECKOUT}@")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


@all_workflows
def test_no_workflow_has_a_trigger_that_runs_untrusted_code_with_permissions(name: str) -> None:
    assert triggers(name).isdisjoint({"pull_request_target", "workflow_run", "issue_comment"})


@all_workflows
def test_no_script_contains_an_expression(name: str) -> None:
    assert "${{" not in commands(name)


def test_a_release_does_not_use_caches() -> None:
    for step in steps("release"):
        action, options = step.get("uses", ""), step.get("with", {})
        assert not action.startswith("actions/cache@")
        assert "cache-from" not in options
        assert "cache" not in options
        if action.startswith("docker/setup-buildx-action@"):
            assert options["cache-binary"] is False
        if action.startswith("docker/setup-qemu-action@"):
            assert options["cache-image"] is False


def test_a_release_is_verified_in_the_job_that_signs_it() -> None:
    for job in ("image", "chart"):
        script = "\n".join(step.get("run", "") for step in jobs("release")[job]["steps"])
        assert "cosign sign --yes" in script
        assert script.index("cosign sign") < script.index("cosign verify ")
        assert "gh attestation verify" in script


def test_the_required_check_needs_every_job_that_can_fail_a_change() -> None:
    optional = {"coverage"}  # depends on another service being up
    every = set(jobs("ci"))
    assert set(jobs("ci")["alls-green"]["needs"]) == every - optional - {"alls-green"}
    assert jobs("ci")["alls-green"]["if"] == "always()"


def test_a_job_that_compares_with_the_last_release_fetches_its_tags() -> None:
    comparing = [
        job
        for name in FILES
        for job in jobs(name).values()
        if any("sessions compatibility" in step.get("run", "") for step in job["steps"])
    ]
    assert comparing
    for job in comparing:
        [checkout] = [step for step in job["steps"] if step.get("uses", "").startswith(CHECKOUT)]
        assert checkout["with"]["fetch-depth"] == 0


def test_the_tests_run_on_every_supported_python() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)
    assert jobs("ci")["tests"]["strategy"]["matrix"]["python"] == promised


@all_workflows
def test_the_called_sessions_and_make_goals_exist(name: str) -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    sessions = {one.name for one in functions if one.decorator_list}
    script = commands(name)
    lines = re.findall(r"nox --sessions ([a-z0-9_ ]+?)(?: --.*)?$", script, re.MULTILINE)
    called = {word for line in lines for word in line.split()}
    called |= set(re.findall(r"^\s*make ([a-z0-9_]+)$", script, re.MULTILINE))
    assert called <= sessions


@all_workflows
def test_the_named_files_exist(name: str) -> None:
    named = re.findall(
        r"(?<![\w/$.])(?:tools|tests|charts|manifests|requirements|docs)/[\w./-]+\w", TEXTS[name]
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_ecosystem_has_a_cooldown_for_new_versions() -> None:
    config = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    ecosystems = {update["package-ecosystem"] for update in config["updates"]}
    assert ecosystems == {"docker", "github-actions", "gomod", "npm", "pip"}
    for update in config["updates"]:
        assert update["cooldown"]["default-days"] >= 7
        assert update["groups"]
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.strip("/")).is_dir()


def test_every_path_in_codeowners_exists() -> None:
    text = (ROOT / ".github" / "CODEOWNERS").read_text(encoding="utf-8")
    paths = re.findall(r"^(/\S+)", text, re.MULTILINE)
    assert paths
    assert [path for path in paths if not (ROOT / path.strip("/")).exists()] == []
