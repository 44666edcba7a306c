"""An audit finds the expectations that cannot be trusted, and vouches for one that can."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from answers import clues
from fairprobe import accuracy
from fairprobe.audit import SIZES, audit
from fairprobe.expressions import Expectation
from fairprobe.power import foresee
from fairprobe.report import audit_lines
from fairprobe.verdict import Defaults

DRAW = np.random.default_rng(11)
FEW = 60
"""Draws that are enough for a test."""
MODEL = {name: (DRAW.random(200) < 0.7).astype(float).tolist() for name in ("us", "ng")}
BASE = {name: (DRAW.random(200) < 0.6).astype(float).tolist() for name in ("us", "ng")}


def audited(claim, *others, model=MODEL, baseline=BASE):
    task, look = clues(model, baseline)
    samples, defaults = {task: task.load()}, Defaults()
    made: list[Expectation] = [each(task) for each in (claim, *others)]
    return audit(
        made[0], made, look=look, samples=samples, foresight=foresee(made[0], samples, look, defaults),
        defaults=defaults, draws=FEW, planted_draws=FEW // 3,
    )  # fmt: skip


def gap(bound):
    return lambda task: accuracy(task).gap("dialect") < bound


def test_a_gap_that_is_not_there_is_seldom_found_and_one_that_is_there_is_noticed():
    found = audited(gap(0.1))
    allowed = 0.05 + 2.33 * (0.05 * 0.95 / FEW) ** 0.5
    assert found.false_fails <= allowed
    assert found.planted[0.02] <= 0.1
    assert found.planted[0.30] >= 0.95
    assert list(found.planted.values()) == sorted(found.planted.values()), "the larger, the oftener"
    assert found.faults == []


def test_what_is_noticed_is_what_the_power_table_says():
    found = audited(gap(0.05))
    assert found.foreseen is not None
    larger = [share for size, share in found.planted.items() if size >= found.foreseen]
    assert larger
    assert min(larger) >= 0.8 - 2.33 * (0.8 * 0.2 / 20) ** 0.5


def test_a_change_between_equal_checkpoints_seldom_fails_and_a_loss_is_noticed():
    found = audited(lambda task: accuracy(task).change().by("dialect") > -0.05)
    assert found.false_fails <= 0.12
    assert found.planted[0.30] >= 0.8


def test_a_level_is_drawn_again_and_has_no_draws_without_a_gap():
    found = audited(lambda task: accuracy(task).by("dialect") > 0.55)
    assert found.false_fails is None
    assert (found.outcome, found.flips) == ("pass", 0.0)
    assert found.planted[0.30] >= 0.8
    assert set(found.planted) <= set(SIZES)


def test_a_value_over_all_samples_is_drawn_again_too():
    found = audited(lambda task: accuracy(task) > 0.6)
    assert (found.outcome, found.faults) == ("pass", [])


def test_a_bound_that_nothing_can_break_is_named():
    few = {"us": [1.0] * 6 + [0.0] * 6, "ng": [1.0] * 6 + [0.0] * 6}
    found = audited(gap(0.97), model=few)
    assert found.cannot_fail
    assert "cannot fail" in found.faults


def test_a_bound_that_so_few_samples_cannot_show_is_named():
    few = {"us": [1.0] * 12, "ng": [1.0] * 12}
    assert "cannot pass" in audited(gap(0.01), model=few).faults


def test_an_expectation_that_another_implies_is_named():
    loose, strict = audited(gap(0.2), gap(0.1)), audited(gap(0.1), gap(0.2))
    assert loose.faults == ["says no more than accuracy(clues).gap('dialect') < 0.1"]
    assert strict.faults == []
    assert "  nothing is wrong with any of them" in audit_lines([strict])
    other = audited(gap(0.2), lambda task: accuracy(task).where(dialect="us") > 0.1)
    assert other.implied_by is None


SUITE = """
from fairprobe import Recorded, accuracy

answers = Recorded("answers.csv", name="answers", score="right", pair="id", at_chance=0.1)
test_gap = accuracy(answers).gap("dialect") < 0.15
test_looser_gap = accuracy(answers).gap("dialect") < 0.25
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_suite.py").write_text(SUITE)
    rows = ["id,dialect,right", *(f"{n},{name},{right:g}" for name in MODEL for n, right in enumerate(MODEL[name]))]
    (tmp_path / "answers.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return tmp_path


def test_the_command_prints_a_table_writes_json_and_exits_by_what_it_finds(suite):
    command = [Path(sys.executable).with_name("fairprobe"), "audit", "--json=audit.json", "test_suite.py"]
    done = subprocess.run(
        [*command, "--model=recorded:any"], cwd=suite, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "says no more than accuracy(answers).gap('dialect') < 0.15" in done.stdout
    told = json.loads((suite / "audit.json").read_text())
    assert [each["test"] for each in told] == ["test_suite.py::test_gap", "test_suite.py::test_looser_gap"]
    assert told[0]["faults"] == []
    assert told[0]["false_fails"] <= 0.09


def test_an_audit_without_kept_answers_says_what_to_name(suite):
    command = [Path(sys.executable).with_name("fairprobe"), "audit", "test_suite.py"]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--model" in done.stdout
    assert (suite / "test_suite.py").read_text() == SUITE, "the folder that is audited is not where it is written"
