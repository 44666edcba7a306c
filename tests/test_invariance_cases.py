"""Which cases an invariance is made of: what the seed takes, what is drawn, and what was saved or pinned."""

from __future__ import annotations

import json
from dataclasses import replace

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import fairprobe
from fairprobe import Generation, Ranking, Relation, Shots, accuracy, dialects, flip_rate, invariant
from fairprobe import counterexamples as saved_cases
from fairprobe.errors import BadData, BadExpectation
from fairprobe.metrics import found
from fairprobe.plan import subset
from fairprobe.relations import Counterexample
from fairprobe.requests import Generated
from fairprobe.rewriting import keyboard, persona, renderings, rewritten
from fairprobe.strategies import rewrites
from fairprobe.verdict import Claim, Defaults, Verdict, searched

AAVE = dialects("urban-aave")
TEXT = "Ann isn't here and those men left."


def asked(rows, **given):
    return Generation(rows, "{q} {ask}", target="a", name="asked", **given)


def cases_of(rows, *, saved=(), under=AAVE, **given):
    task = invariant(accuracy(asked(rows)), under=under, field="q", **{"draws": 0, **given}).task
    return task.cases(task.base(), saved)


def saved_of(samples, at=0):
    """A case as it would be saved."""
    row = samples.frame.row(at, named=True)
    kept = {name: row[name] for name in ("rewriting", "unedited", "changes")}
    return {"sample": samples.pair[at], **kept, "changes": kept["changes"][:1]}


ROWS = [{"q": TEXT, "ask": ask, "a": "x"} for ask in ("Who left?", "Who stayed?")]


def test_a_saved_case_is_tried_of_the_sample_that_it_was_saved_of():
    [first, second] = cases_of(ROWS).pair
    again = cases_of(ROWS, saved=[saved_of(cases_of(ROWS), 1)])
    assert again.pair.tolist() == [first, second, second]
    assert again.frame["ask"].to_list()[-1] == "Who stayed?"
    assert again.frame["drawn"].to_list() == [False, False, True]


def test_a_saved_case_of_a_sample_that_has_changed_is_tried_of_all_that_have_its_text():
    case = {**saved_of(cases_of(ROWS)), "sample": "another"}
    assert cases_of(ROWS, saved=[case]).frame["ask"].to_list()[2:] == ["Who left?", "Who stayed?"]


@pytest.mark.parametrize(
    "given",
    [{"under": dialects("indian")}, {"under": persona("I am old.")}, {"keep": "kept"}],
    ids=["indian", "persona", "keep"],
)
def test_a_saved_case_that_no_rewriting_makes_any_more_is_passed_over(given):
    rows = [{**row, "q": f"{TEXT} These women don't know.", "kept": ["Ann isn't"]} for row in ROWS]
    case = saved_of(cases_of(rows))
    assert case["changes"][0]["name"] == "155"
    assert len(cases_of(rows, saved=[case])) == 3
    assert len(cases_of(rows, saved=[case], **given)) == len(cases_of(rows, **given))


def test_saved_cases_change_nothing_of_what_a_limit_leaves():
    rows = [{"q": f"Number {number} isn't here.", "ask": "Who?", "a": "x"} for number in range(40)]
    whole = cases_of(rows)
    task = invariant(accuracy(asked(rows)), under=AAVE, field="q", draws=5).task
    part = subset(task.base(), 10, 0, task.scored_columns)
    lone = [saved_of(whole, at) for at in range(40)]
    plain, more = task.cases(part), task.cases(part, lone)
    fixed = [each.frame.filter(~pl.col("drawn")) for each in (plain, more)]
    assert fixed[0].height == 10
    assert fixed[0].equals(fixed[1])
    # of what the limit leaves each has one change, which is asked already
    assert more.frame.height == plain.frame.height + 30


