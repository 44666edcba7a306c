"""How often a verdict is wrong where the truth is known: `decide` beside what people use, on the same draws.

Each cell draws answers of groups whose true gap (or worst value) is known, and asks about a bound that lies exactly
there: the worst case. A fail is then wrong on one side of the truth, a pass on the other. The table is printed, and
written between its marks in a Markdown file with `--write FILE`; exit status 1 if a cell errs too often.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process per core; the matrices are small

import argparse
import sys
import time
from dataclasses import dataclass
from itertools import product
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from fairprobe.statistics import Estimates, clopper_pearson, decide, estimate

ALPHA, RUNS, PER_CLUSTER = 0.05, 2000, 5
BOOTSTRAPPED, RESAMPLES = 300, 200
"""Draws that are bootstrapped, and resamples of each: enough for a rate that is far off."""
FAIRLEARN_DRAWS, FAIRLEARN_RESAMPLES = 5, 40
"""fairlearn takes a second or more for one interval; its rates are read over all cells together."""
MARKS = ("<!-- calibrate: begin -->\n", "<!-- calibrate: end -->\n")


@dataclass(frozen=True)
class Cell:
    """One truth and one design; `n` samples in each group."""

    groups: int
    n: int
    rate: float
    design: str
    truth: str
    question: str = "gap"

    @property
    def delta(self) -> float:
        """The true gap."""
        return 0.0 if self.truth == "equal" else 0.05 if self.rate > 0.9 else 0.1

    @property
    def rates(self) -> np.ndarray:
        """The groups' true rates; the rest lies in the middle where two are extremes."""
        rates = np.full(self.groups, self.rate - (self.delta / 2 if self.truth == "extremes" else 0.0))
        if self.delta:
            rates[0], rates[-1] = self.rate, self.rate - self.delta
        return rates

    @property
    def bound(self) -> float:
        """Where the truth lies; a bound of a gap lies above 0."""
        return float(self.rates.min()) if self.question == "by" else max(self.delta, 1e-12)

    @property
    def clusters(self) -> int:
        """How many independent units each group has."""
        return self.n // PER_CLUSTER if self.design in {"clustered", "uneven"} else self.n

    @property
    def tolerated(self) -> float:
        """What no cell's error may be shown to exceed."""
        return 0.08 if self.rate >= 0.9 or self.clusters < 40 else 0.06


@dataclass(frozen=True)
class Errors:
    """Rates of wrong fails and wrong passes of each way to judge; None where it cannot be wrong, or was not tried."""

    cell: Cell
    fails: dict[str, float | None]
    passes: dict[str, float | None]
    runs: int = RUNS

    @property
    def too_high(self) -> bool:
        """Whether `decide` is shown to err more often than is tolerated (99.9 % one-sided)."""
        return any(
            rate is not None and clopper_pearson(round(rate * self.runs), self.runs, 0.001)[0] > self.cell.tolerated
            for rate in (self.fails["fairprobe"], self.passes["fairprobe"])
        )


WAYS = ("fairprobe", "bare threshold", "extreme pair", "percentile bootstrap", "fairlearn")


def grid() -> list[Cell]:
    """Every combination that has ten clusters or more."""
    gaps = [
        Cell(groups, n, rate, design, truth)
        for groups, n, rate, design, truth in product(
            (2, 3, 9, 50), (20, 50, 200, 1000), (0.5, 0.8, 0.9, 0.98), ("unpaired", "paired", "clustered"),
            ("equal", "extremes", "one low"),
        )
    ]  # fmt: skip
    floors = [
        Cell(groups, n, rate, design, truth, "by")
        for groups, n, rate, design, truth in product(
            (1, 3, 9), (50, 200, 1000), (0.5, 0.9, 0.98), ("unpaired", "clustered"), ("equal", "one low")
        )
        if groups > 1 or truth == "equal"
    ]
    odd = [
        Cell(groups, n, rate, design, truth, question)
        for groups, rate, (design, n), truth, question in product(
            (3, 9), (0.5, 0.9, 0.98), (("uneven", 1000), ("weighted", 200)), ("equal", "extremes", "one low"),
            ("gap", "by"),
        )
    ]  # fmt: skip
    return [cell for cell in gaps + floors + odd if cell.clusters >= 10]


def chosen(cells: list[Cell]) -> list[Cell]:
    """A part of the grid in which every value of every factor meets many of the others; few of fifty groups."""
    odd = {"uneven", "weighted"}
    small = [cell for cell in cells if cell.groups < 50 and cell.design not in odd][::7]
    return small + [cell for cell in cells if cell.groups == 50][::23] + [c for c in cells if c.design in odd][::5]


