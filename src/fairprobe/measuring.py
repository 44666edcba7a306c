"""A checkpoint and a metric by hand: for tests that ask for themselves, and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import polars as pl

from fairprobe.errors import BadExpectation, FairprobeError
from fairprobe.expressions import Expectation, Metric, Question, Terms
from fairprobe.metrics import Role
from fairprobe.requests import Choose, Chosen, Format, Generate, Generated, Prompt, Response
from fairprobe.session import Session
from fairprobe.settings import Settings

Answer = TypeVar("Answer", Generated, Chosen)


class Model:
    """A checkpoint for tests that ask it themselves; every answer is kept, so the same question is asked once.

    In pytest the fixtures `model` and `baseline` are of this class.
    """

    def __init__(self, session: Session, role: Role = "model") -> None:
        self._session = session
        self._role = role

    def __repr__(self) -> str:
        return f"Model({self._session.settings.spec(self._role)!r})"

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_tokens: int = 64,
        stop: Sequence[str] = (),
        format: Format = "auto",  # noqa: A002
    ) -> list[str]:
        """What the checkpoint writes after each prompt, greedily. Raises `FairprobeError` where it cannot."""
        _refuse_text(prompts, "generate")
        asked = [Generate(Prompt(text, format=format), max_tokens, tuple(stop)) for text in prompts]
        return [self._answered(each, Generated).text for each in self._session.respond(self._role, asked)]

    def choose(self, prompt: str, options: Sequence[str], *, format: Format = "auto") -> str:  # noqa: A002
        """The option that is the likeliest continuation of the prompt."""
        likelihoods = self.loglikelihood(prompt, options, format=format)
        return options[likelihoods.index(max(likelihoods))]

    def loglikelihood(self, prompt: str, continuations: Sequence[str], *, format: Format = "auto") -> list[float]:  # noqa: A002
        """The summed log-likelihood (nats) of each continuation after the prompt."""
        _refuse_text(continuations, "loglikelihood")
        [answer] = self._session.respond(self._role, [Choose(Prompt(prompt, format=format), tuple(continuations))])
        return list(self._answered(answer, Chosen).loglikelihoods)

    def _answered(self, response: Response, kind: type[Answer]) -> Answer:
        if isinstance(response, kind):
            return response
        msg = f"{self!r} did not answer: {response!r:.200}"
        raise FairprobeError(msg)


def measure(
    measured: Metric | Question | Expectation, *, model: str, baseline: str | None = None, **settings: Any
) -> pl.DataFrame:
    """The report's table of groups, for a notebook: a row per group with value, limits and counts.

    A metric alone gives one row over all samples; `.by("dialect")` or `.gap("dialect")` a row per group. Limits are
    one-sided at the confidence each. `model` and `baseline` are what `--model` and `--baseline` take; `settings`
    are fields of `Settings`.

    >>> measure(mean(answers, "similarity").by("country"), model="recorded:any")["value"].to_list()
    [0.5, 1.0]
    """
    question = measured.question if isinstance(measured, Expectation) else measured._asked()
    plain = replace(question, terms=Terms())
    expectation = measured if isinstance(measured, Expectation) else Expectation(plain, "<", 0.0, question.terms)
    session = Session(Settings(model=model, baseline=baseline, **settings))
    try:
        session.check(expectation)
        session.ask(session.plan([expectation]))
        verdict = session.judge(expectation)
    finally:
        session.close()
    return pl.DataFrame([
        {**group.group, "value": group.value, "low": group.low, "high": group.high, "samples": group.samples,
         "clusters": group.clusters, **group.statuses}
        for group in verdict.groups
    ], infer_schema_length=None)  # fmt: skip


def _refuse_text(texts: Sequence[str], name: str) -> None:
    if isinstance(texts, str):
        msg = f"model.{name}() takes a list of texts, so that they are asked together; this is one: {texts!r:.60}"
        raise BadExpectation(msg)
