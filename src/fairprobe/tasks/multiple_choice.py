"""Choices: the option with the highest likelihood, or the one that the model names."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Choose, Chosen, Generate, Generated, Prompt, Request, Response
from fairprobe.scorers import Status, stands_in
from fairprobe.tasks.task import Asking, Outcomes, Samples, unanswered

LETTERS = string.ascii_uppercase
OPTION_MASS = "option_mass"
"""The score that holds the probability of any of the letters being what the model says next."""
Scoring = Literal["letter", "text", "text_mean", "text_bytes", "generate"]


@dataclass(frozen=True, repr=False)
class MultipleChoice(Asking):
    """Samples answered by choosing one of several options.

    `options` is a list column, a list of columns, or a list of texts; `answer` a column with an index (from 0), a
    letter, or the text of the right option. With `scoring="letter"` the lettered options stand where the prompt
    has `{options}`, else after it, and the letters' likelihoods decide; with `"text"`, `"text_mean"` and
    `"text_bytes"` those of the options themselves (summed, per token, per byte); with `"generate"` the model
    writes its choice.

    >>> rows = [{"question": "Which swims?", "options": ["otter", "owl"], "right": "otter"}]
    >>> MultipleChoice(rows, "{question}", options="options", answer="right", name="animals")
    MultipleChoice('animals', 1 samples)
    """

    options: str | Sequence[str] = "options"
    answer: str = "answer"
    scoring: Scoring = "letter"
    max_tokens: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "options", self.options if isinstance(self.options, str) else tuple(self.options))
        if self.scoring not in {"letter", "text", "text_mean", "text_bytes", "generate"}:
            msg = (
                f"{self!r}: scoring is 'letter', 'text', 'text_mean', 'text_bytes' or 'generate', not {self.scoring!r}"
            )
            raise BadData(msg)

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The answer and the options."""
        return (self.answer, *((self.options,) if isinstance(self.options, str) else self.options))

    @property
    def score_names(self) -> tuple[str, ...]:
        """Whether the right option was chosen; with letters also how much probability these have together."""
        return ("accuracy", OPTION_MASS) if self.scoring == "letter" else ("accuracy",)

    def check(self, samples: Samples) -> None:
        """Raise where options or answers do not fit each other."""
        super().check(samples)
        me = repr(self)
        options, answers = self._options(samples), data.column(samples.frame, self.answer, me).to_list()
        for number, (texts, answer) in enumerate(zip(options, answers, strict=True), start=1):
            if len(texts) < 2 or len(texts) > len(LETTERS):
                msg = f"{self!r}: row {number} has {len(texts)} options; a choice has between 2 and {len(LETTERS)}"
                raise BadData(msg)
            if len(set(texts)) < len(texts):
                msg = f"{self!r}: row {number} has the same option twice: {texts}"
                raise BadData(msg)
            _index(answer, texts, f"{me}: row {number}")
        self._check_pairs(samples, options)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """One request a sample: the likelihoods of its options, or a written choice."""
        return [
            (self._request(prompt, texts),)
            for prompt, texts in zip(self.prompts(samples), self._options(samples), strict=True)
        ]

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """Whether each sample's choice is its answer."""
        options = self._options(samples)
        answers = samples.frame[self.answer].to_list()
        chosen = [self._choice(response, texts) for (response,), texts in zip(responses, options, strict=True)]
        me = repr(self)
        right = [_index(answer, texts, me) for answer, texts in zip(answers, options, strict=True)]
        scores = [
            np.nan if status in {"error", "missing"} else float(choice == answer)
            for (choice, status), answer in zip(chosen, right, strict=True)
        ]
        return Outcomes(
            samples,
            dict(zip(self.score_names, (np.array(scores, dtype=float), _masses(responses)), strict=False)),
            np.array([status for _, status in chosen], dtype=object),
            responses=[
                texts[choice] if choice is not None else _written(response)
                for (choice, _), texts, (response,) in zip(chosen, options, responses, strict=True)
            ],
            prompts=[prompt.text for prompt in self.prompts(samples)],
            targets=[texts[index] for texts, index in zip(options, right, strict=True)],
        )

    def chance(self, samples: Samples) -> float | None:
        """One over the number of options, averaged over the samples."""
        return float(np.mean([1 / len(texts) for texts in self._options(samples)]))

    def _prompts(self, samples: Samples) -> Iterator[Prompt]:
        # with lettered options where letters are asked for
        if not self._lettered:
            yield from super()._prompts(samples)
            return
        placed = "options" in self._words
        for number, (row, texts) in enumerate(zip(samples.rows, self._options(samples), strict=True), start=1):
            listed = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False))
            content = self._content({**row, "options": listed} if placed else row, number)
            text = content if placed else f"{content}\n{listed}\nAnswer:"
            yield Prompt(text, self.system, self.prefix, self.format)

    @property
    def _lettered(self) -> bool:
        # a function writes its own prompt, letters included
        return self.scoring in {"letter", "generate"} and not callable(self.prompt)

    @property
    def _fields(self) -> Sequence[str]:
        return [name for name in self._words if not (self._lettered and name == "options")]

    def _options(self, samples: Samples) -> list[list[str]]:
        """The texts of every sample's options."""
        return samples.once((self, "options"), lambda: self._read_options(samples))

    def _read_options(self, samples: Samples) -> list[list[str]]:
        if isinstance(self.options, str):
            values = data.column(samples.frame, self.options, f"{self!r} has its options in {self.options!r}, but it")
            if values.dtype.base_type().__name__ not in {"List", "Array"}:
                msg = (
                    f"{self!r}: column {self.options!r} should hold lists of options; it holds "
                    f"{values.dtype}: {values[0]!r:.60}"
                )
                raise BadData(msg)
            return [self._texts(row[self.options] or (), number) for number, row in enumerate(samples.rows, start=1)]
        columns = [name for name in self.options if name in samples.frame.columns]
        if not columns:
            return [list(self.options)] * len(samples)
        for name in self.options:
            data.column(samples.frame, name, f"{self!r} has an option in {name!r}, but it")
        given = ([row[name] for name in columns] for row in samples.rows)
        return [self._texts(texts, number) for number, texts in enumerate(given, start=1)]

    def _texts(self, given: Sequence[Any], number: int) -> list[str]:
        if None in given:
            msg = f"{self!r}: row {number} has an option without a value: {list(given)}"
            raise BadData(msg)
        return list(map(str, given))

    def _check_pairs(self, samples: Samples, options: Sequence[Sequence[str]]) -> None:
        counts: dict[Any, int] = {}
        for number, (key, texts) in enumerate(
            zip(samples.pair if samples.pair is not None else (), options, strict=False)
        ):
            if counts.setdefault(key, len(texts)) != len(texts):
                msg = (
                    f"{self!r}: pair {key!r} has {counts[key]} options in one sample and {len(texts)} in "
                    f"row {number + 1}; "
                    "the same question has the same number of options in every group"
                )
                raise BadData(msg)

    def _request(self, prompt: Prompt, texts: Sequence[str]) -> Request:
        if self.scoring == "generate":
            return Generate(prompt, self.max_tokens)
        return Choose(prompt, tuple(LETTERS[: len(texts)] if self.scoring == "letter" else texts))

    def _choice(self, response: Response | None, texts: Sequence[str]) -> tuple[int | None, Status]:
        lacking = unanswered(response)
        if lacking is not None:
            return None, lacking  # type: ignore[return-value]  # one of the statuses
        if isinstance(response, Chosen):
            weighed = self._weighed(response, texts)
            return weighed.index(max(weighed)), "ok"
        assert isinstance(response, Generated)
        if not response.text.strip():
            return None, "empty"
        named = _named(response.text, texts)
        return named, "unparsable" if named is None else "ok"

    def _weighed(self, response: Chosen, texts: Sequence[str]) -> Sequence[float]:
        if self.scoring not in {"text_mean", "text_bytes"}:
            return response.loglikelihoods
        sizes = response.tokens if self.scoring == "text_mean" else [len(text.encode()) for text in texts]
        return [value / size for value, size in zip(response.loglikelihoods, sizes, strict=True)]


