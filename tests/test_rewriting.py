"""What the rewriter proposes: held against sentences annotated by hand, and against what it must never touch."""

from __future__ import annotations

import csv
import subprocess
import sys
from itertools import pairwise

import pytest

from fairprobe.errors import BadData
from fairprobe.rewriting import (
    FEATURES,
    VARIETIES,
    applied,
    contractions,
    dialects,
    feature,
    keyboard,
    names,
    persona,
    pronouns,
    renderings,
    rewritten,
    spelling,
    typography,
)
from held_out import annotated, edits_of, held_against

NAMED = (34, 88, 154, 155, 165, 170, 174, 180)
TEXT = (
    "The old man who lives near the river doesn't walk his dogs every morning. She isn't happy because nobody has "
    "called, and those two men were really late. Where do you live? I saw him yesterday when we were at the market."
)


@pytest.fixture(scope="module")
def found():
    """Right, wrong, found and required edits of each feature."""
    counted = {
        number: [held_against(each, edits_of(number, each.sentence))[:4] for each in sentences]
        for number, sentences in annotated().items()
    }
    return {number: tuple(map(sum, zip(*counts, strict=True))) for number, counts in counted.items()}


def test_there_are_enough_features_and_each_says_what_it_does():
    assert len(FEATURES) >= 35
    assert set(NAMED) <= FEATURES.keys()
    assert all(each.gloss and number == each.ewave for number, each in FEATURES.items())


def test_every_feature_shows_five_sentences_that_it_changes_and_five_that_it_keeps():
    for each in FEATURES.values():
        shown = " ".join(
            line.strip(" .>") for line in (each.rule.__doc__ or "").splitlines() if line.strip()[:3] in {">>>", "..."}
        )
        changed, _, kept = shown.partition("kept(")
        assert changed.count('."') + changed.count('?"') + changed.count('!"') >= 5, each
        assert kept.count('."') + kept.count('?"') + kept.count('!"') >= 5, each


def test_twenty_sentences_of_every_feature_are_annotated():
    assert annotated().keys() == FEATURES.keys()
    assert all(len(sentences) in {20, 40} for sentences in annotated().values())


def test_edits_are_right_and_few_are_missed(found):
    right, wrong, hit, required = map(sum, zip(*found.values(), strict=True))
    assert right / (right + wrong) >= 0.95
    assert hit / required >= 0.80


def test_no_feature_is_wrong_more_often_than_right(found):
    poor = {
        number: counts for number, counts in found.items() if counts[0] < 4 * counts[1] or 2 * counts[2] < counts[3]
    }
    assert poor == {}


def test_ratings_are_those_of_the_atlas(shared_data):
    with (shared_data / "ewave" / "values.csv").open(encoding="utf-8") as file:
        rated = {(int(row["Language_ID"]), int(row["Parameter_ID"])): row["Value"] for row in csv.DictReader(file)}
    with (shared_data / "ewave" / "languages.csv").open(encoding="utf-8") as file:
        titles = {int(row["ID"]): row["Name"] for row in csv.DictReader(file)}
    assert len(VARIETIES) >= 6
    for each in VARIETIES.values():
        attested = {number: rated.get((each.ewave, number)) for number in FEATURES}
        assert each.ratings == {number: value for number, value in attested.items() if value in {"A", "B", "C"}}
        assert each.title == titles[each.ewave]


def test_names_are_those_of_the_atlas(shared_data):
    with (shared_data / "ewave" / "parameters.csv").open(encoding="utf-8") as file:
        given = {int(row["ID"]): row["Name"] for row in csv.DictReader(file)}

    def plain(text):
        return " ".join(text.replace("ʼ", "'").replace("’", "'").split())

    assert {number: each.name for number, each in FEATURES.items()} == {
        number: plain(given[number]) for number in FEATURES
    }


@pytest.mark.parametrize(
    "text",
    [
        'He wrote "she isn\'t home" twice.',
        "Keep `she isn't home` as it is.",
        "Fill in {she isn't} here.",
        "See <isn't>.",
    ],
)
def test_quotations_code_and_placeholders_stay_as_they_are(text):
    assert feature(155).changes(text) == []


def test_what_is_put_before_a_quotation_changes_nothing_in_it():
    assert rewritten('"Who?" he said.', persona("I am old.").taken('"Who?" he said.', 0)) == 'I am old. "Who?" he said.'


def test_curly_apostrophes_stay_curly():
    assert rewritten("She isn’t home.", feature(155).taken("She isn’t home.", 0)) == "She ain’t home."


def test_texts_to_keep_are_whole_words():
    [aave] = dialects("urban-aave")
    assert "ain't" in rewritten("It isn't art.", aave.taken("It isn't art.", 0, keep=["is", "ar"]))


def test_texts_to_keep_stay_as_they_are():
    [aave] = dialects("urban-aave")
    text = "Those men aren't here, or the cat isn't."
    assert "those men" in rewritten(text, aave.taken(text, 0, keep=["Those men"])).lower()
    assert "ain't" in rewritten(text, aave.taken(text, 0, keep=["Those men"]))


def test_what_a_seed_takes_depends_on_the_seed_the_sample_and_the_place_alone():
    [aave] = dialects("urban-aave")
    once = aave.taken(TEXT, "a")
    assert once == aave.taken(TEXT, "a")
    assert any(aave.taken(TEXT, sample) != once for sample in range(20))
    assert any(aave.taken(TEXT, "a", seed) != once for seed in range(20))


