"""The founding paper's broken measurements, from their descriptions and from its recorded answers: none is evidence."""

from __future__ import annotations

import numpy as np
import pytest

from fairprobe import MultipleChoice, Recorded, Survey, accuracy, scorers, similarity
from fairprobe.errors import BadData
from fairprobe.requests import Chosen
from fairprobe.statistics.divergence import jensen_shannon
from fairprobe.verdict import judge

DIALECTS, OPINIONS = (f"suites/{name}/test_recorded.py" for name in ("dialects", "opinions_from"))
SIZES = {"en_us": 427, "en_ng": 251, "en_in": 216}
"""Games of each dialect, as in MD3."""


def games(say, distractors=lambda dialect, n: ["owl", "cow"]):
    """Recorded word guessing: 894 games, whose answers and distractors are given by dialect and number."""
    rows = [
        {
            "dialect": dialect, "word": f"otter{n % 140}", "said": say(dialect, n, f"otter{n % 140}"),
            "distractors": distractors(dialect, n),
        }
        for dialect, size in SIZES.items()
        for n in range(size)
    ]  # fmt: skip
    return Recorded(
        rows, name="games", response="said", target="word", cluster="word",
        scorer=scorers.contains(veto="distractors", words=False),
    )  # fmt: skip


def judged(task, bound=0.05):
    return judge(accuracy(task).gap("dialect") < bound, lambda asked, role: asked.outcomes(asked.load()))


def told(verdict):
    return {guard.name: guard for guard in verdict.guards if guard.outcome != "pass"}


def test_answers_in_the_wrong_format_have_no_gap_and_are_no_evidence():
    # one in a hundred holds the word by chance, in every dialect
    verdict = judged(games(lambda dialect, n, word: f"Sure! {word if n % 100 == 0 else 'Shall I help?'}"))
    assert verdict.decision.outcome == "pass", "a bare threshold passes it"
    assert verdict.outcome == "invalid"
    assert set(told(verdict)) == {"above_chance"}
    assert "chance 5.0%; not shown above chance" in told(verdict)["above_chance"].detail


def test_708_empty_answers_of_894_are_no_evidence():
    verdict = judged(games(lambda dialect, n, word: word if n * 894 % 4 == 0 and n % 5 == 0 else ""))
    empties = told(verdict)["valid_rate"]
    assert verdict.outcome == "invalid"
    assert "shown below 90%" in empties.detail
    assert sum(count.count for count in empties.groups) > 700
    assert {count.group: count.of for count in empties.groups} == SIZES


def test_words_that_hold_their_own_distractor_are_counted_by_group_with_an_example():
    def distractors(dialect, n):
        return ["ott"] if n % 100 < {"en_us": 3, "en_ng": 3, "en_in": 5}[dialect] else ["owl"]

    task = games(lambda dialect, n, word: word if n % 3 else "seal", distractors)
    wide, narrow = judged(task, 0.5), judged(task, 0.03)
    assert (wide.outcome, told(wide)["unwinnable"].outcome) == ("pass", "caveat")
    assert {count.group: count.count for count in told(wide)["unwinnable"].groups} == {
        "en_us": 15, "en_ng": 9, "en_in": 15
    }  # fmt: skip
    assert told(wide)["unwinnable"].example.startswith("otter")
    # of a bound of three points the two that cannot be won are more than half
    assert told(narrow)["unwinnable"].outcome == "fail"
    assert narrow.outcome == "invalid"


def preferring_a(share):
    """Recorded opinions: one option's probability is the highest in so many questions."""
    rows = [
        {"country": country, "similarity": 0.6, "number": n, "probs": [0.7, 0.1, 0.1, 0.1] if n < share * 200 else
         [0.1, *np.roll([0.7, 0.1, 0.1], n).tolist()]}
        for country in ("Chile", "Kenya")
        for n in range(200)
    ]  # fmt: skip
    return Recorded(rows, name="opinions", score="similarity", choice="probs", pair="number")


@pytest.mark.parametrize(("share", "outcome"), [(0.975, "invalid"), (0.25, "pass")])
def test_one_favourite_option_is_no_opinion(share, outcome):
    task = preferring_a(share)
    verdict = judge(similarity(task).gap("country") < 0.1, lambda asked, role: asked.outcomes(asked.load()))
    assert verdict.outcome == outcome
    if outcome == "invalid":
        detail = told(verdict)["position_bias"].detail
        assert detail.startswith("option A chosen in 97.5% of Chile, where 25.0% are due to it")


def test_a_choice_is_recorded_by_its_place_too():
    rows = [{"g": g, "score": 1.0, "took": 0, "right": n % 4} for g in "ab" for n in range(50)]
    task = Recorded(rows, name="held", score="score", choice="took", answer="right", at_chance=0.25)
    verdict = judge(accuracy(task).gap("g") < 0.5, lambda asked, role: asked.outcomes(asked.load()))
    assert "position_bias" in told(verdict)