def draw(rng: np.random.Generator, cell: Cell) -> np.ndarray:
    """(clusters, groups, samples in a cell): right and wrong answers."""
    if cell.design in {"clustered", "uneven"}:
        shape = (cell.clusters, cell.groups, PER_CLUSTER)
        # what a cluster adds to all groups, what it adds to one, and what a sample adds
        latent = (
            np.sqrt(0.2) * rng.standard_normal((cell.clusters, 1, 1))
            + np.sqrt(0.2) * rng.standard_normal((cell.clusters, cell.groups, 1))
            + np.sqrt(0.6) * rng.standard_normal(shape)
        )
    else:
        shared = 0.7 if cell.design == "paired" else 0.0
        latent = np.sqrt(1 - shared) * rng.standard_normal((cell.n, cell.groups, 1))
        latent += np.sqrt(shared) * rng.standard_normal((cell.n, 1, 1))
    return (ndtr(latent) < cell.rates[None, :, None]).astype(float)


def estimates(rng: np.random.Generator, cell: Cell, y: np.ndarray) -> Estimates:
    """The draw as `decide` sees it: some groups share no cluster, have a tenth of the others', or unequal weights."""
    clusters, groups, _ = y.shape
    group = np.broadcast_to(np.arange(groups)[None, :, None], y.shape).ravel()
    cluster = np.broadcast_to(np.arange(clusters)[:, None, None], y.shape).ravel()
    used = (group < groups - 1) | (cluster < clusters // 10) if cell.design == "uneven" else np.full(y.size, True)
    weights = np.exp(rng.standard_normal(y.size)) if cell.design == "weighted" else None
    own = cluster if cell.design in {"paired", "clustered"} else cluster + clusters * group
    return estimate(y.ravel()[used], group[used], own[used], range(groups), weights=weights)


def gap_of(means: np.ndarray) -> np.ndarray:
    """The largest difference between any two groups."""
    return np.ptp(means, axis=-1)


def limits_of_extreme_pair(y: np.ndarray) -> tuple[float, float]:
    """The two groups that look most different, as if they had been named beforehand."""
    rates = y.mean(axis=(0, 2))
    pair = y[:, [rates.argmax(), rates.argmin()]].mean(axis=2)
    half = 1.645 * float((pair[:, 0] - pair[:, 1]).std(ddof=1)) / np.sqrt(len(y))
    return float(gap_of(rates)) - half, float(gap_of(rates)) + half


def limits_of_bootstrap(rng: np.random.Generator, cell: Cell, y: np.ndarray) -> tuple[float, float]:
    """Percentiles of the gap over resampled clusters."""
    means = y.mean(axis=2)
    if cell.design == "unpaired":
        resampled = rng.binomial(cell.n, means.mean(axis=0), size=(RESAMPLES, cell.groups)) / cell.n
    else:
        resampled = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=RESAMPLES) @ means / len(y)
    low, high = np.quantile(gap_of(resampled), [ALPHA, 1 - ALPHA])
    return float(low), float(high)


