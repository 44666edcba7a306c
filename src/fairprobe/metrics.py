"""Metrics as values: written down now, measured once a model has responded.

A metric's measurement is a number per sample, or several signed ones where tasks differ; a question's columns turn
it into estimates: one value per group, with how these values vary and co-vary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl

from fairprobe import data, statistics
from fairprobe.errors import BadData, BadExpectation, UnknownGroup
from fairprobe.expressions import Change, Difference, Expectation, Matched, Measure, Metric, Question, Terms, Where
from fairprobe.relations import Relation
from fairprobe.standings import Selection, Statistic, below, correlation, per, wins
from fairprobe.statistics import Estimates, Told
from fairprobe.tasks import Dropped, Labelled, Outcomes, Recorded, Task
from fairprobe.tasks.recorded import natural_range

Role = Literal["model", "baseline"]
KNOW_CHANCE = frozenset({"accuracy", "exact_match"})
"""Metrics that an answer which knows nothing has a value of."""
RATES: Mapping[str, tuple[str, ...]] = {
    "valid_rate": ("ok", "truncated"), "refusal_rate": ("refused",), "truncation_rate": ("truncated",),
}  # fmt: skip
"""Metrics that count statuses, each with those that it counts."""
READS: Mapping[str, str] = {
    **dict.fromkeys(("mean_rank", "win_rate", "spearman", "kendall", "share_below"), "rank"),
    "bits_per_byte": "loglikelihood",
}
"""The score that a metric reads, where it is not named like the metric."""
ORDERED = frozenset({"spearman", "kendall"})
"""Metrics of candidates that have a place in an order."""
OF_CANDIDATES = ORDERED | {"share_below"}
"""Metrics whose clusters are the candidates."""
Look = Callable[[Task, Role], Outcomes]
"""Where a task's outcomes with one checkpoint are looked up."""


def accuracy(task: Task) -> Metric:
    """The mean of a task's first score: the share of right answers.

    >>> accuracy(clues).by("dialect") > 0.3
    accuracy(clues).by('dialect') > 0.3
    """
    return _targeted(_measure("accuracy", task))


def exact_match(task: Task) -> Metric:
    """The share of answers that equal their target, normalised: the scores of `scorers.exact_match`.

    >>> exact_match(clues).gap("dialect") < 0.05
    exact_match(clues).gap('dialect') < 0.05
    """
    return _targeted(_scored("exact_match", task))


def mean(task: Task, column: str) -> Metric:
    """The mean of a numeric column of the outcomes: a score by its name, or a column of the samples.

    >>> mean(answers, "similarity").gap("country") < 0.1
    mean(answers, 'similarity').gap('country') < 0.1
    """
    measure = replace(_measure("mean", task), column=column)
    return _targeted(measure) if column in task.score_names else measure


def f1(task: Task) -> Metric:
    """The mean token F1 of answers and targets: the scores of `scorers.token_f1`.

    >>> f1(Generation([{"q": "Who swims?", "a": "an otter"}], "{q}", target="a", scorer=scorers.token_f1, name="qa"))
    f1(qa)
    """
    return _targeted(_scored("f1", task))


def similarity(task: Task) -> Metric:
    """How like people's the model's distribution over the options is: 1 less the Jensen-Shannon distance.

    >>> similarity(Recorded([{"similarity": 0.6}], score="similarity", name="opinions"))
    similarity(opinions)
    """
    return _scored("similarity", task)


def reward(task: Task) -> Metric:
    """The mean of what a reward model gives.

    >>> reward(Recorded([{"reward": -5.4}], score="reward", name="origins"))
    reward(origins)
    """
    return _scored("reward", task)


def mean_rank(task: Task) -> Metric:
    """The mean rank of the candidates, 1 for the best.

    >>> mean_rank(Recorded([{"rank": 1, "country": "Chile"}], score="rank", name="asked")).by("country") < 150
    mean_rank(asked).by('country') < 150.0
    """
    return _scored("mean_rank", task)


def win_rate(task: Task, against: str, *, of: str, tie: float = 0.5) -> Metric:
    """How often a candidate (a value of column `of`) is ranked before another in the same question.

    A `tie` counts a half.

    >>> asked = Recorded([{"rank": 1, "country": "Chile", "q": 1}], score="rank", name="asked", pair="q")
    >>> win_rate(asked, "Chile", of="country").by("country") > 0.1
    win_rate(asked, against='Chile', of='country', tie=0.5).by('country') > 0.1
    """
    return replace(_scored("win_rate", task), options=(("against", against), ("of", of), ("tie", tie)))


