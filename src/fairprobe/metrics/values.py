"""A metric's measurement: a number per sample, or several signed ones where tasks differ."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData, BadExpectation, UnknownGroup
from fairprobe.expressions import Above, Difference, Matched, Measure, Metric, Near, Relative, Treated, Versus, Where
from fairprobe.metrics.lift import lift
from fairprobe.metrics.named import OF_CANDIDATES, RATES, READS
from fairprobe.metrics.texts import OF_DRAWS, VARIED, across, noise_of_draws, of_draws, of_each
from fairprobe.standings import Statistic, below, correlation, per, wins
from fairprobe.tasks import EXPECTED, Dropped, Labelled, Outcomes, Recorded, Samples, Simulation, Task
from fairprobe.tasks.scoring import natural_range

Role = Literal["model", "baseline"]
Look = Callable[[Task, Role], Outcomes]
"""Where a task's outcomes with one checkpoint are looked up."""


class NoEvidence(Exception):
    """A group has no answered sample, so it has no value."""


@dataclass(frozen=True, eq=False)
class Part:
    """One checkpoint's outcomes of one task, as far as a metric reads them."""

    role: Role
    task: Task
    outcomes: Outcomes


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Rows that are not compared, and why: no number stands for them, or they have no counterpart."""

    role: Role
    rows: Dropped


@dataclass(frozen=True, eq=False)
class Values:
    """A number per sample of one task (NaN where none came), which samples are kept, and the numbers' range.

    `noise` is the variance of each number by the draw of its answers, NaN where answers are drawn once; `drawn` says
    that there is such a draw, whether or not the answers to a sample agree. What `divides` is what the first is taken
    relative to; other parts with a sign of -1 are subtracted. A metric that is no mean of the numbers
    has a `statistic`, whose range is then given. `left_out` are rows that could not be compared; `labelled` are
    answers that tell how often the numbers are wrong, since a judge gave them.
    """

    parts: tuple[Part, ...]
    value: np.ndarray
    noise: np.ndarray
    kept: np.ndarray
    low: float
    high: float
    drawn: bool
    sign: Literal[1, -1] = 1
    divides: bool = False
    statistic: Statistic | None = None
    left_out: tuple[LeftOut, ...] = ()
    labelled: Labelled | None = None

    @property
    def task(self) -> Task:
        """The task that the samples belong to."""
        return self.parts[0].task

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Every column of the samples."""
        return self.parts[0].outcomes.samples.frame

    @property
    def lacking(self) -> np.ndarray:
        """Whether a kept sample has no value, since its answer did not come."""
        return np.asarray(self.kept & np.isnan(self.value))

    def only(self, mask: np.ndarray) -> Values:
        """These samples alone."""
        return replace(self, kept=self.kept & mask)

    def take(self, index: np.ndarray) -> Values:
        """These samples alone, in this order."""
        parts = tuple(replace(part, outcomes=part.outcomes.take(index)) for part in self.parts)
        return replace(self, parts=parts, value=self.value[index], noise=self.noise[index], kept=self.kept[index])

    def without(self, mask: np.ndarray, reason: str) -> Values:
        """The other samples; these are counted as left out."""
        lost = self.kept & mask
        if not lost.any():
            return self
        rows = Dropped(reason, self.frame.filter(pl.Series(lost)))
        return replace(self.only(~mask), left_out=(*self.left_out, LeftOut(self.parts[0].role, rows)))

    def negated(self) -> Values:
        """The same numbers, to be subtracted."""
        return replace(self, sign=-1 if self.sign == 1 else 1)

    def plus(self, other: Values) -> Values:
        """The sum with the signed numbers of the same samples."""
        total = self.sign * self.value + other.sign * other.value
        lows = sorted(self.sign * bound for bound in (self.low, self.high))
        others = sorted(other.sign * bound for bound in (other.low, other.high))
        low, high = lows[0] + others[0], lows[1] + others[1]
        return replace(
            self, parts=self.parts + other.parts, value=total, noise=self.noise + other.noise, low=low, high=high,
            drawn=self.drawn or other.drawn, sign=1, left_out=self.left_out + other.left_out,
        )  # fmt: skip

    def shares_samples(self, other: Values) -> bool:
        """Whether the other numbers are of the same samples."""
        means = self.statistic is None and other.statistic is None
        return means and self.task == other.task and np.array_equal(self.kept, other.kept)


