"""A scorer gives a number in [0, 1] and a status, or says what it gave instead."""

# answers come in many scripts
# ruff: noqa: RUF001

from __future__ import annotations

import csv
import json
import pickle
import re
from decimal import Decimal

import pytest

from fairprobe import BadData, Score, scorers
from fairprobe.scorers import (
    NORMALISATIONS,
    REFUSALS,
    contains,
    exact_match,
    last_number,
    name_of,
    needs_target,
    normalisation_of,
    normalised,
    numeric,
    refused,
    regex,
    score,
    token_f1,
    until,
)

MODELS = {
    "Mistral-7B-v0.1_8bit": "mistral-7b-v0.1",
    "Mistral-SFT-7B_8bit": "mistral-7b-sft-beta",
    "zephyr-7b-beta_8bit": "zephyr-7b-beta",
}


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

    with pytest.raises(ValueError) as said:
        score(points, "an answer", None, {})
    assert str(said.value).startswith(f"scorer points gave {float(value)!r} for 'an answer'; a score lies in [0, 1]: ")


@pytest.mark.parametrize("status", ["wrong", "error", "missing"])
def test_a_status_that_is_no_answers_is_refused(status):
    def judge(response, target, row):
        return Score(0.0, status)

    with pytest.raises(ValueError) as said:
        score(judge, "an answer", None, {})
    assert str(said.value) == (
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


def test_tokens_in_common_count_as_often_as_they_stand_in_both():
    assert token_f1("otter otter seal", "otter seal seal", {}) == pytest.approx(2 / 3)
    assert token_f1("an otter", "owl", {}) == 0.0
    assert token_f1("otter", "The Otter!", {}) == 1.0


def test_token_f1_is_of_the_nearest_target():
    assert token_f1("sea otter", ["owl", "sea", "the sea otter"], {}) == 1.0
    assert token_f1("sea otter", [], {}) == 0.0


def test_token_f1_of_a_target_that_normalises_to_nothing_is_1_for_itself_only():
    assert token_f1("...", "A", {}) == 0.0
    assert token_f1("a", "A", {}) == 1.0


@pytest.mark.parametrize("scorer", [
    token_f1, token_f1(normalisation="squad"), token_f1(language="language"),
    until("\n\n", token_f1), refused(until("\n", token_f1(language="language"))),
])  # fmt: skip
def test_the_scores_of_token_f1_are_named_f1(scorer):
    assert name_of(scorer) == "f1"
    assert needs_target(scorer)


@pytest.mark.parametrize(("normalisation", "plain"), [
    ("squad", "email to otter «水獭»"), ("unicode", "e mail to otter 水獭"),
    ("characters", "the e mail to an otter 水 獭"),
])  # fmt: skip
def test_each_normalisation_has_a_name(normalisation, plain):
    assert NORMALISATIONS[normalisation]("The  E-mail to an otter: «水獭»") == plain


def test_squads_own_normalisation_leaves_out_articles_beside_other_scripts_marks():
    assert NORMALISATIONS["squad"]("“the otter”") == "“ otter”"
    assert NORMALISATIONS["squad"]("Theatre\nof\ta U.S. an") == "theatre of us"


def test_the_normalisation_can_be_chosen():
    assert exact_match("email", "e-mail", {}) == 0.0
    assert exact_match(normalisation="squad")("email", "e-mail", {}) == 1.0
    assert token_f1("大海獭", "小海獭", {}) == 0.0
    assert token_f1(normalisation="characters")("大海獭", "小海獭", {}) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("language", "text", "plain"), [
    ("en", "The otter", "otter"), ("English", "An otter", "otter"), ("en_in", "a otter", "otter"),
    ("eng_Latn", "The otter", "otter"), ("de-AT", "Der Otter", "otter"), ("German", "das Wasser", "wasser"),
    ("es", "Las nutrias", "nutrias"), ("fr", "L’eau", "eau"), ("it", "l'acqua", "acqua"),
    ("pt_BR", "Os rios", "rios"), ("Brazilian Portuguese", "A lontra", "lontra"), ("vi", "những con", "con"),
    ("arabic", "النهر الكبير", "نهر كبير"), ("Egyptian Arabic", "النهر", "نهر"), ("hi", "ऊदबिलाव।", "ऊदबिलाव"),
    ("finnish", "The saukko", "the saukko"), ("ms-MY", "air sungai", "air sungai"),
    ("zho_Hans", "海獭。", "海 獭"), ("Chinese (Simplified)", "海獭", "海 獭"), ("zh-CN", "a 海獭", "a 海 獭"),
    ("Japanese", "カワウソ", "カ ワ ウ ソ"), ("th", "นาก", "น า ก"), ("khm_Khmr", "ភេ", "ភ េ"),
    ("ko", "수달 한 마리", "수달 한 마리"), ("", "The otter", "the otter"),
])  # fmt: skip
def test_a_language_has_its_own_normalisation(language, text, plain):
    assert normalisation_of(language)(text) == plain


