"""Judges: checkpoints that score what another wrote, and labelled answers that tell how often a scorer errs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Choose, Chosen, Format, Prompt

Row = Mapping[str, Any]
LEAST_LABELLED = 10
"""Labelled answers of either kind below which a judge's errors in a group are not known."""


@dataclass(frozen=True)
class Judging:
    """What a judge checkpoint is to be asked about a response, and what each of its options scores."""

    judge: str
    request: Choose
    values: tuple[float, ...]

    def score(self, answer: Chosen) -> float:
        """What the likeliest option scores."""
        likelihoods = answer.loglikelihoods
        return self.values[likelihoods.index(max(likelihoods))]


@dataclass(frozen=True)
class JudgedBy:
    """A scorer that asks a judge checkpoint which of its options is true of a response."""

    judge: str
    prompt: str | Callable[[Row], str]
    options: tuple[tuple[str, float], ...]
    format: Format = "auto"
    __name__ = "judged"

    def __call__(self, response: str, target: Any, row: Row) -> Judging:
        """What the judge is to be asked. Raises `BadData` where the prompt names a column that there is not."""
        fields = {**row, "response": response, "target": target}
        try:
            text = self.prompt(fields) if callable(self.prompt) else self.prompt.format_map(fields)
        except Exception as error:
            msg = (
                f"the prompt of judged_by({self.judge!r}) raised {error!r} for the response {response!r:.60}; it has "
                f"response, target and {', '.join(row)}"
            )
            raise BadData(msg) from error
        texts, values = zip(*self.options, strict=True)
        return Judging(self.judge, Choose(Prompt(text, format=self.format), texts), values)


def judged_by(
    judge: str,
    prompt: str | Callable[[Row], str],
    *,
    options: Mapping[str, float] | None = None,
    format: Format = "auto",  # noqa: A002
) -> JudgedBy:
    """A scorer that asks a judge checkpoint, named as `--model` names one; its scores are named `judged`.

    `prompt` is a format string over the sample's columns, `{response}` and `{target}`, or a function of these;
    `options` what the judge may say and what each scores in [0, 1], `{"yes": 1, "no": 0}` by default. All of a run's
    questions to a judge are asked in one batch once the responses are there, and kept under the judge's content.

    >>> judge = judged_by("path/to/judge", "{clue} Answer: {response}. Is {target} meant?")
    >>> judge("an otter", "otter", {"clue": "It swims."}).request.prompt.text
    'It swims. Answer: an otter. Is otter meant?'
    """
    given = {"yes": 1.0, "no": 0.0} if options is None else options
    if len(given) < 2 or not all(0 <= value <= 1 for value in given.values()):
        msg = f"judged_by({judge!r}): options are at least two texts with scores in [0, 1], not {dict(given)!r}"
        raise BadData(msg)
    return JudgedBy(judge, prompt, tuple((text, float(value)) for text, value in given.items()), format)


@dataclass(frozen=True)
class Calibrated:
    """A scorer whose errors are known from labelled answers."""

    scorer: Any
    labelled: Any
    response: str
    label: str
    target: str | None

    @property
    def __name__(self) -> str:
        return str(getattr(self.scorer, "__name__", type(self.scorer).__name__))

    def __call__(self, response: str, target: Any, row: Row) -> Any:
        """What the scorer says."""
        return self.scorer(response, target, row)


def calibrated(
    scorer: Any, labelled: Any, *, response: str = "response", label: str = "label", target: str | None = None
) -> Calibrated:
    """A scorer whose scores are corrected for its errors: its sensitivity and specificity among labelled answers.

    `labelled` is a file, `Dataset` or dataframe with the columns that the scorer reads, a column of responses, and a
    `label` of what people say: 1 for right, 0 for wrong; targets stand in the task's own target column, or in `target`.
    Where it has the columns of the groups that are compared, the errors are those of each group. Estimates are
    corrected and limits widened (Rogan and Gladen 1978).

    >>> seen = [{"response": "an otter", "word": "otter", "label": 1}]
    >>> calibrated(judged_by("path/to/judge", "{response}?"), seen, target="word").label
    'label'
    """
    return Calibrated(scorer, data.source_of(labelled, data.callers_folder()), response, label, target)
