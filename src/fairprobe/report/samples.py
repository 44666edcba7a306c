"""Every sample of a run, in Parquet beside its page: the data's own columns, what was asked, answered and scored.

A file holds one task with one checkpoint. What fairprobe adds stands in columns that begin with `fairprobe_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars import selectors

from fairprobe.errors import FairprobeError
from fairprobe.metrics import Role
from fairprobe.report.files import whole, writing
from fairprobe.report.printable import encodable
from fairprobe.tasks import Outcomes, Recorded, Samples, Task

FOLDER = "samples"
OWN = "fairprobe_"
_OURS = re.compile(rf"_*{OWN}")
"""Columns of the data that look like ours, since they were: they are told apart by one more underscore."""
TEXTS = ("prompt", "response", "target")
KEY, NAME = f"{OWN}key", f"{OWN}name"
"""What tells a sample from the others, whichever run it was asked in, and what the report of its run calls it."""
NUMBERS = ("score", "noise", "tokens")
"""Kinds of numbers that a sample has several of, by name."""


def write(folder: Path, looked: Mapping[tuple[Task, Role], Outcomes], since: str | None = None) -> list[dict[str, Any]]:
    """Write each task's samples with each checkpoint, and give what `results.json` says of the files.

    The baseline's are called after what the run calls it `since`, if it does.

    Raises `FairprobeError` for a folder that refuses.
    """
    with writing("the samples", folder / FOLDER, ValueError, TypeError, pl.exceptions.PolarsError):
        return [_written(folder, task, role, since, outcomes) for (task, role), outcomes in looked.items()]


def _written(folder: Path, task: Task, role: Role, since: str | None, outcomes: Outcomes) -> dict[str, Any]:
    name = f"{FOLDER}/{task.name}{'' if role == 'model' else f'.{since or role}'}.parquet"
    frame = _frame(task, outcomes)
    with whole(folder / name) as part:
        try:
            frame.write_parquet(part)
        except pl.exceptions.PolarsError:
            # what has no place in Parquet, such as a struct without fields, stands there as text
            nested = [column for column in frame.iter_columns() if column.dtype.is_nested()]
            frame.with_columns(pl.Series(each.name, [*map(str, each)]) for each in nested).write_parquet(part)
    recorded = task if isinstance(task, Recorded) else None
    return {
        "task": task.name,
        "role": role,
        "file": name,
        "rows": len(outcomes.samples),
        "scores": {score: outcomes.range_of(score) for score in outcomes.scores},
        "key": list(recorded.keys) if recorded else [],
        "clusters": _clusters(task, outcomes.samples),
        "apart": [
            *task.scored_columns,
            *task.numbering_columns,
            *([recorded.model] if recorded and recorded.model else []),
        ],
        "judged": sorted(outcomes.labelled),
    }


def _clusters(task: Task, samples: Samples) -> str:
    """What the clusters are: values of a `column`, `rows` that belong together, or each `row`."""
    if task.cluster or task.pair or (isinstance(task, Recorded) and task.keys):
        return "column"
    return "row" if samples.pair is None else "rows"


def _frame(task: Task, outcomes: Outcomes) -> pl.DataFrame:
    samples = outcomes.samples
    ids = [f"{task.name}:{number}" for number in range(len(samples))]
    keys = {"cluster": samples.cluster, "pair": samples.pair}
    texts = zip(TEXTS, (outcomes.prompts, outcomes.responses, outcomes.targets), strict=True)
    numbers = zip(NUMBERS, (outcomes.scores, outcomes.noise, outcomes.tokens), strict=True)
    own = [
        pl.Series("sample", ids),
        *(pl.Series(name, [encodable(str(key)) for key in held]) for name, held in keys.items() if held is not None),
        *([] if samples.weight is None else [pl.Series("weight", samples.weight)]),
        pl.Series("status", outcomes.status.tolist(), dtype=pl.String),
        *(pl.Series(f"{kind}_{name}", held, dtype=pl.Float64) for kind, by in numbers for name, held in by.items()),
        *(
            pl.Series(name, [text and encodable(text) for text in held], dtype=pl.String)
            for name, held in texts
            if held
        ),
    ]
    data = samples.frame.rename({name: f"_{name}" for name in samples.frame.columns if _OURS.match(name)})
    return data.with_columns(column.alias(OWN + column.name) for column in own)


class KeptSamples:
    """The samples of a run as they were kept, to be measured again."""

    def __init__(self, run: Path, files: Iterable[Mapping[str, Any]]) -> None:
        self.run = run
        self.files = {(each["task"], each["role"]): each for each in files if (run / str(each["file"])).is_file()}
        self._outcomes: dict[tuple[str, Role], Outcomes] = {}

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The tasks by their names, as far as a metric needs to know them."""
        return {task: self._task(task, each["key"]) for (task, role), each in self.files.items() if role == "model"}

    @cached_property
    def joined(self) -> dict[str, Task]:
        """The same tasks, with a key by which their samples are found in another run."""
        return {task: self._task(task, KEY) for task in self.tasks}

    def _task(self, name: str, key: str | Sequence[str]) -> Task:
        scores = self.files[name, "model"]["scores"]
        return Recorded([{"kept": name}], name=name, score={score: score for score in scores}, key=key)

    def look(self, task: Task, role: Role) -> Outcomes:
        """A task's outcomes with one checkpoint. Raises `FairprobeError` where they were not kept."""
        key: tuple[str, Role] = (task.name, role)
        if key not in self._outcomes:
            if key not in self.files:
                msg = f"the samples of {task.name} with the {role} are not kept in {self.run}"
                raise FairprobeError(msg)
            self._outcomes[key] = _outcomes(self.run, self.files[key])
        return self._outcomes[key]


