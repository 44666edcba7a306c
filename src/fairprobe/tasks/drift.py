"""Drift: how far what a model writes has moved from its baseline, weighed token by token by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Generated, Request, Response, Weigh, Weighed
from fairprobe.tasks.generation import Generation
from fairprobe.tasks.task import Followed, Followers, Outcomes, Samples, check_name, unanswered

OF_BOTH = ("model", "baseline")


@dataclass(frozen=True, repr=False)
class Drift(Followed):
    """What a `Generation` at temperature 1 writes, as model and baseline weigh it: how far the two lie apart.

    Its answers are asked once, whichever tasks read them. Then both checkpoints are asked how likely each token of the
    model's own answers is. `kl_from_base` of it is the Kullback-Leibler divergence from the baseline.

    >>> said = Generation([{"begin": "Once"}], "{begin}", temperature=1.0, name="said")
    >>> Drift(said)
    Drift('said_drift', 1 samples)
    """

    asked_by: ClassVar[tuple[str, ...]] = OF_BOTH
    against_baseline: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.data, Generation) or self.data.temperature != 1:
            msg = (
                f"Drift takes a Generation whose answers are drawn from the model as it is: Drift(Generation(…, "
                f"temperature=1.0)), not {self.data!r:.80}{self._cold}"
            )
            raise BadData(msg)
        if self.pair or self.cluster or self.weight:
            msg = f"Drift({self.data.name}): its samples are those of the Generation; give that pair, cluster or weight"
            raise BadData(msg)
        object.__setattr__(self, "name", self.name or f"{self.data.name}_drift")
        check_name(self.name)

    @property
    def _cold(self) -> str:
        return f" at temperature={self.data.temperature}" if isinstance(self.data, Generation) else ""

    def __repr__(self) -> str:
        return repr(self.data).replace(f"{type(self.data).__name__}({self.data.name!r}", f"Drift({self.name!r}", 1)

    @property
    def of(self) -> Generation:
        """The task whose answers are weighed."""
        return self.data  # type: ignore[no-any-return]  # checked when it was made

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """Those of that task."""
        return self.of.scored_columns

    @property
    def drawn(self) -> bool:
        """Answers are drawn, so that another run would bring others."""
        return True

    @property
    def score_names(self) -> tuple[str, ...]:
        """Divergence in nats (by k3) and bits, and how many tokens and bytes the answers have."""
        return ("nats", "bits", "tokens", "bytes")

    def load(self, places: data.Places = data.HERE) -> Samples:
        """The samples of the task whose answers are weighed."""
        return self.of.load(places)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """What that task asks."""
        return self.of.requests(samples)

    def follow(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> list[tuple[Request, ...]]:
        """Every answer that was written, to be weighed after its prompt."""
        return [
            tuple(Weigh(prompt, (text,)) for text in _written(answers))
            for prompt, answers in zip(self.of.prompts(samples), responses, strict=True)
        ]

    def followed(
        self, samples: Samples, responses: Sequence[Sequence[Response | None]], weighed: Followers
    ) -> Outcomes:
        """The divergence of each sample's answers, summed over them.

        Raises `BadData` where the two checkpoints' tokens are none that can be compared.
        """
        found = [
            _apart(answers, *sides)
            for answers, *sides in zip(responses, *(weighed[role] for role in OF_BOTH), strict=True)
        ]
        # of other tokens there is no divergence token by token; the texts are the same
        alike = all(same for _, same in found)
        table = np.array([row for row, _ in found], dtype=float)
        nats = table[:, 0] if alike else np.full(len(table), np.nan)
        bits = (table[:, 0] if alike else table[:, 1]) / np.log(2)
        plain = _unscored(self.of).outcomes(samples, responses)
        scores = {"nats": nats, "bits": bits, "tokens": table[:, 2], "bytes": table[:, 3]}
        lacking = np.isnan(table[:, 1]) & np.isin(plain.status, ["error", "missing"], invert=True)
        return Outcomes(
            samples, scores, np.where(lacking, "missing", plain.status), plain.responses, plain.prompts,
            targets=[None] * len(samples), ranges=self.ranges(samples), texts=plain.texts,
        )  # fmt: skip

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:  # noqa: ARG002 - tasks differ
        """Divergence by k3 is never below 0; that of texts, in bits, may be on few of them."""
        return {"nats": (0.0, np.inf), "bits": (-np.inf, np.inf), "tokens": (0.0, np.inf), "bytes": (0.0, np.inf)}

    @property
    def budget(self) -> int | None:
        """How many tokens an answer may have."""
        return self.of.budget


def _apart(
    answers: Sequence[Response | None], ours: Sequence[Response | None], theirs: Sequence[Response | None]
) -> tuple[tuple[float, ...], bool]:
    """Nats by k3, the log-ratio in nats, tokens and bytes of a sample's answers; and whether the tokens are the same.

    k3 of a token that the model wrote with probability p and the baseline gives q is q/p - 1 - log(q/p): never below
    0, and on average the divergence (Schulman 2020).
    """
    if any(unanswered(each) in {"missing", "error"} for each in answers):
        return (np.nan,) * 4, True
    nats, ratio, tokens, alike = 0.0, 0.0, 0.0, True
    for mine, other in zip(ours, theirs, strict=True):
        if not isinstance(mine, Weighed) or not isinstance(other, Weighed):
            return (np.nan,) * 4, True
        ratio += sum(mine.loglikelihoods) - sum(other.loglikelihoods)
        tokens += len(mine.loglikelihoods)
        alike = alike and mine.ids == other.ids
        if alike:
            off = np.array(other.loglikelihoods) - np.array(mine.loglikelihoods)
            nats += float((np.expm1(off) - off).sum())
    return (
        nats if alike else np.nan,
        ratio,
        tokens,
        float(sum(len(text.encode()) for text in _written(answers))),
    ), alike


def _written(answers: Sequence[Response | None]) -> list[str]:
    """The texts of answers that can be weighed: those that are not blank."""
    return [each.text for each in answers if isinstance(each, Generated) and each.text.strip()]


def _unscored(task: Generation) -> Generation:
    """The same task, of which is told whether an answer came and not how good it is."""
    made = copy(task)  # what is given was made into values when the task was
    object.__setattr__(made, "scorer", (("any", _any),))
    return made


def _any(_response: str, _target: object, _row: object) -> float:
    return 1.0
