"""Codebooks: what the columns of a survey mean, and how its respondents and questions are told to a model.

A codebook is JSON: `persona` names fields, each with its `column` and, by language, `labels` for the column's codes;
`languages` has a template for each language, with `{fields}`, `{question}` and `{options}`; `questions` are a list of
`id` (the column of answers), `topic`, `kind` ("ordinal" or "nominal"), `codes`, `unsure` (the code of "don't know",
where it is an option), and by language `options` and `paraphrases`.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fairprobe.errors import BadData


@dataclass(frozen=True)
class Question:
    """One question: its codes in the order of its options, and its words by language."""

    id: str
    topic: str
    kind: str
    codes: tuple[int, ...]
    unsure: int | None
    options: Mapping[str, Sequence[str]]
    paraphrases: Mapping[str, Sequence[str]]

    @property
    def wordings(self) -> int:
        """In how many words it is asked."""
        return len(next(iter(self.paraphrases.values())))

    def soft(self, answer: int) -> np.ndarray:
        """What each option scores where this one, counted from 0, is right (AlKhamissi et al. 2024).

        >>> codes, words = (1, 2, 3, -1), {"en": ["low", "middle", "high", "don't know"]}
        >>> Question("Q", "t", "ordinal", codes, -1, words, words).soft(0).tolist()
        [1.0, 0.5, 0.0, 0.0]
        """
        exact: np.ndarray = np.eye(len(self.codes))[answer]
        if self.kind == "nominal" or self.codes[answer] == self.unsure:
            return exact
        scale = [at for at, code in enumerate(self.codes) if code != self.unsure]
        place = scale.index(answer)
        exact[scale] = [1 - abs(other - place) / (len(scale) - 1) for other in range(len(scale))]
        return exact


@cache
def _parsed(content: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(content)
    return found


@cache
def _questions(content: str) -> tuple[Question, ...]:
    return tuple(
        Question(
            str(each["id"]), str(each.get("topic", "")), str(each["kind"]), tuple(each["codes"]), each.get("unsure"),
            each["options"], each["paraphrases"],
        )
        for each in _parsed(content)["questions"]
    )  # fmt: skip


@dataclass(frozen=True)
class Codebook:
    """What a survey's columns mean. Equal where its content is; hashed by that."""

    content: str

    @classmethod
    def read(cls, given: Any, beside: Path) -> Codebook:
        """A codebook of a JSON file (beside a module), or of its content. Raises `BadData` for what is none."""
        if isinstance(given, (str, Path)):
            path = beside / given
            try:
                given = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                msg = f"the codebook {path} cannot be read: {error}"
                raise BadData(msg) from error
        if not isinstance(given, Mapping) or not {"persona", "languages", "questions"} <= given.keys():
            msg = "a codebook is a mapping with 'persona', 'languages' and 'questions'; see fairprobe.tasks.codebook"
            raise BadData(msg)
        made = cls(json.dumps(given, ensure_ascii=False))
        try:
            made._check()
        except BadData:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            msg = f"the codebook is not of the form that fairprobe.tasks.codebook describes: {error!r}"
            raise BadData(msg) from error
        return made

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that it has a template for."""
        return tuple(self._held["languages"])

    @property
    def fields(self) -> Mapping[str, str]:
        """What a persona is made of, each with the column that holds it."""
        return {name: str(said["column"]) for name, said in self._held["persona"].items()}

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions, in their order."""
        return _questions(self.content)

    @property
    def _held(self) -> Mapping[str, Any]:
        return _parsed(self.content)

    def told(self, row: Mapping[str, Any], question: Question, wording: int, language: str, where: str) -> str:
        """The prompt of a respondent's question, with `{options}` left open. Raises where a field has no value."""
        fields = {name: self._word(name, row, language, where) for name in self._held["persona"]}
        asked = question.paraphrases[language][wording]
        return str(self._held["languages"][language]).format_map({**fields, "question": asked, "options": "{options}"})

    def persona_columns(self, frame: pl.DataFrame, language: str) -> Iterator[tuple[str, list[str]]]:
        """Each field of the personas in words."""
        rows = frame.to_dicts()
        for name in self._held["persona"]:
            yield name, [self._word(name, row, language, f"row {at}") for at, row in enumerate(rows, start=1)]

    def _word(self, name: str, row: Mapping[str, Any], language: str, where: str) -> str:
        said = self._held["persona"][name]
        column = said["column"]
        value = row.get(column)
        if value is None:
            msg = f"{where} has no {column!r}, which its persona needs for {name!r}"
            raise BadData(msg)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a column with a gap holds floats
        labels = said.get("labels", {}).get(language)
        if labels is None:
            return str(value)
        if str(value) not in labels:
            msg = (
                f"{where} has {value!r} in {column!r}, and the codebook has words for {', '.join(labels)} in {language}"
            )
            raise BadData(msg)
        return str(labels[str(value)])

    def _check(self) -> None:
        if not self._held["languages"] or not self.questions:
            msg = "the codebook has a template for each of its languages and a list of questions; one of them is empty"
            raise BadData(msg)
        for language, template in self._held["languages"].items():
            self._check_template(language, template)
        for name, said in self._held["persona"].items():
            if not said["column"]:
                msg = f"the codebook's persona field {name!r} names no column"
                raise BadData(msg)
            if lacking := [each for each in self.languages if "labels" in said and each not in said["labels"]]:
                msg = f"the codebook's persona field {name!r} has labels, and none in {lacking[0]!r}"
                raise BadData(msg)
        ids = [each.id for each in self.questions]
        if twice := [each for each in ids if ids.count(each) > 1]:
            msg = f"the codebook has the question {twice[0]!r} twice"
            raise BadData(msg)
        for each in self.questions:
            self._check_question(each)

    def _check_template(self, language: str, template: str) -> None:
        names = {*self._held["persona"], "question", "options"}
        used = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
        if not {"question", "options"} <= used <= names:
            odd = sorted(used - names) or sorted({"question", "options"} - used)
            msg = (
                f"the codebook's template in {language!r}: {odd[0]!r} is lacking, or no field of the persona: it "
                "has {question}, {options} and fields"
            )
            raise BadData(msg)

    def _check_question(self, each: Question) -> None:
        if each.kind not in {"ordinal", "nominal"}:
            msg = f"the codebook's question {each.id}: kind is 'ordinal' or 'nominal', not {each.kind!r}"
            raise BadData(msg)
        steps = [code for code in each.codes if code != each.unsure]
        if len({*each.codes}) < len(each.codes) or len(steps) < 2:
            msg = f"the codebook's question {each.id} takes two codes or more, each once, not {each.codes}"
            raise BadData(msg)
        if each.unsure is not None and each.unsure not in each.codes:
            msg = f"the codebook's question {each.id}: unsure={each.unsure!r} is none of its codes {each.codes}"
            raise BadData(msg)
        for language in self.languages:
            options, words = each.options.get(language, ()), each.paraphrases.get(language, ())
            if len(options) != len(each.codes) or len(words) != each.wordings or not words:
                msg = (
                    f"the codebook's question {each.id} has {len(each.codes)} codes and {each.wordings} wordings; "
                    f"in {language!r} {len(options)} options and {len(words)} paraphrases"
                )
                raise BadData(msg)
