from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from support import download, gobuild, provision
from support.download import Archive, DownloadError
from support.provision import Binaries, UnavailableError, find_binaries

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, no network, no Go."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(download, "archives", lambda _: [])
    return provision.cache_folder()


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def published(tmp_path: Path, *names: str, sha512: str = "") -> Archive:
    """Return an archive that exists, at a `file:` address."""
    path = tmp_path / "published.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in (*names, "README.md"):
            member = tarfile.TarInfo(f"kubernetes/bin/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    digest = sha512 or hashlib.sha512(path.read_bytes()).hexdigest()
    return Archive(path.as_uri(), digest, names)


def test_the_folder_in_kubebuilder_assets_takes_precedence(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / gobuild.cache_name(gobuild.CONTROL_PLANE, "linux-amd64")).touch()
    named = fill(tmp_path / "assets", *COMPONENTS[:2])
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(named))
    assert find_binaries(print) == Binaries((f"{named}/etcd",), (f"{named}/kube-apiserver",), None)


def test_a_kubebuilder_assets_folder_without_binaries_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(UnavailableError, match="does not hold etcd and kube-apiserver"):
        find_binaries(print)


def test_an_earlier_build_is_reused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "_platform", lambda: "linux-amd64")
    built = cache / gobuild.cache_name(gobuild.CONTROL_PLANE, "linux-amd64")
    built.touch()
    assert find_binaries(print).controller_manager == (str(built), "kube-controller-manager")


def test_a_download_is_checked_and_only_the_binaries_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = published(tmp_path, *COMPONENTS)
    monkeypatch.setattr(download, "archives", lambda _: [archive])
    found = find_binaries(print)
    folder = Path(found.etcd[0]).parent
    assert sorted(path.name for path in folder.iterdir()) == sorted(COMPONENTS)
    assert Path(found.api_server[0]).stat().st_mode & 0o777 == 0o755
    monkeypatch.setattr(download, "archives", lambda _: pytest.fail("it was downloaded twice"))
    assert find_binaries(print) == found


def test_a_download_with_a_wrong_checksum_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = published(tmp_path, *COMPONENTS, sha512="0" * 128)
    folder = tmp_path / "target"
    monkeypatch.setattr(download, "archives", lambda _: [archive])
    with pytest.raises(DownloadError, match="SHA-512"):
        download.fetch("linux-amd64", folder, print)
    assert list(folder.iterdir()) == []


def test_without_a_controller_manager_the_other_binaries_are_used_with_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = published(tmp_path, *COMPONENTS[:2])
    monkeypatch.setattr(download, "archives", lambda _: [archive])
    lines: list[str] = []
    assert find_binaries(lines.append).controller_manager is None
    assert "No kube-controller-manager" in lines[-1]


def test_an_error_names_the_alternatives_when_no_source_works() -> None:
    with pytest.raises(UnavailableError) as error:
        find_binaries(print)
    for way in ("MCP_OPERATOR_TEST_KUBECONFIG", "KUBEBUILDER_ASSETS", "install Go 1."):
        assert way in str(error.value)


@pytest.mark.parametrize("platform", ["linux-amd64", "linux-arm64", "darwin-arm64"])
def test_the_cache_name_depends_on_the_source_and_the_platform(platform: str) -> None:
    for program in (gobuild.CONTROL_PLANE, gobuild.JUDGE):
        name = gobuild.cache_name(program, platform)
        assert name.startswith(f"{program.name}-{platform}-")
    assert platform in download.cache_name(platform)


def test_a_quick_build_is_used_until_an_ordinary_build_exists(cache: Path) -> None:
    names = [
        gobuild.cache_name(gobuild.CONTROL_PLANE, provision._platform(), quick=quick)
        for quick in (True, False)
    ]
    for name in names:
        (cache / name).touch()
        assert find_binaries(print) == Binaries.in_one(cache / name)


def test_progress_messages_estimate_the_remaining_time() -> None:
    assert gobuild._progress(500, 2000, 60.0) == (
        "compiled 500 packages of at most 2000 in 60 s, about 180 s to go"
    )
    assert gobuild._progress(2000, 1900, 60.0).endswith("about 10 s to go")
