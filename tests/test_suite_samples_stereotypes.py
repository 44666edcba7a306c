"""The sample rows of the suite `stereotypes` have the columns and the balance of the public sets."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

SAMPLE = Path(__file__).parents[1] / "suites/stereotypes/sample"
BBQ = pl.read_ndjson(SAMPLE / "bbq.jsonl")
CROWS = pl.read_csv(SAMPLE / "crows_pairs.csv")
WINOGENDER = pl.read_ndjson(SAMPLE / "winogender.jsonl")

BBQ_ROWS = BBQ.to_dicts()
ANSWERS = ["ans0", "ans1", "ans2"]


def unknown(row: dict[str, Any]) -> int:
    """The place of the unknown option."""
    (place,) = (place for place, name in enumerate(ANSWERS) if row["answer_info"][name][1] == "unknown")
    return place


def target(row: dict[str, Any]) -> int:
    """The place of the one person of whom the stereotype tells."""
    groups = set(row["additional_metadata"]["stereotyped_groups"])
    (place,) = (place for place, name in enumerate(ANSWERS) if groups & set(row["answer_info"][name]))
    return place


def agrees(row: dict[str, Any]) -> bool:
    """Whether the right answer is what the stereotype says."""
    return bool((row["label"] == target(row)) == (row["question_polarity"] == "neg"))


def sets(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """The rows of each template about each two people."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        people = sorted(kind[0] for kind in row["answer_info"].values() if kind[1] != "unknown")
        found.setdefault((row["category"], row["question_index"], " and ".join(people)), []).append(row)
    return found


@pytest.mark.parametrize(("frame", "rows", "columns"), [
    (BBQ, 48, "example_id question_index question_polarity context_condition category answer_info additional_metadata "
              "context question ans0 ans1 ans2 label"),
    (CROWS, 24, "sent_more sent_less stereo_antistereo bias_type"),
    (WINOGENDER, 36, "sentid sentence pronoun occupation participant gender target label"),
])  # fmt: skip
def test_a_sample_has_the_public_columns(frame: pl.DataFrame, rows: int, columns: str) -> None:
    assert frame.columns == columns.split()
    assert frame.height == rows
    assert sum(frame.null_count().row(0)) == 0


def test_no_row_is_there_twice() -> None:
    assert BBQ.select("context", "question").is_unique().all()
    assert BBQ.select("category", "example_id").is_unique().all()
    assert pl.concat([CROWS["sent_more"], CROWS["sent_less"]]).is_unique().all()
    assert WINOGENDER["sentid"].is_unique().all()
    assert WINOGENDER["sentence"].is_unique().all()


def test_each_template_of_bbq_asks_four_questions_about_each_two_people() -> None:
    found = sets(BBQ_ROWS)
    assert Counter(key[:2] for key in found) == {(kind, n): 2 for kind in ("Nationality", "Age") for n in "123"}
    for rows in found.values():
        assert [(row["question_polarity"], row["context_condition"]) for row in rows] == [
            ("neg", "ambig"), ("neg", "disambig"), ("nonneg", "ambig"), ("nonneg", "disambig"),
        ]  # fmt: skip
        assert len({(unknown(row), target(row)) for row in rows}) == 1
        ambiguous, clear = {row["context"] for row in rows[::2]}, {row["context"] for row in rows[1::2]}
        assert len(ambiguous) == len(clear) == 1
        assert clear.pop().startswith(ambiguous.pop() + " ")


def test_an_answer_of_bbq_names_the_person_of_its_info() -> None:
    for row in BBQ_ROWS:
        texts = [row[name] for name in ANSWERS]
        kinds = [row["answer_info"][name] for name in ANSWERS]
        assert len(set(texts)) == 3
        for text, (name, kind) in zip(texts, kinds, strict=True):
            assert text == name if kind == "unknown" else text.startswith("The ") and name in text
            assert kind == "unknown" or text[4:] in row["context"]


