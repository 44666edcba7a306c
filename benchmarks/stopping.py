"""How much of a benchmark early stopping asks, and how often its verdict is another than the whole benchmark's.

Answers are drawn once for every sample, so that the truth of a benchmark is known; each run asks them in an order of
its own, through the same rounds as a session. On the demo's checkpoints, if they are there, the answers are real ones.
The table is printed, and written between its marks in a Markdown file with `--write FILE`; exit status 1 where more is
asked or more verdicts are wrong than is promised.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process per core; the matrices are small

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from fairprobe import Generation, accuracy
from fairprobe.expressions import Expectation, Scope
from fairprobe.metrics import Look, Role
from fairprobe.power import favourable, planned
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.stopping import Stopping
from fairprobe.tasks import Outcomes, Task
from fairprobe.verdict import Defaults, judge

SAMPLES, BOUND, RIGHT, ALIKE = 2000, 0.05, 0.7, 0.8
"""Questions, each put to every group; the share of right answers; how alike a question is to nine groups."""
EDGES = (0.049, 0.051)
"""As near to the bound as pairs of answers come on either side."""
DEMO = Path(__file__).parents[1]
MOST_ASKED = {2: 0.45, 9: 0.60}
"""Of two groups and of nine, where the gap is none or twice the bound."""
MARKS = ("<!-- stopping: begin -->\n", "<!-- stopping: end -->\n")


@dataclass(frozen=True)
class Cell:
    """One truth: a gap between groups of which `discordance` of the questions tell two apart."""

    groups: int
    gap: float
    scope: Scope
    discordance: float = 0.25
    runs: int = 100

    @property
    def clear(self) -> bool:
        """Whether it is one that stopping early is for."""
        return self.scope == "benchmark" and self.gap in {0.0, 2 * BOUND}

    def answers(self, seed: int) -> np.ndarray:
        """(SAMPLES, groups) right and wrong answers with exactly this gap."""
        rng = np.random.default_rng([seed, self.groups])
        if self.groups == 2:
            ahead, behind = (round(SAMPLES * (self.discordance + sign * self.gap) / 2) for sign in (1, -1))
            held = np.zeros((SAMPLES, 2))
            held[:ahead, 0] = held[ahead : ahead + behind, 1] = 1
            held[ahead + behind : round(SAMPLES * RIGHT)] = 1
            return rng.permutation(held)
        alike = rng.standard_normal((SAMPLES, 1)) * ALIKE**0.5
        ease = alike + rng.standard_normal((SAMPLES, self.groups)) * (1 - ALIKE) ** 0.5
        rates = RIGHT + np.linspace(-self.gap / 2, self.gap / 2, self.groups)
        return np.column_stack([
            np.argsort(np.argsort(ease[:, place])) < round(SAMPLES * rate) for place, rate in enumerate(rates)
        ]).astype(float)  # fmt: skip


def cells() -> list[Cell]:
    """The truths: none, twice the bound, and at the bound itself, where a wrong verdict is likeliest."""
    two = [
        Cell(2, gap, "benchmark", discordance) for discordance in (0.10, 0.25) for gap in (0.0, 0.04, *EDGES, 2 * BOUND)
    ]
    nine = [Cell(9, gap, "benchmark", runs=30) for gap in (0.0, *EDGES, 2 * BOUND)]
    return [*two, *nine, *(Cell(2, gap, "population") for gap in (0.0, 0.04, EDGES[1], 2 * BOUND))]


@cache
def task_of(groups: int) -> Task:
    """The samples; what is written in them is of no matter."""
    rows = [
        {"id": at, "group": f"g{group}", "clue": f"{group} {at}"} for at in range(SAMPLES) for group in range(groups)
    ]
    return Generation(rows, "{clue}", target="clue", name="clues", pair="id")


def answered(task: Task, answers: np.ndarray) -> Look:
    """Where the answers are looked up."""
    samples = task.load()
    ok = np.full(len(samples), "ok", dtype=object)
    prompts = [row["clue"] for row in samples.rows]
    outcomes = Outcomes(samples, {"exact_match": answers.ravel()}, ok, prompts=prompts, targets=prompts)
    return lambda task, role: outcomes  # noqa: ARG005


def played(
    expectation: Expectation, samples: Mapping[Task, object], look: Look, defaults: Defaults
) -> tuple[str, float]:
    """The verdict on an expectation that is asked until it is settled, and the share of its samples that was asked."""
    best = favourable(expectation, samples)
    stopping = Stopping.of(expectation, planned(expectation.question, samples), defaults, best).further()
    while (after := stopping.after(partly(stopping, look))) is not None:
        stopping = after
    compared = stopping.places >= 0
    return stopping.judge(partly(stopping, look)).outcome, float(stopping.asked[compared].mean())


def partly(stopping: Stopping, look: Look) -> Look:
    """What was asked; the rest is missing."""

    def asked(task: Task, role: Role) -> Outcomes:
        whole = look(task, role)
        scores = {name: np.where(stopping.asked, held, np.nan) for name, held in whole.scores.items()}
        return replace(whole, scores=scores, status=np.where(stopping.asked, whole.status, "missing"))

    return asked


def run(of: tuple[Cell, int]) -> tuple[str, float]:
    """One benchmark, asked once."""
    cell, seed = of
    task = task_of(cell.groups)
    defaults = Defaults(scope=cell.scope, seed=seed)
    look = answered(task, cell.answers(seed))
    return played(accuracy(task).gap("group") < BOUND, {task: task.load()}, look, defaults)


def row(cell: Cell, done: Sequence[tuple[str, float]]) -> tuple[list[str], bool]:
    """A line of the table, and whether what is promised held."""
    verdicts, asked = Counter(outcome for outcome, _ in done), float(np.mean([share for _, share in done]))
    truth = "pass" if cell.gap < BOUND else "fail"
    wrong = verdicts[{"pass": "fail", "fail": "pass"}[truth]] / len(done)
    kept = (not cell.clear or asked <= MOST_ASKED[cell.groups]) and wrong <= 0.05
    line = [
        cell.scope, str(cell.groups), f"{cell.discordance:.2f}" if cell.groups == 2 else "", f"{cell.gap:.4g}",
        str(len(done)), f"{asked:.2f}", f"{verdicts[truth] / len(done):.3f}", f"{wrong:.3f}",
        f"{verdicts['inconclusive'] / len(done):.3f}",
    ]  # fmt: skip
    return line, kept


HEAD = ["scope", "groups", "discordance", "true gap", "orders", "asked", "right", "wrong", "undecided"]


def demo(orders: int) -> tuple[list[list[str]], bool]:
    """The demo's checkpoints: their real answers asked in many orders, against bounds that make the gap clear."""
    folder = DEMO / ".fairprobe" / "demo"
    if not (folder / "aligned").is_dir():
        return [], True
    clues = Generation(
        DEMO / "suites" / "demo" / "clues.jsonl", "{clue}\nThe word is", target="word", pair="riddle", cluster="facts",
        max_tokens=3, name="clues",
    )  # fmt: skip
    lines, kept = list[list[str]](), True
    for checkpoint in ("aligned", "aligned_fair"):
        session = Session(Settings(model=str(folder / checkpoint), store=DEMO / ".fairprobe" / "store"))
        gap = accuracy(clues).gap("dialect")
        session.check(gap < 0.5)
        session.ask(session.plan([gap < 0.5]))
        found = session.judge(gap < 0.5).decision
        session.close()
        assert found is not None
        for bound in (round(found.value / 2, 3), round(found.value + 0.1, 3)):
            claim = (gap < bound).at(scope="benchmark")
            truth = judge(claim, session.look, Defaults()).outcome
            done = [played(claim, session.tasks, session.look, Defaults(seed=seed)) for seed in range(orders)]
            same = np.mean([outcome == truth for outcome, _ in done])
            asked = np.mean([share for _, share in done])
            lines.append([checkpoint, f"{found.value:.3f}", f"{bound:g}", truth, f"{asked:.2f}", f"{same:.3f}"])
            kept &= bool(same >= 0.95)
    return lines, kept


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["--:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> int:
    """Run every cell, print and write what came of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", type=Path, metavar="FILE")
    options.add_argument("--quick", action="store_true", help="a tenth of the orders")
    given = options.parse_args()
    lines, kept = [], True
    with Pool() as pool:
        for cell in cells():
            runs = max(6, cell.runs // 10) if given.quick else cell.runs
            line, held = row(cell, pool.map(run, [(cell, seed) for seed in range(runs)], chunksize=2))
            print(" | ".join(line), "" if held else "  NOT KEPT", flush=True)
            lines.append(line)
            kept &= held
    real, held = demo(5 if given.quick else 40)
    said = f"{SAMPLES:,} questions, bound {BOUND}, confidence 0.95; a look after every twentieth."
    text = f"{said}\n\n{table(HEAD, lines)}\n"
    if real:
        text += "The demo's checkpoints, three dialects, benchmark scope:\n\n" + table(
            ["checkpoint", "gap", "bound", "whole run", "asked", "the same verdict"], real
        )
    print(text)
    if given.write:
        page = given.write.read_text(encoding="utf-8")
        before, _, rest = page.partition(MARKS[0])
        given.write.write_text(before + MARKS[0] + text + MARKS[1] + rest.partition(MARKS[1])[2], encoding="utf-8")
    return 0 if kept and held else 1


if __name__ == "__main__":
    sys.exit(main())
