"""`results.json`: everything a run found, in the schema that the page, the terminal and an auditor read."""

from __future__ import annotations

import json
import math
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from fairprobe import __version__, statistics
from fairprobe.diagnosis import diagnose
from fairprobe.expressions import Expectation, measures
from fairprobe.metrics import OF_CANDIDATES, Look, NoEvidence, chance, grouped, labelled, measured
from fairprobe.relations import Counterexample
from fairprobe.report import files
from fairprobe.report.failures import failures
from fairprobe.report.files import writing
from fairprobe.report.frontier import axis
from fairprobe.report.headings import heading
from fairprobe.report.page import render
from fairprobe.report.printable import cut, encodable
from fairprobe.report.schema import SCHEMA
from fairprobe.verdict import Claim, Defaults, Verdict

FALSE_ALARMS = 0.10
"""The share of false alarms that a list for triage may hold."""
MOST_COUNTEREXAMPLES = 1000
"""How many minimal counterexamples of a verdict are written; all are saved where they are tried again."""
Entry = dict[str, Any]


def entry(test: str, verdict: Verdict, look: Look, names: Mapping[str, str | None]) -> Entry:
    """One verdict as plain data; `names` are the checkpoints that played model and baseline."""
    decision = verdict.decision
    missed = failures(verdict.expectation, look, verdict.between or ())
    return _entry({
        **_head(test, verdict.expectation, verdict.claim, names),
        "outcome": verdict.outcome,
        "red": verdict.is_red,
        "value": decision and decision.value,
        "low": decision and decision.low,
        "high": decision and decision.high,
        "between": verdict.between,
        "p_value_pass": decision and decision.p_value_pass,
        "p_value_fail": decision and decision.p_value_fail,
        "needed": decision and decision.needed,
        "more_samples": verdict.more_samples,
        "equal_groups": decision and decision.equal_groups,
        "chance": chance(verdict.expectation.question, look),
        "method": decision and decision.method,
        "e_values": _e_values(verdict),
        "range": verdict.range,
        "samples": verdict.samples,
        "clusters": decision.clusters if decision else verdict.fewest_clusters,
        "groups": list(_groups(verdict, look)),
        "guards": [asdict(guard) for guard in verdict.guards],
        "diagnosis": [*map(asdict, diagnose(verdict.expectation, look))] if verdict.outcome == "fail" else [],
        "caveats": verdict.caveats,
        "counterexamples": [*map(_told, verdict.counterexamples[:MOST_COUNTEREXAMPLES])],
        "failures": missed["samples"],
        "missed": missed["missed"],
        "answered": missed["answered"],
        "seconds": verdict.seconds,
        "error": None,
    })  # fmt: skip


def _e_values(verdict: Verdict) -> Entry | None:
    """What betting for the claim and against it has come to; no finite number where it is certain."""
    if verdict.stopped is None:
        return None
    return {
        "pass": verdict.stopped.for_pass, "fail": verdict.stopped.for_fail,
        "needed": 1 / round(1 - verdict.claim.confidence, 12),
    }  # fmt: skip


def _told(found: Counterexample) -> Entry:
    """A counterexample with its texts as long as anyone reads them."""
    said = asdict(found)
    texts = {name: cut(said[name]) for name in ("before", "after", "prompt")}
    return {**said, **texts, "answers": [answer and cut(answer) for answer in found.answers]}


def _groups(verdict: Verdict, look: Look) -> Iterator[Entry]:
    """Each group's value; that of a change with the values of model and baseline that it lies between."""
    question = verdict.expectation.question
    sides: dict[str, dict[str, float]] = defaultdict(dict)
    for role in ("model", "baseline") if question.metric.reads_baseline else ():
        with suppress(NoEvidence, ValueError):
            side = grouped(question, measured(question.metric, look, side=role)).with_evidence()
            for label, value in zip(side.labels, side.estimates().theta.tolist(), strict=True):
                sides[labelled(label)][role] = value
    for group in verdict.groups:
        yield {**asdict(group), "sides": sides.get(labelled(tuple(group.group.values())), {})}


def error_entry(
    test: str, expectation: Expectation, error: str, defaults: Defaults, names: Mapping[str, str | None]
) -> Entry:
    """An expectation that could not be judged at all."""
    nothing = dict.fromkeys((
        "value", "low", "high", "between", "p_value_pass", "p_value_fail", "needed", "more_samples",
        "equal_groups", "chance", "method", "e_values", "range",
    ))  # fmt: skip
    return _entry({
        **_head(test, expectation, Claim.of(expectation.terms, defaults), names),
        **nothing,
        "outcome": "error", "red": True, "samples": 0, "clusters": 0, "groups": [], "guards": [], "diagnosis": [],
        "caveats": [],
        "counterexamples": [], "failures": [], "missed": 0, "answered": 0, "seconds": 0.0, "error": error,
    })  # fmt: skip


