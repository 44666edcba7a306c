"""Invariance on checkpoints that were taught to fail on two features: what is found, named, saved and asked again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

import fairprobe
from fairprobe import MultipleChoice, accuracy, dialects, flip_rate, invariant
from fairprobe.errors import BadData, BadExpectation
from fairprobe.metrics import found
from fairprobe.report.failures import failures
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.strategies import Rewrite, rewrites
from invariance_world import AAVE, OPTIONS, both, either, sentences, train

CAUSES = ("155", "48")
SUITE = """
from fairprobe import MultipleChoice, accuracy, dialects, invariant
from invariance_world import OPTIONS, sentences

rows = [{**row, "options": list(OPTIONS)} for row in sentences(40, seed=77)]
fed = MultipleChoice(rows, "{text} Who was fed ?", options="options", answer="animal", scoring="text", name="fed")
test_none = invariant(accuracy(fed), under=dialects("urban-aave"), field="text")
test_rate = invariant(accuracy(fed), under=dialects("urban-aave"), field="text") < 0.5
"""


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Checkpoints that fail where either feature stands, and where both do."""
    folder = tmp_path_factory.mktemp("taught")
    train(folder / "either", either(*CAUSES))
    train(folder / "both", both(*CAUSES), steps=300)
    return folder


def fed(count=120, seed=77, **given):
    rows = [{**row, "options": list(OPTIONS)} for row in sentences(count, seed)]
    given = {"options": "options", "answer": "animal", "scoring": "text", "name": "fed", **given}
    return MultipleChoice(rows, "{text} Who was fed ?", **given)


def judged(folder, expectation, tmp_path):
    session = Session(Settings(model=str(folder), store=tmp_path / ".fairprobe" / "store"))
    session.check(expectation)
    session.ask(session.plan([expectation]))
    verdict = session.judge(expectation)
    session.close()
    return session, verdict


@pytest.mark.parametrize(("kind", "named"), [("either", [{"155"}, {"48"}]), ("both", [{"155", "48"}])])
def test_minimal_counterexamples_name_exactly_what_the_checkpoint_fails_on(taught, tmp_path, kind, named):
    expectation = found(invariant(accuracy(fed()), under=dialects("urban-aave"), field="text").task)
    _, verdict = judged(taught / kind, expectation, tmp_path)
    assert verdict.outcome == "fail"
    causes = [{change["name"] for change in each.changes} for each in verdict.counterexamples]
    assert len(causes) >= 20
    assert sum(cause in named for cause in causes) >= 0.95 * len(causes)
    assert all(each.minimal for each in verdict.counterexamples)
    assert all(each.stable for each in verdict.counterexamples)
    assert all(each.answers[0] != each.answers[1] for each in verdict.counterexamples)


@pytest.mark.parametrize("kind", ["either", "both"])
def test_shrinking_together_takes_a_fifth_of_the_requests_of_shrinking_one_by_one(taught, tmp_path, kind):
    expectation = found(invariant(accuracy(fed(200)), under=dialects("urban-aave"), field="text", draws=0).task)
    session, verdict = judged(taught / kind, expectation, tmp_path)
    right = {row["text"]: row["animal"] for row in sentences(200, 77)}
    asked = Counter[str]()

    def fails(case: Rewrite) -> bool:
        asked[str(case)] += 1
        prompt = f"{case} Who was fed ?"
        return fairprobe.Model(session).choose(prompt, list(OPTIONS), format="plain") != right[case.text]

    texts = [each.before for each in verdict.counterexamples]
    for text in texts[:20]:
        assert {change.name for change in _one_by_one(text, fails).changes} <= set(CAUSES)
    session.close()
    ours, theirs = session.shrinking / len(texts), asked.total() / len(texts[:20])
    print(f"{kind}: {ours:.2f} requests a failure together, {theirs:.2f} one by one")
    assert ours <= theirs / 5


def _one_by_one(text, fails):
    """What Hypothesis itself brings a failing rewriting of a text down to."""
    minimal = []

    @hypothesis.settings(
        max_examples=1000, deadline=None, database=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, derandomize=True,
    )  # fmt: skip
    @hypothesis.given(rewrites(text, AAVE))
    def holds(case):
        if fails(case):
            minimal[:] = [case]
            raise AssertionError

    with pytest.raises(AssertionError):
        holds()
    return minimal[0]


