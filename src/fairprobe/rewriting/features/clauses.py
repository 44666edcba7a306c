"""Relative clauses, adverbs and word order (eWAVE 185 to 235)."""

from __future__ import annotations

from collections.abc import Iterator

from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.features.feature import WANTS_BASE, Feature, replaced
from fairprobe.rewriting.words import Text, lemma, uses

DEGREES = {
    "really": "real", "extremely": "extreme", "terribly": "terrible", "awfully": "awful", "incredibly": "incredible",
    "unbelievably": "unbelievable", "exceptionally": "exceptional", "particularly": "particular",
    "remarkably": "remarkable", "unusually": "unusual", "perfectly": "perfect", "completely": "complete",
}  # fmt: skip
MANNER = frozenset(
    "quickly slowly quietly loudly carefully easily badly nicely softly safely beautifully differently regularly "
    "clearly properly honestly heavily suddenly happily seriously closely neatly gently politely angrily bravely "
    "calmly carelessly cheerfully firmly fluently gracefully greedily immediately kindly lazily lightly nervously "
    "openly patiently peacefully perfectly poorly rapidly roughly rudely sadly secretly sharply silently smoothly "
    "steadily strongly sweetly tightly warmly wildly wisely brightly correctly directly fairly freely deeply "
    "eagerly".split()
)
SUBJECT_PRONOUNS = frozenset("i you he she it we they".split())
INVERTING = frozenset(
    "do does did am is are was were have has had can could will would shall should may might must".split()
)


def that_after_comma(text: Text) -> Iterator[Edit]:
    """Non-restrictive relative clauses begin with `that`.

    >>> changed(THAT, "My aunt, who lives here, sings.", "The river, which is deep, froze.", "He met Ann, who laughed.",
    ...         "We sold the car, which was old.", "Bo, who I know, left.")
    My aunt, that lives here, sings.
    The river, that is deep, froze.
    He met Ann, that laughed.
    We sold the car, that was old.
    Bo, that I know, left.
    >>> kept(THAT, "The man who lives here sings.", "The house, in which he lives, is old.",
    ...         "Bo, whose aunt sings, left.",
    ...      "Tell me, who came?", "Who lives here?")
    True
    """
    for place in text.at("who", "which"):
        noun = text.tag(place - 2) in {"NN", "NNS", "NNP", "CD", "PRP", "OBJ"} or text.low(place - 2) in {'"', ")", "”"}
        if text.low(place - 1) != "," or not noun or text.opens(place - 1):
            continue
        if text.asks(place) and not _comes_back(text, place) and text.tag(text.sentence(place)[0]) in {"VB", "UH"}:
            continue
        if text.low(place) == "which" and text.tag(place + 1) in {"NN", "NNS"}:
            continue
        yield replaced(text, place, "that")


def _comes_back(text: Text, place: int) -> bool:
    """Whether the clause ends in a comma, after which the sentence goes on."""
    _, last = text.sentence(place)
    return any(text.low(at) == "," for at in range(place, last))


def real_good(text: Text) -> Iterator[Edit]:
    """Adverbs of degree before adjectives and adverbs have the form of adjectives.

    >>> changed(REAL, "It was really good.", "She is extremely tall.", "He runs terribly fast.",
    ...         "That is awfully kind.",
    ...         "An incredibly old tree fell.")
    It was real good.
    She is extreme tall.
    He runs terrible fast.
    That is awful kind.
    An incredible old tree fell.
    >>> kept(REAL, "I really like it.", "He sang terribly.", "Really?", "It completely failed.",
    ...         "She is really a cook.")
    True
    """
    for place in text.at(*DEGREES):
        if text.tag(place + 1) in {"JJ", "RB", "JJR"} and text.low(place + 1) not in {
            "not",
            "n't",
            "never",
            "just",
            "only",
            "also",
        }:
            if text.low(place + 1) not in MANNER or text.tag(place + 2) not in {"VBD", "VBZ", "VBP", "VBN"}:
                yield replaced(text, place, DEGREES[text.low(place)])
        elif text.tag(place + 1) == "VBN" and "JJ" in uses(text.low(place + 1)) and text.tag(place - 1) == "BE":
            yield replaced(text, place, DEGREES[text.low(place)])


def quick(text: Text) -> Iterator[Edit]:
    """Adverbs of manner after the verb have the form of adjectives.

    >>> changed(QUICK, "He ran quickly.", "She sang the song beautifully.", "Drive safely!",
    ...         "They talked quietly in the hall.",
    ...         "It rained heavily.")
    He ran quick.
    She sang the song beautiful.
    Drive safe!
    They talked quiet in the hall.
    It rained heavy.
    >>> kept(QUICK, "He quickly ran.", "Suddenly it rained.", "A badly made box broke.", "She is only tired.",
    ...         "He arrived early.")
    True
    """
    for place in text.at(*MANNER):
        after = text.tag(place + 1)
        if (
            text.opens(place)
            or after in {"VBN", "VBD", "VBZ", "VBP", "VB", "JJ", "VBG", "HV", "BE", "MD", "DO"}
            or (after in {"NN", "NNS"} and text.tag(place - 1) in {"DT", "PP"})
        ):
            continue
        if text.opens(place - 1) and "VB" in text.words[place - 1].uses:
            yield replaced(text, place, _adjective(text.low(place)))
            continue
        before = text.tag(place - 1)
        if before in {"PRP", "MD", "HV", "DT", "TO", "PUNCT", "BE", "NOT"} and text.low(place - 1) not in {
            "it",
            "you",
            "her",
        }:
            continue
        if before in {"PRP", "NNP", "NN", "NNS"} and not _verb_in_clause(text, place):
            continue
        yield replaced(text, place, _adjective(text.low(place)))


