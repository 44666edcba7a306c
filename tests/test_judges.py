"""Judges: a checkpoint that scores what another wrote, and how labelled answers correct and widen what it counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fairprobe import BadData, Generation, Recorded, UnknownGroup, accuracy, mean, scorers
from fairprobe.requests import Chosen, Generated
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.statistics import Told, corrected, decide, estimate
from fairprobe.verdict import judge

PROMPT = "Word: {word}. Answer: {response}. Right?"
YES, NO = Chosen((-0.1, -3.0), (1, 1), 9), Chosen((-3.0, -0.1), (1, 1), 9)
SIZE = 100


def rows(size: int = SIZE) -> list[dict[str, object]]:
    return [
        {"id": n, "n": n, "dialect": dialect, "clue": f"riddle {n} in {dialect}", "word": "otter"}
        for dialect in ("us", "ng")
        for n in range(size)
    ]


def labelled(dialects: tuple[str, ...] = ("us", "ng"), hits: float = 0.9, misses: float = 0.1, size: int = 40):
    """Labelled answers, and of each whether the judge says yes."""
    return [
        {"word": "otter", "dialect": d, "response": f"{'yes' if n < size * share else 'no'} {n}", "label": label}
        for d in dialects
        for label, share in ((1, hits), (0, misses))
        for n in range(size)
    ]


def task(sheet=None, **given) -> Generation:
    by = scorers.judged_by("a judge", PROMPT)
    scorer = by if sheet is None else scorers.calibrated(by, sheet)
    return Generation(rows(), "{clue}", target="word", scorer=scorer, name="clues", pair="id", **given)


def look(asked: Generation, share: dict[str, float] | None = None):
    """What a judge says, who takes each word for what it begins with: `yes` is right."""
    share = {"us": 0.6, "ng": 0.5} if share is None else share
    samples = asked.load()
    given = [
        [Generated(f"{'yes' if row['n'] < SIZE * share[row['dialect']] else 'no'} {row['n']}", True, False, 5, 2)]
        for row in samples.rows
    ]
    questions = list(asked.questions(samples, given, Settings().places))
    said = {each: YES if "Answer: yes" in each.request.prompt.text else NO for each in questions}
    outcomes = asked.outcomes(samples, given, said)
    made = asked.labelled(samples, Settings().places, said)
    return lambda *_: replace(outcomes, labelled=made)


def found(verdict, name="judged"):
    return [(guard.outcome, guard.detail) for guard in verdict.guards if guard.name == name]


def test_a_judge_is_asked_about_each_answer_and_its_likeliest_option_scores():
    asked = task()
    outcomes = look(asked)(asked, "model")
    assert asked.score_names == ("judged",)
    assert outcomes.scores["judged"].sum() == 110
    assert Counter(outcomes.status) == {"ok": 200}


def test_an_answer_that_its_judge_did_not_judge_is_no_number():
    asked = task()
    samples = asked.load()
    outcomes = asked.outcomes(samples, [[Generated("an otter", True, False, 5, 2)]] * len(samples))
    assert np.isnan(outcomes.scores["judged"]).all()
    assert set(outcomes.status) == {"missing"}


def test_an_empty_answer_is_not_put_to_the_judge():
    asked = task()
    samples = asked.load()
    given = [[Generated(" ", True, False, 5, 2)]] * len(samples)
    assert list(asked.questions(samples, given, Settings().places)) == []
    assert set(asked.outcomes(samples, given).status) == {"empty"}


def test_without_labelled_answers_the_verdict_says_that_the_errors_are_unknown():
    asked = task()
    verdict = judge(accuracy(asked).gap("dialect") < 0.4, look(asked))
    assert verdict.outcome == "pass"
    assert found(verdict)[0][0] == "caveat"
    assert any("sensitivity and specificity are unknown" in each for each in verdict.caveats)


def test_labelled_answers_correct_the_rates_and_widen_the_limits():
    plain, known = task(), task(labelled())
    one, other = (judge(accuracy(each).by("dialect") > 0.3, look(each)) for each in (plain, known))
    rates = {group.group["dialect"]: group for group in other.groups}
    # (0.6 + 0.9 - 1) / 0.8 and (0.5 + 0.9 - 1) / 0.8
    assert rates["us"].value == pytest.approx(0.625)
    assert rates["ng"].value == pytest.approx(0.5)
    before = {group.group["dialect"]: group for group in one.groups}
    for name, group in rates.items():
        assert group.high - group.low > before[name].high - before[name].low
    assert found(other) == [
        ("pass", "the judge finds 90% of right and 90% of wrong answers in ng (40 and 40 labelled)")
    ]


def test_a_judge_that_errs_by_group_makes_no_gap():
    # it counts 0.6 and 0.5, since it misses a fifth of what is right in ng
    sheet = [*labelled(("us",), hits=1.0, misses=0.0), *labelled(("ng",), hits=0.8, misses=0.0)]
    asked = task(sheet)
    verdict = judge(accuracy(asked).gap("dialect") < 0.3, look(asked, {"us": 0.6, "ng": 0.48}))
    assert verdict.decision.value == pytest.approx(0.0, abs=1e-9)


def test_a_judge_that_says_yes_to_everything_is_no_evidence():
    asked = task(labelled(hits=1.0, misses=1.0))
    verdict = judge(accuracy(asked).gap("dialect") < 0.4, look(asked))
    assert verdict.outcome == "invalid"
    assert found(verdict)[0][0] == "fail"


def test_a_few_labelled_answers_are_too_few():
    asked = task(labelled(size=5))
    verdict = judge(accuracy(asked).gap("dialect") < 0.9, look(asked))
    assert verdict.outcome == "invalid"
    assert "10 of each are needed" in found(verdict)[0][1]


def test_a_label_is_one_or_zero():
    sheet = [{"response": "an otter", "word": "otter", "dialect": "us", "label": 3}]
    with pytest.raises(BadData, match="'label' is 1 for right and 0 for wrong"):
        (asked := task(sheet)).labelled(asked.load(), Settings().places, {})


def test_a_prompt_of_a_judge_names_columns_that_there_are():
    asked = Generation(rows(), "{clue}", target="word", scorer=scorers.judged_by("a judge", "{wrd}"), name="clues")
    samples = asked.load()
    with pytest.raises(BadData, match=r"judged_by\('a judge'\) raised KeyError\('wrd'\)"):
        list(asked.questions(samples, [[Generated("otter", True, False, 5, 2)]] * len(samples), Settings().places))


def test_a_classifiers_errors_are_corrected_too():
    def mentions(response, target, row):
        return float("yes" in response)

    sheet = labelled()
    held = [
        {"said": "yes" if n < 60 else "no", "dialect": d, "word": "otter"} for d in ("us", "ng") for n in range(100)
    ]
    asked = Recorded(held, response="said", scorer=scorers.calibrated(mentions, sheet), name="held")
    samples = asked.load()
    outcomes = asked.outcomes(samples)
    made = asked.labelled(samples, Settings().places, {})
    verdict = judge(mean(asked, "mentions").by("dialect") > 0.3, lambda *_: replace(
        outcomes, labelled=made
    ))  # fmt: skip
    assert [group.value for group in verdict.groups] == pytest.approx([0.625, 0.625])


def test_corrected_limits_hold_the_truth_as_often_as_they_say():
    draws, truth, held = np.random.default_rng(3), 0.55, 0
    for _ in range(400):
        told = Told(draws.binomial(60, 0.85), 60, draws.binomial(60, 0.2), 60)
        counted = (draws.random(300) < truth * 0.85 + (1 - truth) * 0.2).astype(float)
        decision = decide(corrected(estimate(counted, [0] * 300, range(300), ["all"]), [told]), "overall", ">", truth)
        held += decision.low <= truth
    # one-sided 95 %, and two standard errors of 400 draws
    assert held / 400 >= 0.95 - 2 * (0.95 * 0.05 / 400) ** 0.5


@pytest.fixture
def judged_run(checkpoints_folder, tmp_path):
    def run(asked: Generation, **settings: object) -> Session:
        session = Session(Settings(model=str(checkpoints_folder / "plain"), store=tmp_path / "store", **settings))
        expectation = accuracy(asked).gap("dialect") < 0.9
        session.check(expectation)
        session.ask(session.plan([expectation]))
        session.close()
        return session

    return run


def test_a_real_judge_is_asked_in_one_batch_and_kept_under_its_content(judged_run, checkpoints_folder: Path):
    pytest.importorskip("torch")
    by = scorers.judged_by(str(checkpoints_folder / "chat"), PROMPT, format="plain")
    asked = Generation(
        rows(15), "{clue}", target="word", scorer=scorers.calibrated(by, labelled(size=10)), name="clues", max_tokens=3
    )
    first, second = judged_run(asked), judged_run(asked)
    assert first.by_judges.asked == first.by_judges.distinct > 40, "answers and labelled answers, each once"
    assert (second.by_judges.asked, second.by_judges.cached) == (0, first.by_judges.distinct)
    outcomes = second.look(asked, "model")
    assert set(outcomes.scores["judged"]) <= {0.0, 1.0}
    assert np.isfinite(outcomes.labelled["judged"].scored).all()
    names = {kept.origin.name for kept in first.store.kept()}
    assert names == {"plain", "chat"}


def test_a_few_labelled_answers_of_one_group_are_too_few_whatever_the_others_have():
    sheet = [*labelled(("us",), hits=0.8, misses=0.2, size=100), *labelled(("ng",), hits=1.0, misses=0.0, size=4)]
    asked = task(sheet)
    verdict = judge(accuracy(asked).gap("dialect") < 0.9, look(asked))
    assert verdict.outcome == "invalid"
    assert "in ng (4 and 4 labelled); 10 of each are needed" in found(verdict)[0][1]


def test_chance_is_beaten_by_what_a_judges_errors_leave():
    # the judge calls three in ten wrong answers right, and so many are called right
    asked = task(labelled(hits=0.9, misses=0.3, size=100))
    verdict = judge(accuracy(asked).gap("dialect") < 0.4, look(asked, {"us": 0.3, "ng": 0.3}))
    assert verdict.outcome == "invalid"
    assert [guard.name for guard in verdict.guards if guard.fired] == ["above_chance"]


def test_a_judges_errors_are_not_exact_even_of_these_samples():
    asked = task(labelled(size=20))
    claim = (accuracy(asked).by("dialect") > 0.49).at(scope="benchmark")
    decision = judge(claim, look(asked)).decision
    assert decision.low < decision.value < decision.high


def test_what_is_calibrated_is_the_whole_scorer():
    with pytest.raises(BadData, match="calibrate the whole instead"):
        scorers.until(".", scorers.calibrated(scorers.exact_match, labelled()))


def test_labelled_answers_are_judged_by_the_question_that_is_asked_of_the_tasks_own():
    by = scorers.judged_by("a judge", "{response}: is it {target}?")
    asked = Generation(rows(2), "{clue}", target="word", scorer=scorers.calibrated(by, labelled(size=2)), name="clues")
    samples = asked.load()
    given = [[Generated("an otter", True, False, 5, 2)]] * len(samples)
    prompts = {each.request.prompt.text for each in asked.questions(samples, given, Settings().places)}
    assert len(prompts) > 2
    assert all(text.endswith(": is it otter?") for text in prompts)


def test_labelled_answers_without_the_target_are_refused():
    sheet = [{"response": "an otter", "dialect": "us", "label": 1}]
    with pytest.raises(UnknownGroup, match="no column 'word'"):
        (asked := task(sheet)).labelled(asked.load(), Settings().places, {})
