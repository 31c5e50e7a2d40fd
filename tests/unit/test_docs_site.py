"""The documentation site has every page of docs/, and links to other files of the repository."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docs_site
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOB = "https://github.com/mcp-operator/mcp-operator/blob"
FENCED = re.MULTILINE | re.DOTALL
TREE = "https://github.com/mcp-operator/mcp-operator/tree"


class Configuration(yaml.SafeLoader):
    """Reads mkdocs.yml without running the functions that its tags name."""


Configuration.add_multi_constructor("", lambda _loader, _suffix, _node: None)


def configuration() -> dict[str, Any]:
    loaded = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Configuration)  # noqa: S506 - a SafeLoader
    assert isinstance(loaded, dict)
    return loaded


def pages_of(navigation: Any) -> Iterator[str]:
    if isinstance(navigation, str):
        yield navigation
        return
    for entry in navigation:
        yield from pages_of(next(iter(entry.values())) if isinstance(entry, dict) else entry)


def with_urls(text: str, ref: str = "main") -> str:
    return docs_site.with_urls(text, DOCS / "how-to" / "page.md", ROOT, ref)


def test_the_navigation_has_every_page_once() -> None:
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert sorted(pages_of(configuration()["nav"])) == sorted(pages)


def test_the_site_does_not_load_external_fonts() -> None:
    assert configuration()["theme"]["font"] is False


def test_a_link_to_a_file_outside_docs_becomes_a_url_of_the_repository() -> None:
    links = "[Report](../../SECURITY.md#reporting) it, or [act](../../CONTRIBUTING.md)."
    assert with_urls(links) == (
        f"[Report]({BLOB}/main/SECURITY.md#reporting) it, or [act]({BLOB}/main/CONTRIBUTING.md)."
    )


def test_a_link_to_a_folder_outside_docs_becomes_a_tree_url() -> None:
    assert with_urls("[those](../../examples/direct)") == f"[those]({TREE}/main/examples/direct)"


def test_the_site_of_a_release_links_to_its_tag() -> None:
    assert with_urls("[it](../../SECURITY.md)", "v1.2.3") == f"[it]({BLOB}/v1.2.3/SECURITY.md)"


@pytest.mark.parametrize(
    "text",
    [
        "[a page](../reference/api.md#spec)",
        "[a neighbour](./install.md)",
        "[not there](../../gone.md)",
        "[elsewhere](https://example.com/../../SECURITY.md)",
        "```markdown\n[in code](../../SECURITY.md)\n```\n",
    ],
)
def test_other_links_are_not_changed(text: str) -> None:
    assert with_urls(text) == text


def test_links_after_a_code_block_are_replaced() -> None:
    text = "```yaml\na: b\n```\n[it](../../SECURITY.md)\n"
    assert with_urls(text).endswith(f"[it]({BLOB}/main/SECURITY.md)\n")


@pytest.mark.parametrize(
    ("page", "source"),
    [
        ("README.md", "assets/mermaid.js"),
        ("quickstart.md", "../assets/mermaid.js"),
        ("adr/README.md", "../assets/mermaid.js"),
        ("explanation/control-plane.md", "../../assets/mermaid.js"),
    ],
)
def test_a_page_with_a_diagram_loads_mermaid_from_the_site(page: str, source: str) -> None:
    assert f'<script src="{source}">' in docs_site.script(Path(page))


def test_only_pages_with_a_diagram_load_mermaid(tmp_path: Path) -> None:
    mermaid = tmp_path / "mermaid.tiny.js"
    mermaid.write_text("draw()")
    (tmp_path / "staged").mkdir()
    docs_site.stage(ROOT, tmp_path / "staged", "main", mermaid)
    staged = tmp_path / "staged" / "docs"
    assert (staged / docs_site.MERMAID).read_text() == "draw()"
    pages = {page: page.read_text(encoding="utf-8") for page in staged.rglob("*.md")}
    assert {page for page, text in pages.items() if "<script" in text} == {
        page for page, text in pages.items() if "```mermaid" in text
    }


def test_the_last_patch_of_each_minor_release_is_published() -> None:
    tags = ["v0.2.0", "v0.10.0", "v0.2.11", "v0.2.9", "v1.0.0-rc.1", "something"]
    assert docs_site.releases(tags) == [("0.10", "v0.10.0"), ("0.2", "v0.2.11")]


def test_the_newest_release_is_the_latest() -> None:
    assert docs_site.versions([("0.10", "v0.10.0"), ("0.2", "v0.2.11")]) == [
        {"version": "0.10", "title": "v0.10.0", "aliases": ["latest"]},
        {"version": "0.2", "title": "v0.2.11", "aliases": []},
        {"version": "dev", "title": "main", "aliases": []},
    ]


def test_the_published_site_has_a_folder_for_each_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    (repository / "docs").mkdir(parents=True)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")

    def release(tag: str) -> None:
        (repository / "docs" / "README.md").write_text(tag)
        for command in (("init", "--quiet"), ("add", "."), ("commit", "-qm", tag), ("tag", tag)):
            subprocess.run(["git", *author, *command], check=True, cwd=repository)  # noqa: S603, S607 - git, in a folder of the test

    def build(checkout: Path, target: Path, *, ref: str, url: str, **_: object) -> None:
        target.mkdir(parents=True)
        page = (checkout / "docs" / "README.md").read_text()
        (target / "index.html").write_text(f"{page} {ref} {url}")

    release("v0.1.0")  # before the site existed
    (repository / "mkdocs.yml").touch()
    release("v0.2.0")
    release("v0.2.1")
    (repository / "docs" / "README.md").write_text("unreleased")
    monkeypatch.setattr(docs_site, "ROOT", repository)
    monkeypatch.setattr(docs_site, "build", build)

    docs_site.publish(tmp_path / "site", None)

    written = {
        str(file.relative_to(tmp_path / "site")): file.read_text()
        for file in (tmp_path / "site").rglob("*.html")
    }
    assert "url=latest/" in written.pop("index.html")
    url = docs_site.URL
    assert written == {
        "dev/index.html": f"unreleased main {url}dev/",
        "0.2/index.html": f"v0.2.1 v0.2.1 {url}0.2/",
        "latest/index.html": f"v0.2.1 v0.2.1 {url}0.2/",
    }


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_lists_have_the_indentation_that_the_site_needs(page: Path) -> None:
    """Python-Markdown needs four spaces where GitHub needs two, and a blank line before a list."""
    text = re.sub(r"^( *)(```|~~~).*?^\1\2$", r"\1```", page.read_text("utf-8"), flags=FENCED)
    assert re.findall(r"^ {1,3}(?:[-*|] |\d+\. |```).*", text, re.MULTILINE) == []
    assert re.findall(r"\n\n {1,3}\S.*", text) == []
    assert re.findall(r"^(?![-*|>\s]|\d+\.).+\n(?:[-*]|\d+\.) .*", text, re.MULTILINE) == []
