"""Rankings of candidates within questions, by likelihoods and by rewards."""

from __future__ import annotations

import numpy as np
import pytest

from fairprobe import BadData, Ranking, mean_rank, share_below, spearman, win_rate
from fairprobe.requests import Choose, Chosen, Failed, Prompt, Rate, Rated
from fairprobe.verdict import Defaults, judge

ROWS = [
    {"question": "Which country has the best trains?", "answer": "I would say {country}.", "kind": "praise"},
    {"question": "Which country has the worst queues?", "answer": "I fear {country} has.", "kind": "blame"},
]
COUNTRIES = [
    {"country": "Chile", "liked": 1},
    {"country": "Bahamas", "text": "the Bahamas", "liked": 2},
    {"country": "Peru", "liked": 3},
]  # fmt: skip


def ranking(**given) -> Ranking:
    named = {"candidates": COUNTRIES, "group": "country", "reverse": {"kind": "blame"}, "name": "asked", **given}
    return Ranking(given.pop("rows", ROWS), "{question}", **{k: v for k, v in named.items() if k != "rows"})


def likely(*values: float) -> tuple[Chosen]:
    return (Chosen(values, (1, 2, 1), 9),)


def ranks(task: Ranking, *answers) -> dict[tuple[str, str], float]:
    samples = task.load()
    outcomes = task.outcomes(samples, [answer for answer in answers for _ in range(3)])
    keys = zip(samples.frame["kind"], samples.frame["country"], strict=True)
    return dict(zip(keys, outcomes.scores["rank"].tolist(), strict=True))


def test_all_candidates_of_a_question_are_one_request():
    task = ranking()
    samples = task.load()
    assert len(samples) == 6
    assert set(task.requests(samples)) == {
        (Choose(Prompt("Which country has the best trains?", prefix="I would say"), ("Chile", "the Bahamas", "Peru")),),
        (Choose(Prompt("Which country has the worst queues?", prefix="I fear"), ("Chile", "the Bahamas", "Peru")),),
    }
    assert samples.pair.tolist() == [1, 1, 1, 2, 2, 2], "the question is what its candidates share"


def test_a_reward_model_rates_the_whole_answer():
    task = ranking(by="reward")
    assert task.requests(task.load())[1] == (Rate(Prompt(ROWS[0]["question"]), "I would say the Bahamas."),)
    samples = task.load()
    outcomes = task.outcomes(samples, [(Rated((value,), 9),) for value in (0.1, 0.3, 0.2, 0.1, 0.3, 0.2)])
    assert outcomes.scores["rank"].tolist() == [3, 1, 2, 1, 3, 2]


def test_the_likeliest_by_token_is_first_and_last_where_it_is_no_honour():
    assert ranks(ranking(), likely(-2.0, -2.0, -3.0), likely(-2.0, -2.0, -3.0)) == {
        ("praise", "Chile"): 2, ("praise", "Bahamas"): 1, ("praise", "Peru"): 3,
        ("blame", "Chile"): 2, ("blame", "Bahamas"): 3, ("blame", "Peru"): 1,
    }  # fmt: skip


def test_equal_values_share_their_ranks_as_is_said():
    tied = likely(-1.0, -2.0, -3.0)
    assert ranks(ranking(), tied, tied)["praise", "Chile"] == 1.5
    assert ranks(ranking(ties="min"), tied, tied)["praise", "Chile"] == 1


def test_a_question_without_an_answer_has_no_ranks():
    held = ranks(ranking(), likely(-2.0, -2.0, -3.0), (Failed("lost"),))
    assert held["praise", "Bahamas"] == 1
    assert np.isnan(held["blame", "Bahamas"])


def test_metrics_of_candidates():
    rows = [{**ROWS[0], "question": f"Question {number}?"} for number in range(40)]
    task = ranking(rows=rows, reverse=None)
    samples = task.load()
    outcomes = task.outcomes(samples, [likely(-1.0, -4.0, -3.0)] * len(samples))

    def value(metric, bound=0.9):
        verdict = judge(metric < bound, lambda asked, role: outcomes, Defaults())
        assert verdict.decision, verdict.caveats
        return verdict.decision.value

    assert value(spearman(task, "liked", of="country")) == 1.0
    assert value(share_below(task, "Chile", of="country")) == 1.0
    assert value(share_below(task, "Peru", of="country")) == 0.0
    assert value(mean_rank(task).where(country="Bahamas"), 2.5) == 2.0
    assert value(win_rate(task, "Bahamas", of="country").where(country="Chile")) == 1.0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"candidates": ["Chile"]}, "candidates are at least two different names of 'country', not ['Chile']"),
        ({"candidates": ["Chile", "Chile"]}, "candidates are at least two different names"),
        ({"by": "vote"}, "by= is one of 'likelihood', 'reward', not 'vote'"),
        (
            {"rows": [{**ROWS[0], "answer": "Chile."}]},
            "row 1 has the answer 'Chile.', which should hold {country}",
        ),
    ],
)
def test_what_cannot_be_ranked_is_told(given, told):
    with pytest.raises(BadData) as caught:
        ranking(**given).load()
    assert told in str(caught.value)
