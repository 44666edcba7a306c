"""What every task is: named samples with groups, pairs and clusters, and outcomes with scores and statuses."""

from __future__ import annotations

import keyword
import string
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData, BadExpectation
from fairprobe.requests import Answer, DoesNotFit, Failed, Format, Message, Prompt, Request, Response, Unfinished
from fairprobe.scorers import UNSCORED, Scorer, name_of
from fairprobe.tasks.shots import Content, Example, Shots, chosen, preceded, settled
from fairprobe.tasks.treatments import Treatment

Row = Mapping[str, Any]
Made = TypeVar("Made")
TELLING = 20
"""Letters from which on a text is one sample's own."""
Followers = Mapping[str, Sequence[Sequence[Response | None]]]
"""By checkpoint, what was answered in the second round to each sample's requests, in their order."""
Prompter = str | Callable[[Row], str | Sequence[Mapping[str, str] | Message]]


@dataclass(frozen=True, eq=False)
class Dropped:
    """Rows that are no samples, and why: they are counted by group and shown, never silently gone."""

    reason: str
    frame: pl.DataFrame


@dataclass(frozen=True, eq=False)
class Samples:
    """A task's rows in their order, with the keys that tie them together.

    `pair` and `cluster` are arrays of n keys (`pair` may be None); `weight` is an array of n numbers or None; `asked`
    an array of n keys of what is asked, where a pair is not all that groups have in common.
    `whole` holds all of the task's samples where these are a part; `pool` other ones to draw examples from; `unedited`
    the same samples before something was changed, by which examples are chosen; `illustrative` rows only show how a
    suite runs.
    """

    frame: pl.DataFrame
    cluster: np.ndarray
    pair: np.ndarray | None = None
    weight: np.ndarray | None = None
    asked: np.ndarray | None = None
    sources: tuple[data.Source, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    whole: Samples | None = None
    pool: Samples | None = None
    unedited: Samples | None = None
    illustrative: bool = False

    def __len__(self) -> int:
        return self.frame.height

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The samples as dicts."""
        return self.frame.to_dicts()

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What a task makes of its rows, made when it is first needed: a large suite asks for it again and again."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    def take(self, index: np.ndarray) -> Samples:
        """These samples alone, in this order."""
        return replace(
            self,
            frame=self.frame[index],
            cluster=self.cluster[index],
            pair=None if self.pair is None else self.pair[index],
            weight=None if self.weight is None else self.weight[index],
            asked=None if self.asked is None else self.asked[index],
            whole=self.whole or self,
        )


@dataclass(frozen=True, eq=False)
class Choices:
    """Which of its options each sample fell on.

    `chosen` holds the place of the option, from 0 (-1: none), of n samples; `expected` (n, most options) the share of
    choices that is due to each place: 1 where the right option stands, or what people say; `shares` (the same shape)
    how probable each option is, or 1 for the one that was written.
    """

    chosen: np.ndarray
    expected: np.ndarray
    shares: np.ndarray | None = None

    def take(self, index: np.ndarray) -> Choices:
        """Those of these samples alone."""
        shares = None if self.shares is None else self.shares[index]
        return Choices(self.chosen[index], self.expected[index], shares)


class Encoding(Protocol):
    """How a checkpoint reads texts."""

    @property
    def size(self) -> int:
        """How many tokens its vocabulary has."""

    def ids(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of the tokens of each text, with nothing put around it."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Answers that people labelled: which are right, what a scorer says of each (NaN: nothing), and their columns."""

    frame: pl.DataFrame
    right: np.ndarray
    scored: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcomes:
    """A row per sample: its scores by name (NaN where there is none), its status, and what was said.

    `ranges` holds the lowest and highest value that each score can have, infinite where it is unbounded; `noise` the
    variance of each score that is an average of several drawn answers; `tokens` how many the prompt and the answer are.
    `texts` holds every answer to a sample by itself and `draws` the scores of each, by name an array (n, answers);
    `encode` is how the checkpoint reads texts. `labelled` holds labelled answers by the score whose errors they tell.
    `choices` says what was chosen where options were; `template` which chat template the checkpoint has; `unsettled`
    what share of choices fell on another option when they were asked again; `beside` are the outcomes of the same
    samples as they were before something was changed.
    """

    samples: Samples
    scores: Mapping[str, np.ndarray]
    status: np.ndarray
    responses: Sequence[str | None] = ()
    prompts: Sequence[str | None] = ()
    targets: Sequence[str | None] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    noise: Mapping[str, np.ndarray] = field(default_factory=dict)
    tokens: Mapping[str, np.ndarray] = field(default_factory=dict)
    choices: Choices | None = None
    texts: Sequence[tuple[str, ...]] = ()
    draws: Mapping[str, np.ndarray] = field(default_factory=dict)
    encode: Encoding | None = None
    labelled: Mapping[str, Labelled] = field(default_factory=dict)
    template: str | None = None
    unsettled: float | None = None
    beside: Outcomes | None = None

    @cached_property
    def answered(self) -> np.ndarray:
        """Whether each sample was answered, well or badly."""
        return ~np.isin(self.status, list(UNSCORED))

    def range_of(self, score: str) -> tuple[float, float]:
        """The range of a score; [0, 1] unless something else was declared."""
        return self.ranges.get(score, (0.0, 1.0))

    def take(self, index: np.ndarray) -> Outcomes:
        """The outcomes of these samples alone, in this order."""
        return replace(
            self,
            samples=self.samples.take(index),
            status=self.status[index],
            scores={name: values[index] for name, values in self.scores.items()},
            noise={name: values[index] for name, values in self.noise.items()},
            tokens={name: values[index] for name, values in self.tokens.items()},
            responses=[self.responses[place] for place in index] if self.responses else (),
            prompts=[self.prompts[place] for place in index] if self.prompts else (),
            texts=[self.texts[place] for place in index] if self.texts else (),
            draws={name: values[index] for name, values in self.draws.items()},
            targets=[self.targets[place] for place in index] if self.targets else (),
            choices=None if self.choices is None else self.choices.take(index),
            beside=None if self.beside is None else self.beside.take(index),
        )


@dataclass(frozen=True, repr=False)
class Task:
    """Samples under a name, and the columns that pair, cluster and weigh them.

    `data` is a path, glob or URL (JSON Lines, JSON, CSV, TSV, Parquet), a `Dataset` or a dataframe; a relative path is
    looked up under the run's root of data, then beside the module that builds the task. `pair` names the column whose
    value says that two samples are the same question put to two groups; `cluster` the unit that is independent of the
    others (default: the pair, else the sample); `weight` a column of non-negative numbers.
    """

    data: Any
    _: KW_ONLY
    name: str = ""
    pair: str | None = None
    cluster: str | None = None
    weight: str | None = None

    against_baseline: ClassVar[bool] = False
    """Whether its outcomes compare the model with its baseline already."""
    asks: ClassVar[bool] = True
    """Whether the task puts requests to a checkpoint; recorded tasks do not."""

    def __post_init__(self) -> None:
        source = self._source()
        object.__setattr__(self, "data", source)
        if not self.name and isinstance(source, data.Frame):
            msg = (
                f"a {type(self).__name__} of a dataframe needs a name, as in {type(self).__name__}(frame, "
                "name='clues', …)"
            )
            raise BadData(msg)
        object.__setattr__(self, "name", self.name or source.stem())
        check_name(self.name)

    def __repr__(self) -> str:
        source = self.data.pattern if isinstance(self.data, data.Files) else f"{self.data.rows.height} samples"
        return f"{type(self).__name__}({self.name!r}, {source})"

    @property
    def lacks_target(self) -> bool:
        """Whether its scores compare answers with a target that it does not name, and so would all be 0."""
        return False

    @property
    def drawn(self) -> bool:
        """Whether answers are drawn at a temperature, so that another run would bring others."""
        return False

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """Columns that scores are made of; a subset balanced by them would hide what they show."""
        return ()

    @property
    def numbering_columns(self) -> tuple[str, ...]:
        """Columns that number the data's rows, and so are others where the data have other rows."""
        return ()

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns that are read as they are written, numbers among them."""
        return ()

    @property
    def sampled(self) -> str:
        """The name of the samples: what is asked of the same ones varies with them."""
        return self.name

    def treated(self, treatment: Treatment) -> Self:
        """The same task with a treatment of its prompts. Raises where nothing is prompted."""
        msg = f"{self!r} prompts no checkpoint, so nothing is treated by {treatment!r}"
        raise BadExpectation(msg)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The names of the scores that its outcomes hold; the first is what `accuracy` reads."""
        raise NotImplementedError

    def load(self, places: data.Places = data.HERE) -> Samples:
        """The samples. Raises `BadData` or `UnknownGroup` for what does not fit the task."""
        samples = self._keyed(data.read(self.data, places, self.text_columns))
        self.check(samples)
        return samples

    def check(self, samples: Samples) -> None:
        """Raise `BadData` where the samples cannot be asked."""

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """What is asked about each sample."""
        raise NotImplementedError

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Outcomes:
        """What came of each sample; `responses` stand in the order of `requests`, None where nothing came."""
        raise NotImplementedError

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:  # noqa: ARG002 - tasks differ
        """The lowest and highest value that each score can have."""
        return dict.fromkeys(self.score_names, (0.0, 1.0))

    def chance(self, samples: Samples) -> float | None:  # noqa: ARG002 - tasks differ
        """The accuracy of an answer that knows nothing; None where no target is known."""
        return None

    @property
    def budget(self) -> int | None:
        """How many tokens an answer may have; None where it is not written."""
        return None

    def unwinnable(self, samples: Samples, score: str) -> np.ndarray | None:  # noqa: ARG002 - tasks differ
        """Whether a score refuses each sample's own target; None where it is not compared with one."""
        return None

    def leaked(self, samples: Samples) -> np.ndarray | None:  # noqa: ARG002 - tasks differ
        """Whether each sample's own text stands in its prompt once more; None where nothing is known of its text."""
        return None

    def _keyed(self, rows: data.Rows) -> Samples:
        frame = rows.frame
        pair = self._keys(frame, self.pair) if self.pair else None
        if self.cluster:
            cluster = self._keys(frame, self.cluster)
        elif pair is not None:
            cluster = pair
        else:
            cluster = np.array([f"{self.sampled}:{index}" for index in range(frame.height)], dtype=object)
        return Samples(frame, cluster, pair, self._weights(frame), sources=rows.sources, illustrative=rows.illustrative)

    def _tied(self, samples: Samples, keys: Sequence[Hashable]) -> Samples:
        """The samples with these pairs, where no column was named for them."""
        if self.pair is not None:
            return samples
        pair = np.array(keys, dtype=object)
        return replace(samples, pair=pair, cluster=samples.cluster if self.cluster else pair)

    def _source(self) -> data.Files | data.Frame:
        return data.source_of(self.data, data.callers_folder())

    def _keys(self, frame: pl.DataFrame, name: str) -> np.ndarray:
        values = data.column(frame, name, repr(self))
        if values.null_count():
            row = int(values.is_null().arg_max() or 0)
            msg = f"{self!r} has no {name!r} in row {row + 1}; a pair or cluster key is needed in every row"
            raise BadData(msg)
        return np.array(values.to_list(), dtype=object)

    def _weights(self, frame: pl.DataFrame) -> np.ndarray | None:
        if self.weight is None:
            return None
        values = data.column(frame, self.weight, repr(self))
        given = values.to_numpy() if values.dtype.is_numeric() and not values.null_count() else np.array([np.nan])
        if not (np.isfinite(given) & (given >= 0)).all():
            msg = f"{self!r}: weight={self.weight!r} should be a column of non-negative numbers, it is {values.dtype}"
            raise BadData(msg)
        return given.astype(float)


@dataclass(frozen=True, repr=False)
class Asking(Task):
    """A task that puts prompts to a checkpoint.

    `prompt` is a format string over the columns, or a function of a row to a text or chat messages. `system` is a
    system message, `prefix` the beginning of the answer, `format` whether to use the chat template. `shots` examples
    stand before each question, never the sample itself, its pair or its cluster: a number, or `Shots(5, by="dialect")`.
    """

    prompt: Prompter = ""
    _: KW_ONLY
    system: str | None = None
    prefix: str = ""
    format: Format = "auto"
    shots: int | Shots = 0
    treatment: Treatment | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "shots", settled(self.shots, data.callers_folder()))
        if self.format not in {"auto", "chat", "plain"}:
            msg = f"{self!r}: format is 'auto', 'chat' or 'plain', not {self.format!r}"
            raise BadData(msg)

    def load(self, places: data.Places = data.HERE) -> Samples:
        """The samples, with those that examples are drawn from where these lie elsewhere."""
        samples = super().load(places)
        if self._shots.data is None:
            return samples
        rows = data.read(self._shots.data, places, self.text_columns)
        pool = Samples(rows.frame, np.arange(rows.frame.height), sources=rows.sources)
        self.check(pool)
        return replace(samples, pool=pool, sources=(*samples.sources, *pool.sources))

    def check(self, samples: Samples) -> None:
        """Raise `UnknownGroup` where the prompt names a column that there is not."""
        for name in self._fields:
            data.column(samples.frame, name, f"the prompt of {self!r} needs {{{name}}}, but it")

    def prompts(self, samples: Samples) -> Sequence[Prompt]:
        """The prompt of every sample."""
        return samples.once((self, "prompts"), lambda: list(self._prompts(samples)))

    def _prompts(self, samples: Samples) -> Iterator[Prompt]:
        yield from self._prompted(samples, self._contents(samples))

    def _prompted(self, samples: Samples, contents: Sequence[Content]) -> Iterator[Prompt]:
        """The prompts of these questions, with what stands before each."""
        if self.treatment is not None:
            contents = [self.treatment.of(*each) for each in zip(contents, samples.rows, strict=True)]
        for content, examples in zip(contents, self._examples(samples), strict=True):
            yield Prompt(preceded(content, examples), self.system, self.prefix, self.format)

    @property
    def sampled(self) -> str:
        """The task's name without its treatment's: the samples are the same."""
        return self.name.removesuffix(f"_{self.treatment.name}") if self.treatment is not None else self.name

    def treated(self, treatment: Treatment) -> Self:
        """The same task with a treatment before every prompt."""
        made = copy(self)  # what is given was made into values when this task was
        object.__setattr__(made, "treatment", treatment)
        object.__setattr__(made, "name", f"{self.name}_{treatment.name}")
        return made

    def _contents(self, samples: Samples) -> list[Content]:
        """The question of every sample, without what stands before it."""
        return [self._content(row, number) for number, row in enumerate(samples.rows, start=1)]

    def _questions(self, samples: Samples) -> Sequence[Hashable]:
        """What tells that two samples ask the same."""
        return self._contents(samples)

    def _answers(self, samples: Samples) -> Sequence[str]:  # noqa: ARG002 - tasks differ
        """What each sample's answer is where it stands as an example."""
        msg = f"{self!r} has no right answers to stand in examples; leave shots at 0"
        raise BadData(msg)

    def _examples(self, samples: Samples) -> Sequence[Sequence[Example]]:
        """The examples that stand before each question."""
        if not self._shots.count:
            return [()] * len(samples)
        asked = samples.unedited or samples
        pool = samples.pool or samples.whole or samples
        lead = f"{self.prefix.rstrip()} " if self.prefix else ""
        held = [
            Example(content, f"{lead}{answer}")
            for content, answer in zip(self._contents(pool), self._answers(pool), strict=True)
        ]
        return [[held[at] for at in places] for places in chosen(asked, self._shots, pool, self._questions)]

    def leaked(self, samples: Samples) -> np.ndarray | None:
        """Whether a text of the sample stands in its prompt more often than the prompt puts it there."""
        return None if callable(self.prompt) else samples.once((self, "leaked"), lambda: self._leaked(samples))

    def _leaked(self, samples: Samples) -> np.ndarray:
        placed = Counter(self._words)

        def leaks(prompt: Prompt, row: Row) -> bool:
            held = {name: text for name in placed if isinstance(text := row.get(name), str)}
            # a sentence may be one of the passage that it is about
            due = {name: sum(n * held[other].count(text) for other, n in placed.items() if other in held)
                   for name, text in held.items() if len(text) >= TELLING}  # fmt: skip
            return any(prompt.text.count(held[name]) > times for name, times in due.items())

        return np.array([leaks(*each) for each in zip(self.prompts(samples), samples.rows, strict=True)], dtype=bool)

    @property
    def _shots(self) -> Shots:
        return self.shots  # type: ignore[return-value]  # settled when the task was made

    @property
    def _fields(self) -> Sequence[str]:
        """The columns that the prompt needs."""
        return self._words

    @cached_property
    def _words(self) -> Sequence[str]:
        """What stands in the prompt's braces; read once, not for every row."""
        if callable(self.prompt):
            return ()
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(self.prompt) if name is not None]
        except ValueError as error:
            msg = f"{self!r}: the prompt {self.prompt!r} is no format string: {error}; write {{{{ and }}}} for braces"
            raise BadData(msg) from None
        if "" in names:
            msg = (
                f"{self!r}: the prompt {self.prompt!r} has an empty {{}}; name a column in it, or write "
                "{{}} for braces"
            )
            raise BadData(msg)
        return [name.partition(".")[0].partition("[")[0] for name in names]

    def _content(self, row: Row, number: int) -> Content:
        if callable(self.prompt):
            return self._called(self.prompt, row, number)
        missing = [name for name in self._words if row.get(name) is None]
        if missing:
            msg = f"{self!r}: row {number} has no value in column {missing[0]!r}, which the prompt needs"
            raise BadData(msg)
        return self._called(self.prompt.format_map, row, number)

    def _called(self, prompt: Callable[[Row], Any], row: Row, number: int) -> Content:
        try:
            given = prompt(row)
            return given if isinstance(given, str) else tuple(map(_message, given))
        except Exception as error:
            msg = f"{self!r}: the prompt of row {number} raised {error!r}; it gives a text or chat messages"
            raise BadData(msg) from error