def limits_of_fairlearn(cell: Cell, y: np.ndarray, seed: int) -> tuple[float, float] | None:
    """`MetricFrame.difference_ci`, as its documentation has it; None where fairlearn is not installed."""
    try:
        from fairlearn.metrics import MetricFrame, mean_prediction
    except ImportError:
        return None
    answers = y.transpose(1, 0, 2).ravel()
    frame = MetricFrame(
        metrics={"accuracy": mean_prediction}, y_true=answers, y_pred=answers,
        sensitive_features=np.repeat(np.arange(cell.groups), answers.size // cell.groups),
        n_boot=FAIRLEARN_RESAMPLES, ci_quantiles=[ALPHA, 1 - ALPHA], random_state=seed,
    )  # fmt: skip
    low, high = frame.difference_ci()
    return float(low["accuracy"]), float(high["accuracy"])


def errors(cell: Cell, runs: int = RUNS, peers: bool = True) -> Errors:
    """How often each way is wrong about this cell's truth."""
    rng = np.random.default_rng([cell.groups, cell.n, int(100 * cell.rate), *map(ord, cell.design + cell.truth)])
    fails: dict[str, list[bool]] = {way: [] for way in WAYS}
    passes: dict[str, list[bool]] = {way: [] for way in WAYS}
    comparison = ">" if cell.question == "by" else "<"
    question = "overall" if cell.groups == 1 else cell.question
    for run in range(runs):
        y = draw(rng, cell)
        decision = decide(estimates(rng, cell, y), question, comparison, cell.bound, seed=run)
        fails["fairprobe"].append(decision.p_value_fail < ALPHA)
        passes["fairprobe"].append(decision.p_value_pass < ALPHA)
        if not peers or cell.question != "gap" or cell.design in {"uneven", "weighted"}:
            continue
        gap = float(gap_of(y.mean(axis=(0, 2))))
        said = {"bare threshold": (gap, gap), "extreme pair": limits_of_extreme_pair(y)}
        if run < BOOTSTRAPPED:
            said["percentile bootstrap"] = limits_of_bootstrap(rng, cell, y)
        if run < FAIRLEARN_DRAWS and (limits := limits_of_fairlearn(cell, y, run)):
            said["fairlearn"] = limits
        for way, (low, high) in said.items():
            fails[way].append(low > cell.bound)
            passes[way].append(high < cell.bound)
    # of equal groups no pass is wrong: no gap lies below 0
    can_pass = cell.delta > 0 or cell.question == "by"
    return Errors(
        cell,
        {way: float(np.mean(held)) if held else None for way, held in fails.items()},
        {way: float(np.mean(held)) if held and can_pass else None for way, held in passes.items()},
        runs,
    )


def row(found: Errors) -> list[str]:
    """A cell of the table in words."""
    cell = found.cell
    share = [
        "" if rate is None else f"{rate:.3f}" if way == "fairprobe" else f"{rate:.2f}"
        for way in WAYS for rate in (found.fails[way], found.passes[way])
    ]  # fmt: skip
    named = "floor" if cell.question == "by" else "gap"
    return [named, str(cell.groups), str(cell.n), f"{cell.rate:.2f}", cell.design, cell.truth, *share]


def summary(found: list[Errors]) -> list[str]:
    """Each way's error rates over the cells of a kind: their mean, and the highest of any cell that is drawn often."""
    kinds = {
        "wrong fails, equal groups": [each.fails for each in found if each.cell.truth == "equal"],
        "wrong fails, unequal groups": [each.fails for each in found if each.cell.truth != "equal"],
        "wrong passes": [each.passes for each in found],
    }
    lines = ["| mean (highest) of | " + " | ".join(kinds) + " |", "|---|" + "--:|" * len(kinds)]
    for way in WAYS:
        held = [[rates[way] for rates in kind if rates[way] is not None] for kind in kinds.values()]
        # of a few draws a cell's own rate says little
        highest = [f" ({max(rates):.3f})" if rates and way != "fairlearn" else "" for rates in held]
        told = [f"{np.mean(rates):.3f}{top}" if rates else "" for rates, top in zip(held, highest, strict=True)]
        lines.append(f"| {way} | " + " | ".join(told) + " |")
    return lines


def markdown(found: list[Errors]) -> str:
    """The summary, and the whole table folded away."""
    head = ["of", "groups", "n", "rate", "design", "truth"]
    head += [f"{way}: wrong {kind}" for way in WAYS for kind in ("fails", "passes")]
    table = [head, ["---"] * len(head), *map(row, found)]
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    counts = (
        f"{len(found)} cells of {RUNS} draws each. In each cell the first {BOOTSTRAPPED} draws are bootstrapped "
        f"({RESAMPLES} resamples), and the first {FAIRLEARN_DRAWS} given to fairlearn "
        f"({FAIRLEARN_RESAMPLES} resamples), whose rates are therefore read over all cells together. Nominal {ALPHA:g}."
    )
    folded = f"<details><summary>Every cell</summary>\n\n{rows}\n\n</details>"
    return "\n".join([counts, "", *summary(found), "", folded, ""])


def write(file: Path, found: list[Errors]) -> None:
    """Put the table between its marks."""
    text = file.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    file.write_text(before + MARKS[0] + markdown(found) + MARKS[1] + rest.split(MARKS[1])[1], encoding="utf-8")


def main() -> int:
    """Print the table; 1 if a rate is too high."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the whole grid: hours")
    parser.add_argument("--write", type=Path, help="a Markdown file that holds the table between its marks")
    given = parser.parse_args()
    started, cells = time.perf_counter(), grid() if given.full else chosen(grid())
    print(f"{len(cells)} cells of {RUNS} draws; wrong fails and wrong passes of: {', '.join(WAYS)}")
    found = []
    with Pool() as pool:
        for each in pool.imap(errors, cells):
            found.append(each)
            print("  ".join(cell.rjust(5) for cell in row(each)) + ("  TOO HIGH" if each.too_high else ""), flush=True)
    print("\n".join(summary(found)))
    print(f"{time.perf_counter() - started:.0f} s")
    if given.write:
        write(given.write, found)
    return int(any(each.too_high for each in found))


if __name__ == "__main__":
    sys.exit(main())
