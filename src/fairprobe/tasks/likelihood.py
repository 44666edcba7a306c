"""Likelihoods: how probable a model finds a text of the samples after their prompt. Nothing is written."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Choose, Chosen, Request, Response
from fairprobe.scorers import Status
from fairprobe.tasks.task import Asking, Outcomes, Samples, unanswered

NOTHING = (np.nan,) * 4


@dataclass(frozen=True, repr=False)
class Likelihood(Asking):
    """Samples whose column `text` is weighed as what follows the prompt, in nats.

    Without a prompt the text is weighed from its first token on, which takes a tokenizer that begins every text with
    a token of its own.

    >>> Likelihood([{"said": "It swims.", "dialect": "en_us"}], text="said", name="lines")
    Likelihood('lines', 1 samples)
    """

    text: str = "text"

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The text."""
        return (self.text,)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The text."""
        return (self.text,)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The mean over the tokens and the sum, in nats; and how many tokens and bytes the text has."""
        return ("per_token", "loglikelihood", "tokens", "bytes")

    def check(self, samples: Samples) -> None:
        """Raise where a column that the prompt or the text needs is not there, or a row has no text."""
        super().check(samples)
        texts = data.column(samples.frame, self.text, f"{self!r} has its text in {self.text!r}, but it")
        for number, text in enumerate(texts.to_list(), start=1):
            if text is None or not str(text).strip():
                msg = (
                    f"{self!r}: row {number} has {text!r} in column {self.text!r}, and no text has no likelihood; "
                    "leave the row out"
                )
                raise BadData(msg)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """One request a sample: the likelihood of its text, the only option."""
        return [
            (Choose(prompt, (text,)),)
            for prompt, text in zip(self.prompts(samples), self._answers(samples), strict=True)
        ]

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """The likelihood of each text; a text that does not fit into the model has none."""
        texts = self._answers(samples)
        weighed = [_weighed(response, text) for (response,), text in zip(responses, texts, strict=True)]
        scores = np.array([scores for scores, _ in weighed], dtype=float)
        return Outcomes(
            samples,
            {name: scores[:, index] for index, name in enumerate(self.score_names)},
            np.array([status for _, status in weighed], dtype=object),
            responses=[None] * len(samples),
            prompts=[f"{prompt.text} {text}" for prompt, text in zip(self.prompts(samples), texts, strict=True)],
            targets=[None] * len(samples),
            ranges=self.ranges(samples),
        )

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:  # noqa: ARG002 - tasks differ
        """Likelihoods end at 0, where the text is certain; counts begin there."""
        return {
            "per_token": (-np.inf, 0.0), "loglikelihood": (-np.inf, 0.0), "tokens": (0.0, np.inf),
            "bytes": (0.0, np.inf),
        }  # fmt: skip

    def _answers(self, samples: Samples) -> Sequence[str]:
        return [str(text) for text in samples.frame[self.text]]

    def _questions(self, samples: Samples) -> Sequence[Hashable]:
        # one prompt may stand before every text, so it does not say alone what is asked
        return list(zip(self._contents(samples), self._answers(samples), strict=True))


def _weighed(response: Response | None, text: str) -> tuple[tuple[float, ...], Status]:
    lacking = unanswered(response)
    if lacking is not None:
        return NOTHING, lacking  # type: ignore[return-value]  # one of the statuses
    assert isinstance(response, Chosen)
    [total], [tokens] = response.loglikelihoods, response.tokens
    return (total / tokens, total, tokens, len(text.encode())), "ok"
