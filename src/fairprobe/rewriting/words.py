"""A text as words, each with its likely part of speech: by a lexicon, closed classes, and the words beside it.

No model is asked, so that rewriting is fast and the same everywhere; where a word stays ambiguous its likeliest use
counts, and rules that read it ask for more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from lemminflect import getAllLemmas, getInflection

TOKEN = re.compile(
    r"[A-Za-zÀ-ɏ]+(?=n['’]t\b)|n['’]t\b|['’](?:s|re|ve|ll|d|m)\b"
    r"|[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*(?=['’](?:s|re|ve|ll|d|m)\b)"
    r"|[A-Za-zÀ-ɏ]+(?:-[A-Za-zÀ-ɏ]+)*|\d+(?:[.,:/]\d+)*\w*|[.!?]+|\S",
    re.IGNORECASE,
)
BE = frozenset("am is are was were be been being 'm 're".split())
HAVE = frozenset("have has had having 've".split())
DO = frozenset("do does did doing done".split())
MODALS = frozenset("can could will would shall should may might must 'll ca wo sha ought".split())
SUBJECTS = frozenset("i you he she it we they".split())
OBJECTS = frozenset("me him us them".split())
POSSESSIVES = frozenset("my your his her our their its whose".split())
DETERMINERS = frozenset(
    "the a an this that these those each every some any no another either neither both all half".split()
)
QUANTITIES = frozenset("many much several few more most enough less fewer such".split())
PREPOSITIONS = frozenset(
    "of in on at by for with from into onto over under about after before between through during without against "
    "across behind near beside above below toward towards upon within along around among inside outside beyond "
    "despite except off until since like than as per via past up down out round throughout opposite underneath".split()
)
CONJUNCTIONS = frozenset("and or but nor so yet".split())
SUBORDINATORS = frozenset("if because when while although though unless whether once whereas wherever whenever".split())
WH = frozenset("who whom what which where when why how".split())
ADVERBS = frozenset(
    "always usually often never sometimes already just also only still now then soon again too very really quite "
    "rather almost even ever here there maybe perhaps probably not yet once twice later today yesterday tomorrow "
    "tonight away home together instead however therefore rarely seldom hardly nearly n't so almost mostly all".split()
)
NUMBERS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million".split()
)
PRONOUNS = frozenset(
    "everyone everybody everything someone somebody something anyone anybody anything nobody nothing none mine yours "
    "hers ours theirs myself yourself himself herself itself ourselves yourselves themselves".split()
)
FORMS = ("VB", "VBZ", "VBD", "VBN", "VBG", "NN", "NNS", "JJ", "JJR", "JJS", "RB", "RBR", "RBS")
VERBAL = frozenset({"VB", "VBP", "VBZ", "VBD", "VBN", "VBG"})
FINITE = frozenset({"VBP", "VBZ", "VBD", "BE", "HV", "DO", "MD"})
NOMINAL = frozenset({"NN", "NNS", "NNP", "PRP"})
BREAKS = frozenset({".", "!", "?", ",", ";", ":", "(", ")", "—", "–", '"', "“", "”"})
RARE = {
    "left": "VBD VBN JJ", "saw": "VBD NN", "felt": "VBD VBN", "found": "VBD VBN", "ground": "NN", "people": "NNS",
    "water": "NN", "school": "NN", "house": "NN", "home": "RB NN", "man": "NN", "book": "NN", "head": "NN VB",
    "children": "NNS", "men": "NNS", "well": "RB", "better": "JJR RBR", "best": "JJS RBS", "worse": "JJR RBR",
    "worst": "JJS RBS", "letters": "NNS", "thing": "NN", "near": "IN",
    "name": "NN VB", "time": "NN", "day": "NN", "year": "NN", "friend": "NN", "teacher": "NN", "mother": "NN",
    "father": "NN", "brother": "NN", "sister": "NN", "doctor": "NN", "dog": "NN", "cat": "NN", "bed": "NN", "car": "NN",
    "good": "JJ NN", "bad": "JJ", "new": "JJ", "old": "JJ", "young": "JJ", "long": "JJ RB", "big": "JJ", "small": "JJ",
    "last": "JJ RB VB", "next": "JJ RB", "first": "JJ RB", "second": "JJ NN", "other": "JJ", "same": "JJ",
    "own": "JJ VB",
    "right": "JJ RB NN", "late": "JJ RB", "early": "JJ RB", "hard": "JJ RB", "fast": "JJ RB", "back": "RB NN",
    "open": "JJ VB",
    "dry": "JJ VB", "warm": "JJ VB", "cool": "JJ VB", "clean": "JJ VB", "clear": "JJ VB", "empty": "JJ VB",
    "free": "JJ VB",
    "quiet": "JJ", "slow": "JJ", "calm": "JJ", "busy": "JJ", "ready": "JJ", "sure": "JJ", "happy": "JJ", "tired": "JJ",
    "news": "NN", "series": "NN", "species": "NNS", "clothes": "NNS", "police": "NNS", "morning": "NN", "evening": "NN",
    "ceiling": "NN", "king": "NN", "ring": "NN VB", "spring": "NN", "string": "NN", "wing": "NN", "bring": "VB",
    "thousand": "CD", "hundred": "CD", "million": "CD", "red": "JJ", "blue": "JJ", "green": "JJ", "white": "JJ",
    "black": "JJ", "brown": "JJ", "favourite": "JJ", "favorite": "JJ", "let": "VB VBD VBN", "minutes": "NNS",
    "hours": "NNS",
    "meeting": "NN VBG", "building": "NN VBG", "interesting": "JJ", "boring": "JJ", "exciting": "JJ", "amazing": "JJ",
    "surprising": "JJ", "disappointing": "JJ", "charming": "JJ", "willing": "JJ", "missing": "JJ VBG", "during": "IN",
    "following": "JJ VBG", "according": "VBG", "anything": "PRP", "wedding": "NN", "painting": "NN VBG",
    "feeling": "VBG NN",
    "leaves": "NNS VBZ", "lives": "VBZ NNS", "means": "VBZ NNS", "does": "DO", "was": "BE", "has": "HV", "his": "PP",
    "fun": "NN", "way": "NN", "world": "NN", "city": "NN", "team": "NN", "company": "NN", "door": "NN",
    "light": "NN JJ VB",
    "kind": "NN JJ", "fine": "JJ", "wrong": "JJ", "true": "JJ", "enough": "QT", "own.": "JJ", "afraid": "JJ",
    "able": "JJ",
    "alone": "JJ RB", "asleep": "JJ", "awake": "JJ", "alive": "JJ", "smart": "JJ", "sick": "JJ", "fat": "JJ NN",
    "thin": "JJ",
    "weak": "JJ", "strong": "JJ", "nice": "JJ", "rich": "JJ", "poor": "JJ", "proud": "JJ", "loud": "JJ RB",
    "angry": "JJ",
}  # fmt: skip
"""Words whose entry in the lexicon holds uses that are too rare to count."""


@dataclass(slots=True)
class Word:
    """A word or mark: where it stands, in small letters with straight apostrophes, and its likely part of speech."""

    start: int
    end: int
    low: str
    capital: bool
    tag: str
    uses: frozenset[str]


@lru_cache(maxsize=65_536)
def uses(word: str) -> frozenset[str]:
    """The parts of speech that the lexicon knows of a word in small letters, as Penn tags; empty for an unknown one."""
    if word in RARE:
        return frozenset(RARE[word].split())
    found = set()
    for part, lemmas in getAllLemmas(word).items():
        for lemma in lemmas:
            for tag in _TAGS.get(part, ()):
                if word in inflected(lemma, tag) or (tag in {"VB", "NN", "JJ", "RB"} and word == lemma):
                    found.add(tag)
    return frozenset(found)


_TAGS = {
    "VERB": ("VB", "VBZ", "VBD", "VBN", "VBG"), "AUX": ("VB", "VBZ", "VBD", "VBN", "VBG"), "NOUN": ("NN", "NNS"),
    "ADJ": ("JJ", "JJR", "JJS"), "ADV": ("RB", "RBR", "RBS"),
}  # fmt: skip


@lru_cache(maxsize=65_536)
def inflected(lemma: str, tag: str) -> tuple[str, ...]:
    """The forms of a lemma with this Penn tag, the commonest first."""
    return tuple(getInflection(lemma, tag))


@lru_cache(maxsize=65_536)
def lemma(word: str, part: str = "VERB") -> str | None:
    """The commonest lemma of a word as a `VERB`, `NOUN`, `ADJ` or `ADV`; None where it is none.

    >>> lemma("went"), lemma("mice", "NOUN"), lemma("otter")
    ('go', 'mouse', None)
    """
    found = getAllLemmas(word).get(part)
    return found[0] if found else None


def form(word: str, tag: str) -> str | None:
    """A verb's form with this Penn tag, from any form of it.

    >>> form("goes", "VBN"), form("wrote", "VBG")
    ('gone', 'writing')
    """
    base = lemma(word)
    found = inflected(base, tag) if base else ()
    return found[0] if found else None


class Text:
    """A text, its words, and where each word in small letters stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = _tagged(text)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """The places of each word in small letters among the words."""
        found: dict[str, list[int]] = {}
        for place, word in enumerate(self.words):
            found.setdefault(word.low, []).append(place)
        return found

    @cached_property
    def tagged(self) -> dict[str, list[int]]:
        """The places of each part of speech among the words."""
        found: dict[str, list[int]] = {}
        for place, word in enumerate(self.words):
            found.setdefault(word.tag, []).append(place)
        return found

    def at(self, *lows: str) -> Iterator[int]:
        """The places of any of these words, in order."""
        places = self.places
        held = [places[low] for low in lows if low in places]
        return iter(held[0] if len(held) == 1 else sorted(place for each in held for place in each))

    def of(self, *tags: str) -> Iterator[int]:
        """The places of any of these parts of speech, in order."""
        tagged = self.tagged
        held = [tagged[tag] for tag in tags if tag in tagged]
        return iter(held[0] if len(held) == 1 else sorted(place for each in held for place in each))

    def low(self, place: int) -> str:
        """The word at a place in small letters, empty beyond the ends."""
        return self.words[place].low if 0 <= place < len(self.words) else ""

    def tag(self, place: int) -> str:
        """The part of speech at a place, empty beyond the ends."""
        return self.words[place].tag if 0 <= place < len(self.words) else ""

    def opens(self, place: int) -> bool:
        """Whether a sentence begins at this place."""
        return place <= 0 or self.words[place - 1].low[:1] in {".", "!", "?", ":", "\n", '"', "“", "—"}

    def sentence(self, place: int) -> tuple[int, int]:
        """The places from which and up to which the sentence around a place runs, its last mark left out."""
        first, last = place, place
        while first > 0 and self.words[first - 1].low[:1] not in {".", "!", "?"}:
            first -= 1
        while last < len(self.words) and self.words[last].low[:1] not in {".", "!", "?"}:
            last += 1
        return first, last

    def asks(self, place: int) -> bool:
        """Whether the sentence around a place ends in a question mark."""
        return self.low(self.sentence(place)[1]).startswith("?")

    def cased(self, place: int, new: str) -> str:
        """A replacement of the word at a place, with a capital where that has one."""
        return new[:1].upper() + new[1:] if self.words[place].capital else new


