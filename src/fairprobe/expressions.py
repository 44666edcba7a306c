"""What users write, as values: a metric asked a question, compared with a bound. Nothing here is measured.

`repr` of an expression is its source, so `eval(repr(e)) == e` wherever tasks are bound to their names. Equality
and hash are structural.
"""

from __future__ import annotations

import keyword
import math
import numbers
import os
import re
import sys
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from fairprobe.errors import BadExpectation
from fairprobe.judging import judge_now

if TYPE_CHECKING:
    from fairprobe.tasks import Task, Treatment

Comparison = Literal["<", "<=", ">", ">="]
Scope = Literal["population", "benchmark"]
Mode = Literal["prove", "alarm"]


class _Node:
    """Equality and hash by structure; an ordering or a truth value only where it means something."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, numbers.Number):
            msg = (
                f"{self!r} == {other!r} would silently collect nothing: no interval is ever shown to equal a number. "
                f"Write a bound: {self!r} > {other!r}, or on a difference: ….gap('column') < 0.05."
            )
            raise BadExpectation(msg)
        if type(other) is not type(self):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._parts()))

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, part.name) for part in fields(self))  # type: ignore[arg-type]  # nodes are dataclasses

    def __bool__(self) -> bool:
        msg = (
            f"{self!r} has no bound, so it is neither true nor false. Compare it: "
            f"test_name = {self!r} < 0.05 (or > for a value that should be high)."
        )
        raise BadExpectation(msg)


@dataclass(frozen=True)
class Waiver:
    """A guard switched off, with the reason that the report prints."""

    guard: str
    because: str


@dataclass(frozen=True)
class Marked:
    """A pytest mark as a value."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, mark: Any) -> Marked:
        """The value of `pytest.mark.slow` or `pytest.mark.xfail(reason="…")`."""
        if not hasattr(mark, "name") or not hasattr(mark, "kwargs"):
            msg = f"marked() takes pytest marks, as in .marked(pytest.mark.slow), not {mark!r}"
            raise BadExpectation(msg)
        return cls(mark.name, tuple(mark.args), tuple(sorted(mark.kwargs.items())))

    def __repr__(self) -> str:
        given = [repr(arg) for arg in self.args] + [f"{name}={value!r}" for name, value in self.kwargs]
        return f"pytest.mark.{self.name}" + (f"({', '.join(given)})" if given else "")

    def __hash__(self) -> int:
        return hash(repr(self))


