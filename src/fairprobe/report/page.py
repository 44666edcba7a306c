"""Results to one HTML page: what is shown, in which order and where on an axis; the templates hold the markup."""

from __future__ import annotations

import base64
import difflib
import functools
import hashlib
import itertools
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NO_EVIDENCE = "no evidence"
BY = " \N{MULTIPLICATION SIGN} "
SHOWN_PAIRS = 20
SHOWN_CHARACTERS = 4000

# the order of the page: what blocks a release first
OUTCOMES = {
    "fail": ("Fail", "fails", "fail"),
    "invalid": ("Invalid", "is invalid", "are invalid"),
    "inconclusive": ("Inconclusive", "is inconclusive", "are inconclusive"),
    "error": ("Error", "ended in an error", "ended in an error"),
    "pass": ("Pass", "passes", "pass"),
}
SECTIONS = {
    "expectations": "Expectations",
    "groups": "Groups by metric",
    "missed": "Missed samples",
    "guards": "Guards and caveats",
    "provenance": "Plan and provenance",
    "not-tested": "What was not tested",
}
# what an older file may lack
VERDICT: dict[str, Any] = {
    "test": "", "expression": "", "claim": None, "model": None, "baseline": None, "outcome": "error",
    "value": None, "low": None, "high": None, "confidence": None, "scope": None, "comparison": None,
    "bound": None, "between": None, "p_value_pass": None, "p_value_fail": None, "p_value_pass_holm": None,
    "p_value_fail_holm": None, "samples": None, "clusters": None, "needed": None, "method": None,
    "mode": "prove", "question": None, "reference": None, "metric": None, "columns": None, "error": None,
    "range": None, "equal_groups": None, "because": (), "guards": (), "caveats": (), "groups": (),
    "failures": (), "expected_failure": False,
}  # fmt: skip
GROUP: dict[str, Any] = {
    "group": {}, "value": None, "low": None, "high": None, "samples": None, "clusters": None, "statuses": {},
}  # fmt: skip
FAILURE: dict[str, Any] = {
    "sample": None, "group": {}, "pair": None, "prompt": None, "response": None, "target": None, "score": None,
    "status": None,
}  # fmt: skip
RESULTS: dict[str, Any] = {
    "fairprobe": None, "started": None, "command": None, "seed": None, "complete": True, "interrupted": False,
    "seconds": {}, "checkpoints": (), "engine": {}, "suite": {}, "data": (), "requests": {}, "rounds": (),
    "settings": {}, "versions": {}, "waivers": (), "verdicts": (), "deselected": (), "release": {},
    "profile": None, "plan": {},
}  # fmt: skip


def render(results: Mapping[str, Any]) -> str:
    """`results.json` as one page that loads nothing and runs nothing."""
    style = _templates().get_template("style.css").render().strip()
    page = (
        _templates()
        .get_template("page.html")
        .render(page=_page(results), sections=SECTIONS, style=Markup(style), policy=policy(style))
    )
    return _printable(page)


def policy(style: str) -> str:
    """The content security policy of a page whose only active part is one known style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def anchors(tests: Iterable[str]) -> list[str]:
    """The fragment of each test, in their order: the last part of its id, numbered where that repeats.

    >>> anchors(["a.py::test_gap", "a.py::test_langs[swh]", "b.py::test_gap"])
    ['test_gap', 'test_langs-swh', 'test_gap-2']
    """
    taken = set(SECTIONS) | {"top"}
    return [_unused(_fragment(test), taken) for test in tests]


def _fragment(test: str) -> str:
    path, bracket, case = test.partition("[")
    return re.sub(r"[^\w-]+", "-", path.split("::")[-1] + bracket + case).strip("-") or "expectation"


def _unused(name: str, taken: set[str]) -> str:
    names = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
    chosen = next(candidate for candidate in names if candidate not in taken)
    taken.add(chosen)
    return chosen


# --- numbers ---------------------------------------------------------------------------------------------


def finite(value: Any) -> float | None:
    """The number, or None where there is none: null, not a number, infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def places(numbers: Iterable[float | None]) -> int:
    """The fewest decimals, two or three as a rule, with which different numbers still look different.

    >>> places([0.12, 0.08, 0.16, 0.05]), places([0.0499, 0.05]), places([128.25, 97.5])
    (2, 4, 0)
    """
    known = {n for n in numbers if n is not None}
    largest = max(map(abs, known), default=1.0) or 1.0
    start = min(4, max(0, 2 - math.floor(math.log10(largest)))) if not 0.02 <= largest < 10 else 2
    choices = (d for d in range(start, start + 3) if len({f"{n:.{d}f}" for n in known}) == len(known))
    return next(choices, start + 2)


