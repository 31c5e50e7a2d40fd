"""The CRDs are compared with those of the last release; a breaking change needs an allowance."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import compatibility
import pytest
import yaml
from compatibility import ComparisonError, judged
from crd_changes import Change

Crd = dict[str, Any]

SPEC: Crd = {"type": "object", "properties": {"name": {"type": "string"}}}

THING: Crd = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
            }
        ],
    },
}

CHANGE = Change("Thing", "v1.spec.name", "field removed")


def allowance(**fields: str) -> dict[str, str]:
    return {"since": "v0.1.0", "change": str(CHANGE), "reason": "Nobody used it.", **fields}


def test_a_change_is_allowed_by_an_allowance_for_the_compared_release() -> None:
    assert judged([CHANGE], "v0.1.0", [allowance()]) == []
    refused = [f"{CHANGE} (not allowed)"]
    assert judged([CHANGE], "v0.1.0", []) == refused
    assert judged([CHANGE], "v0.2.0", [allowance()]) == refused


def test_an_unused_allowance_is_rejected_while_its_release_is_compared() -> None:
    [problem] = judged([], "v0.1.0", [allowance()])
    assert "nothing needs" in problem
    assert judged([], "v0.2.0", [allowance()]) == []


@pytest.mark.parametrize("wrong", [allowance(reason=" "), allowance(why="x"), {"since": "v0.1.0"}])
def test_an_allowance_must_have_a_change_a_release_and_a_reason(wrong: dict[str, str]) -> None:
    with pytest.raises(ComparisonError, match="needs since, change and a reason"):
        judged([], "v0.1.0", [wrong])


class Repository:
    """A clone with CRDs, in which tests create releases."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._git("init", "--quiet")
        self.write(THING)
        self.allow()

    def write(self, *crds: Crd) -> None:
        (self.root / "crds").mkdir(exist_ok=True)
        (self.root / "crds" / "kustomization.yaml").write_text("kind: Kustomization\n", "utf-8")
        documents = [{"kind": "CustomResourceDefinition", **crd} for crd in crds]
        (self.root / "crds" / "things.yaml").write_text(yaml.safe_dump_all(documents), "utf-8")

    def allow(self, *allowances: dict[str, str]) -> None:
        (self.root / "tools").mkdir(exist_ok=True)
        text = yaml.safe_dump(list(allowances))
        (self.root / compatibility.ALLOWANCES).write_text(text, "utf-8")

    def release(self, tag: str = "") -> None:
        self._git("add", ".")
        author = ("-c", "user.name=Tests", "-c", "user.email=tests@example.com")
        self._git(*author, "commit", "--quiet", "--allow-empty", "--message", tag or "a change")
        if tag:
            self._git("tag", tag)

    def check(self, *arguments: str) -> int:
        return compatibility.main(list(arguments), self.root)

    def _git(self, *arguments: str) -> None:
        command = ("git", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false", *arguments)
        subprocess.run(command, cwd=self.root, check=True)  # noqa: S603 - git and constants


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def without_name() -> Crd:
    new = copy.deepcopy(THING)
    del new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return new


def test_before_the_first_release_every_change_is_allowed(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.release("v0.1.0-rc.1")
    repository.write(without_name())
    repository.release()
    assert repository.check() == 0
    assert "There is no release" in capsys.readouterr().out


def test_the_crds_are_compared_with_the_last_release(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.release("v0.1.0")
    assert repository.check() == 0
    repository.write(without_name())
    repository.release()
    assert repository.check() == 1
    assert "Thing v1.spec.name: field removed (not allowed)" in capsys.readouterr().out
    repository.allow(allowance())
    assert repository.check() == 0


def test_a_tagged_release_is_compared_with_the_one_before(repository: Repository) -> None:
    repository.release("v0.1.0")
    repository.write(without_name())
    repository.release("v0.2.0")
    assert repository.check() == 1
    repository.release()
    assert repository.check() == 0
    assert repository.check("v0.1.0") == 1


def test_a_removed_kind_is_a_breaking_change(repository: Repository) -> None:
    repository.release("v0.1.0")
    repository.write()
    repository.release()
    assert repository.check() == 1


def test_a_release_that_is_not_in_the_clone_is_an_error(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.release()
    assert repository.check("v0.9.0") == 1
    assert "fetch the tags" in capsys.readouterr().out
