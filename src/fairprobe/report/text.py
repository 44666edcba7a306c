"""What a terminal shows: a verdict that reads from the top, and the run in one sentence."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairprobe.audit import Audit
from fairprobe.power import Foresight
from fairprobe.report.anchors import anchor
from fairprobe.report.counterexamples import smallest
from fairprobe.report.expectation import PART_WORDS, known, label
from fairprobe.report.figures import counted, gone, places, stopping
from fairprobe.report.printable import printable
from fairprobe.statistics import POWER

WORDS = {
    "pass": "shown", "fail": "shown not to hold", "inconclusive": "not decided", "invalid": "not measured",
    "error": "not judged",
}  # fmt: skip
MOST_GROUPS = 12
WORTH = 0.05
"""The least share of a distance that is worth a word."""
SOON = 14
"""Days before the last one of a known gap from which on it is told."""
NOTICED = 1e-3
"""Nats by which asking again may move a likelihood without a word."""


def failure(entry: Mapping[str, Any], page: str) -> str:
    """Why a verdict is no pass: the value and its limits, the groups, the guards that fired, where to look."""
    lines = [_headline(entry), *_groups(entry), *_guards(entry), *_made_of(entry)]
    if early := stopping(entry):
        lines.append(f"  {early}")
        if entry["outcome"] == "inconclusive" and not any(group.get("unasked") for group in entry["groups"]):
            lines.append("  all were asked: --fairprobe-stop=full judges these answers more sharply, and asks nothing")
    elif entry["outcome"] == "inconclusive":
        lines.append(_needed(entry))
    lines += _counterexamples(entry)
    # what is shown of a change is what its model missed
    by = " by the model" if entry["baseline"] else ""
    missed = f"{entry['missed']} of {entry['answered']} samples missed{by}  " if entry["missed"] else ""
    lines.append(f"  {missed}{page}#{anchor(entry['test'])}")
    # a line that begins with two colons is a command to GitHub, whoever named the group
    return re.sub(r"^(\s*)::", r"\1: :", printable("\n".join(lines)), flags=re.MULTILINE)


def _counterexamples(entry: Mapping[str, Any]) -> list[str]:
    """How many minimal counterexamples there are, and what the smallest difference is."""
    found = entry.get("counterexamples") or []
    if not found:
        return []
    unstable = sum(each.get("stable") is False for each in found)
    said = f"  {counted(len(found), 'minimal counterexample')}"
    said += f", {unstable} of them unstable" if unstable else ""
    least = smallest(found)
    return [said + (f"; the smallest difference: {least}" if least else "")]


def banner(results: Mapping[str, Any]) -> str:
    """The run in one sentence; each verdict is counted once."""
    counts = Counter(map(_standing, results["verdicts"]))
    left = sum(each["count"] for each in results.get("deselected", []))
    waived = len(results.get("waivers", []))
    said = [
        *(f"{counts[name]} {word}{_by_holm(results, name)}" for name, word in WORDS.items() if counts[name]),
        *([f"{counted(counts['quiet'], 'alarm')} did not ring"] if counts["quiet"] else []),
        *([counted(counts["expected"], "expected failure") + _expiring(results)] if counts["expected"] else []),
    ] or ["nothing judged"]
    said += [f"{counted(waived, 'guard')} waived"] if waived else []
    said += [f"{left} deselected"] if left else []
    tried = (results.get("attempts") or {}).get("sentence")
    return " ".join(filter(None, (f"{', '.join(said)}.", results["release"]["sentence"], tried)))


def engine_lines(results: Mapping[str, Any]) -> list[str]:
    """What to know of the engine: what failed, how it had to run a model, and noise that could turn an answer."""
    engine = results.get("engine", {})
    noise = [
        f"of {each['requests']} choices that the {role} was asked again, the likelihoods moved by up to "
        f"{each['nats']:.2g} nats, and {each['changed']} fell on another option"
        for role, each in engine.get("noise", {}).items()
        if each["nats"] > NOTICED or each["changed"]
    ]
    failures = [
        f"{counted(each['requests'], 'request')} to the {role} failed; the first: {each['first']}"
        for role, each in engine.get("failures", {}).items()
    ]
    return [printable(f"engine {engine['name']}: {line}") for line in [*failures, *engine.get("notes", ()), *noise]]


def stopping_lines(results: Mapping[str, Any]) -> list[str]:
    """What early stopping spared."""
    early = [each for each in results["verdicts"] if each.get("e_values")]
    if not early:
        return []
    before_the_end = sum(any(group.get("unasked") for group in each["groups"]) for each in early)
    requests = results["requests"]
    share = f"{requests['spared']:,} of {requests['distinct']:,} requests were not asked"
    return [f"early stopping: {before_the_end} of {len(early)} that may stop did, before the end; {share}"]


MOST_NEEDED = 1_000_000
"""Clusters from which on a number says no more than that there are never so many."""


def power_lines(foreseen: Sequence[Foresight]) -> list[str]:
    """What expectations could decide, as a table, with what its columns mean below it."""
    if not foreseen:
        return []
    head = ["", "samples", "clusters", "can pass", "a pass at", "a fail at", "needs"]
    rows = [head, *map(_foreseen, foreseen)]
    notes = [
        "can pass: whether the best answers that there could be would pass",
        f"a pass at, a fail at: true values that are shown with a probability of {POWER:.0%}; none: no value is",
        f"needs: about how many clusters in all the smallest group takes for a pass ({POWER:.0%}), if there is no gap",
    ]
    if any(each.assumed for each in foreseen):
        notes += [
            "*: nobody's answers are kept, so 70 % right ones are assumed (for a floor or ceiling, half way from it to",
            "   the best), correlated by half in a cluster. Name a --model that was asked before to use its answers",
        ]
    return ["fairprobe: what could be decided", *_aligned(rows, 1), *(f"  {note}" for note in notes)]


def audit_lines(audits: Sequence[Audit]) -> list[str]:
    """What expectations say of kept answers drawn again, as a table, with what its columns mean below it."""
    if not audits:
        return []
    sizes = sorted({size for each in audits for size in each.planted})
    head = ["", "says", "flips", "false fails", *(f"-{size:g}" for size in sizes), "notices", "by its power"]
    rows = [head, *(_audited(each, sizes) for each in audits)]
    notes = [
        "says: of the kept answers, guards aside; flips: how often the same answers drawn again say otherwise",
        f"false fails: how often it fails in {audits[0].draws} draws in which nothing sets groups or checkpoints apart",
        "-0.05: how often it fails where one group was made 0.05 worse; notices: from which on in four of five draws",
        "by its power: from which value on fairprobe power says so",
    ]
    faults = [f"  {each.expectation.claim} {fault}" for each in audits for fault in each.faults]
    sound = [] if faults else ["  nothing is wrong with any of them"]
    return ["fairprobe: what could be trusted", *_aligned(rows, 1), *(f"  {note}" for note in notes), *faults, *sound]


def _audited(found: Audit, sizes: Sequence[float]) -> list[str]:
    """A row of the table of an audit."""

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}" if value < 0.1 else f"{value:.0%}"

    planted = [share(found.planted.get(size)) for size in sizes]
    noticed = "" if not found.planted else "none" if found.noticed is None else f"{found.noticed:g}"
    foreseen = "" if found.foreseen is None or not math.isfinite(found.foreseen) else f"{found.foreseen:.3f}"
    return [
        repr(found.expectation), found.outcome, share(found.flips), share(found.false_fails), *planted, noticed,
        foreseen,
    ]  # fmt: skip


def number(value: float | None, decimals: int = 3) -> str:
    """A number as people write it, or that there is none.

    >>> number(0.12345), number(0.0004, 4), number(1234.5, 0), number(None)
    ('0.123', '0.0004', '1,234', 'no evidence')
    """
    return "no evidence" if value is None else f"{value:,.{decimals}f}"


def _standing(entry: Mapping[str, Any]) -> str:
    """Under what the banner counts a verdict: its outcome, or what it is instead of a claim that was not shown."""
    if entry["outcome"] == "pass":
        return "pass"
    if entry.get("expected_failure"):
        return "expected"
    return "quiet" if entry["mode"] == "alarm" and not entry["red"] else str(entry["outcome"])


def _expiring(results: Mapping[str, Any]) -> str:
    """How many of the failures that are expected will soon be red."""
    gaps = [each.get("known_gap") for each in results["verdicts"] if _standing(each) == "expected"]
    soon = sum(gap["days_left"] <= SOON for gap in gaps if gap)
    return f" ({soon} expiring within {SOON} days)" if soon else ""


def _by_holm(results: Mapping[str, Any], outcome: str) -> str:
    """How many of the fails stand if the suite is read as one list of claims."""
    judged = [each for each in results["verdicts"] if each["p_value_fail"] is not None]
    if outcome != "fail" or len(judged) < 2:
        return ""
    fails = [each for each in judged if _standing(each) == "fail"]
    stand = sum(each["p_value_fail_holm"] < 1 - each["confidence"] for each in fails)
    return f" ({stand} after Holm's correction for the suite)"


def _decimals(entry: Mapping[str, Any]) -> int:
    """Three, fewer of large numbers, or as many as tell the value and its limits from the bound."""
    told = [entry[name] for name in ("value", "low", "high", "bound")]
    # a limit on the bound is the number next to it
    return max(_usual(told), places(None if each is None else round(each, 12) for each in told))


def _usual(told: Iterable[float | None]) -> int:
    """How many decimals numbers of a size have."""
    largest = max((abs(each) for each in told if each is not None), default=0.0)
    return 3 if largest < 10 else 1 if largest < 1000 else 0


def _headline(entry: Mapping[str, Any]) -> str:
    expected = f"expected {entry['comparison']} {entry['bound']:g}"
    question = entry["claim"].removesuffix(f" {entry['comparison']} {entry['bound']!r}")
    if entry["value"] is None:
        why = entry["error"] or "; ".join(entry["caveats"]) or "there is no evidence"
        return f"{question} was not measured: {why}; {expected}"
    value, low, high = (number(entry[name], _decimals(entry)) for name in ("value", "low", "high"))
    clusters = counted(entry["clusters"], "cluster") + (
        f", each a {entry['candidates']}" if entry["candidates"] else ""
    )
    limits = f"shown above {low} and below {high} ({100 * entry['confidence']:.4g} % each side, {clusters})"
    if entry["low"] == entry["value"] == entry["high"]:
        limits = "exactly, of these samples"
    return f"{question} is {value}, {limits}, {expected}: {WORDS[entry['outcome']]}"


def _groups(entry: Mapping[str, Any]) -> list[str]:
    groups: Sequence[Mapping[str, Any]] = entry["groups"]
    if not groups:
        return []
    decimals = max(
        _decimals(entry) if entry["question"] in {"by", "overall"} else 0, _usual(g["value"] for g in groups)
    )
    silent = gone(groups)
    rows = [
        [*map(str, group["group"].values()), number(group["value"], decimals), str(group["samples"]),
         *(str(group[name]) for name, _ in silent)]
        for group in groups
    ]  # fmt: skip
    named = {*(entry["between"] or ()), entry["reference"]}
    speaking = sorted(range(len(rows)), key=lambda place: _sort_key(groups[place], entry))
    # the groups that decide are never cut
    told = sorted(speaking, key=lambda place: label(groups[place]["group"]) not in named)[:MOST_GROUPS]
    worst = [place for place in speaking if place in told]
    head = [*entry["columns"], entry["heading"], "n", *(word for _, word in silent)]
    lines = _aligned([head, *(rows[place] for place in worst)], len(entry["columns"]))
    hidden = len(groups) - len(worst)
    return [*lines, f"  and {hidden} more groups"] if hidden else lines


def _aligned(table: Sequence[Sequence[str]], labels: int) -> list[str]:
    """Rows of cells in columns: the first `labels` to the left, numbers to the right."""
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    return [
        "  " + "  ".join(
            cell.ljust(width) if place < labels else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]  # fmt: skip


def _foreseen(foresight: Foresight) -> list[str]:
    """A row of the table of power."""
    expectation, power = foresight.expectation, foresight.power
    said = {True: "yes", False: "no", None: "unknown"}[foresight.can_pass]
    cells = [repr(expectation), f"{foresight.samples:,}", f"{foresight.clusters:,}", said]
    if foresight.exact:
        return [*cells, f"{expectation.comparison} {expectation.bound:g}", "any other", "these"]
    if power is None:
        return [*cells, "unknown", "unknown", "unknown"]
    least, most = foresight.ends or (-math.inf, math.inf)
    question = expectation.question
    if question.kind == "gap" and (question.reference is None or question.two_sided):
        least = max(least, 0.0)
    usual = _usual(each for each in (power.below, power.above) if math.isfinite(each))
    low = f"<= {number(power.below, usual)}" if power.below >= least and math.isfinite(power.below) else "none"
    high = f">= {number(power.above, usual)}" if power.above <= most and math.isfinite(power.above) else "none"
    passes, fails = (low, high) if expectation.comparison in {"<", "<="} else (high, low)
    passes = passes if foresight.can_pass is not False else "none"
    unknown = "never" if math.isfinite(power.below) else "unknown"
    needed = unknown if power.needed is None else _most(power.needed)
    return [*cells, *(f"{each}*" if foresight.assumed else each for each in (passes, fails, needed))]


def _most(count: int) -> str:
    return f"{count:,}" if count < MOST_NEEDED else f"over {MOST_NEEDED:,}"


def _sort_key(group: Mapping[str, Any], entry: Mapping[str, Any]) -> float:
    """The groups that speak most against the claim first."""
    value: float | None = group["value"]
    if value is None:
        return float("-inf")
    return -value if entry["question"] in {"by", "overall"} and entry["comparison"] in {"<", "<="} else value


def _guards(entry: Mapping[str, Any]) -> list[str]:
    return [f"  guard {each['name']}: {each['detail']}" for each in entry["guards"] if each["outcome"] == "fail"]


def _made_of(entry: Mapping[str, Any]) -> list[str]:
    """What the distance of the group furthest behind is made of, where a part of it is not the answers' own."""
    bars = known(entry)["diagnosis"]
    if not bars:
        return []
    worst = max(bars, key=lambda each: float(each["value"]))
    told = {name: part for name, part in worst["parts"].items() if abs(part) >= WORTH * abs(worst["value"])}
    if not told.keys() - {"rest"}:
        return []
    said = ", ".join(f"{part:.3f} {PART_WORDS[name]}" for name, part in told.items())
    return [f"  of the {worst['value']:.3f} that {worst['group']} lies behind {worst['other']}: {said}"]


def _needed(entry: Mapping[str, Any]) -> str:
    if entry["needed"] is not None:
        there = "in the smallest group, which has" if entry["columns"] else "where there are"
        return (
            f"  about {entry['more_samples']:,} more samples would decide it: {entry['needed']:,} clusters "
            f"{there} {entry['clusters']:,}"
        )
    if entry["clusters"] == 1:
        return "  a group has one cluster, so nothing is known of how clusters vary: give it more"
    if math.isclose(entry["value"], entry["bound"], rel_tol=1e-9, abs_tol=1e-9):
        return "  no number of samples like these would decide it: the value lies at the bound"
    if str(entry["method"]).endswith("imputed against the claim"):
        return "  samples were not answered, and their answers could turn it: see to those first"
    return "  more samples like these would not decide it at this value"
