"""A scorer gives a number in [0, 1] and a status, or says what it gave instead."""

from __future__ import annotations

import re

import pytest

from fairprobe import BadData, Score, scorers
from fairprobe.scorers import contains, exact_match, name_of, needs_target, normalised, regex, score


@pytest.mark.parametrize(("text", "plain"), [
    ("The  Answer!", "answer"), ("an  Otter, a seal", "otter seal"), ("it's", "it s"), ("Theatre", "theatre"),
    ("e-mail\nme", "e mail me"), ("a the an", ""), ("ÉCOLE", "école"),
])  # fmt: skip
def test_a_text_is_normalised_as_squad_does(text, plain):
    assert normalised(text) == plain


def test_an_exact_match_is_of_normalised_texts():
    assert exact_match("The Otter.", "otter", {}) == 1.0
    assert exact_match("an otter swims", "otter", {}) == 0.0


def test_any_of_several_targets_will_do():
    assert exact_match("seal", ["otter", "The seal"], {}) == 1.0
    assert exact_match("owl", ["otter", "seal"], {}) == 0.0
    assert contains("it is a seal", ("otter", "seal"), {}) == 1.0
    assert exact_match("12", 12, {}) == 1.0
    assert exact_match("otter", [], {}) == 0.0


def test_what_a_response_contains_are_whole_words():
    assert contains("I think it is an otter, yes", "otter", {}) == 1.0
    assert contains("otters", "otter", {}) == 0.0
    assert contains("the sea otter", "Sea Otter!", {}) == 1.0


def test_a_veto_takes_the_point_away():
    row = {"distractors": ["seal", "sea lion"]}
    vetoing = contains(veto="distractors")
    assert vetoing("an otter", "otter", row) == 1.0
    assert vetoing("an otter or a seal", "otter", row) == 0.0
    assert vetoing("an otter or a sea lion", "otter", row) == 0.0
    assert vetoing("an otter, lion of the sea", "otter", row) == 1.0


def test_a_pattern_finds_the_answer():
    by_number, by_name = (
        regex(r"Answer: (\w+)", group=1),
        regex(r"answer: (?P<word>\w+)", group="word", flags=re.IGNORECASE),
    )
    assert by_number("Well. Answer: otter.", "otter", {}) == 1.0
    assert by_number("Well. Answer: seal.", "otter", {}) == 0.0
    assert by_name("ANSWER: Otter", "otter", {}) == 1.0
    assert regex(r"\d+")("it is 12 or 13", "12", {}) == 1.0


def test_a_response_without_the_pattern_is_unparsable():
    assert regex(r"Answer: (\w+)", group=1)("otter", "otter", {}) == Score(0.0, "unparsable")


def test_a_group_that_matched_nothing_is_no_answer():
    assert regex(r"Answer:(?: (\w+))?", group=1)("Answer:", "otter", {}) == 0.0


def test_a_pattern_that_cannot_be_compiled_is_refused_at_once():
    with pytest.raises(re.error):
        regex("(")


def test_scorers_with_equal_options_are_equal():
    assert contains(veto="a") == contains(veto="a") != contains(veto="b")
    assert regex("a", group=0) == regex("a") != regex("b")
    assert len({regex("a"), regex("a"), contains(veto="a")}) == 2


def test_a_score_has_the_name_of_its_scorer():
    def is_polite(response, target, row):
        return 1.0

    assert [name_of(scorer) for scorer in (exact_match, contains, contains(veto="x"), regex("a"), is_polite)] == [
        "exact_match", "contains", "contains", "regex", "is_polite",
    ]  # fmt: skip


def test_our_own_scorers_need_a_target():
    assert all(map(needs_target, [exact_match, contains, contains(veto="x"), regex("a")]))
    assert not needs_target(lambda response, target, row: 1.0)


def test_an_empty_response_is_put_to_no_scorer():
    def broken(response, target, row):
        raise AssertionError

    assert score(broken, " \n", "otter", {}) == Score(0.0, "empty")


def test_a_number_is_an_ok_score():
    assert score(lambda response, target, row: True, "x", None, {}) == Score(1.0, "ok")
    assert score(lambda response, target, row: row["given"], "x", None, {"given": 0.25}) == Score(0.25, "ok")
    assert score(lambda response, target, row: Score(0.0, "refused"), "x", None, {}) == Score(0.0, "refused")


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), 100])
def test_a_score_outside_of_0_and_1_is_refused(value):
    def points(response, target, row):
        return value

    with pytest.raises(ValueError) as refused:
        score(points, "an answer", None, {})
    assert str(refused.value) == f"scorer points gave {float(value)!r} for 'an answer'; a score lies in [0, 1]"


@pytest.mark.parametrize("status", ["wrong", "error", "missing"])
def test_a_status_that_is_no_answers_is_refused(status):
    def judge(response, target, row):
        return Score(0.0, status)

    with pytest.raises(ValueError) as refused:
        score(judge, "an answer", None, {})
    assert str(refused.value) == (
        f"scorer judge gave the status {status!r} to 'an answer'; "
        "it is one of ok, empty, unparsable, refused, truncated"
    )


def test_scorers_are_found_where_the_docs_say():
    assert scorers.exact_match is exact_match


@pytest.mark.parametrize("response", ["水獭。", "「水獭」", "水獭"])
def test_punctuation_of_every_script_is_left_out(response):
    assert exact_match(response, "水獭", {}) == 1.0


def test_a_devanagari_full_stop_is_punctuation():
    assert exact_match("ऊदबिलाव।", "ऊदबिलाव", {}) == 1.0


def test_a_word_of_a_script_without_spaces_stands_inside_a_sentence():
    assert contains("答案是水獭", "水獭", {}) == 1.0
    assert contains("otters", "otter", {}) == 0.0


@pytest.mark.parametrize(("response", "target", "equal"), [("...", "A", 0.0), ("the", "A", 0.0), ("a", "A", 1.0)])
def test_a_target_that_normalises_to_nothing_matches_itself_only(response, target, equal):
    assert exact_match(response, target, {}) == equal


def test_a_scorer_that_raises_is_named_with_the_response():
    def broken(response, target, row):
        raise KeyError("gold")

    with pytest.raises(BadData, match=r"scorer broken raised KeyError\('gold'\) for 'otter' with the target 'seal'"):
        score(broken, "otter", "seal", {})
