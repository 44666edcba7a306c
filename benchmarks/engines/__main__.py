"""The engine `transformers` beside lm-eval's `hf`: the same texts, the same numbers, and what they cost.

    python benchmarks/engines [--only CASE] [--quick] [--device cuda] [--lm-eval FOLDER]

Both run in turn, each in a process and an environment of its own, with one thread. Timed are the CPU seconds from texts
to answers (imports and weights lie outside), on a GPU the seconds, with a checkpoint of a billion weights and ten times
the items; lm-eval runs at the best of three batch sizes. What is compared are ratios within a pair of runs, and counts;
the exit status is 1 where one misses what is required.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cases
from cases import Case, Item, Tokens

from checkpoints import B1, M5, Shape, checkpoint

HERE = Path(__file__).resolve().parent
LM_EVAL = HERE.parents[1] / ".venv-lmeval"
PAIRS = 3
LOOPED = 24
"""How many prompts are continued one at a time."""
LOOP = 4.0
"""How many times the rate of a loop over prompts is required."""
NEAR, EXTRA = 1e-4, 1.02
SIZES: Mapping[str, tuple[Callable[[int], Case], int, int]] = {
    "text": (cases.text, 120, 24),
    "shots": (cases.shots, 40, 8),
    "letters": (cases.letters, 160, 32),
    "generation": (cases.generation, 128, 32),
}
"""How each case is made, its number of items, and that of a quick run."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error", "LMEVAL_LOG_LEVEL": "ERROR",
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """Where both sides run, on what, and how many items.

    `batches` are the sizes lm-eval may choose from, `writing` the one at which it writes, `swept` the tokens of prompts
    in the sweep over them.
    """

    device: str
    shape: Shape
    batches: tuple[int, ...]
    writing: int
    swept: int
    times: int


SETTINGS = {
    "cpu": Setting("cpu", M5, (1, 8, 32), 32, 4_000, 1),
    "cuda": Setting("cuda", B1, (4, 16, 64), 256, 20_000, 10),
}


@dataclass(frozen=True)
class Run:
    """What one side answered, and what that cost."""

    answers: list[Any]
    seconds: float
    counts: dict[str, int]
    megabytes: float
    versions: dict[str, str]