def measured(  # noqa: PLR0911 - one for each kind of metric
    metric: Metric, look: Look, role: Role = "model", side: Role | None = None
) -> list[Values]:
    """A metric's numbers, one `Values` for each task that it reads; they add up with their signs.

    Of a change they are the difference, or what one `side` of it is.
    """
    match metric:
        case Measure():
            return [_values(metric, look(metric.task, role), role)]
        case Near():
            return measured(metric.metric, look, role, side)
        case Above():
            return _above(metric, measured(metric.metric, look, role, side), side)
        case Where():
            return [_where(values, metric.conditions) for values in measured(metric.metric, look, role, side)]
        case Matched():
            return [_matched(values, metric.column) for values in measured(metric.metric, look, role, side)]
        case Treated():
            with_it, without = (measured(each, look, role, side) for each in (metric.treated, metric.metric))
            return _less(*_joined(with_it, without, ("treated", "untreated")))
        case Versus():
            after, before = (measured(metric.metric, look, role) for role in ("model", "baseline"))
            after, before = _joined(after, before)
            if side is not None:
                return after if side == "model" else before
            if isinstance(metric, Relative):
                return _divided(metric, after, before)
            return _summed(after + [values.negated() for values in before])
        case Difference():
            right = measured(metric.right, look, role, side)
            return _summed(measured(metric.left, look, role, side) + [values.negated() for values in right])
    msg = f"{metric!r} is no metric that can be measured"
    raise BadExpectation(msg)


def conditions(metric: Metric) -> Iterator[tuple[Task, tuple[tuple[str, Hashable], ...]]]:
    """Each task that a metric reads, with the conditions on its samples."""
    match metric:
        case Measure():
            yield metric.task, ()
        case Where():
            yield from ((task, (*met, *metric.conditions)) for task, met in conditions(metric.metric))
        case Matched() | Versus() | Above() | Near():
            yield from conditions(metric.metric)
        case Treated():
            yield from conditions(metric.treated)
            yield from conditions(metric.metric)
        case Difference():
            yield from conditions(metric.left)
            yield from conditions(metric.right)


def meets(row: Mapping[str, Any], wanted: Iterable[tuple[str, Hashable]]) -> bool:
    """Whether a sample meets these conditions."""
    return all(_is(row[name], value) for name, value in wanted)


def _values(metric: Measure, outcomes: Outcomes, role: Role) -> Values:
    value, (low, high) = numbers(metric, outcomes)
    part = Part(role, metric.task, outcomes)
    size, name = len(outcomes.samples), score_of(metric, outcomes)
    written = metric.function == "tokens_per_sample" and name == "answer"
    drawn = metric.task.drawn and (name in outcomes.scores or written or metric.function in {*RATES, *VARIED})
    if drawn and metric.function in OF_DRAWS:
        noise = noise_of_draws(metric, outcomes, name)
    else:
        noise = outcomes.noise.get(name, np.full(size, np.nan if drawn else 0.0))
    statistic, ends = _statistic(metric, outcomes)
    low, high = ends or (low, high)
    left_out = tuple(LeftOut(role, dropped) for dropped in outcomes.samples.dropped)
    kept = np.ones(size, dtype=bool)
    made = Values(
        (part,), value, noise, kept, low, high, drawn,
        statistic=statistic, left_out=left_out, labelled=outcomes.labelled.get(name),
    )  # fmt: skip
    if metric.function == "win_rate":
        against = metric.option("against")
        others = (made.frame[metric.option("of")] != against).to_numpy()  # it does not play against itself
        alone = np.isnan(value) & outcomes.answered
        return made.only(others).without(alone, f"there is no {against} to win against")
    if metric.function in VARIED and outcomes.texts:
        return made.without(np.isnan(value) & outcomes.answered, "it does not fit, so an answer was not written")
    if metric.function == "flip_rate" and not metric.options and "drawn" in made.frame.columns:
        return made.only(~made.frame["drawn"].to_numpy())
    return _of_candidates(metric, made) if metric.function in OF_CANDIDATES else made


def _of_candidates(metric: Measure, values: Values) -> Values:
    """The samples of candidates that have a place. Raises what is wrong with the columns, before anything is asked."""
    named = data.column(values.frame, metric.option("of"), repr(metric.task))
    if metric.function == "share_below":
        reference = metric.option("reference")
        if not (named == reference).any():
            msg = f"{metric!r}: there is no candidate {reference!r} in {metric.option('of')!r}"
            raise UnknownGroup(msg)
        return values
    order = data.column(values.frame, metric.option("order"), repr(metric.task))
    if not order.dtype.is_numeric() or order.null_count() == len(order):
        msg = f"{metric!r}: {order.name!r} should hold each candidate's place, a number; it holds {order.dtype}"
        raise BadData(msg)
    return values.without(order.is_null().to_numpy(), f"{order.name} is empty")