def test_another_process_and_two_workers_find_the_same(taught, tmp_path):
    def run(name, *arguments):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--model={taught / 'both'}",
             "--fairprobe-report=report", *arguments], cwd=folder, capture_output=True, check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )  # fmt: skip
        results = json.loads((folder / "report" / "results.json").read_text(encoding="utf-8"))
        saved = json.loads((folder / ".fairprobe/counterexamples/fed_rewritten.json").read_text(encoding="utf-8"))
        verdicts = {
            each["test"].rpartition("::")[2]: (each["outcome"], each["value"], each["counterexamples"])
            for each in results["verdicts"]
        }
        return verdicts, saved

    one, workers = run("one"), run("workers", "-n2")
    assert one == workers
    assert one[0]["test_none"][0] == "fail"
    assert one[0]["test_rate"][0] == "pass"


def test_saved_cases_are_tried_again_and_draws_count_in_no_rate(taught, tmp_path):
    expectation = invariant(accuracy(fed(30)), under=dialects("urban-aave"), field="text") < 0.5
    _, first = judged(taught / "both", expectation, tmp_path)
    session, again = judged(taught / "both", expectation, tmp_path)
    saved = json.loads((tmp_path / ".fairprobe/counterexamples/fed_rewritten.json").read_text(encoding="utf-8"))
    assert len(saved) == len(first.counterexamples) > 0
    task = expectation.question.metric.task
    texts = set(session.samples(task).frame["text"])
    assert {each["after"] for each in saved} <= texts
    assert again.decision == first.decision
    assert again.samples == first.samples


def test_a_change_tells_each_counterexample_of_the_model_once(taught, tmp_path):
    metric = invariant(accuracy(fed(40)), under=dialects("urban-aave"), field="text")
    settings = Settings(model=str(taught / "either"), baseline=str(taught / "both"), store=tmp_path / "store")
    session = Session(settings)
    expectations = [metric.change() < 0.05, metric < 0.05]
    for each in expectations:
        session.check(each)
    session.ask(session.plan(expectations))
    change, level = map(session.judge, expectations)
    session.close()
    assert change.outcome == level.outcome == "fail"
    assert change.counterexamples == level.counterexamples


def test_counterexamples_outside_a_condition_do_not_refute_it(taught, tmp_path):
    task = invariant(accuracy(fed(40)), under=dialects("urban-aave"), field="text").task
    [cat, dog] = (flip_rate(task, drawn=True).where(animal=name) <= 0 for name in ("cat", "dog"))
    session = Session(Settings(model=str(taught / "either"), store=tmp_path / "store"))
    for each in (cat, dog):
        session.check(each)
    session.ask(session.plan([cat, dog]))
    for name, verdict in zip(("cat", "dog"), map(session.judge, (cat, dog)), strict=True):
        assert verdict.counterexamples
        assert all(f"Kim fed the {name}" in each.before.replace("kim", "Kim") for each in verdict.counterexamples)
    session.close()


def test_what_a_gap_of_flips_missed_are_the_flips(taught, tmp_path):
    expectation = invariant(accuracy(fed(40)), under=dialects("urban-aave"), field="text").gap("animal") < 0.9
    session, _ = judged(taught / "either", expectation, tmp_path)
    outcomes = session.look(expectation.question.metric.task, "model")
    fixed = ~outcomes.samples.frame["drawn"].to_numpy()
    flips = int(outcomes.scores["flip_rate"][fixed].sum())
    told = failures(expectation, session.look)
    assert told["missed"] == flips < told["answered"]
    assert {each["score"] for each in told["samples"] if each["missed"]} == {1.0}


def test_what_was_asked_alone_is_not_asked_again(taught, tmp_path):
    expectation = found(invariant(accuracy(fed(20)), under=dialects("urban-aave"), field="text").task)
    first, before = judged(taught / "both", expectation, tmp_path)
    again, after = judged(taught / "both", expectation, tmp_path)
    assert first.by_shrinking.asked > 0
    assert again.by_shrinking.asked == 0
    assert [each.stable for each in after.counterexamples] == [each.stable for each in before.counterexamples]


def test_a_case_that_cannot_be_asked_again_is_no_near_tie(taught, tmp_path, monkeypatch):
    expectation = found(invariant(accuracy(fed(20)), under=dialects("urban-aave"), field="text", draws=0).task)
    monkeypatch.setattr(Session, "_asked_alone", lambda self, requests: {})
    _, verdict = judged(taught / "both", expectation, tmp_path)
    assert verdict.outcome == "fail"
    assert {each.stable for each in verdict.counterexamples} == {None}