def assemble(run: Mapping[str, Any], entries: Iterable[Entry]) -> dict[str, Any]:
    """The whole of `results.json`: the run's facts, and its verdicts with what they say together."""
    verdicts = [dict(each) for each in entries]
    results = {"schema": SCHEMA, "fairprobe": __version__, **run, "verdicts": verdicts, "triage": _together(verdicts)}
    results["release"] = _release(results)
    return _entry(results)


def _together(verdicts: Sequence[Entry]) -> list[str]:
    """Add Holm's p-values over the suite; the tests that are worth a look, of which one in ten is a false alarm.

    No outcome depends on it: a test's verdict is the same whichever others ran.
    """
    judged = [each for each in verdicts if each["p_value_fail"] is not None]
    for side in ("pass", "fail"):
        adjusted = statistics.holm([each[f"p_value_{side}"] for each in judged])
        for each in verdicts:
            each[f"p_value_{side}_holm"] = None
        for each, p_value in zip(judged, adjusted, strict=True):
            each[f"p_value_{side}_holm"] = float(p_value)
    q_values = statistics.benjamini_hochberg([each["p_value_fail"] for each in judged])
    return [each["test"] for each, q_value in zip(judged, q_values, strict=True) if q_value < FALSE_ALARMS]


def write(folder: Path, results: Mapping[str, Any]) -> Path:
    """Write `results.json` and `index.html`; the page's path. Raises `FairprobeError` for a folder that refuses."""
    with writing("the report", folder):
        files.write(folder, {
            "results.json": json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False),
            "index.html": render(results),
        })  # fmt: skip
    return folder / "index.html"


def suite_facts(root: Path, files: Iterable[Path]) -> dict[str, Any]:
    """The commit that the tests stand at, whether they were changed since, and each file's sha256."""
    commit = _git(root, "rev-parse", "HEAD")
    dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no")) if commit else None
    hashes = {
        relative(file, root): sha256(file.read_bytes()).hexdigest() for file in sorted(set(files)) if file.is_file()
    }
    return {"commit": commit, "dirty": dirty, "files": hashes}


def _head(test: str, expectation: Expectation, claim: Claim, names: Mapping[str, str | None]) -> Entry:
    question = expectation.question
    reference = question.reference
    read = list(measures(question.metric))
    return {
        "test": test,
        "expression": repr(expectation),
        "claim": expectation.claim,
        "metric": " and ".join(dict.fromkeys(measure.function for measure in read)),
        "heading": heading(question.metric),
        "tasks": list(dict.fromkeys(measure.task.name for measure in read)),
        "candidates": next((each.option("of") for each in read if each.function in OF_CANDIDATES), None),
        "axis": axis(question.metric),
        "question": question.kind,
        "columns": list(question.columns),
        "reference": None
        if reference is None
        else labelled(reference if isinstance(reference, tuple) else (reference,)),
        "model": names.get("model"),
        "baseline": names.get("baseline") if question.metric.compares else None,
        "comparison": expectation.comparison,
        "bound": expectation.bound,
        "confidence": claim.confidence,
        "scope": claim.scope,
        "mode": claim.mode,
        "because": list(expectation.terms.reasons),
    }


def _release(results: Mapping[str, Any]) -> dict[str, Any]:
    """The sentence that a release stands on; it needs every declared claim, asked whole and judged."""
    proving = [each for each in results["verdicts"] if each["mode"] == "prove" and not each.get("expected_failure")]
    shown = [each for each in proving if each["outcome"] == "pass"]
    if not results.get("claims", True):
        return {"complete": False, "sentence": "This profile makes no claim."}
    if not results.get("complete"):
        return {"complete": False, "sentence": "Partial, not complete: no release claim."}
    if not results["verdicts"]:
        return {"complete": True, "sentence": "No expectation was judged."}
    if not proving:
        return {"complete": True, "sentence": "No claim is made: these are alarms only."}
    if len(shown) < len(proving):
        return {"complete": True, "sentence": f"{len(shown)} of {len(proving)} claims are shown."}
    level = 1 - min(each["confidence"] for each in proving)
    all_shown = (
        "The one claim is shown; if it were false"
        if len(proving) == 1
        else f"All {len(proving)} claims are shown; if any of them were false"
    )
    return {
        "complete": True,
        "sentence": f"{all_shown}, this would be said with a probability of at most {level:.3g}.",
    }


def _entry(value: Mapping[str, Any]) -> Entry:
    """A mapping as plain data."""
    return {encodable(str(name)): _plain(held) for name, held in value.items()}


def _plain(value: Any) -> Any:
    """Plain float, int, str, bool, None, list and dict: it survives JSON and xdist."""
    if isinstance(value, Mapping):
        return _entry(value)
    if isinstance(value, (str, bool)) or value is None:
        return encodable(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(held) for held in value]
    return _plain(value.item()) if hasattr(value, "item") else str(value)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def relative(file: Path, root: Path) -> str:
    """A path as the report shows it: from the root directory where it lies below it."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
