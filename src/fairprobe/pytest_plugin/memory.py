"""What is remembered between runs: the baseline that a suite was blessed with, and how often it was tried since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairprobe import attempts, report
from fairprobe.errors import FairprobeError
from fairprobe.report.results import relative


def remember(results: Mapping[str, Any], root: Path, store: Path) -> tuple[dict[str, Any], list[str]]:
    """What a run is since it was blessed, and which attempt it is; and what kept either from being known.

    The attempt is written down beside the store.
    """
    found: dict[str, Any] = {"blessed": None, "attempts": None}
    messages: list[str] = []
    blessed: str | None = None
    try:
        if results["claims"] and (file := report.nearest(results["suite"]["files"], root)):
            baseline = report.read_baseline(file)
            blessed = baseline["started"]
            found["blessed"] = {"file": relative(file, root), **report.against(baseline, results)}
    except FairprobeError as error:
        messages.append(f"what moved since this suite was blessed is not known: {error}")
    try:
        if attempt := attempts.attempt_of(results):
            file = store.parent / attempts.NAME
            ledger = attempts.keep(file, attempt)
            found["attempts"] = attempts.standing(ledger.attempts, attempt, blessed)
            if ledger.unread:
                messages.append(f"{ledger.unread} of the lines of {file} cannot be read and count for no attempt")
    except FairprobeError as error:
        messages.append(str(error))
    return found, messages
