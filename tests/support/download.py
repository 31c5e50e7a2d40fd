"""Downloads published control plane binaries, pinned by version and checksum.

The projects publish SHA-512, so that is what is pinned:

- envtest (etcd, kube-apiserver): ``envtest-releases.yaml`` of kubernetes-sigs/controller-tools;
- kube-controller-manager, which envtest lacks: "Server Binaries" in ``CHANGELOG-1.36.md`` of
  kubernetes/kubernetes. It is published for Linux only.
"""

import hashlib
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_CONNECT_TIMEOUT = 5.0
"""Seconds; without a network, the next source must be tried soon."""

_CHUNK = 1 << 20

_REPORT_INTERVAL = 10.0
"""Seconds between two lines of progress."""

_ENVTEST_VERSION = "v1.36.2"
_ENVTEST = (
    "https://github.com/kubernetes-sigs/controller-tools/releases/download/"
    f"envtest-{_ENVTEST_VERSION}/envtest-{_ENVTEST_VERSION}-{{platform}}.tar.gz"
)
_ENVTEST_SHA512 = {
    "darwin-amd64": (
        "b4fe9f973cd1992e3880f8b230ed32c0c243b83371591e3e3315f4404df2cdbe"
        "f8ee94eeb9bb245b7e5feb987d5c4a76c43e0877654ab73f00d7bbc2b9984514"
    ),
    "darwin-arm64": (
        "9278f9e5af556b2f1f2d139769c1f0d717c7b4426917fdebdba898bcb725a916"
        "e4910d6160886194ff9be9589ea7c5c32c2b8ae0754703874b7c8ba8ddfc41ce"
    ),
    "linux-amd64": (
        "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
        "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08"
    ),
    "linux-arm64": (
        "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
        "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac"
    ),
}

_SERVER_VERSION = "v1.36.0"
"""The version skew policy lets the controller-manager be older than the API server."""
_SERVER = f"https://dl.k8s.io/{_SERVER_VERSION}/kubernetes-server-{{platform}}.tar.gz"
_SERVER_SHA512 = {
    "linux-amd64": (
        "1c64da92575451c2c7ff97c79b772e603995f8e76da1371a6b0746aaa27b65dc"
        "e81c4d734cbb50f40e71486a8e08df36f14e12974f97d4d29e41f23a172a6a25"
    ),
    "linux-arm64": (
        "7f95e451baedd9368a2fa637afa84c9ed1b958736540ca27a379e5e292e1a10c"
        "5d9a29539f833047574bf5d3b6f907f32dee5735acecc11aa4686f078108dcf8"
    ),
}


class DownloadError(Exception):
    """Nothing is published for this platform, there is no network, or a checksum differs."""


@dataclass(frozen=True)
class Archive:
    """A published ``.tar.gz`` and the binaries to extract."""

    url: str
    sha512: str
    members: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def cache_name(platform: str) -> str:
    """The folder in the cache; its name depends on the versions."""
    return f"envtest-{platform}-{_ENVTEST_VERSION}-{_SERVER_VERSION}"


def archives(platform: str) -> list[Archive]:
    """The published archives for a platform such as ``linux-amd64``."""
    found = []
    if digest := _ENVTEST_SHA512.get(platform):
        url = _ENVTEST.format(platform=platform)
        found.append(Archive(url, digest, ("etcd", "kube-apiserver")))
    if digest := _SERVER_SHA512.get(platform):
        url = _SERVER.format(platform=platform)
        found.append(Archive(url, digest, ("kube-controller-manager",)))
    return found


def fetch(platform: str, folder: Path, report: Callable[[str], None]) -> None:
    """Downloads the binaries that are not in a folder yet.

    Raises:
        DownloadError: with the reason. Binaries that were downloaded before are kept.
    """
    published = archives(platform)
    if not published:
        raise DownloadError(f"no binaries are published for {platform}")
    folder.mkdir(exist_ok=True)
    for archive in published:
        if not all((folder / member).is_file() for member in archive.members):
            _fetch_archive(archive, folder, report)


def _fetch_archive(archive: Archive, folder: Path, report: Callable[[str], None]) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        digest = hashlib.sha512()
        try:
            with urllib.request.urlopen(  # noqa: S310 - https addresses of this module
                archive.url, timeout=_CONNECT_TIMEOUT
            ) as response:
                reported = time.monotonic()
                while chunk := response.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    if time.monotonic() - reported > _REPORT_INTERVAL:
                        reported = time.monotonic()
                        report(f"downloaded {file.tell() >> 20} MiB of {archive.name}")
        except (OSError, urllib.error.URLError) as error:
            raise DownloadError(f"downloading {archive.name} failed: {error}") from error
        if digest.hexdigest() != archive.sha512:
            raise DownloadError(f"{archive.name} does not have the pinned SHA-512")
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:gz") as tar:
            _extract(tar, archive.members, folder)


def _extract(tar: tarfile.TarFile, wanted: tuple[str, ...], folder: Path) -> None:
    for member in tar:
        name = Path(member.name).name
        source = tar.extractfile(member) if name in wanted else None
        if source is None:
            continue
        partial = folder / f"{name}.partial"
        with source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
        partial.chmod(0o755)
        partial.rename(folder / name)
