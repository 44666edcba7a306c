"""Surveys: how near a model's distribution over the options of a question is to people's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Response
from fairprobe.statistics.divergence import Divergence, jensen_shannon
from fairprobe.tasks.options import ENTROPY, OPTION_MASS, Choosing, entropies, masses
from fairprobe.tasks.task import Choices, Dropped, Outcomes, Samples, unanswered

Scoring = Literal["letter", "letter_mean", "text", "text_mean", "text_bytes"]
Invalid = Literal["error", "drop"]
SUM_TOLERANCE = 1e-3
"""How far from one the shares of a distribution may sum: they are published rounded."""


class _People(NamedTuple):
    """What the people of one group answered to the question of one row, counted from 0."""

    row: int
    group: str | None
    shares: list[float]


@dataclass(frozen=True, repr=False)
class Survey(Choosing):
    """Questions that were put to people as well: the score is 1 minus the Jensen-Shannon distance to their answers.

    `human` is a column with a distribution over the options (a list, or its Python literal); with `group="country"`
    one with a mapping from country to distribution: each row becomes one sample for each of them, with the new column
    `country`, and the samples of a row are a pair unless `pair` names another. `scoring` is that of `MultipleChoice`
    without `"generate"`; `kind` and `base` are those of `statistics.jensen_shannon`. With `invalid="drop"` samples
    without a distribution that fits the options are left out, and counted.

    >>> asked = {"question": "Tea?", "options": ["Yes", "No"], "human": {"Kenya": [0.9, 0.1], "Peru": [0.4, 0.6]}}
    >>> tea = Survey([asked], "{question}", group="country", name="tea")
    >>> tea.load().frame.select("country", "human").rows()
    [('Kenya', [0.9, 0.1]), ('Peru', [0.4, 0.6])]
    """

    human: str = "human"
    _: KW_ONLY
    group: str | None = None
    scoring: Scoring = "letter"
    kind: Divergence = "distance"
    base: float = math.e
    invalid: Invalid = "error"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("scoring", Scoring), ("kind", Divergence), ("invalid", Invalid)):
            if getattr(self, name) not in get_args(known):
                listed = ", ".join(map(repr, get_args(known)))
                msg = f"{self!r}: {name} is one of {listed}, not {getattr(self, name)!r}"
                raise BadData(msg)
        if not 1 < self.base < math.inf:
            msg = f"{self!r}: base is that of a logarithm, above 1, such as 2 or math.e, not {self.base!r}"
            raise BadData(msg)
        object.__setattr__(self, "base", float(self.base))

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The options, and what people answered."""
        return (*super().scored_columns, self.human)

    @property
    def score_names(self) -> tuple[str, ...]:
        """Similarity, whether the first option is the likeliest, entropy, and with letters how probable these are."""
        return ("similarity", "first", ENTROPY, *([OPTION_MASS] if self._scores_letters else []))

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """How near the model's distribution is to each group's; what did not fit the context is as far as can be."""
        options, human = self._options(samples), samples.frame[self.human].to_list()
        answers = [self._together(each) for each in responses]
        model = [self._shares(answer, texts) for answer, texts in zip(answers, options, strict=True)]
        status = np.array([unanswered(answer) or "ok" for answer in answers], dtype=object)
        likely, ranges = _table(model), self.ranges(samples)
        found = {
            "similarity": 1 - jensen_shannon(likely, _table(human), kind=self.kind, base=self.base),
            "first": np.where(status == "ok", likely.argmax(axis=1) == 0, np.nan),
            ENTROPY: entropies(model),
        }
        # where a question did not fit, nothing is known of how undecided a model is
        floors = {name: np.nan if name == ENTROPY else ranges[name][0] for name in found}
        scores = {name: np.where(status == "truncated", floors[name], score) for name, score in found.items()}
        return Outcomes(
            samples,
            scores | ({OPTION_MASS: masses(answers)} if self._scores_letters else {}),
            status,
            responses=[
                _shown(texts, shares) if said == "ok" else None
                for texts, shares, said in zip(options, model, status, strict=True)
            ],
            prompts=[prompt.text for prompt in self.prompts(samples)],
            targets=[_shown(texts, shares) for texts, shares in zip(options, human, strict=True)],
            ranges=ranges,
            choices=Choices(np.where(status == "ok", likely.argmax(axis=1), -1), _table(human)),
        )

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:
        """Similarity goes down to that of two distributions that share no option, which depends on kind and base."""
        furthest = float(jensen_shannon([1, 0], [0, 1], kind=self.kind, base=self.base))
        return {**super().ranges(samples), "similarity": (1 - furthest, 1.0), ENTROPY: self._entropies(samples)}

    def _keyed(self, rows: data.Rows) -> Samples:
        """A sample for each row, or for each group that a row's question was put to."""
        people, options = list(self._people(rows.frame)), self._read_options(rows.frame)
        frame = self._spread(rows.frame, people)
        reasons = [_wrong(each.shares, len(options[each.row])) for each in people]
        kept = np.array([reason is None for reason in reasons])
        if not kept.all():
            self._refuse(people, options, reasons)
        samples = super()._keyed(replace(rows, frame=frame.filter(pl.Series(kept))))
        dropped = tuple(
            Dropped(reason, frame.filter(pl.Series([reason == other for other in reasons])))
            for reason in dict.fromkeys(filter(None, reasons))
        )
        if self.group is not None:
            # the same question put to every group; keys are the rows of the file, from 1 as messages count them
            samples = self._tied(samples, [each.row + 1 for each, keeps in zip(people, kept, strict=True) if keeps])
        return replace(samples, dropped=dropped)

    def _people(self, frame: pl.DataFrame) -> Iterator[_People]:
        values = data.column(frame, self.human, f"{self!r} has people's answers in {self.human!r}, but it")
        me = repr(self)
        for row, value in enumerate(values.to_list()):
            where = f"{me}: row {row + 1}, column {self.human!r}"
            held = data.literal(value, where) if isinstance(value, str) else value
            for group, shares in self._by_group(held, where).items():
                yield _People(row, group, _shares(shares, where))

    def _by_group(self, held: Any, where: str) -> Mapping[str | None, Any]:
        if self.group is None:
            return {None: held}
        if held is not None and not isinstance(held, Mapping):
            msg = (
                f"{where} should hold a mapping from {self.group} to distribution; it holds {held!r:.60}. Without "
                "group= it is read as one distribution."
            )
            raise BadData(msg)
        # a table of mappings has an empty cell where a row lacks another row's group
        given: dict[str | None, Any] = {
            str(group): shares for group, shares in (held or {}).items() if shares is not None
        }
        # a question that was put to nobody is no sample, and counted as one without a distribution
        return given or {None: None}

    def _spread(self, frame: pl.DataFrame, people: Sequence[_People]) -> pl.DataFrame:
        shares = pl.Series(self.human, [each.shares for each in people], dtype=pl.List(pl.Float64))
        spread = frame[[each.row for each in people]].with_columns(shares)
        if self.group is None:
            return spread
        data.without(frame, self.group, f"{self!r}, group={self.group!r},")
        return spread.with_columns(pl.Series(self.group, [each.group for each in people], dtype=pl.String))

    def _refuse(
        self, people: Sequence[_People], options: Sequence[Sequence[str]], reasons: Sequence[str | None]
    ) -> None:
        """Raise for the first invalid distribution, unless they are to be dropped and some are left."""
        each, reason = next((each, reason) for each, reason in zip(people, reasons, strict=True) if reason is not None)
        group = "" if each.group is None else f", {self.group} {each.group!r},"
        found = f"{each.shares} over {len(options[each.row])} options, which sums to {sum(each.shares):.4g}"
        if self.invalid == "error":
            msg = (
                f"{self!r}: row {each.row + 1}{group} has {reason} in {self.human!r}: {found}. Correct it, or leave "
                "such samples out, and counted, with invalid='drop'."
            )
            raise BadData(msg)
        if None not in reasons:
            msg = f"{self!r}: every one of its {len(people)} samples is dropped; the first has {reason}: {found}"
            raise BadData(msg)


