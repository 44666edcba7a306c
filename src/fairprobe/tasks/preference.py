"""Preferences: which of two answers to a prompt a model prefers, and by how much."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Choose, Chosen, Rate, Rated, Request, Response
from fairprobe.scorers import Status
from fairprobe.tasks.task import Asking, Outcomes, Samples, unanswered


@dataclass(frozen=True, repr=False)
class Preference(Asking):
    """Samples with an answer that was `chosen` and one that was `rejected`, as answers to the prompt.

    With `by="likelihood"` a language model weighs both; its margin less that of the baseline, `.change()`, is the
    implicit reward of preference training (Rafailov et al. 2023, with a beta of 1). With `by="reward"` a reward model
    rates both.

    >>> rows = [{"asked": "Tea or coffee?", "chosen": "Tea.", "rejected": "Coffee.", "country": "IN"}]
    >>> Preference(rows, "{asked}", name="drinks")
    Preference('drinks', 1 samples)
    """

    chosen: str = "chosen"
    rejected: str = "rejected"
    _: KW_ONLY
    by: Literal["likelihood", "reward"] = "likelihood"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by not in ("likelihood", "reward"):
            msg = f"{self!r}: by is 'likelihood' (a language model) or 'reward' (a reward model), not {self.by!r}"
            raise BadData(msg)

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The two answers."""
        return (self.chosen, self.rejected)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The two answers."""
        return (self.chosen, self.rejected)

    @property
    def score_names(self) -> tuple[str, ...]:
        """Whether the chosen answer is preferred (a tie counts a half), by how much, and whether it is the longer."""
        margins = ("margin_per_byte",) if self.by == "likelihood" else ()
        return ("preference_accuracy", "preference_margin", *margins, "chosen_is_longer")

    def check(self, samples: Samples) -> None:
        """Raise where a column is not there, a row lacks an answer, or both answers are the same."""
        super().check(samples)
        for name in (self.chosen, self.rejected):
            data.column(samples.frame, name, f"{self!r} has an answer in {name!r}, but it")
        for number, texts in enumerate(self._pairs(samples), start=1):
            if None in texts or not all(str(text).strip() for text in texts):
                msg = f"{self!r}: row {number} lacks an answer: {texts}; leave the row out"
                raise BadData(msg)
            if texts[0] == texts[1]:
                msg = (
                    f"{self!r}: row {number} has one answer as {self.chosen!r} and {self.rejected!r}, of which none "
                    f"is preferred; leave the row out: {texts[0]!r:.60}"
                )
                raise BadData(msg)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """The likelihood of both answers in one request, or a rating of each."""
        asked = zip(self.prompts(samples), self._pairs(samples), strict=True)
        if self.by == "likelihood":
            return [(Choose(prompt, texts),) for prompt, texts in asked]
        return [tuple(Rate(prompt, text) for text in texts) for prompt, texts in asked]

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """What a model prefers; where an answer does not fit, nothing is known of it."""
        pairs = self._pairs(samples)
        weighed = [self._weighed(each) for each in responses]
        status = np.array([status for _, status in weighed], dtype=object)
        values = np.array([values for values, _ in weighed], dtype=float)
        sizes = np.array([[len(text.encode()) for text in texts] for texts in pairs], dtype=float)
        margin = values[:, 0] - values[:, 1]
        found = {
            "preference_accuracy": np.where(np.isnan(margin), np.nan, (margin > 0) + 0.5 * (margin == 0)),
            "preference_margin": margin,
            "margin_per_byte": values[:, 0] / sizes[:, 0] - values[:, 1] / sizes[:, 1],
            "chosen_is_longer": (sizes[:, 0] > sizes[:, 1]) + 0.5 * (sizes[:, 0] == sizes[:, 1]),
        }
        return Outcomes(
            samples,
            {name: found[name] for name in self.score_names},
            status,
            responses=[
                texts[int(value < 0)] if not np.isnan(value) else None
                for texts, value in zip(pairs, margin, strict=True)
            ],
            prompts=[
                f"{prompt.text}\nchosen: {chosen}\nrejected: {rejected}"
                for prompt, (chosen, rejected) in zip(self.prompts(samples), pairs, strict=True)
            ],
            targets=[texts[0] for texts in pairs],
            ranges=self.ranges(samples),
        )

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:
        """Margins have no ends."""
        unbounded = dict.fromkeys(("preference_margin", "margin_per_byte"), (-np.inf, np.inf))
        return {**super().ranges(samples), **{name: unbounded[name] for name in self.score_names if name in unbounded}}

    def chance(self, samples: Samples) -> float | None:  # noqa: ARG002 - tasks differ
        """One of two."""
        return 0.5

    def _pairs(self, samples: Samples) -> list[tuple[str, str]]:
        return samples.frame.select(pl.col(self.chosen, self.rejected).cast(pl.String)).rows()

    def _weighed(self, answers: Sequence[Response | None]) -> tuple[tuple[float, float], Status]:
        lacking = next(filter(None, map(unanswered, answers)), None)
        if lacking is not None:
            return (np.nan, np.nan), lacking  # type: ignore[return-value]  # one of the statuses
        if self.by == "likelihood":
            [both] = answers
            assert isinstance(both, Chosen)
            return (both.loglikelihoods[0], both.loglikelihoods[1]), "ok"
        rated = [each for each in answers if isinstance(each, Rated)]
        if any(len(each.scores) != 1 for each in rated):
            msg = f"{self!r}: a reward model gives one score; name a checkpoint that has a single label"
            raise BadData(msg)
        return (rated[0].scores[0], rated[1].scores[0]), "ok"

    def _answers(self, samples: Samples) -> Sequence[str]:
        return [chosen for chosen, _ in self._pairs(samples)]

    def _questions(self, samples: Samples) -> Sequence[Hashable]:
        # one prompt may stand before many pairs, so it does not say alone what is asked
        return list(zip(self._contents(samples), self._pairs(samples), strict=True))
