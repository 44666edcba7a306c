"""What a verdict costs: estimates and decision, seconds of one core and the memory they reach.

Each case is judged at a bound that is decided at once, and at one so near that limits are drawn five times as finely.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import multiprocessing
import resource
import time

import numpy as np

from fairprobe.statistics import Estimates, decide, estimate

CASES = ((3, 1_800, 600), (9, 10_000, 1_111), (9, 10_000, 10_000), (50, 50_000, 1_000), (122, 100_000, 50_000))
"""Groups, samples, clusters."""
REPEATS = 7


def draw(groups: int, samples: int, clusters: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers of which seven in ten are right, in the first group four; in groups and clusters by chance."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, groups, samples)
    right = (rng.random(samples) < np.where(group == 0, 0.4, 0.7)).astype(float)
    return right, group, rng.integers(0, clusters, samples)


def hard_bound(estimates: Estimates) -> float:
    """A bound whose p-value of a fail lies near 0.05, so that it is drawn again and finely."""
    low, high = 0.001, 0.999
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if decide(estimates, "gap", "<", middle).p_value_fail < 0.05 else (low, middle)
    return high


def measure(case: tuple[int, int, int]) -> str:
    """A line of the table, from a process of its own so that its memory is its own."""
    values, group, cluster = draw(*case)
    labels = range(case[0])
    hard = hard_bound(estimate(values, group, cluster, labels))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds: dict[str, list[float]] = {"easy": [], "hard": []}
    for kind, bound in (("easy", 0.9), ("hard", hard)):
        for _ in range(REPEATS):
            started = time.process_time()
            decide(estimate(values, group, cluster, labels), "gap", "<", bound)
            seconds[kind].append(time.process_time() - started)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = [f"{1000 * np.median(held):8.1f} ms" for held in seconds.values()]
    return (
        f"{case[0]:6} {case[1]:9,} {case[2]:9,} {'  '.join(told)} {after / 1024:7.0f} MB ({before / 1024:.0f} before)"
    )


def main() -> None:
    """Print the table."""
    print(f"{'groups':>6} {'samples':>9} {'clusters':>9} {'easy':>11}  {'hard':>11} {'memory':>10}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for line in pool.imap(measure, CASES):
            print(line, flush=True)


if __name__ == "__main__":
    main()