def test_another_process_takes_the_same():
    code = (
        "from fairprobe.rewriting import dialects, rewritten\n"
        f"print([rewritten({TEXT!r}, each.taken({TEXT!r}, 3, 7)) for each in dialects('urban-aave', 'indian')])"
    )
    said = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(said) == 1
    own = [rewritten(TEXT, each.taken(TEXT, 3, 7)) for each in dialects("urban-aave", "indian")]
    assert said.pop().strip() == repr(own)


def test_a_pervasive_feature_is_always_taken_and_a_rare_one_seldom():
    [appalachian] = dialects("appalachian")
    text = "It isn't late."
    assert all(appalachian.taken(text, sample) for sample in range(50))
    rare = "She cleaned the furniture."
    taken = sum(bool(appalachian.taken(rare, sample)) for sample in range(400))
    assert 15 <= taken <= 75


def test_changes_never_overlap():
    for each in dialects(*VARIETIES):
        for sample in range(30):
            edits = sorted(change.edit for change in each.taken(TEXT, sample))
            assert all(one.end <= other.start for one, other in pairwise(edits))


def test_an_unknown_variety_is_refused_with_those_that_there_are():
    with pytest.raises(BadData, match=r"name one or more of appalachian, chicano, indian"):
        dialects("martian")
    with pytest.raises(BadData, match="features known are 7, 11"):
        feature(1)


@pytest.mark.parametrize(
    ("rewriting", "before", "after"),
    [
        (spelling("GB"), "The color of the theater", "The colour of the theatre"),
        (spelling("US"), "The colour of the theatre", "The color of the theater"),
        (contractions(), "They are here and it is not late.", "They're here and it isn't late."),
        (contractions(full=True), "They're here, it isn't late. I can't.", "They are here, it is not late. I cannot."),
        (names({"a": ["Ann", "Bo"], "b": ["Chi", "Dara"]}, to="b"), "Ann met Bo. Ann left.", "Chi met Dara. Chi left."),
        (pronouns("he"), "She lost her keys and blames herself.", "He lost his keys and blames himself."),
        (pronouns("she"), "His dog saw him. It is his.", "Her dog saw her. It is hers."),
        (persona("I am from Lagos."), "Who swims?", "I am from Lagos. Who swims?"),
        (typography(), "It's late...", "It’s late…"),
        (contractions(full=True), "He ain't late, I shan't, I won't.", "He ain't late, I shall not, I will not."),
        (names({"a": ["Ann"], "b": ["Bo"], "c": ["Chi", "Dara"]}, to="c"), "Ann met Bo.", "Chi met Dara."),
        (names({"a": ["Ann"], "b": ["Bo"], "c": ["Chi"]}, to="c"), "Ann met Bo. Ann left.", "Chi met Bo. Chi left."),
        (names({"a": ["Ann"], "c": ["Chi", "Dara"]}, to="c"), "Ann met Chi.", "Dara met Chi."),
    ],
)  # fmt: skip
def test_rewritings_that_keep_the_dialect(rewriting, before, after):
    assert rewritten(before, rewriting.taken(before, 0)) == after


def test_a_keyboard_slips_in_some_words_only():
    text = "Which animal barks loudly under the window?"
    slips = [rewritten(text, keyboard(0.2).taken(text, sample)) for sample in range(200)]
    assert 0.3 < sum(slip != text for slip in slips) / 200 < 1
    assert all(applied(text, []) == text for _ in slips)


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_a_share_of_slips_that_is_none_is_refused(share):
    with pytest.raises(BadData, match="the share of words in which to slip lies above 0"):
        keyboard(share)


def test_two_tables_of_renderings_are_two_rewritings():
    def made(text):
        rows = [{"sample": 1, "dialect": "us", "text": "It is."}, {"sample": 1, "dialect": "aave", "text": text}]
        return renderings(rows, of="us")

    assert made("It be.") == made("It be.") != made("It's.")


def test_a_rendering_made_elsewhere_changes_numbers_and_quotations_too():
    rows = [{"sample": 1, "dialect": "us", "text": 'He said "no" 2 times.'},
            {"sample": 1, "dialect": "in", "text": 'He told "no no" two times.'}]  # fmt: skip
    [indian] = renderings(rows, of="us")
    assert rewritten(rows[0]["text"], indian.taken(rows[0]["text"], 0)) == rows[1]["text"]


def test_renderings_made_elsewhere_are_word_by_word_changes():
    rows = [
        {"id": 7, "variety": "us", "said": "She isn't here, and those men know it."},
        {"id": 7, "variety": "aave", "said": "She ain't here, and them men know it already."},
    ]
    [aave] = renderings(rows, of="us", sample="id", dialect="variety", text="said")
    changes = aave.taken(rows[0]["said"], 0)
    assert rewritten(rows[0]["said"], changes) == rows[1]["said"]
    assert [each.edit.new for each in changes][:2] == ["ain't", "them"]
    assert aave.taken("Another text.", 0) == []
    with pytest.raises(BadData, match="a row has no 'text'"):
        renderings([{"sample": 1, "dialect": "us"}], of="us")
    with pytest.raises(BadData, match="the table has the dialects aave"):
        renderings([{"sample": 1, "dialect": "aave", "text": "x"}], of="us")