@dataclass(frozen=True)
class Terms:
    """What an expectation says of itself beside its claim; what it leaves unsaid (`None`) the run's settings say."""

    confidence: float | None = None
    scope: Scope | None = None
    guards: tuple[Expectation, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    reasons: tuple[str, ...] = ()
    mode: Mode | None = None
    marks: tuple[Marked, ...] = ()

    def waives(self, guard: str) -> bool:
        """Whether a guard does not apply here."""
        return any(waiver.guard == guard for waiver in self.waivers)

    def __str__(self) -> str:
        at = [f"{name}={value!r}" for name in ("confidence", "scope") if (value := getattr(self, name)) is not None]
        calls = [f".at({', '.join(at)})"] if at else []
        calls += [f".guard({guard!r})" for guard in self.guards]
        calls += [f".waive({waiver.guard!r}, because={waiver.because!r})" for waiver in self.waivers]
        calls += [f".because({reason!r})" for reason in self.reasons]
        calls += [f".mode({self.mode!r})"] if self.mode else []
        calls += [f".marked({', '.join(map(repr, self.marks))})"] if self.marks else []
        return "".join(calls)


class _Refinable(_Node):
    """Refinements stand before or after the comparison and mean the same."""

    def _with(self, **terms: Any) -> Any:
        raise NotImplementedError

    @property
    def _terms(self) -> Terms:
        return getattr(self, "terms", Terms())

    def at(self, *, confidence: float | None = None, scope: Scope | None = None) -> Any:
        """The confidence of the verdict, and whether it speaks of samples like these or of this benchmark.

        >>> (accuracy(clues).gap("dialect") < 0.05).at(confidence=0.99)
        (accuracy(clues).gap('dialect') < 0.05).at(confidence=0.99)
        """
        if confidence is not None and not 0.5 < confidence < 1:
            msg = f"confidence lies between 0.5 and 1, as in .at(confidence=0.95), not {confidence!r}"
            raise BadExpectation(msg)
        if scope not in {None, "population", "benchmark"}:
            msg = f"scope is 'population' (samples like these) or 'benchmark' (these samples), not {scope!r}"
            raise BadExpectation(msg)
        said = {"confidence": None if confidence is None else float(confidence), "scope": scope}
        return self._with(**{name: value for name, value in said.items() if value is not None})

    def guard(self, condition: Expectation) -> Any:
        """A condition without which a pass would be no evidence: not shown means `invalid`.

        >>> (accuracy(clues).gap("dialect") < 0.05).guard(valid_rate(clues).by("dialect") > 0.98)
        (accuracy(clues).gap('dialect') < 0.05).guard(valid_rate(clues).by('dialect') > 0.98)
        """
        if not isinstance(condition, Expectation):
            msg = (
                f"guard() takes an expectation, as in .guard(valid_rate(task).by('dialect') > 0.98), not {condition!r}"
            )
            raise BadExpectation(msg)
        return self._with(guards=(*self._terms.guards, condition))

    def waive(self, guard: str, *, because: str) -> Any:
        """Let a verdict stand although this guard fires; the report prints the reason.

        >>> (accuracy(clues) > 0.3).waive("above_chance", because="chance is the claim")
        (accuracy(clues) > 0.3).waive('above_chance', because='chance is the claim')
        """
        if not because.strip():
            msg = f"a waiver is printed with its reason: .waive({guard!r}, because='…')"
            raise BadExpectation(msg)
        return self._with(waivers=(*self._terms.waivers, Waiver(guard, because)))

    def because(self, reason: str) -> Any:
        """Why this must hold: a policy, a promise, a finding. Printed beside the verdict.

        >>> (accuracy(clues) > 0.3).because("policy 3.2")
        (accuracy(clues) > 0.3).because('policy 3.2')
        """
        return self._with(reasons=(*self._terms.reasons, reason))

    def mode(self, mode: Mode) -> Any:
        """`prove`: only a shown pass is green. `alarm`: only a shown fail is red.

        >>> (accuracy(clues) > 0.3).mode("alarm")
        (accuracy(clues) > 0.3).mode('alarm')
        """
        if mode not in {"prove", "alarm"}:
            msg = f"mode is 'prove' (only a shown pass is green) or 'alarm' (only a shown fail is red), not {mode!r}"
            raise BadExpectation(msg)
        return self._with(mode=mode)

    def marked(self, *marks: Any) -> Any:
        """The same expectation with pytest marks: `.marked(pytest.mark.slow)`.

        >>> import pytest
        >>> (accuracy(clues) > 0.3).marked(pytest.mark.slow)
        (accuracy(clues) > 0.3).marked(pytest.mark.slow)
        """
        return self._with(marks=(*self._terms.marks, *map(Marked.of, marks)))


class _Comparable(_Refinable):
    """A question becomes an expectation when it is compared with a bound."""

    # a subclass's own __eq__ would otherwise take __hash__ away
    __hash__ = _Node.__hash__

    def _asked(self) -> Question:
        raise NotImplementedError

    def _with(self, **terms: Any) -> Question:
        asked = self._asked()
        return replace(asked, terms=replace(asked.terms, **terms))

    def __lt__(self, bound: float) -> Expectation:
        return _compare(self._asked(), "<", bound)

    def __le__(self, bound: float) -> Expectation:
        return _compare(self._asked(), "<=", bound)

    def __gt__(self, bound: float) -> Expectation:
        return _compare(self._asked(), ">", bound)

    def __ge__(self, bound: float) -> Expectation:
        return _compare(self._asked(), ">=", bound)


class Metric(_Comparable):
    """One number per group. Measured only once a model has responded."""

    __hash__ = _Node.__hash__

    @property
    def reads_baseline(self) -> bool:
        """Whether it compares the model with its baseline."""
        return any(isinstance(part, Versus) for part in walk(self))

    @property
    def compares(self) -> bool:
        """Whether its values are told against the baseline's, by itself or by what a task's outcomes are."""
        return self.reads_baseline or any(measure.task.against_baseline for measure in measures(self))

    @property
    def is_signed(self) -> bool:
        """Whether its values are differences; a share of samples is none, whatever it is a share of."""
        match self:
            case Change() | Treated() | Difference():
                return True
            case Where() | Matched() | Near():
                return self.metric.is_signed
        return False

    def where(self, /, **values: Hashable) -> Metric:
        """Only the samples whose columns have these values.

        >>> accuracy(clues).where(dialect="en_in")
        accuracy(clues).where(dialect='en_in')
        """
        for name, value in values.items():
            if value is None or isinstance(value, (list, tuple, set, dict, frozenset)):
                msg = (
                    f".where({name}={value!r}): a condition is one value of one column. "
                    "Several values are several expectations: a dict of them names its cases."
                )
                raise BadExpectation(msg)
        return Where(self, tuple(sorted(values.items())))

    def matched(self, column: str) -> Metric:
        """Only the pairs that have a sample in every group of this column.

        >>> accuracy(clues).matched("dialect").gap("dialect")
        accuracy(clues).matched('dialect').gap('dialect')
        """
        return Matched(self, column)

    def change(self, *, since: str | None = None) -> Metric:
        """The model's value less the baseline's, on the same samples; or less that of the checkpoint named `since`.

        >>> accuracy(clues).change().gap("dialect", reference="en_us") < 0.05
        accuracy(clues).change().gap('dialect', reference='en_us') < 0.05
        >>> accuracy(clues).change(since="base").by("dialect") > -0.02
        accuracy(clues).change(since='base').by('dialect') > -0.02
        """
        return Change(_alone(self, "change"), since)

    def relative(self, *, since: str | None = None) -> Metric:
        """The model's value over the baseline's, or that of `since`, on the same samples: 1 where nothing changed.

        >>> accuracy(clues).relative().by("dialect") > 0.9
        accuracy(clues).relative().by('dialect') > 0.9
        """
        if self.is_signed:
            msg = f"{self!r} is a difference and may be 0 or less, so nothing is relative to it; write .change()"
            raise BadExpectation(msg)
        return Relative(_alone(self, "relative"), since)

    def above(self, bound: float) -> Metric:
        """The share of samples whose own value lies above a bound; one that equals it counts a half.

        >>> accuracy(clues).change().above(0).by("dialect") > 0.4
        accuracy(clues).change().above(0.0).by('dialect') > 0.4
        """
        return Above(self, _number(bound, f"{self!r}.above"))

    def treated_by(self, treatment: Treatment) -> Metric:
        """The value with a treatment of the prompt less the value without it, on the same samples.

        >>> from fairprobe.tasks import anthropological
        >>> accuracy(clues).treated_by(anthropological).gap("dialect") < 0.05
        accuracy(clues).treated_by(anthropological).gap('dialect') < 0.05
        """
        if not hasattr(treatment, "of"):
            msg = (
                f"{self!r}.treated_by({treatment!r:.60}): it takes a Treatment, as Treatment('careful', 'Think first.')"
            )
            raise BadExpectation(msg)
        if any(isinstance(part, Treated) for part in walk(self)):
            msg = f"{self!r} has its treatment; of two, one text says both: Treatment('both', '…')"
            raise BadExpectation(msg)
        return Treated(_alone(self, "treated_by"), treatment)

    def near(self, target: float) -> Metric:
        """How far a value lies from its target, either way: a moment that a distribution should have.

        >>> mean(answers, "similarity").near(0.5).by("country") < 0.1
        mean(answers, 'similarity').near(0.5).by('country') < 0.1
        """
        if isinstance(self, Near):
            msg = f"{self!r} has a target already"
            raise BadExpectation(msg)
        return Near(self, _number(target, f"{self!r}.near"))

    def gap(self, *columns: str, reference: Hashable = None, two_sided: bool = False) -> Question:
        """The largest difference between any two groups; with a reference, how far any group lies below it.

        >>> accuracy(clues).gap("dialect") < 0.05
        accuracy(clues).gap('dialect') < 0.05
        >>> accuracy(clues).gap("dialect", reference="en_us", two_sided=True) < 0.05
        accuracy(clues).gap('dialect', reference='en_us', two_sided=True) < 0.05
        """
        if not isinstance(reference, Hashable):
            msg = (
                f"{self!r}.gap(reference={reference!r}): a reference is one group, as in reference='en_us'; "
                "of several columns a tuple"
            )
            raise BadExpectation(msg)
        if two_sided and reference is None:
            msg = (
                f"two_sided=True needs a reference: {self!r}.gap({columns[0] if columns else 'column'!r}, "
                "reference='…', two_sided=True)"
            )
            raise BadExpectation(msg)
        return Question(self, "gap", _named(self, "gap", columns), reference, two_sided)

    def by(self, *columns: str) -> Question:
        """Every group's value: the bound must hold for each.

        >>> accuracy(clues).by("dialect") > 0.3
        accuracy(clues).by('dialect') > 0.3
        """
        return Question(self, "by", _named(self, "by", columns))

    def ratio(self, *columns: str) -> Question:
        """The smallest group's value over the largest's, between 0 and 1.

        >>> accuracy(clues).ratio("dialect") > 0.8
        accuracy(clues).ratio('dialect') > 0.8
        """
        if self.is_signed:
            msg = (
                f"{self!r} is a difference and may be negative, so it has no ratio. Write "
                f"{self!r}.gap({', '.join(map(repr, columns))}) < 0.05."
            )
            raise BadExpectation(msg)
        return Question(self, "ratio", _named(self, "ratio", columns))

    def __sub__(self, other: object) -> Metric:
        for each in (self, other):
            if isinstance(each, _Outermost):
                msg = f"{each!r} is no sum of samples, so nothing is subtracted from it; write two expectations"
                raise BadExpectation(msg)
        return Difference(self, other) if isinstance(other, Metric) else NotImplemented

    def _asked(self) -> Question:
        return Question(self, "overall")


@dataclass(frozen=True, eq=False, repr=False)
class Measure(Metric):
    """A named number of a task's outcomes: `accuracy(clues)`, `mean(clues, 'score')`."""

    function: str
    task: Task
    column: str | None = None
    options: tuple[tuple[str, Hashable], ...] = ()

    def __repr__(self) -> str:
        given = [self.task.name, *([repr(self.column)] if self.column is not None else [])]
        return f"{self.function}({', '.join([*given, *(f'{name}={value!r}' for name, value in self.options)])})"

    def option(self, name: str) -> Any:
        """What was given for an argument of the metric."""
        return dict(self.options)[name]


@dataclass(frozen=True, eq=False, repr=False)
class Where(Metric):
    """A metric over the samples that meet every condition."""

    metric: Metric
    conditions: tuple[tuple[str, Hashable], ...]

    def __repr__(self) -> str:
        if all(name.isidentifier() and not keyword.iskeyword(name) for name, _ in self.conditions):
            given = ", ".join(f"{name}={value!r}" for name, value in self.conditions)
        else:
            given = f"**{dict(self.conditions)!r}"
        return f"{_dotted(self.metric)}.where({given})"


@dataclass(frozen=True, eq=False, repr=False)
class Matched(Metric):
    """A metric over complete pairs."""

    metric: Metric
    column: str

    def __repr__(self) -> str:
        return f"{_dotted(self.metric)}.matched({self.column!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Treated(Metric):
    """The value with a treatment of the prompt less the value without it."""

    metric: Metric
    treatment: Treatment
    treated: Metric = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "treated", _treated(self.metric, self.treatment))

    def __repr__(self) -> str:
        return f"{_dotted(self.metric)}.treated_by({self.treatment!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Versus(Metric):
    """A metric of the model beside the same of its baseline, or of another checkpoint of the run by its name."""

    metric: Metric
    since: str | None = None

    @property
    def _named(self) -> str:
        return "" if self.since is None else f"since={self.since!r}"


