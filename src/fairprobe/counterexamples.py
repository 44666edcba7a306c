"""Counterexamples on disk: one JSON file a task, tried before anything else next time, and pinned by moving it.

.fairprobe/counterexamples/clues_rewritten.json
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from fairprobe.errors import StoreError
from fairprobe.relations import Counterexample

MOST = 200
"""How many cases of a task are kept, the latest first."""


def read(folder: Path, task: str) -> list[dict[str, Any]]:
    """The cases that were saved of a task. A file that cannot be read is said to be so, and nothing is lost."""
    file = folder / f"{task}.json"
    if not file.is_file():
        return []
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"the saved counterexamples {file} cannot be read: {error}; repair the file, or move it away"
        raise StoreError(msg) from error
    if not isinstance(held, list) or not all(isinstance(each, dict) for each in held):
        msg = f"the saved counterexamples {file} should be a list of cases; repair the file, or move it away"
        raise StoreError(msg)
    return held


def write(folder: Path, task: str, found: Iterable[Counterexample]) -> None:
    """Save these cases before those of earlier runs, which stay. Raises `StoreError` for a folder that refuses."""
    fresh = [_told(each) for each in found]
    if not fresh:
        return
    file = folder / f"{task}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{task}.lock"):
            earlier: list[dict[str, Any]] = []
            with suppress(StoreError):
                earlier = read(folder, task)
            kept = {json.dumps(_key(each), sort_keys=True): each for each in (*earlier, *fresh)}
            order = {json.dumps(_key(each), sort_keys=True): None for each in (*fresh, *earlier)}
            part = file.with_suffix(".part")
            text = json.dumps([kept[key] for key in list(order)[:MOST]], indent=1, ensure_ascii=False)
            # what is no character is written as JSON escapes it
            part.write_text(text, encoding="utf-8", errors="backslashreplace")
            part.replace(file)
    except OSError as error:
        msg = f"counterexamples cannot be saved in {folder}: {error}"
        raise StoreError(msg) from error


def _told(found: Counterexample) -> dict[str, Any]:
    said = asdict(found)
    case = said.pop("case")
    said["differs"] = said.pop("changes")
    return {**case, **said}


def _key(case: Mapping[str, Any]) -> list[Any]:
    """What makes two cases the same: the sample, its text, and the changes of it."""
    return [case.get("sample"), case.get("unedited", case.get("case")), case.get("changes")]