class Side:
    """A script that answers a case, and the Python that runs it."""

    def __init__(self, python: Path, script: str, device: str) -> None:
        self.python = python
        self.script = HERE / script
        self.device = device

    def runs(self, case: Case, items: Sequence[Item], batches: Sequence[int], folder: Path) -> list[Run]:
        """One run over these items for each batch size, all in one process."""
        order = {
            "folder": str(folder), "items": items, "warm": cases.warm(case), "batches": list(batches),
            "max_tokens": case.max_tokens, "device": self.device,
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as name:
            given, answered = Path(name, "order.json"), Path(name, "results.json")
            given.write_text(json.dumps(order), encoding="utf-8")
            command = [str(self.python), str(self.script), str(given), str(answered)]
            done = subprocess.run(
                command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{' '.join(command[:2])} failed:\n{done.stderr[-4000:]}")
            return [Run(**each) for each in json.loads(answered.read_text(encoding="utf-8"))]

    def run(self, case: Case, items: Sequence[Item], batch: int, folder: Path) -> Run:
        """One run over these items."""
        return self.runs(case, items, [batch], folder)[0]


class Findings:
    """Prints what is found, and remembers what misses its requirement."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self.case = ""

    def begin(self, case: Case, counted: Tokens) -> None:
        """What follows is about this case."""
        self.case = case.name
        print(f"\n{case.title}: {counted}", flush=True)

    def say(self, what: str, value: str, required: str = "", *, holds: bool = True) -> None:
        """A line: what was measured, and what is required of it."""
        verdict = "" if not required else "ok" if holds else "MISSED"
        print(f"  {what:40} {value:32} {required:20} {verdict}".rstrip(), flush=True)
        if not holds:
            self.missed.append(f"{self.case}: {what}: {value}, required {required}")

    def at_least(self, what: str, ratios: Sequence[float], required: float) -> None:
        """The median of the pairs' ratios against a lower bound."""
        told = f"{median(ratios):.2f} times ({min(ratios):.2f}-{max(ratios):.2f})"
        self.say(what, told, f"at least {required:g}", holds=median(ratios) >= required)

    def at_most(self, what: str, value: float, required: float, told: str) -> None:
        """A count or a difference against an upper bound."""
        self.say(what, told, f"at most {required:,g}", holds=value <= required)


def measure(case: Case, sides: Mapping[str, Side], setting: Setting, pairs: int, found: Findings) -> None:
    """Run a case on every side in turn, and say what was found."""
    folder = checkpoint(setting.shape)
    counted = cases.tokens(case, folder)
    found.begin(case, counted)
    batch = setting.writing if case.written else _best(case, counted, sides["lm-eval"], setting, folder)
    ours, theirs, loops = [], [], []
    for _ in range(pairs):
        theirs.append(sides["lm-eval"].run(case, case.items, batch, folder))
        ours.append(sides["fairprobe"].run(case, case.items, 0, folder))
        if case.written:
            loops.append(sides["loop"].run(case, case.items[:LOOPED], 1, folder))
    _say_costs(ours[-1], theirs[-1], batch)
    for run in (theirs[-1], ours[-1]):
        print(f"  {', '.join(f'{name} {version}' for name, version in run.versions.items())}")
    ratios = [them.seconds / us.seconds for us, them in zip(ours, theirs, strict=True)]
    found.at_least("lm-eval's time over ours", ratios, case.required)
    if case.written:
        _compare_texts(ours, theirs, loops, found)
    else:
        _compare_choices(ours[-1], theirs[-1], counted, found)


def _best(case: Case, counted: Tokens, side: Side, setting: Setting, folder: Path) -> int:
    """The batch size at which lm-eval is fastest here, on some of the items."""
    size = min(len(case.items), max(8, setting.swept * len(counted.prompts) // sum(counted.prompts)))
    # each twice, and the shorter counts: one hiccup should not pick a slower size
    sizes = setting.batches
    swept = side.runs(case, case.items[:size], sizes * 2, folder)
    seconds = {batch: min(run.seconds for run in swept[at :: len(sizes)]) for at, batch in enumerate(sizes)}
    best = min(seconds, key=seconds.__getitem__)
    told = ", ".join(f"{batch}: {taken:.2f} s" for batch, taken in seconds.items())
    print(f"  lm-eval by batch size on {size} items: {told}; {best} is used", flush=True)
    return best


def _say_costs(us: Run, them: Run, batch: int) -> None:
    names = ("forward_calls", "prefill_tokens", "padded_tokens", "head_rows")
    print(f"  {'':28} {'seconds':>8}" + "".join(f"{name.replace('_', ' '):>16}" for name in names) + f"{'peak MB':>10}")
    for name, run in ((f"lm-eval, batch size {batch}", them), ("fairprobe", us)):
        counts = "".join(f"{run.counts.get(count, 0):>16,}" for count in names)
        print(f"  {name:28} {run.seconds:8.2f}{counts}{run.megabytes:>10.0f}")


def _compare_choices(us: Run, them: Run, counted: Tokens, found: Findings) -> None:
    pairs = list(zip(us.answers, them.answers, strict=True))
    # a list of another length would be a different question, so `strict`
    furthest = max(abs(a - b) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))
    found.at_most("furthest log-probability", furthest, NEAR, f"{furthest:.1e}")
    differing = sum(_chosen(ours) != _chosen(theirs) for ours, theirs in pairs)
    found.at_most("choices that differ", differing, 0, f"{differing} of {len(pairs)}")
    share, padded = (us.counts[name] / counted.fewest for name in ("prefill_tokens", "padded_tokens"))
    found.at_most("tokens through the body", share, EXTRA, f"{share:.3f} of the tree's {counted.fewest:,}")
    found.say("the same with padding", f"{padded:.3f}")
    rows, options = us.counts["head_rows"], sum(counted.options)
    found.at_most("rows through the head", rows, options, f"{rows:,}")
    # counted by the benchmark itself; 0 where a body takes no token ids
    if embedded := us.counts["embedded_tokens"]:
        found.at_most("tokens seen at the embedding", embedded, us.counts["padded_tokens"], f"{embedded:,}")


def _chosen(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)


def _compare_texts(ours: Sequence[Run], theirs: Sequence[Run], loops: Sequence[Run], found: Findings) -> None:
    us, them, loop = ours[-1], theirs[-1], loops[-1]
    looped = len(loop.answers)
    ratios = [(one.seconds / looped) / (run.seconds / len(run.answers)) for run, one in zip(ours, loops, strict=True)]
    found.at_least("one prompt at a time over ours", ratios, LOOP)
    calls = us.counts["forward_calls"]
    found.at_most("forward calls", calls, them.counts["forward_calls"], f"{calls:,}")
    for name, texts in (("model.generate", loop.answers), ("lm-eval", them.answers)):
        differing = sum(one != other for one, other in zip(us.answers, texts, strict=False))
        found.at_most(f"texts that differ from {name}'s", differing, 0, f"{differing} of {len(texts)}")


def main() -> int:
    """Print every case; 1 where something is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SIZES, action="append", help="this case; may be said again")
    parser.add_argument("--quick", action="store_true", help="few items and one pair: whether it works, not how fast")
    parser.add_argument("--device", choices=SETTINGS, default="cpu", help="where both run (default: cpu)")
    parser.add_argument("--pairs", type=int, help=f"how often both sides run in turn (default: {PAIRS})")
    parser.add_argument(
        "--lm-eval", type=Path, default=Path(os.environ.get("FAIRPROBE_LM_EVAL", LM_EVAL)),
        help="the environment that has lm-eval (default: .venv-lmeval, or $FAIRPROBE_LM_EVAL)",
    )  # fmt: skip
    given = parser.parse_args()
    python = given.lm_eval / "bin" / "python"
    if not python.exists():
        print(f"{given.lm_eval} has no bin/python: `make bench` makes .venv-lmeval, or name one with --lm-eval")
        return 1
    setting, ours = SETTINGS[given.device], Path(sys.executable)
    sides = {
        "lm-eval": Side(python, "ask_lm_eval.py", given.device),
        "fairprobe": Side(ours, "ask_fairprobe.py", given.device),
        "loop": Side(ours, "ask_generate.py", given.device),
    }
    found = Findings()
    for name in given.only or SIZES:
        make, size, small = SIZES[name]
        case = make(setting.times * (small if given.quick else size))
        measure(case, sides, setting, given.pairs or (1 if given.quick else PAIRS), found)
    print("\n" + "\n".join([f"missed: {each}" for each in found.missed] or ["nothing is missed"]))
    return 1 if found.missed else 0


if __name__ == "__main__":
    sys.exit(main())
