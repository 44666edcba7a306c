"""Several `--model`s: every expectation is judged for each, `.change(since=…)` compares within a chain."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fairprobe import BadExpectation, Recorded, accuracy
from fairprobe.expressions import since

FAIRPROBE = Path(sys.executable).with_name("fairprobe")
SUITE = """
from fairprobe import Recorded, accuracy

answers = Recorded("{model}.jsonl", score="score", name="answers", pair="id", key=("id", "dialect"))
"""
SHARES = {"base": (0.60, 0.60), "sft": (0.90, 0.70), "dpo": (0.92, 0.91)}
CHAIN = [f"--model=recorded:{name}" for name in SHARES]
GAP = 'test_gap = accuracy(answers).gap("dialect") < 0.1'
SINCE = 'test_since = accuracy(answers).change(since="base").gap("dialect", reference="us") < 0.1'


@pytest.fixture
def judged(pytester):
    """Runs a suite over recordings of a chain, and gives each candidate's results."""

    def run(*lines, models=CHAIN, options=()):
        for name, shares in SHARES.items():
            rows = [
                {"id": at, "dialect": dialect, "score": float(at < share * 200)}
                for dialect, share in zip(("us", "ng"), shares, strict=True) for at in range(200)
            ]  # fmt: skip
            (pytester.path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        pytester.makepyfile(test_suite="\n".join([SUITE, *lines]))
        done = pytester.runpytest_subprocess(*models, "--fairprobe-report=told", *options)
        read = {file.parent.name: json.loads(file.read_text()) for file in pytester.path.glob("told/*/results.json")}
        return done, read

    return run


def outcomes(results):
    return {each["test"].rpartition("::")[2]: each["outcome"] for each in results["verdicts"]}


def test_every_expectation_is_judged_for_each_model_in_the_order_of_their_names(judged):
    done, results = judged(GAP, 'test_level = {"ng": accuracy(answers).where(dialect="ng") > 0.5}')
    done.assert_outcomes(passed=5, failed=1)
    assert outcomes(results["sft"]) == {"test_gap[sft]": "fail", "test_level[ng-sft]": "pass"}
    assert outcomes(results["base"]) == {"test_gap[base]": "pass", "test_level[ng-base]": "pass"}
    assert [each["name"] for each in results["dpo"]["checkpoints"]] == ["dpo"]
    done.stdout.re_match_lines([
        r"test +base +sft +dpo", r"test_gap +pass 0\.00 +fail 0\.20 +pass 0\.01", r"test_level-ng +pass .*"
    ])  # fmt: skip


def test_a_change_since_a_named_checkpoint_compares_with_it_and_never_with_itself(judged):
    done, results = judged(SINCE)
    done.assert_outcomes(passed=1, failed=1)
    assert set(results) == {"sft", "dpo"}
    [verdict] = results["sft"]["verdicts"]
    assert (verdict["model"], verdict["baseline"], verdict["outcome"]) == ("sft", "base", "fail")
    assert verdict["value"] == pytest.approx(0.2)
    assert {entry["file"] for entry in results["sft"]["samples"]} == {
        "samples/answers.parquet", "samples/answers.base.parquet"
    }  # fmt: skip
    # nothing that was to be judged is left out
    assert results["sft"]["release"]["complete"]


def test_of_one_model_the_baseline_may_be_named(judged):
    done, _ = judged(SINCE, models=["--model=recorded:sft", "--baseline=recorded:base"])
    done.assert_outcomes(failed=1)
    alone, _ = judged(SINCE, models=["--model=recorded:base"])
    assert alone.ret == pytest.ExitCode.USAGE_ERROR
    alone.stderr.fnmatch_lines(["*no expectation is left with --model=recorded:base: 1 that compare base with itself*"])


def test_a_name_that_no_checkpoint_of_the_run_has_is_an_error_with_what_to_add(judged):
    done, _ = judged(SINCE.replace("base", "pretrained"), GAP)
    done.assert_outcomes(passed=2, failed=1, errors=3)
    done.stdout.fnmatch_lines([
        "*compares with 'pretrained', and no checkpoint of this run is called so: pytest … --model=path/to/pretrained*"
    ])  # fmt: skip


def test_two_folders_of_one_name_are_refused(judged):
    done, _ = judged(GAP, models=["--model=one/base", "--model=two/base"])
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--model: one/base, two/base are both called base*rename one of the folders*"])
    assert "Traceback" not in str(done.stderr)


def test_a_test_that_asks_without_the_model_says_what_to_take(judged):
    done, _ = judged(
        GAP,
        "import pytest\n@pytest.fixture\ndef model(request):\n    return 1",
        "def test_has_its_own(model):\n    assert model == 1",
        "def test_forgets():\n    assert accuracy(answers).gap('dialect') < 0.1",
    )
    done.assert_outcomes(passed=3, failed=2)
    assert (
        "this run judges base, sft, dpo: state it at module level, or let the test take the fixture `model`"
        in done.stdout.str()
    )


def test_a_test_that_asks_the_model_itself_runs_for_each(pytester, checkpoints_folder):
    pytester.makepyfile(
        test_it="""
        def test_asks(model):
            assert len(model.generate(["an otter"], max_tokens=2)) == 1
    """
    )
    done = pytester.runpytest_inprocess(*(f"--model={checkpoints_folder / name}" for name in ("plain", "chat")), "-v")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*test_asks[[]plain[]] PASSED*", "*test_asks[[]chat[]] PASSED*"])


def test_a_parametrised_test_is_one_row_of_the_page(pytester, checkpoints_folder):
    pytester.makepyfile(
        test_it="""
        import pytest
        from fairprobe import Generation, valid_rate
        rows = [{"clue": f"clue {number}", "word": "otter", "dialect": "us"} for number in range(30)]
        clues = Generation(rows, "{clue}", target="word", name="clues", max_tokens=2, format="plain")

        @pytest.mark.parametrize("dialect", ["us"])
        def test_in(model, dialect):
            assert valid_rate(clues).where(dialect=dialect) > 0.01

        test_gap = valid_rate(clues) > 0.01
    """
    )
    models = [f"--model={checkpoints_folder / name}" for name in ("plain", "chat")]
    done = pytester.runpytest_inprocess(*models, "--fairprobe-report=told")
    done.assert_outcomes(passed=4)
    # what a test asks for itself does not keep from being asked what was planned
    assert "not judged" not in (pytester.path / "told" / "index.html").read_text()
    done.stdout.re_match_lines([r"test_in-us +pass .* +pass .*"])


def test_a_test_that_takes_the_baseline_alone_runs_once(judged):
    done, _ = judged(GAP, "def test_base(baseline):\n    pass", options=["--baseline=recorded:base"], models=CHAIN[1:])
    done.assert_outcomes(passed=1, failed=1, deselected=1)


def test_what_one_candidate_lacks_is_no_matter_of_the_others(judged):
    done, results = judged(GAP, models=[*CHAIN[:2], "--model=recorded:gone"])
    assert {name: each["release"]["complete"] for name, each in results.items()} == {"base": True, "sft": True}
    done.stdout.fnmatch_lines(["fairprobe: deselected 1 without a recording of 'gone'"])


def test_a_suite_that_was_blessed_by_one_model_is_compared_with_every_candidate(judged, pytester):
    judged(GAP, models=["--model=recorded:dpo"], options=["--fairprobe-report=reports/alone"])
    pytester.run(FAIRPROBE, "bless", "reports/alone")
    done, results = judged(GAP)
    assert "new:" not in done.stdout.str()
    assert results["sft"]["blessed"]["claims"][0]["outcome_before"] == "pass"
    pytester.run(FAIRPROBE, "bless", "told/dpo")
    assert '"test_suite.py::test_gap"' in (pytester.path / "baseline.json").read_text()


def test_attempts_of_one_run_are_all_counted_before_any_is_told(judged):
    _, results = judged(GAP)
    assert [results[name]["attempts"]["attempts"] for name in SHARES] == [3, 3, 3]


def test_the_folder_of_the_run_says_which_candidates_it_has(judged, pytester):
    judged(GAP)
    said = pytester.run(FAIRPROBE, "bless", "told")
    said.stderr.fnmatch_lines(["*told is a run of several candidates; name one: *told/base*told/dpo*told/sft*"])


def test_a_failure_says_whose_it_is(judged):
    done, _ = judged(GAP)
    done.stdout.fnmatch_lines(["*_ sft: accuracy(answers).gap('dialect') < 0.1 _*"])


def test_a_name_that_two_checkpoints_have_is_refused(judged):
    done, _ = judged(SINCE.replace("base", "hf"), models=["--model=new/hf", "--baseline=old/hf"])
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*since='hf' may be new/hf or old/hf: rename one of the folders*"])


def test_the_page_compares_them_and_leads_to_each(judged, pytester):
    judged(GAP, SINCE)
    page = (pytester.path / "told" / "index.html").read_text()
    for name in SHARES:
        assert f'href="{name}/index.html"' in page
    assert "3 candidates, judged by the same expectations" in page
    assert "not judged" in page
    told = json.loads((pytester.path / "told" / "candidates.json").read_text())
    assert [each["name"] for each in told] == list(SHARES)
    assert told[1]["verdicts"][0]["outcome"] == "fail"
    for each in told:
        assert (pytester.path / "told" / each["results"]).is_file()


def test_a_later_run_is_compared_with_the_same_candidates_run_before(judged, pytester):
    judged(GAP, options=["--fairprobe-report=reports/one"])
    judged(GAP, options=["--fairprobe-report=reports/two"])
    later = json.loads((pytester.path / "reports" / "two" / "sft" / "results.json").read_text())
    assert later["previous"]["run"].endswith("one/sft")


def test_under_xdist_it_comes_to_the_same(judged):
    _, alone = judged(GAP, SINCE)
    done, shared = judged(GAP, SINCE, options=["-n", "2"])
    done.assert_outcomes(passed=3, failed=2)
    assert {name: outcomes(each) for name, each in alone.items()} == {
        name: outcomes(each) for name, each in shared.items()
    }  # fmt: skip


def test_k_selects_a_candidate(judged):
    done, results = judged(GAP, options=["-k", "sft"])
    done.assert_outcomes(failed=1, deselected=2)
    assert set(results) == {"sft"}


def test_power_is_told_for_each(judged):
    done, _ = judged(GAP, options=["--fairprobe-power"])
    assert done.ret == 0
    assert str(done.stdout).count("fairprobe: what could be decided") == 3


def test_one_expectation_compares_with_one_checkpoint():
    task = Recorded([{"id": 0, "score": 1.0}], score="score", name="answers")
    assert since(accuracy(task) > 0.5) is None
    assert since(accuracy(task).change(since="base") > 0) == "base"
    mixed = (accuracy(task).change(since="base") > 0).guard(accuracy(task).change() > 0)
    with pytest.raises(BadExpectation, match="compares with 'base', the baseline"):
        since(mixed)
