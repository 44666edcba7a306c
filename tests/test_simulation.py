"""A survey is answered as each of its respondents, and what they said is how that is scored."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairprobe import BadData, BadExpectation, Generation, Simulation, UnknownGroup, alignment, persona_lift
from fairprobe.metrics import chance, grouped, measured
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Generate, Generated, Prompt, Unfinished
from fairprobe.verdict import judge

TEA = {
    "id": "tea",
    "topic": "drinks",
    "kind": "ordinal",
    "codes": [1, 2, 3, -1],
    "unsure": -1,
    "options": {"en": ["Much", "Some", "None", "Unsure"], "es": ["Mucho", "Algo", "Nada", "No sé"]},
    "paraphrases": {"en": ["How much tea?", "Is tea for you?"], "es": ["¿Cuánto té?", "¿Te gusta el té?"]},
}
HUE = {
    "id": "hue",
    "topic": "looks",
    "kind": "nominal",
    "codes": [1, 2, 3],
    "options": {"en": ["Red", "Green", "Blue"], "es": ["Rojo", "Verde", "Azul"]},
    "paraphrases": {"en": ["Which hue?", "What colour?"], "es": ["¿Qué color?", "¿Qué tono?"]},
}
BOOK = {
    "persona": {
        "sex": {"column": "Q260", "labels": {"en": {"1": "man", "2": "woman"}, "es": {"1": "hombre", "2": "mujer"}}},
        "education": {
            "column": "Q275",
            "labels": {"en": {"1": "lower", "2": "higher"}, "es": {"1": "básica", "2": "superior"}},
        },
        "age": {"column": "age"},
    },
    "languages": {
        "en": "A {sex} of {age}, {education} education.\n{question}\n{options}\nAnswer:",
        "es": "{sex}, {age} años, educación {education}.\n{question}\n{options}\nRespuesta:",
    },
    "questions": [TEA, HUE],
}
PEOPLE = [
    {"name": "ana", "country": "Peru", "Q260": 2, "Q275": 1, "age": 30, "weight": 1.0, "tea": 1, "hue": 1},
    {"name": "ben", "country": "Peru", "Q260": 1, "Q275": 2, "age": 41, "weight": 3.0, "tea": 2, "hue": 2},
    {"name": "cai", "country": "Peru", "Q260": 1, "Q275": 2, "age": 52, "weight": 2.0, "tea": 3, "hue": -2},
    {"name": "dot", "country": "Kenya", "Q260": 2, "Q275": 1, "age": 63, "weight": 2.0, "tea": -1, "hue": 3},
    {"name": "eve", "country": "Kenya", "Q260": 2, "Q275": 1, "age": 74, "weight": 1.0, "tea": 1, "hue": 3},
    {"name": "fay", "country": "Kenya", "Q260": 2, "Q275": 2, "age": 85, "weight": 1.5, "tea": None, "hue": 1},
]
CUP = {**TEA, "paraphrases": {"en": ["How much tea?"]}}
PAINT = {**HUE, "paraphrases": {"en": ["Which hue?"]}}
NAN = float("nan")


def people(rows=PEOPLE, book=BOOK, **named):
    return Simulation(rows, codebook=book, name="people", **named)


def asked(rows, question=CUP, **named):
    """Respondents of one question, in one wording and language, who write their answers."""
    book = {"persona": {}, "languages": {"en": "{question}\n{options}"}, "questions": [question]}
    return people(rows, book, **{"scoring": "generate", **named})


def said(text):
    return Generated(text, True, False, 5, 3)


def likely(*shares):
    return Chosen(tuple(math.log(share) if share else -1e9 for share in shares), (1,) * len(shares), 5)


def outcomes(task, answer):
    samples = task.load()
    return task.outcomes(samples, [[answer(row)] for row in samples.rows])


def first(code, *responses, question=CUP, **named):
    """The outcomes of two respondents, of whom the first answered with this code."""
    task = asked(
        [{"country": "Peru", question["id"]: each} for each in (code, question["codes"][0])], question, **named
    )
    return task.outcomes(task.load(), [list(responses)] * 2)


def scores(found, *names):
    return [found.scores[name][0] for name in names]


def values(metric, found, *columns):
    """A metric's value of each group."""
    question = metric.by(*columns) if columns else (metric > 0).question
    estimates = grouped(question, measured(metric, lambda task, role: found)).estimates()
    return dict(zip(estimates.groups, estimates.theta.tolist(), strict=True))


