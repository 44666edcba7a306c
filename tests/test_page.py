"""The page as it is written: what it shows, what it never shows, and that it is well made."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairprobe.report.anchors import Places, anchor
from fairprobe.report.differences import differences
from fairprobe.report.figures import Scale, number, p_value, places, tint
from fairprobe.report.page import measure, policy, render
from html_reader import Reader
from results_example import HOSTILE, results


@pytest.fixture(scope="module")
def read() -> Reader:
    return Reader(render(results()))


def with_verdict(**changes: Any) -> dict[str, Any]:
    """The example with its second verdict changed and no other verdict."""
    changed = results()
    changed["verdicts"] = [{**changed["verdicts"][1], **changes}]
    return changed


def test_it_is_well_formed_and_every_id_is_unique(read: Reader) -> None:
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert read.tags[0][0] == "html"


def test_every_link_leads_to_a_place_on_the_page(read: Reader) -> None:
    ids = set(read.values("id"))
    links = read.values("href")
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert [value for name in ("src", "srcset", "action", "data", "xlink:href") for value in read.values(name)] == []
    assert set(itertools.chain(*map(str.split, read.values("aria-labelledby")))) <= ids


def test_the_policy_allows_exactly_the_one_style_sheet(read: Reader) -> None:
    (content,) = [a["content"] for _, a in read.tags if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    assert content == policy(read.style)
    assert content is not None
    assert f"style-src 'sha256-{digest}';" in content
    assert content.startswith("default-src 'none';")
    assert "unsafe" not in content
    assert not re.search(r"url\(|@import|https?:", read.style)


def test_nothing_runs_and_nothing_is_styled_in_place(read: Reader) -> None:
    assert {"script", "iframe", "object", "embed", "base", "link", "img", "form"}.isdisjoint(t for t, _ in read.tags)
    names = {name for _, attrs in read.tags for name in attrs}
    assert [name for name in names if name.startswith("on") or name == "style"] == []


def poisoned(value: Any) -> Any:
    """The same shape with hostile text wherever there is text, but for the words that fairprobe itself writes."""
    own = {"outcome", "comparison", "mode", "scope", "question", "role", "profile", "started"}
    if isinstance(value, dict):
        return {k if k in KEYS else HOSTILE + k: v if k in own else poisoned(v) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(entry) for entry in value]
    return HOSTILE + value if isinstance(value, str) else value


def keys(value: Any) -> set[str]:
    """Every name that results.json itself gives, at any depth."""
    if isinstance(value, dict):
        return set(value) | set().union(*(keys(entry) for name, entry in value.items() if name not in OPEN))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


OPEN = {"arguments", "files", "group", "settings", "statuses", "versions"}
KEYS = keys(results())


def test_hostile_text_in_any_field_stays_text() -> None:
    hostile = render(poisoned(results()))
    read = Reader(hostile)
    assert {"script", "img"}.isdisjoint(tag for tag, _ in read.tags)
    assert "<script" not in hostile
    assert hostile.count("</style>") == 1
    assert hostile.count("</title>") == len([tag for tag, _ in read.tags if tag == "title"])
    assert HOSTILE in read.text
    assert "49" not in re.findall(r"\{\{ (\S+) \}\}", read.text)
    assert all(link.startswith("#") for link in read.values("href"))
    assert [name for _, attrs in read.tags for name in attrs if name.startswith("on")] == []


def test_control_characters_and_halves_of_pairs_are_shown_and_not_emitted() -> None:
    failure = {"response": "a\0b\x1b[31m\r\ud800c", "score": 0.0}
    text = render(with_verdict(failures=[failure]))
    text.encode("utf-8")
    assert (
        "a\N{SYMBOL FOR NULL}b\N{SYMBOL FOR ESCAPE}[31m\N{SYMBOL FOR CARRIAGE RETURN}\N{REPLACEMENT CHARACTER}c" in text
    )


def test_every_verdict_group_and_outcome_is_shown(read: Reader) -> None:
    for verdict in results()["verdicts"]:
        assert verdict["claim"] in read.text
        assert verdict["test"] in read.text
        for group in verdict["groups"]:
            assert " x ".join(group["group"].values()) in read.text
    for word in ("Fail", "Invalid", "Inconclusive", "Error", "Pass"):
        assert word in read.text


def test_the_headline_counts_every_outcome(read: Reader) -> None:
    assert (
        "Not every claim was shown: of 9 expectations, 2 fail, 1 is invalid, 2 are inconclusive, "
        "1 ended in an error and 3 pass." in read.text
    )
    assert (
        "2 alarms, which block only when they ring: 0 rang, 1 passed. 1 guard waived. 4 expectations not tested."
        in read.text
    )


def test_an_interrupted_or_incomplete_run_says_so_first(read: Reader) -> None:
    assert "Interrupted: the run was stopped" in read.text
    assert "Not complete: this is not a verdict on the whole suite. 9 of 11 planned" in read.text
    whole = {**results(), "complete": True, "interrupted": False, "plan": {}}
    text = Reader(render(whole)).text
    assert "Interrupted:" not in text
    assert "Not complete:" not in text


def test_what_blocks_a_release_comes_first(read: Reader) -> None:
    outcomes = [(a["class"] or "").split()[1] for tag, a in read.tags if tag == "article"]
    assert outcomes == ["fail"] * 2 + ["invalid"] + ["inconclusive"] * 2 + ["error"] + ["pass"] * 3


def test_the_limits_are_worded_as_in_the_terminal(read: Reader) -> None:
    assert "Largest gap 0.12 between en_us and en_in, expected < 0.05." in read.text
    assert "Shown above 0.08 and below 0.16 (95 % each side, 600 clusters)." in read.text
    assert "Equal groups would show 0.03 at this size." in read.text
    assert "about 5,550 more samples (2,450 clusters in the smallest group)" in read.text


def test_a_link_from_the_terminal_finds_its_expectation(read: Reader) -> None:
    articles = {attrs["id"] for tag, attrs in read.tags if tag == "article"}
    assert {"test_dialect_gap", "test_languages-proverbs", "test_overall_quality"} <= articles


def test_missing_evidence_is_never_a_number() -> None:
    empty = {"group": {"dialect": "en_in"}, "value": None, "low": None, "high": None, "statuses": {"missing": 9}}
    nothing = with_verdict(value=None, low=None, high=None, groups=[empty], p_value_pass=None, equal_groups=None)
    text = Reader(render(nothing)).text
    assert "Largest gap no evidence" in text
    assert "No limits: no evidence." in text
    assert "en_in decides no evidence no evidence" in text
    assert re.findall(r"\b(?:None|nan|NaN|0\.00)\b", text) == []


def test_no_number_has_more_than_four_decimals(read: Reader) -> None:
    assert re.findall(r"\d\.\d{5,}", read.text) == []


def test_pictures_say_what_they_show(read: Reader) -> None:
    pictures = [attrs for tag, attrs in read.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(pictures) == 9  # eight verdicts with a value, and the key
    assert all(picture["aria-label"] for picture in pictures)
    silent = [attrs for tag, attrs in read.tags if tag == "svg" and attrs.get("role") != "img" and "class" in attrs]
    assert all(picture["aria-hidden"] == "true" for picture in silent)


def test_tables_have_captions_and_headed_rows(read: Reader) -> None:
    tags = [tag for tag, _ in read.tags]
    assert tags.count("table") == tags.count("caption")
    assert all(attrs.get("scope") in {"row", "col"} for tag, attrs in read.tags if tag == "th")


def test_pairs_stand_side_by_side_with_their_differences_marked() -> None:
    text = render(results())
    assert "What <mark>has</mark> hands" in text
    assert "What <mark>is having</mark> hands" in text
    assert "<mark>handbag</mark>" in text
    assert text.count("Pair <bdi>riddle-017</bdi>") == 1  # two expectations have the same missed samples
    assert "The same samples as" in text


def test_missed_samples_say_how_many_of_how_many_and_which_are_shown(read: Reader) -> None:
    assert "246 of 1,800 samples missed; the 3 pairs most split between groups are shown." in read.text
    single = [{"sample": f"t:{n}", "prompt": f"ask {n}", "score": 0.0} for n in range(2)]
    text = Reader(render(with_verdict(failures=single, missed=33, answered=40))).text
    assert "33 of 40 samples missed; 2 are shown, the groups in turn." in text


def test_graded_scores_are_said_to_be_no_misses() -> None:
    graded = [{"sample": f"t:{n}", "group": {"dialect": "en_in"}, "score": n / 10, "missed": None} for n in range(2)]
    text = Reader(render(with_verdict(failures=graded, missed=None))).text
    assert "Samples with the lowest scores; a score is a degree here, and no sample is right or missed. 2 are" in text
    assert "Sample t:1 en_in scored 0.10" in text
    assert "samples missed" not in text
    paired = [{**each, "pair": "7"} for each in graded]
    text = Reader(render(with_verdict(failures=paired, missed=None))).text
    assert "Pairs whose scores lie furthest apart; " in text
    assert "1 is shown, each by its lowest and its highest sample." in text


def test_what_is_missed_in_a_change_is_missed_by_the_model() -> None:
    single = [{"sample": "t:1", "score": 0.0, "missed": True}]
    text = Reader(render(with_verdict(failures=single, missed=33, answered=40, baseline="base"))).text
    assert "33 of 40 samples missed by the model; 1 is shown." in text


def test_rows_that_were_left_out_stand_beside_those_that_were_compared(read: Reader) -> None:
    groups = [
        {"group": {"dialect": name}, "value": 0.5, "samples": 244, "left_out": n}
        for name, n in (("in", 1886), ("us", 0))
    ]
    text = Reader(render(with_verdict(groups=groups))).text
    assert "samples left out statuses" in text
    assert "244 1,886 " in text
    assert "left out" not in read.text


RANKS = [
    {"group": {"country": name}, "value": value} for name, value in (("Iraq", 116.14), ("Chile", 99.5), ("USA", 18.0))
]


def test_a_number_that_is_no_share_has_its_unit_in_the_head_of_both_tables() -> None:
    ranks = with_verdict(
        groups=RANKS, range=None, heading="mean rank (1 is first)", columns=["country"], tasks=["said"]
    )
    text = Reader(render(ranks)).text
    assert "country mean rank (1 is first) value and limits" in text
    assert "Every metric of said by country country accuracy(clues)mean rank (1 is first) Chile" in text


def test_a_low_value_is_not_tinted_where_low_is_good() -> None:
    def tints(**changes: Any) -> list[str]:
        page = render(with_verdict(groups=RANKS, range=None, columns=["country"], between=["Iraq"], **changes))
        return re.findall(r'<td class="n heat (\w+)">', page)

    assert tints(metric="mean_rank") == ["h4", "h4", "h0"]
    assert tints(question="by", comparison="<") == ["h4", "h4", "h0"]
    assert tints(question="by", comparison=">", metric="mean_rank") == ["h0", "h3", "h4"]


def test_two_tasks_with_a_column_of_one_name_have_tables_of_their_own() -> None:
    made = results()
    made["verdicts"] = [{**made["verdicts"][0], "tasks": [task], "test": task} for task in ("opinions", "said")]
    text = Reader(render(made)).text
    assert "Every metric of opinions by dialect" in text
    assert "Every metric of said by dialect" in text


def test_clusters_that_are_candidates_are_named() -> None:
    text = Reader(render(with_verdict(candidates="country", clusters=21))).text
    assert "(95 % each side, 21 clusters, each a country)" in text


def test_what_was_asked_whole_has_no_limits() -> None:
    text = Reader(render(with_verdict(value=0.3, low=0.3, high=0.3))).text
    assert "Exact for these samples, all of which were asked." in text
    assert "Shown above" not in text


def test_a_recording_without_prompts_shows_how_each_sample_was_judged() -> None:
    failures = [
        {"sample": f"t:{n}", "pair": "7", "group": {"g": n}, "score": float(n), "missed": n == 0} for n in range(2)
    ]
    assert "Pair 7 0 missed 1 right" in Reader(render(with_verdict(failures=failures))).text


def test_a_low_score_is_right_where_low_is_good() -> None:
    failures = [
        {"sample": f"t:{n}", "pair": "7", "group": {"g": n}, "score": score, "missed": score > 0}
        for n, score in enumerate([0.0, 0.5, 1.0])
    ]
    assert "Pair 7 0 right 1 scored 0.50 2 missed" in Reader(render(with_verdict(failures=failures))).text


def test_the_same_results_give_the_same_bytes() -> None:
    given = results()
    before = copy.deepcopy(given)
    assert render(given) == render(json.loads(json.dumps(given)))
    assert given == before


def test_an_older_or_empty_file_is_shown_as_far_as_it_goes() -> None:
    assert "No expectation was judged." in Reader(render({})).text
    bare = {"test": "a.py::test_x", "expression": "accuracy(t).gap('g') < 0.1", "outcome": "pass"}
    text = Reader(render({"schema": 1, "verdicts": [bare, {}]})).text
    assert "accuracy(t).gap('g') < 0.1" in text


@pytest.mark.parametrize("missing", sorted(results()["verdicts"][0]))
def test_no_key_of_a_verdict_is_indispensable(missing: str) -> None:
    changed = results()
    for verdict in changed["verdicts"]:
        verdict.pop(missing, None)
    Reader(render(changed))


@pytest.mark.parametrize("missing", sorted(results()))
def test_no_key_of_the_results_is_indispensable(missing: str) -> None:
    changed = results()
    changed.pop(missing, None)
    Reader(render(changed))
    Reader(render({**results(), missing: None}))


def test_a_sample_run_makes_no_claim() -> None:
    assert "A sample run makes no claim: of 9 expectations" in Reader(render({**results(), "claims": False})).text


def test_an_alarm_blocks_only_when_it_rings() -> None:
    quiet = with_verdict(mode="alarm", outcome="inconclusive", red=False)
    assert "Every claim was shown: of 1 expectation, 1 is inconclusive." in Reader(render(quiet)).text
    assert "Not every claim was shown: of 1 expectation, 1 fails." in Reader(render(with_verdict(mode="alarm"))).text


def test_an_expected_failure_does_not_block() -> None:
    expected = Reader(render(with_verdict(expected_failure=True))).text
    assert "Every claim was shown: of 1 expectation, 1 fails." in expected
    assert "1 failure expected." in expected


def test_the_sentence_of_a_release_stands_where_every_claim_was_shown() -> None:
    shown = {**with_verdict(outcome="pass", red=False), "release": {"complete": True, "sentence": "All shown."}}
    assert "All shown." in Reader(render(shown)).text
    assert "All shown." not in Reader(render({**shown, "verdicts": results()["verdicts"]})).text


def test_a_guard_that_left_a_caveat_is_told_once() -> None:
    guard = {"name": "truncated", "outcome": "caveat", "detail": "3 cut in en_in"}
    text = Reader(render(with_verdict(guards=[guard], caveats=["truncated: 3 cut in en_in"]))).text
    assert text.count("3 cut in en_in") == 2  # at its expectation, and in the table of guards


def test_the_groups_of_several_columns_that_decide_are_named() -> None:
    two = [{"group": {"sex": "woman", "age": age}, "value": n / 10} for n, age in enumerate(("young", "old"))]
    text = Reader(
        render(with_verdict(groups=two, columns=["sex", "age"], between=["woman x old", "woman x young"]))
    ).text
    assert "woman x old decides" in text
    assert "woman x young decides" in text


def test_tests_of_one_name_get_fragments_of_their_own() -> None:
    tests = ["a.py::test_gap", "b.py::test_gap", "a.py::C::test_l[x::y/z]", "a.py::groups", "a.py::test_é[日本]"]
    assert anchor(tests[0]) == "test_gap"
    assert [*map(Places().take, tests)] == ["test_gap", "test_gap-2", "test_l-x-y-z", "groups-2", "test_é-日本"]


def test_values_that_differ_never_look_the_same() -> None:
    assert places([0.0499, 0.05]) == 4
    assert "Shown above 0.0496" in Reader(render(with_verdict(value=0.0512, low=0.0496, high=0.06))).text


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [(0.12, 2, "0.12"), (-0.005, 2, "\N{MINUS SIGN}0.01"), (-0.001, 2, "0.00"), (12345.6, 1, "12,345.6")],
)
def test_numbers_are_typeset(value: float, decimals: int, shown: str) -> None:
    assert number(value, decimals) == shown


@pytest.mark.parametrize(("p", "shown"), [(0.0, "< 0.001"), (0.0123, "= 0.012"), (0.31, "= 0.31"), (1.0, "> 0.999")])
def test_p_values_are_never_zero_or_one(p: float, shown: str) -> None:
    assert p_value(p) == shown


@pytest.mark.parametrize(
    ("claim", "measured"),
    [
        ("accuracy(clues).change().gap('dialect', reference='en_us') < 0.05", "accuracy(clues).change()"),
        ("mean(t, 'a < b').by('g') >= 3", "mean(t, 'a < b')"),
        ("valid_rate(t) > 0.9", "valid_rate(t)"),
        ("(accuracy(a) - accuracy(b)).ratio('g') > 0.8", "(accuracy(a) - accuracy(b))"),
    ],
)
def test_a_claim_knows_what_it_measures(claim: str, measured: str) -> None:
    assert measure(claim) == measured


def test_tints_are_steps_of_distance_and_not_of_rank() -> None:
    assert [tint(value, 0.7, 1.0) for value in (0.7, 0.68, 0.65, 0.6, 0.5)] == ["h0", "h1", "h2", "h3", "h4"]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    assert [piece.text for piece in differences("首都はナイロビ", "首都はケニア") if piece.differs] == ["ナイロビ"]


def test_words_of_any_script_are_marked_whole() -> None:
    assert [piece.text for piece in differences("मेरा घर है", "मेरी घर है") if piece.differs] == ["मेरा"]


def test_two_languages_are_not_marked_word_by_word() -> None:
    english, swahili = " ".join(f"word{n}" for n in range(20)), " ".join(f"neno{n}" for n in range(20))
    assert differences(english, swahili) == [(english, False)]


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_are_the_text(text: str, other: str) -> None:
    assert "".join(piece.text for piece in differences(text, other)) == text


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=6))
def test_every_number_lies_on_its_axis(numbers: list[float]) -> None:
    scale = Scale.over(numbers)
    assert all(0 <= scale.share(n) <= 100 for n in numbers)
    assert len(scale.ticks()) <= 21
    number(numbers[0] if numbers else None, places(numbers))


def test_what_the_engine_computed_and_how_far_its_numbers_vary_stand_in_tables():
    words = " ".join(Reader(render(results())).text.split())
    assert "What the engine computed" in words
    assert "412 181,204 61,020" in words
    assert "32 0.021 0" in words
    assert "forward_calls" not in words


def test_a_moment_that_is_none_is_shown_as_it_stands():
    assert "yesterday" in Reader(render({**results(), "started": "yesterday"})).text


def test_groups_that_look_alike_have_filters_of_their_own():
    groups = [{"group": {"task": "g" * 130 + end}, "value": 0.5} for end in "AB"] + [{"group": {"task": "a b"}}]
    made = with_verdict(groups=groups, columns=["task"], between=[])
    read = Reader(render(made))
    links = [attrs["href"] for tag, attrs in read.tags if tag == "a" and "filter" in (attrs.get("class") or "")]
    assert len(links) == len(set(links)) == 3
    assert "Only one task" not in read.text
