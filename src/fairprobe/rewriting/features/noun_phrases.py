"""Nouns, articles, demonstratives and comparison (eWAVE 48 to 87)."""

from __future__ import annotations

from collections.abc import Iterator

from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.features.feature import Feature, dropped, inserted, replaced
from fairprobe.rewriting.words import Text, lemma, uses

IRREGULAR = {
    "children": "childrens", "men": "mens", "women": "womens", "feet": "feets", "teeth": "teeths", "mice": "mices",
    "geese": "geeses", "people": "peoples",
}  # fmt: skip
UNMARKED = {"sheep": "sheeps", "deer": "deers", "fish": "fishes", "aircraft": "aircrafts"}
MASS = frozenset(
    "advice information furniture equipment luggage homework evidence feedback research machinery jewellery jewelry "
    "staff software slang underwear".split()
)
MASS_BLOCKED = frozenset("a an one each every this that much little less either neither another".split())
"""What a mass noun follows where it is not counted."""
MEASURES = {
    "miles": "mile", "years": "year", "dollars": "dollar", "pounds": "pound", "feet": "foot", "inches": "inch",
    "hours": "hour", "days": "day", "weeks": "week", "months": "month", "minutes": "minute", "kilos": "kilo",
    "tons": "ton", "acres": "acre", "gallons": "gallon", "cents": "cent", "yards": "yard", "seconds": "second",
    "meters": "meter", "metres": "metre", "liters": "liter", "litres": "litre", "euros": "euro", "ounces": "ounce",
    "kilometers": "kilometer", "kilometres": "kilometre", "degrees": "degree",
}  # fmt: skip
IN_PHRASE = frozenset({"JJ", "JJR", "JJS", "CD", "VBN", "VBG", "QT", "RB"})
TIMES = frozenset("morning week month year time evening afternoon day night way moment weekend summer winter".split())
NO_COMPARISON = frozenset(
    "former latter later elder eldest upper inner outer further farther latest under over other former rather earlier "
    "sooner better best worse worst".split()
)
KEPT_ARTICLE = frozenset(
    "lot few little bit couple number great good hundred thousand million dozen while billion half pair".split()
)
BEFORE_KEPT_ARTICLE = frozenset("half such what many quite rather twice once thrice not".split())
RATES = frozenset("day week month year hour minute second night mile pound kilo litre liter".split())


def regular_plurals(text: Text) -> Iterator[Edit]:
    """Irregular plurals take -s as well: `childrens`, `feets`, `sheeps`.

    >>> changed(PLURALS, "The children slept.", "My feet hurt.", "Two men and three women came.", "Many sheep ran off.")
    The childrens slept.
    My feets hurt.
    Two mens and three womens came.
    Many sheeps ran off.
    >>> changed(PLURALS, "Old people know that.")
    Old peoples know that.
    >>> kept(PLURALS, "The children's room is cold.", "A sheep ran off.", "He likes to fish.", "The child slept.",
    ...      "This deer is tame.")
    True
    """
    for place in text.at(*IRREGULAR):
        if text.tag(place + 1) != "POS" and text.low(place + 1) not in {"'s", "-"} and text.low(place - 1) != "to":
            if text.tag(place + 1) not in {"NN", "NNS"} or text.low(place) not in {"women", "men", "people"}:
                yield replaced(text, place, IRREGULAR[text.low(place)])
    several = {"these", "those", "many", "several", "few", "both", "all", "some", "of", "more", "most"}
    for place in text.at(*UNMARKED):
        at = place - 1
        while text.tag(at) in {"JJ", "NN", "VBG", "VBN"}:
            at -= 1
        counted = text.low(at) in several or (text.tag(at) == "CD" and text.low(at) not in {"one", "1"})
        verb = text.low(place + 1)
        if (
            text.tag(place + 1) == "POS"
            or text.tag(place + 1) in {"NN", "NNS"}
            or text.low(at) in {"a", "an", "one", "each"}
        ):
            continue
        if counted or verb in {"are", "were", "have"}:
            if text.low(at) not in {"some", "of", "more", "most", "all"} or verb in {"are", "were", "have"}:
                yield replaced(text, place, UNMARKED[text.low(place)])