def left_out(task, column, answer=lambda row: said("A")):
    found = outcomes(task, answer)
    judged = judge(alignment(task).by(column) > 0, lambda task, role: found)
    return {each.group[column]: each.left_out for each in judged.groups}


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


# -- scores


@pytest.mark.parametrize(
    ("code", "letter", "hard", "soft"),
    [
        (1, "A", 1.0, 1.0),
        (1, "B", 0.0, 0.5),
        (1, "C", 0.0, 0.0),
        (2, "A", 0.0, 0.5),
        (2, "C", 0.0, 0.5),
        (3, "A", 0.0, 0.0),
        (3, "B", 0.0, 0.5),
        (1, "D", 0.0, 0.0),
        (3, "D", 0.0, 0.0),
        (-1, "D", 1.0, 1.0),
        (-1, "A", 0.0, 0.0),
        (-1, "C", 0.0, 0.0),
    ],
)
def test_a_near_answer_counts_in_part_and_don_t_know_is_near_to_nothing(code, letter, hard, soft):
    assert scores(first(code, said(letter)), "hard", "soft") == [hard, soft]


@pytest.mark.parametrize(("letter", "soft"), [("A", 0.75), ("B", 1.0), ("C", 0.75), ("D", 0.5), ("E", 0.25)])
def test_a_step_is_one_over_the_length_of_the_scale(letter, soft):
    five = {**CUP, "codes": [1, 2, 3, 4, 5], "unsure": None, "options": {"en": ["1st", "2nd", "3rd", "4th", "5th"]}}
    assert scores(first(2, said(letter), question=five), "soft") == [soft]


@pytest.mark.parametrize(("letter", "soft"), [("A", 1.0), ("B", 0.5), ("C", 0.0)])
def test_a_step_is_to_the_next_option_whatever_its_code(letter, soft):
    uneven = {**CUP, "codes": [70, 3, 10], "unsure": None, "options": {"en": ["Much", "Some", "None"]}}
    assert scores(first(70, said(letter), question=uneven), "soft") == [soft]


@pytest.mark.parametrize(("letter", "soft"), [("A", 1.0), ("B", 0.0), ("C", 0.5), ("D", 0.0)])
def test_don_t_know_among_the_options_is_no_step(letter, soft):
    amid = {**CUP, "codes": [1, -1, 2, 3]}
    assert scores(first(1, said(letter), question=amid), "soft") == [soft]


@pytest.mark.parametrize(("letter", "soft"), [("A", 0.0), ("B", 1.0), ("C", 0.0)])
def test_only_the_same_answer_counts_where_there_is_no_order(letter, soft):
    assert scores(first(2, said(letter), question=PAINT), "soft") == [soft]


@pytest.mark.parametrize(
    ("response", "status", "score"),
    [
        (said("I would rather not say"), "unparsable", 0.0),
        (said("A or B"), "unparsable", 0.0),
        (said(" "), "empty", 0.0),
        (DoesNotFit(300, 256), "truncated", 0.0),
        (Unfinished("Hm, A", 5, 9), "truncated", 0.0),
        (Failed("out of memory"), "error", NAN),
        (None, "missing", NAN),
    ],
)
def test_what_is_no_answer_is_a_wrong_one_and_what_did_not_come_is_none(response, status, score):
    found = first(1, response)
    assert found.status[0] == status
    assert scores(found, "hard", "soft", "lift") == pytest.approx([score] * 3, nan_ok=True)


@pytest.mark.parametrize(
    ("drawn", "letter"),
    [("BAB", "B"), ("ABB", "B"), ("ABC", "A"), ("BAC", "B"), ("CAABB", "A"), ("CBBAA", "B")],
)
def test_the_majority_of_draws_is_the_answer_and_of_a_tie_the_earliest(drawn, letter):
    found = first(1, *map(said, drawn), draws=len(drawn), temperature=0.7)
    assert found.responses[0] == {"A": "Much", "B": "Some", "C": "None"}[letter]
    assert scores(found, "soft") == [{"A": 1.0, "B": 0.5, "C": 0.0}[letter]]


