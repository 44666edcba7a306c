"""What a run remembers: the baseline that its suite was blessed with, and how often the suite was tried since."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from fairprobe import __version__
from fairprobe.cli import app
from fairprobe.report.schema import checker

GAP = "test_gap = accuracy(equal).gap('dialect') < 0.2"
FLOOR = "test_floor = accuracy(answers).by('dialect') > 0.5"
WORSE = "answers = Recorded(rows(dict(en_us=0.9, en_in=0.4)), score='score', name='answers', pair='id')"


@pytest.fixture
def run(pytester, results):
    """Judge a recorded model into a folder of its own: what the terminal said, and the results."""

    def judge(model, *arguments):
        done = pytester.runpytest_inprocess(f"--model=recorded:{model}", f"--fairprobe-report=out/{model}", *arguments)
        return done, results(f"out/{model}")

    return judge


@pytest.fixture
def fairprobe(pytester, monkeypatch):
    """The command line, in the folder of the suite."""
    monkeypatch.chdir(pytester.path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def page_of(pytester, model):
    return (pytester.path / "out" / model / "index.html").read_text(encoding="utf-8")


def blessed_in_november(pytester):
    """Let the baseline be of an earlier day: two runs of one second are one moment."""
    file = pytester.path / "baseline.json"
    held = json.loads(file.read_text())
    file.write_text(json.dumps({**held, "started": "2026-11-20T10:00:00+0000"}))


# -- baselines


def test_a_run_says_that_nothing_moved_since_it_was_blessed(pytester, recorded_suite, run, fairprobe):
    recorded_suite(GAP, FLOOR)
    run("one")
    assert fairprobe("bless", "out/one").output == "baseline.json\n"
    done, found = run("two")
    done.stdout.fnmatch_lines(["since one was blessed on 2*-*-* (baseline.json): nothing moved"])
    checker()(found)
    assert [(each["moved"], each["changes"], each["data"]) for each in found["blessed"]["claims"]] == [
        (False, [], [])
    ] * 2
    assert "Since it was blessed" in page_of(pytester, "two")


def test_what_moved_is_told_where_the_limits_lie_apart(pytester, recorded_suite, run, fairprobe):
    recorded_suite(GAP, FLOOR)
    run("one")
    fairprobe("bless", "out/one")
    recorded_suite(WORSE, GAP, FLOOR)
    done, found = run("two")
    done.stdout.fnmatch_lines(
        [
            "since one was blessed on *:",
            "  test_floor: was pass, is fail; moved from 0.70 (0.64 to 0.76) to 0.40 (0.34 to 0.47)",
            "  the data of answers changed",
        ]
    )
    assert done.stdout.str().count("  test_gap: ") == 0
    [floor] = [each for each in found["blessed"]["claims"] if each["moved"]]
    assert {name: floor[name] for name in ("value_before", "low_before", "high_before", "value", "low", "high")} == {
        "value_before": 0.7, "low_before": 0.6443, "high_before": 0.7626, "value": 0.4, "low": 0.3447, "high": 0.4715,
    }  # fmt: skip
    assert "moved: the limits lie apart; the data of answers changed" in page_of(pytester, "two")


LOOSENED = {
    "bound": ("accuracy(equal).gap('dialect') < 0.3", "the bound was 0.2 and is 0.3: looser"),
    "tighter": ("accuracy(equal).gap('dialect') < 0.1", "the bound was 0.2 and is 0.1: tighter"),
    "confidence": (
        "(accuracy(equal).gap('dialect') < 0.2).at(confidence=0.9)",
        "the confidence was 0.95 and is 0.9: looser",
    ),
    "mode": ("(accuracy(equal).gap('dialect') < 0.2).mode('alarm')", "the mode was prove and is alarm: looser"),
    "waiver": (
        "(accuracy(equal).gap('dialect') < 0.2).waive('overlap', because='agreed')",
        "it was refined by nothing and is by .waive('overlap', because='agreed')",
    ),
    "claim": (
        "accuracy(equal).by('dialect') > 0.2",
        "the claim was accuracy(equal).gap('dialect') < 0.2 and is accuracy(equal).by('dialect') > 0.2",
    ),
}


@pytest.mark.parametrize(("claim", "said"), LOOSENED.values(), ids=list(LOOSENED))
def test_a_gate_that_was_changed_is_told_in_words(pytester, recorded_suite, run, fairprobe, claim, said):
    recorded_suite(GAP)
    run("one")
    fairprobe("bless", "out/one")
    recorded_suite(f"test_gap = {claim}")
    done, found = run("two")
    assert f"  test_gap: {said}" in done.outlines
    assert found["blessed"]["claims"][0]["changes"] == [said]
    assert found["blessed"]["claims"][0]["moved"] is (None if "claim" in said else False)


def test_a_reader_of_markdown_sees_a_loosened_gate_too(recorded_suite, run, fairprobe):
    recorded_suite(GAP)
    run("one")
    fairprobe("bless", "out/one")
    recorded_suite(GAP.replace("0.2", "0.3"))
    run("two")
    said = fairprobe("report", "out/two", "--as=markdown").output
    assert "(baseline.json):`\n- `test_gap: the bound was 0.2 and is 0.3: looser`\n" in said


def test_a_floor_is_loosened_the_other_way(recorded_suite, run, fairprobe):
    recorded_suite(FLOOR)
    run("one")
    fairprobe("bless", "out/one")
    recorded_suite(FLOOR.replace("0.5", "0.4"))
    assert "  test_floor: the bound was 0.5 and is 0.4: looser" in run("two")[0].outlines


def test_what_all_claims_share_is_said_once(recorded_suite, run, fairprobe):
    recorded_suite(GAP, FLOOR)
    run("one", "--fairprobe-profile=release")
    fairprobe("bless", "out/one")
    done, _ = run("two")
    start = next(n for n, line in enumerate(done.outlines) if line.startswith("since one was blessed on "))
    assert done.outlines[start + 1] == "  all of them: the confidence was 0.975 and is 0.95: looser"
    assert done.outlines[start + 2].startswith("report: ")


def test_no_more_than_a_few_lines_are_said(recorded_suite, run, fairprobe):
    recorded_suite("test_gap = {n: accuracy(equal).gap('dialect') < 0.2 + n / 100 for n in range(11)}")
    run("one")
    fairprobe("bless", "out/one")
    recorded_suite("test_gap = {n: accuracy(equal).gap('dialect') < 0.3 + n / 50 for n in range(11)}")
    done, _ = run("two")
    assert sum(line.startswith("  test_gap-") for line in done.outlines) == 8
    done.stdout.fnmatch_lines(["  and 3 more, all on the page"])


def test_tests_that_came_and_went_are_told_but_a_part_of_a_suite_says_nothing_of_the_rest(
    recorded_suite, run, fairprobe
):
    recorded_suite(GAP, FLOOR)
    run("one")
    fairprobe("bless", "out/one")
    recorded_suite(GAP, FLOOR.replace("test_floor", "test_level"))
    done, found = run("two")
    done.stdout.fnmatch_lines(["  new: test_level", "  gone: test_floor"])
    assert (found["blessed"]["added"], found["blessed"]["removed"]) == (
        ["test_suite.py::test_level"], ["test_suite.py::test_floor"],
    )  # fmt: skip
    assert run("three", "-k", "gap")[1]["blessed"]["removed"] == []


def test_the_nearest_baseline_at_or_above_the_tests_is_read(pytester, recorded_suite, run, fairprobe):
    recorded_suite(GAP, name="suites/africa/test_suite")
    run("one")
    assert fairprobe("bless", "out/one").output == "suites/africa/baseline.json\n"
    assert run("two")[1]["blessed"]["file"] == "suites/africa/baseline.json"
    (pytester.path / "suites/africa/baseline.json").rename(pytester.path / "baseline.json")
    assert run("three")[1]["blessed"]["file"] == "baseline.json"


def test_blessing_again_replaces_the_file_and_says_what_moved(pytester, recorded_suite, run, fairprobe):
    recorded_suite(GAP, FLOOR)
    run("one")
    fairprobe("bless", "out/one")
    before = (pytester.path / "baseline.json").read_text().splitlines()
    recorded_suite(WORSE, GAP, FLOOR)
    run("two")
    done = fairprobe("bless", "out/two")
    name, head, line, data = done.output.splitlines()
    assert data == "  the data of answers changed"
    assert (name, head[:24], line[:31]) == (
        "baseline.json",
        "since one was blessed on",
        "  test_floor: was pass, is fail",
    )
    after = (pytester.path / "baseline.json").read_text().splitlines()
    gap = before.index('   "test": "test_suite.py::test_gap",')
    assert before[gap:] == after[gap:], "what did not move is no line of a diff"


TESTS = """\
 "tests": [
  {
   "test": "test_suite.py::test_floor",
   "claim": "accuracy(answers).by('dialect') > 0.5",
   "refined": "",
   "confidence": 0.95,
   "mode": "prove",
   "outcome": "pass",
   "value": 0.7,
   "low": 0.6443,
   "high": 0.7626,
   "samples": 400,
   "clusters": 200,
   "groups": [
    {"group": {"dialect": "en_in"}, "value": 0.7, "low": 0.6443, "high": 0.7503},
    {"group": {"dialect": "en_us"}, "value": 0.9, "low": 0.8596, "high": 0.9297}
   ]
  }
 ]
}
"""


def test_a_baseline_is_small_and_has_a_line_for_each_group(pytester, recorded_suite, run, fairprobe):
    recorded_suite(FLOOR)
    run("one")
    fairprobe("bless", "out/one")
    text = (pytester.path / "baseline.json").read_text()
    assert list(json.loads(text)) == ["schema", "fairprobe", "started", "model", "baseline", "suite", "data", "tests"]
    assert text[text.index(' "tests"') :] == TESTS


REFUSED = {
    "a part": (["-k", "gap"], "did not judge every claim of its suite"),
    "a sample": (["--fairprobe-profile=sample"], "makes no claim, by its profile"),
    "a limit": (["--fairprobe-limit=100"], "asked 100 samples of each task at most"),
}


@pytest.mark.parametrize(("arguments", "why"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_evidence_of_the_whole_suite_is_not_blessed(
    pytester, recorded_suite, run, fairprobe, arguments, why
):
    recorded_suite(GAP, FLOOR)
    run("one", *arguments)
    done = fairprobe("bless", "out/one")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"out/one {why}, and a baseline stands for the whole suite: run all of it, ")
    assert not (pytester.path / "baseline.json").exists()


def test_a_run_from_another_root_is_not_blessed_without_a_place(pytester, recorded_suite, run, fairprobe, monkeypatch):
    recorded_suite(GAP)
    run("one")
    (elsewhere := pytester.path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    done = fairprobe("bless", "../out/one")
    assert done.exit_code == 1
    assert "or say where to write: --to=FOLDER/baseline.json" in done.stderr
    assert fairprobe("bless", "../out/one", "--to=of/mine.json").output == "of/mine.json\n"


WHOLE = """{"schema": 1, "fairprobe": "0.1.0", "started": "2026-11-20T10:00:00+0000", "baseline": null, "suite": [],
"model": {"name": "one", "fingerprint": null, "revision": null}, "data": [], "tests": [{"test": "t", "claim": "a < 1",
"refined": "", "confidence": 0.95, "mode": "prove", "outcome": "pass", "value": null, "low": null, "high": null,
"samples": 0, "clusters": 0, "groups": []}]}"""
BROKEN = {
    "torn": ('{"schema": 1, "fairprobe"', "is no baseline of fairprobe: "),
    "another file": ('{"score": 3}', "is no baseline of fairprobe: data must contain "),
    "no number": ('{"schema": NaN}', "is no baseline of fairprobe: NaN is no number"),
    "no moment": (WHOLE.replace("2026-11-20", "2026-99-20"), "is no baseline of fairprobe: month must be in 1..12"),
    "no claim": (WHOLE.replace("< 1", "= 1"), "is no baseline of fairprobe: data.tests[0].claim must match "),
    "no bound": (WHOLE.replace("< 1", "< e"), "is no baseline of fairprobe: could not convert string to float: 'e'"),
    "newer": (
        '{"schema": 2, "fairprobe": "9.0"}',
        f"has schema 2, written by fairprobe 9.0; this is fairprobe {__version__}",
    ),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=list(BROKEN))
def test_a_baseline_that_cannot_be_read_is_a_message_and_costs_nothing(pytester, recorded_suite, run, text, said):
    recorded_suite(GAP)
    (pytester.path / "baseline.json").write_text(text)
    done, found = run("one")
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(["what moved since this suite was blessed is not known: *"])
    assert said in done.stdout.str()
    assert (found["blessed"], found["attempts"]["attempt"]) == (None, 1)


def test_a_file_that_is_no_baseline_is_never_replaced(pytester, recorded_suite, run, fairprobe):
    recorded_suite(GAP)
    run("one")
    (pytester.path / "baseline.json").write_text("my thesis")
    done = fairprobe("bless", "out/one")
    assert done.exit_code == 1
    assert "Restore it, or move it away and bless a run: fairprobe bless" in done.stderr
    assert (pytester.path / "baseline.json").read_text() == "my thesis"


def test_a_run_that_makes_no_claim_is_not_compared(recorded_suite, run, fairprobe):
    recorded_suite(GAP)
    run("one")
    fairprobe("bless", "out/one")
    assert run("two", "--fairprobe-profile=sample")[1]["blessed"] is None


# -- attempts


def test_the_error_of_attempts_adds_up_from_the_second_on(pytester, recorded_suite, run):
    recorded_suite(GAP, FLOOR)
    first, found = run("one")
    assert "Attempt" not in first.stdout.str()
    assert found["attempts"]["sentence"] is None
    day = found["started"][:10]
    said = (
        f"Attempt 2 of this suite since {day}: if a claim were false for each of them, one of the 2 would have passed "
        "with a probability of at most 0.1."
    )
    second, found = run("two")
    assert any(line.endswith(f"would be said with a probability of at most 0.05. {said}") for line in second.outlines)
    assert found["attempts"]["sentence"] == said
    assert said in page_of(pytester, "two")
    checker()(found)
    third, _ = run("three", "--fairprobe-confidence=0.99")
    assert "one of the 3 would have passed with a probability of at most 0.11." in third.stdout.str()


def test_the_same_again_is_no_new_attempt(pytester, recorded_suite, run):
    recorded_suite(GAP)
    run("one")
    run("two")
    again, found = run("one", "--fairprobe-store=.fairprobe/store")
    assert "Attempt 1 again, of 2 since " in again.stdout.str()
    assert (found["attempts"]["attempt"], found["attempts"]["attempts"]) == (1, 2)
    assert len((pytester.path / ".fairprobe/attempts.jsonl").read_text().splitlines()) == 2
    assert run("one", "--fairprobe-seed=1")[1]["attempts"]["attempt"] == 3


def test_attempts_are_counted_since_the_suite_was_blessed(pytester, recorded_suite, run, fairprobe):
    recorded_suite(GAP)
    run("one")
    fairprobe("bless", "out/one")
    ledger = pytester.path / ".fairprobe/attempts.jsonl"
    held = json.loads(ledger.read_text())
    ledger.write_text(json.dumps({**held, "started": "2026-11-20T10:00:00+0000"}) + "\n")
    blessed_in_november(pytester)
    assert run("two")[1]["attempts"]["attempt"] == 1
    done, _ = run("three")
    assert "Attempt 2 of this suite since it was blessed on 2026-11-20: " in done.stdout.str()
    done, found = run("one")
    assert found["attempts"] is None, "it belongs to the cycle before"


def test_another_bound_is_another_suite(recorded_suite, run):
    recorded_suite(GAP)
    run("one")
    recorded_suite(GAP.replace("0.2", "0.3"))
    assert run("two")[1]["attempts"]["attempt"] == 1


@pytest.mark.parametrize("arguments", [["--fairprobe-limit=100"], ["--fairprobe-profile=sample"], ["-k", "gap"]])
def test_what_makes_no_release_claim_is_no_attempt(pytester, recorded_suite, run, arguments):
    recorded_suite(GAP, FLOOR)
    assert run("one", *arguments)[1]["attempts"] is None
    assert not (pytester.path / ".fairprobe/attempts.jsonl").exists()


def test_two_workers_write_one_attempt(pytester, recorded_suite, run):
    recorded_suite(GAP, FLOOR)
    run("one", "-n2", "-p", "no:hypothesispytest", "-p", "no:anyio")
    [line] = (pytester.path / ".fairprobe/attempts.jsonl").read_text().splitlines()
    assert json.loads(line)["claims"] == 2


def test_a_ledger_that_cannot_be_written_is_a_complaint(pytester, recorded_suite, run):
    recorded_suite(GAP)
    (pytester.path / ".fairprobe").write_text("")
    done, found = run("one")
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines(["the attempt is not counted, since */.fairprobe/attempts.jsonl cannot be written: *"])
    assert found["attempts"] is None


def test_attempts_are_listed_by_suite(pytester, recorded_suite, run, fairprobe):
    assert fairprobe("attempts").output == "no attempt is written in .fairprobe/attempts.jsonl\n"
    recorded_suite(GAP, FLOOR, name="suites/africa/test_suite")
    run("one")
    _, found = run("two")
    day, name = found["started"][:10], found["attempts"]["suite"]
    for suite in ([], ["suites/africa"], ["suites/"], [name[:8]]):
        head, columns, first, second = fairprobe("attempts", *suite).output.splitlines()
        assert head == f"suites/africa ({name[:12]}): 2 attempts since {day}, an error of 0.1 together"
        assert columns.split() == ["began", "model", "fingerprint", "seed", "shown", "error"]
        assert first.split()[0::3][:2] == ["1", "one"]
        assert second.endswith("0     2 of 2  0.05")
    assert fairprobe("attempts", "suites/af").output.startswith("no attempt of suites/af is written in ")


def test_attempts_are_listed_since_the_suite_was_blessed(pytester, recorded_suite, run, fairprobe):
    recorded_suite(GAP)
    run("one")
    fairprobe("bless", "out/one")
    assert ": 0 attempts since it was blessed on " in fairprobe("attempts").output


def test_a_copy_of_a_checkpoint_is_no_new_attempt_and_another_one_is(pytester, asking_suite, tiny, results):
    asking_suite("test_valid = valid_rate(clues).by('dialect') > 0.1")
    shutil.copytree(tiny, pytester.path / "copy")
    for folder, model in (("a", tiny), ("b", pytester.path / "copy"), ("c", tiny.parent / "chat")):
        pytester.runpytest_inprocess(f"--model={model}", f"--fairprobe-report={folder}")
    tried = [results(folder)["attempts"] for folder in "abc"]
    assert [(each["attempt"], each["attempts"]) for each in tried] == [(1, 1), (1, 1), (2, 2)]
    held = [json.loads(line) for line in (pytester.path / ".fairprobe/attempts.jsonl").read_text().splitlines()]
    assert [each["fingerprint"] for each in held] == [results(each)["checkpoints"][0]["fingerprint"] for each in "ac"]