def counted_mass_nouns(text: Text) -> Iterator[Edit]:
    """Mass nouns such as `advice` and `furniture` are counted, and take -s.

    >>> changed(MASS_NOUNS, "She gave me good advice.", "They sold the furniture.",
    ...         "We need more information about it.",
    ...         "He forgot his luggage.", "The office bought new equipment.")
    She gave me good advices.
    They sold the furnitures.
    We need more informations about it.
    He forgot his luggages.
    The office bought new equipments.
    >>> kept(MASS_NOUNS, "This advice is good.", "A piece of furniture fell.", "The research team met.",
    ...      "How much luggage is there?", "They research old coins.")
    True
    """
    pieces = {"piece", "bit", "item", "kind", "lot", "amount", "sort", "form", "type", "body", "source", "set"}
    for place in text.at(*MASS):
        following = text.tag(place + 1)
        if following in {"NN", "NNS", "VBZ", "POS"} or text.low(place + 1) in {"is", "was", "has", "does", "'s", "-"}:
            continue
        if following == "VBN" and "VBG" in uses(text.low(place)):
            continue
        at = place - 1
        inside = {"JJ", "NN", "VBG", "VBN", "JJR", "JJS"}
        while text.low(at) not in MASS_BLOCKED and (
            text.tag(at) in inside or (text.tag(at) == "RB" and text.tag(at + 1) == "JJ")
        ):
            at -= 1
        subject = text.opens(at + 1) or (text.opens(at) and text.tag(at) in {"DT", "PP", "QT"})
        verb_next = following in {"VBD", "VBP", "MD"} and subject
        as_verb = text.low(place) == "research" and (
            text.tag(place - 1) in {"TO", "MD", "DO"}
            or (text.tag(place - 1) in {"PRP", "NNS"} and text.tag(place - 1) != "IN")
        )
        if text.low(at) in MASS_BLOCKED or as_verb or (text.low(at) == "of" and text.low(at - 1).rstrip("s") in pieces):
            continue
        if verb_next and following == "VBP":
            continue
        ending = "es" if text.low(place).endswith("ch") else "s"
        yield replaced(text, place, f"{text.low(place)}{ending}")


def bare_after_quantifiers(text: Text) -> Iterator[Edit]:
    """After numbers and quantifiers, nouns of measure, time and money take no plural.

    >>> changed(BARE_MEASURES, "It is five miles away.", "She stayed several years.", "He paid 20 dollars.",
    ...         "A few hours passed.", "They waited many months.")
    It is five mile away.
    She stayed several year.
    He paid 20 dollar.
    A few hour passed.
    They waited many month.
    >>> kept(BARE_MEASURES, "The years passed.", "One mile is enough.", "Five apples fell.", "Those hours were long.",
    ...      "It took two long days.")
    True
    """
    for place in text.at(*MEASURES):
        at = place - 1
        if text.low(at) == "more":
            at -= 1
        low = text.low(at)
        couple = low == "of" and text.low(at - 1) == "couple"
        number = text.tag(at) == "CD" and low not in {"one", "1"}
        if (number or couple or low in {"several", "many", "few"}) and text.low(place + 1) not in {"'", "’", "'s"}:
            yield replaced(text, place, MEASURES[text.low(place)])


def no_indefinite_article(text: Text) -> Iterator[Edit]:
    """No `a` or `an` before a singular noun phrase.

    >>> changed(NO_ARTICLE, "She is a doctor.", "He bought an old car.", "A man came in.", "I saw a bird and a cat.",
    ...         "Write a letter to him.")
    She is doctor.
    He bought old car.
    Man came in.
    I saw bird and cat.
    Write letter to him.
    >>> kept(NO_ARTICLE, "He ate a lot.", "Twice a day it rains.", "What a story!", "The doctor came.",
    ...         "Half a loaf is left.")
    True
    """
    for place in text.at("a", "an"):
        letter = text.words[place].capital and not text.opens(place)
        grade = text.words[place + 1 : place + 2]
        if letter or (grade and grade[0].capital and grade[0].end - grade[0].start == 1):
            continue
        before, after = text.low(place - 1), text.low(place + 1)
        plain = after in {"great", "good", "little"} and text.tag(place + 2) == "NN"
        if after in KEPT_ARTICLE and (not plain or text.low(place + 2) in {"deal", "many", "bit"}):
            continue
        if before in BEFORE_KEPT_ARTICLE or text.tag(place + 1) in {"PUNCT", "IN", "", "BE"}:
            continue
        if after in RATES and text.tag(place - 1) in {"NN", "NNS", "RB", "CD"}:
            continue
        yield dropped(text, place)


