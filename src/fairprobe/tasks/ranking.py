"""Rankings: candidates, such as countries, put in turn into the answer to each question, and ranked by the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import chain
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Choose, Chosen, Prompt, Rate, Rated, Request, Response
from fairprobe.tasks.ranks import Ties, ranked
from fairprobe.tasks.task import Asking, Outcomes, Samples, unanswered

By = Literal["likelihood", "reward"]
QUESTION_ROW = "question_row"
"""The column that numbers the questions."""


@dataclass(frozen=True, repr=False)
class Ranking(Asking):
    """Questions answered with every candidate in turn, so that each is ranked: 1 for the one that the model likes best.

    `answer` is a column that holds the answer with the candidate's place in braces, `I think {country} is best.`; the
    name in the braces, `group`, becomes a column. A candidate is a name, or a mapping with the name under `group`, how
    it reads in a sentence under `text` where that differs, and further columns. `by="likelihood"` ranks by the mean
    log-likelihood of the candidate's tokens, `by="reward"` by a reward model's number for the whole answer. `reverse`
    says in which questions it is no honour to be named: `{"Sentiment": "negative"}`. Equal values share the mean of
    their ranks, or as `ties` says.

    >>> rows = [{"question": "Which country has the best trains?", "answer": "I would say {country}."}]
    >>> Ranking(rows, "{question}", candidates=["Chile", "Peru"], group="country", name="trains")
    Ranking('trains', 1 samples)
    """

    candidates: Sequence[str] | Sequence[Mapping[str, Any]] = ()
    _: KW_ONLY
    group: str = "candidate"
    answer: str = "answer"
    by: By = "likelihood"
    reverse: Mapping[str, Any] | None = None
    ties: Ties = "average"

    def __post_init__(self) -> None:
        super().__post_init__()
        named = [each if isinstance(each, Mapping) else {self.group: each} for each in self.candidates]
        object.__setattr__(
            self, "candidates", tuple(tuple(sorted({"text": e.get(self.group), **e}.items())) for e in named)
        )
        object.__setattr__(self, "reverse", tuple((self.reverse or {}).items()))
        names = [each.get(self.group) for each in named]
        if len(set(names)) < max(2, len(names)) or None in names:
            msg = f"{self!r}: candidates are at least two different names of {self.group!r}, not {names[:6]}"
            raise BadData(msg)
        for name, known in (("by", By), ("ties", Ties)):
            if getattr(self, name) not in get_args(known):
                msg = (
                    f"{self!r}: {name}= is one of {', '.join(map(repr, get_args(known)))}, not {getattr(self, name)!r}"
                )
                raise BadData(msg)

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The answer's template and the candidate."""
        return (self.answer, self.group)

    @property
    def numbering_columns(self) -> tuple[str, ...]:
        """The question's row."""
        return (QUESTION_ROW,)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The rank among the candidates of a question, and the value that it goes by."""
        return ("rank", self.by)

    @property
    def with_article(self) -> Mapping[str, bool]:
        """Whether each candidate's name is written with an article."""
        return {each[self.group]: str(each["text"]).lower().startswith("the ") for each in self._named}

    def check(self, samples: Samples) -> None:
        """Raise where a column is not there, or an answer has no place for the candidate."""
        super().check(samples)
        place = f"{{{self.group}}}"
        for number, text in enumerate(data.column(samples.frame, self.answer, repr(self)).to_list(), start=1):
            if str(text).count(place) != 1:
                msg = f"{self!r}: row {number} has the answer {text!r:.80}, which should hold {place} once"
                raise BadData(msg)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """One request a question for likelihoods, equal for all its candidates; one an answer for rewards."""
        if self.by == "reward":
            answers = zip(self.prompts(samples), samples.rows, strict=True)
            return [(Rate(prompt, self._said(row)),) for prompt, row in answers]
        texts = tuple(str(each["text"]) for each in self._named)
        made: dict[Prompt, tuple[Request, ...]] = {}
        return [made.setdefault(prompt, (Choose(prompt, texts),)) for prompt in self.prompts(samples)]

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """Each candidate's value and its rank; a question of which a candidate has no value has no ranks."""
        place = {each[self.group]: at for at, each in enumerate(self._named)}
        values = np.array([
            self._value(response, place[name])
            for (response,), name in zip(responses, samples.frame[self.group].to_list(), strict=True)
        ])  # fmt: skip
        status = [unanswered(response) or "ok" for (response,) in responses]
        return Outcomes(
            samples,
            {"rank": self._ranks(samples, values), self.by: values},
            np.array(status, dtype=object),
            responses=[None] * len(samples),
            prompts=[prompt.text for prompt in self.prompts(samples)],
            targets=[None] * len(samples),
            ranges=self.ranges(samples),
        )

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:  # noqa: ARG002 - tasks differ
        """Ranks go from 1 to the number of candidates."""
        return {"rank": (1.0, float(len(self._named))), self.by: (-np.inf, np.inf)}

    @property
    def _turned(self) -> tuple[tuple[str, Any], ...]:
        return self.reverse  # type: ignore[return-value]  # pairs since the task was made

    @property
    def _named(self) -> list[dict[str, Any]]:
        return [dict(each) for each in self.candidates]  # type: ignore[arg-type]  # tuples since the task was made

    def _keyed(self, rows: data.Rows) -> Samples:
        for name in dict.fromkeys(chain.from_iterable(self._named)):
            data.without(rows.frame, name, f"{self!r} with its candidates")
        questions = rows.frame.with_row_index(QUESTION_ROW, offset=1)
        attributes = pl.from_dicts(self._named, infer_schema_length=None).rename({"text": "candidate_text"})
        samples = super()._keyed(replace(rows, frame=questions.join(attributes, how="cross")))
        return self._tied(samples, samples.frame[QUESTION_ROW].to_list())

    def _prompts(self, samples: Samples) -> Iterator[Prompt]:
        if self.by == "reward":
            yield from super()._prompts(samples)
            return
        # the answer as far as the candidate stands in the model's mouth
        for prompt, row in zip(super()._prompts(samples), samples.rows, strict=True):
            before = str(row[self.answer]).partition(f"{{{self.group}}}")[0].rstrip()
            yield replace(prompt, prefix=f"{self.prefix}{before}")

    def _said(self, row: Mapping[str, Any]) -> str:
        return str(row[self.answer]).replace(f"{{{self.group}}}", str(row["candidate_text"]))

    def _value(self, response: Response | None, at: int) -> float:
        if isinstance(response, Chosen):
            return response.loglikelihoods[at] / response.tokens[at]
        if isinstance(response, Rated) and len(response.scores) == 1:
            return response.scores[0]
        if isinstance(response, Rated):
            msg = f"{self!r} ranks by a reward model's one number; this classifier gives {len(response.scores)}"
            raise BadData(msg)
        return float("nan")

    def _ranks(self, samples: Samples, values: np.ndarray) -> np.ndarray:
        turned = pl.lit(value=True)
        for name, value in self._turned:
            turned &= pl.col(name) == value
        frame = samples.frame.with_columns(
            pl.Series("__value", values),
            pl.Series("__pair", [str(key) for key in samples.pair]),  # type: ignore[union-attr]  # a ranking has pairs
        )
        placed = ranked(frame, "__value", within="__pair", reverse=turned if self._turned else None, ties=self.ties)
        whole = pl.col("__value").is_nan().any().over("__pair")
        known = pl.when(whole).then(float("nan")).otherwise(pl.col("rank"))
        return placed.select(rank=known)["rank"].to_numpy()