def test_draws_of_which_none_is_an_answer_are_a_wrong_one():
    found = first(1, said("well"), said(""), said("A or B"), draws=3, temperature=0.7)
    assert (found.status[0], scores(found, "hard", "soft")) == ("unparsable", [0.0, 0.0])


def test_a_draw_that_did_not_come_makes_the_majority_unknown():
    found = first(1, said("A"), said("A"), Failed("no"), draws=3, temperature=0.7)
    assert found.status[0] == "error"
    assert np.isnan(found.scores["soft"][0])


def test_every_draw_is_asked_for():
    task = asked([{"country": "Peru", "tea": 1}] * 2, draws=3, temperature=0.7)
    [requests, _] = task.requests(task.load())
    prompt = Prompt("How much tea?\nA. Much\nB. Some\nC. None\nD. Unsure")
    assert requests == tuple(Generate(prompt, 8, (), 0.7, draw) for draw in range(3))


@pytest.mark.parametrize(
    ("code", "shares", "hard", "soft"),
    [
        (1, (0.5, 0.3, 0.1, 0.1), 0.5, 0.65),
        (2, (0.5, 0.3, 0.1, 0.1), 0.3, 0.6),
        (3, (0.5, 0.3, 0.1, 0.1), 0.1, 0.25),
        (-1, (0.5, 0.3, 0.1, 0.1), 0.1, 0.1),
        (1, (0.05, 0.03, 0.01, 0.01), 0.5, 0.65),
    ],
)
def test_a_score_is_expected_by_the_options_probabilities(code, shares, hard, soft):
    found = first(code, likely(*shares), scoring="letter")
    assert scores(found, "expected_hard", "expected_soft") == pytest.approx([hard, soft])


def test_alignment_reads_what_is_expected_where_probabilities_are_known():
    task = asked([{"country": "Peru", "tea": 1}] * 2, scoring="letter")
    found = outcomes(task, lambda row: likely(0.5, 0.3, 0.1, 0.1))
    assert scores(found, "hard", "soft") == [1.0, 1.0]
    assert values(alignment(task, corrected=False), found) == pytest.approx({"all samples": 0.65})
    assert values(alignment(task, "hard", corrected=False), found) == pytest.approx({"all samples": 0.5})


# -- chance

WEIGHED = [
    {"country": "Peru", "weight": 1, "tea": 1, "says": "A"},
    {"country": "Peru", "weight": 3, "tea": 2, "says": "A"},
    {"country": "Kenya", "weight": 2, "tea": -1, "says": "A"},
    {"country": "Kenya", "weight": 1, "tea": 1, "says": "B"},
]


def told(row):
    return said(row["says"])


# Peru: S = (1 + 3/2)/4 and r = (3/8 + 3/2)/4; Kenya: S = (1/2)/3 and r = (2/4 + 3/8)/3
@pytest.mark.parametrize(
    ("kind", "corrected", "expected"),
    [
        ("soft", True, {"Kenya": -3 / 17, "Peru": 5 / 17}),
        ("soft", False, {"Kenya": 1 / 6, "Peru": 5 / 8}),
        ("hard", True, {"Kenya": -1 / 3, "Peru": 0.0}),
        ("hard", False, {"Kenya": 0.0, "Peru": 1 / 4}),
    ],
)
def test_a_group_is_corrected_for_its_own_chance_by_its_respondents_weights(kind, corrected, expected):
    task = asked(WEIGHED, weight="weight")
    metric = alignment(task, kind, corrected=corrected)
    assert values(metric, outcomes(task, told), "country") == pytest.approx(expected)


def test_without_weights_every_respondent_counts_alike():
    task = asked(WEIGHED)
    found = outcomes(task, told)
    assert values(alignment(task), found, "country") == pytest.approx({"Kenya": -1 / 11, "Peru": 5 / 9})
    assert values(alignment(task), found) == pytest.approx({"all samples": (2 / 4 - 3 / 8) / (1 - 3 / 8)})


