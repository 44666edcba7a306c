"""One verdict as it is shown: the sentence, the axis of its picture, its groups and the small print."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from fairprobe.report.counterexamples import Counterexamples, counterexamples
from fairprobe.report.figures import Scale, counted, exact, gone, number, p_value, places, stopping, tint
from fairprobe.report.printable import short

Record = Mapping[str, Any]
Facts = list[tuple[str, Any]]

BY_URGENCY = ("fail", "invalid", "inconclusive", "error", "pass")
"""Outcomes, what blocks a release first."""
LOW_IS_GOOD = {"mean_rank", "bits_per_byte", "tokens_per_sample", "refusal_rate", "truncation_rate", "self_bleu"}

# what a file may lack and is no None
EMPTY: Record = {
    "outcome": "error", "test": "", "comparison": "", "because": (), "guards": (), "caveats": (), "groups": (),
    "between": (), "columns": (), "failures": (), "group": {}, "statuses": {}, "seconds": {}, "checkpoints": (),
    "engine": {}, "suite": {}, "sides": {}, "data": (), "requests": {}, "rounds": (), "settings": {}, "versions": {},
    "waivers": (), "tasks": (), "diagnosis": (),
    "counterexamples": (), "verdicts": (), "deselected": (), "release": {}, "plan": {},
}  # fmt: skip


def known(given: Record) -> Record:
    """What was given; what is missing is empty or None."""
    return defaultdict(lambda: None, {**EMPTY, **{key: held for key, held in given.items() if held is not None}})


def blocks(raw: Record) -> bool:
    """Whether a verdict stops a release."""
    return raw["outcome"] != "pass" and raw["red"] is not False and not raw["expected_failure"]


def by_urgency(results: Record) -> list[Record]:
    """The verdicts of a run, what blocks a release first."""
    return sorted(map(known, known(results)["verdicts"]), key=lambda each: BY_URGENCY.index(each["outcome"]))


def name_of(results: Record, role: str = "model") -> str | None:
    """What the checkpoint that played a role is called."""
    return next((each.get("name") for each in known(results)["checkpoints"] if each.get("role") == role), None)


class Row(NamedTuple):
    """A group in a table: its numbers, how far it lies behind the best."""

    raw: Record
    tint: str
    behind: float
    decides: bool


class Forest(NamedTuple):
    """The groups of an expectation, highest first, on one axis; a share is a number that needs no unit."""

    columns: str
    measured: str
    is_share: bool
    gone: list[tuple[str, str]]
    """Which counts of samples that say nothing there are, and their words."""
    sides: list[str]
    rows: dict[str, Row]
    decimals: int
    scale: Scale
    bound: bool
    reference: Row | None

    def told(self, most: int) -> dict[str, Row]:
        """As many rows, in their order: those that decide, then those that lie furthest behind."""
        if len(self.rows) <= most:
            return self.rows
        behind = sorted(self.rows, key=lambda name: (not self.rows[name].decides, -self.rows[name].behind))[:most]
        return {name: row for name, row in self.rows.items() if name in {*behind}}


class Segment(NamedTuple):
    """A part of a group's distance, as a piece of a bar: where it begins and how wide it is, in per cent."""

    name: str
    said: str
    x: float
    width: float


class Bar(NamedTuple):
    """A group's distance from another, and what it is made of. A part that lessens it is said and not drawn."""

    group: str
    other: str
    value: str
    segments: list[Segment]


