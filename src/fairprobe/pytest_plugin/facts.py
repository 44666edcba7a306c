"""What is known of a run beside its verdicts, as plain data: provenance, settings, counts."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fairprobe.errors import FairprobeError
from fairprobe.metrics import Role
from fairprobe.pytest_plugin import options
from fairprobe.pytest_plugin.run import ROLES, Run
from fairprobe.report import samples
from fairprobe.report.results import relative, suite_facts
from fairprobe.tasks import Outcomes, Task

PACKAGES = ("fairprobe", "numpy", "polars", "pytest", "scipy", "torch", "transformers")


Looked = Mapping[tuple[Task, Role], Outcomes]


def facts(
    run: Run, config: pytest.Config, deselected: Counter[str], looked: Looked, *, partial: bool
) -> dict[str, Any]:
    """Everything about one process's run beside its verdicts; `looked` is what it writes of its samples."""
    settings, session = run.settings, run.session
    return {
        "started": run.started,
        "command": shlex.join(["pytest", *map(str, config.invocation_params.args)]),
        "seed": settings.defaults.seed,
        "complete": not (partial or deselected or run.is_broken or settings.limit is not None),
        "claims": run.claims,
        "interrupted": False,
        "profile": options.profile_name(config),
        "seconds": dict(session.seconds),
        "plan": {"expectations": len(run.planned.expectations) if run.planned else 0, "tests": run.tests},
        "checkpoints": [known for role in ROLES if (known := _checkpoint(run, role))],
        "engine": {
            "name": settings.engine,
            "arguments": dict(settings.engine_arguments),
            **session.describe_engine(),
        },
        "suite": suite_facts(config.rootpath, run.files),
        "data": list(_data(run, config.rootpath)),
        **_samples(run, config, looked),
        "requests": asdict(run.counts),
        "rounds": list(_rounds(run)),
        "settings": {name: str(held) for name, held in options.given(config).items()},
        "versions": _versions(),
        "waivers": list(_waivers(run)),
        "deselected": [{"reason": reason, "count": count} for reason, count in deselected.items()],
    }


def joined(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of one model beside several checkpoints, each with what it asked for itself, as those of one run."""
    first, *others = facts
    run = {**first}
    for each in others:
        run["requests"] = {name: count + each["requests"][name] for name, count in run["requests"].items()}
        run["seconds"] = {name: count + each["seconds"][name] for name, count in run["seconds"].items()}
        run["plan"] = {name: run["plan"][name] + each["plan"][name] for name in run["plan"]}
        run["suite"] = {**run["suite"], "files": {**run["suite"]["files"], **each["suite"]["files"]}}
        for name in ("checkpoints", "data", "samples", "rounds", "waivers"):
            run[name] = [*run[name], *(entry for entry in each[name] if entry not in run[name])]
        run["complete"] = run["complete"] and each["complete"]
        run["unwritten"] = run["unwritten"] or each["unwritten"]
    return {**run, "engine": _engine([each["engine"] for each in facts])}


def merged(
    facts: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]], *, interrupted: bool
) -> dict[str, Any]:
    """The facts of several workers as those of one run: one of them asked, the others read what it wrote."""
    first, *others = facts
    run = {**first, "interrupted": interrupted}
    for name in ("asked", "prompt_tokens", "output_tokens"):
        run["requests"] = {**run["requests"], name: sum(each["requests"][name] for each in facts)}
    run["requests"]["cached"] = min(each["requests"]["cached"] for each in facts)
    run["rounds"] = [entry for each in facts for entry in each["rounds"]]
    run["engine"] = _engine([each["engine"] for each in facts])
    # two workers may have judged by the samples of one task, and wrote the same file
    run["samples"] = list({entry["file"]: entry for each in facts for entry in each["samples"]}.values())
    run["unwritten"] = next((each["unwritten"] for each in facts if each["unwritten"]), None)
    run["seconds"] = {name: max(each["seconds"][name] for each in facts) for name in first["seconds"]}
    judged = {entry["test"] for entry in entries}
    whole = all(each["complete"] for each in (first, *others)) and set(first["plan"]["tests"]) <= judged
    run["complete"] = whole and not interrupted and not any(entry["outcome"] == "error" for entry in entries)
    return run


def _engine(engines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The engines of several workers as one, with all that they computed and noticed."""
    counts: dict[str, Counter[str]] = {}
    for engine in engines:
        for role, each in engine.get("counts", {}).items():
            counts.setdefault(role, Counter()).update(each)
    return {
        **next((engine for engine in engines if "version" in engine), engines[0]),
        "notes": list(dict.fromkeys(note for engine in engines for note in engine.get("notes", ()))),
        "counts": {role: dict(each) for role, each in counts.items()},
        **{
            name: {role: each for engine in engines for role, each in engine.get(name, {}).items()}
            for name in ("noise", "failures")
        },
    }


def _checkpoint(run: Run, role: Role) -> dict[str, Any] | None:
    spec = run.settings.spec(role)
    if spec is None:
        return None
    unknown = dict.fromkeys(("fingerprint", "revision", "template"))
    known = {"role": role, "name": run.names[role], "path": spec, **unknown}
    if run.settings.recorded(role) is not None:
        return known
    try:
        checkpoint = run.session.checkpoint(role)
    except FairprobeError:
        return known
    return known | {name: getattr(checkpoint, name) for name in unknown}


def _data(run: Run, root: Path) -> Iterator[dict[str, Any]]:
    for task, source in run.session.sources:
        known = {"sha256": source.sha256, "rows": source.rows, "revision": source.revision, "licence": source.licence}
        yield {"task": task.name, "path": relative(Path(source.path), root), **known}


def apart(runs: Sequence[Run]) -> list[Looked]:
    """What each run of one candidate writes: its baseline's samples, and the first those of the model, once.

    Two may have asked the model different ones, where asking stopped early.
    """
    fullest: dict[tuple[Task, Role], Outcomes] = {}
    for run in runs:
        for key, outcomes in run.session.looked.items():
            if key[1] == "model" and (key not in fullest or len(outcomes.samples) > len(fullest[key].samples)):
                fullest[key] = outcomes
    own = [{key: each for key, each in run.session.looked.items() if key[1] != "model"} for run in runs]
    return [{**fullest, **own[0]}, *own[1:]]


def _samples(run: Run, config: pytest.Config, looked: Looked) -> dict[str, Any]:
    """The files of samples, which are written here; what kept them from being written is told, and nothing is lost."""
    if config.option.collectonly:
        return {"samples": [], "unwritten": None}
    try:
        return {"samples": samples.write(run.folder, looked, run.since), "unwritten": None}
    except FairprobeError as error:
        return {"samples": [], "unwritten": str(error)}


def _rounds(run: Run) -> Iterator[dict[str, Any]]:
    yield from run.rounds
    session = run.session
    others = {
        "tests that ask for themselves": session.by_tests, "noise": session.by_noise, "judges": session.by_judges,
        "counterexamples": session.by_shrinking, "second rounds": session.by_following,
    }  # fmt: skip
    yield from ({"reason": reason, **asdict(counts)} for reason, counts in others.items() if counts.distinct)


def _waivers(run: Run) -> Iterator[dict[str, str]]:
    for expectation in run.planned.expectations if run.planned else ():
        for waiver in expectation.terms.waivers:
            yield {"expression": expectation.claim, **asdict(waiver)}


def _versions() -> dict[str, str]:
    known = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return known
