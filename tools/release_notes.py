"""Print the section of CHANGELOG.md about a release, after checking that the tag is right.

    python tools/release_notes.py v1.2.3

It uses only the standard library, so that a release can start without installing anything.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TAG = re.compile(r"v(?P<version>\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)")


class ReleaseError(Exception):
    """The repository is not ready for this tag; the text is a sentence."""


def main() -> int:
    """Print the notes. Return 1 if the repository is not ready for this tag."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tag", help="such as v1.2.3")
    tag = parser.parse_args().tag
    try:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        sys.stdout.write(notes(tag, project["version"], changelog))
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def notes(tag: str, version: str, changelog: str) -> str:
    """Return a version's part of the changelog, without its heading.

    Args:
        tag: The Git tag of the release.
        version: The version of the package in the tagged commit.
        changelog: The changelog, in the format of Keep a Changelog.

    Raises:
        ReleaseError: The tag is not a version or has another one, or the changelog has no notes.
    """
    match = TAG.fullmatch(tag)
    if match is None:
        raise ReleaseError(f"The tag {tag} names no version; write it as v1.2.3 or v1.2.3-rc.1.")
    if match["version"] != version:
        raise ReleaseError(f"The tag is {tag}, but pyproject.toml has version {version}.")
    parts = re.split(r"^## ", changelog, flags=re.MULTILINE)
    found = [part for part in parts if part.startswith(f"[{version}]")]
    if not found:
        raise ReleaseError(f"CHANGELOG.md has no heading `## [{version}] - DATE`; write it first.")
    text = re.sub(r"^\[[^\]]+\]: \S+\n?", "", found[0].partition("\n")[2], flags=re.MULTILINE)
    if not text.strip():
        raise ReleaseError(f"CHANGELOG.md does not describe {version}.")
    return text.strip() + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
