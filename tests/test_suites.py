"""The shipped suites, end to end: a real checkpoint of random weights, on samples of our own and on public data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[1]
SUITES = ("dialects", "multilingual", "opinions_about", "opinions_from")


@pytest.fixture
def run(checkpoints_folder, tmp_path):
    def run(*arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
             f"--model={checkpoints_folder / 'chat'}", f"--baseline={checkpoints_folder / 'plain'}",
             f"--fairprobe-report={tmp_path / 'report'}", f"--fairprobe-store={tmp_path / 'store'}", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done, json.loads((tmp_path / "report" / "results.json").read_text())

    return run


def test_every_suite_runs_on_samples_of_its_own_and_claims_nothing(run):
    done, results = run(*(f"suites/{name}" for name in SUITES), "--fairprobe-profile=sample")
    assert done.returncode == 0, done.stdout
    judged = results["verdicts"]
    assert {each["test"].split("/")[1] for each in judged} == set(SUITES)
    assert {each["outcome"] for each in judged} <= {"pass", "fail", "inconclusive", "invalid"}
    assert all(each["caveats"][-1] == "sample data: no claim" for each in judged)
    assert results["release"]["sentence"] == "This profile makes no claim."
    cost = next(each for each in judged if each["test"].endswith("test_no_language_costs_much_more"))
    assert all(group["value"] > 1 for group in cost["groups"]), "tokens are counted of choices as of written answers"


def test_public_questions_go_through_a_real_checkpoint(run, shared_data):
    done, results = run(
        "suites/multilingual/test_multilingual.py", "-k", "tydiqa and not change", "--fairprobe-limit=27",
        f"--fairprobe-data={shared_data / 'unintended-impacts'}",
    )  # fmt: skip
    assert results["verdicts"], done.stdout
    answered = next(each for each in results["verdicts"] if each["test"].endswith("test_every_language_is_answered"))
    assert {group["group"]["language"] for group in answered["groups"]} == {
        "arabic", "bengali", "english", "finnish", "indonesian", "korean", "russian", "swahili", "telugu",
    }  # fmt: skip
    assert results["data"][0]["licence"] == "Apache-2.0"


def test_public_data_that_is_nowhere_is_told_with_where_it_would_lie(run):
    done, _ = run("suites/dialects/test_dialects.py")
    assert "no file 'md3/clips.csv'" in done.stdout
    assert "--fairprobe-profile=sample" in done.stdout
