"""Negation (eWAVE 154 to 169)."""

from __future__ import annotations

from collections.abc import Iterator

from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.features.feature import Feature, after_adverbs, past, replaced
from fairprobe.rewriting.words import SUBJECTS, Text

ASSERTIVE = {
    "any": "no", "anything": "nothing", "anybody": "nobody", "anyone": "no one", "anywhere": "nowhere", "ever": "never",
    "either": "neither",
}  # fmt: skip
NEGATORS = ("not", "n't", "never", "nobody", "nothing", "none")


def negative_concord(text: Text) -> Iterator[Edit]:
    """After a negation in the same clause `any` and its kin are negative, and so is the `a` of its object.

    >>> changed(CONCORD, "I don't have any money.", "She never said anything.", "Nobody told anyone.")
    I don't have no money.
    She never said nothing.
    Nobody told no one.
    >>> changed(CONCORD, "He didn't go anywhere.", "We don't own a car.")
    He didn't go nowhere.
    We don't own no car.
    >>> kept(CONCORD, "Do you have any money?", "Anyone can see it.", "If anything breaks, call.", "It is not a joke.",
    ...      "He said any day is fine.")
    True
    """
    for place in text.at(*NEGATORS):
        clause = 0
        for at in range(place + 1, min(place + 14, len(text.words))):
            low, tag = text.low(at), text.tag(at)
            if (
                tag in {"PUNCT", "CS"}
                or low in {"but", "who", "which", "that", "because", "than", "so"}
                or (low == "and" and text.tag(at + 1) in {"PRP", "DT", "NNP"})
            ):
                break
            if low in ASSERTIVE:
                yield replaced(text, at, ASSERTIVE[low])
            elif low in {"a", "an"} and text.tag(at - 1) == "VB" and text.low(place) in {"n't", "not"} and clause == 0:
                if text.low(at + 1) not in {"lot", "few", "little", "bit", "great"} and text.low(at - 1) != "be":
                    clause = 1
                    yield replaced(text, at, "no")


def aint_be(text: Text) -> Iterator[Edit]:
    """Negated `am`, `is` and `are` are `ain't`.

    >>> changed(AINT_BE, "She isn't home.", "They are not late.", "I'm not sure.", "Isn't it cold?", "He's not here.")
    She ain't home.
    They ain't late.
    I ain't sure.
    Ain't it cold?
    He ain't here.
    >>> kept(AINT_BE, "She wasn't home.", "He's not been here.", "It is cold.", "Not all are here.", "I do not know.")
    True
    """
    yield from _aint(text, "BE", {"am", "is", "are", "'m", "'s", "'re"})


def aint_have(text: Text) -> Iterator[Edit]:
    """Negated `have` and `has` as auxiliaries are `ain't`.

    >>> changed(AINT_HAVE, "She hasn't called.", "I have not eaten.", "They've not left.", "Haven't you heard?",
    ...         "The train hasn't come yet.")
    She ain't called.
    I ain't eaten.
    They ain't left.
    Ain't you heard?
    The train ain't come yet.
    >>> kept(AINT_HAVE, "She hadn't called.", "I have no bread.", "They have left.", "He isn't here.",
    ...         "I had not eaten.")
    True
    """
    yield from _aint(text, "HV", {"have", "has", "'ve", "'s"})


def _aint(text: Text, tag: str, forms: set[str]) -> Iterator[Edit]:
    for place in text.of("NOT"):
        verb = place - 1
        if text.tag(verb) != tag or text.low(verb) not in forms or text.tag(verb - 1) in {"TO", "MD"}:
            continue
        if text.low(place + 1) == "only" or (tag == "HV" and text.tag(after_adverbs(text, place + 1)) in {"DT", "TO"}):
            continue
        new = (
            "ain't"
            if text.text[text.words[verb].start - 1 : text.words[verb].start].isspace() or verb == 0
            else " ain't"
        )
        yield Edit(text.words[verb].start, text.words[place].end, text.cased(verb, new))


def aint_main_verb(text: Text) -> Iterator[Edit]:
    """`Didn't` before a verb is `ain't`.

    >>> changed(AINT_DID, "She didn't see it.", "I did not know.", "The dog didn't really bite.", "They didn't come.",
    ...         "We didn't go out.")
    She ain't see it.
    I ain't know.
    The dog ain't really bite.
    They ain't come.
    We ain't go out.
    >>> kept(AINT_DID, "She doesn't see it.", "Didn't she know?", "He came, didn't he?", "No, I didn't.",
    ...         "I don't know.")
    True
    """
    for verb, place, _ in _negated_did(text):
        yield replaced(text, verb, "ain't", place)


