"""Each guard catches a fault that no other does, and none speaks of a healthy measurement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import faults
from fairprobe import accuracy
from faults import FAULTS, HEALTHY

DOCS = Path(__file__).parents[1] / "docs" / "guards.md"
CAVEATS = {"ceiling", "tokens", "template", "name_form"}
"""Guards that are worth knowing and leave the verdict as it is."""
RUNS, FALSE_ALARMS = 1000, 0.05


@pytest.mark.parametrize("name", FAULTS)
def test_a_guard_catches_what_no_other_does(name):
    judged = FAULTS[name]().judged()
    assert {guard.name for guard in judged.guards if guard.outcome != "pass"} == {name}
    assert judged.outcome == "invalid" or name in CAVEATS


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_measurement_hears_of_no_guard(name):
    judged = HEALTHY[name]().judged()
    assert [guard for guard in judged.guards if guard.outcome != "pass"] == []
    assert judged.outcome in {"pass", "inconclusive"}


def test_every_guard_has_a_fault_and_is_silent_somewhere():
    silent = {guard.name for run in HEALTHY.values() for guard in run().judged().guards}
    assert silent | {"noise", "tokens"} >= set(FAULTS)
    assert silent <= set(FAULTS)


def test_the_table_of_faults_names_every_guard():
    rows = [line.split("|")[1].strip(" `") for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    assert set(rows) == set(FAULTS) | {"edit_rate", "judged"}


def healthy(draws: np.random.Generator) -> faults.Run:
    """A measurement as one would wish: some answers wrong, few invalid, few cut, no favourite option."""
    right, size = draws.random((2, faults.SIZE)) < draws.uniform(0.4, 0.8), faults.SIZE
    if draws.random() < 0.5:
        task = faults.letters()
        other = draws.integers(1, 4, (2, size))
        return faults.Run(
            accuracy(task).gap("dialect") < 0.3,
            faults.chosen(task, lambda row: _place(row, right, other), mass=draws.uniform(0.7, 1.0)),
        )
    task = faults.clues(stop=".")
    bad, cut = draws.random((2, 2, size)) < np.array([0.03, 0.03])[:, None, None]

    def say(row: faults.Row) -> str:
        at = (int(row["dialect"] == "ng"), row["n"])
        return "" if bad[at] else "otter" if right[at] else "seal"

    look = faults.written(task, say, ended=lambda row: not cut[int(row["dialect"] == "ng"), row["n"]])
    return faults.Run(accuracy(task).gap("dialect") < 0.3, look)


def _place(row: faults.Row, right: np.ndarray, other: np.ndarray) -> int:
    at = (int(row["dialect"] == "ng"), row["n"])
    return int((row["right"] + (0 if right[at] else other[at])) % 4)


def alarms(runs: int) -> int:
    """In how many healthy runs any guard says something."""
    draws = np.random.default_rng(0)
    return sum(bool(healthy(draws).told()) for _ in range(runs))


def test_guards_are_silent_in_a_hundred_healthy_runs():
    assert alarms(100) <= 100 * FALSE_ALARMS


@pytest.mark.slow
def test_all_guards_together_give_few_false_alarms():
    assert alarms(RUNS) <= RUNS * FALSE_ALARMS