def spearman(task: Task, order: str, *, of: str) -> Metric:
    """Spearman's correlation of candidates' mean ranks with a numeric column `order`; candidates without one are out.

    The candidates (the values of column `of`) are what varies: twenty countries are twenty observations, however
    many questions they were ranked in.

    >>> asked = Recorded([{"rank": 1, "country": "Chile", "gallup": 3}], score="rank", name="asked")
    >>> spearman(asked, "gallup", of="country") > 0.5
    spearman(asked, order='gallup', of='country') > 0.5
    """
    return replace(_scored("spearman", task), options=(("order", order), ("of", of)))


def kendall(task: Task, order: str, *, of: str) -> Metric:
    """Kendall's tau-b of candidates' mean ranks with a numeric column `order`, as `spearman`."""
    return replace(_scored("kendall", task), options=(("order", order), ("of", of)))


def share_below(task: Task, reference: str, *, of: str) -> Metric:
    """The share of the other candidates (values of column `of`) whose mean rank is worse than the reference's.

    >>> asked = Recorded([{"rank": 1, "country": "Chile"}], score="rank", name="asked")
    >>> share_below(asked, "Chile", of="country") < 0.9
    share_below(asked, reference='Chile', of='country') < 0.9
    """
    return replace(_scored("share_below", task), options=(("reference", reference), ("of", of)))


def bits_per_byte(task: Task) -> Metric:
    """How many bits a byte of the texts takes: what tokenizers and languages share. All texts count by their bytes.

    >>> bits_per_byte(Likelihood([{"said": "It swims."}], text="said", name="lines"))
    bits_per_byte(lines)
    """
    return _scored("bits_per_byte", task)


def flip_rate(task: Task, *, drawn: bool = False) -> Metric:
    """How often a relation fails: the share of cases in which what should stay the same does not.

    It counts the cases that a seed fixes, or where `drawn` those that Hypothesis drew to search for failures as well,
    of which there is no rate to estimate. `invariant` makes such tasks.

    >>> from fairprobe.rewriting import dialects
    >>> invariant(accuracy(clues), under=dialects("indian"), field="clue", name="said").by("rewriting") < 0.1
    flip_rate(said).by('rewriting') < 0.1
    """
    measure = _scored("flip_rate", task)
    if isinstance(task, Relation) and not drawn:
        msg = (
            f"{measure!r}: the cases of {task!r} are drawn to find failures, and tell no rate; "
            "test_… = Relation(…) alone says that none is found"
        )
        raise BadExpectation(msg)
    return replace(measure, options=(("drawn", True),)) if drawn else measure


def found(task: Task, terms: Terms | None = None) -> Expectation:
    """That a search finds no case in which a relation fails: what a relation states by itself, of these very cases."""
    asked: Expectation = flip_rate(task, drawn=True) <= 0.0
    return replace(asked, terms=replace(terms or Terms(), scope="benchmark"))


def refusal_rate(task: Task) -> Metric:
    """The share of answered samples that a scorer calls refused.

    >>> refusal_rate(clues).gap("dialect") < 0.05
    refusal_rate(clues).gap('dialect') < 0.05
    """
    return _measure("refusal_rate", task)


def truncation_rate(task: Task) -> Metric:
    """The share of answered samples whose answer was cut, or whose prompt did not fit.

    >>> truncation_rate(clues).by("dialect") < 0.1
    truncation_rate(clues).by('dialect') < 0.1
    """
    return _measure("truncation_rate", task)


def tokens_per_sample(task: Task, part: Literal["prompt", "answer"] = "prompt") -> Metric:
    """How many tokens a prompt (or an answer) takes: the same question costs some languages several times as many.

    >>> tokens_per_sample(clues).gap("dialect", reference="en_us", two_sided=True) < 20
    tokens_per_sample(clues, 'prompt').gap('dialect', reference='en_us', two_sided=True) < 20.0
    """
    if part not in {"prompt", "answer"}:
        msg = f"tokens_per_sample({task!r}, {part!r}): tokens are counted of the 'prompt' or the 'answer'"
        raise BadExpectation(msg)
    return replace(_measure("tokens_per_sample", task), column=part)


