"""A survey says how near a model's distribution over the options is to people's, group by group."""

from __future__ import annotations

import math

import numpy as np
import pytest

from checkpoints import answered
from fairprobe import BadData, UnknownGroup, accuracy, mean
from fairprobe.engines import open_engine, resolve
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Prompt
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.tasks.survey import Survey

TEA = {"question": "Tea?", "options": ["Yes", "No"], "human": {"Kenya": [0.9, 0.1], "Peru": [0.4, 0.6]}}
RAIN = {"question": "Rain?", "options": ["Yes", "No", "Unsure"], "human": {"Kenya": [0.2, 0.3, 0.5]}}
NAN = float("nan")


def survey(*rows, **named):
    return Survey(list(rows) or [TEA, RAIN], "{question}", **{"group": "country", "name": "views", **named})


def alone(*shares, **named):
    """A survey of one question that was put to one group."""
    return survey({**TEA, "human": list(shares)}, group=None, **named)


def likely(*shares, tokens=None, mass=None):
    sums = tuple(math.log(share) for share in shares)
    return Chosen(sums, tokens or (1,) * len(shares), 5, mass)


def outcomes(task, *responses):
    return task.outcomes(task.load(), [[response] for response in responses])


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


# -- samples


def test_a_row_is_one_sample_for_each_group_that_was_asked():
    samples = survey().load()
    assert samples.frame.select("question", "country", "human").rows() == [
        ("Tea?", "Kenya", [0.9, 0.1]),
        ("Tea?", "Peru", [0.4, 0.6]),
        ("Rain?", "Kenya", [0.2, 0.3, 0.5]),
    ]
    assert samples.dropped == ()


def test_the_question_pairs_and_clusters_its_groups():
    samples = survey().load()
    assert samples.pair.tolist() == samples.cluster.tolist() == [1, 1, 2]


def test_another_pair_or_cluster_may_be_named():
    rows = [{**TEA, "topic": "drinks"}, {**RAIN, "topic": "weather"}]
    assert survey(*rows, pair="topic").load().cluster.tolist() == ["drinks", "drinks", "weather"]
    by_topic = survey(*rows, cluster="topic").load()
    assert by_topic.pair.tolist() == [1, 1, 2]
    assert by_topic.cluster.tolist() == ["drinks", "drinks", "weather"]


def test_a_survey_without_groups_has_a_sample_a_row():
    samples = alone(0.5, 0.5).load()
    assert samples.pair is None
    assert samples.cluster.tolist() == ["views:0"]
    assert samples.frame["human"].to_list() == [[0.5, 0.5]]


def test_a_csv_file_holds_lists_and_mappings_as_python_writes_them(tmp_path):
    file = tmp_path / "views.csv"
    file.write_text(
        "question,selections,options\n"
        "Tea?,\"defaultdict(<class 'list'>, {'Kenya': [0.9, 0.1], 'Peru': [0.4, 0.6]})\",\"['Yes', 'No']\"\n"
        "Rain?,\"{'Kenya': [0.2, 0.3, 0.5]}\",\"['Yes', 'No', 'Unsure']\"\n"
    )
    task = Survey(file, "{question}", human="selections", group="country")
    assert task.load().frame.select("country", "selections").rows() == [
        ("Kenya", [0.9, 0.1]),
        ("Peru", [0.4, 0.6]),
        ("Kenya", [0.2, 0.3, 0.5]),
    ]


def test_an_option_is_a_letter_once_for_all_groups():
    task = survey()
    requests = task.requests(task.load())
    tea = (Choose(Prompt("Tea?\nA. Yes\nB. No\nAnswer:"), ("A", "B")),)
    assert requests == [tea, tea, (Choose(Prompt("Rain?\nA. Yes\nB. No\nC. Unsure\nAnswer:"), ("A", "B", "C")),)]


def test_the_prompt_may_name_the_group():
    task = Survey([TEA], "In {country}: {question}", group="country", name="views", letters="({})")
    assert [request.prompt.content for (request,) in task.requests(task.load())] == [
        "In Kenya: Tea?\n(A) Yes\n(B) No\nAnswer:",
        "In Peru: Tea?\n(A) Yes\n(B) No\nAnswer:",
    ]


def test_a_limit_does_not_balance_what_is_scored():
    assert survey().scored_columns == ("options", "human")
    assert survey(options=("Yes", "No")).scored_columns == ("Yes", "No", "human")


# -- scores


def test_similarity_is_one_less_the_distance_to_each_group():
    found = outcomes(survey(), likely(0.9, 0.1), likely(0.9, 0.1), likely(0.2, 0.2, 0.6))
    assert found.scores["similarity"] == pytest.approx([1.0, 0.614774, 0.914503], abs=1e-6)
    assert found.status.tolist() == ["ok", "ok", "ok"]
    assert found.responses == ["Yes (90 %)", "Yes (90 %)", "Unsure (60 %)"]
    assert found.targets == ["Yes (90 %)", "No (60 %)", "Unsure (50 %)"]
    assert found.prompts[0] == "Tea?\nA. Yes\nB. No\nAnswer:"


