"""A baseline: what a run found, as a small file that is committed and read in a diff; what differs from it later."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from fairprobe import __version__
from fairprobe.errors import FairprobeError
from fairprobe.report.anchors import plain
from fairprobe.report.blessed import Since, blessed_lines
from fairprobe.report.comparison import Run, same_claims
from fairprobe.report.expectation import Record, known, label, name_of
from fairprobe.report.files import whole
from fairprobe.report.schema import checker

NAME = "baseline.json"
SCHEMA = 1
"""The number that is raised when a reader of older files would misread a newer one."""
LIMITS = ("value", "low", "high")
LOOSER = {"<": 1, "<=": 1, ">": -1, ">=": -1}
"""The way in which a bound of each comparison moves to let more pass."""


def baseline(results: Record) -> dict[str, Any]:
    """What is kept of a run: who was tested, by which suite and data, and every test's finding."""
    results = known(results)
    return {
        "schema": SCHEMA,
        "fairprobe": __version__,
        "started": results["started"],
        "model": _checkpoint(results, "model"),
        "baseline": _checkpoint(results, "baseline"),
        "suite": [
            {"file": file, "sha256": digest} for file, digest in sorted(results["suite"].get("files", {}).items())
        ],
        "data": _data(results),
        "tests": sorted(map(_test, results["verdicts"]), key=lambda each: (each["test"], each["claim"])),
    }


def text(held: Record) -> str:
    """A baseline as it is written: a line for every fact, and for every group."""
    return _written(held) + "\n"


def bless(path: Path, to: Path | None, root: Path) -> list[str]:
    """Write the baseline of a run, and say where it lies and what moved since the one that it replaces.

    Raises `FairprobeError` for a run that is no evidence of the whole suite.
    """
    run = Run.at(path)
    _refuse_part(run)
    file = to or _place(run, root)
    before = read(file) if file.exists() else None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file) as part:
            part.write_text(text(baseline(run.results)), encoding="utf-8")
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror or error}. Name another file: --to=FILE"
        raise FairprobeError(msg) from error
    moved = blessed_lines({"file": "replaced", **against(before, run.results)}) if before else []
    return [str(file.relative_to(root) if file.is_relative_to(root) else file), *moved]


def read(file: Path) -> dict[str, Any]:
    """A baseline that was written. Raises `FairprobeError` for what is none, or of a later fairprobe."""
    try:
        held = json.loads(file.read_bytes(), parse_constant=_no_number)
        if isinstance(held, dict) and isinstance(number := held.get("schema"), int) and number > SCHEMA:
            msg = (
                f"the baseline {file} has schema {number}, written by fairprobe {held.get('fairprobe')}; this is "
                f"fairprobe {__version__}, which knows schemas up to {SCHEMA}: pip install --upgrade fairprobe"
            )
            raise FairprobeError(msg)
        found = dict(checker("baseline")(held))
        # what no schema says of a moment and of a claim
        if found["started"] is not None:
            datetime.fromisoformat(found["started"])
        for each in found["tests"]:
            _parts(each["claim"])
        return found
    except OSError as error:
        msg = f"the baseline {file} cannot be read: {error.strerror or error}"
    except (ValueError, RecursionError) as error:
        msg = (
            f"{file} is no baseline of fairprobe: {error}. Restore it, or move it away and bless a run: fairprobe bless"
        )
    raise FairprobeError(msg)


def nearest(tests: Iterable[str], root: Path) -> Path | None:
    """The baseline that lies nearest to these test modules: in the folder that they share, or above it up to root."""
    home = _home(tests, root)
    return None if home is None else _above(home, root)


def blessed_at(root: Path, folder: str) -> str | None:
    """When the run was made that a folder of tests was last blessed with, if it was."""
    file = _above(root / folder, root)
    return None if file is None else read(file)["started"]