def score_of(metric: Measure, outcomes: Outcomes) -> str:
    """The name of the score or column that a measure reads."""
    first = next(iter(outcomes.scores))
    name = READS.get(metric.function, metric.function)
    if metric.function == "kl_from_base":
        return {"token": "nats", "byte": "bits"}[str(metric.column)]
    if metric.function in {"alignment", "persona_lift"}:
        return _best(metric.column or name, outcomes)
    return metric.column or (first if metric.function == "accuracy" else name)


def _statistic(  # noqa: PLR0911 - one for each kind of metric
    metric: Measure, outcomes: Outcomes
) -> tuple[Statistic | None, tuple[float, float] | None]:
    """How a metric that is no mean is estimated, and the range of what it gives."""
    match metric.function:
        case "mean" if metric.options:
            return _per(metric, outcomes)
        case "spearman":
            return correlation(metric.option("of"), metric.option("order"), "spearman"), (-1.0, 1.0)
        case "kendall":
            return correlation(metric.option("of"), metric.option("order"), "kendall"), (-1.0, 1.0)
        case "share_below":
            return below(metric.option("of"), metric.option("reference")), (0.0, 1.0)
        case "kl_from_base":
            return per(_score(f"{metric.column}s")), (0.0 if metric.column == "token" else -np.inf, np.inf)
        case "persona_lift":
            return lift(_simulated(metric).within), outcomes.range_of(score_of(metric, outcomes))
        case "alignment" if metric.option("corrected"):
            chance = chances(metric, outcomes.samples)
            return per(lambda held: 1 - chances(metric, held.samples)), (-float((chance / (1 - chance)).max()), 1.0)
        case function if function in VARIED:
            return across(metric) if metric.option("across") else None, VARIED[function]
        case "bits_per_byte":
            return per(_score("bytes")), (0.0, np.inf)
    return None, None


def _per(metric: Measure, outcomes: Outcomes) -> tuple[Statistic, tuple[float, float]]:
    """The sum of a column over that of another."""
    (above, (low, high)), (below, _) = (
        _column(metric, outcomes, name) for name in (score_of(metric, outcomes), metric.option("per"))
    )
    if (below < 0).any():
        msg = f"{metric!r}: {metric.option('per')!r} holds numbers below 0, and nothing is counted per so many"
        raise BadData(msg)
    held = ~np.isnan(above) & ~np.isnan(below)
    # where each counts once or not at all, the ratio is a mean of some of the numbers
    counts = bool(np.isin(below[held], (0, 1)).all())
    ends = (low, high) if counts else (0.0 if low >= 0 else -np.inf, np.inf)
    return per(lambda held: _column(metric, held, metric.option("per"))[0]), ends


def _score(name: str) -> Callable[[Outcomes], np.ndarray]:
    return lambda outcomes: outcomes.scores[name]


def numbers(  # noqa: PLR0911 - one for each kind of metric
    metric: Measure, outcomes: Outcomes
) -> tuple[np.ndarray, tuple[float, float]]:
    """A measure's numbers and their range."""
    if metric.function in RATES:
        counted = np.isin(outcomes.status, RATES[metric.function]).astype(float)
        return np.where(outcomes.answered, counted, np.nan), (0.0, 1.0)
    name = score_of(metric, outcomes)
    if metric.function in VARIED:
        return of_each(metric, outcomes), VARIED[metric.function]
    if metric.function in OF_DRAWS:
        ends = (0.0, 1.0) if metric.function == "exceed_rate" else outcomes.range_of(name)
        return of_draws(metric, outcomes, name), ends
    if metric.function == "kl_from_base":
        return _divergence(metric, outcomes, name)
    if metric.function == "alignment":
        return _alignment(metric, outcomes, name)
    if metric.function == "tokens_per_sample":
        unknown = np.full(len(outcomes.samples), np.nan)
        return outcomes.tokens.get(name, unknown), (0.0, np.inf)
    if metric.function == "win_rate":
        return wins(outcomes, metric.option("of"), metric.option("against"), name, metric.option("tie")), (0.0, 1.0)
    if metric.function == "bits_per_byte":
        return -outcomes.scores[name] / np.log(2), (0.0, np.inf)
    value, ends = _column(metric, outcomes, name)
    if not metric.options or metric.function != "mean":
        return value, ends
    return np.where(np.isnan(_column(metric, outcomes, metric.option("per"))[0]), np.nan, value), ends


