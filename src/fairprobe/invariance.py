"""Invariance: a task's samples beside rewritings of a field of theirs, and whether what is measured stays the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData, BadExpectation
from fairprobe.expressions import Measure, Metric
from fairprobe.metrics import accuracy, flip_rate, numbers
from fairprobe.relations import DRAWN, FLIPS, Counterexample, Relational, Shrunk, draw
from fairprobe.requests import Request, Response
from fairprobe.rewriting import FEATURES, VARIETIES, Change, Edit, Rewriting, by_name, fitting, rewritten
from fairprobe.tasks import Asking, Dropped, Outcomes, Ranking, Samples, Scoring, Task

REWRITING, ORIGINAL, CHANGES, EDITS = "rewriting", "unedited", "changes", "edits"
"""The columns that a rewritten sample has beside its own."""
OWN = (REWRITING, ORIGINAL, CHANGES, EDITS, DRAWN)
SAMPLE = "sample"
"""What a saved case calls the sample that it is of."""
SAME = 1e-9
"""Numbers that lie closer are the same."""
DRAWS = 50


class _Case(NamedTuple):
    """A sample by its place, under a rewriting by its name, with these changes."""

    at: int
    rewriting: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, repr=False)
class Rewritten(Relational):
    """Each sample of a task under each rewriting, asked beside the sample as it is.

    A sample under a rewriting is one case, drawn by the seed, the text and the place of each change; a pair holds
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
    def budget(self) -> int | None:
        """How many tokens an answer may have."""
        return self.task.budget

    def base(self, places: data.Places = data.HERE) -> Samples:
        """The samples of the task as they are. Raises `BadData` where the field holds no texts."""
        base = self.task.load(places)
        texts = data.column(base.frame, self.column, f"{self!r} rewrites {self.column!r}, but {self.task!r}")
        if not isinstance(texts.dtype, (pl.String, pl.Categorical, pl.Enum)):
            msg = f"{self!r}: column {self.column!r} should hold texts to rewrite; it holds {texts.dtype}"
            raise BadData(msg)
        if clash := [name for name in OWN if name in base.frame.columns]:
            msg = f"{self!r}: its samples have a column {clash[0]!r} of their own; rename it, since cases have one too"
            raise BadData(msg)
        return replace(base, frame=base.frame.with_columns(texts.cast(pl.String)))

    def cases(self, base: Samples, saved: Sequence[Mapping[str, Any]] = (), places: data.Places = data.HERE) -> Samples:
        """Every sample under every rewriting, then what Hypothesis draws of them, then pinned and saved cases.

        Those are of all samples, where these are a part. A saved case that no rewriting makes any more is passed over.
        """
        whole, kept = base.whole or base, self._kept(base)
        texts = base.frame[self.column].to_list()
        tried = [
            _Case(at, each.name, tuple(each.taken(text, text, self.seed, kept[at])) if text else ())
            for at, text in enumerate(texts)
            for each in self.under
        ]
        fixed, idle = ([case for case in tried if bool(case.changes) is changed] for changed in (True, False))
        if not fixed:
            msg = f"{self!r}: in none of the {len(base)} texts can anything be rewritten"
            raise BadData(msg)
        made = self._framed(base, [*dict.fromkeys([*fixed, *self._drawn(texts, kept)])], len(fixed))
        if idle:
            rest = self._framed(base, idle, len(idle)).frame
            made = replace(made, dropped=(*made.dropped, Dropped(f"nothing of {self.column} was rewritten", rest)))
        pins = [] if self.pinned is None else data.read(self.pinned, places, ()).frame.to_dicts()
        again = dict.fromkeys([*self._pinned(whole, pins), *self._saved(whole, saved)])
        if not again:
            return made
        keys, known = self._names(whole), set(zip(made.pair, map(_read, made.frame[CHANGES]), strict=True))  # type: ignore[arg-type]
        fresh = [case for case in again if (keys[case.at], case.changes) not in known]
        return _joined(made, self._framed(whole, fresh, 0))

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
        return [by_name(_read(held)) for held in samples.frame[CHANGES]]

    def kind(self, part: Change) -> Hashable:
        """The name of the change."""
        return part.name

    def edited(self, samples: Samples, index: Sequence[int], parts: Sequence[Sequence[Hashable]]) -> Samples:
        """These cases with these changes alone."""
        taken = samples.take(np.array(index, dtype=int))
        changes = [sorted(each) for each in parts]  # type: ignore[type-var]  # parts of ours are changes
        return replace(taken, frame=_rewritten(taken.frame, self.column, changes), whole=None)  # type: ignore[arg-type]

    def told(
        self, samples: Samples, outcomes: Outcomes, at: int, shrunk: Shrunk, *, stable: bool | None
    ) -> Counterexample:
        """The text before and after, with both answers."""
        row = samples.frame.row(at, named=True)
        beside = outcomes.beside
        assert beside is not None
        assert samples.pair is not None
        text = row[ORIGINAL]
        return Counterexample(
            self.name,
            {SAMPLE: samples.pair[at], REWRITING: row[REWRITING], ORIGINAL: text, CHANGES: row[CHANGES]},
            text, row[self.column], outcomes.prompts[at] or "", (beside.responses[at], outcomes.responses[at]),
            tuple(_described(each, text, row[REWRITING]) for each in _read(row[CHANGES])),
            stable, shrunk.is_minimal,
        )  # fmt: skip

    def _source(self) -> data.Files | data.Frame:
        return self.task.data  # type: ignore[no-any-return]  # settled when the task was made

    def _sides(self, samples: Samples) -> tuple[Samples, Samples]:
        """The samples of the task as they are, and rewritten; examples are chosen by the former for both."""
        own = samples.frame.drop(OWN)
        before = own.with_columns(samples.frame[ORIGINAL].alias(self.column))
        # cases of one sample are a pair of this task, and not of that one
        pair = None if self.task.pair is None else own[self.task.pair].to_numpy()
        as_it_is = samples.once((self, "before"), lambda: replace(samples, frame=before, pair=pair))
        return as_it_is, samples.once(
            (self, "after"), lambda: replace(samples, frame=own, pair=pair, unedited=as_it_is)
        )  # fmt: skip

    def _framed(self, base: Samples, cases: Sequence[_Case], fixed: int) -> Samples:
        """These cases as samples, of which so many are no draws."""
        index = np.array([case.at for case in cases], dtype=int)
        taken, keys = base.take(index), self._names(base)
        frame = taken.frame.with_columns(
            pl.Series(REWRITING, [case.rewriting for case in cases], dtype=pl.String),
            taken.frame[self.column].fill_null("").alias(ORIGINAL),
            pl.Series(DRAWN, [number >= fixed for number in range(len(cases))], dtype=pl.Boolean),
        )
        framed = _rewritten(frame, self.column, [case.changes for case in cases])
        pair = np.array([keys[at] for at in index], dtype=object)
        return replace(taken, frame=framed, pair=pair, whole=None, pool=base.pool or base.whole or base)

    def _kept(self, base: Samples) -> list[tuple[str, ...]]:
        """The texts of each sample that no rewriting may touch: those of the columns to keep."""
        columns = [
            data.column(base.frame, name, f"{self!r} keeps {name!r}, but {self.task!r}").to_list() for name in self.keep
        ]
        rows = zip(*columns, strict=True) if columns else [()] * len(base)
        return [tuple(text for held in row for text in _texts(held)) for row in rows]

    def _drawn(self, texts: Sequence[str | None], kept: Sequence[tuple[str, ...]]) -> list[_Case]:
        """Cases with other changes than the seed takes, drawn by Hypothesis."""
        if not self.draws:
            return []
        # Hypothesis is loaded where something is drawn
        from fairprobe.strategies import taken_changes

        strategy = taken_changes([text or "" for text in texts], self.under, kept)
        return [_Case(*case) for case in draw(strategy, self.draws, self.seed) if case and texts[case[0]]]

    def _names(self, samples: Samples) -> list[str]:
        """What tells each sample in another run: its values, and which it is of several with the same."""
        return samples.once((self.name, "keys"), lambda: list(_numbered(map(_key, samples.rows))))

    def _saved(self, samples: Samples, rows: Sequence[Mapping[str, Any]]) -> Iterator[_Case]:
        """Saved cases that a rewriting still makes."""
        under, kept = {each.name: each for each in self.under}, self._kept(samples)
        for text, cases in self._found(samples, rows, "saved"):
            for case in cases:
                each = under.get(case.rewriting)
                if each is not None and set(case.changes) <= set(each.changes(text, kept[case.at])):
                    yield case

    def _pinned(self, samples: Samples, rows: Sequence[Mapping[str, Any]]) -> Iterator[_Case]:
        """Pinned cases, whatever the rewritings make today. Raises `BadData` for one that is of none of the samples."""
        for text, cases in self._found(samples, rows, "pinned"):
            if not cases:
                msg = f"{self!r}: the pinned case {text!r:.80} is none of its samples' {self.column}"
                raise BadData(msg)
            changes = cases[0].changes
            within = all(0 <= each.edit.start <= each.edit.end <= len(text) for each in changes)
            if not within or list(changes) != fitting(changes):
                msg = f"{self!r}: the changes of the pinned case {text!r:.80} do not stand together in that text"
                raise BadData(msg)
            yield from cases

    def _found(
        self, samples: Samples, rows: Sequence[Mapping[str, Any]], what: str
    ) -> Iterator[tuple[str, list[_Case]]]:  # fmt: skip
        """The text of each row, and its case of the sample that was saved, else of all samples with that text."""
        if not rows:
            return
        texts, by_key = samples.frame[self.column].to_list(), {key: at for at, key in enumerate(self._names(samples))}
        by_text: dict[str, list[int]] = {}
        for at, text in enumerate(texts):
            by_text.setdefault(text, []).append(at)
        for row in rows:
            try:
                text, rewriting, changes = str(row[ORIGINAL]), str(row[REWRITING]), _read(row[CHANGES])
            except (KeyError, TypeError, ValueError) as error:
                msg = (
                    f"{self!r}: a {what} counterexample should have {ORIGINAL!r}, {REWRITING!r} and {CHANGES!r} as "
                    f"they are saved, and {dict(row)!r:.120} has not ({error!r}); repair it, or take it out"
                )
                raise BadData(msg) from None
            own = by_key.get(row.get(SAMPLE, ""))
            same = [own] if own is not None and texts[own] == text else by_text.get(text, [])
            yield text, [_Case(at, rewriting, changes) for at in same]


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
    (measure, task), rewritings = _measured(metric), _rewritings(under)
    return flip_rate(Rewritten(
        task.data, task=task, measure=measure, under=rewritings, column=field,
        keep=(keep,) if isinstance(keep, str) else tuple(keep), seed=seed, draws=draws,
        pinned=None if pinned is None else data.source_of(pinned, data.callers_folder()),
        name=name or f"{task.name}_rewritten",
    ))  # fmt: skip