@lru_cache(maxsize=256)
def parsed(text: str) -> Text:
    """The words of a text, read once for all rules that look at it."""
    return Text(text)


def _tagged(text: str) -> list[Word]:
    words = [_word(match.group(), match.start()) for match in TOKEN.finditer(text)]
    shouted = sum(word.capital for word in words) > 0.8 * len(words)
    verbs = False
    for place, word in enumerate(words):
        before = words[place - 1] if place else None
        if before is None or before.tag in {"PUNCT", "CC", "CS", "WP"} or before.low == "that":
            verbs = False
        if not word.tag:
            word.tag = _decided(words, place, has_verb=verbs, shouted=shouted)
        elif word.low == "'s":
            word.tag = _clitic(words, place)
        elif word.low == "'d":
            word.tag = "MD"
        verbs = verbs or word.tag in FINITE
    return words


def _word(written: str, start: int) -> Word:
    low, capital, tag, known = _read(written)
    return Word(start, start + len(written), low, capital, tag, known)


@lru_cache(maxsize=65_536)
def _read(written: str) -> tuple[str, bool, str, frozenset[str]]:
    """What is known of a word by itself."""
    low = written.lower().replace("’", "'")
    tag = _closed(low)
    return low, written[:1].isupper(), tag, frozenset() if tag else uses(low)


