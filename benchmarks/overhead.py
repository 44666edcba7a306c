"""What a run spends outside its engine: a real pytest run of 10,000 short requests to a model of 55 million parameters.

    python benchmarks/overhead.py [--quick]

Counted are CPU seconds of one thread, of the whole process but for the import of other packages, which is the same for
one request: pytest itself, collecting, planning, tokenising, keeping answers, judging and the report stand against what
the engine's `answers` takes. The exit status is 1 where they are more than 5 % of the whole.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# our requests.py would stand before the package of that name, which others import
sys.path[0] = str(HERE / "engines")

from prose import Writer  # noqa: E402

from checkpoints import M60, checkpoint  # noqa: E402

REQUESTS, FEW = 10_000, 1_000
MOST = 0.05
WORDS = 11
GROUPS = ("north", "south", "east", "west")
SUITE = """
from fairprobe import MultipleChoice, accuracy

claims = MultipleChoice("claims.jsonl", "{claim}", options=("A", "B"), answer="answer", scoring="text")

test_groups_are_equal = accuracy(claims).gap("group") < 0.05
test_each_group_is_understood = accuracy(claims).by("group") > 0.3
"""


def suite(folder: Path, count: int) -> Path:
    """A suite of one task with so many different samples."""
    writer, texts = Writer(seed=7), dict[str, None]()
    while len(texts) < count:
        texts[" ".join(writer.sentence().split()[:WORDS])] = None
    rows = [
        {"claim": text, "answer": "AB"[number % 2], "group": GROUPS[number % 4]} for number, text in enumerate(texts)
    ]
    made = folder / "suite"
    made.mkdir()
    made.joinpath("test_overhead.py").write_text(SUITE, encoding="utf-8")
    made.joinpath("claims.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return made


def installed(folder: Path) -> Path:
    """A folder for `PYTHONPATH` in which the timed engine is installed, as a package of its own would be."""
    made = folder / "packages"
    known = made / "timed_engine-1.dist-info"
    known.mkdir(parents=True)
    known.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: timed-engine\nVersion: 1\n", encoding="utf-8")
    known.joinpath("entry_points.txt").write_text("[fairprobe.engines]\ntimed = timed_engine\n", encoding="utf-8")
    shutil.copy(HERE / "timed_engine.py", made)
    return made


def run(folder: Path, count: int) -> dict[str, float]:
    """The CPU seconds of one run, and of its parts."""
    report, times = folder / "report", folder / "times.json"
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "timed_engine", str(suite(folder, count)),
        f"--model={checkpoint(M60)}", "--fairprobe-engine=timed", f"--fairprobe-store={folder / 'store'}",
        f"--fairprobe-report={report}",
    ]  # fmt: skip
    path = os.pathsep.join(filter(None, [str(installed(folder)), os.environ.get("PYTHONPATH")]))
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    environment = {**os.environ, **alone, "PYTHONPATH": path, "FAIRPROBE_TIMES": str(times), "HF_HUB_OFFLINE": "1"}
    # an installed package is compiled once, not at every run
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = json.loads((report / "results.json").read_text(encoding="utf-8")) if report.is_dir() else {}
    if results.get("requests", {}).get("asked") != count:
        sys.exit(f"{count} requests should have been asked:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    whole = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    tokens = results["requests"]["prompt_tokens"]
    return {"whole": whole, "tokens": tokens, **json.loads(times.read_text(encoding="utf-8"))}


def main() -> int:
    """Print where the time went; 1 where too much of it went elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help=f"{FEW} requests: whether it works; the share is not judged"
    )
    given = parser.parse_args()
    count = FEW if given.quick else REQUESTS
    with tempfile.TemporaryDirectory() as folder:
        spent = run(Path(folder), count)
    whole = spent["whole"] - spent["imports"]
    outside = whole - spent["answering"]
    print(f"{count:,} requests of {spent['tokens'] / count:.1f} tokens; CPU seconds, one thread")
    for name, seconds in (
        ("the whole, but for imports", whole),
        ("the engine's answers", spent["answering"]),
        ("  calls of the model in them", spent["model"]),
        ("outside", outside),
        ("  tokenising", spent["tokenising"]),
        ("imports, not in the whole", spent["imports"]),
    ):
        print(f"  {name:32}{seconds:8.2f}  {seconds / whole:6.1%}")
    print(f"outside the engine's answers: {outside / whole:.1%}, at most {MOST:.0%}")
    return 1 if not given.quick and outside / whole > MOST else 0


if __name__ == "__main__":
    sys.exit(main())