def number(value: float | None, decimals: int = 2) -> str:
    """A number as it is printed: with a true minus, and never a minus zero.

    >>> number(0.123), number(-0.001), number(None)
    ('0.12', '0.00', 'no evidence')
    """
    if finite(value) is None or value is None:
        return NO_EVIDENCE
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}" if text.strip("-0.,") else "")


def p_value(p: float | None) -> str:
    """A p-value as it is printed in a sentence.

    >>> p_value(0.00021), p_value(0.042), p_value(0.99999)
    ('< 0.001', '= 0.042', '> 0.999')
    """
    known = finite(p)
    if known is None:
        return f": {NO_EVIDENCE}"
    if 0.0005 <= known < 0.9995:
        return f"= {known:.2f}" if 0.1 <= known < 0.99 else f"= {known:.3f}"
    return "< 0.001" if known < 0.5 else "> 0.999"


def count(value: Any) -> str:
    """A count as it is printed: 12,800."""
    known = finite(value)
    return "not recorded" if known is None else f"{known:,.0f}"


def fact(value: Any) -> str:
    """Any recorded value as text."""
    if value is None or value in ("", [], {}, ()):
        return "not recorded"
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case str() | int():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)


def _short(value: Any) -> str:
    text = fact(value)
    return text if len(text) <= 16 else f"{text.removeprefix('sha256:').removeprefix('sha256-')[:12]}…"


