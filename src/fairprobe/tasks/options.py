"""What tasks with options share: reading the options, listing them under letters, and weighing their likelihoods."""

from __future__ import annotations

import string
from collections.abc import Hashable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Choose, Chosen, Prompt, Request, Response
from fairprobe.tasks.shots import Content
from fairprobe.tasks.task import Asking, Row, Samples

LETTERS = string.ascii_uppercase
OPTION_MASS = "option_mass"
"""The score that holds the probability of any of the letters being what the model says next."""
ENTROPY = "entropy"
"""The score that says how undecided a model is between the options, in bits."""


@dataclass(frozen=True, repr=False)
class Choosing(Asking):
    """A task that puts several options to a checkpoint.

    `options` is a column of lists (or of their Python literals, as CSV files hold them), a list of columns, or a
    list of texts. `letters` is how a letter is written, `{}` standing for it: `"({})"` lists and scores "(A)".
    Lettered options are listed in as many `orders`, each turned on by one, and what they say is averaged (the log of
    the probability among the options), so that a liking for a letter falls on every option alike.
    """

    options: str | Sequence[str] = "options"
    _: KW_ONLY
    letters: str = "{}"
    orders: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "options", self.options if isinstance(self.options, str) else tuple(self.options))
        if self.letters.count("{}") != 1:
            msg = f"{self!r}: letters has one {{}} for the letter, as in '({{}})', which {self.letters!r} has not"
            raise BadData(msg)

        if self.orders < 1 or (self.orders > 1 and not (self._scores_letters and self._lists_letters)):
            msg = (
                f"{self!r}: orders={self.orders} asks for lettered options in so many orders, at least 1; more than 1 "
                "is for scoring='letter' and a prompt that is a text, where the options are listed for you"
            )
            raise BadData(msg)

    @property
    def scoring(self) -> str:
        """Whose likelihoods decide, and how they are weighed."""
        raise NotImplementedError

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The options."""
        return (self.options,) if isinstance(self.options, str) else tuple(self.options)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """One request a sample and order, as many orders as it has options at most."""
        options = self._options(samples)
        by_order = [[self._request(*each) for each in zip(self.prompts(samples), options, strict=True)]]
        for turn in range(1, self.orders):
            listed = [_turned(texts, turn) for texts in options]
            prompts = self._prompted(samples, self._lettered_contents(samples, listed))
            by_order.append([self._request(*each) for each in zip(prompts, listed, strict=True)])
        return [requests[: len(texts)] for requests, texts in zip(zip(*by_order, strict=True), options, strict=True)]

    def _together(self, answers: Sequence[Response | None]) -> Response | None:
        """One answer of those in several orders; the first that is none, where one is."""
        chosen = [answer for answer in answers if isinstance(answer, Chosen)]
        if len(chosen) < len(answers):
            return next(answer for answer in answers if not isinstance(answer, Chosen))
        if len(chosen) == 1:
            return chosen[0]
        shares = [np.roll(special.log_softmax(each.loglikelihoods), turn) for turn, each in enumerate(chosen)]
        masses = [each.mass for each in chosen if each.mass is not None]
        mass = float(np.mean(masses)) if len(masses) == len(chosen) else None
        return replace(chosen[0], loglikelihoods=tuple(np.mean(shares, axis=0).tolist()), mass=mass)

    def _request(self, prompt: Prompt, texts: Sequence[str]) -> Request:
        return Choose(prompt, tuple(self._labels(texts) if self._scores_letters else texts))

    @property
    def _scores_letters(self) -> bool:
        return self.scoring in {"letter", "letter_mean"}

    @property
    def _lists_letters(self) -> bool:
        # a function writes its own prompt, letters included
        return (self._scores_letters or self.scoring == "generate") and not callable(self.prompt)

    @property
    def _fields(self) -> Sequence[str]:
        return [name for name in self._words if not (self._lists_letters and name == "options")]

    def _contents(self, samples: Samples) -> list[Content]:
        # with lettered options where letters are asked for
        return (
            self._lettered_contents(samples, self._options(samples))
            if self._lists_letters
            else super()._contents(samples)
        )

    def _lettered_contents(self, samples: Samples, options: Sequence[Sequence[str]]) -> list[Content]:
        asked = enumerate(zip(samples.rows, options, strict=True), start=1)
        return [self._lettered(row, self._listed(texts), number) for number, (row, texts) in asked]

    def _lettered(self, row: Row, listed: str, number: int) -> Content:
        if "options" in self._words:
            return self._content({**row, "options": listed}, number)
        return f"{self._content(row, number)}\n{listed}\nAnswer:"

    def _questions(self, samples: Samples) -> Sequence[Hashable]:
        # where options are not listed, one question may have several sets of them
        return list(zip(self._contents(samples), map(tuple, self._options(samples)), strict=True))

    def _listed(self, texts: Sequence[str]) -> str:
        mark = "." if self.letters == "{}" else ""
        return "\n".join(f"{label}{mark} {text}" for label, text in zip(self._labels(texts), texts, strict=True))

    def _labels(self, texts: Sequence[str]) -> list[str]:
        return [self.letters.replace("{}", letter) for letter in LETTERS[: len(texts)]]

    def _entropies(self, samples: Samples) -> tuple[float, float]:
        """From one option to all alike."""
        return (0.0, float(np.log2(max(map(len, self._options(samples))))))

    def _shares(self, response: Response | None, texts: Sequence[str]) -> np.ndarray:
        """How probable each option is, among the options; NaN where nothing is known of it."""
        if not isinstance(response, Chosen):
            return np.full(len(texts), np.nan)
        return np.asarray(special.softmax(self._weighed(response, texts)))

    def _weighed(self, response: Chosen, texts: Sequence[str]) -> Sequence[float]:
        if self.scoring in {"letter", "text"}:
            return response.loglikelihoods
        sizes = [len(text.encode()) for text in texts] if self.scoring == "text_bytes" else response.tokens
        return [value / size for value, size in zip(response.loglikelihoods, sizes, strict=True)]

    def _options(self, samples: Samples) -> list[list[str]]:
        """The texts of every sample's options."""
        return samples.once((self, "options"), lambda: self._read_options(samples.frame))

    def _read_options(self, frame: pl.DataFrame) -> list[list[str]]:
        """The texts of every row's options. Raises `BadData` for a row that there is nothing to choose in."""
        return [self._texts(given, number) for number, given in enumerate(self._given(frame), start=1)]

    def _given(self, frame: pl.DataFrame) -> Sequence[Sequence[Any]]:
        if isinstance(self.options, str):
            return self._lists(
                data.column(frame, self.options, f"{self!r} has its options in {self.options!r}, but it")
            )
        if not any(name in frame.columns for name in self.options):
            return [self.options] * frame.height
        for name in self.options:
            data.column(frame, name, f"{self!r} has an option in {name!r}, but it")
        return frame.select(self.options).rows()

    def _lists(self, values: pl.Series) -> list[Sequence[Any]]:
        if isinstance(values.dtype, (pl.List, pl.Array)):
            return [given or () for given in values.to_list()]
        if values.dtype == pl.String and str(values.drop_nulls().first()).lstrip().startswith(("[", "(")):
            return [self._literal(given, number) for number, given in enumerate(values.to_list(), start=1)]
        msg = (
            f"{self!r}: column {self.options!r} should hold lists of options; it holds "
            f"{values.dtype}: {values[0]!r:.60}"
        )
        raise BadData(msg)

    def _literal(self, text: str | None, number: int) -> Sequence[Any]:
        given = data.literal(text or "[]", f"{self!r}: row {number}, column {self.options!r}")
        if not isinstance(given, (list, tuple)):
            msg = f"{self!r}: row {number} should hold a list of options in {self.options!r}; it holds {text!r:.60}"
            raise BadData(msg)
        return given

    def _texts(self, given: Sequence[Any], number: int) -> list[str]:
        if None in given:
            msg = f"{self!r}: row {number} has an option without a value: {list(given)}"
            raise BadData(msg)
        texts = list(map(str, given))
        if len(texts) < 2 or len(texts) > len(LETTERS):
            msg = f"{self!r}: row {number} has {len(texts)} options; a choice has between 2 and {len(LETTERS)}"
            raise BadData(msg)
        if len(set(texts)) < len(texts):
            msg = f"{self!r}: row {number} has the same option twice: {texts}"
            raise BadData(msg)
        return texts


def _turned(texts: Sequence[str], turn: int) -> list[str]:
    """The options from another one on."""
    start = turn % len(texts)
    return [*texts[start:], *texts[:start]]


def entropies(shares: Sequence[np.ndarray]) -> np.ndarray:
    """The entropy of each distribution over options, in bits."""
    return np.array([float(special.entr(each).sum()) / np.log(2) for each in shares])


def masses(answers: Sequence[Response | None]) -> np.ndarray:
    """The probability of any of the letters coming next, NaN where it is not known."""
    found = (answer.mass if isinstance(answer, Chosen) else None for answer in answers)
    return np.array([np.nan if mass is None else mass for mass in found])