def _index(answer: Any, texts: Sequence[str], where: str) -> int:
    """The place of the right option, given as a text of one, an index from 0, or a letter."""
    if isinstance(answer, str) and answer in texts:
        return list(texts).index(answer)
    if isinstance(answer, int) and 0 <= answer < len(texts):
        if str(answer) in texts and texts[answer] != str(answer):
            msg = f"{where} has the answer {answer}: the option, or its place in {list(texts)}? Write it as a text."
            raise BadData(msg)
        return answer
    if isinstance(answer, str) and len(answer.strip()) == 1 and answer.strip().upper() in LETTERS[: len(texts)]:
        return LETTERS.index(answer.strip().upper())
    msg = (
        f"{where} has the answer {answer!r}, which is none of its options {list(texts)}, no index below "
        f"{len(texts)} and no letter"
    )
    raise BadData(msg)


def _named(text: str, texts: Sequence[str]) -> int | None:
    """The one option that a written answer names, by its letter, its words or both; none where these disagree."""
    letters = {LETTERS.index(letter) for letter in re.findall(rf"\b([{LETTERS[: len(texts)]}])\b", text)}
    named = {index for index, option in enumerate(texts) if stands_in(option, text)}
    # "A seal" may be the letter A or an article: its words decide whether it is an answer
    if len(letters) == 1 and (len(named) != 1 or named == letters):
        return letters.pop()
    return named.pop() if len(named) == 1 and not letters else None


def _masses(responses: Sequence[Sequence[Response | None]]) -> np.ndarray:
    masses = (response.mass if isinstance(response, Chosen) else None for (response,) in responses)
    return np.array([np.nan if mass is None else mass for mass in masses])


def _written(response: Response | None) -> str | None:
    return response.text if isinstance(response, Generated) else None
