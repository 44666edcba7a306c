"""Relations between answers that should hold whatever the case: drawn by Hypothesis, shrunk together when they fail.

Draws search for failures; they are neither independent nor repeated, so no rate is estimated from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData, BadExpectation
from fairprobe.requests import Choose, Chosen, Generate, Generated, Prompt, Request, Response
from fairprobe.tasks import Outcomes, Samples, Task
from fairprobe.tasks.task import unanswered

FLIPS = "flip_rate"
"""The score that says whether a relation fails: 1 where it does."""
DRAWN = "drawn"
"""The column that says of a case that Hypothesis drew it."""
ROUNDS, REQUESTS = 200, 20_000
"""At most so many rounds of shrinking, and so many requests for them, in one relation."""


@runtime_checkable
class Shrinkable(Protocol):
    """A case that is made of parts, of which fewer make a smaller case."""

    @property
    def parts(self) -> tuple[Hashable, ...]:
        """What it is made of."""

    def only(self, parts: Sequence[Hashable]) -> Any:
        """The case of these parts alone."""


def draw(strategy: Any, count: int, seed: int) -> list[Any]:
    """So many cases of a Hypothesis strategy, the same for a seed in every process; fewer where it has no more."""
    import hypothesis
    from hypothesis import Phase

    cases: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        phases=(Phase.generate,), max_examples=count, database=None, deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(strategy)
    def record(case: Any) -> None:
        cases.append(case)

    record()
    return cases[:count]


@dataclass(frozen=True)
class Shrunk:
    """The parts that a failing case was brought down to, and whether no single one of them can go."""

    parts: tuple[Hashable, ...]
    is_minimal: bool


Ask = Callable[[Sequence[tuple[int, tuple[Hashable, ...]]]], Sequence[bool]]
"""Says of each (case, parts) whether the case of these parts alone fails."""


def shrink(
    cases: Sequence[tuple[Hashable, ...]], fails: Ask, kind: Callable[[Any], Hashable] = lambda part: part,
    rounds: int = ROUNDS, requests: int = REQUESTS,
) -> list[Shrunk]:  # fmt: skip
    """All failing cases brought down to parts of which none can go, each round of all of them asked at once.

    A first one, then two, four and so on go down by delta debugging (Zeller and Hildebrandt 2002): halves, then
    quarters and what is left without them, and so on. The others are asked first whether they fail by parts of the
    kinds that those came to, since one cause makes many fail. What is known is not asked again; a case that uses up
    the rounds or requests stays as small as it got.

    >>> shrink([("a", "b", "c", "d")], lambda asked: [{"b", "d"} <= set(parts) for _, parts in asked])
    [Shrunk(parts=('b', 'd'), is_minimal=True)]
    """
    held = [_Shrinking(parts, kind) for parts in cases]
    causes: Counter[frozenset[Hashable]] = Counter()
    pilots = 1
    for _ in range(rounds):
        waiting = [each for each in held if not each.guess(causes) and not each.begun]
        if all(each.is_done for each in held if each.begun):
            for each in waiting[:pilots]:
                each.begun = True
            pilots *= 2
        wanted = [(number, parts) for number, each in enumerate(held) for parts in each.wanted]
        if len(wanted) > requests or (not wanted and all(each.begun for each in held)):
            break
        requests -= len(wanted)
        for (number, parts), failed in zip(wanted, fails(wanted) if wanted else (), strict=True):
            held[number].known[frozenset(parts)] = failed
        for each in held:
            each.advance()
        causes = Counter(each.kinds for each in held if each.is_done)
    return [Shrunk(each.parts, each.is_minimal) for each in held]


class _Shrinking:
    """One case on its way down: not begun, trying what others came to, or halving."""

    def __init__(self, parts: tuple[Hashable, ...], kind: Callable[[Any], Hashable]) -> None:
        self.parts = parts
        self.pieces = 2
        self.begun = False
        self.guessing: tuple[Hashable, ...] | None = None
        self.known: dict[frozenset[Hashable], bool] = {frozenset(): False, frozenset(parts): True}
        self._kind = kind

    @property
    def kinds(self) -> frozenset[Hashable]:
        """What its parts are instances of."""
        return frozenset(map(self._kind, self.parts))

    @property
    def is_minimal(self) -> bool:
        """Whether every part is known to be needed."""
        return all(self.known.get(frozenset(self.parts) - {part}) is False for part in self.parts)

    @property
    def is_done(self) -> bool:
        """Whether it has begun and nothing is left to ask."""
        return self.begun and not self.wanted

    @property
    def wanted(self) -> list[tuple[Hashable, ...]]:
        """The smaller cases to ask next, of which it is not known whether they fail."""
        if not self.begun:
            return [self.guessing] if self.guessing else []
        return [each for each in self._candidates if frozenset(each) not in self.known]

    def guess(self, causes: Mapping[frozenset[Hashable], int]) -> bool:
        """Whether there is a cause of others to try, the commonest first."""
        self.guessing = None
        if self.begun:
            return False
        for cause in sorted(causes, key=lambda each: (-causes[each], len(each), sorted(map(repr, each)))):
            parts = tuple(part for part in self.parts if self._kind(part) in cause)
            if parts and cause <= self.kinds and frozenset(parts) not in self.known:
                self.guessing = parts
                return True
        return False

    def advance(self) -> None:
        """Go to the first candidate that fails, else to finer pieces, until something is to be asked."""
        if self.guessing and self.known.get(frozenset(self.guessing)):
            self.parts, self.begun, self.guessing = self.guessing, True, None
        while self.begun and (asked := self._candidates) and all(frozenset(each) in self.known for each in asked):
            failing = next((each for each in asked if self.known[frozenset(each)]), None)
            if failing is not None:
                rest = len(failing) > -(-len(self.parts) // self.pieces)
                self.parts, self.pieces = failing, max(self.pieces - 1, 2) if rest else 2
            elif self.pieces < len(self.parts):
                self.pieces = min(2 * self.pieces, len(self.parts))
            else:
                return

    @property
    def _candidates(self) -> list[tuple[Hashable, ...]]:
        """The pieces, and what is left without each."""
        if len(self.parts) < 2:
            return []
        size = len(self.parts) / self.pieces
        ends = [round(piece * size) for piece in range(self.pieces + 1)]
        pieces = [self.parts[start:end] for start, end in pairwise(ends) if start < end]
        if self.pieces == 2:
            return pieces
        return pieces + [tuple(part for part in self.parts if part not in piece) for piece in pieces]


@dataclass(frozen=True, eq=False)
class Counterexample:
    """A case in which a relation fails, as small as it was found, with what was answered.

    `changes` are the names and texts of what differs, `stable` whether it failed again when it was asked alone (None:
    not asked again), `minimal` whether nothing of it can be left out.
    """

    task: str
    case: Mapping[str, Any]
    before: str
    after: str
    prompt: str
    answers: tuple[str | None, ...]
    changes: tuple[Mapping[str, Any], ...]
    stable: bool | None
    minimal: bool


class Relational(Task):
    """A task whose samples are cases of a relation; its score says whether it fails.

    `edited` gives the same cases with other parts, which are asked and scored like all others.
    """

    def parts(self, samples: Samples) -> list[tuple[Hashable, ...]]:
        """What each case is made of, the parts of one kind beside each other."""
        raise NotImplementedError

    def kind(self, part: Any) -> Hashable:
        """What a part is an instance of, so that one case tells what to try in another."""
        return part  # type: ignore[no-any-return]  # parts are hashable

    def edited(self, samples: Samples, index: Sequence[int], parts: Sequence[Sequence[Hashable]]) -> Samples:
        """These cases (places among the samples) with these parts alone."""
        raise NotImplementedError

    def told(
        self, samples: Samples, outcomes: Outcomes, at: int, shrunk: Shrunk, *, stable: bool | None
    ) -> Counterexample:
        """One failing case as it is reported and saved."""
        raise NotImplementedError

    def base(self, places: data.Places = data.HERE) -> Samples:
        """What cases are made of; a limit takes a part of it."""
        raise NotImplementedError

    def cases(
        self, base: Samples, saved: Sequence[Mapping[str, Any]] = (), places: data.Places = data.HERE
    ) -> Samples:  # fmt: skip
        """The cases of what there is, and those that failed in an earlier run and still fit the data."""
        raise NotImplementedError

    def load(self, places: data.Places = data.HERE) -> Samples:
        """The cases of everything that there is."""
        return self.cases(self.base(places), (), places)

    @property
    def score_names(self) -> tuple[str, ...]:
        """Whether the relation fails."""
        return (FLIPS,)


@dataclass(frozen=True, repr=False, init=False)
class Relation(Relational):
    """What must hold of the answers in every case of a Hypothesis strategy.

    `prompts` gives what is asked in a case: texts, prompts or requests. `holds` takes the case and the answers (a text
    each; of a `Choose` the option chosen). Cases with `parts` and `only(parts)` are shrunk. A module-level
    `test_name = Relation(…)` passes where no case fails.

    >>> from hypothesis import strategies as st
    >>> Relation(st.sampled_from(["otter", "owl"]), lambda case: [f"Does an {case} swim?"],
    ...          lambda case, answers: answers[0] != "", name="said")
    Relation('said', 100 cases)
    """

    strategy: Any
    prompts: Callable[[Any], Sequence[str | Prompt | Request]]
    holds: Callable[[Any, Sequence[str]], bool]
    examples: int
    seed: int
    max_tokens: int

    def __init__(
        self, strategy: Any, prompts: Callable[[Any], Sequence[str | Prompt | Request]],
        holds: Callable[[Any, Sequence[str]], bool], *, name: str, examples: int = 100, seed: int = 0,
        max_tokens: int = 32,
    ) -> None:  # fmt: skip
        if not hasattr(strategy, "filter"):
            msg = f"Relation({name!r}): {strategy!r:.60} is no Hypothesis strategy, such as st.sampled_from([…])"
            raise BadExpectation(msg)
        given = {
            "strategy": strategy, "prompts": prompts, "holds": holds, "examples": examples, "seed": seed,
            "max_tokens": max_tokens, "name": name, "data": pl.DataFrame({"case": []}), "pair": None, "cluster": None,
            "weight": None,
        }  # fmt: skip
        for key, value in given.items():
            object.__setattr__(self, key, value)
        self.__post_init__()

    def __repr__(self) -> str:
        return f"Relation({self.name!r}, {self.examples} cases)"

    @cached_property
    def _drawn(self) -> tuple[Any, ...]:
        return tuple(draw(self.strategy, self.examples, self.seed))

    @cached_property
    def _cases(self) -> list[Any]:
        """Every case that was drawn, and those that were made of them."""
        return list(self._drawn)

    def base(self, places: data.Places = data.HERE) -> Samples:  # noqa: ARG002 - it reads no file
        """The cases that the seed draws."""
        if not self._drawn:
            msg = f"{self!r}: the strategy gave no case"
            raise BadData(msg)
        return self._framed(range(len(self._drawn)))

    def cases(
        self, base: Samples, saved: Sequence[Mapping[str, Any]] = (), places: data.Places = data.HERE  # noqa: ARG002
    ) -> Samples:  # fmt: skip
        """The same: a seed draws the same cases again."""
        return base

    def _framed(self, numbers: Sequence[int]) -> Samples:
        frame = pl.DataFrame({
            "number": list(numbers), "case": [repr(self._cases[number]) for number in numbers],
            DRAWN: [True] * len(numbers),
        })  # fmt: skip
        return Samples(frame, np.array([f"{self.name}:{number}" for number in numbers], dtype=object))

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """What is asked in each case. Raises `BadData` where `prompts` raises, or gives no list."""
        return [tuple(map(self._request, self._asked(number))) for number in samples.frame["number"]]

    def _asked(self, number: int) -> Sequence[str | Prompt | Request]:
        given = self._called("prompts", number)
        if isinstance(given, (str, Prompt)) or not isinstance(given, Sequence):
            msg = f"{self!r}: prompts gave {given!r:.80}; it gives a list of what is asked in a case"
            raise BadData(msg)
        return given

    def _called(self, name: str, number: int, *answers: Any) -> Any:
        case = self._cases[number]
        try:
            return getattr(self, name)(case, *answers)
        except Exception as error:
            said = f" with the answers {answers[0]!r:.120}" if answers else ""
            msg = f"{self!r}: {name} raised {error!r} for the case {case!r:.80}{said}"
            raise BadData(msg) from error

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """Whether the relation fails in each case; no number where an answer is missing."""
        asked, flips, status, said = self.requests(samples), [], [], []
        for number, requests, given in zip(samples.frame["number"], asked, responses, strict=True):
            lacking = next(filter(None, map(unanswered, given)), None)
            answers = [_text(request, answer) for request, answer in zip(requests, given, strict=True)]
            flips.append(np.nan if lacking else float(not self._called("holds", number, answers)))
            status.append(lacking or "ok")
            said.append(" | ".join(answers))
        return Outcomes(
            samples, {FLIPS: np.array(flips)}, np.array(status, dtype=object), responses=said,
            prompts=["\n".join(request.prompt.text for request in requests) for requests in asked],
            targets=[None] * len(samples),
        )  # fmt: skip

    def parts(self, samples: Samples) -> list[tuple[Hashable, ...]]:
        """The parts of cases that have any."""
        cases = [self._cases[number] for number in samples.frame["number"]]
        return [tuple(case.parts) if isinstance(case, Shrinkable) else () for case in cases]

    def edited(self, samples: Samples, index: Sequence[int], parts: Sequence[Sequence[Hashable]]) -> Samples:
        """Cases of fewer parts, kept beside those that were drawn; one that is made of none stays what it is."""
        numbers = []
        for at, kept in zip(index, parts, strict=True):
            number = int(samples.frame["number"][int(at)])
            if kept:
                self._cases.append(self._cases[number].only(kept))
                number = len(self._cases) - 1
            numbers.append(number)
        return self._framed(numbers)

    def told(
        self, samples: Samples, outcomes: Outcomes, at: int, shrunk: Shrunk, *, stable: bool | None
    ) -> Counterexample:
        """The case and its answers."""
        prompt, answer = outcomes.prompts[at], outcomes.responses[at]
        return Counterexample(
            self.name, {"case": samples.frame["case"][at]}, "", samples.frame["case"][at], prompt or "", (answer,),
            tuple({"name": str(getattr(part, "name", part))} for part in shrunk.parts), stable, shrunk.is_minimal,
        )  # fmt: skip

    def _request(self, given: str | Prompt | Request) -> Request:
        if isinstance(given, (str, Prompt)):
            return Generate(Prompt(given) if isinstance(given, str) else given, self.max_tokens)
        return given


def _text(request: Request, answer: Response | None) -> str:
    if isinstance(answer, Generated):
        return answer.text
    if isinstance(answer, Chosen) and isinstance(request, Choose):
        return request.options[int(np.argmax(answer.loglikelihoods))]
    return str(answer)


__all__ = ["Counterexample", "Relation", "Relational", "Shrinkable", "Shrunk", "draw", "shrink"]
