"""Results to one HTML page: what is shown and in which order; the templates hold the markup."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from fairprobe.report import blessed, filters
from fairprobe.report.anchors import SECTIONS, Places, plain
from fairprobe.report.differences import Sample, pairs
from fairprobe.report.expectation import (
    BY_URGENCY,
    Expectation,
    Forest,
    Record,
    blocks,
    expectation,
    known,
    label,
    name_of,
    statuses,
)
from fairprobe.report.figures import counted, exact, number, places, within
from fairprobe.report.frontier import frontiers, ratio_of
from fairprobe.report.printable import printable, short

OUTCOMES = {
    "fail": ("fails", "fail"),
    "invalid": ("is invalid", "are invalid"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
    "error": ("ended in an error", "ended in an error"),
    "pass": ("passes", "pass"),
}
MOST_ROWS = 1200
"""Rows of all forest plots together; a page of many groups and expectations shows those furthest behind."""
LEAST_ROWS = 12
SAMPLE_BYTES = 320_000
"""Of all samples together; every sample lies beside the page."""


def render(results: Record) -> str:
    """`results.json` as one page that loads nothing and runs nothing."""
    view = _view(known(results))
    return page("page.html", view, filters.style(view["filters"]))


def page(template: str, view: Mapping[str, Any], style: str = "") -> str:
    """A page of a template, with the style that all share and a policy that allows nothing else."""
    style = "\n".join([_templates().get_template("style.css").render().strip(), style]).strip()
    return printable(_templates().get_template(template).render(view, style=Markup(style), policy=policy(style)))


def policy(style: str) -> str:
    """The content security policy of a page whose only active part is one known style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _view(raw: Record) -> dict[str, Any]:
    """All that the templates show."""
    tested = [str(verdict.get("test", "")) for verdict in raw["verdicts"]]
    taken = Places()
    tests = [taken.take(test) for test in tested]
    found = [expectation(place, known(verdict)) for place, verdict in zip(tests, raw["verdicts"], strict=True)]
    shown = sorted(found, key=lambda each: BY_URGENCY.index(each.outcome))
    blocked = any(blocks(each.raw) for each in shown)
    guards = [(each, guard) for each in shown for guard in each.raw["guards"]]
    held = {(each.anchor, guard["name"]): None for each, guard in guards if guard["outcome"] == "pass"}
    divided = filters.divisions(shown)
    found_filters = filters.filters(shown, divided, taken)
    panels = frontiers(shown)
    empty = {
        place
        for place, held in (("blessed", raw["blessed"]), ("previous", raw["previous"]), ("frontier", panels))
        if not held
    }
    # a baseline knows a test without its candidate
    places_of = {
        (name, each.raw["claim"]): each.anchor for each in shown for name in (each.raw["test"], plain(each.raw))
    }
    tally = ", ".join(f"{n} {outcome}" for outcome, n in Counter(each.outcome for each in shown).items())
    return {
        "raw": raw,
        "title": " · ".join(filter(None, (tally, name_of(raw), "fairprobe"))),
        "headline": headline(raw),
        # what is less than every claim shown, the headline says
        "release": raw["release"].get("complete") and not blocked and raw["release"].get("sentence"),
        "notes": _notes(shown, raw),
        "not_tested": _not_tested(shown, raw),
        "sections": {place: name for place, name in SECTIONS.items() if place not in empty},
        "expectations": shown,
        "filters": found_filters,
        "filters_of": {(each.of, each.name): each.place for each in found_filters if each.kind == "group"},
        "divided": divided,
        "most_rows": max(LEAST_ROWS, MOST_ROWS // max(sum(bool(each.forest) for each in shown), 1)),
        "blessed": raw["blessed"] and {"raw": raw["blessed"], "rows": blessed.rows(raw["blessed"], places_of)},
        "previous": raw["previous"] and _previous(raw["previous"], places_of),
        "heats": _heats(shown),
        "frontiers": panels,
        "missed": _missed(shown, taken),
        "guards": [(each, guard) for each, guard in guards if guard["outcome"] != "pass"],
        "held": Counter(name for _, name in held),
        **_engine(raw["engine"]),
        "sample_files": [
            {key: each.get(key) for key in ("task", "role", "file", "rows")} for each in raw["samples"] or ()
        ],
        "files": [{"file": file, "sha256": digest} for file, digest in raw["suite"].get("files", {}).items()],
    }


def _engine(engine: Mapping[str, Any]) -> dict[str, Any]:
    """What an engine says of itself, and as rows what it computed for each role and how far its numbers vary."""
    rows = {
        "counts": [{"role": role, **each} for role, each in engine.get("counts", {}).items()],
        "noise": [
            {"role": role, **each, "nats": f"{each['nats']:.2g}"} for role, each in engine.get("noise", {}).items()
        ],
        "failures": [{"role": role, **each} for role, each in engine.get("failures", {}).items()],
    }
    return {"engine": {name: held for name, held in engine.items() if name not in rows}, **rows}


def headline(results: Record) -> str:
    """The run in one sentence that needs no statistics to be understood."""
    verdicts = [known(each) for each in known(results)["verdicts"]]
    counts = Counter(each["outcome"] for each in verdicts)
    if not verdicts:
        return "No expectation was judged."
    opening = (
        "A sample run makes no claim"
        if results.get("claims") is False
        else "Not every claim was shown"
        if any(map(blocks, verdicts))
        else "Every claim was shown"
    )
    if set(counts) == {"pass"}:
        return f"{opening}: {'it passes' if len(verdicts) == 1 else f'all {len(verdicts)} expectations pass'}."
    parts = [f"{n} {OUTCOMES[name][n > 1]}" for name in BY_URGENCY if (n := counts[name])]
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"{opening}: of {counted(len(verdicts), 'expectation')}, {listed}."


def _notes(shown: Sequence[Expectation], raw: Record) -> list[str]:
    alarms = Counter(each.outcome for each in shown if each.raw["mode"] == "alarm")
    expected = sum(bool(each.raw["expected_failure"]) for each in shown)
    rang, quiet = alarms["fail"], alarms["pass"]
    untested = sum(each["count"] for each in raw["deselected"])
    tried = (raw["attempts"] or {}).get("sentence")
    notes = [
        (alarms, f"{counted(alarms.total(), 'alarm')}, which block only when they ring: {rang} rang, {quiet} passed."),
        (expected, f"{counted(expected, 'failure')} expected."),
        (raw["waivers"], f"{counted(len(raw['waivers']), 'guard')} waived."),
        (untested, f"{counted(untested, 'expectation')} not tested."),
        (tried, str(tried)),
    ]
    return [text for holds, text in notes if holds]


def measure(claim: str) -> str:
    """What a claim measures, without its question and bound.

    >>> measure("accuracy(clues).change().gap('dialect') < 0.05"), measure("f1(qa) > 0.5")
    ('accuracy(clues).change()', 'f1(qa)')
    """
    ends = [position for word in (".gap(", ".by(", ".ratio(") if (position := claim.rfind(word)) > 0]
    return claim[: max(ends)] if ends else re.split(r"\s[<>]=?\s(?=[^<>]*$)", claim)[0]


def _heats(shown: Iterable[Expectation]) -> list[tuple[str, str, list[str], dict[str, Forest]]]:
    """For each division of some tasks its groups and what was measured; what several expectations read is told once."""
    tables: dict[tuple[str, str], dict[str, Forest]] = defaultdict(dict)
    for each in shown:
        if each.forest and each.raw["columns"]:
            tasks = " and ".join(each.raw["tasks"])
            tables[each.forest.columns, tasks].setdefault(measure(each.claim), each.forest)
    return [
        (
            f"Every metric{tasks and f' of {tasks}'} by {columns}",
            columns,
            sorted({group for forest in forests.values() for group in forest.rows}),
            forests,
        )
        for (columns, tasks), forests in tables.items()
    ]


def _missed(
    shown: Sequence[Expectation], places: Places
) -> list[tuple[Expectation, Expectation | None, list[list[Sample]]]]:
    """Each expectation that has missed samples: those, or the one before it that has the very same."""
    told: list[tuple[Expectation, Expectation | None, list[list[Sample]]]] = []
    share = SAMPLE_BYTES // max(sum(bool(each.raw["failures"]) for each in shown), 1)
    for each in shown:
        same = next((e for e, first, _ in told if not first and e.raw["failures"] == each.raw["failures"]), None)
        if each.raw["failures"]:
            failures = [known(failure) for failure in each.raw["failures"]]
            place = functools.partial(_sample_place, places, each.anchor)
            told.append((each, same, [] if same else pairs(failures, share, place)))
    return told


def _not_tested(shown: Iterable[Expectation], raw: Record) -> list[tuple[str, Expectation | None]]:
    """What this run says nothing of, with the expectation that it concerns."""
    judged = {each.raw["test"] for each in shown}
    told: list[tuple[str, Expectation | None]] = [
        (f"{counted(each['count'], 'expectation')}: {each['reason']}", None) for each in raw["deselected"]
    ]
    told += [
        (f"{test} was planned and not judged", None) for test in raw["plan"].get("tests", ()) if test not in judged
    ]
    if limit := raw["settings"].get("limit"):
        told.append((f"more than {limit} rows of each task: the run was limited", None))
    for each in shown:
        groups = [known(group) for group in each.raw["groups"]]
        silent = [short(label(group["group"])) for group in groups if group["value"] is None]
        gone = sum(group["left_out"] or 0 for group in groups)
        unanswered = sum(group["statuses"].get(status, 0) for group in groups for status in ("error", "missing"))
        lines = [
            (silent, f"no evidence of {', '.join(silent)}"),
            (gone, f"{counted(gone, 'row')} left out"),
            (unanswered, f"{counted(unanswered, 'sample')} without an answer"),
        ]
        told += [(line, each) for holds, line in lines if holds]
    return told


def _sample_place(places: Places, at: str, sample: str) -> str:
    return places.take(f"{at}.{sample}")


class Move(NamedTuple):
    """A claim of the previous run as it is shown."""

    place: str
    raw: Record
    values: list[str]
    limits: str


def _previous(comparison: Record, places_of: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """What moved since the previous run, what changed its verdict first."""
    moves = []
    for each in map(known, comparison["claims"]):
        keys = ("value_before", "value", "difference")
        decimals = places([each[key] for key in (*keys, "low", "high")])
        limits = each["why"] or within(each["low"], each["high"], decimals)
        values = [number(each[key], decimals) for key in keys]
        moves.append(Move(places_of.get((each["test"], each["claim"]), "top"), each, values, limits))
    moves.sort(key=lambda move: move.raw["outcome_before"] == move.raw["outcome"])
    changed = sum(move.raw["outcome_before"] != move.raw["outcome"] for move in moves)
    return {"raw": known(comparison), "moves": moves, "changed": changed}


def when(moment: str) -> str:
    """A moment for people.

    >>> when("2026-11-23T20:32:44+00:00")
    '23 November 2026, 20:32 UTC'
    """
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{read.day} {read:%B %Y, %H:%M} {read.tzname() or ''}".strip()


def fact(value: Any) -> Markup:
    """Any recorded value: hashes shortened, names breakable after each of their parts.

    >>> fact(None), fact({}), fact(1572), fact("suites/a.py")
    (Markup('not recorded'), Markup('none'), Markup('1,572'), Markup('suites/<wbr>a.<wbr>py'))
    """
    match value:
        case None:
            text = "not recorded"
        case bool():
            text = "yes" if value else "no"
        case int() | float():
            text = number(value, 2 if isinstance(value, float) else 0)
        case str():
            text = value or "none"
        case _:
            text = json.dumps(value, ensure_ascii=False) if value else "none"
    if digest := re.fullmatch(r"(?:sha256:)?([0-9a-f]{12})[0-9a-f]{8,}", text):
        return Markup('<abbr title="{}"><code>{}…</code></abbr>').format(text, digest[1])
    return Markup(re.sub(r"(?<=[_./:,(])(?=[^\W\d])", "<wbr>", str(escape(text))))


@functools.cache
def _templates() -> jinja2.Environment:
    return environment(counted, exact, fact, label, measure, number, ratio_of, short, statuses, when)


def environment(*filters: Callable[..., Any], autoescape: bool = True) -> jinja2.Environment:
    """Our templates, with these functions as filters by their names."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("fairprobe.report"), autoescape=autoescape, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {each.__name__.strip("_"): each for each in filters}
    return made
