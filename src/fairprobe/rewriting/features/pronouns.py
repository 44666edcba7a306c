"""Pronouns (eWAVE 7 to 47)."""

from __future__ import annotations

from collections.abc import Iterator

from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.features.feature import Feature, before_adverbs, phrase_start, replaced
from fairprobe.rewriting.words import FINITE, Text

TITLES = frozenset("dr mr mrs ms prof st".split())
ALL_OF = frozenset("the of this that about day night morning week month year along".split())
"""What `all` goes with rather than with the `you` before it."""


def me_and(text: Text) -> Iterator[Edit]:
    """A subject `X and I` (or `I and X`) is `me and X`.

    >>> changed(ME_AND, "My brother and I left.", "Ann and I were late.", "When my mother and I got home, it rained.")
    Me and my brother left.
    Me and Ann were late.
    When me and my mother got home, it rained.
    >>> changed(ME_AND, "She and I know him.", "The cook and I never agreed.")
    Me and her know him.
    Me and the cook never agreed.
    >>> kept(ME_AND, "I left, and my brother stayed.", "He saw Ann and me.", "It was late and I slept.",
    ...      "You and Ann may go.", "He called, and I answered.")
    True
    """
    objects = {"he": "him", "she": "her", "they": "them", "we": "us"}
    for place in text.at("i"):
        if text.low(place - 1) == "and" and text.tag(place - 2) in {"NN", "NNS", "NNP", "PRP"}:
            first = place - 2 if text.tag(place - 2) == "PRP" else phrase_start(text, place - 2)
            if text.low(first - 1) == "." and text.low(first - 2) in TITLES:
                first -= 2
            if text.low(first) == "the" and text.words[first].capital and not text.opens(first):
                continue  # the title of something
            clause = text.tag(first - 1) in {"BE", "VBD", "VBZ", "VBP", "VB", "IN", "RB", "JJ"} and not text.opens(
                first
            )
            if (clause and text.low(first - 1) != "than") or _is_clause(text, first):
                continue
            words = text.text[text.words[first].start : text.words[place - 2].end]
            low = text.low(first)
            name = text.tag(first) == "NNP" or low == "i"
            words = objects.get(low, words if name else words[0].lower() + words[1:])
            capital = text.opens(first)
            new = f"{'Me' if capital else 'me'} and {words}"
            yield Edit(text.words[first].start, text.words[place].end, new)
        elif (
            text.tag(place - 1) != "NNP"
            and text.low(place + 1) == "and"
            and text.tag(place + 2) in {"PP", "DT", "NNP", "NN"}
        ):
            yield replaced(text, place, "me" if not text.opens(place) else "Me")


def _is_clause(text: Text, first: int) -> bool:
    """Whether the words before a noun phrase make a clause that it belongs to: `it was late and I slept`."""
    at = before_adverbs(text, first - 1)
    return text.tag(at) in FINITE


def regular_reflexives(text: Text) -> Iterator[Edit]:
    """Reflexives are all made of possessives: `hisself`, `theirselves`.

    >>> changed(REFLEXIVES, "He hurt himself.", "They blame themselves.", "The king himself came.")
    He hurt hisself.
    They blame theirselves.
    The king hisself came.
    >>> changed(REFLEXIVES, "Himself a baker, he knew bread.", "Who sees themself there?")
    Hisself a baker, he knew bread.
    Who sees theirself there?
    >>> kept(REFLEXIVES, "She hurt herself.", "We did it ourselves.", "I saw him.", "It shuts itself.",
    ...         "The self is old.")
    True
    """
    forms = {"himself": "hisself", "themselves": "theirselves", "themself": "theirself"}
    for place in text.at(*forms):
        yield replaced(text, place, forms[text.low(place)])


def yall(text: Text) -> Iterator[Edit]:
    """`You` that stands for several, as `all`, `guys`, `two`, `both` or the like beside it tells, is `y'all`.

    >>> changed(YALL, "Are you guys hungry?", "I saw you all there.", "You two should go.")
    Are y'all hungry?
    I saw y'all there.
    Y'all should go.
    >>> changed(YALL, "All of you were right.", "Do both of you swim?")
    All of y'all were right.
    Do both of y'all swim?
    >>> kept(YALL, "Are you hungry?", "You know all of it.", "He told you two stories.", "The guys left.", "Both swim.")
    True
    """
    marks = {"all", "guys", "two", "three", "four", "both", "people", "folks", "kids", "boys", "girls"}
    for place in text.at("you"):
        if text.low(place - 1) == "of" and text.low(place - 2) in {"all", "both"}:
            yield replaced(text, place, "y'all")
        elif text.low(place + 1) in marks:
            counts = text.low(place + 1) in {"two", "three", "four", "both"} and text.tag(place + 2) in {
                "NN",
                "NNS",
                "JJ",
            }
            elsewhere = text.low(place + 1) == "all" and text.low(place + 2) in ALL_OF
            if not counts and not elsewhere and text.low(place + 2) not in {"who", "that"}:
                yield replaced(text, place, "y'all", place + 1)


ME_AND = Feature(7, "Me instead of I in coordinate subjects", me_and)
REFLEXIVES = Feature(11, "Regularized reflexives paradigm", regular_reflexives)
YALL = Feature(34, "Forms or phrases for the second person plural pronoun other than you", yall)
PRONOUNS = (ME_AND, REFLEXIVES, YALL)
