"""What xdist's controller and its workers tell each other: the first plan, and what each found out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def leave_plan(config: pytest.Config, lines: Sequence[str]) -> None:
    """A worker's plan, where the controller looks for it; the last of equal ones stands."""
    told: dict[str, Any] = config.workerinput  # type: ignore[attr-defined]  # xdist's
    shared = Path(told["fairprobe_plan"])
    part = shared.with_name(told["workerid"])
    part.write_text(json.dumps(lines), encoding="utf-8")
    part.replace(shared)


def leave_facts(config: pytest.Config, known: dict[str, Any]) -> None:
    """What a worker found out, for the controller."""
    config.workeroutput["fairprobe"] = known  # type: ignore[attr-defined]  # xdist's


class Controller:
    """The side that prints and writes."""

    def __init__(self) -> None:
        self.facts: list[dict[str, Any]] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._planned = False

    def prepare(self, node: Any, report_folder: Path) -> None:
        """Tell a worker where to leave its plan, and where the run's report lies."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="fairprobe-")
        node.workerinput["fairprobe_plan"] = str(Path(self._folder.name) / "plan.json")
        node.workerinput["fairprobe_report"] = str(report_folder)

    def plan_lines(self) -> list[str]:
        """The lines that the first worker left, once."""
        file = Path(self._folder.name) / "plan.json" if self._folder else Path()
        if self._planned or not file.is_file():
            return []
        self._planned = True
        return list(json.loads(file.read_text(encoding="utf-8")))

    def hear(self, node: Any) -> None:
        """Take over what a worker found out. Raises `pytest.UsageError` for what it refused."""
        known = getattr(node, "workeroutput", {}).get("fairprobe", {})
        if "refused" in known:
            raise pytest.UsageError(known["refused"])
        self.facts += [known["facts"]] if "facts" in known else []

    def close(self) -> None:
        """Remove what was shared."""
        if self._folder:
            self._folder.cleanup()