def _shares(held: Any, where: str) -> list[float]:
    if isinstance(held, Mapping):
        msg = (
            f"{where} holds a mapping, {held!r:.60}; name the column that its keys are to be in, as in group='country'"
        )
        raise BadData(msg)
    given = () if held is None else held
    if not isinstance(given, (list, tuple)) or not all(isinstance(share, (int, float, type(None))) for share in given):
        msg = f"{where} should hold a distribution, a list of numbers; it holds {held!r:.60}"
        raise BadData(msg)
    return [math.nan if share is None else float(share) for share in given]


def _wrong(shares: Sequence[float], options: int) -> str | None:
    """What keeps shares from being a distribution over so many options."""
    if not shares:
        return "no distribution"
    if len(shares) != options:
        return "a distribution of another length than the options"
    if not all(share >= 0 for share in shares):
        return "a distribution with a share that is negative or no number"
    off = abs(math.fsum(shares) - 1)
    return "a distribution that does not sum to one" if round(off, 9) > SUM_TOLERANCE else None


def _table(rows: Sequence[Iterable[float]]) -> np.ndarray:
    """Distributions as rows of one width: what an option that there is not has is 0."""
    wide = [list(row) for row in rows]
    width = max(map(len, wide))
    return np.array([row + [0.0] * (width - len(row)) for row in wide])


def _shown(texts: Sequence[str], shares: Sequence[float] | np.ndarray) -> str:
    """The most frequent option and its share, in words."""
    top = int(np.argmax(shares))
    return f"{texts[top]} ({100 * shares[top]:.0f} %)"