@dataclass(frozen=True)
class Expectation:
    """A verdict as it is shown."""

    anchor: str
    raw: Record
    value: str
    limits: str
    equal: str
    chance: str
    caveats: list[str]
    scale: Scale
    forest: Forest | None
    bars: list[Bar]
    counterexamples: Counterexamples | None

    @property
    def outcome(self) -> str:
        """One of the five outcomes."""
        return str(self.raw["outcome"])

    @property
    def claim(self) -> str:
        """What was claimed, as source."""
        return str(self.raw["claim"] or self.raw["expression"] or self.raw["test"])

    @property
    def expected(self) -> str | None:
        """The claim in words."""
        bound, sign = self.raw["bound"], self.raw["comparison"]
        sign = {">=": "\N{GREATER-THAN OR EQUAL TO}", "<=": "\N{LESS-THAN OR EQUAL TO}"}.get(sign, sign)
        return None if bound is None else f"{sign}\N{NO-BREAK SPACE}{exact(bound)}"

    @property
    def gap(self) -> str:
        """That its failure is expected, until when and why; or was, until a day that has passed."""
        gap = self.raw["known_gap"]
        if gap and (gap["days_left"] < 0 or self.raw["expected_failure"]):
            return f"{'was ' if gap['days_left'] < 0 else ''}expected to fail until {gap['until']}: {gap['reason']}"
        return "failure expected" if self.raw["expected_failure"] else ""

    @property
    def lead(self) -> str:
        """What the value is."""
        lowest = self.raw["comparison"].startswith(">")
        # the highest rank is the first one to some readers
        end = "group" if self.raw["range"] else "value"
        leads = {
            "gap": f"Furthest from {self.raw['reference']}:" if self.raw["reference"] else "Largest gap",
            "by": f"{'Lowest' if lowest else 'Highest'} {end}",
            "ratio": "Smallest over largest",
            "overall": "Overall",
        }
        return leads.get(self.raw["question"], "Measured")

    @property
    def between(self) -> str:
        """The groups that decide."""
        # a number alone would be read as a value
        columns = " x ".join(self.raw["columns"])
        names = [
            f"{columns} {name}" if name.isnumeric() else short(name)
            for name in self.raw["between"]
            if name != self.raw["reference"]
        ]
        return f"between {' and '.join(names)}" if len(names) == 2 else f"at {names[0]}" if names else ""

    @property
    def is_graded(self) -> bool:
        """Whether its samples are neither right nor missed, but scored by degree."""
        return self.raw["missed"] is None

    @property
    def reading(self) -> str:
        """Which of its samples are shown."""
        failures = self.raw["failures"]
        if not self.is_graded:
            by = " by the model" if self.raw["baseline"] else ""
            return f"{self.raw['missed']:,} of {counted(self.raw['answered'] or 0, 'sample')} missed{by}"
        if any(one.get("pair") and one.get("pair") == next_.get("pair") for one, next_ in pairwise(failures)):
            return "Pairs whose scores lie furthest apart"
        return f"Samples with the {'highest' if _low_is_good(self.raw) else 'lowest'} scores"

    @property
    def facts(self) -> Facts:
        """The small print: how the verdict was reached."""
        raw = self.raw
        scopes = {"population": "population, beyond these samples", "benchmark": "benchmark, these samples only"}
        sizes = [counted(raw[name], name[:-1]) for name in ("samples", "clusters") if raw[name] is not None]
        smallest = " in the smallest group" if len(raw["groups"]) > 1 and raw["clusters"] is not None else ""
        facts = [
            ("For the claim", _evidence(raw["p_value_pass"], raw["p_value_pass_holm"])),
            ("Against it", _evidence(raw["p_value_fail"], raw["p_value_fail_holm"])),
            ("Size", ", ".join(sizes) + smallest),
            ("Would settle it", _settling(raw) if raw["needed"] else None),
            ("Scope", scopes.get(raw["scope"], raw["scope"])),
            ("Method", raw["method"]),
            ("Early stopping", stopping(raw)),
            ("Compared with", raw["baseline"]),
        ]
        return [(name, fact) for name, fact in facts if fact]


def expectation(place: str, raw: Record) -> Expectation:
    """A verdict as it is shown at a place."""
    decimals = places([raw[key] for key in ("value", "low", "high", "bound")])
    said = {f"{guard['name']}: {guard['detail']}" for guard in raw["guards"]}
    # a gap is read from zero
    seen = [raw[key] for key in ("value", "low", "high", "bound", "equal_groups", "chance")]
    return Expectation(
        anchor=place,
        raw=raw,
        value=number(raw["value"], decimals),
        limits=_limits(raw, decimals),
        equal="" if raw["equal_groups"] is None else number(raw["equal_groups"], decimals),
        chance="" if raw["chance"] is None else number(raw["chance"], decimals),
        caveats=[caveat for caveat in raw["caveats"] if caveat not in said],
        scale=Scale.over([*seen, 0.0 if raw["question"] == "gap" else None]),
        forest=_forest(raw) if raw["groups"] and (raw["columns"] or len(raw["groups"]) > 1) else None,
        bars=_bars(raw["diagnosis"], decimals),
        counterexamples=counterexamples(raw["counterexamples"]),
    )


PART_WORDS = {
    "invalid": "invalid answers", "truncated": "truncated", "length": "length of prompts",
    "position": "position of the option", "rest": "the rest",
}  # fmt: skip
"""What a group's distance is made of, in words."""
MOST_BARS = 6
"""Groups whose distance is taken apart on the page: those furthest behind."""


