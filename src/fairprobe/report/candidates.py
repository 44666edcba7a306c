"""Several candidates of one run on one page: every test by every candidate, in the order in which they were named."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from rich.table import Table
from rich.text import Text

from fairprobe.report import files
from fairprobe.report.anchors import anchor, plain
from fairprobe.report.expectation import Record, known, name_of
from fairprobe.report.files import writing
from fairprobe.report.page import headline, page
from fairprobe.report.printable import printable
from fairprobe.report.schema import CANDIDATES
from fairprobe.report.tables import STYLES, facts_of, new_table


class Cell(NamedTuple):
    """What a candidate's verdict on a test says, and where it is told."""

    outcome: str
    value: str
    limits: str
    place: str


def write_candidates(folder: Path, results: Sequence[Record]) -> Path:
    """Write `candidates.json` and the page that compares them; its path. Raises `FairprobeError` where it cannot."""
    with writing("the comparison of candidates", folder):
        files.write(folder, {
            CANDIDATES: json.dumps([*map(_told, results)], indent=1, ensure_ascii=False, allow_nan=False),
            "index.html": render_candidates(results),
        })  # fmt: skip
    return folder / "index.html"


def render_candidates(results: Sequence[Record]) -> str:
    """The results of several candidates as one page."""
    raw = [known(each) for each in results]
    named = [str(name_of(each)) for each in results]
    candidates = [
        {"name": name, "headline": headline(each), "sentence": each["release"]["sentence"], "page": _page(each)}
        for name, each in zip(named, raw, strict=True)
    ]
    view = {
        "title": f"{', '.join(named)} · fairprobe", "started": raw[0]["started"], "fairprobe": raw[0]["fairprobe"],
        "candidates": candidates, "rows": rows(results),
    }  # fmt: skip
    return page("candidates.html", view)


def rows(results: Sequence[Record]) -> list[tuple[str, str, list[Cell | None]]]:
    """For every test its name without the candidate's, its claim, and each candidate's verdict, if it has one."""
    found: dict[str, dict[int, Record]] = {}
    for at, each in enumerate(results):
        for verdict in map(known, each["verdicts"]):
            found.setdefault(plain(verdict), {})[at] = verdict
    return [
        (test, next(iter(held.values()))["claim"], [
            _cell(held[at], each) if at in held else None for at, each in enumerate(results)
        ])
        for test, held in found.items()
    ]  # fmt: skip


def candidate_table(results: Sequence[Record]) -> Table:
    """Every test by every candidate for a terminal: the outcome and the value."""
    table = new_table("test", *(printable(str(name_of(each))) for each in results))
    for test, _, cells in rows(results):
        said = [Text("not judged") if cell is None else Text(f"{cell.outcome} {cell.value}", STYLES[cell.outcome])
                for cell in cells]  # fmt: skip
        table.add_row(Text(printable(anchor(test))), *said)
    return table


def _cell(verdict: Record, results: Record) -> Cell:
    facts = facts_of(verdict)
    place = f"{_page(results)}#{quote(anchor(verdict['test']))}"
    return Cell(verdict["outcome"], facts["value"], facts["shown within"], place)


def _page(results: Record) -> str:
    return f"{quote(str(_candidate(results)))}/index.html"


def _candidate(results: Record) -> str | None:
    return next((each["candidate"] for each in results["verdicts"] if each.get("candidate")), name_of(results))


def _told(results: Mapping[str, Any]) -> dict[str, Any]:
    """A candidate in a few facts; the rest lies in its own folder."""
    return {
        "name": _candidate(results), "results": f"{_candidate(results)}/results.json", "release": results["release"],
        "verdicts": [
            {name: each.get(name) for name in ("test", "claim", "outcome", "value", "low", "high", "baseline")}
            for each in results["verdicts"]
        ],
    }  # fmt: skip