def valid_rate(task: Task) -> Metric:
    """The share of answered samples that are answers: neither empty, nor unparsable, nor refused.

    >>> valid_rate(clues).by("dialect") > 0.95
    valid_rate(clues).by('dialect') > 0.95
    """
    return _measure("valid_rate", task)


def _measure(function: str, task: object) -> Measure:
    if not isinstance(task, Task):
        msg = f"{function}() takes a task, as in {function}(Generation('clues.jsonl', …)), not {task!r:.60}"
        raise BadExpectation(msg)
    return Measure(function, task)


def _scored(function: str, task: object) -> Measure:
    """A measure of a score; raises where the task has none of its name."""
    measure, name = _measure(function, task), READS.get(function, function)
    if name not in measure.task.score_names:
        msg = (
            f"{measure!r} reads the score {name!r}, and {measure.task!r} has none of that name; it has "
            f"{', '.join(measure.task.score_names)}"
        )
        raise BadExpectation(msg)
    return measure


def _targeted(measure: Measure) -> Measure:
    if measure.task.lacks_target:
        msg = (
            f"{measure!r} would be 0 for every model: {measure.task!r} names no target to compare answers with. "
            "Give it one, target='column', or a scorer of your own."
        )
        raise BadExpectation(msg)
    return measure


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
    that there is such a draw, whether or not the answers to a sample agree. A metric that is no mean of the numbers
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


def measured(metric: Metric, look: Look, role: Role = "model", side: Role | None = None) -> list[Values]:
    """A metric's numbers, one `Values` for each task that it reads; they add up with their signs.

    Of a change they are the difference, or what one `side` of it is.
    """
    match metric:
        case Measure():
            return [_values(metric, look(metric.task, role), role)]
        case Where():
            return [_where(values, metric.conditions) for values in measured(metric.metric, look, role, side)]
        case Matched():
            return [_matched(values, metric.column) for values in measured(metric.metric, look, role, side)]
        case Change():
            after, before = (measured(metric.metric, look, role) for role in ("model", "baseline"))
            after, before = _joined(after, before)
            if side is not None:
                return after if side == "model" else before
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
        case Matched() | Change():
            yield from conditions(metric.metric)
        case Difference():
            yield from conditions(metric.left)
            yield from conditions(metric.right)


def meets(row: Mapping[str, Any], wanted: Iterable[tuple[str, Hashable]]) -> bool:
    """Whether a sample meets these conditions."""
    return all(_is(row[name], value) for name, value in wanted)


