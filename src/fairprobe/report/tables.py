"""Tables for a terminal, which rich sizes and colours: a run's verdicts, and what moved between two runs."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from fairprobe.report.anchors import anchor
from fairprobe.report.expectation import Record, by_urgency, label
from fairprobe.report.figures import counted, exact, number, places, within
from fairprobe.report.printable import printable, short

STYLES = {"pass": "green", "fail": "bold red", "invalid": "magenta", "inconclusive": "yellow", "error": "red"}
FACTS = ("test", "value", "shown within", "claim", "size", "decides")
MOVES = ("test", "was", "is", "value was", "value is", "moved by", "shown within", "lost", "won")
WIDE = 110
"""Columns of a terminal from which on a verdict has one line."""
MOST = 20
"""Verdicts that are listed; passes beyond that are counted."""


def summary(results: Record, width: int) -> Table:
    """Each verdict with its value, limits and bound, its size, and the groups that decide; what blocks comes first.

    Where a terminal has not the `width` for columns, these stand below the test's name.
    """
    is_wide = width >= WIDE
    table = new_table("verdict", *(FACTS if is_wide else ("test",)))
    for column in table.columns[2:-1]:
        column.justify = "right"
    verdicts = by_urgency(results)
    for each in verdicts[:MOST]:
        facts = facts_of(each)
        cells = facts.values() if is_wide else ["\n".join(filter(None, (facts.pop("test"), _in_a_line(facts))))]
        table.add_row(_word(each), *map(Text, cells))
    if len(verdicts) > MOST:
        table.add_row("", f"and {len(verdicts) - MOST} more, all on the page")
    return table


def moved(comparison: Record, width: int) -> Table:
    """Each claim's verdict and value then and now, how far it moved, and the samples lost and won."""
    is_wide = width >= WIDE
    table = new_table(*(MOVES if is_wide else ("test",)))
    for column in table.columns[3:]:
        column.justify = "right"
    for each in comparison["claims"]:
        moves = _moves(each)
        test, *others = moves
        said = ", ".join(f"{head} {moves[head]}" for head in others if moves[head])
        table.add_row(*map(Text, moves.values() if is_wide else (f"{moves[test]}\n{said}",)))
    return table


def _moves(each: Record) -> dict[str, str]:
    decimals = places([each[name] for name in ("value_before", "value", "difference", "low", "high")])
    limits = f"not known: {printable(each['why'])}" if each["why"] else within(each["low"], each["high"], decimals)
    flips = ("" if each[name] is None else f"{each[name]:,}" for name in ("lost", "won"))
    return dict(zip(MOVES, (
        printable(anchor(each["test"])), each["outcome_before"], each["outcome"],
        number(each["value_before"], decimals), number(each["value"], decimals),
        "" if each["difference"] is None else number(each["difference"], decimals), limits, *flips,
    ), strict=True))  # fmt: skip


def new_table(*heads: str) -> Table:
    """A table without lines."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _word(each: Record) -> Text:
    alarm = " (alarm)" if each["mode"] == "alarm" else ""
    expected = " (expected)" if each["expected_failure"] else ""
    return Text(f"{each['outcome']}{alarm}{expected}", style=STYLES[each["outcome"]])


def facts_of(each: Record) -> dict[str, str]:
    """What a line says of a verdict, by its head: test, value, limits, bound, size, and the groups that decide."""
    decimals = places([each[name] for name in ("value", "low", "high", "bound")])
    exactly = each["value"] is not None and each["low"] == each["value"] == each["high"]
    return {
        "test": printable(anchor(each["test"])),
        "value": number(each["value"], decimals),
        "shown within": "exactly" if exactly else within(each["low"], each["high"], decimals),
        "claim": "" if each["bound"] is None else f"{each['comparison']} {exact(each['bound'])}",
        "size": counted(each["clusters"], "cluster") if each["clusters"] else "",
        "decides": _decides(each),
    }


def _in_a_line(facts: Record) -> str:
    limits = facts["shown within"] and f" ({facts['shown within']})"
    said = (
        f"{facts['value']}{limits}",
        facts["claim"] and f"expected {facts['claim']}",
        facts["size"],
        facts["decides"],
    )
    return ", ".join(filter(None, said))


def _decides(each: Record) -> str:
    """The groups that the value is of, each with its own; the lowest first."""
    values = {label(group["group"]): group["value"] for group in each["groups"]}
    names = sorted(each["between"], key=lambda name: (values.get(name) is None, values.get(name) or 0.0))
    decimals = places([values.get(name) for name in names])
    return printable(" / ".join(f"{short(name)}: {number(values.get(name), decimals)}" for name in names))
