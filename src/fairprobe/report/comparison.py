"""Two runs of the same claims: what each said, and how far the values moved, sample by sample where these are shared.

The groups that decide now, and which of two lies ahead, were chosen by what was found, so their limits are Bonferroni's
over all that might have been.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from fairprobe import statistics
from fairprobe.errors import BadData, FairprobeError
from fairprobe.expressions import Change, Expectation, Question, measures
from fairprobe.metrics import KNOW_CHANCE, NoEvidence, Role, Values, grouped, measured
from fairprobe.report.anchors import plain
from fairprobe.report.claims import read
from fairprobe.report.expectation import Record, label, name_of
from fairprobe.report.samples import KEY, NAME, KeptSamples
from fairprobe.report.schema import load
from fairprobe.statistics import Estimates
from fairprobe.tasks import Outcomes, Task

MOST_NAMED = 20
"""Samples that are named where a run lost or won them."""
LOOKED_AT = 20
"""Runs beside a run, latest first, among which the previous one is looked for."""
MOST_COMPARED = 1_000_000
"""Samples times claims from which on a run is not measured again only to say how far it moved."""


@dataclass(frozen=True)
class Run:
    """A run as it was written: its results, and its samples where they lie beside them."""

    folder: Path
    results: Record
    kept: KeptSamples

    @classmethod
    def of(cls, folder: Path, results: Record) -> Run:
        """The run that a folder holds."""
        return cls(folder, results, KeptSamples(folder, results.get("samples", ())))

    @classmethod
    def at(cls, path: Path) -> Run:
        """The run of a folder, or of its `results.json`. Raises `FairprobeError` for what is none."""
        return cls.of(path if path.is_dir() else path.parent, load(path))

    @property
    def model(self) -> str | None:
        """The name of the checkpoint under test."""
        return name_of(self.results)


@dataclass(frozen=True)
class Moved:
    """How far a claim's value moved from one run to another; None where nothing is known.

    `difference` is that of the group that decides now, or of the distance between the two; `clusters` are those that
    both runs share. `lost` are samples that were right and are missed now, `won` the others; some of them are named.
    """

    test: str
    claim: str
    outcome_before: str
    outcome: str
    value_before: float | None
    value: float | None
    bound: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    clusters: int = 0
    lost: int | None = None
    won: int | None = None
    lost_samples: list[str] = field(default_factory=list)
    why: str | None = None


def since_previous(folder: Path, results: Record, *, candidate: bool = False) -> dict[str, Any] | None:
    """What moved since the latest run beside this folder (or in it, before) that judged one of its tests.

    The folder of a `candidate` lies in that of its run, beside which others lie. None where there is none.
    """
    tests = {each["test"] for each in results["verdicts"]}
    runs = folder.parent.parent if candidate else folder.parent
    beside = runs.glob(f"*/{folder.name}/results.json" if candidate else "*/results.json")
    for file in sorted(beside, key=_written, reverse=True)[:LOOKED_AT]:
        with suppress(FairprobeError):
            found = load(file)
            if found.get("claims") == results["claims"] and tests & {each["test"] for each in found["verdicts"]}:
                moved = compare(_without_samples(file.parent, found, folder), Run.of(folder, results))
                return moved | {"run": file.parent.relative_to(runs).as_posix()}
    return None


def _written(file: Path) -> float:
    """When a file was written; one that went away meanwhile never was."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _without_samples(before: Path, found: Record, now: Path) -> Run:
    """A run whose samples were written over has none, and many samples are only compared when somebody asks."""
    rows = sum(each["rows"] for each in found.get("samples", ()))
    many = rows * len(found["verdicts"]) > MOST_COMPARED
    return Run.of(before, {**found, "samples": []} if before == now or many else found)


class Difference(NamedTuple):
    """A difference with its limits, and how many clusters both sides share."""

    value: float
    low: float
    high: float
    clusters: int


def compare(before: Run, after: Run) -> dict[str, Any]:
    """What moved between two runs, for every claim that both judged; plain data."""
    old, new = (run.results.get("verdicts", ()) for run in (before, after))
    pairs = list(same_claims(old, new))
    matched = [id(each) for pair in pairs for each in pair]
    return {
        "run": before.folder.name,
        "model": before.model,
        "started": before.results.get("started"),
        "claims": [asdict(_moved(was, now, before, after)) for was, now in pairs],
        "added": [each["test"] for each in new if id(each) not in matched],
        "removed": [each["test"] for each in old if id(each) not in matched],
    }


