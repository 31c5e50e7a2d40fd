"""The fuzz targets pass on the committed corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fuzz import corpus, loop
from fuzz.targets import TARGETS


@pytest.fixture(scope="module", autouse=True)
def _loop_closed() -> Iterator[None]:
    yield
    loop.close()


@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
@pytest.mark.parametrize("target", TARGETS)
def test_every_target_passes_on_its_corpus(target: str) -> None:
    kept = corpus.read(target)
    assert kept
    for number, data in enumerate(kept, start=1):
        try:
            TARGETS[target](data)
        except Exception as error:
            error.add_note(f"on line {number} of tests/fuzz/corpus/{target}.jsonl")
            raise


def test_the_corpus_is_small_and_every_file_has_a_target() -> None:
    files = list(corpus.FOLDER.iterdir())
    assert {file.name for file in files} == {f"{target}.jsonl" for target in TARGETS}
    assert sum(file.stat().st_size for file in files) < corpus.MAX_BYTES