def test_an_answer_that_knows_nothing_has_none_and_the_respondents_own_all():
    task = people(scoring="letter", weight="weight")
    blind = outcomes(task, lambda row: likely(*[1 / len(row["options"])] * len(row["options"])))
    own = outcomes(task, lambda row: likely(*np.eye(len(row["options"]))[row["answer"]]))
    for kind in ("soft", "hard"):
        assert values(alignment(task, kind), blind, "country") == pytest.approx({"Kenya": 0, "Peru": 0}, abs=1e-9)
        assert values(alignment(task, kind), own, "country") == pytest.approx({"Kenya": 1, "Peru": 1})


@pytest.mark.parametrize(
    ("ask", "level"),
    [
        (lambda task: alignment(task).by("country"), 0.0),
        (lambda task: alignment(task, corrected=False).by("country"), 11 / 28),
        (lambda task: alignment(task, corrected=False).where(country="Peru").by("country"), 15 / 32),
        (lambda task: alignment(task, "hard", corrected=False).by("country"), 1 / 4),
        (lambda task: persona_lift(task).by("country"), 0.0),
        (lambda task: alignment(task, corrected=False).gap("country"), None),
        (lambda task: (alignment(task).change() > 0).question, None),
    ],
)
def test_a_level_is_read_against_that_of_an_answer_that_knows_nothing(ask, level):
    task = asked(WEIGHED, weight="weight")
    found = outcomes(task, told)
    assert chance(ask(task), lambda task, role: found) == (None if level is None else pytest.approx(level))


def test_alignment_is_soft_or_hard_and_of_a_simulation():
    assert refusal(alignment, people(), "near", kind=BadExpectation) == (
        "alignment(people, 'near'): its kind is 'soft' or 'hard'"
    )
    clues = Generation([{"q": "?"}], "{q}", name="clues")
    assert "reads a survey's simulation, not Generation('clues', 1 samples)" in refusal(
        alignment, clues, kind=BadExpectation
    )
    assert "persona_lift(clues) reads the score 'lift'" in refusal(persona_lift, clues, kind=BadExpectation)


def test_a_metric_reads_as_it_is_written():
    assert repr(alignment(people(), "hard").gap("country") < 0.1) == (
        "alignment(people, 'hard', corrected=True).gap('country') < 0.1"
    )
    assert repr(persona_lift(people()).by("country") > 0) == "persona_lift(people).by('country') > 0.0"


# -- lift


def test_lift_is_the_score_less_its_weighted_mean_in_the_country_over_what_of_that_is_others():
    rows = [
        {"country": "Peru", "weight": 5, "tea": 1},
        {"country": "Peru", "weight": 1, "tea": 2},
        {"country": "Peru", "weight": 3, "tea": 3},
        {"country": "Peru", "weight": 9, "tea": -2},
        {"country": "Kenya", "weight": 9, "tea": 1},
        {"country": "Kenya", "weight": 9, "tea": 1},
    ]
    found = outcomes(asked(rows, weight="weight"), lambda row: said("A"))
    mean, others = 5.5 / 9, 1 - (5**2 + 1**2 + 3**2) / 9**2
    lifts = [(score - mean) / others for score in (1, 0.5, 0)]
    assert found.scores["lift"].tolist() == pytest.approx([*lifts, 0.0, 0.0])


def test_one_answer_for_a_whole_country_has_no_lift_whatever_its_respondents_weigh():
    rows = [{"country": "Peru", "weight": weight, "tea": tea} for weight, tea in ((1, 1), (1, 1), (8, 2), (1, 3))]
    task = asked(rows, weight="weight")
    found = outcomes(task, lambda row: said("B"))
    assert values(persona_lift(task), found, "country") == pytest.approx({"Peru": 0}, abs=1e-12)


def test_lift_by_probabilities_is_the_expected_one():
    found = first(2, likely(0.5, 0.3, 0.1, 0.1), scoring="letter")
    assert scores(found, "expected_lift") == pytest.approx([0.6 - 0.65])


MAJORITY = [
    *({"country": "Peru", "tea": code} for code in (1, 1, 1, 1, 1, 2)),
    *({"country": "Kenya", "tea": code} for code in (3, 3, 3, 2, 3, 3)),
]


