"""What a feature is, and the few questions that many rules ask of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fairprobe.rewriting.edits import Edit, compatible
from fairprobe.rewriting.words import HAVE, SUBJECTS, Text, form, parsed, uses

Rule = Callable[[Text], Iterator[Edit]]
WANTS_BASE = frozenset("do does did can could will would should may might must shall".split())
"""Auxiliaries that a bare verb follows."""


@dataclass(frozen=True)
class Feature:
    """A feature of varieties of English by its number in eWAVE, and the rule that proposes it in a standard text.

    The rule's docstring says what it does, with sentences that it changes and sentences that it keeps.
    """

    ewave: int
    name: str
    rule: Rule

    def __repr__(self) -> str:
        return f"Feature({self.ewave}, {self.name!r})"

    @property
    def gloss(self) -> str:
        """What the rule does, in a sentence or two."""
        return " ".join((self.rule.__doc__ or "").split("\n\n")[0].split())

    def edits(self, text: str) -> list[Edit]:
        """Every edit that the rule proposes, those in quotations, code and numbers too, in order."""
        return compatible(self.rule(parsed(text)))


def replaced(text: Text, place: int, new: str, last: int | None = None) -> Edit:
    """The words from a place up to and with `last` as something else, with a capital where the first has one."""
    end = text.words[place if last is None else last].end
    return Edit(text.words[place].start, end, text.cased(place, new))


def inserted(text: Text, place: int, new: str) -> Edit:
    """Words put before the word at a place."""
    start = text.words[place].start
    return Edit(start, start, f"{new} ")


def dropped(text: Text, place: int) -> Edit:
    """The word at a place gone, with the space after it; where it opens a sentence, the next word takes its capital."""
    word = text.words[place]
    if word.low.startswith("'"):
        return Edit(word.start, word.end, "")
    if place + 1 >= len(text.words):
        return Edit(word.start, word.end, "")
    after = text.words[place + 1]
    if word.capital and not after.capital:
        return Edit(word.start, after.end, text.cased(place, text.text[after.start : after.end]))
    return Edit(word.start, after.start, "")


def after_adverbs(text: Text, place: int, *, negated: bool = False) -> int:
    """The first place from here on that holds no adverb (nor, where `negated`, a `not`)."""
    while text.tag(place) == "RB" or (negated and text.tag(place) == "NOT"):
        place += 1
    return place


def before_adverbs(text: Text, place: int) -> int:
    """The last place up to here that holds no adverb."""
    while place >= 0 and text.tag(place) == "RB":
        place -= 1
    return place


def phrase_start(text: Text, head: int) -> int:
    """Where the noun phrase begins that has its last word at a place."""
    first = head
    inside = {"NN", "NNP", "NNS", "JJ", "JJR", "JJS", "CD", "QT", "POS", "VBN", "VBG", "PP", "DT"}
    while first > 0 and text.tag(first) not in {"DT", "PP"} and text.tag(first - 1) in inside:
        first -= 1
    return first


def subject_of(text: Text, verb: int) -> int | None:
    """The head of the subject before a finite verb: a pronoun or a noun; None where none is near.

    Of `the man in the garden` it is `man`: a phrase with a preposition is stepped over.
    """
    at = before_adverbs(text, verb - 1)
    if text.tag(at) not in {"NN", "NNS", "NNP", "PRP", "CD"}:
        return at if text.low(at) in {"who", "which", "that", "this"} else None
    for _ in range(3):
        first = phrase_start(text, at)
        if (
            text.tag(first - 1) == "IN"
            and text.tag(first - 2) in {"NN", "NNS", "NNP"}
            and text.low(first - 1) != "than"
        ):
            at = first - 2
        else:
            break
    return at


def plural(text: Text, head: int) -> bool:
    """Whether a noun phrase or pronoun stands for several."""
    low = text.low(head)
    if low in {"we", "they", "you", "these", "those", "both", "many", "several", "few", "us", "them"}:
        return True
    first = phrase_start(text, head)
    joined = text.low(first - 1) == "and" and text.tag(first - 2) in {"NN", "NNS", "NNP", "PRP"}
    return text.tag(head) == "NNS" or joined


def singular_third(text: Text, head: int) -> bool:
    """Whether a noun phrase or pronoun is a third person singular."""
    low = text.low(head)
    if low in SUBJECTS:
        return low in {"he", "she", "it"} and text.low(head - 1) != "and"
    return not plural(text, head)


def is_past_verb(text: Text, place: int) -> bool:
    """Whether a verb stands in the simple past."""
    if text.tag(place) != "VBD":
        return False
    at = before_adverbs(text, place - 1)
    return text.low(at) not in HAVE and text.tag(at) not in {"BE", "HV"}


def participle(text: Text, place: int) -> str | None:
    """The participle of the word at a place, where that word can be one after `have`."""
    word = text.words[place].low if 0 <= place < len(text.words) else ""
    return word if text.tag(place) == "VBN" or (word and "VBN" in uses(word)) else None


def perfects(text: Text) -> Iterator[tuple[int, int]]:
    """Finite perfects that are neither negated nor asked: the places of `have` and of the participle."""
    for place in text.of("HV"):
        low = text.low(place)
        if low not in {"have", "has", "'ve", "'s"}:
            continue
        at = after_adverbs(text, place + 1)
        negative = any(text.low(each) in {"not", "n't"} for each in range(place, at + 1))
        if negative or participle(text, at) is None or text.tag(place - 1) in {"TO", "MD"} or text.low(at) == "got":
            continue
        head = before_adverbs(text, place - 1)
        if text.tag(head) in {"NN", "NNS", "NNP", "PRP", "WP"} or text.low(head) in {"that", "which", "who"}:
            yield place, at


def past(verb: str) -> str | None:
    """The simple past of any form of a verb."""
    return form(verb, "VBD")
