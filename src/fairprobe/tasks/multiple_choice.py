"""Choices: the option with the highest likelihood, or the one that the model names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Chosen, Generate, Generated, Prompt, Request, Response
from fairprobe.scorers import Status, stands_in
from fairprobe.tasks.options import LETTERS, OPTION_MASS, Choosing, masses
from fairprobe.tasks.task import Choices, Outcomes, Samples, unanswered

Scoring = Literal["letter", "letter_mean", "text", "text_mean", "text_bytes", "generate"]


@dataclass(frozen=True, repr=False)
class MultipleChoice(Choosing):
    """Samples answered by choosing one of several options.

    `options` is a list column, a list of columns, or a list of texts; `answer` a column with an index (from 0), a
    letter, or the text of the right option. With `scoring="letter"` the lettered options stand where the prompt
    has `{options}`, else after it, and the letters' likelihoods decide, summed over the tokens of each, or averaged
    with `"letter_mean"`; with `"text"`, `"text_mean"` and `"text_bytes"` those of the options themselves (summed, per
    token, per byte); with `"generate"` the model writes its choice. `letters="({})"` writes them "(A)".

    >>> rows = [{"question": "Which swims?", "options": ["otter", "owl"], "right": "otter"}]
    >>> MultipleChoice(rows, "{question}", options="options", answer="right", name="animals")
    MultipleChoice('animals', 1 samples)
    """

    answer: str = "answer"
    scoring: Scoring = "letter"
    max_tokens: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scoring not in {"letter", "letter_mean", "text", "text_mean", "text_bytes", "generate"}:
            msg = (
                f"{self!r}: scoring is 'letter', 'letter_mean', 'text', 'text_mean', 'text_bytes' or 'generate', "
                f"not {self.scoring!r}"
            )
            raise BadData(msg)

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The answer and the options."""
        return (self.answer, *super().scored_columns)

    @property
    def score_names(self) -> tuple[str, ...]:
        """Whether the right option was chosen; with letters also how much probability these have together."""
        return ("accuracy", OPTION_MASS) if self._scores_letters else ("accuracy",)

    def check(self, samples: Samples) -> None:
        """Raise where options or answers do not fit each other."""
        super().check(samples)
        me = repr(self)
        options, answers = self._options(samples), data.column(samples.frame, self.answer, me).to_list()
        for number, (texts, answer) in enumerate(zip(options, answers, strict=True), start=1):
            _index(answer, texts, f"{me}: row {number}")
        self._check_pairs(samples, options)

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """Whether each sample's choice is its answer."""
        options = self._options(samples)
        answers = [self._together(each) for each in responses]
        chosen = [self._choice(answer, texts) for answer, texts in zip(answers, options, strict=True)]
        right = self._right(samples)
        scores = [
            np.nan if status in {"error", "missing"} else float(choice == answer)
            for (choice, status), answer in zip(chosen, right, strict=True)
        ]
        return Outcomes(
            samples,
            dict(zip(self.score_names, (np.array(scores, dtype=float), masses(answers)), strict=False)),
            np.array([status for _, status in chosen], dtype=object),
            responses=[
                texts[choice] if choice is not None else _written(answer)
                for (choice, _), texts, answer in zip(chosen, options, answers, strict=True)
            ],
            prompts=[prompt.text for prompt in self.prompts(samples)],
            targets=[texts[index] for texts, index in zip(options, right, strict=True)],
            choices=Choices(
                np.array([-1 if choice is None else choice for choice, _ in chosen]),
                np.eye(max(map(len, options)))[right],
            ),
        )

    def chance(self, samples: Samples) -> float | None:
        """One over the number of options, averaged over the samples."""
        return float(np.mean([1 / len(texts) for texts in self._options(samples)]))

    def _answers(self, samples: Samples) -> Sequence[str]:
        options = self._options(samples)
        told = map(self._labels, options) if self._lists_letters else options
        return [texts[index] for texts, index in zip(told, self._right(samples), strict=True)]

    def _right(self, samples: Samples) -> list[int]:
        """The place of every sample's answer among its options."""
        answers, me = samples.frame[self.answer].to_list(), repr(self)
        return [_index(answer, texts, me) for answer, texts in zip(answers, self._options(samples), strict=True)]

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
        return Generate(prompt, self.max_tokens) if self.scoring == "generate" else super()._request(prompt, texts)

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


def _written(response: Response | None) -> str | None:
    return response.text if isinstance(response, Generated) else None