def test_a_stereotyped_group_of_bbq_is_a_nationality_or_an_age() -> None:
    entries: Counter[tuple[str, bool, bool]] = Counter()
    for row in BBQ_ROWS:
        name, kind = row["answer_info"][ANSWERS[target(row)]]
        groups = row["additional_metadata"]["stereotyped_groups"]
        entries[row["category"], name in groups, kind in groups] += 1
    assert entries == {("Nationality", True, False): 24, ("Age", False, True): 24}


def test_only_an_ambiguous_row_of_bbq_has_the_unknown_option_as_its_right_answer() -> None:
    right = Counter((row["context_condition"], row["label"] == unknown(row)) for row in BBQ_ROWS)
    assert right == {("ambig", True): 24, ("disambig", False): 24}


@pytest.mark.parametrize("condition", ["ambig", "disambig"])
def test_the_places_of_bbq_are_balanced(condition: str) -> None:
    rows = [row for row in BBQ_ROWS if row["context_condition"] == condition]
    for places in ([row["label"] for row in rows], list(map(unknown, rows)), list(map(target, rows))):
        assert Counter(places) == {0: 8, 1: 8, 2: 8}


def test_half_of_the_right_answers_of_bbq_agree_with_the_stereotype() -> None:
    clear = [row for row in BBQ_ROWS if row["context_condition"] == "disambig"]
    told = Counter((row["category"], row["question_polarity"], agrees(row)) for row in clear)
    assert told == {(kind, pole, yes): 3 for kind in ("Nationality", "Age") for pole in ("neg", "nonneg")
                    for yes in (True, False)}  # fmt: skip
    assert {len({agrees(row) for row in rows if row in clear}) for rows in sets(BBQ_ROWS).values()} == {1}


def test_the_two_sentences_of_a_crows_pair_differ_in_the_words_for_the_group() -> None:
    for more, less in CROWS.select("sent_more", "sent_less").iter_rows():
        words, others = more.split(), less.split()
        assert len(words) == len(others)
        differ = sum(word != other for word, other in zip(words, others, strict=True))
        assert 1 <= differ <= 3
        assert differ < len(words) / 2


def test_each_type_of_crows_pairs_has_four_stereotypes_and_two_that_are_violated() -> None:
    told = Counter(CROWS.select("bias_type", "stereo_antistereo").iter_rows())
    kinds = ("gender", "age", "nationality", "socioeconomic")
    assert told == {(kind, way): n for kind in kinds for way, n in (("stereo", 4), ("antistereo", 2))}


def test_winogender_tells_each_sentence_with_three_pronouns() -> None:
    told = WINOGENDER.group_by("occupation", "participant", "label").agg("gender", "pronoun", "sentence")
    assert told.height == 12
    assert told.select("occupation", "participant").unique().height == 6
    for row in told.iter_rows(named=True):
        assert row["gender"] == ["male", "female", "neutral"]
        assert tuple(row["pronoun"]) in {("he", "she", "they"), ("his", "her", "their"), ("him", "her", "them")}
        pronouns = zip(row["sentence"], row["pronoun"], strict=True)
        (masked,) = {re.sub(rf"\b{pronoun}\b", "_", sentence) for sentence, pronoun in pronouns}
        assert masked.count("_") == 1
        assert all(f"the {word}" in masked.lower() for word in (row["occupation"], row["participant"]))


def test_a_label_of_winogender_is_0_for_the_occupation_and_1_for_the_participant() -> None:
    assert Counter(WINOGENDER.select("label", "gender").iter_rows()) == {
        (label, gender): 6 for label in (0, 1) for gender in ("male", "female", "neutral")
    }
    for row in WINOGENDER.iter_rows(named=True):
        assert row["target"] == (row["occupation"], row["participant"])[row["label"]]
        assert row["sentid"] == "{occupation}.{participant}.{label}.{gender}.txt".format(**row)


def test_no_row_of_bbq_is_copied_from_public_data(shared_data: Path) -> None:
    files = ["Nationality.jsonl", "Physical_appearance.jsonl"]
    public = pl.concat(pl.read_ndjson(shared_data / "bbq" / file).select("context", "question") for file in files)
    assert public.height == 4656
    assert not set(BBQ["context"]) & set(public["context"])
    assert not set(BBQ["question"]) & set(public["question"])
