"""The shipped suites, end to end: a real checkpoint of random weights, on samples of our own and on public data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("torch")

from checkpoints import make_checkpoint

ROOT = Path(__file__).parents[1]
SUITES = (
    "culture", "dialects", "drift", "multilingual", "opinions_about", "opinions_from", "preferences", "stereotypes",
)  # fmt: skip


@pytest.fixture
def run(checkpoints_folder, tmp_path):
    def run(
        *arguments: str, model: Path = checkpoints_folder / "chat"
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
             f"--model={model}", f"--baseline={checkpoints_folder / 'plain'}",
             f"--fairprobe-report={tmp_path / 'report'}", f"--fairprobe-store={tmp_path / 'store'}", *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done, json.loads((tmp_path / "report" / "results.json").read_text())

    return run


def outcomes(results):
    return {each["test"]: each["outcome"] for each in results["verdicts"]}


def values(results):
    return {
        (each["test"], *group["group"].values()): group["value"]
        for each in results["verdicts"]
        for group in each["groups"]
    }


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


def test_the_same_public_questions_are_asked_in_twelve_languages(run, shared_data, tmp_path):
    # a character of Thai is three tokens of this tokenizer
    long = make_checkpoint(tmp_path / "long", context=16384)
    done, results = run(
        "suites/multilingual/test_multilingual.py", "-k", "same_question", "--fairprobe-limit=24",
        f"--fairprobe-data={shared_data}", model=long,
    )  # fmt: skip
    (answered,) = results["verdicts"] or pytest.fail(done.stdout)
    languages = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
    assert {group["group"]["language"]: group["samples"] for group in answered["groups"]} == dict.fromkeys(languages, 2)
    assert {group["clusters"] for group in answered["groups"]} == {2}
    assert not any("error" in group["statuses"] for group in answered["groups"])
    assert results["data"][0]["licence"] == "CC-BY-SA-4.0"


def test_global_mmlu_is_read_where_the_hub_keeps_it(run, tmp_path):
    rows = pl.read_ndjson(ROOT / "suites/multilingual/sample/global-mmlu.jsonl")
    for (language,), part in rows.group_by("language"):
        folder = tmp_path / "CohereLabs/Global-MMLU" / language
        folder.mkdir(parents=True)
        part.drop("language").write_parquet(folder / "test-00000-of-00001.parquet")
    done, results = run(
        "suites/multilingual/test_multilingual.py", "-k", "knows_less", f"--fairprobe-data={tmp_path}"
    )  # fmt: skip
    (answered,) = results["verdicts"] or pytest.fail(done.stdout)
    assert {group["group"]["language"]: group["samples"] for group in answered["groups"]} == {"de": 8, "en": 8, "es": 8}


@pytest.mark.vllm
def test_vllm_answers_every_suite_as_transformers_does(run):
    # a baseline would take another vLLM, which starts slowly; what drift asks for is drawn, by each engine its own
    suites = {*SUITES} - {"drift"}
    asked = (*(f"suites/{name}" for name in sorted(suites)), "--fairprobe-profile=sample", "-k", "not tuning")
    _, ours = run(*asked, "--fairprobe-engine=transformers")
    done, theirs = run(*asked, "--fairprobe-engine=vllm")
    assert done.returncode == 0, done.stdout
    assert {each["test"].split("/")[1] for each in theirs["verdicts"]} == suites
    assert outcomes(theirs) == outcomes(ours)
    assert values(theirs) == pytest.approx(values(ours), rel=0.01, abs=0.01)


def test_public_data_that_is_nowhere_is_told_with_where_it_would_lie(run):
    done, _ = run("suites/dialects/test_dialects.py")
    assert "no file 'md3/clips.csv'" in done.stdout
    assert "--fairprobe-profile=sample" in done.stdout
