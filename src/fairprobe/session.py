"""Answers a plan and judges it: reads samples, asks each checkpoint once, keeps what it said, gives verdicts."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairprobe import counterexamples, noise, pace
from fairprobe import plan as planning
from fairprobe.audit import Audit, audit
from fairprobe.data import Source
from fairprobe.engines import Engine, open_engine
from fairprobe.engines.checkpoints import Checkpoint, Served, resolve
from fairprobe.errors import BadData, EngineError, FairprobeError, NoCheckpoint
from fairprobe.expressions import Expectation
from fairprobe.metrics import Look, Role, conditions, meets
from fairprobe.noise import Noise
from fairprobe.pace import Pace
from fairprobe.plan import Plan
from fairprobe.power import Foresight, can_pass, favourable, fits, foresee, planned
from fairprobe.progress import Progressing
from fairprobe.relations import FLIPS, Counterexample, Relational, Shrunk, shrink
from fairprobe.requests import (
    Choose,
    Chosen,
    DoesNotFit,
    Failed,
    Request,
    Response,
)
from fairprobe.settings import Counts, Seat, Settings
from fairprobe.stopping import Stopping, begin
from fairprobe.store import Origin, Store
from fairprobe.tasks import Asking, Followed, Labelled, Outcomes, Recorded, Samples, Scoring, Task, spent
from fairprobe.verdict import Verdict, judge, searched

if TYPE_CHECKING:
    from rich.console import Console

JUDGE = "judge "

NEAR_TIE = 1e-3
"""Nats by which an option must lead for a choice to count as settled when a counterexample is asked alone."""
MOST_ALONE = 200
"""How many minimal counterexamples of a relation are asked again, each alone."""
CHUNK_SECONDS = 2.0
"""Answers are kept on disk at least this often while a checkpoint is asked."""


class Session:
    """One run over one model and, where there is one, its baseline."""

    def __init__(self, settings: Settings, console: Console | None = None) -> None:
        self.settings = settings
        self.console = console
        self.store = Store(settings.store)
        self.seconds = {"plan": 0.0, "ask": 0.0, "judge": 0.0}
        self._alone = threading.RLock()
        self.by_tests = Counts()
        self.by_noise = Counts()
        self.by_judges = Counts()
        self.by_shrinking = Counts()
        self.by_following = Counts()
        self.shrinking = 0
        """How many smaller cases were tried."""
        self.noise: dict[Seat, Noise] = {}
        self.failures: dict[Seat, list[str]] = defaultdict(list)
        self._samples: dict[tuple[Task, Role], Samples] = {}
        self._checkpoints: dict[Seat, Checkpoint | Served] = {}
        self._engines: dict[Seat, Engine] = {}
        self._refusals: dict[tuple[Seat, type[Request]], str | None] = {}
        self._responses: dict[Seat, dict[Request, Response]] = defaultdict(dict)
        self.unrecorded: dict[str, str] = {}
        self._recordings: dict[tuple[Recorded, str], bool] = {}
        self._requests: dict[Task, list[tuple[Request, ...]]] = {}
        self._checked: set[tuple[Task, Role]] = set()
        self._outcomes: dict[tuple[Task, Role], Outcomes] = {}
        self._looked: dict[tuple[Task, Role], None] = {}
        self._labelled: dict[Task, Mapping[str, Labelled]] = {}
        self._starts: dict[Expectation, Stopping | str] = {}
        self._stoppings: dict[Expectation, Stopping] = {}
        self._whole: set[planning.Need] = set()
        self._loaded: Seat | None = None
        self._spent: dict[Seat, Pace] = {}
        self._unheard: dict[Seat, dict[Request, Response]] = defaultdict(dict)
        self.beside: Sequence[Session] = ()
        """Those of the same run, of other models: one checkpoint is in memory at a time."""
        self._counterexamples: dict[Relational, list[tuple[Counterexample, list[dict[str, Any]]]]] = {}

    # -- planning

    def unanswerable(self, expectation: Expectation) -> str | None:
        """Why this run has no answers to an expectation of its kind, so that it is deselected; else None."""
        recorded = self.settings.recorded("model")
        for task, role in planning.needs(expectation):
            if task.asks and recorded is not None:
                return "that ask a checkpoint, since --model names recorded answers"
            if isinstance(task, Recorded):
                if recorded is None:
                    return "that read recorded answers, since --model names none (--model=recorded:NAME)"
                name = self.settings.recorded(role)
                if name is not None and not self._has(task, name):
                    self._tell_unrecorded(task, name)
                    return f"without a recording of {name!r}"
            elif self.settings.spec(role) is not None and (refusal := self._refusal(task, role)):
                return f"that the {role} cannot answer: {refusal}"
        return None

    def check(self, expectation: Expectation) -> None:
        """Raise what is wrong with an expectation before anything is asked: no checkpoint, bad data, no such group."""
        for task, role in planning.needs(expectation):
            for each in (role, *(task.asked_by if isinstance(task, Followed) else ())):
                self._named(each, expectation)
        self.fits(expectation)
        for task, role in planning.needs(expectation):
            if task.asks and (task, role) not in self._checked:
                # raises what is wrong with a request for those who make it
                self.engine(role).encode_all(self._lacking(role, self._distinct(task, role)))
                self._checked.add((task, role))

    def fits(self, expectation: Expectation) -> None:
        """Raise what is wrong with an expectation or its data, whichever checkpoint will be asked."""
        for task, role in planning.needs(expectation):
            self._wanted(task, role)
        fits(expectation, self.tasks)

    def can_pass(self, expectation: Expectation) -> bool | None:
        """Whether it can pass at the planned number of samples; None where that is not known."""
        return can_pass(expectation, self.tasks, self.settings.defaults)

    def foresee(self, expectation: Expectation) -> Foresight:
        """What an expectation could decide, by the kept answers of the model or the baseline. Raises as `fits`."""
        self.fits(expectation)
        return foresee(expectation, self.tasks, self._kept(expectation), self.settings.defaults)

    def audit(self, expectation: Expectation, others: Sequence[Expectation]) -> Audit:
        """What an expectation says of kept answers that are drawn again. Raises as `fits`, or where none are kept."""
        foresight = self.foresee(expectation)
        look = self._kept(expectation)
        if look is None:
            msg = f"{expectation.claim}: no answers are kept; name the --model (and --baseline) that was asked before"
            raise BadData(msg)
        return audit(
            expectation, others, look=look, samples=self.tasks, foresight=foresight, defaults=self.settings.defaults
        )

    def plan(self, expectations: Iterable[Expectation]) -> Plan:
        """The distinct requests of expectations that were checked. Raises where two tasks share a name."""
        started = time.monotonic()
        expectations = tuple(expectations)
        tasks = list(dict.fromkeys(task for expectation in expectations for task, _ in planning.needs(expectation)))
        planning.check_names(tasks)
        made = planning.plan(expectations, {task: self._wanted(task, "model") for task in tasks if task.asks})
        self.seconds["plan"] += time.monotonic() - started
        return made

    def samples(self, task: Task, role: Role = "model") -> Samples:
        """A task's samples, read once; a subset of them under a limit. Each role has recordings of its own."""
        key: tuple[Task, Role] = (task, role if isinstance(task, Recorded) else "model")
        if key not in self._samples:
            self._samples[key] = self._read(task, role)
        return self._samples[key]

    def _read(self, task: Task, role: Role) -> Samples:
        """The samples, a part of them under a limit; of a relation the cases of what it leaves."""
        given, places = self.settings, self.settings.places

        def part(read: Samples) -> Samples:
            return planning.subset(read, given.limit, given.defaults.seed, task.scored_columns)

        if isinstance(task, Relational):
            saved = counterexamples.read(given.counterexamples, task.name)
            return task.cases(part(task.base(places)), saved, places)
        return part(
            task.recorded(self._recorded(task, role), places) if isinstance(task, Recorded) else task.load(places)
        )

    @property
    def tasks(self) -> Mapping[Task, Samples]:
        """Every task that was read, with its samples for the model."""
        return {task: samples for (task, role), samples in self._samples.items() if role == "model"}

    @property
    def sources(self) -> Iterator[tuple[Task, Source]]:
        """Every file that samples were read from, with its task."""
        for (task, _), samples in self._samples.items():
            yield from ((task, source) for source in samples.sources)

    def lacking(self, plan: Plan) -> dict[Role, list[Request]]:
        """The requests of a plan that neither this run nor the store has answers to."""
        return {role: self._lacking(role, requests) for role, requests in plan.requests.items()}

    def tokens(self, lacking: Mapping[Role, Sequence[Request]]) -> int | None:
        """How many prompt tokens are still to be computed; None where a server makes them of messages."""
        counts = [self._prompt_tokens(role, requests) for role, requests in lacking.items()]
        return None if None in counts else sum(filter(None, counts))

    def seconds_left(self, lacking: Mapping[Role, Sequence[Request]]) -> float | None:
        """How long that will take at the pace of the last run; None where one of the checkpoints has none."""
        total = 0.0
        for role, requests in lacking.items():
            known = pace.read(self._pace_file, self._origin(role)) if requests else Pace(0.0, 1, 0)
            if known is None:
                return None
            total += known.lasts(len(requests), self._prompt_tokens(role, requests))
        return total

    def _prompt_tokens(self, role: Seat, requests: Sequence[Request]) -> int | None:
        if not requests:
            return 0
        if self.engine(role).takes == "messages":
            return None
        encoded = self.engine(role).encode_all(requests)
        return sum(len(each.prompt) for each in encoded if not isinstance(each, DoesNotFit))

    # -- asking

    def ask(self, plan: Plan, counts: Counts | None = None) -> Counts:
        """Answer a plan: what the store has, then each checkpoint in turn, one in memory at a time.

        Each chunk of answers is in the store before the next is asked for, so an interrupted run resumes where it was.
        `counts` are filled in as it goes, for a caller who wants them of a round that breaks.
        """
        started = time.monotonic()
        counts = counts or Counts()
        counts.wanted, counts.distinct = plan.wanted, plan.distinct
        try:
            # of no checkpoint before what the other refuses is known
            for role, requests in plan.requests.items():
                for kind in {type(request) for request in requests}:
                    if refusal := self._refuses(role, kind):
                        raise EngineError(refusal)
            early = self._early(plan.expectations)
            whole = self.plan([each for each in plan.expectations if each not in early]) if early else plan
            self._whole.update(chain.from_iterable(map(planning.needs, whole.expectations)))
            for role, requests in whole.requests.items():
                if requests:
                    self._ask(role, requests, counts)
            if early:
                self._ask_until_decided(early, counts)
                counts.spared += sum(
                    request not in self._responses[role] for role, each in plan.requests.items() for request in each
                )
            self._ask_judges(plan)
            self._follow(plan)
            self._shrink(plan)
        finally:
            self.seconds["ask"] += time.monotonic() - started
        return counts

    def asked_whole(self, expectation: Expectation) -> str | None:
        """Why an expectation that was checked is asked whole, whatever is answered; None if it may stop early."""
        begun = self._begun(expectation)
        return begun if isinstance(begun, str) else begun.asked_whole

    def respond(self, role: Role, requests: Sequence[Request]) -> list[Response]:
        """The responses to these requests, in their order; `by_tests` counts what they cost."""
        plan = Plan(wanted=len(requests), requests={role: tuple(dict.fromkeys(requests))})
        # an engine answers one caller at a time, and a test may ask from several threads
        with self._alone:
            self.by_tests.add(self.ask(plan))
            return [self._responses[role].get(request, Failed("not answered")) for request in requests]

    def checkpoint(self, role: Seat) -> Checkpoint | Served:
        """The checkpoint that plays a role. Raises `NoCheckpoint` where none is named or found."""
        if role not in self._checkpoints:
            self._checkpoints[role] = resolve(
                self._named(role), role, self.settings.engine_arguments, cache=self.settings.store / "fingerprints.json"
            )
        return self._checkpoints[role]

    def engine(self, role: Seat) -> Engine:
        """The engine that answers for a role; it loads weights when it is first asked."""
        if role not in self._engines:
            given = self.settings
            self._engines[role] = open_engine(
                given.engine, self.checkpoint(role), given.engine_arguments, given.template_arguments
            )
        return self._engines[role]

    def describe_engine(self) -> dict[str, Any]:
        """What the engine says of itself, and for each role what it computed, how far its numbers vary and what failed.

        Nothing where none was needed.
        """
        if not self._engines:
            return {}
        said = [engine.describe() for engine in self._engines.values()]
        return {
            **said[0],
            "notes": list(dict.fromkeys(note for each in said for note in each.get("notes", ()))),
            "counts": {role: dict(engine.counts) for role, engine in self._engines.items()},
            "noise": {role: asdict(found) for role, found in self.noise.items()},
            "failures": {
                role: {"requests": len(errors), "first": errors[0]} for role, errors in self.failures.items() if errors
            },
        }

    def close(self) -> None:
        """Release every checkpoint."""
        for engine in self._engines.values():
            engine.close()

    # -- judging

    def seen(self, expectation: Expectation) -> Look:
        """Where the outcomes are looked up that its verdict rests on."""
        return self._stoppings[expectation].seen(self.look) if expectation in self._stoppings else self.look

    def look(self, task: Task, role: Role) -> Outcomes:
        """A task's outcomes with one checkpoint; what is not asked, as it may be early, is missing."""
        if (task, role) not in self._outcomes:
            self._outcomes[task, role] = self._outcome(task, role)
        self._looked[task, role] = None
        return self._outcomes[task, role]

    @property
    def looked(self) -> Mapping[tuple[Task, Role], Outcomes]:
        """Every task's outcomes that were looked up, with each checkpoint, as far as it was asked."""
        return {
            (task, role): self.look(task, role).take(np.flatnonzero(asked))
            if (asked := self._asked_early(task, role)) is not None
            else self.look(task, role)
            for task, role in list(self._looked)
        }

    def judge(self, expectation: Expectation) -> Verdict:
        """The verdict on an expectation whose plan was asked."""
        started = time.monotonic()
        stopping = self._stoppings.get(expectation)
        verdict = stopping.judge(self.look) if stopping else judge(expectation, self.look, self.settings.defaults)
        verdict = self._searched(verdict)
        seconds = time.monotonic() - started
        self.seconds["judge"] += seconds
        return replace(verdict, seconds=seconds)

    # -- how

    def _kept(self, expectation: Expectation) -> Look | None:
        """Where to look up answers that nobody needs to be asked for; None where some are not kept.

        How the answers of one checkpoint vary tells how those of another will, so each may stand for the other.
        """
        held: dict[tuple[Task, Role], Role] = {}
        for task, role in planning.needs(expectation):
            others: tuple[Role, Role] = ("model", "baseline")
            known = [each for each in (role, *others) if self._is_kept(task, each)]
            if not known:
                return None
            held[task, role] = known[0]
        return lambda task, role: self.look(task, held[task, role])

    def _is_kept(self, task: Task, role: Role) -> bool:
        if isinstance(task, Recorded):
            return self.settings.recorded(role) is not None
        if self.settings.spec(role) is None or self.settings.recorded(role) is not None:
            return False
        return not self._lacking(role, self._distinct(task, role))

    def _named(self, role: Seat, expectation: Expectation | None = None) -> str:
        spec = role.removeprefix(JUDGE) if role.startswith(JUDGE) else self.settings.spec(role)
        if spec is None and self.settings.since is not None and role == "baseline":
            what = repr(expectation) if expectation is not None else "this test"
            msg = (
                f"{what} compares with {self.settings.since!r}, and no checkpoint of this run is called so: "
                f"pytest … --model=path/to/{self.settings.since}"
            )
            raise NoCheckpoint(msg)
        if spec is None:
            what = repr(expectation) if expectation is not None else "this test"
            asks = expectation is None or any(task.asks for task, _ in planning.needs(expectation))
            msg = (
                f"{what} needs a {role}, and none is named: pytest … "
                f"--{role}={'path/to/checkpoint' if asks else 'recorded:NAME'}"
            )
            raise NoCheckpoint(msg)
        return spec

    def _recorded(self, task: Recorded, role: Role) -> str:
        name = self.settings.recorded(role)
        if name is None:
            spec = self.settings.spec(role)
            msg = f"{task!r} holds recorded answers, and --{role}={spec} names none: --{role}=recorded:NAME"
            raise NoCheckpoint(msg)
        return name

    def _has(self, task: Recorded, name: str) -> bool:
        if (task, name) not in self._recordings:
            self._recordings[task, name] = task.has(name, self.settings.places)
        return self._recordings[task, name]

    def _tell_unrecorded(self, task: Recorded, name: str) -> None:
        """Remember where a recording was looked for, and which there are."""
        if name in self.unrecorded:
            return
        try:
            task.recorded(name, self.settings.places)
        except FairprobeError as error:
            self.unrecorded.setdefault(name, str(error))

    def _outcome(self, task: Task, role: Role) -> Outcomes:
        samples, responses = self.samples(task, role), self._given(task, role)
        if isinstance(task, Followed):
            asked = task.follow(samples, responses)
            said = {role: self._said(role, asked) for role in task.asked_by}
            return replace(task.followed(samples, responses, said), tokens=spent(responses))
        outcomes = self._scored(task, samples, responses)
        if not isinstance(task, Asking):
            return outcomes
        template = None if task.format == "plain" else self.checkpoint(role).template
        unsettled = self.noise[role].share if role in self.noise and outcomes.choices is not None else None
        return replace(
            outcomes, tokens=spent(responses), template=template, unsettled=unsettled, encode=_Encoding(self, role)
        )

    def _said(self, role: Seat, asked: Sequence[Sequence[Request]]) -> list[list[Response | None]]:
        """What this run or an earlier one was answered."""
        self._lacking(role, dict.fromkeys(chain.from_iterable(asked)))
        had = self._responses[role]
        return [[had.get(each) for each in requests] for requests in asked]

    def _scored(self, task: Task, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """The outcomes of a task, with what judges said where it has any."""
        if not isinstance(task, Scoring) or not task.is_judged:
            return task.outcomes(samples, responses)
        questions = dict.fromkeys(task.questions(samples, responses, self.settings.places))
        for name in {question.judge for question in questions}:
            # what was answered in another run is looked up
            self._lacking(f"{JUDGE}{name}", [each.request for each in questions if each.judge == name])
        answers = {each: self._responses[f"{JUDGE}{each.judge}"].get(each.request) for each in questions}
        said = {each: answer for each, answer in answers.items() if answer is not None}
        outcomes = task.outcomes(samples, responses, said)
        if task not in self._labelled:
            # the same for both checkpoints: what a judge gets wrong is no matter of whose answer it is
            self._labelled[task] = task.labelled(samples, self.settings.places, said)
        return replace(outcomes, labelled=self._labelled[task])

    def _early(self, expectations: Iterable[Expectation]) -> dict[Expectation, Stopping]:
        """Those that are asked in order, before anything is asked for them."""
        if self.settings.stop == "full":
            return {}
        begun = {each: self._begun(each) for each in expectations}
        return {each: stopping for each, stopping in begun.items() if isinstance(stopping, Stopping)}

    def _begun(self, expectation: Expectation) -> Stopping | str:
        """The start of an expectation that is asked in order, or why it is not; told of the plan and asked by it."""
        if expectation not in self._starts:
            samples = self.tasks
            by_groups, best = planned(expectation.question, samples), favourable(expectation, samples)
            self._starts[expectation] = begin(expectation, by_groups, self.settings.defaults, best)
        return self._starts[expectation]

    def _ask_until_decided(self, early: Mapping[Expectation, Stopping], counts: Counts) -> None:
        """Ask the next samples of all that are not decided, look at the answers, and go on with the rest."""
        going = {each: stopping.further() for each, stopping in early.items()}
        while going:
            wanted: dict[Role, dict[Request, None]] = defaultdict(dict)
            for stopping in going.values():
                requests = self._wanted(stopping.task, "model")
                asked = dict.fromkeys(chain.from_iterable(requests[at] for at in np.flatnonzero(stopping.asked)))
                for role in stopping.roles:
                    wanted[role].update(asked)
            # whoever is in memory is asked first
            for role in sorted(wanted, key=lambda role: role != self._loaded):
                fresh = planning.ordered(each for each in wanted[role] if each not in self._responses[role])
                if fresh:
                    self._ask(role, fresh, counts)
            self._stoppings.update(going)
            after = {each: stopping.after(self.look) for each, stopping in going.items()}
            going = {each: stopping for each, stopping in after.items() if stopping is not None}

    def _asked_early(self, task: Task, role: Role) -> np.ndarray | None:
        """Whether each sample of a task was asked, where all that read it may stop early; else None."""
        if (task, role) in self._whole:
            return None
        asked = [each.asked for each in self._stoppings.values() if each.task == task and role in each.roles]
        return np.logical_or.reduce(asked) if asked else None

    def _ask_judges(self, plan: Plan) -> None:
        """Ask each judge all that there is to ask it, once the responses are there."""
        wanted: dict[Seat, dict[Request, None]] = {}
        for task, role in dict.fromkeys(chain.from_iterable(map(planning.needs, plan.expectations))):
            if isinstance(task, Scoring) and task.is_judged:
                for each in task.questions(self.samples(task, role), self._given(task, role), self.settings.places):
                    wanted.setdefault(f"{JUDGE}{each.judge}", {})[each.request] = None
        for seat, requests in wanted.items():
            if refusal := self._refuses(seat, Choose):
                raise EngineError(refusal)
            self.by_judges.add(Counts(wanted=len(requests), distinct=len(requests)))
            self._ask(seat, list(requests), self.by_judges)

    def _follow(self, plan: Plan) -> None:
        """Ask what tasks of two rounds ask in their second, one checkpoint after the other."""
        needed = dict.fromkeys(chain.from_iterable(map(planning.needs, plan.expectations)))
        wanted: dict[Seat, list[Request]] = defaultdict(list)
        for task, role in needed:
            if isinstance(task, Followed):
                asked = task.follow(self.samples(task, role), self._given(task, role))
                for each in task.asked_by:
                    wanted[each] += chain.from_iterable(asked)
        for seat, requests in wanted.items():
            distinct = list(dict.fromkeys(requests))
            self.by_following.add(Counts(wanted=len(requests), distinct=len(distinct)))
            for kind in {type(each) for each in distinct}:
                if refusal := self._refuses(seat, kind):
                    raise EngineError(refusal)
            self._ask(seat, distinct, self.by_following)

    def _shrink(self, plan: Plan) -> None:
        """Bring down every failing case of the plan's relations, and save what they came to."""
        needed = dict.fromkeys(chain.from_iterable(map(planning.needs, plan.expectations)))
        for task in [task for task, role in needed if isinstance(task, Relational) and role == "model"]:
            if task not in self._counterexamples:
                # what is wrong with its answers is told where it is judged, and is no matter of other tests
                with suppress(BadData):
                    self._counterexamples[task] = brought = self._brought_down(task)
                    counterexamples.write(self.settings.counterexamples, task.name, [found for found, _ in brought])

    def _brought_down(self, task: Relational) -> list[tuple[Counterexample, list[dict[str, Any]]]]:
        """The failing cases of a relation, minimal, each once, with the rows of those that came to it."""
        samples, outcomes = self.samples(task), self.look(task, "model")
        failing = [int(at) for at in np.flatnonzero(outcomes.scores[FLIPS] == 1)]
        parts = task.parts(samples)

        def fails(asked: Sequence[tuple[int, tuple[Hashable, ...]]]) -> list[bool]:
            self.shrinking += len(asked)
            edited = task.edited(samples, [failing[number] for number, _ in asked], [kept for _, kept in asked])
            return [bool(flip == 1) for flip in self._asked_of(task, edited).scores[FLIPS]]

        came_to: dict[Hashable, list[tuple[int, Shrunk]]] = defaultdict(list)
        for at, each in zip(failing, shrink([parts[at] for at in failing], fails, task.kind), strict=True):
            key = samples.pair[at] if samples.pair is not None else at
            came_to[key, frozenset(each.parts)].append((at, each))
        if not came_to:
            return []
        places, minimal = zip(*(first for first, *_ in came_to.values()), strict=True)
        edited = task.edited(samples, places, [each.parts for each in minimal])
        outcomes, alone = self._asked_of(task, edited), self._fail_alone(task, edited)
        return [
            (
                task.told(edited, outcomes, number, each, stable=alone[number]),
                [samples.frame.row(at, named=True) for at, _ in same],
            )
            for number, (each, same) in enumerate(zip(minimal, came_to.values(), strict=True))
        ]

    def _asked_of(self, task: Relational, samples: Samples) -> Outcomes:
        """The outcomes of cases that were not planned."""
        requests = task.requests(samples)
        distinct = list(dict.fromkeys(chain.from_iterable(requests)))
        self.by_shrinking.add(Counts(wanted=sum(map(len, requests)), distinct=len(distinct)))
        self._ask("model", distinct, self.by_shrinking)
        had = self._responses["model"]
        return task.outcomes(samples, [[had.get(each) for each in asked] for asked in requests])

    def _fail_alone(self, task: Relational, samples: Samples) -> list[bool | None]:
        """Whether each case fails, and not by a near-tie, when its requests are asked one by one; None: not asked."""
        first = samples.take(np.arange(min(len(samples), MOST_ALONE)))
        requests = task.requests(first)
        said = self._asked_alone(list(dict.fromkeys(chain.from_iterable(requests))))
        answers = [[said.get(each) for each in asked] for asked in requests]
        nats = max(NEAR_TIE, self.noise["model"].nats if "model" in self.noise else 0.0)
        found: list[bool | None] = [None] * len(samples)
        for at, flip in enumerate(task.outcomes(first, answers).scores[FLIPS]):
            if not np.isnan(flip):
                tied = any(isinstance(each, Chosen) and _lead(each) <= nats for each in answers[at])
                found[at] = bool(flip == 1) and not tied
        return found

    def _asked_alone(self, requests: Sequence[Request]) -> dict[Request, Response]:
        """What is answered to each request in no other's company, which the store keeps apart."""
        origin = self._origin("model")
        alone = replace(origin, numerics=json.dumps({**json.loads(origin.numerics), "alone": True}, sort_keys=True))
        with self.store.alone(origin):
            said = self.store.read(alone, requests)
            lacking = self._fitting("model", [each for each in requests if each not in said])
            if lacking:
                self._close_all_but("model")
            fresh, counts = self._asked_again("model", [[each] for each in lacking])
            self.checkpoint("model").check_unchanged()
            self.store.write(alone, fresh)
        counts.wanted = counts.distinct = len(requests)
        counts.cached, counts.asked = len(said), len(fresh)
        self.by_shrinking.add(counts)
        return {**said, **fresh}

    def _searched(self, verdict: Verdict) -> Verdict:
        """The verdict with the counterexamples of what it asks; one of them decides a claim that there are none."""
        asked = dict.fromkeys(conditions(verdict.expectation.question.metric))
        found = dict.fromkeys(
            each
            for task, wanted in asked
            if isinstance(task, Relational)
            for each, rows in self._counterexamples.get(task, ())
            if any(meets(row, wanted) for row in rows)
        )
        return searched(verdict, list(found))

    def _given(self, task: Task, role: Role) -> list[list[Response | None]]:
        """What was responded about each sample, None where nothing came."""
        had = self._responses[role]
        return [[had.get(each) for each in requests] for requests in self._wanted(task, role)]

    def _wanted(self, task: Task, role: Role) -> list[tuple[Request, ...]]:
        """What is asked about each sample of a task, made once."""
        samples = self.samples(task, role)
        if task not in self._requests:
            self._requests[task] = task.requests(samples)
        return self._requests[task]

    def _distinct(self, task: Task, role: Role) -> Iterable[Request]:
        return dict.fromkeys(chain.from_iterable(self._wanted(task, role)))

    def _origin(self, role: Seat) -> Origin:
        checkpoint = self.checkpoint(role)
        return Origin(checkpoint.name, checkpoint.fingerprint, self.engine(role).numerics)

    def _lacking(self, role: Seat, requests: Iterable[Request]) -> list[Request]:
        had = self._responses[role]
        unknown = [request for request in requests if request not in had]
        self._learn(role, self.store.read(self._origin(role), unknown))
        return [request for request in unknown if request not in had]

    def _learn(self, role: Seat, answers: Mapping[Request, Response]) -> None:
        """Take answers over, wherever they come from; what was looked up before is no longer what is known."""
        if not answers:
            return
        self._responses[role].update(answers)
        if judges := role.startswith(JUDGE):
            self._labelled.clear()
        self._outcomes = {
            key: held
            for key, held in self._outcomes.items()
            if key[1] != role and not judges and not isinstance(key[0], Followed)
        }

    def _refusal(self, task: Task, role: Role) -> str | None:
        """Why a checkpoint cannot answer a task. What else is wrong with either is said where it is needed."""
        with suppress(FairprobeError):
            # a task asks about each sample in the same way
            return next(filter(None, (self._refuses(role, type(each)) for each in self._wanted(task, role)[0])), None)
        return None

    def _refuses(self, role: Seat, kind: type[Request]) -> str | None:
        if (role, kind) not in self._refusals:
            # a checkpoint that cannot be had is looked for once, not for every expectation
            self._refusals[role, kind] = None
            self._refusals[role, kind] = self.engine(role).refuses(kind)
        return self._refusals[role, kind]

    def _ask(self, role: Seat, requests: Sequence[Request], counts: Counts) -> None:
        lacking = self._lacking(role, requests)
        fitting = self._fitting(role, lacking)
        counts.cached += len(requests) - len(lacking)
        counts.too_long += len(lacking) - len(fitting)
        if not fitting:
            return
        # another worker or run may be asking the same: wait for it, then read what it wrote
        with self.store.alone(self._origin(role)):
            lacking = self._lacking(role, fitting)
            counts.cached += len(fitting) - len(lacking)
            if lacking:
                self._ask_engine(role, lacking, counts)

    def _fitting(self, role: Seat, requests: Sequence[Request]) -> list[Request]:
        """The requests that can be asked; that another does not fit is its response."""
        if not requests:
            return []
        encoded = zip(requests, self.engine(role).encode_all(requests), strict=True)
        unfit = {request: fit for request, fit in encoded if isinstance(fit, DoesNotFit)}
        self._learn(role, unfit)
        return [request for request in requests if request not in unfit]

    def _ask_engine(self, role: Seat, requests: Sequence[Request], counts: Counts) -> None:
        engine, checkpoint = self.engine(role), self.checkpoint(role)
        self._close_all_but(role)
        self._loaded = role
        chunk: dict[Request, Response] = {}
        kept = started = time.monotonic()
        before, answered = dict(engine.counts), counts.asked

        def computed(what: str) -> int:
            return engine.counts[what] - before[what]

        try:
            with Progressing(
                f"asking the {role.partition(' ')[0]} {checkpoint.name}", len(requests), self.console,
                lambda: computed("prefill_tokens") + computed("output_tokens"),
            ) as progress:  # fmt: skip
                for answers in engine.answers(requests):
                    chunk.update(answers)
                    progress.advance(len(answers))
                    if time.monotonic() - kept > CHUNK_SECONDS:
                        self._keep(role, chunk, counts)
                        chunk, kept = {}, time.monotonic()
        finally:
            # whatever stopped the engine, what it said is kept and what it computed is counted
            counts.prompt_tokens += computed("prefill_tokens")
            counts.output_tokens += computed("output_tokens")
            self._keep(role, chunk, counts)
            self._keep_pace(role, requests[: counts.asked - answered], time.monotonic() - started)
        self._measure_noise(role, requests)

    def _keep_pace(self, role: Seat, answered: Sequence[Request], seconds: float) -> None:
        """How fast a checkpoint is, of all that it answered in this run."""
        spent = Pace(seconds, len(answered), self._prompt_tokens(role, answered) or 0)
        self._spent[role] = self._spent[role].plus(spent) if role in self._spent else spent
        pace.keep(self._pace_file, self._origin(role), self._spent[role])

    @property
    def _pace_file(self) -> Path:
        return self.settings.store.parent / pace.NAME

    def _close_all_but(self, role: Seat) -> None:
        """Release other checkpoints: one is in memory at a time."""
        for other in self._engines.keys() - {role}:
            self._engines[other].close()
        for session in self.beside:
            if session is not self:
                session.close()

    def _measure_noise(self, role: Seat, requests: Sequence[Request]) -> None:
        """Ask some of what was asked again, in less company; nothing of it is kept.

        What is asked in small parts is asked again once there is enough of it.
        """
        had, known = self._responses[role], self.noise.get(role)
        first = self._unheard[role]
        first.update((request, had[request]) for request in requests if request in had)
        again = noise.again(first, self.settings.defaults.seed)[: noise.MOST - (known.requests if known else 0)]
        if not again:
            return
        second, counts = self._asked_again(role, [again])
        counts.wanted = counts.distinct = counts.asked = len(again)
        self.by_noise.add(counts)
        if found := noise.noise(first, second):
            self.noise[role] = found.plus(known) if known else found
        first.clear()

    def _asked_again(self, role: Seat, batches: Sequence[Sequence[Request]]) -> tuple[dict[Request, Response], Counts]:
        """What an engine says of what it answered before, a batch after the other, and the tokens that this took.

        Without an answer the run only knows less of how far answers vary.
        """
        engine = self.engine(role)
        before, said = dict(engine.counts), dict[Request, Response]()
        with suppress(EngineError):
            for batch in batches:
                said.update(pair for chunk in engine.answers(batch) for pair in chunk.items())
        prompt, output = (engine.counts[name] - before[name] for name in ("prefill_tokens", "output_tokens"))
        return said, Counts(prompt_tokens=prompt, output_tokens=output)

    def _keep(self, role: Seat, chunk: Mapping[Request, Response], counts: Counts) -> None:
        self.checkpoint(role).check_unchanged()
        self._learn(role, chunk)
        self.failures[role] += [each.error for each in chunk.values() if isinstance(each, Failed)]
        counts.asked += len(chunk)
        self.store.write(self._origin(role), chunk)


@dataclass(frozen=True)
class _Encoding:
    """How the checkpoint in a role reads texts; its tokenizer is read when it is first asked."""

    session: Session
    role: Role

    @property
    def size(self) -> int:
        """How many tokens its vocabulary has."""
        return int(self._tokens.size)

    def ids(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of the tokens of each text, with nothing put around it."""
        return list(self._tokens.ids(texts))

    @property
    def _tokens(self) -> Any:
        tokens = getattr(self.session.engine(self.role), "tokens", None)
        if tokens is None:
            msg = (
                f"{self.session.checkpoint(self.role).name} gives no tokens to count; name its tokenizer: "
                "--fairprobe-engine-arg tokenizer=PATH"
            )
            raise EngineError(msg)
        return tokens


def _lead(answer: Chosen) -> float:
    """How far the likeliest option lies before the next, in nats."""
    first, second = sorted(answer.loglikelihoods, reverse=True)[:2] if len(answer.loglikelihoods) > 1 else (1.0, 0.0)
    return first - second
