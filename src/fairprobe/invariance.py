"""Invariance: a task's samples beside rewritings of a field of theirs, and whether what is measured stays the same."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData, BadExpectation
from fairprobe.expressions import Measure, Metric
from fairprobe.metrics import accuracy, flip_rate, numbers
from fairprobe.relations import DRAWN, FLIPS, Counterexample, Relational, Shrunk, draw
from fairprobe.requests import Request, Response
from fairprobe.rewriting import FEATURES, VARIETIES, Change, Edit, Rewriting, rewritten
from fairprobe.tasks import Asking, Dropped, Outcomes, Samples, Scoring, Task

REWRITING, ORIGINAL, CHANGES, EDITS = "rewriting", "unedited", "changes", "edits"
"""The columns that a rewritten sample has beside its own."""
OWN = (REWRITING, ORIGINAL, CHANGES, EDITS, DRAWN)
SAME = 1e-9
"""Numbers that lie closer are the same."""
DRAWS = 50


@dataclass(frozen=True, repr=False)
class Rewritten(Relational):
    """Each sample of a task under each rewriting, asked beside the sample as it is.

    A sample under a rewriting is one case, drawn by the seed, the sample and the place of each change; a pair holds
    the cases of one sample. `draws` more cases with other changes are drawn by Hypothesis to search for failures; they
    count in no rate. Samples in which nothing can be rewritten are left out, and counted.
    """

    _: KW_ONLY
    task: Asking
    measure: Measure
    under: tuple[Rewriting, ...]
    column: str
    keep: tuple[str, ...] = ()
    seed: int = 0
    draws: int = DRAWS
    pinned: Any = None

    def __repr__(self) -> str:
        under = ", ".join(each.name for each in self.under)
        return f"Rewritten({self.name!r}, {self.column!r} of {self.task.name} under {under})"

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """Those of the task, and the texts of the cases."""
        return (*self.task.scored_columns, ORIGINAL, EDITS, DRAWN)

    @property
    def drawn(self) -> bool:
        """Whether answers are drawn at a temperature."""
        return self.task.drawn

    @property
    def budget(self) -> int | None:
        """How many tokens an answer may have."""
        return self.task.budget

    def load(self, places: data.Places = data.HERE) -> Samples:
        """The cases: every sample under every rewriting, then those that Hypothesis draws, then the pinned ones."""
        base = self.task.load(places)
        texts = data.column(base.frame, self.column, f"{self!r} rewrites {self.column!r}, but {self.task!r}")
        if texts.dtype != pl.String:
            msg = f"{self!r}: column {self.column!r} should hold texts to rewrite; it holds {texts.dtype}"
            raise BadData(msg)
        if clash := [name for name in OWN if name in base.frame.columns]:
            msg = f"{self!r}: its samples have a column {clash[0]!r} of their own; rename it, since cases have one too"
            raise BadData(msg)
        held, kept = texts.fill_null("").to_list(), self._kept(base)
        cases = [
            (at, each.name, each.taken(text, text, self.seed, kept[at]), False)
            for at, text in enumerate(held)
            for each in self.under
        ]
        known = {(at, name, tuple(changes)) for at, name, changes, _ in cases}
        cases += [
            (at, name, list(changes), True)
            for at, name, changes in dict.fromkeys(self._searched(held, kept))
            if (at, name, changes) not in known
        ]
        made = self._cases(base, [case for case in cases if case[2]])
        idle = sorted({(at, name) for at, name, changes, is_drawn in cases if not changes and not is_drawn})
        if not len(made):
            msg = f"{self!r}: in none of the {len(base)} texts can anything be rewritten"
            raise BadData(msg)
        if idle:
            rest = self._cases(base, [(at, name, [], False) for at, name in idle]).frame
            made = replace(made, dropped=(*made.dropped, Dropped(f"{self.column} holds nothing to rewrite", rest)))
        return made if self.pinned is None else self._with_pinned(made, places)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """What is asked of each sample as it is, and then of it rewritten."""
        before, after = (self.task.requests(each) for each in self._sides(samples))
        return [one + other for one, other in zip(before, after, strict=True)]

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """Whether what is measured differs, beside what the rewritten sample scores itself."""
        sides = self._sides(samples)
        halves = [[given[: len(given) // 2], given[len(given) // 2 :]] for given in responses]
        before, after = (self.task.outcomes(side, [half[place] for half in halves]) for place, side in enumerate(sides))
        one, other = (numbers(self.measure, each)[0] for each in (before, after))
        lacking = np.isnan(one) | np.isnan(other)
        flips = np.where(lacking, np.nan, (np.abs(one - other) > SAME).astype(float))
        status = np.where(lacking & ~np.isnan(other), before.status, after.status)
        return replace(
            after, samples=samples, scores={FLIPS: flips, **after.scores}, status=status,
            ranges={FLIPS: (0.0, 1.0), **after.ranges}, beside=before,
        )  # fmt: skip

    def chance(self, samples: Samples) -> float | None:
        """The accuracy of an answer that knows nothing, for the guard of the samples as they are."""
        return self.task.chance(self._sides(samples)[0])

    def parts(self, samples: Samples) -> list[tuple[Hashable, ...]]:
        """The changes of each case, those of one name beside each other."""
        found: list[tuple[Hashable, ...]] = []
        for row in samples.frame[CHANGES]:
            changes = sorted(_changes(row), key=by_name)
            found.append(tuple(changes))
        return found

    def kind(self, part: Change) -> Hashable:
        """The name of the change."""
        return part.name

    def edited(self, samples: Samples, index: Sequence[int], parts: Sequence[Sequence[Hashable]]) -> Samples:
        """These cases with these changes alone."""
        taken = samples.take(np.array(index, dtype=int))
        changes = [sorted(each) for each in parts]  # type: ignore[type-var]  # parts of ours are changes
        return replace(taken, frame=_framed(taken.frame, self.column, changes), whole=None)  # type: ignore[arg-type]

    def told(
        self, samples: Samples, outcomes: Outcomes, at: int, shrunk: Shrunk, *, stable: bool | None
    ) -> Counterexample:
        """The text before and after, with both answers."""
        row = samples.frame.row(at, named=True)
        beside = outcomes.beside
        assert beside is not None
        text = row[ORIGINAL]
        return Counterexample(
            self.name,
            {REWRITING: row[REWRITING], ORIGINAL: text, CHANGES: row[CHANGES]},
            text, row[self.column], outcomes.prompts[at] or "", (beside.responses[at], outcomes.responses[at]),
            tuple(_described(each, text, row[REWRITING]) for each in _changes(row[CHANGES])),
            stable, shrunk.is_minimal,
        )  # fmt: skip

    def replayed(self, samples: Samples, saved: Sequence[Mapping[str, Any]]) -> Samples:
        """The samples with saved cases of the same texts; of other texts nothing can be said."""
        frame = samples.frame
        first: dict[str, int] = {}
        for at, text in enumerate(frame[ORIGINAL]):
            first.setdefault(text, at)
        known = {(text, *_changes(changes)) for text, changes in zip(frame[ORIGINAL], frame[CHANGES], strict=True)}
        fits = {
            (each[ORIGINAL], *_changes(each[CHANGES])): each for each in saved if each.get(ORIGINAL) in first
        }  # fmt: skip
        fresh = [each for key, each in fits.items() if key not in known]
        if not fresh:
            return samples
        index = [first[each[ORIGINAL]] for each in fresh]
        more = self.edited(samples, index, [_changes(each[CHANGES]) for each in fresh])
        names = pl.Series(REWRITING, [str(each[REWRITING]) for each in fresh])
        more_frame = more.frame.with_columns(names, pl.lit(True).alias(DRAWN))
        return replace(
            samples, frame=pl.concat([frame, more_frame]), cluster=np.concatenate([samples.cluster, more.cluster]),
            pair=None if samples.pair is None or more.pair is None else np.concatenate([samples.pair, more.pair]),
            weight=None if samples.weight is None or more.weight is None
            else np.concatenate([samples.weight, more.weight]),
        )  # fmt: skip

    def _source(self) -> data.Files | data.Frame:
        return self.task.data  # type: ignore[no-any-return]  # settled when the task was made

    def _sides(self, samples: Samples) -> tuple[Samples, Samples]:
        """The samples of the task as they are, and rewritten."""
        own = samples.frame.drop(OWN)
        before = own.with_columns(samples.frame[ORIGINAL].alias(self.column))
        return (
            samples.once((self, "before"), lambda: replace(samples, frame=before)),
            samples.once((self, "after"), lambda: replace(samples, frame=own)),
        )

    def _cases(self, base: Samples, cases: Sequence[tuple[int, str, Sequence[Change], bool]]) -> Samples:
        index = np.array([at for at, *_ in cases], dtype=int)
        taken = base.take(index)
        frame = taken.frame.with_columns(
            pl.Series(REWRITING, [name for _, name, _, _ in cases], dtype=pl.String),
            taken.frame[self.column].fill_null("").alias(ORIGINAL),
            pl.Series(DRAWN, [is_drawn for *_, is_drawn in cases], dtype=pl.Boolean),
        )
        framed = _framed(frame, self.column, [changes for _, _, changes, _ in cases])
        pair = np.array([f"{self.task.name}:{at}" for at in index], dtype=object)
        return replace(taken, frame=framed, pair=pair, whole=None, pool=base.pool or base)

    def _kept(self, base: Samples) -> list[tuple[str, ...]]:
        """The texts of each sample that no rewriting may touch: those of the columns to keep."""
        columns = [
            data.column(base.frame, name, f"{self!r} keeps {name!r}, but {self.task!r}").to_list() for name in self.keep
        ]
        rows = zip(*columns, strict=True) if columns else [()] * len(base)
        return [tuple(text for held in row for text in _texts(held)) for row in rows]

    def _searched(
        self, texts: Sequence[str], kept: Sequence[tuple[str, ...]]
    ) -> list[tuple[int, str, tuple[Change, ...]]]:
        """Cases with other changes than the seed takes, drawn by Hypothesis."""
        if not self.draws:
            return []
        # Hypothesis is loaded where something is drawn
        from fairprobe.strategies import taken_changes

        drawn = draw(taken_changes(texts, self.under, kept), self.draws, self.seed)
        return [case for case in drawn if case is not None]

    def _with_pinned(self, samples: Samples, places: data.Places) -> Samples:
        rows = data.read(self.pinned, places, ()).frame.to_dicts()
        known = set(samples.frame[ORIGINAL])
        if lost := [row for row in rows if row.get(ORIGINAL) not in known]:
            msg = f"{self!r}: the pinned case {lost[0].get(ORIGINAL)!r:.80} is none of its samples' {self.column}"
            raise BadData(msg)
        return self.replayed(samples, rows)


def invariant(
    metric: Metric | Task, *, under: Rewriting | Sequence[Rewriting], field: str,
    keep: str | Sequence[str] = (), seed: int = 0, draws: int = DRAWS, pinned: Any = None, name: str = "",
) -> Metric:  # fmt: skip
    """How often what is measured of a sample differs once a field of it is rewritten.

    `test_x = invariant(accuracy(task), under=dialects("urban-aave"), field="question")` passes where no case is found
    that differs; `… < 0.05` is a claim about the rate, over one case a sample and rewriting that the seed fixes.
    `keep` are columns whose texts stay as they are wherever they stand in the field, `pinned` a file of
    counterexamples that are always tried. The result is `flip_rate` of a task that is called `<task>_rewritten`, unless
    `name` says otherwise.

    >>> from fairprobe.rewriting import dialects
    >>> invariant(accuracy(clues), under=dialects("urban-aave"), field="clue") < 0.05
    flip_rate(clues_rewritten) < 0.05
    """
    measure = accuracy(metric) if isinstance(metric, Task) else metric
    if not isinstance(measure, Measure) or not isinstance(measure.task, Asking):
        msg = f"invariant() takes a metric of a task that asks, as in invariant(accuracy(task), …), not {metric!r}"
        raise BadExpectation(msg)
    if isinstance(measure.task, Scoring) and measure.task.is_judged:
        msg = f"invariant({measure!r}, …): a judge's answers are not asked of rewritten samples; score without a judge"
        raise BadExpectation(msg)
    rewritings = (under,) if isinstance(under, Rewriting) else tuple(under)
    if not rewritings or not all(isinstance(each, Rewriting) for each in rewritings):
        msg = f"invariant(under={under!r}): it takes rewritings, as in under=dialects('urban-aave')"
        raise BadExpectation(msg)
    task = measure.task
    return flip_rate(Rewritten(
        task.data, task=task, measure=measure, under=rewritings, column=field,
        keep=(keep,) if isinstance(keep, str) else tuple(keep), seed=seed, draws=draws,
        pinned=None if pinned is None else data.source_of(pinned, data.callers_folder()),
        name=name or f"{task.name}_rewritten",
    ))  # fmt: skip


def _described(change: Change, text: str, rewriting: str) -> dict[str, Any]:
    """A change as it is reported: what it is an instance of, and how common eWAVE has that in the variety."""
    known = FEATURES.get(int(change.name)) if change.name.isdigit() else None
    variety = VARIETIES.get(rewriting)
    return {
        "name": change.name, "title": known.name if known else change.name,
        "rating": variety.ratings.get(known.ewave) if known and variety else None,
        "start": change.edit.start, "old": text[change.edit.start : change.edit.end], "new": change.edit.new,
    }  # fmt: skip


def by_name(change: Change) -> tuple[str, Edit]:
    """What brings changes of one name beside each other."""
    return change.name, change.edit


def _framed(frame: pl.DataFrame, name: str, changes: Sequence[Sequence[Change]]) -> pl.DataFrame:
    """The rows with the field rewritten by these changes, and what these are."""
    texts = [rewritten(text, each) for text, each in zip(frame[ORIGINAL], changes, strict=True)]
    told = [
        [{"start": each.edit.start, "end": each.edit.end, "new": each.edit.new, "name": each.name} for each in held]
        for held in changes
    ]
    kind = pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "new": pl.String, "name": pl.String}))
    return frame.with_columns(
        pl.Series(name, texts, dtype=pl.String), pl.Series(CHANGES, told, dtype=kind),
        pl.Series(EDITS, [len(each) for each in changes], dtype=pl.Int64),
    )  # fmt: skip


def _changes(held: Sequence[Mapping[str, Any]]) -> list[Change]:
    return [Change(Edit(each["start"], each["end"], each["new"]), each["name"]) for each in held]


def _texts(held: Any) -> list[str]:
    return [str(each) for each in (held if isinstance(held, (list, tuple)) else [held]) if each is not None]
