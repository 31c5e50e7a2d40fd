"""Build the documentation site from docs/ into dist/site; any warning fails the build.

In docs/, links to files outside of docs/ are relative, as GitHub needs them: `../../charts/...`.
The site does not have such pages. The builder therefore gets a copy in which these links are URLs
of the repository.

`--versions` builds the published site: `dev/` from the checkout, and one folder for each release,
from its tag. The last release is also at `latest/`, to which the root redirects.

`--mermaid` is the path of the script that draws diagrams, which is copied into the site. Without
it, browsers fetch the script from a CDN.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "dist" / "site"
REPOSITORY = "https://github.com/mcp-operator/mcp-operator"
MERMAID = "assets/mermaid.js"
URL = "https://mcp-operator.github.io/mcp-operator/"

_LINK = re.compile(r"(?<=\]\()(?P<target>\.\.?/[^)\s#]+)(?=[)\s#])")
_FENCE = re.compile(r"^\s*(```|~~~)")
_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)")

_REDIRECT = """<!doctype html>
<meta charset="utf-8">
<title>mcp-operator</title>
<meta http-equiv="refresh" content="0; url={target}/">
<link rel="canonical" href="{target}/">
<a href="{target}/">Documentation of mcp-operator</a>
"""


def main() -> int:
    """Build the site of this checkout; with --versions, also the sites of all releases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--versions", action="store_true", help="build the published site")
    parser.add_argument("--mermaid", type=Path, metavar="FILE", help="what draws diagrams")
    given = parser.parse_args()
    shutil.rmtree(SITE, ignore_errors=True)
    if given.versions:
        publish(SITE, given.mermaid)
    else:
        build(ROOT, SITE, ref="main", url=URL, mermaid=given.mermaid)
    sys.stdout.write(f"The site is in {SITE.relative_to(ROOT)}\n")
    return 0


def build(checkout: Path, target: Path, *, ref: str, url: str, mermaid: Path | None) -> None:
    """Build the site of one checkout.

    Args:
        checkout: A folder with mkdocs.yml, docs/ and the files that docs/ links to.
        target: The folder to write. It must not exist.
        ref: The branch or tag in links to other files of the repository.
        url: The URL of the site.
        mermaid: The script that draws diagrams, which is copied into the site.

    Raises:
        CalledProcessError: The builder printed an error or a warning.
    """
    zensical = Path(sys.executable).with_name("zensical")
    with tempfile.TemporaryDirectory() as scratch:
        stage(checkout, Path(scratch), ref, mermaid)
        subprocess.run(  # noqa: S603 - the builder of our own environment
            [zensical, "build", "--clean", "--strict"],
            check=True,
            cwd=scratch,
            env=os.environ | {"SITE_URL": url},
        )
        shutil.copytree(Path(scratch, "site"), target)


def stage(checkout: Path, scratch: Path, ref: str, mermaid: Path | None) -> None:
    """Copy the builder's input, with links that the site has."""
    shutil.copy(checkout / "mkdocs.yml", scratch)
    shutil.copytree(checkout / "docs", scratch / "docs")
    for page in (scratch / "docs").rglob("*.md"):
        place = checkout / page.relative_to(scratch)
        text = page.read_text(encoding="utf-8")
        text = with_urls(text, place, checkout, ref)
        if mermaid and "```mermaid" in text:
            text += script(page.relative_to(scratch / "docs"))
        page.write_text(text, encoding="utf-8")
    if mermaid:
        (scratch / "docs" / "assets").mkdir(exist_ok=True)
        shutil.copy(mermaid, scratch / "docs" / MERMAID)


def script(page: Path) -> str:
    """Return the element that loads Mermaid in a page. The URL of a page is a folder."""
    folder = page.parent if page.name in ("README.md", "index.md") else page.with_suffix("")
    return f'\n<script src="{"../" * len(folder.parts)}{MERMAID}"></script>\n'


def with_urls(text: str, page: Path, checkout: Path, ref: str) -> str:
    """Replace links that leave docs/ by URLs of the repository.

    A link to a file that does not exist stays unchanged, so that the builder reports it.
    """

    def replaced(link: re.Match[str]) -> str:
        path = (page.parent / link["target"]).resolve()
        if not path.exists() or path.is_relative_to(checkout / "docs"):
            return link["target"]
        form = "tree" if path.is_dir() else "blob"
        return f"{REPOSITORY}/{form}/{ref}/{path.relative_to(checkout)}"

    fenced = False
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line):
            fenced = not fenced
        lines.append(line if fenced else _LINK.sub(replaced, line))
    return "".join(lines)


def publish(site: Path, mermaid: Path | None) -> None:
    """Build the sites of the checkout and of the last patch of each minor release."""
    build(ROOT, site / "dev", ref="main", url=f"{URL}dev/", mermaid=mermaid)
    published: list[tuple[str, str]] = []
    for name, tag in releases(_git("tag", "--list").split()):
        with tempfile.TemporaryDirectory() as scratch:
            checkout = Path(scratch, "checkout").resolve()
            _git("-c", "advice.detachedHead=false", "clone", "-q", "-b", tag, ".", str(checkout))
            if (checkout / "mkdocs.yml").exists():  # older releases have no site
                build(checkout, site / name, ref=tag, url=f"{URL}{name}/", mermaid=mermaid)
                published.append((name, tag))
    if published:
        shutil.copytree(site / published[0][0], site / "latest")
    root = _REDIRECT.format(target="latest" if published else "dev")
    (site / "index.html").write_text(root, encoding="utf-8")
    (site / "versions.json").write_text(json.dumps(versions(published)), encoding="utf-8")


def releases(tags: Iterable[str]) -> list[tuple[str, str]]:
    """Return each minor release and the tag of its last patch, the newest first."""
    last: dict[tuple[int, int], int] = {}
    for tag in tags:
        if found := _RELEASE.fullmatch(tag):
            major, minor, patch = map(int, found.groups())
            last[major, minor] = max(patch, last.get((major, minor), 0))
    return [
        (f"{major}.{minor}", f"v{major}.{minor}.{patch}")
        for (major, minor), patch in sorted(last.items(), reverse=True)
    ]


def versions(published: list[tuple[str, str]]) -> list[dict[str, str | list[str]]]:
    """Return the data of the site's version selector, in the format of mike."""
    entries: list[dict[str, str | list[str]]] = [
        {"version": name, "title": tag, "aliases": [] if number else ["latest"]}
        for number, (name, tag) in enumerate(published)
    ]
    return [*entries, {"version": "dev", "title": "main", "aliases": []}]


def _git(*arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise SystemExit("there is no git command on PATH: the releases are found by it")
    command = [git, *arguments]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - in our own repository
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