_CLOSED = {
    **dict.fromkeys(ADVERBS, "RB"), **dict.fromkeys(PREPOSITIONS, "IN"), **dict.fromkeys(QUANTITIES, "QT"),
    **dict.fromkeys(NUMBERS, "CD"), **dict.fromkeys(PRONOUNS, "PRP"), **dict.fromkeys(SUBORDINATORS, "CS"),
    **dict.fromkeys(CONJUNCTIONS, "CC"), **dict.fromkeys(WH, "WP"), **dict.fromkeys(DETERMINERS, "DT"),
    **dict.fromkeys(POSSESSIVES, "PP"), **dict.fromkeys(OBJECTS, "OBJ"), **dict.fromkeys(SUBJECTS, "PRP"),
    **dict.fromkeys(MODALS, "MD"), **dict.fromkeys(DO, "DO"), **dict.fromkeys(HAVE, "HV"), **dict.fromkeys(BE, "BE"),
    "to": "TO", "'s": "BE", "'d": "MD", "n't": "NOT", "not": "NOT", "please": "UH", "yes": "UH", "oh": "UH",
}  # fmt: skip


def _closed(low: str) -> str:
    if low in _CLOSED:
        return _CLOSED[low]
    if not low[0].isalpha():
        return "CD" if low[0].isdigit() else "PUNCT"
    return ""