def test_pinned_cases_are_always_tried(taught, tmp_path):
    text = sentences(1, 77)[0]["text"]
    changes = [{"start": change.edit.start, "end": change.edit.end, "new": change.edit.new, "name": change.name}
               for change in AAVE.changes(text)[:1]]  # fmt: skip
    pins = tmp_path / "pins.json"
    pins.write_text(json.dumps([{"unedited": text, "rewriting": "urban-aave", "changes": changes}]), encoding="utf-8")
    given = {"under": dialects("urban-aave"), "field": "text", "draws": 0}
    plain = invariant(accuracy(fed(5)), **given).task.load()
    pinned = invariant(accuracy(fed(5)), **given, pinned=str(pins)).task.load()
    assert len(pinned) == len(plain) + 1
    pins.write_text(json.dumps([{"unedited": "Another.", "rewriting": "x", "changes": changes}]), encoding="utf-8")
    with pytest.raises(BadData, match=r"the pinned case 'Another\.' is none of its samples' text"):
        invariant(accuracy(fed(5)), **given, pinned=str(pins)).task.load()


def test_what_cannot_be_rewritten_is_left_out_and_counted():
    rows = [{"q": "Who?", "a": "x"}, {"q": "She isn't here?", "a": "y"}]
    task = fairprobe.Generation(rows, "{q}", target="a", name="asked")
    cases = invariant(accuracy(task), under=dialects("urban-aave"), field="q", draws=0).task.load()
    assert cases.frame["q"].to_list() == ["She ain't here?"]
    [dropped] = cases.dropped
    assert (dropped.reason, dropped.frame.height) == ("nothing of q was rewritten", 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"q": "Who?", "a": "x"}], "in none of the 1 texts can anything be rewritten"),
        ([{"q": 1, "a": "x"}], "column 'q' should hold texts to rewrite"),
        ([{"q": "She isn't.", "a": "x", "edits": 1}], "its samples have a column 'edits' of their own"),
    ],
)
def test_data_that_does_not_fit_is_refused(rows, message):
    task = fairprobe.Generation(rows, "{q}", target="a", name="asked")
    with pytest.raises(BadData, match=message):
        invariant(accuracy(task), under=dialects("urban-aave"), field="q").task.load()


def test_what_an_invariance_says_of_itself_is_kept_where_it_has_no_bound(pytester):
    pytester.makepyfile(
        """
        from fairprobe import Generation, accuracy, dialects, invariant

        asked = Generation([{"q": "It isn't?", "a": "x"}], "{q}", target="a", name="asked")
        flips = invariant(accuracy(asked), under=dialects("indian", "urban-aave"), field="q")
        test_x = flips.because("policy 3").mode("alarm")
        """
    )
    done = pytester.runpytest_inprocess("--collect-only", "-q")
    done.stdout.fnmatch_lines(["*::test_x"])


def test_what_is_no_metric_or_rewriting_is_refused():
    task = fairprobe.Generation([{"q": "Who?", "a": "x"}], "{q}", target="a", name="asked")
    with pytest.raises(BadExpectation, match="takes rewritings, as in under=dialects"):
        invariant(accuracy(task), under="urban-aave", field="q")
    with pytest.raises(BadExpectation, match="takes a metric of a task that asks"):
        invariant(accuracy(task).gap("q"), under=dialects("indian"), field="q")


def test_the_source_of_a_flip_rate_is_read_back():
    task = fed(4)
    metric = invariant(accuracy(task), under=dialects("urban-aave"), field="text")
    assert repr(metric.by("rewriting") < 0.1) == "flip_rate(fed_rewritten).by('rewriting') < 0.1"
    flip_rate = fairprobe.flip_rate
    assert eval(repr(metric), {"flip_rate": flip_rate, "fed_rewritten": metric.task}) == metric


def test_a_relation_is_a_test_by_itself(pytester, tiny_model):
    pytester.makepyfile(
        """
        from hypothesis import strategies as st
        from fairprobe import Relation

        animals = st.sampled_from(["otter", "owl", "hen"])
        test_holds = Relation(animals, lambda case: [f"Is an {case} here?"], lambda case, answers: True, name="holds")
        test_fails = Relation(animals, lambda case: [case], lambda case, answers: case != "owl", name="fails")
        test_each = {
            word: Relation(st.just(word), lambda case: [case], lambda case, answers: True, name=word)
            for word in ("otter", "owl")
        }
        """
    )
    done = pytester.runpytest_subprocess(f"--model={tiny_model}", "--fairprobe-report=report")
    results = json.loads((pytester.path / "report" / "results.json").read_text(encoding="utf-8"))
    told = {each["test"].rpartition("::")[2]: each for each in results["verdicts"]}
    assert {name: each["outcome"] for name, each in told.items()} == {
        "test_holds": "pass", "test_fails": "fail", "test_each[otter]": "pass", "test_each[owl]": "pass",
    }  # fmt: skip
    assert [each["after"] for each in told["test_fails"]["counterexamples"]] == ["'owl'"]
    done.stdout.fnmatch_lines(["*1 minimal counterexample*"])