@dataclass(frozen=True, eq=False, repr=False)
class Change(Versus):
    """The model's value less the baseline's."""

    def __repr__(self) -> str:
        return f"{_dotted(self.metric)}.change({self._named})"


def since(expectation: Expectation) -> str | None:
    """The name of the checkpoint that it compares with; None for the baseline, or where it compares with none.

    Raises `BadExpectation` where it names several.
    """
    asked = [expectation, *expectation.terms.guards]
    named = {part.since for each in asked for part in walk(each.question.metric) if isinstance(part, Versus)}
    if len(named) > 1:
        told = ", ".join(sorted("the baseline" if name is None else repr(name) for name in named))
        msg = f"{expectation!r} compares with {told}; one expectation compares with one checkpoint: write it as several"
        raise BadExpectation(msg)
    return next(iter(named), None)


class _Outermost(Metric):
    """What is made of groups' values, not of samples: conditions go inside it, and nothing is added to it."""

    metric: Metric
    __hash__ = _Node.__hash__

    def where(self, /, **values: Hashable) -> Metric:
        return replace(self, metric=self.metric.where(**values))  # type: ignore[type-var]  # a dataclass

    def matched(self, column: str) -> Metric:
        return replace(self, metric=self.metric.matched(column))  # type: ignore[type-var]  # a dataclass

    def above(self, bound: float) -> Metric:
        msg = f"{self!r}.above({bound!r}): it is no number of each sample; ask of its value, {self!r} > {bound!r}"
        raise BadExpectation(msg)


