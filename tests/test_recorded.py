"""Recorded answers and scores: raw text, missing values, joins by key, lm-eval's logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairprobe import BadData, Recorded, accuracy, mean, scorers, valid_rate
from fairprobe.data import Dataset, Places
from fairprobe.verdict import Defaults, judge


def judged(claim, **names):
    """The verdict on recordings, by role."""
    return judge(claim, lambda task, role: task.outcomes(task.recorded(names.get(role, "any"))), Defaults())


def refusal(call, *given) -> str:
    with pytest.raises(BadData) as caught:
        call(*given)
    return str(caught.value)


def test_raw_answers_are_scored_as_written_ones_are(tmp_path):
    (tmp_path / "gpt.csv").write_text("said,word,dialect\nan otter,otter,us\n7,7,us\n,owl,ng\nseal,owl,ng\n")
    task = Recorded(str(tmp_path / "{model}.csv"), name="said", response="said", target="word", scorer=scorers.contains)
    outcomes = task.outcomes(task.recorded("gpt"))
    assert outcomes.scores["contains"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert outcomes.status.tolist() == ["ok", "ok", "empty", "ok"], "an empty cell is an empty answer"
    assert task.chance(outcomes.samples) == 0.05


def test_scores_stand_beside_raw_answers():
    rows = [{"said": "otter", "word": "otter", "picked": True}]
    task = Recorded(rows, name="said", response="said", target="word", score={"picked": "picked"})
    assert {name: held.tolist() for name, held in task.outcomes(task.recorded("any")).scores.items()} == {
        "exact_match": [1.0], "picked": [1.0],
    }  # fmt: skip


def similarities(*values, **given):
    rows = [{"country": "us" if place % 2 else "ng", "q": place, "score": value} for place, value in enumerate(values)]
    return Recorded(rows, score="score", name="answers", **given)


def test_what_stands_for_a_missing_value_is_declared():
    task = similarities(0.5, -1.0, None, 0.7, missing={-1: "drop", None: "zero"})
    outcomes = task.outcomes(task.recorded("any"))
    assert outcomes.scores["score"].tolist() == [0.5, 0.0, 0.7]
    assert outcomes.status.tolist() == ["ok", "empty", "ok"]
    assert [(each.reason, each.frame.height) for each in outcomes.samples.dropped] == [("score is missing", 1)]
    assert "1 of 3 scores in 'score' are missing" in refusal(
        lambda: similarities(0.5, 0.6, -1.0, missing={-1: "error"}).outcomes(
            similarities(0.5, 0.6, -1.0).recorded("any")
        )
    )


def test_dropped_rows_are_counted_by_group_and_said():
    task = similarities(*[0.5, 0.6] * 15, -1.0, -1.0, -1.0, missing={-1: "drop"})
    verdict = judged(mean(task, "score").by("country") > 0.1)
    assert {group.group["country"]: group.left_out for group in verdict.groups} == {"ng": 2, "us": 1}
    assert "3 rows left out, score is missing, most in ng (2)" in verdict.caveats


def test_a_policy_is_one_of_three():
    assert "missing= is 'error', 'drop' or 'zero'" in refusal(lambda: similarities(0.5, missing="ignore"))


@pytest.fixture
def chain(tmp_path) -> Recorded:
    """Two recordings of which each holds a question that the other lacks, in another order."""
    rows = [{"q": f"q{q}", "dialect": dialect, "score": q % 2} for q in range(30) for dialect in ("us", "ng")]
    after = [{**row, "score": 1} for row in reversed(rows[2:])]
    before = [*rows[:-2], {"q": "q99", "dialect": "us", "score": 1}]
    for name, held in (("after", after), ("before", before)):
        (tmp_path / f"{name}.json").write_text(json.dumps(held))
    return Recorded(str(tmp_path / "{model}.json"), name="chain", score="score", key=("q", "dialect"), pair="q")


def test_recordings_are_joined_by_their_key_and_what_is_missing_is_counted(chain):
    verdict = judged(accuracy(chain).change().by("dialect") > 0.1, model="after", baseline="before")
    assert {group.group["dialect"]: (group.value, group.samples) for group in verdict.groups} == {
        "ng": (0.5, 28), "us": (0.5, 28),
    }  # fmt: skip
    assert "2 rows left out, in this recording only, 1 in each of 2 groups" in verdict.caveats
    assert "3 rows of the baseline left out, in this recording only, most in us (2)" in verdict.caveats


def test_recordings_without_a_key_hold_the_same_samples(chain, tmp_path):
    task = Recorded(str(tmp_path / "{model}.json"), name="chain", score="score", pair="q")
    with pytest.raises(BadData, match="Name the columns that tell a sample from the others"):
        judged(accuracy(task).change() > 0.1, model="after", baseline="before")


def test_a_key_is_of_one_row():
    rows = [{"q": 1, "dialect": "us", "score": 1}] * 2
    task = Recorded(rows, score="score", name="answers", key=("q", "dialect"))
    assert "2 rows have q=1, dialect='us'" in refusal(task.recorded, "any")


LOGGED = {
    "doc_id": 0, "doc": {"question": "Which swims?", "dialect": "us", "target": "x"}, "target": "otter",
    "arguments": {"gen_args_0": {"arg_0": "Which swims?\nAnswer:", "arg_1": {"until": ["\n"]}}},
    "resps": [["an otter"]], "filtered_resps": ["an otter"], "filter": "none", "metrics": ["exact_match"],
    "exact_match": 0.0,
}  # fmt: skip


def logged(folder: Path, *changes: dict) -> None:
    file = folder / "out" / "org__model" / "samples_riddles_en_2026-11-26T04-30-43.731522.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps({**LOGGED, **change}) + "\n" for change in changes))


def test_what_lm_eval_logged_is_read_with_its_documents_fields(tmp_path):
    logged(tmp_path, {"doc_id": 0}, {"doc_id": 1, "exact_match": 1.0})
    task = Recorded.lm_eval(str(tmp_path / "out"), "exact_match")
    samples = task.recorded("org__model")
    assert samples.frame["task"].to_list() == ["riddles_en"] * 2
    assert samples.frame.select("dialect", "doc_target", "target", "response", "prompt").row(0) == (
        "us", "x", "otter", "an otter", "Which swims?\nAnswer:",
    )  # fmt: skip
    assert task.outcomes(samples).scores["exact_match"].tolist() == [0.0, 1.0]
    assert not task.has("another")


def test_what_lm_eval_logged_can_be_scored_again(tmp_path):
    logged(tmp_path, {})
    task = Recorded.lm_eval(
        str(tmp_path / "out"), task="riddles_en", name="riddles", response="response", target="target",
        scorer=scorers.contains,
    )  # fmt: skip
    assert task.outcomes(task.recorded("org__model")).scores["contains"].tolist() == [1.0]


def test_a_file_of_another_kind_is_no_log_of_lm_eval(tmp_path):
    logged(tmp_path, {})
    file = next((tmp_path / "out").rglob("*.jsonl"))
    file.write_text('{"a": 1}\n')
    assert "line 1 is no sample that lm-eval logs" in refusal(
        Recorded.lm_eval(str(tmp_path / "out")).recorded, "org__model"
    )


def test_a_sample_of_ones_own_carries_no_claim(tmp_path):
    rows = "\n".join(json.dumps({"score": 1, "g": group}) for group in "ab" * 12)
    (tmp_path / "own.jsonl").write_text(rows)
    data = Dataset("public/{model}.jsonl", sample=str(tmp_path / "own.jsonl"), licence="MIT")
    task = Recorded(data, score="score", name="answers")
    samples = task.recorded("any", Places(sample=True))
    verdict = judge(valid_rate(task).by("g") > 0.5, lambda asked, role: asked.outcomes(samples), Defaults())
    assert verdict.caveats[-1] == "sample data: no claim"
    assert "--fairprobe-profile=sample" in refusal(task.recorded, "any")


def test_a_licence_for_non_commercial_use_is_accepted_by_name(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = Dataset("data/x.csv", hub="org/opinions", licence="CC-BY-NC-SA-4.0", non_commercial=True)
    task = Recorded(data, score="score", name="answers")
    assert "--fairprobe-accept=CC-BY-NC-SA-4.0" in refusal(task.recorded, "any")
    accepted = Places(accepted=frozenset({"CC-BY-NC-SA-4.0"}))
    assert "the hub gives none" in refusal(task.recorded, "any", accepted)


def test_a_local_copy_lies_in_the_hubs_layout(tmp_path):
    file = tmp_path / "org" / "opinions" / "data" / "jordan.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"score": 0.5}\n')
    data = Dataset("data/{country}.jsonl", hub="org/opinions", licence="CC-BY-NC-SA-4.0", non_commercial=True)
    samples = Recorded(data, score="score", name="answers").recorded("any", Places(tmp_path))
    assert samples.frame.to_dicts() == [{"score": 0.5, "country": "jordan"}]
    assert samples.sources[0].licence == "CC-BY-NC-SA-4.0"


def test_bytes_of_another_encoding_are_named_by_their_line(tmp_path):
    (tmp_path / "a.csv").write_bytes("score,word\n1,owl\n1,café\n".encode("latin-1"))
    assert "a.csv, line 3 is not UTF-8: byte 0xe9 after '1,caf'" in refusal(
        Recorded(str(tmp_path / "a.csv"), score="score").recorded, "any"
    )