@dataclass(frozen=True, eq=False)
class Grouped:
    """Values with the groups that a question compares."""

    values: list[Values]
    labels: tuple[tuple[Hashable, ...], ...]
    index: list[np.ndarray]
    columns: tuple[str, ...] = ()

    @property
    def lacks_any(self) -> bool:
        """Whether an answer that is counted in a group did not come."""
        return any(bool(np.any(v.lacking & (at >= 0))) for v, at in zip(self.values, self.index, strict=True))

    @property
    def drawn(self) -> bool:
        """Whether another run would bring other answers."""
        return any(values.drawn for values in self.values)

    @property
    def bounded(self) -> bool:
        """Whether every number lies in a finite range, so that a missing one can be imputed."""
        return all(v.statistic is None and bool(np.isfinite([v.low, v.high]).all()) for v in self.values)

    @property
    def noise_is_known(self) -> bool:
        """Whether every sample that varies so was answered several times."""
        return not any(
            bool(np.isnan(v.noise[v.kept & (at >= 0)]).any()) for v, at in zip(self.values, self.index, strict=True)
        )

    def with_evidence(self) -> Grouped:
        """The groups alone that have a value on every side."""
        held = [
            {*at[v.kept & (at >= 0) & ~np.isnan(v.value)].tolist()}
            for v, at in zip(self.values, self.index, strict=True)
        ]
        return self._at(sorted(set.intersection(*held)))

    def among(self, labels: Collection[tuple[Hashable, ...]]) -> Grouped:
        """These groups alone."""
        return self._at([place for place, label in enumerate(self.labels) if label in labels])

    def _at(self, places: Sequence[int]) -> Grouped:
        # the last place stands for samples of no group, which are at -1
        renumbered = np.full(len(self.labels) + 1, -1)
        renumbered[places] = np.arange(len(places))
        labels = tuple(self.labels[at] for at in places)
        return replace(self, labels=labels, index=[renumbered[at] for at in self.index])

    def estimates(self, imputed: Sequence[Literal["low", "high"]] | None = None, *, fixed: bool = False) -> Estimates:
        """The groups' values. Missing ones are left out, or taken so that the value comes to the `imputed` end.

        They are those of samples like these; if `fixed`, of these very samples, and vary by the draw of answers alone.
        """
        total = self._part(0, imputed, fixed)
        # what is subtracted lowers the value by being high
        against = imputed and ["low" if end == "high" else "high" for end in imputed]
        for number in range(1, len(self.values)):
            total = statistics.subtract(total, self._part(number, against, fixed))
        return total

    def _part(self, number: int, imputed: Sequence[str] | None, fixed: bool) -> Estimates:
        values, at = self.values[number], self.index[number]
        numbers = values.value
        if imputed is not None:
            filled = np.array([values.high if end == "high" else values.low for end in imputed])
            numbers = np.where(values.lacking & (at >= 0), filled[np.maximum(at, 0)], numbers)
        used = values.kept & (at >= 0) & ~np.isnan(numbers)
        names = tuple(map(labelled, self.labels))
        empty = sorted(set(range(len(self.labels))) - set(at[used].tolist()))
        if empty:
            msg = f"no sample of {labelled(self.labels[empty[0]])} in {values.task!r} was answered"
            raise NoEvidence(msg)
        if values.statistic is not None:
            chosen = Selection(np.flatnonzero(used), numbers[used], at[used], names)
            return values.statistic(values.parts[0].outcomes, chosen)
        samples = values.parts[0].outcomes.samples
        # equal prompts are asked once: what varies by the draw is the prompt's answer, and each part's by itself
        prompts, cluster = values.parts[0].outcomes.prompts, samples.cluster[used]
        if fixed and values.drawn:
            cluster = [(number, prompts[place] if prompts else place) for place in np.flatnonzero(used).tolist()]
        counted = statistics.estimate(
            numbers[used], at[used], cluster, names,
            weights=None if samples.weight is None else samples.weight[used],
            noise=values.noise[used] if fixed else None, low=values.low, high=values.high,
        )  # fmt: skip
        if values.labelled is None:
            return counted
        # what a judge gets wrong cancels in a change but for its size
        level = 1.0 if len(values.parts) == 1 else 0.0
        return statistics.corrected(counted, told(values.labelled, self.columns, self.labels), level)


def told(sheet: Labelled, columns: Sequence[str], labels: Sequence[tuple[Hashable, ...]]) -> list[Told]:
    """What a judge said of labelled answers, for each group; of all, where they have not the groups' columns.

    Raises `NoEvidence` for a group of which no answer is labelled right, or none wrong.
    """
    known = np.isfinite(sheet.scored)
    apart = bool(columns) and set(columns) <= set(sheet.frame.columns)
    rows = list(sheet.frame.select(columns).iter_rows()) if apart else [()] * len(known)
    return [_told(sheet, known & np.array([not apart or row == label for row in rows]), label) for label in labels]


def _told(sheet: Labelled, held: np.ndarray, label: tuple[Hashable, ...]) -> Told:
    right, wrong = held & sheet.right, held & ~sheet.right
    if not right.any() or not wrong.any():
        lacks = "right" if not right.any() else "wrong"
        msg = f"no answer of {labelled(label)} is labelled {lacks}, so the judge's errors there are not known"
        raise NoEvidence(msg)
    scored = sheet.scored
    return Told(float(scored[right].sum()), int(right.sum()), float(scored[wrong].sum()), int(wrong.sum()))


def grouped(question: Question, values: Sequence[Values]) -> Grouped:
    """The values by the question's columns. Raises where a column, a group or a pair does not fit the question."""
    signed = _ordered(values)
    labels = _labels(signed[0], question.columns)
    for other in signed[1:]:
        if _labels(other, question.columns) != labels:
            tasks = f"{signed[0].task!r} and {other.task!r}"
            msg = f"{question.plain}: {tasks} do not have the same groups of {', '.join(question.columns)}"
            raise BadData(msg)
    _check(question, signed, labels)
    index = [_index(v.frame, question.columns, labels) for v in signed]
    for part, at in zip(signed, index, strict=True):
        _check_same_groups(question, part, at, labels)
    return Grouped(signed, labels, index, tuple(question.columns))