def counted(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> counted(1, "expectation"), counted(2, "expectation")
    ('1 expectation', '2 expectations')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


# --- axes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """An axis: where a number lies between its ends, in per cent of the width."""

    low: float
    high: float

    @classmethod
    def over(cls, numbers: Iterable[float | None], limits: Sequence[Any] | None = None) -> Scale:
        """The axis that shows all numbers with some air, inside the limits where there are any."""
        known = [n for n in numbers if n is not None]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        air = 0.12 * (high - low) or 0.1 * abs(high) or 0.1
        floor, ceiling = (finite(limits[0]), finite(limits[1])) if limits and len(limits) == 2 else (None, None)
        return cls(
            low - air if floor is None or not floor <= low else max(floor, low - air),
            high + air if ceiling is None or not high <= ceiling else min(ceiling, high + air),
        )

    def share(self, value: float) -> float:
        """0 at the left end, 100 at the right one."""
        return min(100.0, max(0.0, 100 * (value - self.low) / ((self.high - self.low) or 1.0)))

    def at(self, value: float) -> str:
        """The position as an SVG length."""
        return f"{self.share(value):.2f}%"

    def width(self, start: float, end: float) -> str:
        """A distance as an SVG length."""
        return f"{abs(self.share(end) - self.share(start)):.2f}%"

    def ticks(self, about: int = 4) -> list[Tick]:
        """Round numbers along the axis.

        >>> [tick.text for tick in Scale(-0.01, 0.21).ticks()]
        ['0', '0.05', '0.1', '0.15', '0.2']
        """
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
        step = next((m * power for m in (1, 2, 5) if rough <= m * power * 1.2), 10 * power)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [
            Tick(self.at(k * step), _signed(f"{k * step:.6g}") if k else "0", self.anchor(k * step))
            for k in range(first, min(last, first + 20) + 1)
        ]

    def anchor(self, value: float) -> str:
        """Which end of a label to fasten at a position so that it stays inside."""
        share = self.share(value)
        return "start" if share < 6 else "end" if share > 94 else "middle"


class Tick(NamedTuple):
    """A round number on an axis."""

    x: str
    text: str
    anchor: str


@dataclass(frozen=True)
class Span:
    """A value with its limits, placed on an axis; what is not known is not drawn."""

    x: str | None
    low: str | None
    high: str | None

    @classmethod
    def on(cls, scale: Scale, value: float | None, low: float | None, high: float | None) -> Span:
        """Place three numbers."""
        return cls(*(None if n is None else scale.at(n) for n in (value, low, high)))


class Bound(NamedTuple):
    """Where a claim's bound lies, and the side of it on which the claim holds."""

    x: str
    start: str
    width: str
    label: str
    side: str


def _bound(scale: Scale, bound: float | None, comparison: str | None) -> Bound | None:
    if bound is None or not comparison:
        return None
    start, end = (scale.low, bound) if comparison.startswith("<") else (bound, scale.high)
    share = scale.share(bound)
    inside = "end" if comparison.startswith("<") else "start"
    outside = "start" if inside == "end" else "end"
    room = share if inside == "end" else 100 - share
    side = inside if room >= 40 or room >= 100 - room else outside
    return Bound(scale.at(bound), scale.at(start), scale.width(start, end), _claimed(comparison, bound), side)


def _claimed(comparison: str | None, bound: float) -> str:
    signs = {">=": "\N{GREATER-THAN OR EQUAL TO}", "<=": "\N{LESS-THAN OR EQUAL TO}", None: ""}
    return f"{signs.get(comparison, comparison)}\N{NO-BREAK SPACE}{_signed(f'{bound:.6g}')}".strip()


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Chart:
    """One expectation's limits against its bound."""

    scale: Scale
    span: Span
    bound: Bound | None
    equal_groups: str | None
    value: str
    value_anchor: str
    title: str


# --- one expectation -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A group in a table: its numbers, its place in the forest plot, how far it lies behind the highest."""

    label: str
    value: str
    limits: str
    samples: str
    clusters: str
    statuses: str
    span: Span
    tint: str
    decides: bool


@dataclass(frozen=True)
class Forest:
    """The groups of an expectation, highest first, on one axis."""

    columns: str
    measured: str
    rows: list[Row]
    scale: Scale
    bound: Bound | None
    reference: str | None


@dataclass(frozen=True)
class Expectation:
    """A verdict as it is shown."""

    anchor: str
    outcome: str
    word: str
    claim: str
    lead: str
    value: str
    about: str
    limits: str
    equal: str | None
    expected: str | None
    chart: Chart | None
    forest: Forest | None
    facts: list[tuple[str, str]]
    fired: list[Mapping[str, Any]]
    raw: Mapping[str, Any]


def _expectation(anchor: str, verdict: Mapping[str, Any]) -> Expectation:
    raw = _with(VERDICT, verdict)
    outcome = raw["outcome"] if raw["outcome"] in OUTCOMES else "error"
    value, low, high, bound = (finite(raw[key]) for key in ("value", "low", "high", "bound"))
    decimals = places([value, low, high, bound])
    claim = raw["claim"] or raw["expression"] or raw["test"]
    limits = _limits(raw, low, high, decimals)
    return Expectation(
        anchor=anchor,
        outcome=outcome,
        word=OUTCOMES[outcome][0],
        claim=claim,
        lead=_lead(raw),
        value=number(value, decimals),
        about=_between(raw),
        limits=limits,
        equal=None if (equal := finite(raw["equal_groups"])) is None else number(equal, decimals),
        expected=None if bound is None else _claimed(raw["comparison"], bound),
        chart=None if value is None else _chart(raw, decimals, f"{OUTCOMES[outcome][0]}: {claim}. {limits}"),
        forest=_forest(raw) if raw["groups"] else None,
        facts=_facts(raw),
        fired=[guard for guard in raw["guards"] if guard.get("outcome") != "pass"],
        raw=raw,
    )


def _lead(raw: Mapping[str, Any]) -> str:
    above = str(raw["comparison"] or "").startswith(">")
    match raw["question"]:
        case "gap" if raw["reference"]:
            return f"Furthest from {raw['reference']}:"
        case "gap":
            return "Largest gap"
        case "by":
            return "Lowest group" if above else "Highest group"
        case "ratio":
            return "Smallest over largest"
        case "overall":
            return "Overall"
        case _:
            return "Measured"


def _between(raw: Mapping[str, Any]) -> str:
    names = [name for group in raw["between"] or () if (name := label(group)) != raw["reference"]]
    return f"between {names[0]} and {names[1]}" if len(names) == 2 else f"at {names[0]}" if names else ""


def _limits(raw: Mapping[str, Any], low: float | None, high: float | None, decimals: int) -> str:
    sides = [f"above {number(low, decimals)}"] if low is not None else []
    sides += [f"below {number(high, decimals)}"] if high is not None else []
    if not sides:
        return "No limits: no evidence."
    each = f"{100 * confidence:.4g}\N{NO-BREAK SPACE}% each side" if (confidence := finite(raw["confidence"])) else ""
    size = counted(int(clusters), "cluster") if (clusters := finite(raw["clusters"])) is not None else ""
    basis = ", ".join(filter(None, (each, size)))
    return f"Shown {' and '.join(sides)}" + (f" ({basis})." if basis else ".")


def _chart(raw: Mapping[str, Any], decimals: int, title: str) -> Chart:
    value, low, high, bound, equal = (finite(raw[key]) for key in ("value", "low", "high", "bound", "equal_groups"))
    zero = 0.0 if raw["question"] == "gap" else None
    # a gap's limits may lie outside the range of the values that it compares
    scale = Scale.over([value, low, high, bound, equal, zero], None if zero == 0 else raw["range"])
    return Chart(
        scale=scale,
        span=Span.on(scale, value, low, high),
        bound=_bound(scale, bound, raw["comparison"]),
        equal_groups=None if equal is None else scale.at(equal),
        value=number(value, decimals),
        value_anchor=scale.anchor(value or 0.0),
        title=title,
    )


def _forest(raw: Mapping[str, Any]) -> Forest:
    groups = [_with(GROUP, group) for group in raw["groups"]]
    groups.sort(key=lambda group: -_or(finite(group["value"]), -math.inf))
    numbers = [finite(group[key]) for group in groups for key in ("value", "low", "high")]
    bound = finite(raw["bound"]) if raw["question"] in {"by", "overall"} else None
    scale = Scale.over([*numbers, bound], raw["range"])
    decimals = min(3, places([finite(group["value"]) for group in groups]))
    highest = finite(groups[0]["value"])
    unit = _unit(raw["range"], [finite(group["value"]) for group in groups])
    decisive = {label(name) for name in raw["between"] or ()}
    reference = next((g["value"] for g in groups if label(g["group"]) == str(raw["reference"])), None)
    return Forest(
        columns=BY.join(raw["columns"] or groups[0]["group"]) or "group",
        measured=("change in " if ".change()" in str(raw["claim"]) else "") + str(raw["metric"] or "value"),
        rows=[
            Row(
                label=label(group["group"]),
                value=number(finite(group["value"]), decimals),
                limits=_range(finite(group["low"]), finite(group["high"]), decimals),
                samples=count(group["samples"]),
                clusters=count(group["clusters"]),
                statuses=_statuses(group["statuses"]),
                span=Span.on(scale, *(finite(group[key]) for key in ("value", "low", "high"))),
                tint=tint(finite(group["value"]), highest, unit),
                decides=label(group["group"]) in decisive,
            )
            for group in groups
        ],
        scale=scale,
        bound=_bound(scale, bound, raw["comparison"]),
        reference=None if finite(reference) is None else scale.at(float(reference or 0)),
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _range(low: float | None, high: float | None, decimals: int) -> str:
    return NO_EVIDENCE if low is None and high is None else f"{number(low, decimals)} to {number(high, decimals)}"


def _statuses(statuses: Mapping[str, int]) -> str:
    others = [f"{n:,} {status}" for status, n in statuses.items() if status != "ok" and n]
    return ", ".join(others) if others else "all ok" if statuses.get("ok") else "not recorded"


def label(group: Any) -> str:
    """A group's name: its values, or "all samples" where nothing divides them.

    >>> label({"dialect": "en_in", "sex": "f"}), label({}), label("en_us")
    ('en_in · f', 'all samples', 'en_us')
    """
    if isinstance(group, str):
        return group
    values = group.values() if hasattr(group, "values") else group or ()
    return " · ".join("none" if value is None else str(value) for value in values) or "all samples"


def tint(value: float | None, highest: float | None, unit: float) -> str:
    """A class for how far a value lies below the highest one, in steps of 2, 5, 10 and 20 per cent of the unit.

    >>> tint(0.7, 0.71, 1.0), tint(0.59, 0.71, 1.0), tint(None, 0.71, 1.0)
    ('h0', 'h3', 'none')
    """
    if value is None or highest is None:
        return "none"
    return f"h{sum((highest - value) / unit >= step - 1e-9 for step in (0.02, 0.05, 0.1, 0.2))}"


def _unit(limits: Sequence[Any] | None, values: Iterable[float | None]) -> float:
    low, high = (finite(limits[0]), finite(limits[1])) if limits and len(limits) == 2 else (None, None)
    if low is not None and high is not None and high > low:
        return high - low if high > 1 else 1.0
    known = [value for value in values if value is not None]
    return (max(known) - min(known) if known else 0.0) or 1.0


def _facts(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The small print: how the verdict was reached."""
    modes = {"prove": "prove (blocks unless shown)", "alarm": "alarm (does not block)"}
    scopes = {"population": "population, beyond these samples", "benchmark": "benchmark, these samples only"}
    pairs: list[tuple[str, str | None]] = [
        ("For the claim", _evidence(raw["p_value_pass"], raw["p_value_pass_holm"])),
        ("Against it", _evidence(raw["p_value_fail"], raw["p_value_fail_holm"])),
        ("Size", _size(raw)),
        ("Would settle it", None if raw["needed"] is None else f"about {count(raw['needed'])} clusters"),
        ("Mode", modes.get(raw["mode"], raw["mode"])),
        ("Scope", scopes.get(raw["scope"], raw["scope"])),
        ("Method", raw["method"]),
        ("Checkpoints", " against ".join(filter(None, (raw["model"], raw["baseline"]))) or None),
    ]
    return [(name, str(value)) for name, value in pairs if value]


def _evidence(p: float | None, holm: float | None) -> str | None:
    if finite(p) is None:
        return None
    return f"p {p_value(p)}" + ("" if finite(holm) is None else f", {p_value(holm).removeprefix('= ')} after Holm")


def _size(raw: Mapping[str, Any]) -> str | None:
    sizes = [(raw["samples"], "sample"), (raw["clusters"], "cluster")]
    return ", ".join(counted(int(n), noun) for n, noun in sizes if finite(n) is not None) or None


# --- missed samples --------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """Some text, and whether it differs from its counterpart."""

    text: str
    differs: bool


@dataclass(frozen=True)
class Sample:
    """One response, with what differs from the pair's other sample."""

    label: str
    word: str
    tone: str
    prompt: list[Piece]
    response: list[Piece]
    raw: Mapping[str, Any]


class Pair(NamedTuple):
    """Samples that ask several groups the same."""

    name: str | None
    samples: list[Sample]


class Missed(NamedTuple):
    """The pairs that are shown, and how many more there are in results.json."""

    pairs: list[Pair]
    more: int


def _missed(failures: Iterable[Mapping[str, Any]]) -> Missed:
    full = [_with(FAILURE, failure) for failure in failures]
    keys = [raw["pair"] if raw["pair"] is not None else (n,) for n, raw in enumerate(full)]
    blocks = [[raw for _, raw in run] for _, run in itertools.groupby(zip(keys, full, strict=True), lambda p: p[0])]
    return Missed([_pair(block) for block in blocks[:SHOWN_PAIRS]], max(0, len(blocks) - SHOWN_PAIRS))


def _pair(block: Sequence[Mapping[str, Any]]) -> Pair:
    """Every sample against the first one answered right, and that one against the first of the others."""
    anchor = next((raw for raw in block if _is_right(raw)), block[0])
    other = next((raw for raw in block if raw is not anchor), anchor)
    return Pair(
        None if block[0]["pair"] is None else str(block[0]["pair"]),
        [_sample(raw, other if raw is anchor else anchor) for raw in block],
    )


def _sample(raw: Mapping[str, Any], other: Mapping[str, Any]) -> Sample:
    score = finite(raw["score"])
    word, tone = (
        ("not scored", "error")
        if score is None
        else ("right", "pass")
        if _is_right(raw)
        else ("missed", "fail")
        if score == 0
        else (f"scored {number(score)}", "inconclusive")
    )
    return Sample(
        label=label(raw["group"]),
        word=word,
        tone=tone,
        prompt=differences(_cut(raw["prompt"]), _cut(other["prompt"])),
        response=differences(_cut(raw["response"]), _cut(other["response"])),
        raw=raw,
    )


def _is_right(raw: Mapping[str, Any]) -> bool:
    return (finite(raw["score"]) or 0) >= 1


def _cut(text: Any) -> str:
    whole = "" if text is None else text.strip() if isinstance(text, str) else fact(text)
    more = len(whole) - SHOWN_CHARACTERS
    return whole if more <= 0 else f"{whole[:SHOWN_CHARACTERS]}… ({more:,} more characters)"


# scripts without spaces are compared by character, all others by word, so that no cluster of marks is cut
_SINGLE = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff.,;:!?\"()\[\]…“”«»।、。"
_WORD = re.compile(rf"([{_SINGLE}]|[^\s{_SINGLE}]+|^)(\s*)")


def differences(text: str, other: str) -> list[Piece]:
    """The text in pieces, with the words that the other text does not have in their place.

    >>> differences("I lost my torch.", "I lost my flashlight.")
    [Piece(text='I lost my ', differs=False), Piece(text='torch', differs=True), Piece(text='.', differs=False)]
    """
    if not text or not other or text == other:
        return [Piece(text, differs=False)] if text else []
    words, gaps = zip(*_WORD.findall(text), strict=True)
    theirs = [word for word, _ in _WORD.findall(other)]
    new = _new(words, theirs)
    # two languages or two unrelated texts: marking every word would say nothing
    if min(len(words), len(theirs)) > 4 and sum(new) > 0.75 * len(new):
        return [Piece(text, differs=False)]
    inner = [here and after for here, after in itertools.pairwise([*new, False])]
    parts = itertools.chain.from_iterable(zip(zip(new, words, strict=True), zip(inner, gaps, strict=True), strict=True))
    runs = [("".join(part for _, part in run), new) for new, run in itertools.groupby(parts, lambda part: part[0])]
    return [Piece(run, differs) for run, differs in runs if run]


def _new(words: Sequence[str], theirs: Sequence[str]) -> list[bool]:
    """For each word whether it is new against the others, their common beginning set aside."""
    same = next(
        (k for k, (a, b) in enumerate(zip(words, theirs, strict=False)) if a != b), min(len(words), len(theirs))
    )
    new = [False] * len(words)
    matcher = difflib.SequenceMatcher(None, words[same:], theirs[same:], autojunk=False)
    for tag, start, end, _, _ in matcher.get_opcodes():
        new[same + start : same + end] = [tag != "equal"] * (end - start)
    return new


# --- the page --------------------------------------------------------------------------------------------


class Heat(NamedTuple):
    """Groups by metrics."""

    columns: str
    measures: list[str]
    rows: list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class Page:
    """All that the templates show."""

    title: str
    headline: str
    holds: bool
    alerts: list[str]
    notes: list[str]
    expectations: list[Expectation]
    heats: list[Heat]
    missed: list[tuple[Expectation, Expectation | None, Missed]]
    guards: list[tuple[Expectation, Mapping[str, Any]]]
    held: list[tuple[str, int]]
    facts: dict[str, list[tuple[str, str]]]
    raw: Mapping[str, Any]


def _page(results: Mapping[str, Any]) -> Page:
    raw = _with(RESULTS, results)
    names = anchors(str(verdict.get("test") or "") for verdict in raw["verdicts"])
    shown = [_expectation(name, verdict) for name, verdict in zip(names, raw["verdicts"], strict=True)]
    order = list(OUTCOMES)
    shown.sort(key=lambda expectation: order.index(expectation.outcome))
    guards = [(expectation, guard) for expectation in shown for guard in expectation.raw["guards"]]
    holds = bool(shown) and all(not _blocks(e) for e in shown) and not _alerts(raw)
    return Page(
        title=" · ".join(filter(None, (_tally(shown), _model(raw), "fairprobe"))),
        headline=_headline(shown, raw["profile"]),
        holds=holds,
        alerts=_alerts(raw),
        notes=_notes(shown, raw),
        expectations=shown,
        heats=_heats(shown),
        missed=_told_once(shown),
        guards=[(expectation, guard) for expectation, guard in guards if guard.get("outcome") != "pass"],
        held=list(Counter(str(g.get("name")) for _, g in guards if g.get("outcome") == "pass").items()),
        facts=_provenance(raw),
        raw=raw,
    )


def _blocks(expectation: Expectation) -> bool:
    raw = expectation.raw
    return expectation.outcome != "pass" and raw["mode"] != "alarm" and not raw["expected_failure"]


def _tally(shown: Sequence[Expectation]) -> str:
    counts = Counter(expectation.outcome for expectation in shown)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])


def _model(raw: Mapping[str, Any]) -> str:
    return next((str(c.get("name")) for c in raw["checkpoints"] if c.get("role") == "model"), "")


def _headline(shown: Sequence[Expectation], profile: str | None) -> str:
    """The run in one sentence."""
    counts = Counter(expectation.outcome for expectation in shown)
    if not shown:
        return "No expectation was judged."
    opening = (
        "A sample run makes no claim"
        if profile == "sample"
        else "Not every claim was shown"
        if any(_blocks(expectation) for expectation in shown)
        else "Every claim was shown"
    )
    if set(counts) == {"pass"}:
        return f"{opening}: {'it passes' if len(shown) == 1 else f'all {len(shown)} expectations pass'}."
    parts = [f"{n} {OUTCOMES[outcome][1 if n == 1 else 2]}" for outcome in OUTCOMES if (n := counts[outcome])]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{opening}: of {counted(len(shown), 'expectation')}, {listed}."


def _alerts(raw: Mapping[str, Any]) -> list[str]:
    """What must be said before anything else."""
    planned, judged = raw["plan"].get("expectations"), len(raw["verdicts"])
    short = isinstance(planned, int) and planned > judged
    alerts = []
    if raw["interrupted"]:
        alerts.append("Interrupted: the run was stopped before it had judged everything it planned.")
    if raw["release"].get("complete") is False or not raw["complete"] or short:
        of = f" {judged} of {planned} planned expectations were judged." if short else ""
        alerts.append(f"Not complete: this is not a verdict on the whole suite.{of}")
    return alerts


def _notes(shown: Sequence[Expectation], raw: Mapping[str, Any]) -> list[str]:
    alarms = [expectation for expectation in shown if expectation.raw["mode"] == "alarm"]
    rang = sum(expectation.outcome == "fail" for expectation in alarms)
    quiet = sum(expectation.outcome == "pass" for expectation in alarms)
    expected = sum(bool(expectation.raw["expected_failure"]) for expectation in shown)
    waived = len(raw["waivers"]) or sum(
        guard.get("outcome") == "waived" for expectation in shown for guard in expectation.raw["guards"]
    )
    sets = sum(int(finite(entry.get("count")) or 0) for entry in raw["deselected"])
    notes = [
        (len(alarms), f"{counted(len(alarms), 'alarm')}, which do not block: {rang} rang, {quiet} passed."),
        (expected, f"{counted(expected, 'failure')} expected."),
        (waived, f"{counted(waived, 'guard')} waived."),
        (sets, f"{counted(sets, 'expectation')} not tested."),
    ]
    return [text for n, text in notes if n]


def measure(claim: str) -> str:
    """What a claim measures, without its question and bound.

    >>> measure("accuracy(clues).change().gap('dialect') < 0.05"), measure("f1(qa) > 0.5")
    ('accuracy(clues).change()', 'f1(qa)')
    """
    ends = [position for word in (".gap(", ".by(", ".ratio(") if (position := claim.rfind(word)) > 0]
    return claim[: max(ends)] if ends else re.split(r"\s[<>]=?\s(?=[^<>]*$)", claim)[0]


def _heats(shown: Iterable[Expectation]) -> list[Heat]:
    tables: dict[tuple[str, ...], dict[str, dict[str, float | None]]] = {}
    limits: dict[str, Any] = {}
    for expectation in shown:
        name = measure(expectation.claim)
        limits.setdefault(name, expectation.raw["range"])
        for group in (_with(GROUP, entry) for entry in expectation.raw["groups"]):
            if group["group"]:
                column = tables.setdefault(tuple(group["group"]), {}).setdefault(name, {})
                value = finite(group["value"])
                if column.get(label(group["group"])) is None:
                    column[label(group["group"])] = value
    return [_heat(BY.join(columns), table, limits) for columns, table in tables.items()]


def _heat(columns: str, table: Mapping[str, Mapping[str, float | None]], limits: Mapping[str, Any]) -> Heat:
    groups = list(dict.fromkeys(group for column in table.values() for group in column))
    highest = {name: max((v for v in column.values() if v is not None), default=None) for name, column in table.items()}
    units = {name: _unit(limits[name], column.values()) for name, column in table.items()}
    decimals = {name: min(3, places(column.values())) for name, column in table.items()}
    rows = [
        (
            group,
            [
                (number(column[group], decimals[name]), tint(column[group], highest[name], units[name]))
                if group in column
                else ("not asked", "none")
                for name, column in table.items()
            ],
        )
        for group in sorted(groups)
    ]
    return Heat(columns, list(table), rows)


def _told_once(shown: Iterable[Expectation]) -> list[tuple[Expectation, Expectation | None, Missed]]:
    """Each expectation that has missed samples: those, or the one before it that has the very same."""
    told: list[tuple[Expectation, Expectation | None, Missed]] = []
    for expectation in (e for e in shown if e.raw["failures"]):
        first = next((e for e, same, _ in told if not same and e.raw["failures"] == expectation.raw["failures"]), None)
        told.append((expectation, first, Missed([], 0) if first else _missed(expectation.raw["failures"])))
    return told


def _provenance(raw: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    run = [
        ("Started", when(raw["started"])),
        ("fairprobe", raw["fairprobe"]),
        ("Profile", raw["profile"]),
        ("Seed", raw["seed"]),
        ("Suite commit", raw["suite"].get("commit")),
        ("Uncommitted changes", raw["suite"].get("dirty")),
    ]
    tables: dict[str, Iterable[tuple[str, Any]]] = {
        "Run": run,
        "Seconds": raw["seconds"].items(),
        "Requests": raw["requests"].items(),
        "Rounds": [(f"round {n}", later) for n, later in enumerate(raw["rounds"], 2)],
        "Engine": raw["engine"].items(),
        "Settings": raw["settings"].items(),
        "Versions": raw["versions"].items(),
    }
    return {
        name: [
            (key.replace("_", " "), count(value) if name == "Requests" else "none" if value is None else fact(value))
            for key, value in rows
        ]
        for name, rows in tables.items()
        if list(rows)
    }


def when(moment: Any) -> str:
    """A moment for people; what is not an ISO date is shown as it stands.

    >>> when("2026-11-23T20:32:44+00:00")
    '23 November 2026, 20:32 UTC'
    """
    try:
        read = datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        return fact(moment)
    return f"{read.day} {read:%B %Y, %H:%M} {read.tzname() or ''}".strip()


def breakable(text: Any) -> Markup:
    """A name that may be broken after each of its parts."""
    return Markup(re.sub(r"(?<=[_./:,])(?=[^\W\d])", "<wbr>", str(escape(fact(text)))))


def _with(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given over the defaults; a null where a default is not null counts as not given."""
    return {**defaults, **{key: value for key, value in given.items() if value is not None}}


# a model may print control characters and halves of surrogate pairs: show them, never emit them
_VISIBLE = {c: 0x2400 + c for c in range(32) if chr(c) not in "\t\n"} | {127: 0x2421}


def _printable(page: str) -> str:
    return re.sub(r"[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", page.replace("\r\n", "\n")).translate(_VISIBLE)


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fairprobe.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        count=count,
        fact=fact,
        short=_short,
        label=label,
        measure=measure,
        when=when,
        breakable=breakable,
    )
    environment.globals.update(counted=counted)
    return environment
