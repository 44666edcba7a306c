"""Open answers: the model writes, scorers compare what it wrote with a target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairprobe import data, scorers
from fairprobe.errors import BadData
from fairprobe.requests import Generate, Generated, Request, Response
from fairprobe.scorers import Score, Scorer, Status
from fairprobe.tasks.scoring import NOBODY, Said, Scoring
from fairprobe.tasks.task import Asking, Outcomes, Row, Samples, named_scorers, shown_target, unanswered


@dataclass(frozen=True, repr=False)
class Generation(Asking, Scoring):
    """Samples whose answers are written by the model and scored against a target column.

    `scorer` is a function `(response, target, row) -> float | Score`, or a dict of them by name; `accuracy` reads
    the first. `samples` answers are drawn per sample at `temperature`, and averaged.

    >>> rows = [{"clue": "It swims. The word is", "word": "otter", "dialect": "en_us"}]
    >>> Generation(rows, "{clue}", target="word", name="clues", max_tokens=3)
    Generation('clues', 1 samples)
    """

    target: str | None = None
    scorer: Scorer | Mapping[str, Scorer] = scorers.exact_match
    max_tokens: int = 64
    stop: str | Sequence[str] = ()
    samples: int = 1
    temperature: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "scorer", named_scorers(self.scorer))
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "stop", (self.stop,) if isinstance(self.stop, str) else tuple(self.stop))
        if self.max_tokens < 1 or self.samples < 1 or self.temperature < 0:
            msg = (
                f"{self!r}: max_tokens and samples are at least 1 and temperature at least 0, "
                f"not {self.max_tokens}, {self.samples} and {self.temperature}"
            )
            raise BadData(msg)
        if self.samples > 1 and self.temperature == 0:
            msg = f"{self!r}: {self.samples} samples at temperature 0 are the same answer; give a temperature"
            raise BadData(msg)

    @property
    def drawn(self) -> bool:
        """Whether a temperature is given."""
        return self.temperature > 0

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The target."""
        return () if self.target is None else (self.target,)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The scorers' names, in their order."""
        return tuple(name for name, _ in self.own_scorers)

    @property
    def own_scorers(self) -> tuple[tuple[str, Scorer], ...]:
        """The scorers by the names of their scores, in their order."""
        return self.scorer  # type: ignore[return-value]  # made a tuple when the task was

    @property
    def own_target(self) -> str | None:
        """The column of targets."""
        return self.target

    def check(self, samples: Samples) -> None:
        """Raise where a column that the prompt or the target needs is not there."""
        super().check(samples)
        if self.target is not None:
            targets = data.column(samples.frame, self.target, f"{self!r} has its target in {self.target!r}, but it")
            if targets.null_count():
                row = int(targets.is_null().arg_max() or 0)
                msg = f"{self!r}: row {row + 1} has no target in column {self.target!r}"
                raise BadData(msg)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """As many requests a sample as answers are drawn."""
        return [
            tuple(
                Generate(prompt, self.max_tokens, tuple(self.stop), self.temperature, draw)
                for draw in range(self.samples)
            )
            for prompt in self.prompts(samples)
        ]

    def outcomes(
        self, samples: Samples, responses: Sequence[Sequence[Response | None]], said: Said = NOBODY
    ) -> Outcomes:
        """Each answer scored by every scorer; several answers to one sample averaged."""
        drawn = [
            [self._outcome(response, row, said) for response in answers]
            for row, answers in zip(samples.rows, responses, strict=True)
        ]
        # a sample's answers, each with its scores: averages of several have a variance of their own
        scored = np.array([[scores for scores, _ in draws] for draws in drawn], dtype=float)
        values = scored.mean(axis=1)
        noise = scored.var(axis=1, ddof=1) / self.samples if self.samples > 1 else None
        return Outcomes(
            samples,
            {name: values[:, index] for index, name in enumerate(self.score_names)},
            np.array([_commonest([status for _, status in draws]) for draws in drawn], dtype=object),
            responses=[_said(answers) for answers in responses],
            prompts=[prompt.text for prompt in self.prompts(samples)],
            targets=[shown_target(self._target(row)) for row in samples.rows],
            noise={} if noise is None else {name: noise[:, index] for index, name in enumerate(self.score_names)},
            texts=[tuple(each.text for each in answers if isinstance(each, Generated)) for answers in responses],
            draws={name: scored[:, :, index] for index, name in enumerate(self.score_names)},
        )

    def chance(self, samples: Samples) -> float | None:  # noqa: ARG002 - tasks differ
        """An open answer that knows nothing is taken to be right once in twenty times."""
        return None if self.target is None else 0.05

    @property
    def budget(self) -> int | None:
        """How many tokens an answer may have."""
        return self.max_tokens

    def texts(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Iterator[tuple[str, Row]]:
        """Every text that was written, with the sample's row."""
        for row, answers in zip(samples.rows, responses, strict=True):
            yield from ((answer.text, row) for answer in answers if isinstance(answer, Generated))

    def _answers(self, samples: Samples) -> Sequence[str]:
        return [self._answered(row, number) for number, row in enumerate(samples.rows, start=1)]

    def _answered(self, row: Row, number: int) -> str:
        """What a row's answer is where it stands as an example."""
        target = self._target(row)
        first = next(iter(target), None) if isinstance(target, (list, tuple)) else target
        if first is None:
            msg = f"{self!r}: row {number} has no target to stand as an example's answer; name one with target="
            raise BadData(msg)
        return str(first)

    def _outcome(self, response: Response | None, row: Row, said: Said) -> tuple[list[float], Status]:
        lacking = unanswered(response)
        if lacking is not None:
            return [0.0 if lacking == "truncated" else np.nan] * len(self.own_scorers), lacking  # type: ignore[return-value]
        assert isinstance(response, Generated)
        scored = self.scored(response.text, row, said)
        return [score.value for score in scored], self._status(response, scored)

    def _status(self, response: Generated, scored: Sequence[Score]) -> Status:
        """The scorers' word; else `truncated` where an answer that has a declared end did not reach it."""
        bad = [score.status for score in scored if score.status != "ok"]
        if bad:
            return bad[0]
        has_an_end = bool(self.stop) or response.chat
        return "truncated" if has_an_end and not response.ended else "ok"


def _commonest(statuses: Sequence[Status]) -> Status:
    # one answer that did not come makes the average unknown
    lacking = [status for status in statuses if status in scorers.UNSCORED]
    return lacking[0] if lacking else Counter(statuses).most_common(1)[0][0]


def _said(answers: Sequence[Response | None]) -> str | None:
    texts = [answer.text for answer in answers if isinstance(answer, Generated)]
    return " | ".join(texts) if texts else None
