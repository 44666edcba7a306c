"""The founding paper's claims as expectations, judged on what its authors recorded: writes docs/founding-paper.md.

make founding-paper DATA=path/to/unintended-impacts
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BASE, SFT, ZEPHYR, STARLING = "mistral-7b-v0.1", "mistral-7b-sft-beta", "zephyr-7b-beta", "starling-rm-7b-alpha"
STAGES = {
    "base": (BASE, None, f"Before tuning: {BASE}"),
    "sft": (SFT, BASE, f"Supervised tuning: {SFT} against {BASE}"),
    "dpo": (ZEPHYR, SFT, f"Preference tuning: {ZEPHYR} against {SFT}"),
    "zephyr": (ZEPHYR, BASE, f"Both: {ZEPHYR} against {BASE}"),
    "starling": (STARLING, None, f"A reward model: {STARLING}"),
}
"""What a claim's test starts with: the model and the baseline that it is about, and a head."""
WORDS = {
    "pass": "shown",
    "fail": "refuted",
    "inconclusive": "inconclusive",
    "invalid": "no evidence",
    "error": "not judged",
}

NAMES = {
    "us": "US", "usa": "USA", "english": "English", "nigerian": "Nigerian", "indian": "Indian", "americans": "Americans"
}  # fmt: skip
"""Words of a test's name that are written with a capital."""

HEAD = """# The founding paper, as expectations

arXiv:2402.15018 (Ryan, Held and Yang, ACL 2024) asks what alignment does to dialects, languages, and opinions from and
about countries. Its authors published what the models answered. Here those answers are judged. `make founding-paper`
writes this page, and `tests/test_founding_paper.py` holds every group's value to figures that were computed
independently, to 1e-6.

*Shown* and *refuted* have error control (95 % each side, for each expectation by itself); *inconclusive* says that the
paper's sample sizes do not decide it; *no evidence* that a guard found the measurement broken; *not recorded* that a
stage's answers are not there: the other stages are judged without it.

## What the paper claims

From `examples/founding_paper/test_claims.py`. The last column is what the authors print, where we have seen it: values
of ours that differ are what their recorded outputs give.
"""

BETWEEN = """## What the shipped suites expect

An expectation states what a fair checkpoint would show. `.change()` is against `mistral-7b-v0.1`.
"""


def judged(tests: str, model: str, baseline: str | None, data: str, *arguments: str) -> list[dict[str, Any]]:
    """The verdicts of some tests on one recorded model; none where it, or its baseline, is not recorded."""
    against = [f"--baseline=recorded:{baseline}"] if baseline else []
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", tests, f"--model=recorded:{model}", f"--fairprobe-data={data}",
             *against, f"--fairprobe-report={folder}", "-p", "no:cacheprovider", *arguments],
            cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        results = Path(folder, "results.json")
        if results.is_file():
            return list(json.loads(results.read_text(encoding="utf-8"))["verdicts"])
        if "without a recording of" in run.stdout:
            return []
        raise SystemExit(run.stdout)


def page(data: str) -> Iterator[str]:
    """The page, line by line."""
    yield HEAD
    for stage in STAGES:
        yield from claims(stage, data)
    yield BETWEEN
    for model in (BASE, SFT, ZEPHYR, STARLING):
        verdicts = judged("suites", model, None if model == BASE else BASE, data)
        rows = [f"| {each['test'].split('/')[1]} {row(each)}" for each in verdicts]
        yield from table(model, "| suite | expectation | value | shown to lie between | verdict |", rows)


def claims(stage: str, data: str) -> Iterator[str]:
    """What the paper claims of one stage of the chain, as a table."""
    model, baseline, head = STAGES[stage]
    verdicts = judged("examples/founding_paper", model, baseline, data, "-k", f"test_{stage}_")
    rows = [f"| {claim(each, stage)} {row(each)} {', '.join(each['because'])} |" for each in verdicts]
    yield from table(head, "| claim | expectation | value | shown to lie between | verdict | printed |", rows)


def table(title: str, head: str, rows: Sequence[str]) -> Iterator[str]:
    """A section with a table, or the word that there is nothing to put into it."""
    yield f"### {title}\n"
    yield from ([head, "|---" * (head.count("|") - 1) + "|", *rows] if rows else ["Not recorded."])
    yield ""


def claim(verdict: dict[str, Any], stage: str) -> str:
    """What a test's name says, and of which case."""
    name, _, case = verdict["test"].rpartition("::")[2].removeprefix(f"test_{stage}_").partition("[")
    words = " ".join(NAMES.get(word, word) for word in name.split("_"))
    return words + (f": {case.rstrip(']')}" if case else "")


def row(verdict: dict[str, Any]) -> str:
    """A verdict as the common columns of a table."""
    value, low, high = (_number(verdict[name]) for name in ("value", "low", "high"))
    fired = [guard["name"] for guard in verdict["guards"] if guard["outcome"] == "fail"]
    why = f" ({', '.join(dict.fromkeys(fired))})" if fired and verdict["outcome"] == "invalid" else ""
    expression = re.sub(r"\.because\(.*?\)", "", verdict["expression"])  # it has a column of its own
    return f"| `{expression}` | {value} | {low} and {high} | {WORDS[verdict['outcome']]}{why} |"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


if __name__ == "__main__":
    written = ROOT / "docs" / "founding-paper.md"
    written.write_text("\n".join(page(sys.argv[1])).rstrip() + "\n", encoding="utf-8")
    print(f"{written.relative_to(ROOT)} is written")