def _divergence(metric: Measure, outcomes: Outcomes, name: str) -> tuple[np.ndarray, tuple[float, float]]:
    """Nats by token or bits by byte; raises where tokens are none that can be compared."""
    value = outcomes.scores[name]
    if name == "nats" and np.isnan(value).all() and not np.isnan(outcomes.scores["bits"]).all():
        msg = (
            f"{metric!r}: model and baseline make other tokens of the same text, so no divergence is told by token; "
            f"write kl_from_base({metric.task.name}, 'byte')"
        )
        raise BadData(msg)
    return value, outcomes.range_of(name)


def _alignment(metric: Measure, outcomes: Outcomes, name: str) -> tuple[np.ndarray, tuple[float, float]]:
    """The score, or what it is above that of an answer that knows nothing."""
    value = outcomes.scores[name]
    return (
        (value - chances(metric, outcomes.samples), (-1.0, 1.0)) if metric.option("corrected") else (value, (0.0, 1.0))
    )


def chances(metric: Measure, samples: Samples) -> np.ndarray:
    """What an answer that knows nothing has of an alignment, sample by sample."""
    return _simulated(metric).chances(samples, str(metric.column))


def _simulated(metric: Measure) -> Simulation:
    assert isinstance(metric.task, Simulation)  # checked when the metric was named
    return metric.task


def _best(score: str, outcomes: Outcomes) -> str:
    """The score by the options' probabilities, where these are known: it varies less."""
    expected = f"{EXPECTED}{score}"
    return expected if expected in outcomes.scores else score


def _column(metric: Measure, outcomes: Outcomes, name: str) -> tuple[np.ndarray, tuple[float, float]]:
    """A score, or a numeric column of the samples, and its range."""
    if name in outcomes.scores:
        return outcomes.scores[name], outcomes.range_of(name)
    column = data.column(outcomes.samples.frame, name, f"{metric!r}: {metric.task!r} has no score {name!r} and")
    if not column.dtype.is_numeric():
        msg = f"{metric!r}: column {name!r} should hold numbers; it holds {column.dtype}"
        raise BadData(msg)
    held = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return held, natural_range(held[~np.isnan(held)])


def _where(values: Values, conditions: Sequence[tuple[str, Hashable]]) -> Values:
    for name, wanted in conditions:
        held = data.column(values.frame, name, repr(values.task)).to_list()
        mask = np.array([_is(value, wanted) for value in held])
        if not mask.any():
            some = sorted({str(value) for value in held if value is not None})
            shown = ", ".join(some[:12]) + (", …" if len(some) > 12 else "")
            msg = f"{values.task!r} has no sample whose {name!r} is {wanted!r}; there are {shown}"
            raise UnknownGroup(msg)
        among = tuple(
            replace(each, rows=replace(each.rows, frame=each.rows.frame.filter(pl.col(name) == wanted)))
            for each in values.left_out
            if name in each.rows.frame.columns
        )
        values = replace(values.only(mask), left_out=among)
    if not values.kept.any():
        msg = f"{values.task!r} has no sample that meets all of {dict(conditions)!r}"
        raise UnknownGroup(msg)
    return values


def _is(value: Any, wanted: Hashable) -> bool:
    """Whether a column holds what is wanted; true is not 1."""
    return bool(type(value) is not bool and value == wanted) or value is wanted


def _matched(values: Values, column: str) -> Values:
    pair = values.parts[0].outcomes.samples.pair
    if pair is None:
        msg = f"{values.task!r} declares no pair, so .matched({column!r}) does not know which samples belong together"
        raise BadExpectation(msg)
    groups = data.column(values.frame, column, repr(values.task)).to_list()
    wanted = {group for group, kept in zip(groups, values.kept, strict=True) if kept and group is not None}
    found: dict[Hashable, set[Hashable]] = {}
    for key, group, kept in zip(pair, groups, values.kept, strict=True):
        if kept and group is not None:
            found.setdefault(key, set()).add(group)
    mask = np.array([found.get(key) == wanted for key in pair])
    if not (values.kept & mask).any():
        msg = f"{values.task!r} has no pair with a sample in every group of {column!r}"
        raise BadData(msg)
    grouped = np.array([group is not None for group in groups])
    return values.without(~mask & grouped, f"their pair is not in every group of {column}").only(mask)


def _less(with_it: Sequence[Values], without: Sequence[Values]) -> list[Values]:
    """Numbers of the same samples with a treatment and without it, sample by sample where they are means."""
    total: list[Values] = []
    for one, other in zip(with_it, without, strict=True):
        if one.statistic is None and one.labelled is None:
            total.append(one.plus(other.negated()))
        else:
            total += [one, other.negated()]
    return total


