"""What many tests share: one pair of tiny real checkpoints for the whole session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# a shared machine may stand still for a moment, which is no property of the code
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

if "PYTEST_XDIST_WORKER" in os.environ:
    # workers have a core each; threads of one would wait for those of another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# runs inside tests are no steps of ours
os.environ.pop("GITHUB_STEP_SUMMARY", None)

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def checkpoints_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoints `chat` (with a chat template) and `plain` (without), of random weights."""
    from checkpoints import make_checkpoint

    folder = tmp_path_factory.mktemp("checkpoints")
    make_checkpoint(folder / "chat", chat=True)
    make_checkpoint(folder / "plain", seed=1)
    return folder


@pytest.fixture(scope="session")
def demo_checkpoints() -> Path:
    """The folder of the demo's checkpoints, as `make demo` leaves it; they are trained where they are not there yet."""
    from filelock import FileLock

    folder = ROOT / ".fairprobe" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "training.lock"):
        subprocess.run([sys.executable, ROOT / "examples" / "demo" / "train.py"], check=True)
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """A thread of torch's for a module's tests: those of tests that run side by side wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data that we test with; a user's machine has none of it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the public test data is not here: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def recorded_verdicts(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, dict[str, Any]]]:
    """Every verdict of some tests on one of the founding paper's recorded models, by its test's name."""

    @cache
    def run(*tests: str, model: str, baseline: str | None = None) -> dict[str, dict[str, Any]]:
        report = tmp_path_factory.mktemp("report")
        against = [f"--baseline=recorded:{baseline}"] if baseline else []
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *tests, f"--model=recorded:{model}", *against, "-p",
             "no:cacheprovider", f"--fairprobe-data={shared_data / 'unintended-impacts'}",
             f"--fairprobe-report={report}"], cwd=ROOT, capture_output=True, check=False,
        )  # fmt: skip
        results = json.loads((report / "results.json").read_text())
        return {each["test"].rpartition("::")[2]: each for each in results["verdicts"]}

    return run


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
