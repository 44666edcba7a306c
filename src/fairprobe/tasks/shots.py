"""Few-shot examples: which samples stand before a question with their answers, and how they stand there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fairprobe import data as sources
from fairprobe.errors import BadData
from fairprobe.requests import Message

if TYPE_CHECKING:
    from fairprobe.tasks.task import Samples  # a task has shots, so its module comes after this one

Content = str | tuple[Message, ...]
Group = tuple[Any, ...]


class Example(NamedTuple):
    """A question and its answer."""

    content: Content
    answer: str


@dataclass(frozen=True, repr=False)
class Shots:
    """How many examples stand before a question, and where they come from.

    They are drawn by `seed` from `data` (default: the task's own samples), among the rows that have the sample's values
    in the columns `by`.

    >>> Shots(1, by="language")
    Shots(1, by=('language',))
    """

    count: int
    data: Any = None
    by: str | Sequence[str] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        by = (self.by,) if isinstance(self.by, str) else tuple(self.by or ())
        object.__setattr__(self, "by", by)
        if not isinstance(self.count, int) or self.count < 0:
            msg = f"shots={self.count!r}: it is how many examples stand before a question, such as 5, or Shots(5, …)"
            raise BadData(msg)

    def __repr__(self) -> str:
        where = () if self.data is None else (f"data={getattr(self.data, 'pattern', '…')!r}",)
        by, seed = ((f"{name}={held!r}",) if held else () for name, held in (("by", self.by), ("seed", self.seed)))
        return f"Shots({', '.join([str(self.count), *where, *by, *seed])})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in which an example has the sample's values."""
        return self.by  # type: ignore[return-value]  # made a tuple when the shots were


def settled(given: int | Shots, beside: Path) -> Shots:
    """Shots as a value that can be compared and read; a relative path of theirs lies beside the module of the task.

    >>> settled(3, Path("suites"))
    Shots(3)
    """
    shots = given if isinstance(given, Shots) else Shots(given)
    unread = shots.data is not None and not isinstance(shots.data, (sources.Files, sources.Frame))
    return replace(shots, data=sources.source_of(shots.data, beside)) if unread else shots


def chosen(
    samples: Samples, shots: Shots, pool: Samples | None, questions: Callable[[Samples], Sequence[Hashable]]
) -> list[list[int]]:
    """For each sample the places of its examples in the pool, by default the samples themselves.

    They stand in one order for a whole group, of which each sample takes the first that are not its own, so that most
    prompts of a group begin alike. Where there are pairs the order is that of the pairs, so that all groups see the
    same questions. The order of rows, and what other groups hold, changes nothing.
    """
    if not shots.count:
        return [[] for _ in range(len(samples))]
    pool = samples if pool is None else pool
    theirs = _marked(pool, shots, questions(pool))
    mine = theirs if pool is samples else _marked(samples, shots, questions(samples))
    order = _ordered(pool, shots, theirs)
    return [_first(shots, number, mark, order.get(mark.group, ()), theirs) for number, mark in enumerate(mine, start=1)]


def preceded(content: Content, examples: Sequence[Example]) -> Content:
    r"""A question after its examples: texts parted by blank lines, or turns of a chat after its system message.

    >>> preceded("What swims?", [Example("What flies?", "an owl")])
    'What flies? an owl\n\nWhat swims?'
    >>> preceded((("user", "What swims?"),), [Example((("user", "What flies?"),), "an owl")])
    (('user', 'What flies?'), ('assistant', 'an owl'), ('user', 'What swims?'))
    """
    if not examples:
        return content
    texts = [each.content for each in examples if isinstance(each.content, str)]
    if isinstance(content, str) and len(texts) == len(examples):
        told = (f"{text} {each.answer}" if text else each.answer for text, each in zip(texts, examples, strict=True))
        return "\n\n".join([*told, content])
    turns = [turn for each in examples for turn in (*_turns(each.content), ("assistant", each.answer))]
    system = [turn for turn in _messages(content) if turn[0] == "system"]
    return (*system, *turns, *_turns(content))


class _Mark(NamedTuple):
    """A row's group, the keys that no example of it may have too, and the question that an order goes by."""

    group: Group
    own: frozenset[Hashable]
    asks: Hashable


def _marked(rows: Samples, shots: Shots, questions: Sequence[Hashable]) -> list[_Mark]:
    columns = [sources.column(rows.frame, name, f"{shots!r} goes by {name!r}, but the data") for name in shots.columns]
    groups = list(zip(*columns, strict=True)) if columns else [()] * len(rows)
    # keys of another file mean other things
    tied = [] if shots.data is not None else [rows.cluster, *([] if rows.pair is None else [rows.pair])]
    own = map(frozenset, zip(*(_keyed(name, keys) for name, keys in enumerate([questions, *tied])), strict=True))
    return list(map(_Mark, groups, own, questions if rows.pair is None else rows.pair))


def _keyed(kind: int, keys: Iterable[Hashable]) -> list[Hashable]:
    return [(kind, key) for key in keys]


def _ordered(pool: Samples, shots: Shots, marks: Sequence[_Mark]) -> Mapping[Group, Sequence[int]]:
    """Each group's places in an order of their own, one of those that ask the same; rows without a group in none."""
    ranks = [
        (_digest(shots.seed, mark.asks), _digest(shots.seed, row)) for mark, row in zip(marks, pool.rows, strict=True)
    ]
    groups: dict[Group, dict[bytes, int]] = {}
    for place in sorted(range(len(marks)), key=ranks.__getitem__):
        if None not in marks[place].group:
            groups.setdefault(marks[place].group, {}).setdefault(ranks[place][0], place)
    return {group: list(places.values()) for group, places in groups.items()}


def _first(shots: Shots, number: int, mark: _Mark, order: Sequence[int], marks: Sequence[_Mark]) -> list[int]:
    places = list(islice((place for place in order if mark.own.isdisjoint(marks[place].own)), shots.count))
    if len(places) < shots.count:
        group = " and ".join(f"{name} {value!r}" for name, value in zip(shots.columns, mark.group, strict=True))
        msg = (
            f"{shots!r}: sample {number} needs {shots.count} examples{f' of {group}' if group else ''}, and of the "
            f"{len(order)} there only {len(places)} can stand before it, since none may be of its pair or cluster or "
            "ask the same; ask for fewer, or name other data to draw them from"
        )
        raise BadData(msg)
    return places


def _digest(seed: int, held: object) -> bytes:
    return hashlib.sha256(repr((seed, held)).encode()).digest()


def _messages(content: Content) -> tuple[Message, ...]:
    return (("user", content),) if isinstance(content, str) else content


def _turns(content: Content) -> tuple[Message, ...]:
    return tuple(turn for turn in _messages(content) if turn[0] != "system")
