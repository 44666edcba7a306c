"""A verdict errs as seldom as it says: a small seeded part of `make calibrate`, on the shipped `decide`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "calibrate.py"
RUNS = 250


@pytest.fixture(scope="module")
def calibrate():
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("calibrate", BENCHMARK)
    sys.modules["calibrate"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["calibrate"]


@pytest.mark.parametrize("cell", [
    (2, 200, 0.8, "paired", "extremes"), (3, 50, 0.5, "unpaired", "equal"), (3, 1000, 0.98, "unpaired", "one low"),
    (9, 200, 0.5, "clustered", "equal"), (9, 20, 0.9, "paired", "equal"), (3, 200, 0.9, "clustered", "extremes"),
    (3, 1000, 0.9, "uneven", "equal"), (3, 200, 0.98, "weighted", "one low"),
    (1, 200, 0.98, "clustered", "equal", "by"), (3, 200, 0.9, "unpaired", "one low", "by"),
], ids=str)  # fmt: skip
def test_no_cell_errs_more_often_than_is_tolerated(calibrate, cell):
    cell = calibrate.Cell(*cell)
    found = calibrate.errors(cell, runs=RUNS, peers=False)
    assert not found.too_high, (found.fails["fairprobe"], found.passes["fairprobe"])


def test_other_ways_call_equal_groups_unequal(calibrate):
    equal = calibrate.errors(calibrate.Cell(9, 200, 0.8, "unpaired", "equal"), runs=100)
    assert equal.fails["fairprobe"] < 0.15
    assert equal.fails["percentile bootstrap"] == 1.0
    assert equal.fails["extreme pair"] > 0.5


def test_the_grid_is_of_all_that_was_promised(calibrate):
    cells = calibrate.chosen(calibrate.grid())
    assert len(cells) >= 60
    assert calibrate.RUNS >= 2000
    seen = {name: {getattr(cell, name) for cell in cells if cell.question == "gap"} for name in
            ("groups", "n", "rate", "design", "truth")}  # fmt: skip
    assert seen == {
        "groups": {2, 3, 9, 50}, "n": {20, 50, 200, 1000}, "rate": {0.5, 0.8, 0.9, 0.98},
        "design": {"unpaired", "paired", "clustered", "uneven", "weighted"}, "truth": {"equal", "extremes", "one low"},
    }  # fmt: skip


def test_the_table_is_written_between_its_marks(calibrate, tmp_path):
    found = [calibrate.errors(calibrate.Cell(2, 50, 0.8, "paired", "extremes"), runs=5)]
    page = tmp_path / "page.md"
    page.write_text("before\n" + "".join(calibrate.MARKS) + "after\n", encoding="utf-8")
    calibrate.write(page, found)
    calibrate.write(page, found)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert text.count("| gap | 2 | 50 | 0.80 | paired | extremes |") == 1