def same_claims(old: Sequence[Record], new: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """The verdicts on the same claim of a test, or on the one claim that a test makes, whatever it says."""
    same = {(plain(each), each["claim"]): each for each in old}
    counts = [Counter(map(plain, verdicts)) for verdicts in (old, new)]
    only = {plain(each): each for each in old if all(count[plain(each)] == 1 for count in counts)}
    for each in new:
        was = same.get((plain(each), each["claim"])) or only.get(plain(each))
        if was is not None:
            yield was, each


def _moved(old: Record, new: Record, before: Run, after: Run) -> Moved:
    said = {name: new[name] for name in ("test", "claim", "outcome", "value", "bound")}
    known = {**said, "outcome_before": old["outcome"], "value_before": old["value"]}
    try:
        return Moved(**known, **_movement(old, new, before, after))
    except (FairprobeError, NoEvidence, ValueError, KeyError, OSError, pl.exceptions.PolarsError) as error:
        return Moved(**known, why=str(error) or type(error).__name__)


def _movement(old: Record, new: Record, before: Run, after: Run) -> dict[str, Any]:
    """What is known of how far a claim moved. Raises why nothing is."""
    why = None
    if old["claim"] != new["claim"]:
        why = f"another claim was made then: {old['claim']}"
    elif new["value"] is None or old["value"] is None:
        why = "one of the runs has no value"
    elif not (before.kept.files and after.kept.files):
        why = "its samples are not kept"
    if why is not None:
        raise FairprobeError(why)
    claim = read(new["claim"], after.kept.tasks)
    _refuse_judges(claim, before.kept, after.kept)
    found: dict[str, Any] = {}
    if flipped := _flipped(claim, before.kept, after.kept):
        lost, won = flipped
        found = {"lost": len(lost), "won": len(won), "lost_samples": lost[:MOST_NAMED]}
    if claim.question.kind == "ratio":
        return {**found, "why": "a ratio has no difference between runs"}
    moved = _difference(claim, new, before.kept, after.kept)
    found |= {"difference": moved.value, "clusters": moved.clusters}
    if not math.isfinite(moved.low) or not math.isfinite(moved.high):
        return {**found, "why": "nothing is known of how far an unbounded value varies that did not vary here"}
    return {**found, "low": moved.low, "high": moved.high, "confidence": new["confidence"]}


def _refuse_judges(claim: Expectation, *runs: KeptSamples) -> None:
    tasks = {measure.task.name for measure in measures(claim.question.metric)}
    if judged := {
        name for kept in runs for (task, _), each in kept.files.items() if task in tasks for name in each["judged"]
    }:
        msg = f"a judge's errors are not kept with the samples ({', '.join(sorted(judged))})"
        raise FairprobeError(msg)


def _difference(claim: Expectation, verdict: Record, before: KeptSamples, after: KeptSamples) -> Difference:
    """How far the value of the groups that decide moved."""
    moved, clusters = _estimates(claim, before, after)
    weights = _weights(verdict)
    if missing := [name for name in weights if name not in moved.groups]:
        msg = f"{missing[0]} was not measured in both runs"
        raise FairprobeError(msg)
    row = [weights.get(str(name), 0.0) for name in moved.groups]
    ways = math.perm(len(moved.groups), len(weights))
    only = statistics.combine(moved, [row], ["moved"])
    low, high = statistics.limits(only, (1 - verdict["confidence"]) / ways)
    return Difference(float(only.theta[0]), float(low[0]), float(high[0]), clusters)


def _weights(verdict: Record) -> dict[str, float]:
    """The groups that a verdict's value is made of: one alone, or the one less the other."""
    names = verdict["between"] or ["all samples"]
    if len(names) == 1:
        return {names[0]: 1.0}
    values = {label(group["group"]): group["value"] for group in verdict["groups"]}
    first, second = names
    ahead = math.isclose(values[first] - values[second], verdict["value"], abs_tol=1e-9)
    return {first: 1.0, second: -1.0} if ahead else {first: -1.0, second: 1.0}


def _estimates(claim: Expectation, before: KeptSamples, after: KeptSamples) -> tuple[Estimates, int]:
    """How far each group moved, and over how many clusters that both runs share.

    Samples are paired where the runs share them, whatever else either holds. A change from a baseline is a difference
    in each run already, and is subtracted cluster by cluster; so are runs that share no sample.
    """
    question = claim.question
    if not question.metric.reads_baseline:
        with suppress(BadData):
            data = grouped(*_paired(claim, before, after)).with_evidence()
            found = data.estimates()
            return found, len(found.clusters)
    sides = [grouped(question, measured(question.metric, kept.look)).with_evidence() for kept in (before, after)]
    shared = {*sides[0].labels} & {*sides[1].labels}
    if not shared:
        msg = "the runs have no group in common"
        raise FairprobeError(msg)
    old, new = (side.among(shared).estimates() for side in sides)
    return statistics.subtract(new, old), len({*old.clusters} & {*new.clusters})


def _paired(claim: Expectation, before: KeptSamples, after: KeptSamples) -> tuple[Question, list[Values]]:
    """The claim's question about the change since a run, sample by sample."""
    question = read(claim.claim, after.joined).question
    changed = replace(question, metric=Change(question.metric))

    def look(task: Task, role: Role) -> Outcomes:
        return (after if role == "model" else before).look(task, "model")

    return changed, measured(changed.metric, look)


def _flipped(claim: Expectation, before: KeptSamples, after: KeptSamples) -> tuple[list[str], list[str]] | None:
    """The samples that the model had right and misses now, and those it had missed; None where none can be.

    They are those of the claim's first task.
    """
    if next(measures(claim.question.metric)).function not in KNOW_CHANCE:
        return None
    old, new = (_answers(claim, kept) for kept in (before, after))
    if not {score for score, _ in (*old.values(), *new.values())} <= {0.0, 1.0}:
        return None
    both = [(old[key][0], score, sample) for key, (score, sample) in new.items() if key in old]
    if not both:
        return None
    return [sample for was, now, sample in both if was > now], [sample for was, now, sample in both if was < now]


def _answers(claim: Expectation, kept: KeptSamples) -> dict[str, tuple[float, str]]:
    """Each answered sample's key, whichever run it was asked in, with its score and what the report calls it."""
    values = measured(claim.question.metric, kept.look, side="model")[0]
    used = values.kept & ~np.isnan(values.value)
    frame = values.frame.filter(pl.Series(used))
    return dict(zip(frame[KEY], zip(values.value[used].tolist(), frame[NAME], strict=True), strict=True))
