"""What a gap is made of: each cause that is put in is found again, and the parts add up."""

from __future__ import annotations

import numpy as np
import pytest

import faults
from answers import clues, right
from fairprobe import accuracy
from fairprobe.diagnosis import PARTS, diagnose


def parts(model, baseline=None, claim=lambda task: accuracy(task).gap("dialect") < 0.05):
    task, look = clues(model, baseline)
    [behind] = diagnose(claim(task), look)
    return behind


def told(run):
    """The parts of a gap that are not zero."""
    [behind] = diagnose(run.expectation, run.look)
    assert sum(behind.parts.values()) == pytest.approx(behind.value)
    return {name: part for name, part in behind.parts.items() if abs(part) > 1e-9}


def test_answers_that_are_worse_are_the_rest():
    behind = parts({"us": right(80, 100), "ng": right(50, 100)})
    assert (behind.group, behind.other, behind.value) == ("ng", "us", pytest.approx(0.3))
    assert behind.parts == {**dict.fromkeys(PARTS, 0.0), "rest": pytest.approx(0.3)}


def test_a_group_that_answers_in_the_wrong_format_is_told_from_one_that_knows_less():
    # of what is answered eight in ten are right in both
    behind = parts({"us": right(80, 100), "ng": right(40, 50) + ["unparsable"] * 50})
    assert behind.value == pytest.approx(0.4)
    assert behind.parts["invalid"] == pytest.approx(0.4)
    assert behind.parts["rest"] == pytest.approx(0.0, abs=1e-9)


def test_truncation_is_a_part_of_its_own():
    behind = parts({"us": right(80, 100), "ng": right(64, 80) + ["truncated"] * 20})
    assert behind.parts["truncated"] == pytest.approx(0.16)
    assert behind.parts["invalid"] == 0


def test_long_prompts_are_told_where_one_group_has_more_of_them():
    def row(row):
        long = row["n"] % 10 < (7 if row["dialect"] == "ng" else 2)
        return {**row, "clue": row["clue"] + " and so on" * (20 if long else 0), "long": long}

    task = faults.clues(row)
    look = faults.written(task, lambda row: "seal" if row["long"] else "otter")
    found = told(faults.Run(faults.gap(task), look))
    assert found["length"] > 0.45
    assert abs(sum(part for name, part in found.items() if name != "length")) < 0.05


def test_the_place_of_the_right_option_is_told():
    # always "A", which is right more often in one dialect
    def place(row):
        return {**row, "right": 0 if row["n"] % 10 < (6 if row["dialect"] == "us" else 3) else 1 + row["n"] % 3}

    task = faults.letters(each=place)
    found = told(faults.Run(faults.gap(task), faults.chosen(task, lambda row: 0)))
    assert found == {"position": pytest.approx(0.3)}


def test_parts_of_a_change_are_those_of_the_model_less_those_of_the_baseline():
    behind = parts(
        {"us": right(80, 100), "ng": right(40, 50) + ["empty"] * 50},
        {"us": right(60, 100), "ng": right(50, 100)},
        claim=lambda task: accuracy(task).change().gap("dialect", reference="us") < 0.05,
    )
    assert behind.value == pytest.approx(0.3)
    assert behind.parts["invalid"] == pytest.approx(0.4)
    assert behind.parts["rest"] == pytest.approx(-0.1)


def test_parts_add_up_whatever_is_answered():
    draws = np.random.default_rng(0)
    for _ in range(20):
        given = {
            group: draws.choice(np.array([1.0, 0.0, "empty", "truncated", "refused"], dtype=object), 60).tolist()
            for group in ("us", "ng")
        }
        behind = parts(given)
        assert sum(behind.parts.values()) == pytest.approx(behind.value)


def test_a_level_has_no_such_parts():
    task, look = clues({"us": right(8, 10), "ng": right(2, 10)})
    assert diagnose(accuracy(task).by("dialect") > 0.5, look) == ()
