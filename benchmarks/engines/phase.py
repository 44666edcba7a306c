"""What a side is given and gives back, as files of JSON, and what of its work is timed: from texts to answers.

Imports, weights and a first item that is not among the others come before. On a CPU its seconds are counted, of all
threads; with a GPU the clock's, since both sides wait for it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Ask = Callable[[Sequence[Mapping[str, Any]]], list[Any]]
Open = Callable[[Mapping[str, Any], int], tuple[Ask, Callable[[], Mapping[str, int]]]]


def main(opened: Open, versions: Callable[[], Mapping[str, str]]) -> None:
    """Answer the order in the first file, once for each batch size it names, into the second.

    `opened` gives what asks items, and what tells the counts so far.
    """
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    clock = time.process_time if order["device"] == "cpu" else time.perf_counter
    results = []
    for batch in order["batches"]:
        ask, counts = opened(order, batch)
        ask(order["warm"])
        before = dict(counts())
        started = clock()
        answers = ask(order["items"])
        seconds = clock() - started
        results.append(
            {
                "answers": answers,
                "seconds": seconds,
                "counts": {name: count - before.get(name, 0) for name, count in counts().items()},
                "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "versions": dict(versions()),
            }
        )
    Path(sys.argv[2]).write_text(json.dumps(results), encoding="utf-8")
