"""Every line that `docs/choosing-a-question.md` offers is an expectation, and takes as many clusters as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

import fairprobe
from fairprobe.expressions import Expectation, measures
from fairprobe.power import foresee
from fairprobe.verdict import Defaults
from pages import ROOT, blocks

PAGE = ROOT / "docs" / "choosing-a-question.md"
QUESTIONS = 600
ENGLISH = ("en_us", "en_in")


class Line(NamedTuple):
    """A row of the page: the line to write, and how many clusters each group is said to need."""

    source: str
    needs: str


def lines() -> list[Line]:
    rows = re.findall(r"^\| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [row.split(" | ") for row in rows]
    return [Line(each[1].strip("`"), each[3]) for each in cells if each[1].startswith("`")]


def samples() -> dict[str, list[dict[str, Any]]]:
    """Two groups that are asked the same questions, for each task of the page."""
    numbers = range(QUESTIONS)
    people = {"Chile": [0.2, 0.3, 0.5], "Kenya": [0.5, 0.3, 0.2]}
    return {
        "quiz": [
            {"id": i, "dialect": dialect, "topic": ("sea", "land")[i % 2], "question": f"{i} {dialect}", "answer": "a"}
            for i in numbers for dialect in ENGLISH
        ],
        "cases": [
            {"id": i, "case": f"He isn't late: {i} {sex}", "sex": sex, "right": ("yes", "no")[i % 2], "grants": [1, 0]}
            for i in numbers for sex in ("f", "m")
        ],
        "opinions": [{"id": i, "question": f"{i}?", "options": ["a", "b", "c"], "people": people} for i in numbers],
        "sentences": [
            {"id": i, "bias": bias, "prompt": "", "chosen": f"{bias} {i}", "rejected": f"{i}"}
            for i in numbers for bias in ("age", "religion")
        ],
        "stories": [
            {"id": i, "prompt": f"{i} {language}", "language": language} for i in numbers for language in ("en", "es")
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the page's lines may say: its tasks, on samples as it describes them, and fairprobe's names."""
    folder = tmp_path_factory.mktemp("choosing")
    for name, rows in samples().items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known: dict[str, Any] = {name: getattr(fairprobe, name) for name in fairprobe.__all__}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (tasks,) = blocks(PAGE)
        exec(tasks.text, known)
        yield known


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.source)
def test_each_line_is_an_expectation_that_needs_as_many_clusters_as_the_page_says(
    line: Line, names: dict[str, Any]
) -> None:
    expectation = eval(line.source, names)
    assert isinstance(expectation, Expectation)
    tasks = {measure.task for measure in measures(expectation.question.metric)}
    told = foresee(expectation, {task: task.load() for task in tasks}, None, Defaults())
    needed = told.power.needed if told.power else None
    said = re.match(r"\d[\d,]*\d", line.needs)
    if said is None:
        assert needed is None
    else:
        assert needed == pytest.approx(int(said[0].replace(",", "")), rel=0.15)


def test_the_lines_have_tasks_for_all_that_people_ask_for() -> None:
    said = " ".join(line.source for line in lines())
    assert len(lines()) > 20
    for question in (".by(", ".gap(", ".ratio(", ".change()", ".near(", "reference=", "invariant(", "valid_rate("):
        assert question in said
