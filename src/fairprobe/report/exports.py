"""A run for other readers: Markdown, a model card's fragment, the groups as CSV, and GitHub's annotations."""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2

from fairprobe.report.blessed import blessed_lines
from fairprobe.report.expectation import Record, by_urgency, known, label, name_of
from fairprobe.report.figures import number, places, within
from fairprobe.report.page import environment, headline
from fairprobe.report.printable import LONGEST_NAME, cut, printable, short
from fairprobe.report.tables import facts_of
from fairprobe.report.text import banner, failure

SIGNS = {"pass": "✅", "fail": "❌", "invalid": "⛔", "inconclusive": "❔", "error": "⚠️"}
MOST_GROUPS = 20
MOST_ANNOTATIONS = 10
"""GitHub keeps so many of a kind for a step."""
LONGEST_MESSAGE = 2000
NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?", re.IGNORECASE)


def markdown(results: Record, longest: int | None = None) -> str:
    """The run as Markdown: a table of all verdicts, and the groups of those that are no pass.

    Where that takes more than so many bytes, verdicts at the end are left out and counted.
    """
    verdicts = by_urgency(results)
    shown = len(verdicts)
    while True:
        text = _markdown(results, verdicts[:shown], len(verdicts) - shown)
        if longest is None or not shown or len(text.encode()) <= longest:
            return text
        shown //= 2


def _markdown(results: Record, verdicts: list[Record], left: int) -> str:
    shown = [{"raw": each, "facts": facts_of(each), **_groups(each)} for each in verdicts]
    blessed = blessed_lines(results["blessed"]) if results.get("blessed") else []
    view = {
        "headline": headline(results), "banner": banner(results), "blessed": blessed, "verdicts": shown, "signs": SIGNS,
    }  # fmt: skip
    text = _templates().get_template("summary.md").render(view)
    more = f"\n{left} more verdicts stand in results.json.\n" if left else ""
    return printable(re.sub(r"\n{3,}", "\n\n", text)).strip() + "\n" + more


def _groups(each: Record) -> dict[str, Any]:
    groups = [known(group) for group in each["groups"]]
    decimals = places(group["value"] for group in groups)
    # those that decide are never cut
    told = sorted(groups, key=lambda group: label(group["group"]) not in each["between"])[:MOST_GROUPS]
    rows = [
        {
            "name": label(group["group"]),
            "value": number(group["value"], decimals),
            "within": within(group["low"], group["high"], decimals),
            "samples": f"{group['samples'] or 0:,}",
        }
        for group in told
    ]
    return {"groups": rows, "hidden": len(groups) - len(rows)}


def card(results: Record) -> str:
    """The run as a fragment of a Hugging Face model card: `model-index` with every group and interval in `args`.

    What has no value is left out: a card has no word for missing evidence.
    """
    data = {each["task"]: known(each) for each in results.get("data", ())}
    metrics: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in map(known, results["verdicts"]):
        if each["value"] is not None:
            metrics[" and ".join(each["tasks"])] += _metrics(each)
    tasks = [
        {"dataset": task, "revision": data[task]["revision"] if task in data else None, "metrics": found}
        for task, found in metrics.items()
    ]
    named = name_of(results)
    view = {"model": "model" if named is None else named, "tasks": tasks}
    return printable(_templates().get_template("card.md").render(view)) + "\n" + markdown(results)


def _metrics(each: Record) -> Iterator[dict[str, Any]]:
    """A verdict's own number, then that of each group."""
    kind = each["metric"] or "value"
    limits = {"low": each["low"], "high": each["high"], "confidence": each["confidence"]}
    said = ("outcome", "comparison", "bound", "scope", "between", "samples", "clusters", "baseline", "test")
    args = {**limits, **{name: each[name] for name in said if each[name] is not None}}
    yield {"type": kind, "name": each["claim"], "value": each["value"], "args": args}
    for group in map(known, each["groups"]):
        if group["value"] is not None and each["columns"]:
            args = {name: group[name] for name in ("group", "low", "high")} | {"confidence": each["confidence"]}
            args |= {name: group[name] for name in ("samples", "clusters")}
            name = f"{each['heading'] or kind}, {label(group['group'])}"
            yield {"type": kind, "name": name, "value": group["value"], "args": args}