def _verb_in_clause(text: Text, place: int) -> bool:
    """Whether a verb stands before this place in its clause."""
    for at in range(place - 1, max(-1, place - 12), -1):
        if text.tag(at) in {"VBD", "VBZ", "VBP", "VB", "VBG", "VBN"} or text.low(at) in {"did", "do", "does"}:
            return True
        if text.tag(at) in {"PUNCT", "CS"} and text.low(at) != ",":
            return False
    return False


def _adjective(adverb: str) -> str:
    """The adjective of an adverb in -ly."""
    stem = adverb[:-2]
    if stem.endswith("i"):
        return f"{stem[:-1]}y"
    for word in (stem, f"{stem}le", f"{stem}l", f"{adverb[:-1]}e"):
        if lemma(word, "ADJ"):
            return word
    return stem


def wh_without_inversion(text: Text) -> Iterator[Edit]:
    """In questions with `what`, `where` and the like the subject stands before the verb, and `do` goes.

    >>> changed(WH_ORDER, "What are you doing?", "Where do you live?", "Why did he leave?", "When can she come?",
    ...         "How is your mother?")
    What you are doing?
    Where you live?
    Why he leave?
    When she can come?
    How your mother is?
    >>> kept(WH_ORDER, "Who came?", "I know what you are doing.", "Are you going?", "What fell?",
    ...         "Which bus goes there?")
    True
    """
    for place in text.of("WP"):
        verb = place + 1
        while text.tag(verb) in {"NN", "NNS", "JJ", "QT", "RB"} and verb < place + 4:
            verb += 1
        if not text.asks(place) or text.low(verb) not in INVERTING or text.tag(verb + 1) == "NOT":
            continue
        opened = text.opens(place) or text.tag(place - 1) in {"IN", "PUNCT", "CC"}
        main = text.tag(place - 1) not in {"NN", "NNS", "NNP"} and opened
        if main and (edit := _uninverted(text, verb)) is not None:
            yield edit


def yes_no_without_inversion(text: Text) -> Iterator[Edit]:
    """In yes/no questions the subject stands before the verb, and `do` goes.

    >>> changed(YES_NO_ORDER, "Are you coming?", "Do you like it?", "Did he leave?", "Can she swim?",
    ...         "Is your mother home?")
    You are coming?
    You like it?
    He leave?
    She can swim?
    Your mother is home?
    >>> kept(YES_NO_ORDER, "What are you doing?", "You know, do you?", "Don't you like it?", "He is here?",
    ...         "Do it now.")
    True
    """
    for verb in text.at(*INVERTING):
        if text.opens(verb) and text.asks(verb) and text.tag(verb + 1) != "NOT":
            if (edit := _uninverted(text, verb)) is not None:
                yield edit


def _uninverted(text: Text, verb: int) -> Edit | None:
    """The subject after an auxiliary put before it; None where no short subject is found."""
    first = verb + 1
    end = first
    low = text.low(first)
    if low in SUBJECT_PRONOUNS or low in {"everyone", "someone", "anyone", "nobody", "everybody", "anybody",
    "there", "these",
                                          "those", "everything", "anything"}:  # fmt: skip
        end += 1
    elif text.tag(first) in {"DT", "PP", "NNP", "NNS", "QT", "CD"}:
        end += 1
        while (
            text.tag(end) in {"NN", "NNS", "NNP", "JJ", "POS", "CD", "VBG"}
            and end < first + 4
            and not _begins_predicate(text, end, verb)
        ):
            end += 1
            if text.tag(end - 1) in {"NN", "NNS"} and text.tag(end) not in {"NN", "NNS", "POS"}:
                break
        if text.tag(end - 1) in {"DT", "PP", "QT", "JJ"} and low not in {"this", "that"}:
            return None
    else:
        return None
    if text.tag(end) in {"", "PUNCT"} and text.low(verb) in {"do", "does", "did", "can", "will"}:
        return None
    subject = text.text[text.words[first].start : text.words[end - 1].end]
    auxiliary = text.low(verb)
    if text.opens(verb):
        subject = subject[0].upper() + subject[1:]
    if auxiliary in {"do", "does", "did"}:
        return Edit(text.words[verb].start, text.words[end - 1].end, subject)
    return Edit(text.words[verb].start, text.words[end - 1].end, f"{subject} {auxiliary}")


def _begins_predicate(text: Text, place: int, verb: int) -> bool:
    """Whether the word after a subject is what the verb wants: a bare verb after `do`, an adjective after `be`."""
    word = text.words[place]
    if text.low(verb) in WANTS_BASE:
        nounlike = text.tag(place - 1) in {"DT", "PP", "JJ", "QT", "CD"}
        return not nounlike and "VB" in word.uses
    return text.tag(place - 1) in {"NN", "NNS", "NNP"} and word.tag in {"JJ", "VBG", "VBN"}


THAT = Feature(185, "Relativizer that or what in non-restrictive contexts", that_after_comma)
REAL = Feature(220, "Degree modifier adverbs have the same form as adjectives", real_good)
QUICK = Feature(221, "Other adverbs have the same form as adjectives", quick)
WH_ORDER = Feature(228, "No inversion/no auxiliaries in wh-questions", wh_without_inversion)
YES_NO_ORDER = Feature(229, "No inversion/no auxiliaries in main clause yes/no questions", yes_no_without_inversion)
CLAUSES = (THAT, REAL, QUICK, WH_ORDER, YES_NO_ORDER)
