"""Diversity against fidelity, a dot for each group: what is drawn, of which claims, and which way round."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fairprobe import Generation, Recorded, accuracy, bits_per_byte, distinct, ead, mean, self_bleu
from fairprobe.metrics import chance
from fairprobe.report.expectation import expectation, known
from fairprobe.report.frontier import Frontier, axis, frontiers
from fairprobe.report.page import render
from frontier_example import LANGUAGES, ratio, run
from html_reader import Reader

CLUES = Generation([{"clue": "It swims.", "word": "otter", "dialect": each} for each in ("us", "ng")], "{clue}",
                   target="word", name="clues", samples=2, temperature=1.0)  # fmt: skip
SCORES = Recorded([{"loglikelihood": -2.0, "bytes": 4}], score={"loglikelihood": "loglikelihood"}, name="lines",
                  range=(-100, 0))  # fmt: skip


def drawn(*verdicts: dict[str, Any]) -> list[Frontier]:
    return frontiers(expectation(f"e{place}", known(each)) for place, each in enumerate(verdicts))


@pytest.mark.parametrize(("metric", "which"), [
    (ead(CLUES).relative(), "diversity"),
    (distinct(CLUES, across=True).where(dialect="us").relative(), "diversity"),
    (accuracy(CLUES).relative(), "fidelity"),
    (bits_per_byte(SCORES).relative(), "fidelity"),
    (accuracy(CLUES).change(), None),
    (accuracy(CLUES), None),
    (mean(CLUES, "exact_match").relative(), None),
])  # fmt: skip
def test_a_ratio_to_the_baseline_lies_along_an_axis(metric, which):
    assert axis(metric) == which


def test_a_dot_has_both_ratios_of_its_group():
    [panel] = drawn(ratio("ead", en=0.5, es=0.9), ratio("accuracy", es=0.8, en=1.1))
    assert [(dot.group, dot.diversity.value, dot.fidelity.value) for dot in panel.dots] == [
        ("en", 0.5, 1.1), ("es", 0.9, 0.8),
    ]  # fmt: skip
    assert panel.ratio(panel.dots[0].diversity) == "0.50 (0.40 to 0.60)"


def test_what_is_better_when_it_is_less_is_turned_around():
    [panel] = drawn(ratio("self_bleu", en=2.0), ratio("bits_per_byte", en=1.25))
    [dot] = panel.dots
    assert dot.diversity == pytest.approx((0.5, 1 / 2.1, 1 / 1.9))
    assert dot.fidelity == pytest.approx((0.8, 1 / 1.35, 1 / 1.15))
    assert axis(self_bleu(CLUES).relative()) == "diversity"


def test_a_group_that_only_one_of_them_has_is_not_drawn():
    [panel] = drawn(ratio("ead", en=0.5, sw=0.9), ratio("accuracy", en=1.1, es=0.8))
    assert [dot.group for dot in panel.dots] == ["en"]


def test_a_group_without_evidence_is_not_drawn():
    [panel] = drawn(ratio("ead", en=0.5, es=None), ratio("accuracy", en=1.1, es=0.8))
    assert [dot.group for dot in panel.dots] == ["en"]


@pytest.mark.parametrize("other", [
    ratio("accuracy", columns=("country",), en=1.0), ratio("vendi", en=1.0), ratio("accuracy", axis=None, en=1.0),
])  # fmt: skip
def test_what_cannot_be_laid_side_by_side_is_no_panel(other):
    assert drawn(ratio("ead", en=0.5), other) == []


def test_names_of_dots_that_are_close_stand_below_each_other():
    [panel] = drawn(ratio("ead", en=0.50, es=0.51, sw=0.9), ratio("accuracy", en=0.9, es=0.9, sw=0.9))
    at = {dot.group: dot.name_at for dot in panel.dots}
    assert abs(at["en"] - at["es"]) >= 6
    assert at["sw"] == pytest.approx(min(at.values()))


def test_the_page_draws_a_dot_and_says_its_numbers():
    page = render(run())
    text = Reader(page).text
    assert "Diversity and fidelity" in text
    assert page.count('<text class="name"') == len(LANGUAGES)
    assert "distinct 1-grams over expected ones, model over baseline" in text
    assert "bits per byte, baseline over model" in text
    assert re.search(r"Swahili 0\.55 \(0\.45 to 0\.65\) 0\.91 \(0\.83 to 1\.00\)", text)


def test_a_page_without_such_claims_has_no_such_section():
    results = run()
    results["verdicts"] = results["verdicts"][:1]
    assert "Diversity and fidelity" not in Reader(render(results)).text


def test_a_name_of_a_group_is_shown_and_not_run():
    results = run(**{"<script>alert(1)</script>": 0.7})
    assert "<script>" not in render(results)


def test_an_answer_that_knows_nothing_has_a_line():
    answered = Recorded(
        [{"right": int(n % 3 > 0), "group": "ab"[n % 2]} for n in range(60)], score={"accuracy": "right"},
        name="answered", at_chance=0.25,
    )  # fmt: skip

    def look(task, role):
        return task.outcomes(task.load(), [()] * 60)

    assert chance(accuracy(answered).by("group").__gt__(0.5).question, look) == 0.25
    assert chance(accuracy(answered).gap("group").__lt__(0.5).question, look) is None
    verdict = {**ratio("accuracy", axis=None, en=0.7), "chance": 0.25}
    page = render({**run(), "verdicts": [verdict]})
    assert "An answer that knows nothing has 0.25." in Reader(page).text
    assert page.count('class="reference"') == 2, "one in the picture, one in the group's row"