def test_an_answer_that_knows_the_country_alone_is_aligned_and_has_no_lift():
    task = asked(MAJORITY)
    found = outcomes(task, lambda row: said({"Peru": "A", "Kenya": "C"}[row["country"]]))
    assert values(alignment(task), found, "country") == pytest.approx({"Kenya": 25 / 29, "Peru": 25 / 29})
    assert values(persona_lift(task), found, "country") == pytest.approx({"Kenya": 0, "Peru": 0}, abs=1e-12)


def test_answering_as_each_respondent_has_a_lift_by_how_much_a_country_disagrees():
    task = asked(MAJORITY)
    found = outcomes(task, lambda row: said("ABC"[row["answer"]]))
    # five have 1 - (4 + 1/2)/5, and one has 1 - 1/2
    assert values(persona_lift(task), found, "country") == pytest.approx({"Kenya": 1 / 6, "Peru": 1 / 6})


def test_others_may_be_those_of_another_column():
    rows = [
        {"region": region, "tea": code} for region, code in [("north", 1), ("north", 3), ("south", 1), ("south", 1)]
    ]
    found = outcomes(asked(rows, within="region"), lambda row: said("A"))
    assert found.scores["lift"].tolist() == [1.0, -1.0, 0.0, 0.0]
    message = refusal(asked(rows, within="country").load, kind=UnknownGroup)
    assert "within='country', has no column 'country'; its samples have region, tea" in message


def test_a_respondent_alone_in_a_country_is_named():
    alone = [*PEOPLE, {**PEOPLE[0], "country": "Chad"}]
    assert "one respondent alone of country 'Chad' has an answer to tea" in refusal(people(alone).load)
    last = [*PEOPLE[:4], {**PEOPLE[4], "hue": None}, {**PEOPLE[5], "hue": None}]
    assert "one respondent alone of country 'Kenya' has an answer to hue" in refusal(people(last).load)


# -- samples


def test_respondents_are_asked_each_question_in_each_wording_and_language():
    samples = people(PEOPLE[:2]).load()
    ways = samples.frame.select("name", "question", "paraphrase", "language").rows()
    assert len(ways) == len(set(ways)) == len(samples) == 2 * 2 * 2 * 2
    assert ways[:4] == [
        ("ana", "tea", 0, "en"),
        ("ana", "tea", 1, "en"),
        ("ana", "tea", 0, "es"),
        ("ana", "tea", 1, "es"),
    ]
    assert samples.dropped == ()


def test_a_cluster_is_a_respondent_and_a_pair_the_same_wording_in_each_language():
    samples = people().load()
    assert samples.cluster.tolist() == [f"people:{'abcdef'.index(name[0])}" for name in samples.frame["name"]]
    tied = {}
    for key, row in zip(samples.pair, samples.rows, strict=True):
        tied.setdefault(key, []).append((row["name"], row["question"], row["paraphrase"], row["language"]))
    assert [[each[:3] for each in both] for both in tied.values()] == [[both[0][:3]] * 2 for both in tied.values()]
    assert {tuple(each[3] for each in both) for both in tied.values()} == {("en", "es")}


def test_another_cluster_may_be_named():
    samples = people(cluster="country").load()
    assert samples.cluster.tolist() == samples.frame["country"].to_list()


def test_languages_may_be_some_of_the_codebooks():
    assert people(languages=["es"]).load().frame["language"].unique().to_list() == ["es"]


def test_a_prompt_tells_the_persona_in_its_language_with_the_options_in_the_codebooks_order():
    task = people()
    [english, _, _, spanish] = [request for (request,) in task.requests(task.load())][:4]
    assert english == Choose(
        Prompt("A woman of 30, lower education.\nHow much tea?\nA. Much\nB. Some\nC. None\nD. Unsure\nAnswer:"),
        ("A", "B", "C", "D"),
    )
    assert spanish.prompt.content == (
        "mujer, 30 años, educación básica.\n¿Te gusta el té?\nA. Mucho\nB. Algo\nC. Nada\nD. No sé\nRespuesta:"
    )