def test_the_same_text_is_rewritten_alike_wherever_it_stands():
    rows = [{"q": f"Tom isn't {word} and those men left.", "ask": "Who?", "a": "x"} for word in ("in", "out", "up")]
    texts = cases_of(rows, under=dialects("appalachian")).frame["q"]
    assert cases_of(rows[::-1], under=dialects("appalachian")).frame["q"].to_list() == texts.to_list()[::-1]


def test_a_pinned_text_that_the_seed_leaves_alone_is_tried(tmp_path):
    rare = "She cleaned the furniture."
    rows = [{"q": "It isn't late.", "ask": "", "a": "x"}, {"q": rare, "ask": "", "a": "x"}]
    [variety] = dialects("appalachian")
    change = variety.changes(rare)[0]
    pin = {"unedited": rare, "rewriting": "appalachian",
           "changes": [{**change.edit._asdict(), "name": change.name}]}  # fmt: skip
    (tmp_path / "pins.json").write_text(json.dumps([pin]), encoding="utf-8")
    made = cases_of(rows, under=variety, pinned=str(tmp_path / "pins.json"), seed=1)
    assert rewritten(rare, [change]) in made.frame["q"].to_list()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"changes": None}, "a saved counterexample should have 'unedited', 'rewriting' and 'changes'"),
        ({"changes": [{"start": 1}]}, "a saved counterexample should have"),
        ({"changes": [{"start": "x", "end": 2, "new": "", "name": ""}]}, "repair it, or take it out"),
    ],
)
def test_a_saved_case_that_is_none_is_refused(changed, message):
    with pytest.raises(BadData, match=message):
        cases_of(ROWS, saved=[{**saved_of(cases_of(ROWS)), **changed}])


def test_a_pin_whose_changes_lie_outside_its_text_is_refused(tmp_path):
    pin = {**saved_of(cases_of(ROWS)), "changes": [{"start": 400, "end": 402, "new": "x", "name": "x"}]}
    (tmp_path / "pins.json").write_text(json.dumps([pin]), encoding="utf-8")
    with pytest.raises(BadData, match=r"the changes of the pinned case .* do not stand together in that text"):
        cases_of(ROWS, pinned=str(tmp_path / "pins.json"))


def test_examples_are_those_of_the_sample_as_it_is():
    rows = [{"q": f"Number {number} isn't here.", "ask": "", "a": f"answer {number}"} for number in range(6)]
    task = invariant(accuracy(asked(rows, shots=Shots(3, data=rows))), under=AAVE, field="q", draws=0).task
    samples = task.load()
    for row, (before, after) in zip(samples.rows, task.requests(samples), strict=True):
        assert row["a"] not in before.prompt.text
        assert row["a"] not in after.prompt.text
        assert before.prompt.text.partition(row["unedited"])[0] == after.prompt.text.partition(row["q"])[0]


def test_texts_of_few_values_may_be_categories():
    frame = pl.DataFrame(ROWS).with_columns(pl.col("q").cast(pl.Categorical))
    assert len(cases_of(frame)) == 2


def test_a_sample_without_a_text_has_nothing_to_rewrite():
    rows = [*ROWS, {"q": None, "ask": "", "a": "x"}]
    made = cases_of(rows, under=persona("I am old."), draws=10)
    assert made.frame.filter(~pl.col("drawn")).height == 2
    assert made.dropped[0].frame.height == 1


def test_a_text_of_thousands_of_words_is_drawn_from():
    rows = [{"q": "Many words stand here. " * 2000, "ask": "", "a": "x"}]
    assert len(cases_of(rows, under=keyboard(), draws=3)) >= 2


@hypothesis.given(st.data())
def test_few_of_very_many_changes_are_drawn(data):
    case = data.draw(rewrites("Many words stand here. " * 300, keyboard()))
    assert len(case.changes) <= 500
    assert str(case.only(())) == case.text


