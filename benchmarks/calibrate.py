"""How often a verdict is wrong where the truth is known: false fails at ties, false passes at the bound.

Prints a table and exits 1 if a rate exceeds 0.05 by more than three standard errors plus 0.02.
"""

import sys
import time

import numpy as np
from scipy.special import ndtr

from fairprobe.statistics import Estimates, decide, estimate

ALPHA, RUNS, CLUSTERS, DELTA, RHO = 0.05, 600, 200, 0.1, 0.7


def draw(rng: np.random.Generator, rates: np.ndarray, paired: bool) -> Estimates:
    """Right and wrong answers at these rates; paired groups share clusters and a latent difficulty."""
    size = len(rates)
    normal = rng.standard_normal((CLUSTERS, size))
    if paired:
        normal = np.sqrt(RHO) * rng.standard_normal((CLUSTERS, 1)) + np.sqrt(1 - RHO) * normal
    y = (ndtr(normal) < rates).astype(float)
    cluster = np.repeat(np.arange(CLUSTERS), size) if paired else np.arange(y.size)
    return estimate(y.ravel(), np.tile(np.arange(size), CLUSTERS), cluster, range(size))


def wrong(truth: str, size: int, rate: float, paired: bool) -> float:
    """The share of runs whose verdict is the one that the truth forbids."""
    rng = np.random.default_rng([size, int(100 * rate), paired])
    rates, delta = np.full(size, rate), 0.0
    if truth == "ends":
        delta = DELTA if rate == 0.5 else 0.03
        rates[0], rates[-1] = (rate + delta / 2, rate - delta / 2) if rate == 0.5 else (rate, rate - delta)
        rates[1:-1] = (rates[0] + rates[-1]) / 2
    worst = 0
    for run in range(RUNS):
        estimates = draw(rng, rates, paired)
        if truth == "floor":
            worst += decide(estimates, "by", ">", rate, seed=run).outcome == "fail"
        else:
            # at a tie, every shown gap is a false one: a bound just above 0
            decision = decide(estimates, "gap", "<", delta or 1e-12, seed=run)
            worst += decision.outcome == ("pass" if delta else "fail")
    return worst / RUNS


def main() -> int:
    """Print the table; 1 if a rate is too high."""
    started, bad = time.perf_counter(), 0
    print(
        f"{RUNS} runs of {CLUSTERS} clusters per group; nominal {ALPHA:g}; se of the rate, or of {ALPHA:g} if greater"
    )
    print(f"{'error':11} {'truth':6} {'design':8} {'G':>2} {'rate':>5} {'wrong':>7} {'se':>6}")
    for truth in ("tie", "ends", "floor"):
        for paired in (False, True):
            for size in (3, 9):
                for rate in (0.5, 0.97):
                    share = wrong(truth, size, rate, paired)
                    error = np.sqrt(max(share, ALPHA) * (1 - max(share, ALPHA)) / RUNS)
                    high = share > ALPHA + 3 * error + 0.02
                    bad += high
                    name, design = "false pass" if truth == "ends" else "false fail", "paired" if paired else "unpaired"
                    print(
                        f"{name:11} {truth:6} {design:8} {size:2} {rate:5.2f} {share:7.3f} {error:6.3f}"
                        + ("  too high" if high else ""),
                        flush=True,
                    )
    print(f"{time.perf_counter() - started:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
