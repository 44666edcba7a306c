"""What GitHub Actions shows of a run: a summary of the step, and annotations at the lines of red tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT = 1024 * 1024
"""Bytes that a step's summary may have; GitHub shows none that is longer."""


def tell(results: Mapping[str, Any], page: str) -> list[str]:
    """Add to the step's summary, and give the lines that GitHub reads from the terminal; nothing elsewhere.

    A summary that cannot be written is said; the run's outcome does not depend on it.
    """
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if not named:
        return []
    from fairprobe import report

    file, lines = Path(named), report.workflow_commands(results, page)
    try:
        there = file.stat().st_size if file.exists() else 0
        with file.open("a", encoding="utf-8") as summary:
            summary.write(report.markdown(results, LIMIT - there) + "\n")
    except OSError as error:
        lines.append(f"the step's summary cannot be written to {file}: {error}")
    return lines
