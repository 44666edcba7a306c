"""Runs as they are written to a folder, of answers that are written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from fairprobe.expressions import Expectation
from fairprobe.metrics import Look, Role
from fairprobe.report import Run, assemble, entry
from fairprobe.report import samples as kept_samples
from fairprobe.tasks import Task
from fairprobe.verdict import judge

Claim = Callable[[Any], Expectation]


def run(folder: Path, asked: tuple[Task, Look], claims: Mapping[str, Claim], roles: Sequence[str] = ("model",)) -> Run:
    """The run that judged these claims, by the names of their tests, and left its samples in a folder."""
    task, look = asked
    names = {"model": folder.name, "baseline": "base"}
    entries = [entry(f"t.py::{test}", judge(claim(task), look), look, names) for test, claim in claims.items()]
    looked = {(task, cast("Role", role)): look(task, cast("Role", role)) for role in roles}
    facts = {
        "complete": True,
        "claims": True,
        "checkpoints": [{"role": "model", "name": folder.name}],
        "samples": kept_samples.write(folder, looked),
    }
    return Run.of(folder, assemble(facts, entries))
