"""How often a suite was tried: a ledger of JSON lines beside the store, and the error that its attempts add up to.

A suite is its claims and their data. An attempt is a complete run of it on a checkpoint; the same content asked again
with the same seed and settings draws nothing new, so it is the same attempt.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from fairprobe.errors import StoreError

NAME = "attempts.jsonl"
PLACES = {"model", "baseline", "data", "report", "store", "accept"}
"""Settings that say where something lies, or that it may be read; what lies there is known by its hash."""
LEAST_PREFIX = 6
"""Characters of a suite's hash that are enough to name it."""


@dataclass(frozen=True)
class Attempt:
    """A complete run of a suite on a checkpoint; `error` is how often all would be called shown, were one false."""

    suite: str
    tests: str
    started: str
    model: str
    fingerprint: str
    baseline: str | None
    seed: int
    settings: dict[str, str]
    shown: int
    claims: int
    error: float

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from other attempts: another draw of answers, or another way to judge them."""
        return self.suite, self.fingerprint, self.baseline, self.seed, tuple(sorted(self.settings.items()))

    @property
    def began(self) -> datetime:
        """When its run began."""
        return moment(self.started)


class Ledger(NamedTuple):
    """The attempts that a ledger holds, each once, and how many of its lines cannot be read."""

    attempts: list[Attempt]
    unread: int


def attempt_of(results: Mapping[str, Any]) -> Attempt | None:
    """The attempt that a run is; None for one that is not complete, makes no claim, or is of nobody knows what."""
    proving = [each for each in results["verdicts"] if each["mode"] == "prove"]
    standing = [each for each in proving if not each.get("expected_failure")]
    if not (results["complete"] and results["claims"] and standing):
        return None
    who = {each["role"]: each for each in results["checkpoints"]}
    data = sorted({(each["task"], str(each["sha256"]), str(each["revision"])) for each in results["data"]})
    model, baseline = (
        _content(who[role], data, results["started"]) if role in who else None for role in ("model", "baseline")
    )
    if model is None:
        return None
    is_recorded = any(str(each["path"]).startswith("recorded:") for each in who.values())
    claims = sorted({each["claim"] for each in proving})
    return Attempt(
        # what is recorded is a model's answers, and no data of the suite
        suite=_digest([claims, [] if is_recorded else data]),
        tests=_folder(results["suite"]["files"]),
        started=results["started"],
        model=who["model"]["name"],
        fingerprint=model,
        baseline=baseline,
        seed=results["seed"],
        settings={name: str(held) for name, held in results["settings"].items() if name not in PLACES},
        shown=sum(each["outcome"] == "pass" for each in standing),
        claims=len(standing),
        error=round(1 - min(each["confidence"] for each in standing), 12),
    )


def keep(file: Path, attempt: Attempt) -> Ledger:
    """The ledger with this attempt in it, which is written where it is new. Raises `StoreError` where it cannot be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock")):
            held = read(file)
            if attempt.key in {each.key for each in held.attempts}:
                return held
            with file.open("ab") as ledger:
                # a line that a killed run left without its end is not made longer
                torn = file.stat().st_size and not file.read_bytes().endswith(b"\n")
                line = json.dumps(asdict(attempt), ensure_ascii=False) + "\n"
                ledger.write(b"\n" * bool(torn) + line.encode())
            return Ledger([*held.attempts, attempt], held.unread)
    except OSError as error:
        msg = (
            f"the attempt is not counted, since {file} cannot be written: {error}. Let the folder be written to, or "
            "choose another with --fairprobe-store=DIR/store, and run again: nothing is asked twice."
        )
        raise StoreError(msg) from error


def read(file: Path) -> Ledger:
    """The attempts of a ledger; none where there is no file. Raises `StoreError` for one that cannot be read."""
    try:
        lines = file.read_bytes().splitlines() if file.exists() else []
    except OSError as error:
        msg = f"the attempts {file} cannot be read: {error.strerror or error}"
        raise StoreError(msg) from error
    found = [_attempt(line) for line in lines if line.strip()]
    attempts = {each.key: each for each in reversed(found) if each is not None}
    return Ledger([*reversed(attempts.values())], found.count(None))