def test_a_relation_whose_functions_raise_is_an_error_of_its_own(pytester, tiny_model):
    pytester.makepyfile(
        """
        from hypothesis import strategies as st
        from fairprobe import Relation

        word = st.just("otter")
        test_ok = Relation(word, lambda case: [case], lambda case, answers: True, name="ok")
        test_asks = Relation(word, lambda case: 1 / 0, lambda case, answers: True, name="asks")
        test_holds = Relation(word, lambda case: [case], lambda case, answers: answers[1], name="holds")
        """
    )
    done = pytester.runpytest_inprocess(f"--model={tiny_model}")
    done.assert_outcomes(passed=1, failed=1, errors=1)
    done.stdout.fnmatch_lines(["*prompts raised ZeroDivisionError*", "*holds raised IndexError*"])


def test_flips_by_a_topic_need_no_questions_in_common(tiny_model, tmp_path):
    rows = [{"q": f"Number {number} isn't here?", "a": "x", "topic": "ab"[number % 2]} for number in range(20)]
    task = fairprobe.Generation(rows, "{q}", target="a", name="asked", max_tokens=2)
    flips = invariant(accuracy(task), under=dialects("urban-aave"), field="q", draws=0)
    _, verdict = judged(tiny_model, flips.gap("topic") < 0.9, tmp_path)
    assert "overlap" not in {guard.name for guard in verdict.guards}


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    from checkpoints import make_checkpoint

    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny")


@hypothesis.given(st.data())
def test_strategies_draw_from_what_there_is(data):
    from fairprobe import strategies

    task = fed(6)
    assert data.draw(strategies.samples(task))["animal"] in OPTIONS
    assert data.draw(strategies.groups(task, "animal")) in OPTIONS
    assert sorted(data.draw(strategies.option_orders(OPTIONS))) == sorted(OPTIONS)
    assert data.draw(strategies.names(["Ann", "Bo"])) in {"Ann", "Bo"}
    assert str(data.draw(strategies.personas("I am old.", "I am young."))).startswith("persona('I am ")


def test_the_profile_for_tests_that_ask_is_registered():
    assert hypothesis.settings.get_profile("fairprobe").deadline is None


def test_a_model_may_be_asked_from_several_threads(tiny_model, tmp_path):
    session = Session(Settings(model=str(tiny_model), store=tmp_path / "store"))
    model = fairprobe.Model(session)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda number: model.generate([f"Number {number % 4}?"], max_tokens=4), range(32)))
    assert said == said[:4] * 8
    assert session.by_tests.asked == 4
    session.close()


def test_a_rewriting_that_finds_next_to_nothing_is_no_evidence(tiny_model, tmp_path):
    rows = [{"q": f"Number {number}?", "a": "x"} for number in range(45)]
    rows += [{"q": f"Number {number} isn't {number}?", "a": "x"} for number in range(5)]
    task = fairprobe.Generation(rows, "{q}", target="a", name="asked", max_tokens=2)
    expectation = invariant(accuracy(task), under=dialects("urban-aave"), field="q") < 0.9
    _, verdict = judged(tiny_model, expectation, tmp_path)
    fired = {guard.name: guard.detail for guard in verdict.guards if guard.fired}
    assert fired["edit_rate"] == "5 of 50 samples rewritten, 1.0 changes each"
    assert verdict.outcome == "invalid"


def test_a_model_that_knows_nothing_flips_nothing_and_that_is_no_evidence(tiny_model, tmp_path):
    rows = [
        {**row, "animal": OPTIONS[number % 5], "options": list(OPTIONS)} for number, row in enumerate(sentences(40, 1))
    ]
    task = MultipleChoice(rows, "{text} Who?", options="options", answer="animal", scoring="text", name="guessed")
    expectation = invariant(accuracy(task), under=dialects("urban-aave"), field="text") < 0.9
    _, verdict = judged(tiny_model, expectation, tmp_path)
    assert "above_chance" in {guard.name for guard in verdict.guards if guard.fired}
    assert verdict.outcome in {"invalid", "fail"}