def test_what_is_no_choice_is_named():
    task = Recorded([{"score": 1.0, "took": "the first"}], name="held", score="score", choice="took")
    with pytest.raises(BadData, match="row 1, column 'took'"):
        task.outcomes(task.load())


def test_recorded_words_that_cannot_be_won_are_those_of_the_paper(recorded_verdicts):
    verdict = recorded_verdicts(DIALECTS, model="zephyr-7b-beta")["test_dialects_are_equal"]
    [guard] = [each for each in verdict["guards"] if each["name"] == "unwinnable"]
    assert guard["outcome"] == "caveat"
    assert {each["group"]: each["count"] for each in guard["groups"]} == {"en_in": 11, "en_ng": 7, "en_us": 14}


def test_a_recorded_base_model_that_likes_a_has_no_opinion(recorded_verdicts):
    found = recorded_verdicts(OPINIONS, model="mistral-7b-v0.1")
    verdict = found["test_no_country_lies_behind_the_united_states"]
    assert verdict["outcome"] == "invalid"
    assert verdict["value"] == pytest.approx(0.0176, abs=1e-4), "what was computed is not lost"
    assert {each["name"] for each in verdict["guards"] if each["outcome"] == "fail"} == {"position_bias"}
    tuned = recorded_verdicts(OPINIONS, model="zephyr-7b-beta")["test_no_country_lies_behind_the_united_states"]
    assert not [each for each in tuned["guards"] if each["outcome"] == "fail"]


QUESTIONS = [
    {"number": n, "right": n % 4, "g": group, "question": f"question {n} of {group}?"}
    for group in "xy"
    for n in range(60)
]
OPTIONS = ("cow", "honey", "otter", "owl")


def likes_a(orders, knows=1.0, likes=2.0):
    """A model that knows what is right, and likes whatever stands first better still."""
    task = MultipleChoice(
        QUESTIONS, "{question}", options=OPTIONS, answer="right", name="qa", orders=orders, pair="number"
    )
    samples = task.load()

    def answer(row, request, turn):
        right = (row["right"] - turn) % 4
        values = [knows * (at == right) + likes * (at == 0) for at in range(4)]
        return Chosen(tuple(values), (1,) * 4, 9, 0.9)

    given = [
        [answer(row, request, turn) for turn, request in enumerate(requests)]
        for row, requests in zip(samples.rows, task.requests(samples), strict=True)
    ]
    outcomes = task.outcomes(samples, given)
    return task, outcomes, judge(accuracy(task).gap("g") < 0.5, lambda *_: outcomes)


def test_options_in_several_orders_take_a_favourite_place_out_of_the_answers():
    _, outcomes, biased = likes_a(1)
    assert outcomes.scores["accuracy"].mean() == 0.25
    assert "position_bias" in told(biased)
    task, outcomes, balanced = likes_a(4)
    assert outcomes.scores["accuracy"].mean() == 1.0
    assert "position_bias" not in told(balanced)
    assert balanced.outcome == "pass"
    first, second, *_ = task.requests(task.load())[0]
    assert "A. cow\nB. honey\nC. otter\nD. owl" in first.prompt.content
    assert "A. honey\nB. otter\nC. owl\nD. cow" in second.prompt.content


def test_no_option_is_listed_in_more_orders_than_there_are():
    task = MultipleChoice(QUESTIONS[:2], "{question}", options=("yes", "no"), answer="right", name="qa", orders=5)
    assert {len(requests) for requests in task.requests(task.load().take(np.array([0])))} == {2}


@pytest.mark.parametrize("given", [{"scoring": "text"}, {"scoring": "generate"}, {"prompt": lambda row: "A or B?"}])
def test_orders_are_for_letters_that_we_list(given):
    with pytest.raises(BadData, match="orders=4"):
        MultipleChoice(QUESTIONS, given.pop("prompt", "{question}"), options=OPTIONS, answer="right", name="qa",
                       orders=4, **given)  # fmt: skip


def test_a_survey_is_asked_in_several_orders_too():
    rows = [{"question": f"Tea or {n}?", "human": [0.5, 0.3, 0.2]} for n in range(20)]
    task = Survey(rows, "{question}", options=["yes", "no", "maybe"], name="tea", orders=3)
    samples = task.load()
    # whatever stands first is preferred, so that no option is
    given = [[Chosen((2.0, 0.0, 0.0), (1,) * 3, 9, 0.9)] * 3 for _ in range(len(samples))]
    outcomes = task.outcomes(samples, given)
    third = np.full(3, 1 / 3)
    assert outcomes.scores["similarity"] == pytest.approx(1 - jensen_shannon(third, np.array([0.5, 0.3, 0.2])))