def _demonstrated(text: Text, place: int) -> str:
    """The part of speech of the noun that a demonstrative stands before; empty where it is a pronoun."""
    at = place + 1
    while text.tag(at) in IN_PHRASE and at < place + 5:
        at += 1
    while text.tag(at) in {"NN", "NNP"} and text.tag(at + 1) in {"NN", "NNS"}:
        at += 1
    return text.tag(at) if text.tag(at) in {"NN", "NNS"} else ""


def them_for_those(text: Text) -> Iterator[Edit]:
    """`Those` before a noun is `them`.

    >>> changed(THEM, "Those boys ran.", "I like those old songs.", "Who made those?", "Give me those three books.",
    ...         "In those days it rained.")
    Them boys ran.
    I like them old songs.
    Who made those?
    Give me them three books.
    In them days it rained.
    >>> kept(THEM, "Those who came left.", "Those are mine.", "These boys ran.", "Those of us who swim left.",
    ...      "I like those.")
    True
    """
    for place in text.at("those"):
        if _demonstrated(text, place) == "NNS":
            yield replaced(text, place, "them")


def this_here(text: Text) -> Iterator[Edit]:
    """Demonstratives before a noun take `here` and `there`: `this here road`.

    >>> changed(HERE_THERE, "This road is long.", "Who owns that house?", "These boys ran.", "I want those shoes.",
    ...         "Take this heavy bag.")
    This here road is long.
    Who owns that there house?
    These here boys ran.
    I want those there shoes.
    Take this here heavy bag.
    >>> kept(HERE_THERE, "This is long.", "He said that birds fly.", "That was mine.", "I saw it this morning.",
    ...      "The house that Jack built fell.")
    True
    """
    for place in text.at("this", "these", "that", "those"):
        low, noun = text.low(place), _demonstrated(text, place)
        number = "NNS" if low in {"these", "those"} else "NN"
        if noun != number or text.low(place + 1) in TIMES | {"here", "there", "much", "many", "one"}:
            continue
        if text.tag(place - 1) in {"RB", "BE"} and low == "that":
            continue  # how much: really that cold
        if low == "that" and not _determines(text, place):
            continue
        yield inserted(text, place + 1, "here" if low in {"this", "these"} else "there")


def _determines(text: Text, place: int) -> bool:
    """Whether `that` stands before its noun rather than opening a clause."""
    before = text.tag(place - 1)
    if before in {"NN", "NNS", "NNP", "JJ"} and not text.opens(place):
        return False
    speaks = lemma(text.low(place - 1)) in {
        "say", "think", "know", "believe", "hope", "show", "tell", "mean", "feel", "argue", "claim", "find", "suggest",
        "report", "hear", "learn", "notice", "explain", "so", "understand", "agree", "decide", "insist", "realize",
    }  # fmt: skip
    return not speaks and text.tag(place + 1) not in {"RB", "CD"}


def one_demonstrative(text: Text) -> Iterator[Edit]:
    """`This` and `that` before plural nouns as well.

    >>> changed(ONE_NUMBER, "These boys ran.", "I like those old songs.", "Give me these three books.",
    ...         "Who wrote those letters?",
    ...         "Those shoes are wet.")
    This boys ran.
    I like that old songs.
    Give me this three books.
    Who wrote that letters?
    That shoes are wet.
    >>> kept(ONE_NUMBER, "These are mine.", "Those who came left.", "This boy ran.", "That house is old.",
    ...         "I like these.")
    True
    """
    for place in text.at("these", "those"):
        if _demonstrated(text, place) == "NNS":
            yield replaced(text, place, "this" if text.low(place) == "these" else "that")