def standing(attempts: Sequence[Attempt], attempt: Attempt, blessed: str | None) -> dict[str, Any] | None:
    """Which attempt of its suite it is since the suite was blessed, or was first tried; as plain data.

    None for the attempt of an earlier cycle.
    """
    cycle = _cycle([each for each in attempts if each.suite == attempt.suite], blessed)
    keys = [each.key for each in cycle]
    if attempt.key not in keys:
        return None
    since = blessed or cycle[0].started
    found = {
        "suite": attempt.suite, "attempt": keys.index(attempt.key) + 1, "attempts": len(cycle), "since": since,
        "blessed": blessed is not None, "error": _together(cycle),
    }  # fmt: skip
    return {**found, "sentence": _sentence(found, is_latest=keys[-1] == attempt.key)}


def told(ledger: Ledger, suite: str | None, blessed: Mapping[str, str | None]) -> Iterator[str]:
    """The attempts of each suite, or of the one that is named by its folder or hash, in lines.

    `blessed` says of a folder of tests when it was blessed.
    """
    suites: dict[str, list[Attempt]] = defaultdict(list)
    for each in ledger.attempts:
        if suite is None or _is_named(each, suite):
            suites[each.suite].append(each)
    for name, attempts in suites.items():
        day = blessed.get(attempts[-1].tests)
        cycle = _cycle(attempts, day)
        since = f"since it was blessed on {day[:10]}" if day else f"since {attempts[0].started[:10]}"
        count = f"{len(cycle)} attempt{'s' * (len(cycle) != 1)} {since}"
        yield f"{attempts[-1].tests} ({name[:12]}): {count}, an error of {_together(cycle):.3g} together"
        yield from _rows(attempts)
    if ledger.unread:
        yield f"{ledger.unread} of the lines cannot be read"


def moment(said: str) -> datetime:
    """A moment; one without a time zone is one of this machine's."""
    return datetime.fromisoformat(said).astimezone()


def _cycle(attempts: Iterable[Attempt], blessed: str | None) -> list[Attempt]:
    """Those made since the run that was blessed, which belongs to the cycle before."""
    return [each for each in attempts if blessed is None or each.began > moment(blessed)]


def _together(cycle: Iterable[Attempt]) -> float:
    """The most often that one of several attempts passes, each with a false claim: nothing is independent of anything.

    It is what their errors add up to.
    """
    return round(min(1.0, sum(each.error for each in cycle)), 12)


def _sentence(found: Mapping[str, Any], *, is_latest: bool) -> str | None:
    count, number = found["attempts"], found["attempt"]
    if count < 2:
        return None
    since = f"since it was blessed on {found['since'][:10]}" if found["blessed"] else f"since {found['since'][:10]}"
    which = f"Attempt {number} of this suite {since}" if is_latest else f"Attempt {number} again, of {count} {since}"
    return (
        f"{which}: if a claim were false for each of them, one of the {count} would have passed with a probability of "
        f"at most {found['error']:.3g}."
    )


def _rows(attempts: Sequence[Attempt]) -> Iterator[str]:
    rows = [("", "began", "model", "fingerprint", "seed", "shown", "error")]
    rows += [
        (str(n), each.started[:16].replace("T", " "), each.model, each.fingerprint[:12], str(each.seed),
         f"{each.shown} of {each.claims}", f"{each.error:.3g}")
        for n, each in enumerate(attempts, start=1)
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _is_named(attempt: Attempt, suite: str) -> bool:
    name = suite.rstrip("/")
    is_hash = len(name) >= LEAST_PREFIX and attempt.suite.startswith(name)
    return is_hash or attempt.tests == name or attempt.tests.startswith(f"{name}/")


def _attempt(line: bytes) -> Attempt | None:
    """The attempt of a line; None for one that is torn or says something else."""
    try:
        held = json.loads(line)
        found = Attempt(**{each.name: held[each.name] for each in fields(Attempt)})
        texts = (found.suite, found.tests, found.started, found.model, found.fingerprint)
        is_sound = 0 <= found.error <= 1 and all(isinstance(each, str) for each in texts)
        # what is not of its kind is told now, and breaks nothing later
        _ = found.began, hash(found.key)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if is_sound else None


def _content(checkpoint: Mapping[str, Any], data: Sequence[Any], started: str) -> str | None:
    """What tells that the same content is asked again. A server does not tell, so each run on one is another draw."""
    spec, fingerprint = str(checkpoint["path"]), checkpoint["fingerprint"]
    if spec.startswith("recorded:"):
        return _digest([checkpoint["name"], data])
    return _digest([fingerprint, started]) if spec.startswith("openai:") else fingerprint


def _folder(files: Iterable[str]) -> str:
    """The folder that test modules share, as they are written; none of some inside and some outside of the root."""
    try:
        return os.path.commonpath([Path(file).parent.as_posix() for file in files]) or "."
    except ValueError:
        return "."


def _digest(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()