def table(results: Record) -> str:
    """The group table as CSV: a row for each group of each expectation. A cell that a spreadsheet would run is text."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow([
        "test", "claim", "outcome", "metric", "group", "value", "low", "high", "confidence", "samples", "clusters",
        "left_out", "unasked", "statuses",
    ])  # fmt: skip
    for each in map(known, results["verdicts"]):
        for group in map(known, each["groups"]):
            statuses = " ".join(f"{status}:{count}" for status, count in group["statuses"].items())
            rows.writerow(map(_cell, (
                each["test"], each["claim"], each["outcome"], each["heading"], label(group["group"]), group["value"],
                group["low"], group["high"], each["confidence"], group["samples"], group["clusters"],
                group["left_out"], group.get("unasked", 0), statuses,
            )))  # fmt: skip
    return written.getvalue()


def _cell(value: Any) -> Any:
    """A cell: what begins like a formula and is no number gets an apostrophe, which spreadsheets do not show.

    >>> _cell("=HYPERLINK(1)"), _cell("-0.5"), _cell(None), _cell("en_in")
    ("'=HYPERLINK(1)", '-0.5', '', 'en_in')
    """
    if not isinstance(value, str):
        return "" if value is None else value
    text = printable(value)
    return f"'{text}" if text.lstrip()[:1] in {*"=+-@\t"} and not NUMBER.fullmatch(text) else text


def workflow_commands(results: Record, page: str) -> list[str]:
    """GitHub's workflow commands for what is red, by kind as many as GitHub keeps; the last says how many more."""
    kinds: dict[str, list[Record]] = {"error": [], "warning": []}
    for each in by_urgency(results):
        if each["red"] and not each["expected_failure"]:
            kinds["error" if each["outcome"] in {"fail", "error"} else "warning"].append(each)
    return [line for kind, found in kinds.items() for line in _annotated(kind, found, page)]


def _annotated(kind: str, found: list[Record], page: str) -> Iterator[str]:
    for each in found[: MOST_ANNOTATIONS if len(found) <= MOST_ANNOTATIONS else MOST_ANNOTATIONS - 1]:
        file = str(each["test"]).partition("::")[0]
        place = {"file": file, "line": each["line"], "title": f"{each['outcome']}: {short(str(each['test']))}"}
        given = ",".join(f"{name}={_escaped(str(held), ':,')}" for name, held in place.items() if held is not None)
        yield f"::{kind} {given}::{_escaped(cut(failure(each, page), LONGEST_MESSAGE))}"
    if len(found) > MOST_ANNOTATIONS:
        yield f"::{kind} title=fairprobe::{len(found) - MOST_ANNOTATIONS + 1} more, all in the step's summary"


def _escaped(text: str, also: str = "") -> str:
    r"""A text as a workflow command takes it.

    >>> _escaped("100 %\nof a:b", ":")
    '100 %25%0Aof a%3Ab'
    """
    return "".join(f"%{ord(each):02X}" if each in f"%\r\n{also}" else each for each in printable(text))


def _code(value: Any, longest: int = LONGEST_NAME) -> str:
    r"""A code span in a table's cell, in which nothing means anything.

    >>> _code("a | `b` <img>")
    "`a \\| 'b' <img>`"
    """
    text = short(printable(str(value)), longest).replace("`", "'").replace("|", "\\|")
    return f"`{text}`" if text else ""


def _json(value: Any) -> str:
    """A value as JSON that YAML reads as the same: there a number with an exponent has a point.

    >>> _json({"low": 5e-05, "bound": 0.1, "name": "a"})
    '{"low": 5.0e-05, "bound": 0.1, "name": "a"}'
    """
    match value:
        case Mapping():
            return "{" + ", ".join(f"{_json(str(name))}: {_json(held)}" for name, held in value.items()) + "}"
        case [*held]:
            return "[" + ", ".join(map(_json, held)) + "]"
        case float():
            text = json.dumps(value)
            return text if "." in text else text.replace("e", ".0e")
    return printable(json.dumps(value, ensure_ascii=False))


@functools.cache
def _templates() -> jinja2.Environment:
    # Markdown has no markup to escape: what others wrote goes into code spans
    return environment(_code, _json, autoescape=False)