def _outcomes(run: Path, known: Mapping[str, Any]) -> Outcomes:
    held = pl.read_parquet(run / known["file"])
    own = {name.removeprefix(OWN): held[name] for name in held.columns if name.startswith(OWN)}
    data = held.select(name for name in held.columns if not name.startswith(OWN))
    data = data.rename({name: name[1:] for name in data.columns if _OURS.match(name)})
    frame = data.with_columns(_keys(data, known).alias(KEY), own["sample"].alias(NAME))

    def numbers(kind: str) -> dict[str, np.ndarray]:
        return {
            name.removeprefix(f"{kind}_"): column.to_numpy()
            for name, column in own.items()
            if name.startswith(f"{kind}_")
        }

    texts: dict[str, Sequence[str | None]] = {name: own[name].to_list() if name in own else () for name in TEXTS}
    pair = own["pair"].to_numpy() if "pair" in own else None
    cluster = own["cluster"] if known["clusters"] == "column" else frame[KEY]
    if known["clusters"] == "rows":
        # a row's number is no key of another run's, but what the first of them asks is
        cluster = frame.select(pl.col(KEY).first().over(own["cluster"])).to_series()
    weight = own["weight"].to_numpy() if "weight" in own else None
    samples = Samples(frame, np.array(cluster.to_list(), dtype=object), pair, weight)
    return Outcomes(
        samples, numbers("score"), own["status"].to_numpy(), texts["response"], texts["prompt"], texts["target"],
        ranges={name: (_end(low, -np.inf), _end(high, np.inf)) for name, (low, high) in known["scores"].items()},
        noise=numbers("noise"), tokens=numbers("tokens"),
    )  # fmt: skip


def _end(value: float | None, unbounded: float) -> float:
    """An end of a range; JSON has no infinity."""
    return unbounded if value is None else float(value)


def _keys(frame: pl.DataFrame, known: Mapping[str, Any]) -> pl.Series:
    """A key of each sample: the columns that the task names, else all that its row holds of the question."""
    rows = frame.select(known["key"] or [name for name in frame.columns if name not in known["apart"]])
    # a category's number depends on the others
    rows = rows.with_columns(selectors.by_dtype(pl.Enum, pl.Categorical).cast(pl.String))
    hashes = rows.hash_rows() if rows.width else pl.repeat(0, frame.height, eager=True)
    # equal rows are counted
    return (
        pl.DataFrame({"row": hashes}).select(pl.format("{}/{}", "row", pl.int_range(pl.len()).over("row"))).to_series()
    )