def _measured(metric: Metric | Task) -> tuple[Measure, Asking]:
    """A metric whose value of a sample is the sample's own and the same if it is asked again, and its task."""
    measure = accuracy(metric) if isinstance(metric, Task) else metric
    if not isinstance(measure, Measure) or not isinstance(measure.task, Asking):
        msg = f"invariant() takes a metric of a task that asks, as in invariant(accuracy(task), …), not {metric!r}"
        raise BadExpectation(msg)
    if isinstance(measure.task, Scoring) and measure.task.is_judged:
        msg = f"invariant({measure!r}, …): a judge's answers are not asked of rewritten samples; score without a judge"
        raise BadExpectation(msg)
    why = (
        "its candidates are ranked among each other" if isinstance(measure.task, Ranking)
        else "its answers are drawn at a temperature, and would differ without a rewriting" if measure.task.drawn
        else None
    )  # fmt: skip
    if why:
        msg = f"invariant({measure!r}, …): {why}; take a metric of a task that answers each sample by itself, greedily"
        raise BadExpectation(msg)
    return measure, measure.task


def _rewritings(under: Rewriting | Sequence[Rewriting]) -> tuple[Rewriting, ...]:
    """One or more rewritings, each of a name of its own."""
    rewritings = (under,) if isinstance(under, Rewriting) else tuple(under)
    if not rewritings or not all(isinstance(each, Rewriting) for each in rewritings):
        msg = f"invariant(under={under!r}): it takes rewritings, as in under=dialects('urban-aave')"
        raise BadExpectation(msg)
    if repeated := [name for name, times in Counter(each.name for each in rewritings).items() if times > 1]:
        msg = (
            f"invariant(under={under!r}): two rewritings are called {repeated[0]!r}, and groups could not tell them "
            "apart; dataclasses.replace(rewriting, name=…) gives one of them another name"
        )
        raise BadExpectation(msg)
    return rewritings


