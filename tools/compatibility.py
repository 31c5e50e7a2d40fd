"""Compare the CRDs with those of the last release, and refuse what breaks without an allowance.

    python tools/compatibility.py [TAG]

The release is the last tag vX.Y.Z before this commit, as `git describe` finds it, unless a tag is
given. Intended changes are listed in `crd_allowances.yaml` beside this file, each with its reason.
Before the first release, there is nothing to compare with.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from crd_changes import Change, changes, disagreements

ROOT = Path(__file__).resolve().parents[1]

ALLOWANCES = Path("tools/crd_allowances.yaml")

CRDS = "crds"

Crds = Mapping[str, Mapping[str, Any]]


class ComparisonError(Exception):
    """There is nothing to compare with, or the allowances are wrong; the text is a sentence."""


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Print the problems. Return 1 if a change is not allowed, or if an allowance is not needed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tag", nargs="?", help="the release to compare with, such as v0.1.0")
    tag = parser.parse_args(arguments).tag or last_release(root)
    current = committed(root)
    problems = [str(one) for crd in current.values() for one in disagreements(crd)]
    if tag is None:
        sys.stdout.write("There is no release before this commit to compare the CRDs with.\n")
    else:
        text = (root / ALLOWANCES).read_text(encoding="utf-8")
        try:
            problems += judged(broken(released(root, tag), current), tag, yaml.safe_load(text))
        except ComparisonError as error:
            problems.append(str(error))
        sys.stdout.write(f"Compared with {tag}; problems: {len(problems)}.\n")
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


def broken(old: Crds, new: Crds) -> list[Change]:
    """Return the breaking changes of the newer CRDs, by CRD."""
    return [change for name in sorted(old) for change in changes(old[name], new.get(name))]


def judged(found: list[Change], tag: str, allowances: list[Mapping[str, str]]) -> list[str]:
    """Return a sentence for each change that is not allowed, and each allowance that is not needed.

    Args:
        found: The breaking changes.
        tag: The release that they break with.
        allowances: The allowances for this release and for older ones, which are ignored.

    Raises:
        ComparisonError: An allowance does not have exactly its three fields, or has no reason.
    """
    for one in allowances:
        if one.keys() != {"since", "change", "reason"} or not str(one["reason"]).strip():
            raise ComparisonError(f"{ALLOWANCES}: {dict(one)} needs since, change and a reason.")
    allowed = {one["change"] for one in allowances if one["since"] == tag}
    seen = {str(change) for change in found}
    refused = [f"{change} (not allowed)" for change in sorted(seen - allowed)]
    return refused + [f"{ALLOWANCES}: nothing needs: {one}" for one in sorted(allowed - seen)]


def last_release(root: Path) -> str | None:
    """Return the tag of the last release before HEAD, or None.

    A tag of HEAD itself is ignored, because it is the release in progress. Pre-releases are
    ignored, because they promise no compatibility.
    """
    tagged = _git(root, "tag", "--points-at", "HEAD").split()
    exclude = [option for tag in tagged for option in ("--exclude", tag)]
    match = ("--match", "v[0-9]*.[0-9]*.[0-9]*", "--exclude", "*-*")
    found = _git(root, "describe", "--tags", "--abbrev=0", *match, *exclude, "HEAD")
    return found.strip() or None


def released(root: Path, tag: str) -> Crds:
    """Return the CRDs of a release, by their names.

    Raises:
        ComparisonError: This clone does not have the tag, or the release has no CRD.
    """
    names = _git(root, "ls-tree", "--name-only", tag, f"{CRDS}/").split()
    if not names:
        raise ComparisonError(f"{tag}: there are no CRDs of this tag in this clone; fetch the tags")
    return _by_name([_git(root, "show", f"{tag}:{name}") for name in names])


def committed(root: Path) -> Crds:
    """Return the CRDs of this checkout, by their names."""
    files = sorted((root / CRDS).glob("*.yaml"))
    return _by_name([file.read_text(encoding="utf-8") for file in files])


def _by_name(texts: list[str]) -> Crds:
    objects = [one for text in texts for one in yaml.safe_load_all(text)]
    definitions = [one for one in objects if one["kind"] == "CustomResourceDefinition"]
    return {one["metadata"]["name"]: one for one in definitions}


def _git(root: Path, *arguments: str) -> str:
    """Return the output of git, which is empty if git finds nothing."""
    return subprocess.run(  # noqa: S603 - git and what this file says
        ["git", *arguments],  # noqa: S607 - whichever git made the clone
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


if __name__ == "__main__":
    raise SystemExit(main())
