"""What fairprobe itself costs a request: plan, store and judge 20,000 of them with an engine that costs nothing.

    make bench

CPU seconds of one thread, the best of a few rounds; another program on the same core does not count. `--profile` says
where they go.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["POLARS_MAX_THREADS"] = "1"

import argparse
import cProfile
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fairprobe import MultipleChoice, accuracy
from fairprobe.engines import Checkpoint, Encoded, Engine
from fairprobe.expressions import Expectation
from fairprobe.metrics import Role
from fairprobe.requests import Chosen, Request
from fairprobe.session import Session
from fairprobe.settings import Settings

SAMPLES, REPEATS, LEAST = 20_000, 5, 20_000
"""Samples, rounds, and requests a second that plan, ask and judge together reach at least."""
ENOUGH = "A river rises in the hills and runs down to the sea; on its way it passes "
ANSWER = Chosen((-0.5, -1.5, -2.5, -3.5), (1, 1, 1, 1), 60, 0.9)


class NullEngine:
    """Answers everything at once, and always the same."""

    takes: Literal["messages"] = "messages"
    loglikelihoods = True
    numerics = '{"engine": "null"}'
    counts: Mapping[str, int] = {"prefill_tokens": 0, "output_tokens": 0}

    def refuses(self, kind: type[Request]) -> None:
        """It refuses nothing."""

    def encode_all(self, requests: Sequence[Request]) -> list[Encoded]:
        return [Encoded((1,))] * len(requests)

    def answers(self, requests: Sequence[Request]) -> Iterator[dict[Request, Chosen]]:
        yield dict.fromkeys(requests, ANSWER)

    def describe(self) -> dict[str, Any]:
        return {"name": "null"}

    def close(self) -> None:
        pass


class NullSession(Session):
    """A session whose engine costs nothing."""

    def engine(self, role: Role) -> Engine:  # noqa: ARG002 - one engine plays every role
        return NullEngine()

    def checkpoint(self, role: Role) -> Checkpoint:
        return Checkpoint(role, "null", Path(), None, "0" * 64)


def claim() -> Expectation:
    """A gap between two groups that were asked 10,000 questions each."""
    rows = [
        {"id": number // 2, "group": "ab"[number % 2], "right": number // 2 % 4,
         "question": f"{ENOUGH}town {number // 2} of {'ab'[number % 2]}. Which of these does it pass?",
         "options": [f"a bridge {number}", f"a mill {number}", f"a wood {number}", f"a lock {number}"]}
        for number in range(SAMPLES)
    ]  # fmt: skip
    task = MultipleChoice(rows, "{question}", answer="right", pair="id", name="rivers")
    return accuracy(task).gap("group") < 0.5


def timed(stages: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The CPU seconds of each stage, in their order."""
    seconds = {}
    for name, run in stages.items():
        started = time.process_time()
        run()
        seconds[name] = time.process_time() - started
    return seconds


def measure(expectation: Expectation) -> dict[str, float]:
    """The CPU seconds of one round of every stage, beginning with an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (NullSession(Settings(model="null", store=Path(folder))) for _ in range(2))
        plans = []

        def plan(session: Session) -> None:
            session.check(expectation)
            plans.append(session.plan([expectation]))

        seconds = timed(
            {
                "plan": lambda: plan(first),
                "ask, and write": lambda: first.ask(plans[0]),
                "judge": lambda: first.judge(expectation),
            }
        )
        plan(second)
        seconds |= timed({"read, a second run": lambda: second.ask(plans[1])})
        assert second.ask(plans[1]).cached == SAMPLES
        return seconds


def main() -> int:
    """Print requests a second, stage by stage; 1 where the whole is slower than it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--profile", action="store_true", help="print where the time of one round goes")
    expectation = claim()
    if parser.parse_args().profile:
        cProfile.runctx("measure(expectation)", globals(), {"expectation": expectation}, sort="cumulative")
        return 0
    rounds = [measure(expectation) for _ in range(REPEATS)]
    best = {name: min(each[name] for each in rounds) for name in rounds[0]}
    for name, seconds in best.items():
        print(f"{name:20} {seconds:6.3f} s {SAMPLES / seconds:10,.0f} requests/s")
    whole = SAMPLES / sum(best[name] for name in ("plan", "ask, and write", "judge"))
    print(f"{'plan + ask + judge':20} {SAMPLES / whole:6.3f} s {whole:10,.0f} requests/s, at least {LEAST:,} expected")
    return 0 if whole >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