def reference_index(question: Question, labels: Sequence[tuple[Hashable, ...]]) -> int | None:
    """The place of the question's reference group. Raises `UnknownGroup` where there is none such."""
    if question.reference is None:
        return None
    reference = question.reference if isinstance(question.reference, tuple) else (question.reference,)
    if reference not in labels:
        msg = (
            f"{question.plain}: there is no group {question.reference!r}; there are {', '.join(map(labelled, labels))}"
        )
        raise UnknownGroup(msg)
    return list(labels).index(reference)


def _values(metric: Measure, outcomes: Outcomes, role: Role) -> Values:
    value, (low, high) = numbers(metric, outcomes)
    part = Part(role, metric.task, outcomes)
    size, name = len(outcomes.samples), score_of(metric, outcomes)
    drawn = metric.task.drawn and (name in outcomes.scores or metric.function in RATES)
    noise = outcomes.noise.get(name, np.full(size, np.nan if drawn else 0.0))
    statistic, ends = _statistic(metric)
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
    return metric.column or (first if metric.function == "accuracy" else name)


def _statistic(metric: Measure) -> tuple[Statistic | None, tuple[float, float] | None]:
    """How a metric that is no mean is estimated, and the range of what it gives."""
    match metric.function:
        case "spearman":
            return correlation(metric.option("of"), metric.option("order"), "spearman"), (-1.0, 1.0)
        case "kendall":
            return correlation(metric.option("of"), metric.option("order"), "kendall"), (-1.0, 1.0)
        case "share_below":
            return below(metric.option("of"), metric.option("reference")), (0.0, 1.0)
        case "bits_per_byte":
            return per("bytes"), (0.0, np.inf)
    return None, None


def numbers(metric: Measure, outcomes: Outcomes) -> tuple[np.ndarray, tuple[float, float]]:
    """A measure's numbers and their range."""
    if metric.function in RATES:
        counted = np.isin(outcomes.status, RATES[metric.function]).astype(float)
        return np.where(outcomes.answered, counted, np.nan), (0.0, 1.0)
    name = score_of(metric, outcomes)
    if metric.function == "tokens_per_sample":
        unknown = np.full(len(outcomes.samples), np.nan)
        return outcomes.tokens.get(name, unknown), (0.0, np.inf)
    if metric.function == "win_rate":
        return wins(outcomes, metric.option("of"), metric.option("against"), name, metric.option("tie")), (0.0, 1.0)
    if metric.function == "bits_per_byte":
        return -outcomes.scores[name] / np.log(2), (0.0, np.inf)
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


def _ordered(values: Sequence[Values]) -> list[Values]:
    """A first positive part, then parts that are all subtracted."""
    first, *rest = values
    if any(v.statistic is not None and v.sign == 1 for v in rest):
        msg = f"{rest[0].task!r}: metrics that are no means of samples cannot be added up; write one difference, a - b"
        raise BadExpectation(msg)
    return [first, *(v if v.sign == -1 else replace(v, value=-v.value, low=-v.high, high=-v.low) for v in rest)]


def _labels(values: Values, columns: Sequence[str]) -> tuple[tuple[Hashable, ...], ...]:
    """The groups among the kept samples and the rows left out, in an order that does not depend on the samples' own.

    A group of which every row is left out is one without evidence, not one that is not asked about.
    """
    for name in columns:
        if data.column(values.frame, name, repr(values.task)).dtype.is_nested():
            held = values.frame.schema[name]
            msg = f"{values.task!r}: column {name!r} holds {held}, which is no group; a group is one value"
            raise BadData(msg)
    if not columns:
        return ((),)
    left_out = [frame for each in values.left_out if {*columns} <= {*(frame := each.rows.frame).columns}]
    frames = [values.frame.filter(pl.Series(values.kept)), *left_out]
    rows = {row for frame in frames for row in frame.select(columns).drop_nulls().unique().rows()}
    return tuple(sorted(rows, key=lambda row: tuple((str(type(value)), value) for value in row)))


def _index(frame: pl.DataFrame, columns: Sequence[str], labels: Sequence[tuple[Hashable, ...]]) -> np.ndarray:
    """The group of every sample; -1 where a column of it is empty."""
    if not columns:
        return np.zeros(frame.height, dtype=int)
    places: Mapping[Any, int] = {label: place for place, label in enumerate(labels)}
    return np.array([places.get(row, -1) for row in frame.select(columns).iter_rows()], dtype=int)