def invariant_dont(text: Text) -> Iterator[Edit]:
    """`Don't` for all persons.

    >>> changed(DONT, "She doesn't know.", "It does not rain here.", "Doesn't he swim?", "He swims, doesn't he?",
    ...         "Ann doesn't eat fish.")
    She don't know.
    It do not rain here.
    Don't he swim?
    He swims, don't he?
    Ann don't eat fish.
    >>> kept(DONT, "Does he swim?", "She does know.", "They don't know.", "He didn't know.", "It is not so.")
    True
    """
    for place in text.at("does"):
        if text.tag(place + 1) == "NOT":
            yield replaced(text, place, "do")


def never_past(text: Text) -> Iterator[Edit]:
    """`Didn't` and a verb are `never` and its past.

    >>> changed(NEVER, "She didn't see it.", "I did not know him.", "They didn't come.", "He didn't really try.",
    ...         "The bus didn't stop.")
    She never saw it.
    I never knew him.
    They never came.
    He never really tried.
    The bus never stopped.
    >>> kept(NEVER, "She doesn't see it.", "Didn't she know?", "He came, didn't he?", "No, I didn't.",
    ...         "I never saw it.")
    True
    """
    for verb, _, main in _negated_did(text):
        if told := past(text.low(main)):
            between = text.text[text.words[verb + 2].start : text.words[main].start]
            yield Edit(text.words[verb].start, text.words[main].end, text.cased(verb, f"never {between}{told}"))


def _negated_did(text: Text) -> Iterator[tuple[int, int, int]]:
    """Statements with `didn't` and a verb: the places of `did`, of the negation and of the verb."""
    for verb in text.at("did"):
        main = after_adverbs(text, verb + 2)
        can = text.words[main].uses if main < len(text.words) else frozenset()
        base = text.tag(main) == "VB" or "VB" in can or text.low(main) in {"have", "do", "be"}
        if text.tag(verb + 1) == "NOT" and base and text.tag(main) not in {"PRP", "DT", "NNP"}:
            if (
                not text.opens(verb)
                and text.tag(verb - 1) != "WP"
                and not (text.asks(verb) and text.low(verb - 1) == "why")
            ):
                yield verb, verb + 1, main


def invariant_tag(text: Text) -> Iterator[Edit]:
    """The tag at the end of a sentence is `isn't it`, whatever its subject and verb.

    >>> changed(TAG, "You know him, don't you?", "They left, didn't they?", "She can't swim, can she?",
    ...         "We're late, aren't we?", "Ann will come, won't she?")
    You know him, isn't it?
    They left, isn't it?
    She can't swim, isn't it?
    We're late, isn't it?
    Ann will come, isn't it?
    >>> kept(TAG, "It's cold, isn't it?", "Don't you know him?", "If so, do they swim well?", "He asked, did she come?",
    ...      "Who is she?")
    True
    """
    for end in (place for place in text.of("PUNCT") if text.low(place).startswith("?")):
        if text.low(end - 1) not in SUBJECTS | {"there"}:
            continue
        verb = end - 2 - (text.tag(end - 2) == "NOT")
        tag = text.text[text.words[verb].start : text.words[end - 1].end].lower().replace("’", "'")
        if text.tag(verb) in {"BE", "HV", "DO", "MD"} and text.low(verb - 1) == "," and tag != "isn't it":
            yield replaced(text, verb, "isn't it", end - 1)


CONCORD = Feature(154, "Multiple negation / negative concord", negative_concord)
AINT_BE = Feature(155, "Ain't as the negated form of be", aint_be)
AINT_HAVE = Feature(156, "Ain't as the negated form of have", aint_have)
AINT_DID = Feature(157, "Ain't as generic negator before a main verb", aint_main_verb)
DONT = Feature(158, "Invariant don't for all persons in the present tense", invariant_dont)
NEVER = Feature(159, "Never as preverbal past tense negator", never_past)
TAG = Feature(165, "Invariant non-concord tags", invariant_tag)
NEGATION = (CONCORD, AINT_BE, AINT_HAVE, AINT_DID, DONT, NEVER, TAG)