@pytest.mark.parametrize(
    ("kind", "base", "similarity", "least"),
    [
        ("distance", math.e, 0.535499, 0.167445),
        ("distance", 2, 0.442077, 0.0),
        ("divergence", math.e, 0.784238, 0.306853),
        ("divergence", 2, 0.688722, 0.0),
    ],
)
def test_kind_and_base_set_the_similarity_and_its_range(kind, base, similarity, least):
    found = outcomes(alone(1.0, 0.0, kind=kind, base=base), likely(0.5, 0.5))
    assert found.scores["similarity"] == pytest.approx([similarity], abs=1e-6)
    assert found.range_of("similarity") == pytest.approx((least, 1.0), abs=1e-6)
    assert found.range_of("first") == (0.0, 1.0)


def test_likelihoods_need_not_sum_to_one():
    assert outcomes(alone(0.75, 0.25), likely(0.03, 0.01)).scores["similarity"] == pytest.approx([1.0])


# "(A)" has 0.01 in two tokens, 0.1 each; "(B)" 0.3 in one
@pytest.mark.parametrize(
    ("scoring", "human"), [("letter", [1 / 31, 30 / 31]), ("letter_mean", [0.25, 0.75]), ("text_mean", [0.25, 0.75])]
)
def test_likelihoods_are_weighed_as_in_a_choice(scoring, human):
    found = outcomes(alone(*human, scoring=scoring, letters="({})"), likely(0.01, 0.3, tokens=(2, 1)))
    assert found.scores["similarity"] == pytest.approx([1.0], abs=1e-6)


def test_likelihoods_are_weighed_by_the_options_bytes():
    # "Yes" has 3 and "No" 2: 0.1 and 0.3 a byte
    found = outcomes(alone(0.25, 0.75, scoring="text_bytes"), likely(0.1**3, 0.3**2))
    assert found.scores["similarity"] == pytest.approx([1.0], abs=1e-6)


def test_the_first_option_is_counted_where_it_is_the_likeliest():
    found = outcomes(survey(), likely(0.9, 0.1), likely(0.3, 0.7), likely(0.5, 0.3, 0.2))
    assert found.scores["first"].tolist() == [1.0, 0.0, 1.0]


def test_letters_have_a_mass_where_the_engine_gives_one():
    found = outcomes(survey(), likely(0.9, 0.1, mass=0.75), likely(0.3, 0.7), likely(0.5, 0.3, 0.2, mass=0.5))
    assert np.array_equal(found.scores["option_mass"], [0.75, NAN, 0.5], equal_nan=True)
    assert survey().score_names == tuple(found.scores) == ("similarity", "first", "entropy", "option_mass")
    assert survey(scoring="text").score_names == ("similarity", "first", "entropy")


@pytest.mark.parametrize(("response", "status", "similarity", "first"), [
    (None, "missing", NAN, NAN), (Failed("no"), "error", NAN, NAN), (DoesNotFit(300, 256), "truncated", 0.167445, 0.0),
])  # fmt: skip
def test_what_was_not_answered_has_its_status(response, status, similarity, first):
    found = outcomes(alone(0.9, 0.1), response)
    assert found.status.tolist() == [status]
    assert found.scores["similarity"] == pytest.approx([similarity], abs=1e-6, nan_ok=True)
    assert found.scores["first"] == pytest.approx([first], nan_ok=True)
    assert np.isnan(found.scores["option_mass"]).all()
    assert found.responses == [None]
    assert found.targets == ["Yes (90 %)"]


def test_an_answer_that_knows_nothing_has_no_chance():
    assert survey().chance(survey().load()) is None


# -- what is no distribution


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (
            [0.5, 0.3],
            "a distribution that does not sum to one in 'human': [0.5, 0.3] over 2 options, which sums to 0.8",
        ),
        ([0.0, 0.0], "a distribution that does not sum to one in 'human': [0.0, 0.0] over 2 options, which sums to 0"),
        ([1.0], "a distribution of another length than the options in 'human': [1.0] over 2 options, which sums to 1"),
        ([], "no distribution in 'human': [] over 2 options, which sums to 0"),
        ([1.5, -0.5], "a distribution with a share that is negative or no number in 'human': [1.5, -0.5] over 2"),
        ([None, 1.0], "a distribution with a share that is negative or no number in 'human': [nan, 1.0] over 2"),
    ],
)
def test_a_distribution_fits_its_options_and_sums_to_one(shares, message):
    rows = TEA, {**TEA, "human": {"Kenya": [0.9, 0.1], "Peru": shares}}
    said = refusal(survey(*rows).load)
    assert f"Survey('views', 2 samples): row 2, country 'Peru', has {message}" in said
    assert said.endswith("Correct it, or leave such samples out, and counted, with invalid='drop'.")


