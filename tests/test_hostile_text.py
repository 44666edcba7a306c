"""Whatever stands in prompts, answers, group names and test names stays text, in every form that a report has."""

from __future__ import annotations

import csv
import io
import itertools
import unicodedata
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from fairprobe.report import card, failure, markdown, moved, render, summary, table, workflow_commands
from fairprobe.report.printable import printable
from html_reader import Reader
from results_example import HOSTILE, results

FRAGMENTS = [
    HOSTILE, "<script>alert(1)</script>", "</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "javascript:alert(1)", "<!--", "]]>", "&lt;script&gt;", "\" onclick=\"x", "' style='x", "{{ 7*7 }}", "{% raw %}",
    "\u202egnp.exe", "\u2066\u2069", "\u200f\u0623\u0647\u0644\u0627", "e\u0301\u0301\u0301\u0301", "\x1b[2J",
    "\x1b]0;title\x07", "\x9b31m", "\r\n::error::x", "=HYPERLINK(1)", "+cmd", "@SUM(1)", "-1+1", "| a | b |", "`",
    "```", "# heading", "\n---\n", "\0", "\ud800", "\ufeff", "\u2028", "x" * 300, "\N{ZERO WIDTH JOINER}", "😀",
    "漢字", "ไทย",
]  # fmt: skip
TEXT = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), max_size=4).map("".join)
TEXTS = st.lists(TEXT, min_size=3, max_size=7)
QUICK = settings(max_examples=40)


def run_of(texts: list[str]) -> dict[str, Any]:
    """The example with these as names of groups and tests, as prompts, answers and reasons, in turn."""
    said = itertools.cycle(texts)
    run = results()
    run["checkpoints"][0]["name"] = next(said)
    run["verdicts"] = [run["verdicts"][place] for place in (1, 3, 4)]
    for verdict in run["verdicts"]:
        verdict["test"] = f"t.py::test_{next(said)}"
        verdict["because"], verdict["caveats"] = [next(said)], [next(said)]
        verdict["groups"] = [
            {**group, "group": {next(said): f"{number}{next(said)}"}} for number, group in enumerate(verdict["groups"])
        ]
        verdict["between"] = [str(held) for held in verdict["groups"][0]["group"].values()]
        verdict["failures"] = [
            {**sample, **{name: next(said) for name in ("sample", "pair", "prompt", "response", "target")}}
            for sample in verdict["failures"]
        ]
        verdict["counterexamples"] = [
            _counterexample([next(said) for _ in range(8)], stable=stable) for stable in (True, False)
        ]
    return run


def _counterexample(texts: list[str], *, stable: bool) -> dict[str, Any]:
    before, old, new, *rest = texts
    change = {"name": rest[0], "title": rest[1], "rating": "A", "start": len(before), "old": old, "new": new}
    return {
        "task": "t", "case": {"rewriting": rest[2]}, "before": before + old, "after": before + new, "prompt": rest[3],
        "answers": [rest[4], rest[1]], "changes": [change], "stable": stable, "minimal": True,
    }  # fmt: skip


@given(TEXTS)
@QUICK
def test_on_the_page_nothing_runs_and_every_tag_is_ours(texts: list[str]) -> None:
    run = run_of(texts)
    page = render(run)
    page.encode()
    read = Reader(page)
    assert {"script", "img", "iframe", "object", "form"}.isdisjoint(tag for tag, _ in read.tags)
    assert [name for _, attrs in read.tags for name in attrs if name.startswith("on") or name == "style"] == []
    assert all(link.startswith("#") for link in read.values("href"))
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in read.values("href")} <= set(ids)
    assert page.count("<style>") == page.count("</style>") == 1
    assert not [each for each in page if unicodedata.category(each) == "Cs" or each in "\x1b\0\u202e\u2066\x9b"]


@given(TEXTS)
@QUICK
def test_in_markdown_it_stays_in_code_spans(texts: list[str]) -> None:
    run = run_of(texts)
    for line in markdown(run).splitlines():
        outside = "".join(line.replace("\\|", "").split("`")[::2])
        assert line.count("`") % 2 == 0
        assert "<" not in outside.replace("| < ", "|")


@given(TEXTS)
@QUICK
def test_a_card_and_a_table_are_read_back(texts: list[str]) -> None:
    run = run_of(texts)
    [held] = yaml.safe_load(card(run).split("\n---\n")[0].removeprefix("---\n"))["model-index"]
    assert printable(held["name"]) == printable(run["checkpoints"][0]["name"])
    rows = list(csv.reader(io.StringIO(table(run))))
    assert {len(row) for row in rows} == {14}
    assert not [cell for row in rows for cell in row if cell[:1] in {*"=+@"}]


@given(TEXTS)
@QUICK
def test_a_terminal_gets_no_control_but_new_lines(texts: list[str]) -> None:
    run = run_of(texts)
    written = io.StringIO()
    console = Console(file=written, width=100, markup=False, highlight=False, emoji=False, color_system=None)
    console.print(summary(run, 100))
    comparison = {"claims": [
        {**dict.fromkeys(("value_before", "value", "difference", "low", "high", "lost", "won")), "test": each["test"],
         "outcome": each["outcome"], "outcome_before": "pass", "why": each["because"][0] if each["because"] else "x"}
        for each in run["verdicts"]
    ]}  # fmt: skip
    console.print(moved(comparison, 100))
    for each in run["verdicts"]:
        written.write(failure({**each, "tasks": []}, "page"))
    for line in workflow_commands({**run, "verdicts": [{**each, "red": True} for each in run["verdicts"]]}, "page"):
        assert "\n" not in line
        written.write(line)
    held = written.getvalue().replace("\n", "").replace("\t", "")
    assert not [each for each in held if unicodedata.category(each) in {"Cc", "Cs"} or each in "\u202e\u2066"]


def test_an_answer_of_a_megabyte_takes_no_megabyte() -> None:
    run = results()
    run["verdicts"][1]["failures"] = [
        {**sample, "prompt": "<&\"'" * 250_000, "response": "漢" * 1_000_000}
        for sample in run["verdicts"][1]["failures"]
    ]
    assert len(render(run).encode()) < 1_500_000


def test_names_of_a_megabyte_are_cut_where_they_are_shown() -> None:
    run = results()
    long = "g" * 1_000_000
    run["verdicts"][1]["groups"][0]["group"] = {"dialect": long}
    run["verdicts"][1]["between"] = [long]
    run["verdicts"][1]["test"] = f"t.py::test_it[{long}]"
    run["verdicts"][1]["claim"] = f"accuracy(clues).where(g='{long}') < 0.1"
    assert len(render(run).encode()) < 1_500_000
    assert len(markdown(run)) < 50_000
