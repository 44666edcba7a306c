"""Choices: the option with the highest likelihood, or the one that the model names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Chosen, Generate, Generated, Prompt, Request, Response
from fairprobe.scorers import Status, stands_in
from fairprobe.tasks.options import ENTROPY, LETTERS, OPTION_MASS, Choosing, entropies, masses
from fairprobe.tasks.scoring import natural_range
from fairprobe.tasks.task import Choices, Outcomes, Samples, unanswered

EXPECTED = "expected_"
Scoring = Literal["letter", "letter_mean", "text", "text_mean", "text_bytes", "generate"]


@dataclass(frozen=True, repr=False)
class MultipleChoice(Choosing):
    """Samples answered by choosing one of several options.

    `options` is a list column, a list of columns, or a list of texts; `answer` a column with an index (from 0), a
    letter, or the text of the right option. With `scoring="letter"` the lettered options stand where the prompt
    has `{options}`, else after it, and the letters' likelihoods decide, summed over the tokens of each, or averaged
    with `"letter_mean"`; with `"text"`, `"text_mean"` and `"text_bytes"` those of the options themselves (summed, per
    token, per byte); with `"generate"` the model writes its choice. `letters="({})"` writes them "(A)".

    `values` names scores of one's own, each with a list column that holds a number for every option: the score is the
    chosen option's, 0 where none was chosen. Its name with `expected_` before it is the mean of the numbers by the
    options' probabilities, which varies less.

    >>> rows = [{"question": "Which swims?", "options": ["otter", "owl"], "right": "otter"}]
    >>> MultipleChoice(rows, "{question}", options="options", answer="right", name="animals")
    MultipleChoice('animals', 1 samples)
    """

    answer: str = "answer"
    scoring: Scoring = "letter"
    max_tokens: int = 8
    values: Mapping[str, str] | tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "values", tuple(dict(self.values).items()))
        if self.scoring not in {"letter", "letter_mean", "text", "text_mean", "text_bytes", "generate"}:
            msg = (
                f"{self!r}: scoring is 'letter', 'letter_mean', 'text', 'text_mean', 'text_bytes' or 'generate', "
                f"not {self.scoring!r}"
            )
            raise BadData(msg)

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The answer, the options, and what they are worth."""
        return (self.answer, *super().scored_columns, *(column for _, column in self._worth))

    @property
    def score_names(self) -> tuple[str, ...]:
        """Whether the right option was chosen; entropy, and with letters how probable these are; one's own values."""
        own = [name for name, _ in self._worth]
        if self.scoring == "generate":
            return ("accuracy", *own)
        expected = [f"{EXPECTED}{name}" for name in own]
        return ("accuracy", *own, *expected, ENTROPY, *([OPTION_MASS] if self._scores_letters else []))

    @property
    def _worth(self) -> tuple[tuple[str, str], ...]:
        return self.values  # type: ignore[return-value]  # made a tuple when the task was

    def check(self, samples: Samples) -> None:
        """Raise where options or answers do not fit each other."""
        super().check(samples)
        me = repr(self)
        options, answers = self._options(samples), data.column(samples.frame, self.answer, me).to_list()
        for number, (texts, answer) in enumerate(zip(options, answers, strict=True), start=1):
            _index(answer, texts, f"{me}: row {number}")
        for name, column in self._worth:
            for number, (texts, held) in enumerate(zip(options, self._numbers(samples, column), strict=True), start=1):
                if len(held) != len(texts):
                    msg = f"{me}: row {number} has {len(held)} numbers in {column!r} ({name}) and {len(texts)} options"
                    raise BadData(msg)
        self._check_pairs(samples, options)

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """Whether each sample's choice is its answer."""
        options = self._options(samples)
        answers = [self._together(each) for each in responses]
        chosen = [self._choice(answer, texts) for answer, texts in zip(answers, options, strict=True)]
        right = self._right(samples)
        shares = [self._shares(answer, texts) for answer, texts in zip(answers, options, strict=True)]
        found = {"accuracy": _taken(chosen, np.eye(max(map(len, options)))[right])}
        for name, column in self._worth:
            numbers = self._numbers(samples, column)
            found[name] = _taken(chosen, numbers)
            expected = np.array([each @ held for each, held in zip(shares, numbers, strict=True)])
            # no answer is worth what it is worth where answers are written
            found[f"{EXPECTED}{name}"] = np.where(np.isnan(expected), found[name], expected)
        found |= {ENTROPY: entropies(shares), OPTION_MASS: masses(answers)}
        return Outcomes(
            samples,
            {name: found[name] for name in self.score_names},
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
                self._probable(shares, chosen, max(map(len, options))),
            ),
            ranges=self.ranges(samples),
        )

    def _probable(
        self, shares: Sequence[np.ndarray], chosen: Sequence[tuple[int | None, Status]], most: int
    ) -> np.ndarray:
        """How probable each option is by its likelihood, or that it was written; 0 of no answer."""
        found = np.zeros((len(chosen), most))
        for row, (held, (choice, _)) in enumerate(zip(shares, chosen, strict=True)):
            if not np.isnan(held).any():
                found[row, : len(held)] = held
            elif choice is not None:
                found[row, choice] = 1.0
        return found

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:
        """What options are worth reaches from the least of their numbers to the greatest, and 0 is among them."""
        found = dict(super().ranges(samples))
        for name, column in self._worth:
            held = np.concatenate([*map(np.asarray, self._numbers(samples, column)), [0.0]])
            ends = natural_range(held)
            ends = ends if np.isfinite(ends).all() else (float(held.min()), float(held.max()))
            found |= dict.fromkeys((name, f"{EXPECTED}{name}"), ends)
        return {name: self._entropies(samples) if name == ENTROPY else found[name] for name in self.score_names}

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

    def _numbers(self, samples: Samples, column: str) -> list[np.ndarray]:
        """What each sample's options are worth. Raises `BadData` for what is no list of numbers."""
        return samples.once((self, "numbers", column), lambda: self._read_numbers(samples, column))

    def _read_numbers(self, samples: Samples, column: str) -> list[np.ndarray]:
        held = data.column(samples.frame, column, f"{self!r} has what its options are worth in {column!r}, but it")
        read = []
        for number, value in enumerate(held.to_list(), start=1):
            where = f"{self!r}: row {number}, column {column!r}"
            given = data.literal(value, where) if isinstance(value, str) else value
            if not isinstance(given, (list, tuple)) or not all(isinstance(each, (int, float)) for each in given):
                msg = f"{where} should hold a number for each option; it holds {value!r:.60}"
                raise BadData(msg)
            read.append(np.array(given, dtype=float))
        return read

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
        choice = named(response.text, texts)
        return choice, "unparsable" if choice is None else "ok"


def _taken(chosen: Sequence[tuple[int | None, Status]], numbers: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The number of the option that each sample fell on; 0 where it fell on none, NaN where nothing came."""
    taken = (
        np.nan if status in {"error", "missing"} else 0.0 if choice is None else float(held[choice])
        for (choice, status), held in zip(chosen, numbers, strict=True)
    )
    return np.fromiter(taken, dtype=float, count=len(chosen))


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


def named(text: str, texts: Sequence[str]) -> int | None:
    """The one option that a written answer names, by its letter, its words or both; none where these disagree."""
    letters = {LETTERS.index(letter) for letter in re.findall(rf"\b([{LETTERS[: len(texts)]}])\b", text)}
    words = {index for index, option in enumerate(texts) if stands_in(option, text)}
    # "A seal" may be the letter A or an article: its words decide whether it is an answer
    if len(letters) == 1 and (len(words) != 1 or words == letters):
        return letters.pop()
    return words.pop() if len(words) == 1 and not letters else None


def _written(response: Response | None) -> str | None:
    return response.text if isinstance(response, Generated) else None