def test_personas_are_columns_in_words_where_the_data_have_none_of_that_name():
    frame = people([{**row, "sex": "unsaid"} for row in PEOPLE]).load().frame
    assert frame["education"].unique(maintain_order=True).to_list() == ["lower", "higher"]
    assert frame["sex"].unique().to_list() == ["unsaid"]
    assert frame["age"].unique(maintain_order=True).to_list() == [30, 41, 52, 63, 74, 85]


@pytest.mark.parametrize("column", ["country", "education", "language"])
def test_groups_are_seen_to_be_asked_the_same(column):
    task = people(scoring="generate")
    found = outcomes(task, lambda row: said("A"))
    judged = judge(alignment(task).gap(column) < 0.5, lambda task, role: found)
    [(outcome, detail)] = [(each.outcome, each.detail) for each in judged.guards if each.name == "overlap"]
    assert outcome == "pass"
    assert detail.startswith("100.0% of the questions shared by ")


def test_groups_of_which_one_was_not_asked_a_question_are_seen_not_to_be():
    task = people(
        [{**row, "hue": row["hue"] if row["country"] == "Peru" else None} for row in PEOPLE], scoring="generate"
    )
    found = outcomes(task, lambda row: said("A"))
    judged = judge(alignment(task).gap("country") < 0.5, lambda task, role: found)
    [(outcome, detail)] = [(each.outcome, each.detail) for each in judged.guards if each.name == "overlap"]
    assert outcome == "fail"
    assert detail.startswith("50.0% of the questions shared by Kenya and Peru")


# -- what is lacking


def test_a_question_without_an_answer_is_left_out_as_often_as_it_would_have_been_asked():
    tea, hue = people().load().dropped
    assert (tea.reason, hue.reason) == (
        "tea has no answer among its options (None)",
        "hue has no answer among its options (-2)",
    )
    assert sorted(hue.frame.select("name", "question", "topic", "paraphrase", "language").rows()) == [
        ("cai", "hue", "looks", 0, "en"),
        ("cai", "hue", "looks", 0, "es"),
        ("cai", "hue", "looks", 1, "en"),
        ("cai", "hue", "looks", 1, "es"),
    ]


@pytest.mark.parametrize(
    ("column", "counts"),
    [
        ("country", {"Kenya": 4, "Peru": 4}),
        ("name", {"ana": 0, "ben": 0, "cai": 4, "dot": 0, "eve": 0, "fay": 4}),
        ("sex", {"man": 4, "woman": 4}),
        ("education", {"higher": 8, "lower": 0}),
        ("language", {"en": 4, "es": 4}),
        ("question", {"hue": 4, "tea": 4}),
        ("paraphrase", {0: 4, 1: 4}),
    ],
)
def test_what_is_left_out_is_counted_in_its_group(column, counts):
    assert left_out(people(scoring="generate"), column) == counts


def test_what_is_left_out_and_what_is_asked_are_all_that_could_have_been():
    samples = people(languages=["es"]).load()
    assert len(samples) == (6 * 2 - 2) * 2
    assert [each.frame.height for each in samples.dropped] == [2, 2]


def test_a_group_of_which_nobody_answered_is_one_without_evidence():
    task = people([*PEOPLE[:5], {**PEOPLE[5], "country": "Chad", "hue": None}], scoring="generate")
    found = outcomes(task, lambda row: said("A"))
    judged = judge(alignment(task).by("country") > 0, lambda task, role: found)
    assert judged.outcome == "invalid"
    assert f"no sample of Chad in {task!r} was answered" in judged.caveats
    assert {each.group["country"]: (each.value, each.left_out) for each in judged.groups}["Chad"] == (None, 8)


# -- keys


def opinion(row):
    """An answer that only what is asked decides."""
    shares = 1 + np.array([sum(map(ord, row["asked"])) % number for number in (7, 5, 3, 2)[: len(row["options"])]])
    return likely(*shares / shares.sum())


def by_key(task):
    found = outcomes(task, opinion)
    keys = found.samples.frame.select("name", "question", "paraphrase", "language").rows()
    return {key: {name: held[at] for name, held in found.scores.items()} for at, key in enumerate(keys)}


@pytest.fixture(scope="module")
def straight():
    return by_key(people(weight="weight"))