def _divided(metric: Relative, after: Sequence[Values], before: Sequence[Values]) -> list[Values]:
    """The model's numbers, and those that they are taken relative to."""
    if len(after) > 1:
        msg = f"{metric!r} takes a ratio of one task's metric; it reads {len(after)} tasks"
        raise BadExpectation(msg)
    return [*after, *(replace(values, sign=-1, divides=True) for values in before)]


def _above(metric: Above, parts: Sequence[Values], side: Role | None) -> list[Values]:
    """Whether each sample's number lies above the bound."""
    if len(parts) > 1 or parts[0].statistic is not None or parts[0].labelled is not None:
        msg = f"{metric!r}: {metric.metric!r} has no number of its own for each sample"
        raise BadExpectation(msg)
    [held] = parts
    # one side of a change has no number that the bound is about
    value = held.value if side is None or not metric.reads_baseline else np.full(len(held.value), np.nan)
    over = np.where(np.isnan(value), np.nan, (value > metric.bound) + 0.5 * (value == metric.bound))
    noise = np.where(held.drawn, np.nan, np.zeros(len(over)))
    return [replace(held, value=over, noise=noise, low=0.0, high=1.0)]


def _summed(parts: Sequence[Values]) -> list[Values]:
    """Numbers of the same samples added up, so that what varies together is subtracted sample by sample."""
    total: list[Values] = []
    for part in parts:
        place = next((
            at for at, other in enumerate(total) if other.shares_samples(part) and other.labelled is part.labelled
        ), None)  # fmt: skip
        if place is None:
            total.append(part)
        else:
            total[place] = total[place].plus(part)
    return total


def _joined(
    after: Sequence[Values], before: Sequence[Values], names: tuple[str, str] = ("model", "baseline")
) -> tuple[list[Values], list[Values]]:
    """Both on the same samples: a change is a difference sample by sample, and recordings may hold different ones."""
    joined = [_join(new, old, names) for new, old in zip(after, before, strict=True)]
    return [new for new, _ in joined], [old for _, old in joined]


def _join(new: Values, old: Values, names: tuple[str, str]) -> tuple[Values, Values]:
    ours, theirs = new.parts[0].outcomes.samples, old.parts[0].outcomes.samples
    keys = new.task.keys if isinstance(new.task, Recorded) else ()
    if not keys:
        if not isinstance(new.task, Recorded) and len(ours) == len(theirs):
            # what has no number on one side is not compared
            new, old = (
                new.without(~old.kept, f"no {names[1]} number"), old.without(~new.kept, f"no {names[0]} number")
            )  # fmt: skip
        _check_same_samples(new, old)
        return new, old
    mine, other = (list(samples.frame.select(keys).iter_rows()) for samples in (ours, theirs))
    place = {key: at for at, key in enumerate(other) if old.kept[at]}
    shared = [at for at, key in enumerate(mine) if new.kept[at] and key in place]
    if not shared:
        msg = f"{new.task!r}: the model's recording and the baseline's have no sample with the same {', '.join(keys)}"
        raise BadData(msg)
    there = [place[mine[at]] for at in shared]
    sides: Sequence[tuple[Role, Values, list[int]]] = (("model", new, shared), ("baseline", old, there))
    lost = [
        LeftOut(role, Dropped("in this recording only", values.frame.filter(pl.Series(alone))))
        for role, values, used in sides
        if (alone := values.kept & ~np.isin(np.arange(len(values.kept)), used)).any()
    ]
    first = replace(new.take(np.array(shared)), left_out=(*new.left_out, *old.left_out, *lost))
    return first, replace(old.take(np.array(there)), left_out=())


def _check_same_samples(new: Values, old: Values) -> None:
    """What is told apart by no key is the same in the same order."""
    ours, theirs = new.parts[0].outcomes.samples, old.parts[0].outcomes.samples
    keys = [(ours.cluster, theirs.cluster), (new.kept, old.kept)]
    keys += [(ours.pair, theirs.pair)] if ours.pair is not None and theirs.pair is not None else []
    if not all(np.array_equal(mine, other) for mine, other in keys):
        joined = (
            ". Name the columns that tell a sample from the others, and they are joined: key=('question', 'country')"
            if isinstance(new.task, Recorded)
            else ""
        )
        msg = (
            f"{new.task!r}: the model has {len(ours)} samples and the baseline {len(theirs)}, and they are not "
            f"the same ones in the same order; a change needs both on the same samples{joined}"
        )
        raise BadData(msg)


def labelled(label: tuple[Hashable, ...]) -> str:
    """A group in words."""
    return " x ".join(map(str, label)) or "all samples"