class Followed(Task):
    """A task of two rounds: what it asks in the second depends on what was answered in the first."""

    asked_by: ClassVar[tuple[str, ...]] = ()
    """The checkpoints that are asked in the second round."""

    def follow(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> list[tuple[Request, ...]]:
        """What is asked about each sample, once these are the responses to its first requests."""
        raise NotImplementedError

    def followed(self, samples: Samples, responses: Sequence[Sequence[Response | None]], second: Followers) -> Outcomes:
        """What came of each sample, given what each checkpoint answered in the second round."""
        raise NotImplementedError


def spent(responses: Sequence[Sequence[Response | None]]) -> Mapping[str, np.ndarray]:
    """How many tokens each sample's prompt and answer are, on average over its answers; NaN where none came."""
    counted = [
        [(answer.prompt_tokens, _answer_tokens(answer)) for answer in answers if isinstance(answer, Answer)]
        for answers in responses
    ]
    means = np.array([np.mean(each, axis=0) if each else (np.nan, np.nan) for each in counted]).reshape(-1, 2)
    return {"prompt": means[:, 0], "answer": means[:, 1]}


def _answer_tokens(answer: Answer) -> float:
    return float(answer.output_tokens if hasattr(answer, "output_tokens") else sum(getattr(answer, "tokens", ())))


def check_name(name: str) -> None:
    """Raise `BadData` for what is no name in an expression."""
    if not name.isidentifier() or keyword.iskeyword(name):
        msg = (
            f"name={name!r}: a task's name is used in expressions, so it is a word of letters, "
            "digits and _; give another name="
        )
        raise BadData(msg)


def named_scorers(scorer: Scorer | Mapping[str, Scorer]) -> tuple[tuple[str, Scorer], ...]:
    """Scorers with the names that their values are read by."""
    return tuple(scorer.items()) if isinstance(scorer, Mapping) else ((name_of(scorer), scorer),)


def unanswered(response: Response | None) -> str | None:
    """The status of a sample that brought no answer, or None."""
    if response is None:
        return "missing"
    if isinstance(response, Failed):
        return "error"
    # no answer began, so there is nothing to score: it stands as it is, at 0, and the truncation guard counts it
    return "truncated" if isinstance(response, (DoesNotFit, Unfinished)) else None


def shown_target(target: Any) -> str | None:
    """A target as the report shows it: several references in one line."""
    if isinstance(target, (list, tuple)):
        return " | ".join(map(str, target))
    return None if target is None else str(target)


def _message(given: Mapping[str, str] | Message) -> Message:
    return (given["role"], given["content"]) if isinstance(given, Mapping) else (given[0], given[1])