def double_comparatives(text: Text) -> Iterator[Edit]:
    """Comparatives in -er and superlatives in -est take `more` and `most` too.

    >>> changed(DOUBLE, "She is taller.", "This is the biggest house.", "He runs faster.", "It got worse.",
    ...         "The best day came.")
    She is more taller.
    This is the most biggest house.
    He runs more faster.
    It got more worse.
    The most best day came.
    >>> kept(DOUBLE, "She is more careful.", "The former king died.", "Her father came.", "You had better go.",
    ...      "She is tall.")
    True
    """
    for place in _compared(text, irregular=True):
        word = text.text[text.words[place].start : text.words[place].end]
        yield _compared_with(text, place, word)


def analytic_comparison(text: Text) -> Iterator[Edit]:
    """Comparatives and superlatives of short words are made with `more` and `most`.

    >>> changed(ANALYTIC, "She is taller.", "This is the biggest house.", "He runs faster.", "The weather was drier.",
    ...         "That was the happiest day.")
    She is more tall.
    This is the most big house.
    He runs more fast.
    The weather was more dry.
    That was the most happy day.
    >>> kept(ANALYTIC, "It got worse.", "She is more careful.", "Her sister came.", "The best day came.",
    ...         "She is tall.")
    True
    """
    for place in _compared(text, irregular=False):
        low = text.low(place)
        base = lemma(low, "ADJ") or lemma(low, "ADV")
        if base:
            yield _compared_with(text, place, base)


def _compared_with(text: Text, place: int, word: str) -> Edit:
    """`more` or `most` and this word instead of the one at a place, with the article that this takes."""
    degree = "most" if text.low(place).endswith("st") else "more"
    if text.low(place - 1) == "an":
        return replaced(text, place - 1, f"a {degree} {word}", place)
    if word == text.text[text.words[place].start : text.words[place].end]:
        return inserted(text, place, degree)
    return replaced(text, place, f"{degree} {word}")


def _compared(text: Text, *, irregular: bool) -> Iterator[int]:
    """The places of comparatives and superlatives that have no `more` or `most`."""
    for place in text.of("JJR", "JJS", "RBR", "RBS"):
        low = text.low(place)
        odd = low in {"better", "best", "worse", "worst"}
        if low in {"more", "most", "less", "least", "fewer"} or (low in NO_COMPARISON and not (odd and irregular)):
            continue
        if text.low(place - 1) in {"more", "most", "had", "'d", "at"} or (odd and not irregular):
            continue
        if text.low(place - 1) == "the" and text.tag(place + 1) in {"PRP", "PUNCT"} and low.endswith("er"):
            continue
        yield place


PLURALS = Feature(48, "Regularization of plural formation: extension of -s to StE irregular plurals", regular_plurals)
MASS_NOUNS = Feature(
    55, "Different count/mass noun distinctions resulting in use of plural for StE singular", counted_mass_nouns
)
BARE_MEASURES = Feature(56, "Absence of plural marking only after quantifiers", bare_after_quantifiers)
NO_ARTICLE = Feature(63, "Use of zero article where StE has indefinite article", no_indefinite_article)
THEM = Feature(68, "Them instead of demonstrative those", them_for_those)
HERE_THERE = Feature(70, "Proximal and distal demonstratives with 'here' and 'there'", this_here)
ONE_NUMBER = Feature(71, "No number distinction in demonstratives", one_demonstrative)
DOUBLE = Feature(78, "Double comparatives and superlatives", double_comparatives)
ANALYTIC = Feature(80, "Regularized comparison strategies: extension of analytic marking", analytic_comparison)
NOUN_PHRASES = (
    PLURALS, MASS_NOUNS, BARE_MEASURES, NO_ARTICLE, THEM, HERE_THERE, ONE_NUMBER, DOUBLE, ANALYTIC,
)  # fmt: skip
