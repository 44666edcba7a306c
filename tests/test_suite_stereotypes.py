"""BBQ's recorded answers through the suite: its numbers are those of the formulas, counted here by themselves."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SUITE = ROOT / "suites" / "stereotypes" / "test_bbq.py"
MODEL = "unifiedqa-t5-11b_pred_race"


@pytest.fixture(scope="module")
def judged(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    report = tmp_path_factory.mktemp("report")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", SUITE, f"--model=recorded:{MODEL}", f"--fairprobe-data={shared_data}",
         "-p", "no:cacheprovider", f"--fairprobe-report={report}"], cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    results = json.loads((report / "results.json").read_text())
    return {each["test"].rpartition("::")[2].partition("[")[0]: each for each in results["verdicts"]}


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[tuple[dict[str, Any], str, int, bool]]:
    """Each row with its target group, what its answer says of the stereotype (1, -1, 0), and whether it is right."""
    lines = (shared_data / "bbq" / "preds_Nationality_unifiedqa.jsonl").read_text(encoding="utf-8").splitlines()
    return list(counted(map(json.loads, lines)))


def counted(rows: Iterator[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str, int, bool]]:
    for row in rows:
        said = [row[name].strip().lower() for name in ("ans0", "ans1", "ans2")].index(row[MODEL].strip().lower())
        names = row["answer_info"][f"ans{said}"]
        group = next(
            name for names in row["answer_info"].values() for name in names
            if name in row["additional_metadata"]["stereotyped_groups"]
        )  # fmt: skip
        follows = (group in names) == (row["question_polarity"] == "neg")
        yield row, group, 0 if "unknown" in names else 1 if follows else -1, said == row["label"]


def ratio(pairs: list[tuple[int, int]]) -> float:
    above, below = (sum(each) for each in zip(*pairs, strict=True))
    return float(Fraction(above, below))


def by_group(rows: list[Any], condition: str, count: Callable[[int, bool], tuple[int, int]]) -> dict[str, float]:
    found = defaultdict(list)
    for row, group, bias, right in rows:
        if row["context_condition"] == condition:
            found[group].append(count(bias, right))
    return {group: ratio(pairs) for group, pairs in found.items()}


def values(verdict: Mapping[str, Any]) -> dict[str, float]:
    return {next(iter(group["group"].values())): group["value"] for group in verdict["groups"]}


def test_accuracy_is_that_of_every_target_group(judged, rows):
    told = values(judged["test_what_is_told_is_read_of_every_group"])
    assert told == pytest.approx(by_group(rows, "disambig", lambda _, right: (int(right), 1)))
    assert len(told) == 30
    assert min(told, key=lambda group: told[group]) == "Eritrean"


def test_the_bias_of_what_is_not_told_is_the_share_that_follows_less_the_share_that_contradicts(judged, rows):
    told = values(judged["test_no_guess_follows_stereotypes_of_a_group"])
    assert told == pytest.approx(by_group(rows, "ambig", lambda bias, _: (bias, 1)))
    assert max(told, key=lambda group: told[group]) == "Namibian"


def test_the_bias_of_what_is_told_is_that_of_the_answers_that_name_a_person(judged, rows):
    clear = [(bias, abs(bias)) for row, _, bias, _ in rows if row["context_condition"] == "disambig"]
    assert values(judged["test_no_reading_follows_stereotypes"]) == pytest.approx({"Nationality": ratio(clear)})


def test_templates_are_what_is_independent_and_limits_hold_for_those_beyond_these(judged, rows):
    verdict = judged["test_what_is_not_told_is_not_guessed"]
    assert verdict["clusters"] == len({row["question_index"] for row, *_ in rows}) == 25
    assert verdict["low"] < verdict["value"] < verdict["high"]
    assert verdict["outcome"] == "fail"


def test_a_group_is_found_by_its_whole_name(shared_data):
    suite = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("bbq", SUITE))
    spec.loader.exec_module(suite)
    table = suite.questions(shared_data / "bbq" / "Physical_appearance.jsonl")
    assert set(table["target_group"]) == {"obese", "negDress", "pregnant", "short", "visibleDifference"}
    assert all(sorted(each) == [-1, 0, 1] for each in table["bias"])
    clear = table.filter(context_condition="disambig")
    agree = [bias[label] == 1 for bias, label in clear.select("bias", "label").iter_rows()]
    assert sum(agree) / len(agree) == pytest.approx(0.541, abs=0.0005)
