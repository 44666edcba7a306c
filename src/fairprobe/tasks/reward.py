"""Rewards: the number that a reward model gives an answer of the samples to their prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Rate, Rated, Request, Response
from fairprobe.scorers import Status
from fairprobe.tasks.task import Asking, Outcomes, Samples, unanswered


@dataclass(frozen=True, repr=False)
class Reward(Asking):
    """Samples whose column `response` is rated as an answer to the prompt, by a checkpoint that is a reward model.

    >>> rows = [{"asked": "Where is it best to live?", "said": "By the sea.", "country": "IN"}]
    >>> Reward(rows, "{asked}", response="said", name="places")
    Reward('places', 1 samples)
    """

    response: str = "response"

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The response."""
        return (self.response,)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The response."""
        return (self.response,)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The reward, as the model gives it."""
        return ("reward",)

    def check(self, samples: Samples) -> None:
        """Raise where a column that the prompt or the response needs is not there, or a row has no response."""
        super().check(samples)
        said = data.column(samples.frame, self.response, f"{self!r} has its response in {self.response!r}, but it")
        if said.null_count():
            row = int(said.is_null().arg_max() or 0)
            msg = f"{self!r}: row {row + 1} has no response in column {self.response!r}; an empty one is written ''"
            raise BadData(msg)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """One request a sample: how good its response is as an answer to its prompt."""
        return [
            (Rate(prompt, said),) for prompt, said in zip(self.prompts(samples), self._responses(samples), strict=True)
        ]

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """The reward of each response; raises `BadData` where the checkpoint is no reward model."""
        rated = [self._rated(response) for (response,) in responses]
        shown = zip(self.prompts(samples), self._responses(samples), strict=True)
        return Outcomes(
            samples,
            {"reward": np.array([reward for reward, _ in rated], dtype=float)},
            np.array([status for _, status in rated], dtype=object),
            responses=[None] * len(samples),
            prompts=[f"{prompt.text}\n{said}" for prompt, said in shown],
            targets=[None] * len(samples),
            ranges=self.ranges(samples),
        )

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:  # noqa: ARG002 - tasks differ
        """A reward has no scale of its own."""
        return {"reward": (-np.inf, np.inf)}

    def _responses(self, samples: Samples) -> list[str]:
        return [str(said) for said in samples.frame[self.response].to_list()]

    def _rated(self, response: Response | None) -> tuple[float, Status]:
        lacking = unanswered(response)
        if lacking is not None:
            return np.nan, lacking  # type: ignore[return-value]  # one of the statuses
        assert isinstance(response, Rated)
        if len(response.scores) != 1:
            msg = (
                f"{self!r}: the checkpoint gives {len(response.scores)} scores, one a label, where a reward model "
                "gives one; name a checkpoint that has a single label"
            )
            raise BadData(msg)
        return response.scores[0], "ok"