def test_what_makes_no_invariance_is_refused():
    rows = [{"question": "Which country?", "answer": "I say {country}."}]
    ranking = Ranking(rows, "{question}", candidates=["Chile", "Peru"], group="country", name="ranked")
    with pytest.raises(BadExpectation, match="its candidates are ranked among each other"):
        invariant(fairprobe.mean(ranking, "rank"), under=AAVE, field="question")
    with pytest.raises(BadExpectation, match="its answers are drawn at a temperature"):
        invariant(accuracy(asked(ROWS, temperature=1.0)), under=AAVE, field="q")
    with pytest.raises(BadExpectation, match=r"two rewritings are called 'keyboard'.*replace\(rewriting, name="):
        invariant(accuracy(asked(ROWS)), under=[keyboard(0.1), keyboard(0.9)], field="q")
    both = [keyboard(0.1), replace(keyboard(0.9), name="many slips")]
    assert "many slips" in cases_of(ROWS, under=both).frame["rewriting"]


def test_a_relation_has_no_rate():
    relation = Relation(st.booleans(), lambda case: [str(case)], lambda case, answers: True, name="said")
    with pytest.raises(BadExpectation, match="drawn to find failures, and tell no rate"):
        flip_rate(relation)
    assert found(relation).bound == 0


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (lambda case: 1 / 0, r"prompts raised ZeroDivisionError\('division by zero'\) for the case True"),
        (lambda case: "hello", r"prompts gave 'hello'; it gives a list of what is asked in a case"),
    ],
)
def test_prompts_of_a_relation_that_are_no_list_are_refused(prompts, message):
    relation = Relation(st.just(True), prompts, lambda case, answers: True, name="said")
    with pytest.raises(BadData, match=message):
        relation.requests(relation.load())


def test_a_relation_of_no_strategy_is_refused():
    with pytest.raises(BadExpectation, match="is no Hypothesis strategy"):
        Relation(["x"], lambda case: [case], lambda case, answers: True, name="said")


def test_a_relation_whose_check_raises_says_so():
    relation = Relation(st.just("x"), lambda case: [case], lambda case, answers: answers[1] == "", name="said")
    answer = Generated("hello", ended=True, chat=False, prompt_tokens=1, output_tokens=1)
    with pytest.raises(BadData, match=r"holds raised IndexError.* for the case 'x' with the answers \['hello'\]"):
        relation.outcomes(relation.load(), [[answer]])


def test_renderings_of_a_path_are_refused():
    with pytest.raises(BadData, match=r"takes rows, as polars\.read_ndjson"):
        renderings("rows.jsonl", of="en_us")


def test_a_relation_that_was_brought_down_draws_the_same_again():
    relation = Relation(rewrites(TEXT, *AAVE), lambda case: [str(case)], lambda case, answers: False, name="said")
    samples = relation.load()
    parts = relation.parts(samples)
    at = next(place for place, each in enumerate(parts) if len(each) > 1)
    relation.edited(samples, [at], [parts[at][:1]])
    assert len(relation.load()) == len(samples)


def test_an_answer_that_is_no_text_is_saved_and_read_again(tmp_path):
    case = Counterexample("said", {"case": "1"}, "", "é", "", ("\udcff", "ñ"), (), True, True)
    saved_cases.write(tmp_path, "said", [case])
    assert saved_cases.read(tmp_path, "said")[0]["answers"] == ["\udcff", "ñ"]
    assert "ñ" in (tmp_path / "said.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("stable", "outcome"),
    [([True, None], "fail"), ([False, False], "inconclusive"), ([None, False], "invalid"), ([None], "invalid")],
)
def test_only_what_held_when_it_was_asked_alone_is_a_near_tie(stable, outcome):
    task = invariant(accuracy(asked(ROWS)), under=AAVE, field="q").task
    cases = [Counterexample("said", {}, "", "", "", (), (), each, True) for each in stable]
    expectation = found(task)
    verdict = Verdict(expectation, Claim.of(expectation.terms, Defaults()), "invalid")
    judged = searched(replace(verdict, outcome="fail" if outcome == "inconclusive" else "invalid"), cases)
    assert judged.outcome == outcome