@given(st.permutations(PEOPLE))
@settings(max_examples=25)
def test_the_order_of_respondents_changes_no_score(straight, rows):
    shuffled = by_key(people(rows, weight="weight"))
    assert shuffled.keys() == straight.keys()
    for key, held in shuffled.items():
        assert held == pytest.approx(straight[key], nan_ok=True)


def test_the_order_of_columns_and_of_questions_changes_no_score(straight):
    rows = [dict(reversed(row.items())) for row in PEOPLE]
    turned = by_key(people(rows, {**BOOK, "questions": [HUE, TEA]}, weight="weight"))
    assert turned.keys() == straight.keys()
    for key, held in turned.items():
        assert held == pytest.approx(straight[key], nan_ok=True)


# -- codebooks


def test_a_codebook_is_its_content_wherever_it_lies(tmp_path):
    (tmp_path / "book.json").write_text(json.dumps(BOOK), encoding="utf-8")
    read = people(book=str(tmp_path / "book.json"))
    assert read == people()
    assert read.load().frame.equals(people().load().frame)
    assert people(book={**BOOK, "questions": [HUE]}) != people()


def test_a_codebook_that_cannot_be_read_is_named(tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{'persona': 1}")
    beside = Path(__file__).parent / "nowhere.json"
    assert f"the codebook {broken} cannot be read: Expecting property name" in refusal(people, PEOPLE, str(broken))
    assert f"the codebook {beside} cannot be read: [Errno 2]" in refusal(people, PEOPLE, "nowhere.json")
    assert f"the codebook {tmp_path} cannot be read: [Errno 21]" in refusal(people, PEOPLE, str(tmp_path))


@pytest.mark.parametrize("book", [None, [BOOK], {name: held for name, held in BOOK.items() if name != "languages"}])
def test_a_codebook_has_three_parts(book):
    assert refusal(people, PEOPLE, book).startswith(
        "a codebook is a mapping with 'persona', 'languages' and 'questions'"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"languages": {"en": "A {job}.\n{question}\n{options}"}},
            "the codebook's template in 'en': 'job' is lacking, or no field of the persona",
        ),
        (
            {"languages": {**BOOK["languages"], "es": "{sex}\n{options}"}},
            "the codebook's template in 'es': 'question' is lacking",
        ),
        (
            {"languages": {"en": "{sex}\n{question}"}},
            "the codebook's template in 'en': 'options' is lacking",
        ),
        (
            {"questions": [HUE, {**TEA, "kind": "scale"}]},
            "the codebook's question tea: kind is 'ordinal' or 'nominal', not 'scale'",
        ),
        (
            {"questions": [{**TEA, "options": {**TEA["options"], "es": ["Mucho", "Nada"]}}]},
            "the codebook's question tea has 4 codes and 2 wordings; in 'es' 2 options and 2 paraphrases",
        ),
        (
            {"questions": [{**HUE, "codes": [1, 2]}]},
            "the codebook's question hue has 2 codes and 2 wordings; in 'en' 3 options and 2 paraphrases",
        ),
        (
            {"questions": [{**HUE, "paraphrases": {**HUE["paraphrases"], "es": ["¿Qué color?"]}}]},
            "the codebook's question hue has 3 codes and 2 wordings; in 'es' 3 options and 1 paraphrases",
        ),
        (
            {"questions": [{**HUE, "paraphrases": {"en": [], "es": []}}]},
            "the codebook's question hue has 3 codes and 0 wordings; in 'en' 3 options and 0 paraphrases",
        ),
        (
            {"languages": {**BOOK["languages"], "fr": "{question}\n{options}"}},
            "the codebook's persona field 'sex' has labels, and none in 'fr'",
        ),
    ],
)
def test_a_codebook_that_contradicts_itself_is_told_where(change, message):
    assert message in refusal(people, PEOPLE, {**BOOK, **change})


def test_a_language_without_a_template_is_refused_with_those_that_there_are():
    assert refusal(lambda: people(languages=["en", "de"])) == (
        "Simulation('people', 6 samples): the codebook tells no persona in 'de'; it has en, es"
    )


