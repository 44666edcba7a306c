"""The text of a first suite: the task in the shortest form that works, and expectations that are to be decided on."""

from __future__ import annotations

import builtins
import json
import keyword
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fairprobe.data import Dataset, Files
from fairprobe.starting.columns import Columns

CHANCE = 0.05
"""What an open answer that knows nothing is right by, and by how much a floor lies above chance."""
LONGEST, TOKENS = 64, 16
"""Tokens that an answer may have at most, and at least."""
IMPORTED = {"Generation", "MultipleChoice", "Recorded", "accuracy", "scorers", "valid_rate"}
LONGEST_NAME = 30
ROOM = 65
"""Letters that names have in the longest line of a module."""


def variable(stem: str) -> str:
    """What the task is called in the module.

    >>> variable("clues"), variable("my clues-2"), variable("test"), variable("2024")
    ('clues', 'my_clues_2', 'samples_test', 'samples_2024')
    """
    name = re.sub(r"\W+", "_", stem).strip("_")[:LONGEST_NAME].strip("_") or "data"
    # the names of tests are pytest's
    odd = name.startswith("test") or not name.isidentifier() or keyword.iskeyword(name)
    return f"samples_{name}" if odd or name in IMPORTED or hasattr(builtins, name) else name


def write(columns: Columns, *, path: str, name: str, values: list[Any], chance: float | None, answer: int) -> str:
    """The module, as ruff formats it.

    `path` leads to the data; `name` is the task's variable; `values` are the groups, the commonest first; `chance` is
    what guessing is right by, where that is known; `answer` the letters of the longest right answer.
    """
    group, said = columns.group.one, _quoted(columns.group.one)
    word = re.sub(r"\W+", "_", group).strip("_").lower()
    if not word or len(word + name + said) > ROOM:
        word = "group"
    task = [f"{name} = {columns.kind}(", *(f"    {line}," for line in _arguments(columns, path, name, answer)), ")"]
    lines = [
        '"""What must hold of these samples. `fairprobe init` wrote this: every bound is yours to decide."""',
        "",
        f"from fairprobe import {', '.join(_imports(columns))}",
        "",
        *task,
        "",
        "# Decide how far apart any two groups may lie: 0.05 is five right answers in a hundred.",
        f"test_{word}_gap = accuracy({name}).gap({said}) < 0.05",
        "",
        f"# Decide what every group is owed: {_floor_reason(chance)}.",
        f"test_every_{word}_is_served = accuracy({name}).by({said}) > {_floor(chance)}",
    ]
    if _writes(columns):
        lines += [
            "",
            "# Decide how many answers may be empty or cut short, in any group.",
            f"test_every_{word}_gets_an_answer = valid_rate({name}).by({said}) > 0.95",
        ]
    change = f"accuracy({name}).change().gap({said}, reference={_quoted(values[0])}) < 0.05"
    lines += [
        "",
        f"# With --baseline=…, decide whom others are compared with ({_plain(str(values[0]))} is the commonest), and:",
        f"# test_tuning_widens_no_gap = {change}",
        "",
    ]
    return "\n".join(lines)


def _arguments(columns: Columns, path: str, name: str, answer: int) -> Iterator[str]:
    yield _quoted(path)
    if columns.prompt is not None:
        end = "\nAnswer:" if columns.kind == "Generation" else ""
        fields = "\n".join(f"{{{column}}}" for column in columns.prompt.columns)
        yield f"prompt={_quoted(fields + end)}"
    if columns.options is not None and columns.kind == "MultipleChoice":
        several = columns.options.columns
        yield f"options={_quoted(several[0]) if len(several) == 1 else _listed(several)}"
    for argument, held in (("score", columns.score), ("response", columns.response)):
        if held is not None:
            yield f"{argument}={_quoted(held.one)}"
    if columns.answer is not None:
        yield f"{'answer' if columns.kind == 'MultipleChoice' else 'target'}={_quoted(columns.answer.one)}"
    if _writes(columns):
        yield "scorer=scorers.contains"
    if columns.kind == "Generation":
        yield f"max_tokens={min(LONGEST, max(TOKENS, answer))}"
    for argument, held in (("pair", columns.pair), ("model", columns.model)):
        if held is not None:
            yield f"{argument}={_quoted(held.one)}"
    if name != Files(Dataset(path), Path()).stem():
        yield f"name={_quoted(name)}"


def _imports(columns: Columns) -> list[str]:
    return [columns.kind, "accuracy", *(("scorers", "valid_rate") if _writes(columns) else ())]


def _writes(columns: Columns) -> bool:
    """Whether answers are written: only these can be invalid, and a target is looked for in the sentence they are."""
    return columns.kind == "Generation" or columns.response is not None


def _floor(chance: float | None) -> float:
    """A floor that guessing does not reach; half where nobody knows what guessing gives.

    >>> _floor(0.25), _floor(0.5), _floor(1 / 3), _floor(0.05), _floor(None)
    (0.3, 0.55, 0.4, 0.1, 0.5)
    """
    return 0.5 if chance is None else math.ceil(round((chance + CHANCE) * 20, 6)) / 20


def _floor_reason(chance: float | None) -> str:
    return (
        f"guessing is right {chance:.2g} of the time" if chance is not None else "what guessing gives is not known here"
    )


def _listed(names: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, names))}]"


def _quoted(value: Any) -> str:
    """A value as Python that ruff leaves as it is: in double quotes, unless these would have to be escaped.

    >>> print(_quoted("clue"), _quoted('say "go"'), _quoted(3))
    "clue" 'say "go"' 3
    """
    if not isinstance(value, str):
        return repr(value)
    return repr(value) if value.count('"') > value.count("'") else json.dumps(value, ensure_ascii=False)


def _plain(text: str) -> str:
    """A text that can stand in a docstring or a comment."""
    return re.sub(r'[\\"\s]+', " ", "".join(each if each.isprintable() else " " for each in text)).strip()
