"""What the report of a large run costs: a million recorded answers, 122 groups, 40 expectations.

    python benchmarks/report.py [questions]

The page's size, the CPU seconds that writing it takes, and, where a Chromium and Playwright are there, when it is
first painted.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from fairprobe.report import load, render, table
from fairprobe.report import markdown as written_as_markdown

GROUPS, SCORES = 122, 10
QUESTIONS = int(sys.argv[1]) if sys.argv[1:] else 8_197
"""A million answers; the page's size does not depend on it."""
SUITE = """
from fairprobe import Recorded, mean

answers = Recorded("answers.parquet", score={scores!r}, name="answers", pair="question", response="said", target="gold")
{claims}
"""
CLAIMS = (
    "test_gap_{0} = mean(answers, 'score{0}').gap('language') < 0.1",
    "test_floor_{0} = mean(answers, 'score{0}').by('language') > 0.4",
    "test_ratio_{0} = mean(answers, 'score{0}').ratio('language') > 0.8",
    "test_reference_{0} = mean(answers, 'score{0}').gap('language', reference='lang_000') < 0.1",
)


def write_suite(folder: Path) -> None:
    """A million answers of ten scores, each right in 50 to 90 of a hundred, and four claims about each score."""
    rng = np.random.default_rng(0)
    language = np.tile(np.arange(GROUPS), QUESTIONS)
    question = np.repeat(np.arange(QUESTIONS), GROUPS)
    share = rng.uniform(0.5, 0.9, (SCORES, GROUPS))
    pl.DataFrame({
        "language": [f"lang_{each:03}" for each in language],
        "question": question,
        "said": [f"the answer to question {each} is number {each % 17}" for each in question],
        "gold": [f"the answer to question {each} is number {each % 13}" for each in question],
        **{f"score{n}": (rng.random(len(language)) < share[n, language]).astype(float) for n in range(SCORES)},
    }).write_parquet(folder / "answers.parquet")  # fmt: skip
    claims = "\n".join(claim.format(n) for n in range(SCORES) for claim in CLAIMS)
    scores = {f"score{n}": f"score{n}" for n in range(SCORES)}
    (folder / "test_large.py").write_text(SUITE.format(scores=scores, claims=claims))


def first_paint(page: Path) -> str:
    """Milliseconds to the first paint, the best of three windows."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or find_spec("playwright") is None:
        return "no Chromium or no Playwright here"
    from playwright.sync_api import sync_playwright

    painted = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(3):
            window = browser.new_page()
            window.goto(page.as_uri())
            painted.append(window.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            window.close()
        browser.close()
    return f"{min(painted):.0f} ms"


def main() -> None:
    """Run it all in a folder of its own."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_suite(folder)
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=no", "--model=recorded:any",
             f"--fairprobe-report={folder / 'report'}", "-p", "no:cacheprovider", "."],
            cwd=folder, check=False, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        seconds = time.monotonic() - started
        page, file = folder / "report/index.html", folder / "report/results.json"
        results = load(file)
        samples = sum(entry["rows"] for entry in results["samples"])
        print(f"{samples:,} samples, {len(results['verdicts'])} expectations, {GROUPS} groups: {seconds:.0f} s in all")
        print("seconds", json.dumps({name: round(spent, 1) for name, spent in results["seconds"].items()}))
        for name, write in (("index.html", render), ("markdown", written_as_markdown), ("csv", table)):
            before = time.process_time()
            size = len(write(results).encode())
            print(f"{name:12} {size / 1e6:6.2f} MB in {time.process_time() - before:5.2f} s of CPU")
        print(f"results.json {file.stat().st_size / 1e6:6.2f} MB")
        parquet = sum(each.stat().st_size for each in (folder / "report/samples").iterdir())
        print(f"samples      {parquet / 1e6:6.2f} MB")
        print(f"first paint of a page of {page.stat().st_size / 1e6:.2f} MB: {first_paint(page)}")


if __name__ == "__main__":
    main()
