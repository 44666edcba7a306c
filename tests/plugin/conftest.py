"""What the plugin's tests share: an inner pytest that may import everything, and suites that ask a checkpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

# an inner run in this process forgets what it imported, and numpy, torch or httpcore cannot be imported twice
import httpcore  # noqa: F401
import hypothesis  # noqa: F401
import pytest

import fairprobe.pytest_plugin.run  # noqa: F401
from fairprobe.judging import judge_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXPECTED = {
    "pass": "test_passes = accuracy(equal).gap('dialect') < 0.2",
    "fail": "test_fails = accuracy(answers).gap('dialect') < 0.05",
    "inconclusive": "test_undecided = accuracy(answers).gap('dialect') < 0.2",
    "invalid": "test_without_evidence = (accuracy(equal).gap('dialect') < 0.2).guard(accuracy(equal) > 0.95)",
}
"""A line of each outcome for `recorded_suite`."""


@pytest.fixture(autouse=True)
def outside_a_test() -> Iterator[None]:
    """The inner run begins as any does: with no test running, in which an expectation would have a truth."""
    token = judge_now.set(None)
    yield
    judge_now.reset(token)


@pytest.fixture
def four_outcomes(recorded_suite: Callable[..., None]) -> None:
    """A suite with one expectation of each outcome."""
    recorded_suite(*EXPECTED.values())


@pytest.fixture
def results(pytester: pytest.Pytester) -> Callable[..., dict[str, Any]]:
    """What `results.json` of the one run so far, or of the report folder named, holds."""

    def read(folder: str = "reports/*") -> dict[str, Any]:
        [file] = pytester.path.glob(f"{folder}/results.json")
        return dict(json.loads(file.read_text(encoding="utf-8")))

    return read


@pytest.fixture
def outcomes(results: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, str]]:
    """The outcome of every test in `results.json`, by the test's name."""

    def read(folder: str = "reports/*") -> dict[str, str]:
        return {each["test"].rpartition("::")[2]: each["outcome"] for each in results(folder)["verdicts"]}

    return read


@pytest.fixture(scope="session")
def tiny(checkpoints_folder: Path) -> Path:
    """A real checkpoint, asked once already, so that inner runs find all that it imports lazily."""
    from fairprobe import Generation, accuracy, measure

    once = Generation([{"q": "one", "a": "two"}], prompt="{q}", target="a", max_tokens=2, name="once")
    store = checkpoints_folder / "store"
    measure(accuracy(once), model=str(checkpoints_folder / "plain"), store=store)
    return checkpoints_folder / "plain"


@pytest.fixture
def asking_suite(pytester: pytest.Pytester) -> Callable[..., None]:
    """Write a test module whose tasks `clues` (12 pairs in two dialects) and `sums` ask a checkpoint."""

    def write(*lines: str, name: str = "test_asking") -> None:
        pytester.makepyfile(**{name: "\n".join([ASKING, *lines])})

    return write


ASKING = """
from fairprobe import Generation, MultipleChoice, accuracy, valid_rate

def spoke(response, target, row):
    return 1.0

clues = Generation(
    [dict(riddle=i, dialect=dialect, clue=f"{said} {i}", word="cow")
     for i in range(12) for dialect, said in (("en_us", "what says moo"), ("en_in", "what is saying moo"))],
    prompt="{clue}: the word is", target="word", scorer=spoke, max_tokens=2, pair="riddle", name="clues",
)
sums = MultipleChoice(
    [dict(clue=f"{i} and 1 is", options=[str(i + 1), str(i + 2)], answer=i % 2, level="ab"[i % 2]) for i in range(24)],
    prompt="{clue}", options="options", answer="answer", scoring="text", name="sums",
)
"""