@dataclass(frozen=True, eq=False, repr=False)
class Relative(_Outermost, Versus):
    """The model's value over the baseline's."""

    def __repr__(self) -> str:
        return f"{_dotted(self.metric)}.relative({self._named})"


@dataclass(frozen=True, eq=False, repr=False)
class Above(Metric):
    """The share of samples whose value lies above a bound."""

    metric: Metric
    bound: float

    def __repr__(self) -> str:
        return f"{_dotted(self.metric)}.above({self.bound!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Near(_Outermost):
    """A metric whose distance from a target is asked about."""

    metric: Metric
    target: float

    def __repr__(self) -> str:
        return f"{_dotted(self.metric)}.near({self.target!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Difference(Metric):
    """One metric less another."""

    left: Metric
    right: Metric

    def __repr__(self) -> str:
        return f"{self.left!r} - {_dotted(self.right)}"


@dataclass(frozen=True, eq=False, repr=False)
class Question(_Comparable):
    """What is asked of a metric's values: their gap, each of them, their ratio, or the one overall."""

    metric: Metric
    kind: Literal["gap", "by", "ratio", "overall"]
    columns: tuple[str, ...] = ()
    reference: Hashable = None
    two_sided: bool = False
    terms: Terms = field(default_factory=Terms)

    def __repr__(self) -> str:
        return f"{self.plain}{self.terms}"

    @property
    def plain(self) -> str:
        """The question without its refinements."""
        if self.kind == "overall":
            return _dotted(self.metric)
        given = [repr(column) for column in self.columns]
        given += [f"reference={self.reference!r}"] if self.reference is not None else []
        given += ["two_sided=True"] if self.two_sided else []
        return f"{_dotted(self.metric)}.{self.kind}({', '.join(given)})"

    def change(self) -> Metric:
        """Refused: the change of a gap is not the gap of the changes."""
        asked = self.plain.removeprefix(_dotted(self.metric))
        changed = f"{_dotted(self.metric)}.change()"
        if self.kind != "gap":
            msg = (
                f"{self!r}.change(): a change stands before the question, as in "
                f"{changed}{asked if self.kind == 'by' else ''} > -0.05"
            )
            raise BadExpectation(msg)
        msg = (
            f"{self.plain}.change() is ambiguous. That alignment does not widen the gap is "
            f"{changed}.{self.kind}({', '.join(map(repr, self.columns))}, reference='…') < 0.05; "
            f"that no two groups' changes differ either way is {changed}{asked} < 0.05."
        )
        raise BadExpectation(msg)

    def _asked(self) -> Question:
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Expectation(_Refinable):
    """A question about a metric, a comparison and a bound: what a test states."""

    question: Question
    comparison: Comparison
    bound: float
    terms: Terms = field(default_factory=Terms)

    def __post_init__(self) -> None:
        _refuse_without_plugin(self)

    def __repr__(self) -> str:
        refined = str(self.terms)
        return f"({self.claim}){refined}" if refined else self.claim

    @property
    def claim(self) -> str:
        """The expectation without its refinements."""
        plain = repr(self.question.metric) if self.question.kind == "overall" else self.question.plain
        return f"{plain} {self.comparison} {self.bound!r}"

    @property
    def words(self) -> frozenset[str]:
        """What `-k` sees: metric, task, columns and values."""
        return frozenset(re.findall(r"\w+", repr(self))) - {"pytest", "mark"}

    def _with(self, **terms: Any) -> Expectation:
        return replace(self, terms=replace(self.terms, **terms))

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        judge = judge_now.get()
        if judge is None:
            msg = (
                f"{self!r} is neither true nor false before a model has responded. At module level give it a name: "
                f"test_name = {self!r}. A range is two expectations, test_low = … > 0.2 and test_high = … < 0.5. "
                f"Inside a test write: assert {self!r}."
            )
            raise BadExpectation(msg)
        return judge(self)

    def __call__(self, *_: object, **__: object) -> None:
        """Refused: a decorator or a parametrisation was put around an expectation."""
        msg = (
            f"{self!r} is a value, not a function. Marks are given by .marked(pytest.mark.slow); cases by a "
            "dict of expectations."
        )
        raise BadExpectation(msg)


