"""`--fairprobe-stop=sequential`: what a run asks, and what it says; a real server answers what the sample says."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from servers import Reply, scripted

MODELS = [Reply({"object": "list", "data": [{"id": "tiny", "object": "model", "max_model_len": 512}]})]
SUITE = """
import random
from fairprobe import Generation, accuracy, valid_rate

SAID = random.Random(0)
ROWS = [
    {"id": at, "dialect": dialect, "clue": f"{dialect} {at}", "word": "otter",
     "says": "otter" if SAID.random() < share else "cow"}
    for at in range(300) for dialect, share in (("us", 0.9), ("ng", 0.5))
]
# what the server says stands in the prompt
clues = Generation(ROWS, "{clue}: {says}", target="word", name="clues", pair="id", max_tokens=3)
"""


def echo(body):
    said = body["messages"][-1]["content"].rpartition(": ")[2]
    usage = {"prompt_tokens": 8, "completion_tokens": 1}
    return Reply({
        "choices": [{"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}], "usage": usage
    })  # fmt: skip


@pytest.fixture
def stopped(pytester):
    """Runs a suite against the server, and gives its results and how often the server was asked."""

    def run(*claims, options=("--fairprobe-stop=sequential",), report="told"):
        suite = SUITE.replace('target=lambda row: "otter"', 'target="word"').replace(
            '"says"', '"word": "otter", "says"'
        )
        pytester.makepyfile(test_suite="\n".join([suite, *claims]))
        with scripted(models=MODELS, chat_completions=echo) as server:
            done = pytester.runpytest_inprocess(
                f"--model=openai:tiny@{server.url}", f"--fairprobe-report={report}", *options
            )
            # the engine greets a server once
            asked = len(server.posted("/v1/chat/completions")) - 1
        return done, json.loads((pytester.path / report / "results.json").read_text()), asked

    return run


GAP = 'test_gap = accuracy(clues).gap("dialect") < 0.1'
VALID = 'test_valid = valid_rate(clues).by("dialect") > 0.8'


def test_a_clear_gap_is_asked_about_in_part_and_the_rest_is_told(stopped, pytester):
    done, results, asked = stopped(GAP)
    done.assert_outcomes(failed=1)
    [verdict] = results["verdicts"]
    requests = results["requests"]
    assert requests["asked"] == asked == verdict["samples"]
    assert requests["spared"] == 600 - asked > 300
    assert sum(group["unasked"] for group in verdict["groups"]) == requests["spared"]
    assert verdict["e_values"]["fail"] >= verdict["e_values"]["needed"] == 20
    assert 0.1 <= verdict["low"] <= verdict["value"] <= verdict["high"] < 1
    done.stdout.fnmatch_lines(
        [
            "*not asked*",
            f"  {asked} of 600 samples were asked; betting for the claim came to * and against it to *, and 20 decides",
            f"early stopping: 1 of 1 that may stop did, before the end; {600 - asked} of 600 requests were not asked",
        ]
    )
    # what was not asked is in no table of samples either
    [entry] = results["samples"]
    assert entry["rows"] == asked
    page = (pytester.path / "told" / "index.html").read_text()
    assert "Early stopping" in page
    assert "not asked" in page


def test_a_verdict_does_not_depend_on_which_others_run_nor_on_what_is_stored(stopped):
    first, alone, _ = stopped(GAP)
    done, together, asked = stopped(
        GAP, VALID, report="second", options=("--fairprobe-stop=sequential", "-p", "no:randomly")
    )
    assert first.ret == done.ret == 1
    mine = ["value", "low", "high", "e_values", "samples", "groups", "outcome"]
    one, other = (next(each for each in run["verdicts"] if "gap" in each["test"]) for run in (alone, together))
    assert [one[name] for name in mine] == [other[name] for name in mine]
    assert asked == together["requests"]["asked"]


def test_a_benchmark_that_is_asked_whole_is_told_exactly(stopped):
    claim = 'test_level = (accuracy(clues).by("dialect") > 0.505).at(scope="benchmark")'
    _, results, _ = stopped(claim)
    _, full, _ = stopped(claim, options=(), report="second")
    early, whole = results["verdicts"][0], full["verdicts"][0]
    assert early["outcome"] == whole["outcome"]
    assert whole["low"] == whole["high"] == whole["value"]


def test_the_plan_says_how_many_may_stop_and_why_the_others_may_not(stopped):
    few = "test_few = accuracy(clues).where(id=3) > 0.1"
    done, _, _ = stopped(GAP, few)
    done.stdout.fnmatch_lines(
        [
            "fairprobe: 1 may stop early; asked whole: 1 of too few clusters to stop early",
        ]
    )


def test_workers_and_candidates_judge_what_others_asked(pytester, checkpoints_folder):
    """A change and a level of the same task, asked by different plans and processes, come to the same verdicts."""
    pytester.makepyfile(test_suite=SUITE.replace("max_tokens=3", 'max_tokens=3, format="plain"') + CHAIN)
    told = {}
    for report, options in (("one", []), ("two", ["-n", "2"])):
        models = [f"--model={checkpoints_folder / name}" for name in ("plain", "chat")]
        pytester.runpytest_subprocess(
            *models, "--fairprobe-stop=sequential", f"--fairprobe-report={report}",
            f"--fairprobe-store={report}/store", *options,
        )  # fmt: skip
        verdicts = [
            json.loads((pytester.path / report / name / "results.json").read_text())["verdicts"]
            for name in ("plain", "chat")
        ]
        told[report] = {
            each["test"]: [each[name] for name in ("outcome", "value", "low", "high", "samples")]
            for each in sorted(chain.from_iterable(verdicts), key=lambda each: each["test"])
        }  # fmt: skip
    assert told["one"] == told["two"]
    assert len(told["one"]) == 3
    assert not any(outcome == "invalid" for outcome, *_ in told["one"].values())


CHAIN = """
test_valid = valid_rate(clues).by("dialect") > 0.01
test_since = valid_rate(clues).change(since="plain").gap("dialect", reference="us") < 0.5
"""
