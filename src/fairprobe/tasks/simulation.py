"""Surveys answered as others: a model is told to be each respondent, and asked what that respondent was asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Generate, Generated, Request, Response
from fairprobe.tasks.codebook import Codebook, Question
from fairprobe.tasks.multiple_choice import MultipleChoice, named
from fairprobe.tasks.shots import Content
from fairprobe.tasks.task import Dropped, Outcomes, Row, Samples, unanswered

WORTH = {"hard": "hard_by_option", "soft": "soft_by_option", "lift": "lift_by_option"}
MADE = ("question", "topic", "paraphrase", "language", "asked", "options", "answer", *WORTH.values())
"""The columns that a respondent's samples have beside the respondent's own."""


class _Answered(NamedTuple):
    """One respondent's answer to one question, which has an option."""

    row: int
    question: Question
    answer: int


@dataclass(frozen=True, repr=False)
class Simulation(MultipleChoice):
    """Respondents of a survey, whom a model is told to be: it should answer as each of them did.

    `data` has a row for each respondent with answers in columns; `codebook` (a JSON file, or its content) says what a
    persona is made of, how it is told in each language, and what the questions are: see `tasks.codebook`. Each
    respondent is asked each question in each paraphrase and language, so a cluster is a respondent.

    Scores are `hard` (the same answer), `soft` (1 less the distance of answers on an ordered scale over its length,
    exact match else and of "don't know") and `lift`: the soft score less what it is on average with the answers of
    respondents `within` the same country, each by its weight. By the options' probabilities all of them are means
    (`expected_`); with `scoring="generate"` the majority of `draws` answers at a temperature is what is answered, the
    earliest in a tie. What is no answer is a wrong one.
    """

    codebook: Any = None
    options: str | Sequence[str] = field(default="options", init=False)
    answer: str = field(default="answer", init=False)
    values: Mapping[str, str] | tuple[tuple[str, str], ...] = field(default=tuple(WORTH.items()), init=False)
    _: KW_ONLY
    within: str = "country"
    languages: Sequence[str] = ()
    draws: int = 1
    temperature: float = 0.0

    def __post_init__(self) -> None:
        held = self.codebook
        held = held if isinstance(held, Codebook) else Codebook.read(held, data.callers_folder())
        object.__setattr__(self, "codebook", held)
        object.__setattr__(self, "languages", tuple(self.languages) or held.languages)
        object.__setattr__(self, "prompt", self.prompt or _asked)
        object.__setattr__(self, "temperature", float(self.temperature))
        super().__post_init__()
        if reserved := sorted({*MADE} & {*held.fields}):
            msg = f"{self!r}: the codebook's persona has a field {reserved[0]!r}, a column that samples have; rename it"
            raise BadData(msg)
        if unknown := [each for each in self.languages if each not in held.languages]:
            msg = f"{self!r}: the codebook tells no persona in {unknown[0]!r}; it has {', '.join(held.languages)}"
            raise BadData(msg)
        if self.draws < 1 or (self.draws > 1) != (self.temperature > 0) or (self.draws > 1 and not self.drawn):
            msg = (
                f"{self!r}: the majority of several draws takes scoring='generate', a temperature and draws above 1; "
                f"there are scoring={self.scoring!r}, temperature={self.temperature} and draws={self.draws}"
            )
            raise BadData(msg)

    @property
    def drawn(self) -> bool:
        """Whether answers are drawn at a temperature."""
        return self.scoring == "generate" and self.temperature > 0

    @property
    def numbering_columns(self) -> tuple[str, ...]:
        """The options' order is that of the codebook, so nothing numbers the rows."""
        return ()

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """What scores are made of."""
        return ("answer", "options", *WORTH.values(), *(each.id for each in self._book.questions))

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """The options' letters, weighed; or as many answers as are drawn."""
        if self.scoring != "generate":
            return super().requests(samples)
        return [
            tuple(Generate(prompt, self.max_tokens, (), self.temperature, draw) for draw in range(self.draws))
            for prompt in self.prompts(samples)
        ]

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """What the model answers as each respondent, and how like it is."""
        if self.draws == 1:
            return super().outcomes(samples, responses)
        return super().outcomes(samples, [(each,) for each in self._majorities(samples, responses)])

    def chances(self, samples: Samples, kind: str) -> np.ndarray:
        """What an answer that knows nothing scores with each sample, on average: each option once."""
        return np.array([float(np.mean(each)) for each in samples.frame[WORTH[kind]].to_list()])

    @property
    def _book(self) -> Codebook:
        return self.codebook  # type: ignore[no-any-return]  # read when the task was made

    @property
    def _lists_letters(self) -> bool:
        # the codebook's template has a place for them
        return True

    @property
    def _fields(self) -> Sequence[str]:
        return ()

    def _lettered(self, row: Row, listed: str, number: int) -> Content:  # noqa: ARG002 - tasks differ
        return str(row["asked"]).replace("{options}", listed)

    def _majorities(
        self, samples: Samples, responses: Sequence[Sequence[Response | None]]
    ) -> Iterator[Response | None]:
        for answers, texts in zip(responses, self._options(samples), strict=True):
            lacking = [each for each in answers if unanswered(each) in {"missing", "error"}]
            if lacking or not all(isinstance(each, Generated) for each in answers):
                yield lacking[0] if lacking else next(each for each in answers if not isinstance(each, Generated))
                continue
            said = [named(each.text, texts) for each in answers if isinstance(each, Generated)]
            counted = Counter(each for each in said if each is not None)
            # the most frequent, of which a Counter keeps the earliest
            yield answers[said.index(counted.most_common(1)[0][0])] if counted else answers[0]

    def _keyed(self, rows: data.Rows) -> Samples:
        """A sample for each respondent, question, paraphrase and language."""
        for name in MADE:
            data.without(rows.frame, name, repr(self))
        known, untold = self._of_known(rows.frame)
        rows = replace(rows, frame=known)
        respondents = self._named(rows.frame)
        people, dropped = self._answers_of(rows.frame), self._unanswered(respondents)
        weights = self._weights(rows.frame)
        worth = self._worths(rows.frame, people, np.ones(rows.frame.height) if weights is None else weights)
        told = list(self._told(rows.frame, people, worth))
        frame = respondents[[row for row, _ in told]]
        made = pl.from_dicts([each for _, each in told], infer_schema_length=None)
        samples = super()._keyed(replace(rows, frame=pl.concat([frame, made], how="horizontal")))
        keys = [f"{row}/{each['question']}/{each['paraphrase']}" for row, each in told]
        clusters = np.array([f"{self.sampled}:{row}" for row, _ in told], dtype=object)
        # respondents differ, and are asked the same
        asked = np.array([f"{each['question']}/{each['paraphrase']}" for _, each in told], dtype=object)
        return replace(
            self._tied(samples, keys), cluster=samples.cluster if self.cluster else clusters, asked=asked,
            dropped=(*samples.dropped, *untold, *dropped),
        )  # fmt: skip

    def _answers_of(self, frame: pl.DataFrame) -> list[_Answered]:
        """Every answer that is an option of its question."""
        found = [
            _Answered(row, question, question.codes.index(code))
            for question in self._book.questions
            for row, code in enumerate(self._codes(frame, question).to_list())
            if code in question.codes
        ]
        if not found:
            msg = f"{self!r}: no respondent has an answer that the codebook knows, as {self._book.questions[0].codes}"
            raise BadData(msg)
        return sorted(found, key=lambda each: each.row)

    def _codes(self, frame: pl.DataFrame, question: Question) -> pl.Series:
        """What was answered, as numbers: a column with a gap may hold texts."""
        held = data.column(frame, question.id, f"{self!r} with its codebook")
        return held.cast(pl.Float64, strict=False)

    def _unanswered(self, frame: pl.DataFrame) -> Iterator[Dropped]:
        """The samples that answers which are none of the options would have been: counted, by every group."""
        for question in self._book.questions:
            without = ~self._codes(frame, question).is_in(list(map(float, question.codes)), nulls_equal=True)
            if without.any():
                codes = ", ".join(sorted({str(code) for code in frame[question.id].filter(without).to_list()})[:4])
                reason = f"{question.id} has no answer among its options ({codes})"
                yield Dropped(reason, self._as_samples(frame.filter(without), question))

    def _of_known(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Dropped]]:
        """The respondents who can be told; the samples of each other one, counted once."""
        lost = list[Dropped]()
        for name, column in self._book.fields.items():
            lacking = data.column(frame, column, f"the persona of {self!r} with its codebook").is_null()
            without, reason = frame.filter(lacking), f"{column} is empty, of which the persona has {name}"
            if without.height:
                lost += [Dropped(reason, self._as_samples(without, each)) for each in self._book.questions]
            frame = frame.filter(~lacking)
        return frame, lost

    def _as_samples(self, frame: pl.DataFrame, question: Question) -> pl.DataFrame:
        return frame.join(pl.DataFrame(self._ways(question)), how="cross")

    def _ways(self, question: Question) -> list[dict[str, Any]]:
        """Everything that a respondent is asked by one question: in each language, in each wording."""
        return [
            {"question": question.id, "topic": question.topic, "paraphrase": number, "language": language}
            for language, number in product(self.languages, range(question.wordings))
        ]

    def _worths(
        self, frame: pl.DataFrame, people: Sequence[_Answered], weights: np.ndarray
    ) -> list[dict[str, list[float]]]:
        """For each answer, what every option of the question is worth beside it."""
        groups = data.column(frame, self.within, f"{self!r}, within={self.within!r},").to_list()
        if None in groups:
            msg = (
                f"{self!r}: respondent {groups.index(None) + 1} has no {self.within!r}, within which others are found "
                "to be taken for; leave the row out, or give within='…'"
            )
            raise BadData(msg)
        together: dict[tuple[Any, str], list[_Answered]] = defaultdict(list)
        for each in people:
            together[groups[each.row], each.question.id].append(each)
        usual = {key: self._usual(key, held, weights[[each.row for each in held]]) for key, held in together.items()}
        found = []
        for each in people:
            mean, alone = usual[groups[each.row], each.question.id]
            soft = each.question.soft(each.answer)
            found.append({
                WORTH["hard"]: np.eye(len(each.question.codes))[each.answer].tolist(), WORTH["soft"]: soft.tolist(),
                WORTH["lift"]: ((soft - mean) / alone).tolist(),
            })  # fmt: skip
        return found

    def _usual(
        self, key: tuple[Any, str], people: Sequence[_Answered], weights: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """What each option scores on average with the answers of one group, and how much of that is others' share.

        That all of the group is in the average lets one answer for everybody lift nothing, whatever the weights;
        what each adds to it is divided out, so that of equal weights it is the average of the others.
        """
        others = 1 - float((weights**2).sum() / weights.sum() ** 2) if weights.sum() else 0.0
        if others < 1e-9:
            msg = (
                f"{self!r}: one respondent alone of {self.within} {key[0]!r} has an answer to {key[1]} (and a weight), "
                f"so there is nobody to be taken for; leave {key[0]!r} out, or the question"
            )
            raise BadData(msg)
        return np.average([each.question.soft(each.answer) for each in people], axis=0, weights=weights), others

    def _told(
        self, frame: pl.DataFrame, people: Sequence[_Answered], worth: Sequence[Mapping[str, list[float]]]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = frame.to_dicts()
        for (row, question, answer), worths in zip(people, worth, strict=True):
            for way in self._ways(question):
                told = self._book.told(
                    rows[row], question, way["paraphrase"], way["language"], f"{self!r}: respondent {row + 1}"
                )
                options = list(question.options[way["language"]])
                yield row, {**way, "asked": told, "options": options, "answer": answer, **worths}

    def _named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The respondents with their personas' fields in words, where no column has the name."""
        made = [
            pl.Series(name, values)
            for name, values in self._book.persona_columns(frame, self.languages[0])
            if name not in frame.columns
        ]
        return frame.with_columns(made)


def _asked(row: Mapping[str, Any]) -> str:
    """The question as its respondent was told to be."""
    return str(row["asked"])