def walk(metric: Metric) -> Iterator[Metric]:
    """A metric and every metric inside it."""
    yield metric
    for part in fields(metric):  # type: ignore[arg-type]  # metrics are dataclasses
        inner = getattr(metric, part.name)
        if isinstance(inner, Metric):
            yield from walk(inner)


def measures(metric: Metric) -> Iterator[Measure]:
    """The leaves of a metric: the tasks' own numbers."""
    return (part for part in walk(metric) if isinstance(part, Measure))


def unconditioned(metric: Metric) -> Metric:
    """A metric without the conditions on its samples that stand outermost."""
    while isinstance(metric, Where | Matched):
        metric = metric.metric
    return metric


def _treated(metric: Metric, treatment: Treatment) -> Metric:
    """The same metric of treated tasks."""
    if isinstance(metric, Measure):
        return replace(metric, task=metric.task.treated(treatment))
    inner = {part.name: getattr(metric, part.name) for part in fields(metric)}  # type: ignore[arg-type]  # a dataclass
    changed = {name: _treated(held, treatment) for name, held in inner.items() if isinstance(held, Metric)}
    return replace(metric, **changed)  # type: ignore[type-var]  # metrics are dataclasses


def _alone(metric: Metric, how: str) -> Metric:
    """A metric of one checkpoint; raises for one that compares it with another."""
    if metric.compares:
        msg = f"{metric!r} compares with the baseline already; .{how}() of it has no meaning here"
        raise BadExpectation(msg)
    if isinstance(metric, Near):
        msg = f"{metric!r} is a distance of groups' values from a target; write .{how}() before it, .{how}().near(0.0)"
        raise BadExpectation(msg)
    return metric