def against(before: Record, results: Record) -> dict[str, Any]:
    """What a run says of the tests of a baseline; plain data. No verdict depends on it."""
    now = baseline(results)
    pairs = list(same_claims(before["tests"], now["tests"]))
    found = [id(each) for pair in pairs for each in pair]
    changed = _changed_data(before, now)
    tasks = {(plain(each), each["claim"]): each.get("tasks", ()) for each in results["verdicts"]}
    return {
        "started": before["started"],
        "model": before["model"]["name"],
        "claims": [
            asdict(_since(old, new, [task for task in tasks[new["test"], new["claim"]] if task in changed]))
            for old, new in pairs
        ],
        "added": [each["test"] for each in now["tests"] if id(each) not in found],
        # what a part of a suite leaves out is not gone
        "removed": [each["test"] for each in before["tests"] if id(each) not in found] if results["complete"] else [],
    }


def _since(old: Record, new: Record, data: list[str]) -> Since:
    claims = [_parts(each["claim"]) for each in (old, new)]
    return Since(
        test=new["test"], claim=new["claim"], outcome_before=old["outcome"], outcome=new["outcome"],
        **{f"{name}_before": old[name] for name in LIMITS}, **{name: new[name] for name in LIMITS},
        moved=_lie_apart(old, new) if claims[0][0] == claims[1][0] else None,
        changes=_changes(old, new), data=data,
    )  # fmt: skip


def _lie_apart(old: Record, new: Record) -> bool | None:
    """Whether the limits of two findings share no value; None where one has none."""
    if any(each[name] is None for each in (old, new) for name in LIMITS):
        return None
    return bool(new["low"] > old["high"] or new["high"] < old["low"])


def _changes(old: Record, new: Record) -> list[str]:
    """How a claim differs from the one that was blessed, in words; a gate that was loosened is called so."""
    (question, comparison, bound), (question_now, comparison_now, bound_now) = (
        _parts(each["claim"]) for each in (old, new)
    )
    said = []
    if (question, comparison) != (question_now, comparison_now):
        said.append(f"the claim was {old['claim']} and is {new['claim']}")
    elif bound != bound_now:
        way = _way((bound_now - bound) * LOOSER[comparison])
        said.append(f"the bound was {bound:g} and is {bound_now:g}: {way}")
    if old["confidence"] != new["confidence"]:
        way = _way(old["confidence"] - new["confidence"])
        said.append(f"the confidence was {old['confidence']:g} and is {new['confidence']:g}: {way}")
    if old["mode"] != new["mode"]:
        way = _way(1 if new["mode"] == "alarm" else -1)
        said.append(f"the mode was {old['mode']} and is {new['mode']}: {way}")
    if old["refined"] != new["refined"]:
        said.append(f"it was refined by {old['refined'] or 'nothing'} and is by {new['refined'] or 'nothing'}")
    return said


def _way(more: float) -> str:
    return "looser" if more > 0 else "tighter"


def _parts(claim: str) -> tuple[str, str, float]:
    """A claim's question, comparison and bound.

    >>> _parts("accuracy(clues).gap('dialect') < 0.05")
    ("accuracy(clues).gap('dialect')", '<', 0.05)
    """
    question, comparison, bound = claim.rsplit(" ", 2)
    return question, comparison, float(bound)


def _changed_data(before: Record, now: Record) -> set[str]:
    """The tasks of both whose data is not the same; answers that are recorded of another model are not called so."""
    old, new = map(_sources, (before, now))
    recorded = now["model"]["fingerprint"] is None
    return {
        task
        for task in old.keys() & new.keys()
        if {each[1:] for each in old[task]} != {each[1:] for each in new[task]}
        and not (recorded and {each[0] for each in old[task]} != {each[0] for each in new[task]})
    }


def _sources(held: Record) -> dict[str, set[tuple[str, ...]]]:
    """Each task's files: path, hash, revision."""
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for each in held["data"]:
        found[each["task"]].add((each["path"], each["sha256"], each["revision"]))
    return found