def test_the_language_may_stand_in_a_column():
    f1, equal = token_f1(language="language"), exact_match(language="language")
    assert f1("海豹", "海獭", {"language": "zho_Hant"}) == 0.5
    assert f1("海豹", "海獭", {"language": "ko"}) == 0.0
    assert equal("النهر", "نهر", {"language": "ar"}) == 1.0
    assert equal("der Fluss", "Fluss", {"language": "nl"}) == 0.0


def test_a_normalisation_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(BadData) as said:
        token_f1(normalisation="arabic")
    assert str(said.value) == (
        "f1 has normalisation='arabic'; it is one of unicode, squad, characters. "
        "Where each language has its own, name its column with language="
    )


def test_a_normalisation_and_a_column_for_it_are_refused():
    with pytest.raises(BadData, match="exact_match has normalisation='squad' and language='language', a column that"):
        exact_match(normalisation="squad", language="language")


def test_a_column_of_languages_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(BadData) as said:
        score(token_f1(language="arabic"), "otter", "otter", {"id": 1, "lang": "ar"})
    assert str(said.value) == "f1 reads column 'arabic', but the samples have id, lang; name one of these"


@pytest.mark.parametrize("held", [None, " ", 3])
def test_a_row_without_a_language_is_refused(held):
    with pytest.raises(BadData, match=rf"in column 'lang', which holds {held!r}; it should hold a code or a name"):
        score(exact_match(language="lang"), "otter", "otter", {"lang": held})


def test_what_stands_after_the_marker_is_not_scored():
    first = until("\n\n", exact_match)
    assert first("otter\n\nQuestion: what else", "otter", {}) == 1.0
    assert first("otter\nor seal\n\n", "otter", {}) == 0.0
    assert first("otter", "otter", {}) == 1.0


@pytest.mark.parametrize("response", ["\n\notter", " \n\n otter"])
def test_an_answer_that_is_empty_before_the_marker_is_empty(response):
    assert score(until("\n\n", exact_match), response, "otter", {}) == Score(0.0, "empty")


def test_a_marker_of_nothing_is_refused():
    with pytest.raises(BadData, match="until has the marker '', which stands everywhere"):
        until("", exact_match)


def test_a_wrapped_scorer_keeps_its_name_its_status_and_its_need_of_a_target():
    def is_polite(response, target, row):
        return Score(0.5, "truncated")

    for wrapped in (until("\n", is_polite), refused(is_polite)):
        assert name_of(wrapped) == "is_polite"
        assert not needs_target(wrapped)
        assert wrapped("otter", None, {}) == Score(0.5, "truncated")
    assert needs_target(refused(until("\n", numeric)))


def test_scorers_survive_being_sent_to_a_worker():
    for scorer in (token_f1, exact_match(language="l"), numeric(tolerance=0.5), refused(until("\n", contains))):
        assert pickle.loads(pickle.dumps(scorer)) == scorer


def test_without_words_a_part_of_a_word_will_do():
    part = contains(words=False)
    assert part("Three OTTERS", "otter", {}) == 1.0
    assert part("e mail", "e-mail", {}) == 0.0
    assert part("otter", "", {}) == 0.0


def test_without_words_a_part_of_a_word_takes_the_point_away():
    part = contains(veto="distractors", words=False)
    assert part("an otter", "otter", {"distractors": ["ant", "seal"]}) == 1.0
    assert part("an otter, unsealed", "otter", {"distractors": ["ant", "Seal"]}) == 0.0
    assert part("an otter", "otter", {"distractors": [""]}) == 1.0


@pytest.mark.parametrize(("held", "point"), [
    ("['owl', 'seal']", 0.0), ("['owl']", 1.0), ("[]", 1.0), ("seal", 0.0), ("owl", 1.0), (None, 1.0), (("seal",), 0.0),
])  # fmt: skip
def test_a_veto_may_be_the_text_of_a_list(held, point):
    assert contains(veto="distractors")("an otter or a seal", "otter", {"distractors": held}) == point


def test_a_veto_that_is_no_list_is_refused_with_its_column():
    with pytest.raises(BadData, match=r"column 'distractors' holds \"\['owl', \""):
        score(contains(veto="distractors"), "otter", "otter", {"distractors": "['owl', "})


def test_a_column_of_vetoes_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(BadData, match="contains reads column 'veto', but the samples have word, others; name one"):
        score(contains(veto="veto"), "otter", "otter", {"word": "otter", "others": []})


@pytest.mark.parametrize("response", [
    "I'm sorry, but I can't help with that.", "I’m so sorry, no.", "I am unable to answer.", " i can’t assist you",
    "Unfortunately, I cannot provide this.", "Sorry, but I won't say", "As an AI, I have no country.",
    "As a large language model, I", "As an AI language model I have", "My apologies, this is not something I do",
    "I must respectfully decline.", "I apologise for this", "I'm afraid I",
])  # fmt: skip
def test_a_response_that_begins_with_a_refusal_is_refused(response):
    assert refused(contains)(response, "otter", {}) == Score(0.0, "refused")


