"""Reads the hand-annotated sentences, and holds what the rules propose against them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairprobe.rewriting import Edit, applied, feature

FILES = sorted((Path(__file__).parent / "rewriting").glob("held_out*.txt"))
MARK = re.compile(r"\{(\??)([^{}|]*)\|([^{}|]*)\}")


@dataclass(frozen=True)
class Annotated:
    """A sentence, the texts that single edits of it must give (any of a set each), and those that they may give."""

    sentence: str
    required: list[set[str]]
    allowed: set[str]


def edits_of(number: int, sentence: str) -> list[Edit]:
    """What a feature proposes in a sentence."""
    return [change.edit for change in feature(number).changes(sentence)]


def annotated() -> dict[int, list[Annotated]]:
    """The sentences of every feature."""
    found: dict[int, list[Annotated]] = {}
    for file in FILES:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                sentences = found.setdefault(int(line.removeprefix("# ")), [])
            elif line.strip():
                sentences.append(_annotated(line))
    return found


def _annotated(line: str) -> Annotated:
    sentence, at, marks = "", 0, list[tuple[bool, Edit, list[str]]]()
    for match in MARK.finditer(line):
        sentence += line[at : match.start()]
        optional, old, new = match.groups()
        edit = Edit(len(sentence), len(sentence) + len(old), "")
        marks.append((bool(optional), edit, new.split("/")))
        sentence += old
        at = match.end()
    sentence += line[at:]
    texts = [
        (optional, {_plain(applied(sentence, [edit._replace(new=new)])) for new in news})
        for optional, edit, news in marks
    ]
    return Annotated(
        sentence, [each for optional, each in texts if not optional],
        set().union(*(each for optional, each in texts if optional)),
    )  # fmt: skip


def _plain(text: str) -> str:
    """A text without differences that no reader sees: apostrophes, spaces, capitals."""
    return re.sub(r"\s+", " ", text.replace("’", "'")).strip().lower()


def held_against(each: Annotated, edits: list[Edit]) -> tuple[int, int, int, int, list[str]]:
    """Right, wrong, found and required edits, and what went wrong in words."""
    given = [_plain(applied(each.sentence, [edit])) for edit in edits]
    every = set().union(*each.required)
    right = sum(text in every for text in given)
    wrong = [text for text in given if text not in every | each.allowed]
    missed = [min(texts) for texts in each.required if not texts & set(given)]
    told = [f"  proposed {text}" for text in wrong] + [f"  missed   {text}" for text in missed]
    return right, len(wrong), len(each.required) - len(missed), len(each.required), told


def report(numbers: list[int] | None = None) -> Iterator[str]:
    """A line for every feature, and every error."""
    for number, sentences in annotated().items():
        if numbers and number not in numbers:
            continue
        totals, lines = [0, 0, 0, 0], []
        for each in sentences:
            *counts, told = held_against(each, edits_of(number, each.sentence))
            totals = [a + b for a, b in zip(totals, counts, strict=True)]
            lines += told
        right, wrong, hit, required = totals
        yield f"{number:4} precision {right}/{right + wrong}  recall {hit}/{required}"
        yield from lines


if __name__ == "__main__":
    import sys

    print("\n".join(report([int(each) for each in sys.argv[1:]])))