def _refuse_part(run: Run) -> None:
    """Raise for a run that says less than what all of its suite's claims are."""
    results = known(run.results)
    limit = results["settings"].get("limit")
    reasons = {
        "was interrupted": results["interrupted"],
        "makes no claim, by its profile": results["claims"] is False,
        f"asked {limit} samples of each task at most": limit,
        "did not judge every claim of its suite": not results["complete"],
        "judged nothing": not results["verdicts"],
    }
    if why := next((reason for reason, holds in reasons.items() if holds), None):
        msg = (
            f"{run.folder} {why}, and a baseline stands for the whole suite: run all of it, without -k, -x, a limit or "
            "the profile sample, and bless that run"
        )
        raise FairprobeError(msg)


def _place(run: Run, root: Path) -> Path:
    """Where a run's baseline lies: in the folder that its test modules share."""
    tests = known(run.results)["suite"].get("files", {})
    home = _home(tests, root)
    if home is None or not all((root / test).is_file() for test in tests):
        msg = (
            f"the test modules of {run.folder} do not lie below {root}: run fairprobe bless in pytest's root "
            f"directory, or say where to write: --to=FOLDER/{NAME}"
        )
        raise FairprobeError(msg)
    return home / NAME


def _above(home: Path, root: Path) -> Path | None:
    above = takewhile(lambda folder: folder.is_relative_to(root), home.parents)
    return next((file for folder in (home, *above) if (file := folder / NAME).is_file()), None)


def _home(tests: Iterable[str], root: Path) -> Path | None:
    """The folder that test modules share, whose paths are written from root."""
    folders = [str((root / test).parent) for test in tests]
    return Path(os.path.commonpath(folders)) if folders else None


def _checkpoint(results: Record, role: str) -> dict[str, Any] | None:
    found = next((each for each in results["checkpoints"] if each["role"] == role), None)
    if found is None:
        return {"name": name_of(results) or "", "fingerprint": None, "revision": None} if role == "model" else None
    return {name: found.get(name) for name in ("name", "fingerprint", "revision")}


def _data(results: Record) -> list[dict[str, Any]]:
    names = ("task", "path", "sha256", "revision")
    rows = {tuple(each.get(name) for name in names): None for each in results["data"]}
    return [dict(zip(names, row, strict=True)) for row in sorted(rows, key=repr)]


def _test(verdict: Record) -> dict[str, Any]:
    verdict = known(verdict)
    return {
        "test": plain(verdict),
        "claim": verdict["claim"],
        "refined": _refined(verdict),
        "confidence": verdict["confidence"],
        "mode": verdict["mode"],
        "outcome": verdict["outcome"],
        **_rounded(verdict),
        "samples": verdict["samples"],
        "clusters": verdict["clusters"],
        "groups": [
            {"group": dict(each["group"]), **_rounded(each)}
            for each in sorted(map(known, verdict["groups"]), key=lambda each: label(each["group"]))
        ],
    }


def _refined(verdict: Record) -> str:
    """What a claim was refined by, beside its confidence and its mode, which the run may have set.

    >>> _refined({"claim": "a < 1", "expression": "(a < 1).at(confidence=0.9).waive('tokens', because='agreed')"})
    ".waive('tokens', because='agreed')"
    """
    refined = str(verdict["expression"]).removeprefix(f"({verdict['claim']})").removeprefix(verdict["claim"])
    return re.sub(r"\.(at|mode)\([^()]*\)", "", refined)


def _rounded(found: Record) -> dict[str, float | None]:
    return {name: None if (value := found[name]) is None else float(f"{value:.4g}") for name in LIMITS}


def _written(value: Any, indent: str = "") -> str:
    """JSON in which a list has a line for each of its values, and an object with a list in it for each of its own."""
    inner = indent + " "
    if isinstance(value, list) and value:
        lines = [inner + _written(each, inner) for each in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    if isinstance(value, Mapping) and any(isinstance(held, list) for held in value.values()):
        lines = [f"{inner}{json.dumps(name)}: {_written(held, inner)}" for name, held in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _no_number(name: str) -> float:
    msg = f"{name} is no number"
    raise ValueError(msg)
