"""What the columns of a file seem to be: what is asked, its options and answer, the groups, the pair; and why.

A name that the field uses comes first, then what the values look like. Whoever knows better says so, column by column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, NamedTuple

import polars as pl

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.tasks import MultipleChoice

PROMPTS = (
    "prompt", "question", "clue", "query", "instruction", "input", "problem", "sentence", "statement", "text",
    "question_stem",
)  # fmt: skip
CONTEXTS = ("context", "passage", "flores_passage", "article", "paragraph", "story", "premise")
"""What is read before a question that stands in a column of its own."""
OPTIONS = ("options", "choices", "candidates", "endings", "alternatives")
FAMILY = re.compile(r"(option|opt|choice|candidate|answer|mc_answer|ans|ending|sol)?[_ ]?([A-Za-z]|\d)")
"""One option a column: a to d, option_a, choice1, ans0."""
ANSWERS = (
    "answer", "target", "label", "gold", "correct_answer", "correct_answer_num", "answer_key", "answerkey", "solution",
    "correct", "expected", "word", "reference", "right", "answers", "targets",
)  # fmt: skip
RESPONSES = ("response", "output", "prediction", "generation", "completion", "predicted", "model_output")
SCORES = ("score", "correct", "is_correct", "accuracy", "acc", "exact_match", "passed", "grade", "f1")
GROUPS = (
    "dialect", "variety", "accent", "language", "lang", "locale", "country", "nationality", "region", "continent",
    "gender", "sex", "race", "ethnicity", "religion", "caste", "disability", "orientation", "age_group", "age",
    "persona", "identity", "demographic", "group",
)  # fmt: skip
PAIRS = ("pair", "pair_id", "riddle", "question_id", "qid", "item", "item_id", "template", "uid", "id", "number")
MODELS = ("model", "checkpoint", "model_name")
NO_GROUPS = {"split", "fold", "source", "licence", "license", "subset", "kind", "type", *MODELS}
"""Columns of few values that hold no people."""
LEAST_TEXT, MOST_GROUPS, MOST_SHOWN = 12, 20, 5
"""Letters of a text that asks something, on average; values of a column whose name says nothing of groups."""
MOSTLY = 0.8
"""The share of pairs that stand in more than one group."""
UNTOLD = frozenset("{}[]!:.")
"""What a column's name may not have where it stands in a prompt's braces."""

Kind = Literal["Generation", "MultipleChoice", "Recorded"]


@dataclass(frozen=True)
class Given:
    """What the user says of the columns."""

    prompt: tuple[str, ...] = ()
    answer: str | None = None
    group: str | None = None
    pair: str | None = None
    options: tuple[str, ...] = ()

    @property
    def names(self) -> Iterator[tuple[str, str]]:
        """Each column named, after the option that names it."""
        one = (("answer", self.answer), ("group", self.group), ("pair", self.pair))
        yield from (("prompt", name) for name in self.prompt)
        yield from (("options", name) for name in self.options)
        yield from ((option, name) for option, name in one if name is not None)


class Chosen(NamedTuple):
    """A column, or several of one meaning, and why it is this one."""

    columns: tuple[str, ...]
    why: str

    @property
    def one(self) -> str:
        """The only column."""
        return self.columns[0]


@dataclass(frozen=True)
class Columns:
    """The columns of a first suite, by what they mean; `score` or `response` where answers are recorded."""

    kind: Kind
    group: Chosen
    pair: Chosen | None = None
    prompt: Chosen | None = None
    options: Chosen | None = None
    answer: Chosen | None = None
    score: Chosen | None = None
    response: Chosen | None = None
    model: Chosen | None = None

    @property
    def chosen(self) -> Iterator[tuple[str, Chosen]]:
        """Each choice after what it is for, in the order to read them."""
        for role in ("prompt", "options", "response", "score", "answer", "group", "pair", "model"):
            if (held := getattr(self, role)) is not None:
                yield role, held


def recognise(frame: pl.DataFrame, given: Given, where: str) -> Columns:
    """What the columns seem to be. Raises `BadData`, naming the columns and the option, where that cannot be told."""
    for option, name in given.names:
        data.column(frame, name, f"--{option}={name}: {where}")
    options = _options(frame, given, where)
    recorded = _recorded(frame, given, options, where)
    asked = recorded or _asked(frame, given, options, where)
    taken = {name for _, held in asked.items() if isinstance(held, Chosen) for name in held.columns}
    if (model := asked.get("model")) is not None:
        # what one model was asked is what another was
        frame = frame.filter(pl.col(model.one) == commonest(frame[model.one])[0])
    group = _group(frame, given, taken, where)
    pair = _pair(frame, given, group.one, {*taken, group.one})
    return Columns(group=group, pair=pair, **asked)


def _recorded(frame: pl.DataFrame, given: Given, options: Chosen | None, where: str) -> dict[str, Any]:
    """The columns of answers or scores that were made elsewhere; nothing where a checkpoint is to be asked."""
    if given.prompt or given.options:
        return {}
    response = _called(frame, RESPONSES, _is_text)
    score = _called(frame, SCORES, _is_score) if options is None or response else None
    if score is None and response is None and options is None and _prompt(frame, given, set()) is None:
        score = _only_score(frame)
    model = _called(frame, MODELS, lambda values: values.n_unique() < len(values))
    if score is not None:
        return {"kind": "Recorded", "score": score, "model": model}
    if response is None:
        return {}
    answer = _answer(frame, given, {*response.columns, *(options.columns if options else ())})
    if answer is None:
        msg = (
            f"{where} has recorded answers in {response.one!r} and nothing to compare them with. {_shown(frame)} Name "
            "the column of right answers, --answer=COL, or what to ask a checkpoint instead, --prompt=COL"
        )
        raise BadData(msg)
    return {"kind": "Recorded", "response": response, "answer": answer, "model": model}


def _asked(frame: pl.DataFrame, given: Given, options: Chosen | None, where: str) -> dict[str, Any]:
    """The columns of what a checkpoint is asked."""
    answer: Chosen | None
    if options is not None:
        answer = _choice(frame, given, options, where)
        prompt = _prompt(frame, given, {*options.columns, answer.one})
    else:
        answer = _answer(frame, given, set(given.prompt))
        prompt = _prompt(frame, given, set(answer.columns) if answer else set())
    if prompt is None:
        msg = (
            f"{where} has no column of texts that ask something. {_shown(frame)} Name one, --prompt=COL, or several "
            "that are read one after the other, --prompt=COL,COL"
        )
        raise BadData(msg)
    for name in prompt.columns:
        if UNTOLD & set(name):
            msg = f"{where}: the column {name!r} cannot stand in a prompt's braces; rename it to letters and digits"
            raise BadData(msg)
    answer = answer or _left_over(frame, given, set(prompt.columns))
    if answer is None:
        msg = f"{where} has no column of right answers. {_shown(frame)} Name one: --answer=COL"
        raise BadData(msg)
    kind = "Generation" if options is None else "MultipleChoice"
    return {"kind": kind, "prompt": prompt, "options": options, "answer": answer}


def _options(frame: pl.DataFrame, given: Given, where: str) -> Chosen | None:
    if given.options:
        return Chosen(given.options, "as you say")
    for name in _ranked(frame.columns, OPTIONS):
        values = frame[name].drop_nulls()
        if isinstance(values.dtype, pl.Struct):
            msg = (
                f"{where}: {name!r} holds {values.dtype}, and options are a list of texts: write the texts as a list "
                "into a column of their own, and name it with --options=COL"
            )
            raise BadData(msg)
        if _is_list(values) or (_is_text(values) and values.str.starts_with("[").all()):
            return Chosen((name,), "lists, and called so")
    family = _family(frame)
    # a list may also hold several right answers
    free = [name for name in frame.columns if name not in {*_ranked(frame.columns, ANSWERS), given.answer}]
    lists = [name for name in free if _is_list(frame[name]) and (frame[name].list.len() > 1).all()]
    return Chosen(family, "one option each") if family else Chosen((lists[0],), "lists") if lists else None


def _family(frame: pl.DataFrame) -> tuple[str, ...]:
    """Columns of one stem that are counted up from the first letter or number, as many as there are."""
    stems: dict[str, dict[str, str]] = {}
    for name in frame.columns:
        # a digit alone is no name for an option, and one of numbers is anything
        if (said := FAMILY.fullmatch(name.lower())) and (said[1] or _is_text(frame[name])):
            stems.setdefault(said[1] or "", {})[said[2]] = name
    for held in stems.values():
        for first in ("a", "0", "1"):
            run = [*takewhile(held.__contains__, (chr(ord(first) + place) for place in range(26)))]
            if len(run) > 1:
                return tuple(held[label] for label in run)
    return ()


def _choice(frame: pl.DataFrame, given: Given, options: Chosen, where: str) -> Chosen:
    """The column that says which option is right: the first that does so in every row."""
    named = list(_ranked(frame.columns, ANSWERS))
    texts = [name for name in frame.columns if _is_text(frame[name]) and name not in named]
    wrong: list[BadData] = []
    for name in [given.answer] if given.answer else [*named, *texts]:
        if name in options.columns:
            continue
        try:
            how = _places(frame[name], options, where)
            told = options.one if len(options.columns) == 1 else options.columns
            MultipleChoice(frame, "", options=told, answer=name, name="trial").load()
        except BadData as error:
            wrong.append(error)
        else:
            return Chosen((name,), f"{_why(given.answer, name in named)}; {how}")
    msg = (
        f"{where} has options in {', '.join(options.columns)} and no column that says which is right. {_shown(frame)} "
        f"Name one, --answer=COL, or other options, --options=COL{_also(wrong)}"
    )
    raise BadData(msg)


def _also(wrong: Sequence[BadData]) -> str:
    return f". The first that was tried: {wrong[0]}" if wrong else ""


def _places(values: pl.Series, options: Chosen, where: str) -> str:
    """How an answer says which option it is. Raises for places that are counted from 1."""
    if not values.dtype.is_integer():
        return "the letter or text of an option"
    least, count = values.min(), len(options.columns)
    if count > 1 and (least, values.max()) == (1, count):
        msg = (
            f"{where}: {values.name!r} counts options from 1 to {count}, and MultipleChoice counts from 0: subtract 1, "
            "or write the right option's letter or text"
        )
        raise BadData(msg)
    return "places from 0" if least == 0 else "places from 0, though none is 0: see that they are not counted from 1"


def _answer(frame: pl.DataFrame, given: Given, taken: Collection[str]) -> Chosen | None:
    if given.answer:
        return Chosen((given.answer,), "as you say")
    free = frame.drop(taken)
    return _called(free, ANSWERS, lambda values: not (values.is_empty() or isinstance(values.dtype, pl.Struct)))


def _left_over(frame: pl.DataFrame, given: Given, taken: Collection[str]) -> Chosen | None:
    """The only text that nothing else is: neither asked, nor one of groups, nor what ties rows together."""
    texts = [name for name in frame.columns if _is_text(frame[name]) and name not in {*taken, given.group, given.pair}]
    known = {*_ranked(texts, GROUPS), *_ranked(texts, PAIRS), *_few(frame, texts), *NO_GROUPS}
    left = [name for name in texts if name not in known]
    return Chosen((left[0],), "the only other text") if len(left) == 1 else None


def _prompt(frame: pl.DataFrame, given: Given, taken: Collection[str]) -> Chosen | None:
    if given.prompt:
        return Chosen(given.prompt, "as you say")
    texts = {name: _length(frame[name]) for name in frame.columns if name not in taken and _is_text(frame[name])}
    context = next(_ranked(texts, CONTEXTS), None)
    if name := next((name for name in _ranked(texts, PROMPTS) if name != context), None):
        return (
            Chosen((context, name), "called so, the one read before the other")
            if context
            else Chosen((name,), "called so")
        )
    length, longest = max(((length, name) for name, length in texts.items()), default=(0, ""))
    return None if length < LEAST_TEXT else Chosen((longest,), f"the longest texts, {length:.0f} letters on average")


def _group(frame: pl.DataFrame, given: Given, taken: Collection[str], where: str) -> Chosen:
    if given.group:
        if frame[given.group].drop_nulls().n_unique() < 2:
            msg = f"--group={given.group}: {where} has fewer than two values there, {_values(frame[given.group])}"
            raise BadData(msg)
        return Chosen((given.group,), f"as you say; {_values(frame[given.group])}")
    free = [name for name in frame.columns if name not in {*taken, given.pair} and _repeats(frame[name])]
    if name := next(_ranked(free, GROUPS), None):
        return Chosen((name,), f"called so; {_values(frame[name])}")
    few = _few(frame, free)
    if not few:
        msg = (
            f"{where} has no column of groups: none called {', '.join(GROUPS[:4])}, … whose values repeat, and no "
            f"other of {MOST_GROUPS} values at most. {_shown(frame)} Name one: --group=COL"
        )
        raise BadData(msg)
    name = min(few, key=few.__getitem__)
    others = f" (others: {', '.join(each for each in few if each != name)})" if len(few) > 1 else ""
    return Chosen((name,), f"has the fewest values that repeat{others}; {_values(frame[name])}")


def _few(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, int]:
    """How many values there are in each column that could be one of groups, whatever it is called."""
    odd = {*_ranked(names, PAIRS), *(name for name in names if name.lower() in NO_GROUPS)}
    words = [name for name in names if name not in odd and not frame[name].dtype.is_numeric() and _repeats(frame[name])]
    return {name: count for name in words if (count := frame[name].n_unique()) <= MOST_GROUPS}


def _pair(frame: pl.DataFrame, given: Given, group: str, taken: Collection[str]) -> Chosen | None:
    """The column whose values stand in several groups, and once in each."""
    if given.pair:
        return Chosen((given.pair,), f"as you say; {frame[given.pair].n_unique():,} values")
    free = [name for name in frame.columns if name not in taken and not frame[name].dtype.is_nested()]
    named = list(_ranked(free, PAIRS))
    for name in [*named, *(each for each in free if each not in named)]:
        if frame[name].null_count() or frame[name].dtype.is_float() or frame[name].n_unique() < 2:
            continue
        held = frame.group_by(name).agg(rows=pl.len(), groups=pl.col(group).n_unique())
        several = held.filter(pl.col("groups") > 1).height
        if (held["rows"] == held["groups"]).all() and several >= MOSTLY * held.height:
            return Chosen((name,), f"{held.height:,} values, each once in up to {max(held['groups'])} groups")
    return None


def _called(frame: pl.DataFrame, known: Sequence[str], fits: Callable[[pl.Series], bool]) -> Chosen | None:
    """The first column by a known name whose values fit."""
    names = (name for name in _ranked(frame.columns, known) if fits(frame[name].drop_nulls()))
    return next((Chosen((name,), "called so") for name in names), None)


def _only_score(frame: pl.DataFrame) -> Chosen | None:
    held = [name for name in frame.columns if _is_score(frame[name].drop_nulls())]
    return Chosen((held[0],), "the only numbers from 0 to 1") if len(held) == 1 else None


def _ranked(names: Iterable[str], known: Sequence[str]) -> Iterator[str]:
    """The names that are known, in that order; then those whose last word is.

    >>> list(_ranked(["speaker_gender", "Dialect", "gender"], GROUPS))
    ['Dialect', 'gender', 'speaker_gender']
    """
    plain = {name: re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).strip("_").lower() for name in names}
    whole = [name for each in known for name in plain if plain[name] == each]
    last = [name for each in known for name in plain if plain[name].endswith(f"_{each}")]
    yield from dict.fromkeys([*whole, *last])


def _is_text(values: pl.Series) -> bool:
    return values.dtype == pl.String


def _is_list(values: pl.Series) -> bool:
    return isinstance(values.dtype, (pl.List, pl.Array))


def _is_score(values: pl.Series) -> bool:
    """Whether values are shares: truths, fractions, or nothing but 0 and 1."""
    if values.dtype == pl.Boolean:
        return True
    return values.dtype.is_numeric() and not values.is_empty() and bool(values.is_between(0, 1).all())


def _repeats(values: pl.Series) -> bool:
    """Whether values are two or more, each of them of several rows."""
    if values.dtype.is_nested() or values.dtype.is_float():
        return False
    counts = values.drop_nulls().value_counts()["count"]
    return len(counts) > 1 and bool((counts > 1).all())


def _length(values: pl.Series) -> float:
    return sum(map(len, values.drop_nulls())) / max(len(values), 1)


def commonest(values: pl.Series) -> list[Any]:
    """The values of a column, the commonest first and then in their order."""
    counts = values.drop_nulls().value_counts()
    return counts.sort([pl.col("count"), pl.col(values.name)], descending=[True, False])[values.name].to_list()


def _values(values: pl.Series) -> str:
    held = [str(each) for each in values.drop_nulls().unique().sort()]
    more = f" and {len(held) - MOST_SHOWN} more" if len(held) > MOST_SHOWN else ""
    return f"{len(held)} value{'s' * (len(held) != 1)}: {', '.join(held[:MOST_SHOWN])}{more}"


def _why(said: object, is_named: bool) -> str:
    return "as you say" if said else "called so" if is_named else "its values are"


def _shown(frame: pl.DataFrame) -> str:
    """The columns there are, each with what it holds."""
    held = [f"{name} ({_kind(frame[name])})" for name in frame.columns]
    more = f" and {len(held) - data.MOST_NAMED} more" if len(held) > data.MOST_NAMED else ""
    return f"Its columns are {', '.join(held[: data.MOST_NAMED])}{more}."


def _kind(values: pl.Series) -> str:
    if values.dtype.is_nested():
        return str(values.dtype)
    what = "texts" if _is_text(values) else str(values.dtype)
    return f"{what}, {values.n_unique():,} values"