def _decided(words: list[Word], place: int, *, has_verb: bool, shouted: bool) -> str:
    """The use of a word of an open class that its neighbours make the likeliest."""
    word = words[place]
    can, following = word.uses, words[place + 1] if place + 1 < len(words) else None
    at = place - 1
    while at >= 0 and words[at].tag in {"RB", "NOT"}:
        at -= 1
    before = words[at].tag if at >= 0 else ""
    direct = words[place - 1].tag if place else ""
    if word.capital and place and direct != "PUNCT" and not shouted:
        return "NNS" if "NNS" in can and "NN" not in can else "NNP"
    if not can:
        return _guessed(word, direct)
    if len(can) == 1:
        [only] = can
        return "VBP" if only == "VB" and before in {"PRP", "NNS", "WP"} and direct != "TO" else only
    if before in {"MD", "TO", "DO"} and "VB" in can and words[at].low != "done":
        if before != "TO" or not ({"NN", "NNS"} & can and direct != "TO"):
            return "VB"
    if before == "HV" and "VBN" in can:
        return "VBN"
    if before == "BE":
        for tag in ("VBG", "JJ", "VBN", "JJR", "JJS", "RB"):
            if tag in can:
                return tag
    if direct in {"DT", "PP", "QT", "CD", "JJ", "JJR", "JJS", "POS"}:
        return _nominal(can, following)
    if direct == "IN":
        return "VBG" if "VBG" in can else _nominal(can, following)
    if before in {"PRP", "WP", "EX"}:
        for tag in ("VBD", "VBZ", "VB"):
            if tag in can:
                return "VBP" if tag == "VB" else tag
    if before in {"NN", "NNP", "NNS", "PRP"} and "VB" in can and _inverted(words, at):
        return "VB"
    if before in {"NN", "NNP", "NNS"} and not has_verb and not _finite_follows(words, place):
        for tag in ("VBD", "VBZ", "VB"):
            if tag in can and _may_be_verb(tag, before, can, following):
                return "VBP" if tag == "VB" else tag
    if before in VERBAL or before in {"BE", "OBJ"}:
        for tag in ("RB", "JJ", "VBN", "VBG", "NN", "NNS", "VB"):
            if tag in can:
                return tag
    if before == "CC" and "VBD" in can and has_verb is False and _verb_before(words, place):
        return "VBD"
    if not at >= 0 and "VB" in can and following is not None and following.tag in {"DT", "PP", "OBJ", "PRP"}:
        return "VB"
    return _nominal(can, following)


def _inverted(words: list[Word], subject: int) -> bool:
    """Whether the noun phrase that ends here is the subject of a question: `do the children`, `can Ann`."""
    first = subject
    while first >= 0 and words[first].tag in {"NN", "NNS", "NNP", "PRP", "DT", "PP", "JJ", "CD", "POS", "RB"}:
        first -= 1
    opened = first < 1 or words[first - 1].tag in {"WP", "PUNCT", "CC", "NN", "NNS"}
    return first >= 0 and words[first].low in {"do", "does", "did", *MODALS} and opened


