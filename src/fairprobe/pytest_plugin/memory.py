"""What is remembered between runs: the baseline that a suite was blessed with, and how often it was tried since."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairprobe import attempts, report
from fairprobe.errors import FairprobeError
from fairprobe.report.results import relative


def remember(candidates: Sequence[dict[str, Any]], root: Path, store: Path) -> list[str]:
    """Add to the results of each candidate what it is since its suite was blessed, and which attempt.

    The attempts are written down beside the store, all of a run before any is told. It gives what kept them from being
    known.
    """
    blessed: dict[int, str | None] = {}
    messages: list[str] = []
    for at, results in enumerate(candidates):
        results |= {"blessed": None, "attempts": None}
        try:
            if results["claims"] and (file := report.nearest(results["suite"]["files"], root)):
                baseline = report.read_baseline(file)
                blessed[at] = baseline["started"]
                results["blessed"] = {"file": relative(file, root), **report.against(baseline, results)}
        except FairprobeError as error:
            messages.append(f"what moved since this suite was blessed is not known: {error}")
    file, tried = store.parent / attempts.NAME, list(map(attempts.attempt_of, candidates))
    try:
        ledgers = [attempts.keep(file, each) for each in tried if each]
        for at, attempt in enumerate(tried):
            if attempt:
                candidates[at]["attempts"] = attempts.standing(ledgers[-1].attempts, attempt, blessed.get(at))
        if ledgers and ledgers[-1].unread:
            messages.append(f"{ledgers[-1].unread} of the lines of {file} cannot be read and count for no attempt")
    except FairprobeError as error:
        messages.append(str(error))
    return list(dict.fromkeys(messages))