def _described(change: Change, text: str, rewriting: str) -> dict[str, Any]:
    """A change as it is reported: what it is an instance of, and how common eWAVE has that in the variety."""
    known = FEATURES.get(int(change.name)) if change.name.isdigit() else None
    variety = VARIETIES.get(rewriting)
    return {
        "name": change.name, "title": known.name if known else change.name,
        "rating": variety.ratings.get(known.ewave) if known and variety else None,
        "start": change.edit.start, "old": text[change.edit.start : change.edit.end], "new": change.edit.new,
    }  # fmt: skip


def _rewritten(frame: pl.DataFrame, name: str, changes: Sequence[Sequence[Change]]) -> pl.DataFrame:
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


def _read(held: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    return tuple(
        Change(Edit(int(each["start"]), int(each["end"]), str(each["new"])), str(each["name"])) for each in held
    )


def _key(row: Mapping[str, Any]) -> str:
    return blake2b(repr(sorted(row.items())).encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _numbered(keys: Iterable[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for key in keys:
        seen[key] += 1
        yield key if seen[key] == 1 else f"{key}.{seen[key]}"


def _joined(one: Samples, other: Samples) -> Samples:
    """Cases of the same samples after each other."""
    return replace(
        one, frame=pl.concat([one.frame, other.frame]), cluster=np.concatenate([one.cluster, other.cluster]),
        pair=None if one.pair is None or other.pair is None else np.concatenate([one.pair, other.pair]),
        weight=None if one.weight is None or other.weight is None else np.concatenate([one.weight, other.weight]),
    )  # fmt: skip


def _texts(held: Any) -> list[str]:
    return [str(each) for each in (held if isinstance(held, (list, tuple)) else [held]) if each is not None]