def _number(given: object, where: str) -> float:
    if isinstance(given, bool) or not isinstance(given, numbers.Real) or not math.isfinite(float(given)):
        msg = f"{where}({given!r}): it takes a finite number, as in {where}(0.5)"
        raise BadExpectation(msg)
    return float(given)


def _compare(question: Question, comparison: Comparison, bound: object) -> Expectation:
    if isinstance(bound, bool) or not isinstance(bound, numbers.Real) or not math.isfinite(float(bound)):
        msg = (
            f"{question.plain} {comparison} {bound!r}: a bound is a finite number, as in {question.plain} "
            f"{comparison} 0.05"
        )
        raise BadExpectation(msg)
    if isinstance(question.metric, Near) and (comparison not in {"<", "<="} or question.kind not in {"by", "overall"}):
        msg = (
            f"{question.plain} {comparison} {bound!r}: .near(target) says how far values may lie from their target: "
            f"{question.metric!r} < 0.05, or {question.metric!r}.by('column') < 0.05"
        )
        raise BadExpectation(msg)
    if question.kind == "ratio" and not 0 < float(bound) <= 1:
        msg = (
            f"{question.plain} {comparison} {bound!r}: a ratio of the smallest to the largest lies between "
            "0 and 1, as in > 0.8"
        )
        raise BadExpectation(msg)
    return Expectation(replace(question, terms=Terms()), comparison, float(bound), question.terms)


def _named(metric: Metric, kind: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    if not columns or not all(isinstance(column, str) and column for column in columns):
        msg = f"{metric!r}.{kind}() takes the names of columns, as in {metric!r}.{kind}('dialect'), not {columns!r}"
        raise BadExpectation(msg)
    if len(set(columns)) < len(columns):
        msg = f"{metric!r}.{kind}{columns!r} names a column twice"
        raise BadExpectation(msg)
    return columns


def _dotted(metric: Metric) -> str:
    """A metric's source where a dot follows it."""
    return f"({metric!r})" if isinstance(metric, Difference) else repr(metric)


def _refuse_without_plugin(expectation: Expectation) -> None:
    """Fail closed: under a pytest without our plugin an expectation would be collected by nobody."""
    under_pytest = "PYTEST_VERSION" in os.environ and "_pytest" in sys.modules
    if under_pytest and "fairprobe.pytest_plugin" not in sys.modules:
        msg = (
            f"{expectation!r} would be collected by nobody: pytest runs without fairprobe's plugin. "
            "Load it with -p fairprobe (or remove -p no:fairprobe / PYTEST_DISABLE_PLUGIN_AUTOLOAD)."
        )
        raise BadExpectation(msg)