@pytest.mark.parametrize("response", [
    "otter", "The word is otter. I'm sorry for the delay.", "As an airline, otter",
    "As an AI researcher would say, otter", "I can see an otter", "I cannot believe it: an otter",
    "Sorry is not the word, otter is", "Ida, I'm sorry. otter",
])  # fmt: skip
def test_an_answer_is_no_refusal(response):
    assert refused(contains)(response, "otter", {}) == 1.0


def test_refusals_are_ours_or_yours():
    assert refused(contains, patterns=(*REFUSALS, "no comment"))("No comment, otter", "otter", {}) == Score(
        0.0, "refused"
    )
    assert refused(contains, patterns="no comment")("I'm sorry, otter", "otter", {}) == 1.0
    with pytest.raises(re.error):
        refused(contains, patterns=("(",))


@pytest.mark.parametrize(("response", "number"), [
    ("42", "42"), ("It is 41, no, 42.", "42"), ("1,234.50 euros", "1234.5"), ("12,34,567 rupees", "1234567"),
    ("-3", "-3"), ("−3", "-3"), ("+3", "3"), ("pages 10-12", "12"), ("x=-.5", "-0.5"), ("答案是-5。", "-5"),
    ("45%", "45"), ("5\u00a0%", "5"), ("1\u202f234", "1234"), ("2.5e-3", "0.0025"), ("١٬٢٣٤٫٥", "1234.5"), ("४२", "42"),
    ("CO2", "2"), ("1, 2, 3", "3"), ("007", "7"), ("Answer 5:", "5"), ("2020\n3", "3"),
])  # fmt: skip
def test_the_last_number_is_read(response, number):
    assert last_number(response) == Decimal(number)
    assert numeric(response, number, {}) == 1.0


@pytest.mark.parametrize("response", [
    "none", "forty-two", "3,5", "1,2,3", "1.234.567", "1,2345", "12/5/2020", "1/2", "10^8", "12:30", "1e9999", "٣,٥",
])  # fmt: skip
def test_what_is_no_number_or_two_is_unparsable(response):
    assert last_number(response) is None
    assert numeric(response, "3", {}) == Score(0.0, "unparsable")


def test_a_number_may_be_off_by_the_tolerance():
    near = numeric(tolerance=0.1)
    assert near("3.1", "3.0", {}) == 1.0
    assert near("3.11", 3, {}) == 0.0
    assert numeric("3.1", "3.0", {}) == 0.0
    assert numeric("4", ["3", "4"], {}) == 1.0
    assert numeric("123456789012345678901234567891", "123456789012345678901234567890", {}) == 0.0


@pytest.mark.parametrize("tolerance", [-0.1, float("nan")])
def test_a_tolerance_below_0_is_refused(tolerance):
    with pytest.raises(BadData, match="it is how far off a number may be, 0 or more"):
        numeric(tolerance=tolerance)


def test_a_target_without_a_number_is_refused():
    with pytest.raises(BadData) as said:
        score(numeric, "42", "forty-two", {})
    assert str(said.value) == (
        "numeric compares numbers, but a target is 'forty-two'; write it in digits, such as '1234.5'"
    )


def test_word_guesses_are_scored_as_they_were_for_the_paper(shared_data):
    scorer = contains(veto="distractors", words=False)
    for model in MODELS.values():
        with (shared_data / f"unintended-impacts/md3-game/{model}.csv").open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        points = [score(scorer, row["generated_answer"], row["correct_answer"], row).value for row in rows]
        assert len(rows) == 894
        assert points == [float(row["generated_correct_answer"] == "True") for row in rows]


@pytest.mark.parametrize("model", MODELS)
def test_answers_in_nine_languages_are_scored_as_they_were_for_the_paper(shared_data, model):
    reference = json.loads((shared_data.parent / "reference/mistral_chain.json").read_text())
    folder = shared_data / "unintended-impacts/tydiqa-goldp"
    exact, f1 = exact_match(normalisation="squad"), token_f1(normalisation="squad")
    languages = reference["tydiqa_goldp"]["models"][model]
    assert len(languages) == 9
    for language, expected in languages.items():
        said = json.loads((folder / MODELS[model] / f"{language}.json").read_text())
        gold = answers(folder / f"gold/tydiqa-goldp-dev-{language}.json")

        def scored(scorer, said=said, gold=gold):
            return [score(scorer, said[key], texts, {}) for key, texts in gold.items()]

        cut = scored(until("\n\n", exact))
        for name, scores in {"em": cut, "f1": scored(until("\n\n", f1)), "f1_without_cut": scored(f1)}.items():
            mean = 100 * sum(each.value for each in scores) / len(scores)
            assert mean == pytest.approx(expected[name], abs=1e-6), (language, name)
        assert sum(each.status == "empty" for each in cut) == expected["n_empty_after_cut"]
        assert sum("\n\n" not in text for text in said.values()) == expected["n_without_blank_line"]


def answers(path):
    """The texts of every question of a file in SQuAD's form."""
    return {
        question["id"]: [answer["text"] for answer in question["answers"]]
        for article in json.loads(path.read_text())["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    }