def _may_be_verb(tag: str, before: str, can: frozenset[str], following: Word | None) -> bool:
    """Whether a word after a noun is its verb: `the dog barks`, not `the city parks`."""
    if tag == "VBD":
        return True
    if tag == "VB":
        return before == "NNS" and (following is None or following.tag in {"DT", "PP", "IN", "TO", "OBJ", "RB", "QT"})
    nounlike = "NNS" in can
    return before != "NNS" and (
        not nounlike
        or following is None
        or following.tag in {"DT", "PP", "IN", "TO", "OBJ", "RB", "QT", "CD", "PRP", "PUNCT", ""}
    )


def _finite_follows(words: list[Word], place: int) -> bool:
    """Whether the next words hold a verb that can only be finite, so that this one is none."""
    following = words[place + 1 : place + 3]
    if not following:
        return False
    first = following[0]
    if first.tag in {"BE", "HV", "DO", "MD"} and first.low not in {"be", "been", "being", "having", "doing", "done"}:
        return True
    return bool({"VBZ", "VBD"} & first.uses) and not {"NN", "NNS", "JJ", "VBN"} & first.uses


def _verb_before(words: list[Word], place: int) -> bool:
    return any(word.tag == "VBD" for word in words[max(0, place - 8) : place])


def _nominal(can: frozenset[str], following: Word | None) -> str:
    """The use of a word inside a noun phrase: an adjective before a noun, else a noun."""
    noun_next = following is not None and (
        bool({"NN", "NNS"} & following.uses) or following.tag == "CD" or (following.capital and not following.tag)
    )
    inside = ("JJR", "JJS", "JJ", "VBG", "VBN", "NN", "NNS") if "NN" not in can else ("JJ", "NN", "NNS")
    order = inside if noun_next else ("NN", "NNS", "JJR", "JJS", "JJ")
    rest = ("NN", "NNS", "RB", "RBR", "RBS", "JJ", "JJR", "JJS", "VBG", "VBN", "VB", "VBD", "VBZ")
    return next((tag for tag in (*order, *rest) if tag in can), "NN")


def _guessed(word: Word, before: str) -> str:
    """The part of speech of a word that the lexicon does not hold."""
    if word.capital:
        return "NNP"
    low = word.low
    if low.endswith("ly"):
        return "RB"
    if low.endswith("ing"):
        return "VBG" if before in {"BE", "IN"} else "NN"
    if low.endswith("ed"):
        return "VBD" if before in {"PRP", "NN", "NNS", "NNP"} else "JJ"
    return "NNS" if low.endswith("s") and not low.endswith("ss") else "NN"


def _clitic(words: list[Word], place: int) -> str:
    """Whether `'s` is a genitive, `is` or `has`."""
    before, after = words[place - 1] if place else None, words[place + 1 :]
    while after and after[0].tag in {"RB", "NOT"}:
        after = after[1:]
    following = after[0] if after else None
    if before is not None and before.low == "let":
        return "OBJ"
    if following is not None and before is not None:
        if before.low in SUBJECTS | {"who", "there", "that", "what", "here", "where"} or not _owns(
            following, words, place
        ):
            seen = following.low in {"been", "got", "had"} or following.uses == {"VBN"}
            return "HV" if seen or (following.uses & {"VBN"} and not following.uses & {"JJ", "VBD"}) else "BE"
        return "POS"
    return "POS" if before is not None and before.tag in {"NN", "NNS", "NNP"} else "BE"


def _owns(following: Word, words: list[Word], place: int) -> bool:
    """Whether what follows `'s` after a noun is what the noun owns."""
    adverb = place + 1 < len(words) and words[place + 1].tag in {"RB", "NOT"}
    if adverb or following.tag in {"DT", "PP", "IN", "PRP", "OBJ", "PUNCT", "TO", "WP", "EX"}:
        return False
    if following.uses and not following.uses & {"NN", "NNS"}:
        beyond = words[place + 2] if place + 2 < len(words) else None
        return bool(following.uses & {"JJ", "JJS", "JJR"}) and beyond is not None and bool(beyond.uses & {"NN", "NNS"})
    return "VBG" not in following.uses