def _check(question: Question, values: Sequence[Values], labels: Sequence[tuple[Hashable, ...]]) -> None:
    if question.kind in {"gap", "ratio"} and len(labels) < 2:
        only = labelled(labels[0]) if labels else "none at all"
        msg = f"{question.plain} compares groups, and the samples have one group only: {only}"
        raise BadData(msg)
    if not labels:
        msg = f"{question.plain}: no sample has a value in {', '.join(question.columns)}"
        raise BadData(msg)
    reference_index(question, labels)
    if question.kind == "ratio" and any(not np.isfinite([v.low, v.high]).all() or v.low < 0 for v in values):
        msg = f"{question.plain}: a ratio needs scores from 0 up to a highest value; these are unbounded. Use .gap()."
        raise BadExpectation(msg)
    for part in values:
        _check_pairs(question, part)


def _check_pairs(question: Question, values: Values) -> None:
    """A pair has one sample in a group, unless another column crosses the groups and tells its samples apart."""
    samples = values.parts[0].outcomes.samples
    if samples.pair is None or not question.columns:
        return
    pairs = pl.Series("__pair", [str(key) for key in samples.pair])
    keys = samples.frame.with_columns(pairs).filter(pl.Series(values.kept))
    twice = keys.group_by("__pair", *question.columns).len().filter(pl.col("len") > 1)
    if twice.is_empty() or _most_groups(keys, ["__pair"], question.columns) == 1:
        return
    # scores differ by chance: they tell no samples apart
    scores = dict(values.task.columns).values() if isinstance(values.task, Recorded) else ()
    others = [name for name in samples.frame.columns if name not in (*question.columns, *scores)]
    if any(_crosses(keys, name, question.columns) for name in others):
        return
    pair, *group, count = twice.sort(twice.columns).row(0)
    msg = (
        f"{values.task!r}: pair {pair!r} has {count} samples in {labelled(tuple(group))}; "
        f"a pair is one question put once to each group of {', '.join(question.columns)}"
    )
    raise BadData(msg)


def _crosses(keys: pl.DataFrame, name: str, columns: Sequence[str]) -> bool:
    """Whether a column tells apart a pair's samples in each group, with the same values across the groups."""
    if keys.schema[name].is_nested() or keys.group_by("__pair", *columns, name).len()["len"].max() != 1:
        return False
    return _most_groups(keys, ["__pair", name], columns) > 1


def _most_groups(keys: pl.DataFrame, within: Sequence[str], columns: Sequence[str]) -> int:
    """The largest number of groups that rows with the same values of `within` lie in."""
    return int(keys.group_by(within).agg(pl.struct(columns).n_unique().alias("__groups"))["__groups"].to_numpy().max())


def _joined(after: Sequence[Values], before: Sequence[Values]) -> tuple[list[Values], list[Values]]:
    """Both on the same samples: a change is a difference sample by sample, and recordings may hold different ones."""
    joined = [_join(new, old) for new, old in zip(after, before, strict=True)]
    return [new for new, _ in joined], [old for _, old in joined]


def _join(new: Values, old: Values) -> tuple[Values, Values]:
    ours, theirs = new.parts[0].outcomes.samples, old.parts[0].outcomes.samples
    keys = new.task.keys if isinstance(new.task, Recorded) else ()
    if not keys:
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


def _check_same_groups(question: Question, values: Values, at: np.ndarray, labels: Sequence[Any]) -> None:
    """Recordings that are compared sample by sample have the same groups in the same rows."""
    for part in values.parts[1:]:
        frame = part.outcomes.samples.frame
        for name in question.columns:
            data.column(frame, name, f"{values.task!r} for the {part.role}")
        if frame is not values.frame and not np.array_equal(_index(frame, question.columns, labels), at):
            msg = (
                f"{question.plain}: the rows of {values.task!r} for the {part.role} are in other groups of "
                f"{', '.join(question.columns)} than the model's; a change needs the same samples in the same order"
            )
            raise BadData(msg)


def labelled(label: tuple[Hashable, ...]) -> str:
    """A group in words."""
    return " x ".join(map(str, label)) or "all samples"
