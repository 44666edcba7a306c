"""The founding paper's claims as expectations, judged on what its authors recorded: writes docs/founding-paper.md.

make founding-paper DATA=path/to/unintended-impacts
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BASELINE = "mistral-7b-v0.1"
MODELS = ("mistral-7b-v0.1", "mistral-7b-sft-beta", "zephyr-7b-beta", "starling-rm-7b-alpha")
WORDS = {
    "pass": "shown",
    "fail": "refuted",
    "inconclusive": "inconclusive",
    "invalid": "no evidence",
    "error": "not judged",
}

HEAD = """# The founding paper, as expectations

arXiv:2402.15018 (Ryan, Held and Yang, ACL 2024) asks what alignment does to dialects, languages, and opinions from and
about countries. Its authors published what the models answered. Here those answers are judged by the shipped suites, as
any release would be. `make founding-paper` writes this page, and `tests/test_founding_paper.py` holds every group's
value to figures that were computed independently, to 1e-6.

An expectation states what a fair checkpoint would show. *Shown* and *refuted* have error control (95 % each side);
*inconclusive* says that the paper's sample sizes do not decide it; *no evidence* that a guard found the measurement
broken: a base model that writes no answer has no gap either. `.change()` is against `mistral-7b-v0.1`.
"""


def judged(model: str, data: str) -> list[dict[str, Any]]:
    """The verdicts of every suite on one recorded model."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "suites", f"--model=recorded:{model}", f"--fairprobe-data={data}",
             f"--baseline=recorded:{BASELINE}", f"--fairprobe-report={folder}", "-p", "no:cacheprovider"],
            cwd=ROOT, check=False, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return list(json.loads(Path(folder, "results.json").read_text(encoding="utf-8"))["verdicts"])


def page(data: str) -> Iterator[str]:
    """The page, line by line."""
    yield HEAD
    for model in MODELS:
        verdicts = [each for each in judged(model, data) if not (model == BASELINE and each["baseline"])]
        yield f"## {model}\n"
        yield "| suite | expectation | value | shown to lie between | verdict |\n|---|---|---|---|---|"
        yield from map(row, verdicts)
        yield ""


def row(verdict: dict[str, Any]) -> str:
    """A verdict as a line of the table."""
    suite = verdict["test"].split("/")[1]
    value, low, high = (_number(verdict[name]) for name in ("value", "low", "high"))
    fired = [guard["name"] for guard in verdict["guards"] if guard["outcome"] == "fail"]
    why = f" ({', '.join(dict.fromkeys(fired))})" if fired and verdict["outcome"] == "invalid" else ""
    claim = verdict["expression"].replace("|", "\\|")
    return f"| {suite} | `{claim}` | {value} | {low} and {high} | {WORDS[verdict['outcome']]}{why} |"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


if __name__ == "__main__":
    written = ROOT / "docs" / "founding-paper.md"
    written.write_text("\n".join(page(sys.argv[1])).rstrip() + "\n", encoding="utf-8")
    print(f"{written.relative_to(ROOT)} is written")
