"""The ledger of attempts: what tells two of them apart, and that neither a torn line nor two writers lose one."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from fairprobe.attempts import Attempt, attempt_of, keep, read, standing

ONE = Attempt(
    suite="5e88" * 16, tests="suites/demo", started="2026-11-20T10:00:00+0000", model="aligned", fingerprint="a1b2",
    baseline=None, seed=0, settings={}, shown=4, claims=4, error=0.05,
)  # fmt: skip


def like(**changes):
    return dataclasses.replace(ONE, **changes)


def results(**changes):
    verdict = {"claim": "accuracy(clues) > 0.3", "mode": "prove", "outcome": "pass", "confidence": 0.95}
    return {
        "complete": True, "claims": True, "started": ONE.started, "seed": 0, "settings": {"model": "path/aligned"},
        "checkpoints": [{"role": "model", "name": "aligned", "path": "path/aligned", "fingerprint": "a1b2"}],
        "data": [{"task": "clues", "path": "clues.jsonl", "sha256": "77aa", "revision": None}],
        "suite": {"files": {"suites/demo/test_demo.py": "cd34"}}, "verdicts": [verdict], **changes,
    }  # fmt: skip


def key(**changes):
    found = attempt_of(results(**changes))
    assert found is not None
    return found.key


def verdicts(**changes):
    return [{**results()["verdicts"][0], **changes}]


def test_a_run_is_an_attempt_of_its_claims_and_their_data():
    assert attempt_of(results()) == like(suite=attempt_of(results()).suite, shown=1, claims=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"started": "2026-12-01T10:00:00+0000"},
        {"settings": {"model": "another/copy", "report": "out", "store": "elsewhere", "data": "there"}},
        {"verdicts": verdicts(outcome="fail")},
        {"verdicts": verdicts() * 2},
        {"suite": {"files": {"moved/test_demo.py": "ab12"}}},
    ],
)
def test_the_same_answers_are_the_same_attempt(changes):
    assert key(**changes) == key()


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"settings": {"engine-arg": "['dtype=bfloat16']"}},
        {"checkpoints": [{**results()["checkpoints"][0], "fingerprint": "b3c4"}]},
        {
            "checkpoints": [
                *results()["checkpoints"],
                {"role": "baseline", "name": "b", "path": "b", "fingerprint": "0"},
            ]
        },
        {"verdicts": verdicts(claim="accuracy(clues) > 0.2")},
        {"data": [{"task": "clues", "path": "clues.jsonl", "sha256": "88bb", "revision": None}]},
    ],
)
def test_another_draw_or_suite_is_another_attempt(changes):
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"complete": False},
        {"claims": False},
        {"verdicts": verdicts(mode="alarm")},
        {"verdicts": verdicts(expected_failure=True)},
        {"verdicts": []},
        {"checkpoints": []},
        {"checkpoints": [{**results()["checkpoints"][0], "fingerprint": None}]},
    ],
)
def test_what_claims_nothing_is_no_attempt(changes):
    assert attempt_of(results(**changes)) is None


def test_every_run_on_a_server_is_another_draw():
    served = [{"role": "model", "name": "my", "path": "openai:my@http://there/v1", "fingerprint": "a1b2"}]
    assert key(checkpoints=served) == key(checkpoints=served)
    assert key(checkpoints=served) != key(checkpoints=served, started="2026-12-01T10:00:00+0000")


def test_answers_that_are_recorded_are_the_model_and_no_data_of_the_suite():
    def recorded(name, digest):
        data = [{**results()["data"][0], "sha256": digest}]
        who = [{"role": "model", "name": name, "path": f"recorded:{name}", "fingerprint": None}]
        return attempt_of(results(checkpoints=who, data=data))

    one, two = recorded("one", "77aa"), recorded("two", "88bb")
    assert one.suite == two.suite
    assert one.key != two.key
    assert one.key == recorded("one", "77aa").key


def test_the_error_is_that_of_the_weakest_claim():
    weak = [*verdicts(), *verdicts(confidence=0.9), *verdicts(confidence=0.6, mode="alarm")]
    assert attempt_of(results(verdicts=weak)).error == 0.1


def test_what_is_kept_is_read_again_once(tmp_path):
    file = tmp_path / ".fairprobe" / "attempts.jsonl"
    assert read(file).attempts == []
    keep(file, ONE)
    keep(file, like(started="2026-11-21T10:00:00+0000", model="a copy"))
    found = keep(file, like(fingerprint="b3c4"))
    assert read(file) == found == ([ONE, like(fingerprint="b3c4")], 0)


@pytest.mark.parametrize("torn", ['{"suite": "5e', '"a text"', "[]", "null", '{"suite": 1}', "\udcff"])
def test_a_line_that_was_torn_costs_no_other(tmp_path, torn):
    file = tmp_path / "attempts.jsonl"
    keep(file, ONE)
    with file.open("ab") as ledger:
        ledger.write(torn.encode(errors="surrogateescape"))
    keep(file, like(seed=1))
    assert read(file) == ([ONE, like(seed=1)], 1)


@pytest.mark.parametrize(
    "wrong", [{"started": "soon"}, {"error": "much"}, {"error": 2}, {"settings": []}, {"model": 3}]
)
def test_a_line_that_says_something_else_is_counted_and_breaks_nothing(tmp_path, wrong):
    file = tmp_path / "attempts.jsonl"
    file.write_text(json.dumps({**dataclasses.asdict(ONE), **wrong}) + "\n")
    assert read(file) == ([], 1)


def test_runs_that_write_at_once_lose_nothing(tmp_path):
    file = tmp_path / "attempts.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: keep(file, like(seed=seed)), range(40)))
    assert sorted(each.seed for each in read(file).attempts) == list(range(40))
    assert read(file).unread == 0


def test_errors_add_up_and_are_no_more_than_certain():
    held = [like(seed=seed) for seed in range(30)]
    assert standing(held, held[2], None)["error"] == 1.0
    assert standing(held[:3], held[2], None)["error"] == 0.15
    assert standing([ONE, like(seed=1, error=0.025)], ONE, None)["error"] == 0.075


def test_attempts_of_other_suites_and_earlier_cycles_do_not_count():
    now = like(seed=1, started="2026-11-25T10:00:00+0100")
    held = [ONE, like(suite="0" * 64, seed=2), now]
    found = standing(held, now, "2026-11-25T08:59:59+0000")
    assert (found["attempt"], found["attempts"], found["since"]) == (1, 1, "2026-11-25T08:59:59+0000")
    assert standing(held, now, None)["attempts"] == 2
    assert standing(held, now, "2026-11-25T09:00:00+0000") is None
