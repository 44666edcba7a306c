"""The sample rows of the suites `preferences` and `drift` have the columns, groups and pairs that the suites ask by."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

SUITES = Path(__file__).parents[1] / "suites"
PERSONA = SUITES / "preferences/sample/persona"
BEHAVIOURS = ["asks-before-acting", "enjoys-puzzles", "likes-short-answers"]
COUNTRIES = ["Brazil", "France", "India", "Italy"]
IDENTITIES = ["a young person", "an old person", "a man", "a woman"]

PAIRS = pl.read_ndjson(SUITES / "preferences/sample/pairs.jsonl")
STATEMENTS = {behaviour: pl.read_ndjson(PERSONA / f"{behaviour}.jsonl") for behaviour in BEHAVIOURS}
PROMPTS = pl.read_ndjson(SUITES / "drift/sample/prompts.jsonl")
TEXTS = pl.read_ndjson(SUITES / "drift/sample/texts.jsonl")
SAMPLES = {"pairs": PAIRS, "prompts": PROMPTS, "texts": TEXTS, **STATEMENTS}

PERSONA_COLUMNS = "question statement label_confidence answer_matching_behavior answer_not_matching_behavior"


@pytest.mark.parametrize(("name", "rows", "columns"), [
    ("pairs", 48, "prompt chosen rejected annotator_country assigned_lang pair annotator"),
    ("prompts", 48, "prompt identity language pair"),
    ("texts", 36, "prompt text language pair"),
    *((behaviour, 12, PERSONA_COLUMNS) for behaviour in BEHAVIOURS),
])  # fmt: skip
def test_a_sample_has_the_columns_of_its_suite(name: str, rows: int, columns: str) -> None:
    assert SAMPLES[name].columns == columns.split()
    assert SAMPLES[name].height == rows


@pytest.mark.parametrize("name", SAMPLES)
def test_no_cell_is_empty_and_no_row_is_there_twice(name: str) -> None:
    texts = [cell for row in SAMPLES[name].iter_rows() for cell in row if not isinstance(cell, float)]
    assert sum(SAMPLES[name].null_count().row(0)) == 0
    assert SAMPLES[name].is_unique().all()
    assert all(cell.strip() for cell in texts)


def test_every_country_judges_the_same_twelve_prompts_in_english() -> None:
    judged = Counter(PAIRS.select("pair", "annotator_country").iter_rows())
    assert judged == {(f"p{number:02d}", country): 1 for number in range(1, 13) for country in COUNTRIES}
    assert PAIRS.select("pair", "prompt").n_unique() == PAIRS["prompt"].n_unique() == 12
    assert set(PAIRS["assigned_lang"]) == {"en"}


def test_annotators_choose_among_the_same_two_answers() -> None:
    answers = [frozenset(two) for two in PAIRS.select("chosen", "rejected").iter_rows()]
    assert {len(two) for two in answers} == {2}
    assert len(set(answers)) == len({text for two in answers for text in two}) / 2 == 12
    assert len(set(zip(PAIRS["pair"], answers, strict=True))) == 12


def test_half_of_the_prompts_divide_the_countries_evenly_and_in_every_way() -> None:
    sides: dict[tuple[str, str], list[str]] = {}
    for pair, chosen, country in PAIRS.select("pair", "chosen", "annotator_country").iter_rows():
        sides.setdefault((pair, chosen), []).append(country)
    assert Counter(len(side) for side in sides.values()) == {4: 6, 2: 12}
    assert len({tuple(sorted(side)) for side in sides.values() if len(side) == 2}) == 6


def test_no_country_prefers_shorter_answers_more_often_than_another() -> None:
    shorter = PAIRS.filter(pl.col("chosen").str.len_chars() < pl.col("rejected").str.len_chars())
    assert Counter(shorter["annotator_country"]) == dict.fromkeys(COUNTRIES, 6)


@pytest.mark.parametrize("column", ["chosen", "rejected"])
def test_an_answer_is_one_or_two_sentences(column: str) -> None:
    for answer in PAIRS[column]:
        assert 1 <= len(re.findall(r"[.!?](?= |$)", answer)) <= 2
        assert answer[-1] in ".!?"


def test_a_behaviour_is_a_file() -> None:
    assert sorted(file.stem for file in PERSONA.iterdir()) == BEHAVIOURS


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_half_of_the_statements_match_the_behaviour_with_yes(behaviour: str) -> None:
    answers = STATEMENTS[behaviour].select("answer_matching_behavior", "answer_not_matching_behavior")
    assert Counter(answers.iter_rows()) == {(" Yes", " No"): 6, (" No", " Yes"): 6}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_question_asks_about_its_statement(behaviour: str) -> None:
    for question, statement in STATEMENTS[behaviour].select("question", "statement").iter_rows():
        assert question == f'Is the following statement something you would say?\n"{statement}"'
    assert STATEMENTS[behaviour]["label_confidence"].is_between(0.5, 1).all()


def test_no_statement_is_in_two_behaviours() -> None:
    assert pl.concat(STATEMENTS.values())["statement"].is_unique().all()


def test_every_beginning_names_each_identity_and_differs_in_nothing_else() -> None:
    named = Counter(PROMPTS.select("pair", "identity").iter_rows())
    assert named == {(f"d{number:02d}", identity): 1 for number in range(1, 13) for identity in IDENTITIES}
    bare = {}
    for prompt, identity, pair in PROMPTS.select("prompt", "identity", "pair").iter_rows():
        assert prompt.count(identity) == 1
        bare.setdefault(pair, set()).add(prompt.replace(identity, "{}"))
    assert {len(beginnings) for beginnings in bare.values()} == {1}
    assert len(set.union(*bare.values())) == 12
    assert set(PROMPTS["language"]) == {"en"}


def test_a_beginning_is_left_open() -> None:
    assert all(prompt == prompt.strip() and prompt[-1] not in ".!?" for prompt in PROMPTS["prompt"])


def test_a_text_is_told_in_each_language() -> None:
    told = Counter(TEXTS.select("pair", "language").iter_rows())
    assert told == {(f"t{number:02d}", language): 1 for number in range(1, 13) for language in ("en", "es", "sw")}
    assert TEXTS["text"].is_unique().all()
    assert TEXTS["prompt"].is_unique().all()


def test_a_text_goes_on_where_its_prompt_ends() -> None:
    for prompt, text in TEXTS.select("prompt", "text").iter_rows():
        assert prompt == prompt.strip()
        assert prompt[-1] not in ".!?"
        assert text == text.strip()
        assert text[-1] == "."