def test_shares_may_be_rounded():
    assert len(alone(0.333, 0.666).load()) == 1
    assert len(alone(0.3335, 0.6675).load()) == 1
    assert "does not sum to one" in refusal(alone(0.33, 0.66).load)


def test_invalid_distributions_are_dropped_and_counted_by_reason():
    rows = (
        TEA,
        {**RAIN, "human": {"Kenya": [0.2, 0.3, 0.5], "Peru": [0.0, 0.0, 0.0], "Chile": [0.5, 0.5], "Mali": [0.1] * 3}},
        {**TEA, "human": None},
    )
    samples = survey(*rows, invalid="drop").load()
    assert samples.frame["country"].to_list() == ["Kenya", "Peru", "Kenya"]
    assert samples.pair.tolist() == [1, 1, 2]
    assert [(each.reason, each.frame["country"].to_list()) for each in samples.dropped] == [
        ("a distribution that does not sum to one", ["Peru", "Mali"]),
        ("a distribution of another length than the options", ["Chile"]),
        ("no distribution", [None]),
    ]


def test_a_survey_of_invalid_distributions_alone_is_refused():
    assert refusal(alone(0.5, 0.3, invalid="drop").load) == (
        "Survey('views', 1 samples): every one of its 1 samples is dropped; the first has a distribution that does "
        "not sum to one: [0.5, 0.3] over 2 options, which sums to 0.8"
    )


def test_what_holds_no_distribution_is_refused_with_the_line_to_write():
    assert refusal(survey({**TEA, "human": [0.5, 0.5]}).load) == (
        "Survey('views', 1 samples): row 1, column 'human' should hold a mapping from country to distribution; it "
        "holds [0.5, 0.5]. Without group= it is read as one distribution."
    )
    assert "name the column that its keys are to be in, as in group='country'" in refusal(survey(group=None).load)
    assert "row 1, column 'human' should hold a distribution, a list of numbers; it holds 0.5" in refusal(
        survey({**TEA, "human": 0.5}, group=None).load
    )
    assert "a list of numbers; it holds ['most', 'few']" in refusal(
        survey({**TEA, "human": ["most", "few"]}, group=None).load
    )
    assert "row 1, column 'human' holds 'most', which is no list" in refusal(survey({**TEA, "human": "most"}).load)
    assert "has people's answers in 'people', but it has no column 'people'" in refusal(
        survey(human="people").load, kind=UnknownGroup
    )
    assert "give another" in refusal(survey({**TEA, "country": "all"}).load)


def test_a_question_without_options_is_named_by_its_row():
    assert "row 2 has 1 options; a choice has between 2 and 26" in refusal(
        survey(TEA, {**RAIN, "options": ["Yes"]}).load
    )


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            {"scoring": "generate"},
            "scoring is one of 'letter', 'letter_mean', 'text', 'text_mean', 'text_bytes', not 'generate'",
        ),
        ({"kind": "root"}, "kind is one of 'distance', 'divergence', not 'root'"),
        ({"invalid": "skip"}, "invalid is one of 'error', 'drop', not 'skip'"),
        ({"base": 1}, "base is that of a logarithm, above 1, such as 2 or math.e, not 1"),
    ],
)
def test_what_it_cannot_do_is_refused_with_what_it_can(named, message):
    assert refusal(lambda: survey(**named)) == f"Survey('views', 2 samples): {message}"


# -- with a checkpoint


def test_its_distribution_is_that_of_the_checkpoint(checkpoints_folder):
    task = survey()
    samples = task.load()
    requests = [request for (request,) in task.requests(samples)]
    engine = open_engine("transformers", resolve(str(checkpoints_folder / "plain"), "model", {}), {}, {})
    found = answered(engine, list(dict.fromkeys(requests)))
    assert len(found) == 2
    likelihoods = np.exp(found[requests[0]].loglikelihoods)
    people = (likelihoods / likelihoods.sum()).tolist()
    same = survey({**TEA, "human": {"Kenya": people}})
    assert outcomes(same, found[requests[0]]).scores["similarity"] == pytest.approx([1.0], abs=1e-6)
    assert 0.167 < outcomes(task, *(found[request] for request in requests)).scores["similarity"].min() < 1


def test_many_groups_cost_one_request_a_question(checkpoints_folder, tmp_path):
    rows = [{**TEA, "question": f"Tea at {hour}?"} for hour in range(1, 13)]
    task = survey(*rows)
    claims = accuracy(task).gap("country") < 0.8, mean(task, "first").by("country") < 0.9
    run = Session(Settings(model=str(checkpoints_folder / "plain"), store=tmp_path / "store"))
    for claim in claims:
        run.check(claim)
    assert run.ask(run.plan(claims)).distinct == 12
    assert (run.judge(claims[0]).samples, run.judge(claims[0]).fewest_clusters) == (24, 12)
    assert 0.167 < run.judge(claims[0]).groups[0].value < 1
    run.close()