def test_a_code_that_has_no_words_is_named_with_its_row_and_column():
    odd = [*PEOPLE[:5], {**PEOPLE[5], "Q260": 9}]
    assert "row 6 has 9 in 'Q260', and the codebook has words for 1, 2 in en" in refusal(people(odd).load)


def test_words_that_lack_in_one_language_are_named_with_it():
    sex = {"column": "Q260", "labels": {"en": {"1": "man", "2": "woman"}, "es": {"1": "hombre"}}}
    book = {**BOOK, "persona": {**BOOK["persona"], "sex": sex}}
    assert refusal(people(book=book).load) == (
        "Simulation('people', 6 samples): respondent 1 has 2 in 'Q260', and the codebook has words for 1 in es"
    )


def test_a_respondent_that_lacks_what_a_persona_needs_is_left_out_and_counted():
    unknown = [*PEOPLE, {**PEOPLE[1], "age": None}]
    samples = people(unknown).load()
    assert len(samples) == len(people(PEOPLE).load())
    untold = [lost for lost in samples.dropped if lost.reason == "age is empty, of which the persona has age"]
    assert sum(lost.frame.height for lost in untold) == 2 * 2 * 2


def test_a_column_that_a_persona_needs_is_named():
    without = [{name: held for name, held in row.items() if name != "Q260"} for row in PEOPLE]
    assert "has no column 'Q260'" in refusal(people(without).load, kind=UnknownGroup)


def test_answers_are_in_a_column_of_the_questions_name():
    without = [{name: held for name, held in row.items() if name != "hue"} for row in PEOPLE]
    message = refusal(people(without).load, kind=UnknownGroup)
    assert "Simulation('people', 6 samples) with its codebook has no column 'hue'" in message


def test_codes_that_are_none_of_any_question_are_no_answers():
    nobody = [{**row, "tea": 8, "hue": 9} for row in PEOPLE]
    message = refusal(people(nobody).load)
    assert "no respondent has an answer that the codebook knows, as (1, 2, 3, -1)" in message


@pytest.mark.parametrize("name", ["question", "topic", "language", "answer", "soft_by_option"])
def test_a_column_that_samples_are_given_is_not_in_the_data(name):
    assert f"adds the column {name!r}, and the data has one of that name" in refusal(
        people([{**row, name: 1} for row in PEOPLE]).load
    )


@pytest.mark.parametrize(
    "named",
    [
        {"draws": 3},
        {"draws": 3, "temperature": 0.7},
        {"scoring": "generate", "draws": 3},
        {"scoring": "generate", "temperature": 0.7},
        {"scoring": "generate", "draws": 0},
    ],
)
def test_a_majority_takes_written_answers_a_temperature_and_several_draws(named):
    held = {"scoring": "letter", "temperature": 0.0, "draws": 1, **named}
    assert refusal(lambda: people(**named)).endswith(
        "the majority of several draws takes scoring='generate', a temperature and draws above 1; there are "
        f"scoring={held['scoring']!r}, temperature={held['temperature']} and draws={held['draws']}"
    )


# -- how far lift varies


@pytest.mark.parametrize("column", ["country", "school"])
def test_the_limits_of_lift_allow_for_what_answers_are_compared_with(column):
    rng, found = np.random.default_rng(1), []
    for _ in range(120):
        rows = [
            {"country": country, "school": str(rng.choice(["x", "y"])), "tea": int(rng.choice([1, 2, 3]))}
            for country in ("Peru", "Kenya") for _ in range(40)
        ]  # fmt: skip
        task = asked(rows)
        right = outcomes(task, lambda row: said("ABC"[row["answer"]]))
        asking = (persona_lift(task).by(column) > 0.0).question
        found.append(grouped(asking, measured(asking.metric, lambda *_, right=right: right)).estimates())
    spread = np.std([each.theta for each in found], axis=0)
    told = np.mean([np.sqrt(np.diag(each.covariance)) for each in found], axis=0)
    assert told / spread == pytest.approx([1, 1], abs=0.2)
    apart = [each.theta[0] - each.theta[1] for each in found]
    variances = [each.covariance[0, 0] + each.covariance[1, 1] - 2 * each.covariance[0, 1] for each in found]
    assert np.sqrt(np.mean(variances)) / np.std(apart) == pytest.approx(1, abs=0.25)
