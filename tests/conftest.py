"""What many tests share: one pair of tiny real checkpoints for the whole session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def checkpoints_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoints `chat` (with a chat template) and `plain` (without), of random weights."""
    from checkpoints import make_checkpoint

    folder = tmp_path_factory.mktemp("checkpoints")
    make_checkpoint(folder / "chat", chat=True)
    make_checkpoint(folder / "plain", seed=1)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data that we test with; a user's machine has none of it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the public test data is not here: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def recorded_suite(pytester: pytest.Pytester) -> Callable[..., None]:
    """Write a test module whose task `answers` has 200 pairs in two dialects with known gaps, and needs no model."""

    def write(*lines: str, name: str = "test_suite", imports: str = "") -> None:
        pytester.makepyfile(**{name: "\n".join([RECORDED.format(imports=imports), *lines])})

    return write


RECORDED = """
from fairprobe import Recorded, accuracy, mean, valid_rate
{imports}

def rows(right, n=200):
    # the first share of the pairs is right: the same numbers every time, paired as far as they can be
    return [
        dict(id=i, dialect=dialect, score=float(i < share * n))
        for dialect, share in right.items() for i in range(n)
    ]

answers = Recorded(rows(dict(en_us=0.9, en_in=0.7)), score="score", name="answers", pair="id")
equal = Recorded(rows(dict(en_us=0.8, en_in=0.8)), score="score", name="equal", pair="id")
"""