def _bars(diagnosis: Iterable[Record], decimals: int) -> list[Bar]:
    found = sorted(diagnosis, key=lambda each: -float(each["value"]))[:MOST_BARS]
    widest = max((sum(max(part, 0.0) for part in each["parts"].values()) for each in found), default=0.0) or 1.0
    bars = []
    for each in found:
        x, segments = 0.0, []
        for name, part in each["parts"].items():
            width = 100 * max(part, 0.0) / widest
            # what is too small for a number is still drawn
            tells = number(abs(part), decimals).strip("0.")
            said = f"{number(part, decimals)} {PART_WORDS[name]}" if tells else ""
            segments.append(Segment(name, said, x, width))
            x += width
        bars.append(Bar(each["group"], each["other"], number(each["value"], decimals), segments))
    return bars


def _settling(raw: Record) -> str:
    more = raw["more_samples"]
    clusters = f"{raw['needed']:,} clusters in the smallest group"
    return f"about {clusters}" if more is None else f"about {more:,} more samples ({clusters})"


def _limits(raw: Record, decimals: int) -> str:
    if raw["value"] is not None and raw["low"] == raw["value"] == raw["high"]:
        return "Exact for these samples, all of which were asked."
    sides = [f"{side} {number(raw[key], decimals)}" for side, key in (("above", "low"), ("below", "high"))
             if raw[key] is not None]  # fmt: skip
    if not sides:
        return "No limits: no evidence."
    each = raw["confidence"] and f"{100 * raw['confidence']:.4g}\N{NO-BREAK SPACE}% each side"
    candidates = raw["candidates"] and f"each a {raw['candidates']}"
    basis = ", ".join(filter(None, (each, raw["clusters"] and counted(raw["clusters"], "cluster"), candidates)))
    return f"Shown {' and '.join(sides)}{basis and f' ({basis})'}."


def _evidence(p: float | None, holm: float | None) -> str | None:
    after = "" if holm is None else f", {p_value(holm).removeprefix('= ')} after Holm"
    return None if p is None else f"p {p_value(p)}{after}"


def _forest(raw: Record) -> Forest:
    groups = [known(group) for group in raw["groups"]]
    groups.sort(key=lambda group: float("inf") if group["value"] is None else -group["value"])
    values = [group["value"] for group in groups]
    unit = _unit(raw["range"], values)
    sign = -1 if _low_is_good(raw) else 1
    goodness = [None if value is None else sign * value for value in values]
    best = max((value for value in goodness if value is not None), default=None)
    rows = {
        (name := label(group["group"])): Row(group, tint(good, best, unit), _behind(good, best), name in raw["between"])
        for group, good in zip(groups, goodness, strict=True)
    }
    bounded = raw["bound"] is not None and raw["question"] in {"by", "overall"}
    seen = [group[key] for group in groups for key in ("value", "low", "high")]
    return Forest(
        columns=" x ".join(raw["columns"] or groups[0]["group"]),
        measured=str(raw["heading"] or raw["metric"] or "value"),
        is_share=raw["range"] is not None and max(map(abs, raw["range"])) <= 1,
        gone=gone(groups),
        sides=[side for side in ("baseline", "model") if any(side in group["sides"] for group in groups)],
        rows=rows,
        decimals=min(3, places(values)),
        scale=Scale.over([*seen, raw["bound"] if bounded else None, raw["chance"]]),
        bound=bounded,
        reference=rows.get(str(raw["reference"])),
    )


def _behind(good: float | None, best: float | None) -> float:
    """How far a group lies behind the best; one of which nothing is known is read first."""
    return math.inf if good is None or best is None else best - good


def label(group: Record) -> str:
    """A group's name, as verdicts say it.

    >>> label({"dialect": "en_in", "sex": "f"}), label({})
    ('en_in x f', 'all samples')
    """
    return " x ".join(map(str, group.values())) or "all samples"


def statuses(counts: Mapping[str, int]) -> str:
    """What became of a group's samples.

    >>> statuses({"ok": 598, "empty": 2}), statuses({"ok": 600})
    ('2 empty', 'all ok')
    """
    others = ", ".join(f"{n:,} {status}" for status, n in counts.items() if status != "ok" and n)
    return others or ("all ok" if counts else "not recorded")


def _low_is_good(raw: Record) -> bool:
    """Whether a group with a low value fares well: a claim may say so, else the metric does."""
    if raw["question"] in {"by", "overall"}:
        return bool(raw["comparison"].startswith("<"))
    return str(raw["metric"]) in LOW_IS_GOOD


def _unit(limits: tuple[float, float] | None, values: Iterable[float | None]) -> float:
    """What a distance between groups is a share of: the metric's range, or what was seen where it has none."""
    known = [value for value in values if value is not None] or [0.0]
    low, high = limits or (min(known), max(known))
    return (high if limits and low < 0 < high else high - low) or 1.0
