"""What a suite costs, counted: answers wanted against requests asked, first and second run.

    make bench

Counts, not seconds: they are the same on every machine. The peer is a runner that asks test by test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINTS = ROOT / ".fairprobe" / "demo"


def counts(folder: Path, name: str) -> dict[str, int]:
    """The request counts of one run of the demo's suite over its checkpoints."""
    report = folder / name
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "suites" / "demo"),
        f"--model={CHECKPOINTS / 'aligned'}", f"--baseline={CHECKPOINTS / 'base'}",
        f"--fairprobe-store={folder / 'store'}", f"--fairprobe-report={report}",
    ]  # fmt: skip
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, cwd=ROOT)
    return dict(json.loads((report / "results.json").read_text(encoding="utf-8"))["requests"])


def main() -> int:
    """Print the counts; 1 where a request is asked twice."""
    if not (CHECKPOINTS / "aligned").is_dir():
        print("no demo checkpoints: run `make demo` first")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        first, second = counts(Path(folder), "first"), counts(Path(folder), "second")
    print(f"{'':22}{'first run':>12}{'second run':>12}")
    for name in first:
        print(f"{name:22}{first[name]:>12}{second[name]:>12}")
    print(f"\nasked test by test: {first['wanted']} requests; asked once: {first['asked']} "
          f"({first['wanted'] / first['asked']:.2f} times fewer)")  # fmt: skip
    asked_once = first["asked"] == first["distinct"] and second["asked"] == 0
    print("each distinct request was asked once" if asked_once else "a request was asked twice")
    return 0 if asked_once else 1


if __name__ == "__main__":
    sys.exit(main())
