"""Agreement of verbs, existentials, and the omission of be (eWAVE 170 to 184)."""

from __future__ import annotations

from collections.abc import Iterator

from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.features.feature import (
    Feature,
    after_adverbs,
    before_adverbs,
    dropped,
    replaced,
    singular_third,
    subject_of,
)  # fmt: skip
from fairprobe.rewriting.words import Text, lemma, uses

PRESENT = {"is", "are", "'s", "'re"}
KEEP_BE_AFTER = frozenset("it that this what there here who where how when why which".split())
PLACES = frozenset("here there home outside inside upstairs downstairs away abroad nearby indoors outdoors".split())
LOCATIVE = frozenset(
    "in on at under near behind by from inside outside beside above below between among across against beyond opposite "
    "around over within underneath along into off".split()
)
TIMES = frozenset(
    "time trouble monday tuesday wednesday thursday friday saturday sunday january february march april may june july "
    "august september october november december noon night love danger charge pain debt need fact average sale fire "
    "purpose doubt hurry least risk war peace".split()
)
NOT_VERBS = frozenset(
    "interesting boring exciting amazing surprising missing willing charming disappointing nothing something anything "
    "everything during morning evening building ceiling wedding following confusing relaxing tiring".split()
)


def no_third_person_s(text: Text) -> Iterator[Edit]:
    """Present verbs take no ending in the third person singular.

    >>> changed(NO_S, "She works here.", "My brother knows him.", "It has a roof.", "He does nothing.",
    ...         "Ann often sings.")
    She work here.
    My brother know him.
    It have a roof.
    He do nothing.
    Ann often sing.
    >>> kept(NO_S, "They work here.", "She is here.", "The dogs bark.", "He worked here.", "John's car is old.")
    True
    """
    for place in text.of("VBZ", "HV", "DO"):
        low = text.low(place)
        if text.tag(place) != "VBZ":
            if low in {"has", "does"} and text.tag(place + 1) != "NOT":
                yield replaced(text, place, {"has": "have", "does": "do"}[low])
            continue
        base = lemma(low)
        if base and base != low and low not in {"is", "'s"}:
            yield replaced(text, place, base)


def theres_many(text: Text) -> Iterator[Edit]:
    """`There's` and `there was` before plurals too.

    >>> changed(THERES, "There are two cats.", "There were many people.", "I know there are shops here.",
    ...         "There are no buses.",
    ...         "In the park there were children.")
    There's two cats.
    There was many people.
    I know there's shops here.
    There's no buses.
    In the park there was children.
    >>> kept(THERES, "There is a cat.", "Are there cats?", "They are there.", "The cats there are old.",
    ...         "There was one bus.")
    True
    """
    for place, verb in _existentials(text):
        if text.low(verb) in {"are", "'re"}:
            new = text.cased(place, "there's")
            end = text.words[verb].end
            yield (
                Edit(text.words[place].start, end, new)
                if text.tag(verb + 1) != "NOT"
                else Edit(text.words[verb].start, end, "is")
            )
        elif text.low(verb) == "were":
            yield replaced(text, verb, "was")


def its_for_there(text: Text) -> Iterator[Edit]:
    """`It` stands for the `there` of existence.

    >>> changed(ITS, "There is a cat.", "There's a bus.", "There were two men.", "Is there a shop?",
    ...         "I think there are snakes.")
    It is a cat.
    It's a bus.
    It was two men.
    Is it a shop?
    I think it's snakes.
    >>> kept(ITS, "He is there.", "The cat there is old.", "It is a cat.", "They live there.", "Put it there.")
    True
    """
    for place, verb in _existentials(text):
        new = {"is": "it is", "'s": "it's", "are": "it's", "'re": "it's", "was": "it was", "were": "it was"}[
            text.low(verb)
        ]
        if text.tag(verb + 1) == "NOT" and text.low(verb) == "are":
            new = "it is"
        yield replaced(text, place, new, verb)
    for verb, place in _asked_existentials(text):
        yield replaced(text, verb, "is it" if text.low(verb) in {"is", "are"} else "was it", place)


def _existentials(text: Text) -> Iterator[tuple[int, int]]:
    """Statements of existence: the places of `there` and of the form of be."""
    for place in text.at("there"):
        verb = place + 1
        after = after_adverbs(text, verb + 1, negated=True)
        if text.tag(verb) != "BE" or text.low(verb) not in {"is", "'s", "are", "'re", "was", "were"}:
            continue
        before = text.tag(place - 1)
        said = lemma(text.low(place - 1)) in SAYING or text.low(place - 1) in {"that", "than", "though", "so", "as"}
        opens = text.opens(place) or before in {"PUNCT", "CC", "CS", "WP"} or said or (
            before in {"NN", "NNS", "NNP"} and text.tag(after) in {"DT", "QT", "CD", "NNS"}
        )  # fmt: skip
        tag = text.tag(after)
        noun = tag in {"DT", "QT", "CD", "NN", "NNS", "JJ", "JJR", "PRP", "PP", "VBG"} or text.low(after) in {
            "only",
            "about",
            "over",
        }
        if opens and noun and tag != "NNP" and text.low(after) not in SUBJECT_WORDS:
            yield place, verb


SAYING = frozenset(
    "think know believe say hope see feel suppose guess mean tell find show hear learn claim report imagine".split()
)
SUBJECT_WORDS = frozenset("i he she it we they you my his her our their your".split())


def _asked_existentials(text: Text) -> Iterator[tuple[int, int]]:
    for place in text.at("there"):
        verb = place - 1
        if text.low(verb) in {"is", "are", "was", "were"} and text.asks(place):
            start = text.opens(verb) or text.tag(verb - 1) in {"NNS", "NN", "PUNCT", "WP", "RB"}
            if start and text.tag(place + 1) in {"DT", "QT", "CD", "NN", "NNS", "JJ", "PRP", "PUNCT", "IN", "RB"}:
                yield verb, place


def _omissible(text: Text, *, full_after_any: bool = False) -> Iterator[tuple[int, int]]:
    """Finite forms of be that may be left out: the place of be and of what follows it, adverbs skipped.

    Not after `it`, `that`, `what` and the like (where `full_after_any` a full form may be), not negated, not at the end
    of a clause, not in questions that begin with be.
    """
    for place in text.of("BE"):
        if text.low(place) not in PRESENT:
            continue
        head = before_adverbs(text, place - 1)
        after_any = full_after_any and not text.low(place).startswith("'")
        relative = after_any and text.low(head) in {"who", "which", "that"}
        if text.tag(head) not in {"NN", "NNS", "NNP", "PRP", "CD"} and not relative:
            continue
        if text.low(head) in KEEP_BE_AFTER and not after_any:
            continue
        first, _ = text.sentence(place)
        start = next((at for at in range(head, first - 1, -1) if text.tag(at) in {"PUNCT", "WP", "CS"}), first - 1)
        if text.low(start) in {"what", "how", "where"} and text.low(place - 1) not in {
            "you",
            "we",
            "they",
            "he",
            "she",
        }:
            inverted = text.low(start + 1) in {"is", "are"}
            if inverted:
                continue
        after = after_adverbs(text, place + 1)
        if any(text.tag(at) == "NOT" for at in range(place, after + 1)):
            continue
        if text.tag(after) in {"PUNCT", "", "CS", "CC"}:
            continue
        yield place, after


def _gone(text: Text, place: int) -> Edit:
    """Be without its space, so that what stands around it is one space apart."""
    word = text.words[place]
    if word.low.startswith("'"):
        return Edit(word.start, word.end, "")
    return dropped(text, place)


def no_be_before_ing(text: Text) -> Iterator[Edit]:
    """No `is` or `are` before a progressive form.

    >>> changed(NO_BE_ING, "She is working.", "They're sleeping.", "My brother is always singing.",
    ...         "Are you going home?",
    ...         "What are you doing?")
    She working.
    They sleeping.
    My brother always singing.
    You going home?
    What you doing?
    >>> kept(NO_BE_ING, "I am working.", "She was working.", "It's raining.", "She is interesting.",
    ...         "He is going to stay.")
    True
    """
    for place, after in _omissible(text, full_after_any=True):
        if _is_progressive(text, after):
            yield _gone(text, place)
    for place, main in _inverted(text):
        if _is_progressive(text, main):
            yield dropped(text, place)


def _is_progressive(text: Text, place: int) -> bool:
    word = text.low(place)
    going = word == "going" and text.low(place + 1) == "to" and _base(text, place + 2)
    return not (not word.endswith("ing") or word in NOT_VERBS or going or "VBG" not in uses(word))


def _base(text: Text, place: int) -> bool:
    """Whether a bare verb stands here, perhaps after an adverb."""
    at = after_adverbs(text, place)
    if text.tag(at) in {"DT", "PP", "NNP", "PRP", "OBJ"}:
        return False
    low = text.low(at)
    return low in {"be", "have", "do"} or "VB" in uses(low)


def _inverted(text: Text) -> Iterator[tuple[int, int]]:
    """Questions with `is` or `are` before a short subject: the place of be and of what follows the subject."""
    for place in text.at("is", "are"):
        if not text.asks(place) or text.tag(place + 1) == "NOT":
            continue
        before = text.low(place - 1)
        if not (text.opens(place) or text.tag(place - 1) == "WP" or _ends_wh(text, place) or before == ","):
            continue
        at = place + 1
        if text.low(at) in {"it", "that", "this", "there"}:
            continue
        if text.tag(at) in {"PRP", "NNP"} or text.low(at) in {"these", "those"}:
            at += 1
            while text.tag(at) == "NNP":
                at += 1
        elif text.tag(at) in {"DT", "PP"}:
            at += 1
            while text.tag(at) in {"JJ", "NN", "NNS", "NNP", "POS", "CD"}:
                at += 1
        else:
            continue
        yield place, after_adverbs(text, at)


def _ends_wh(text: Text, place: int) -> bool:
    """Whether a phrase such as `which book` or `how many people` ends before this place."""
    return any(
        text.tag(at) == "WP" and all(text.tag(mid) in {"NN", "NNS", "JJ", "QT", "RB"} for mid in range(at + 1, place))
        for at in range(max(0, place - 4), place)
    )


def no_be_before_gonna(text: Text) -> Iterator[Edit]:
    """`Going to` before a verb is `gonna`, without `is` or `are`.

    >>> changed(NO_BE_GONNA, "She is going to stay.", "They're going to win.", "The shop is gonna close.",
    ...         "Are you going to eat?", "What are they going to do?")
    She gonna stay.
    They gonna win.
    The shop gonna close.
    You gonna eat?
    What they gonna do?
    >>> kept(NO_BE_GONNA, "I am going to stay.", "She was going to stay.", "She is going to Rome.",
    ...         "It's going to rain.",
    ...      "They are not going to win.")
    True
    """
    for place, after in _omissible(text, full_after_any=True):
        if (end := _future(text, after)) is not None:
            yield _gonna(text, place, after, end)
    for place, main in _inverted(text):
        if (end := _future(text, main)) is not None:
            subject = text.text[text.words[place + 1].start : text.words[main].start]
            yield Edit(text.words[place].start, text.words[end].end, text.cased(place, f"{subject}gonna"))


def _future(text: Text, place: int) -> int | None:
    """The last place of `going to` or `gonna` where a verb follows."""
    if text.low(place) == "gonna":
        return place
    going = text.low(place) == "going" and text.low(place + 1) == "to" and _base(text, place + 2)
    return place + 1 if going else None


def _gonna(text: Text, be: int, going: int, end: int) -> Edit:
    between = text.text[text.words[be].end : text.words[going].start]
    clitic = text.low(be).startswith("'")
    return Edit(text.words[be].start, text.words[end].end, f"{between if clitic else between.lstrip()}gonna")


def no_be_before_nouns(text: Text) -> Iterator[Edit]:
    """No `is` or `are` before a noun phrase.

    >>> changed(NO_BE_NOUN, "She is a teacher.", "They're my friends.", "My father is the cook.",
    ...         "Ann and Bo are twins.",
    ...         "He is Peter.")
    She a teacher.
    They my friends.
    My father the cook.
    Ann and Bo twins.
    He Peter.
    >>> kept(NO_BE_NOUN, "I am a teacher.", "She was a teacher.", "It's a bird.", "Is she a teacher?",
    ...         "She isn't a teacher.")
    True
    """
    for place, after in _omissible(text):
        tag = text.tag(after)
        low = text.low(after)
        nominal = tag in {"DT", "PP", "NNP", "QT", "NNS"} or (tag == "CD" and text.tag(after + 1) in {"IN", "NNS"})
        bare = tag in {"JJ", "NN"} and _ends_in_noun(text, after)
        if ((nominal and low not in {"all", "both"}) or bare) and low != "enough":
            if not (low in {"more", "most", "less", "much", "such"} and text.tag(after + 1) in {"JJ", "RB"}):
                yield _gone(text, place)


def _ends_in_noun(text: Text, place: int) -> bool:
    at = place
    while text.tag(at) in {"JJ", "NN", "VBG"}:
        at += 1
    return text.tag(at) == "NNS" or text.tag(at - 1) == "NN"


def no_be_before_adjectives(text: Text) -> Iterator[Edit]:
    """No `is` or `are` before an adjective.

    >>> changed(NO_BE_ADJECTIVE, "She is tall.", "They're very tired.", "My father is always busy.",
    ...         "The shoes are too small.",
    ...         "Ann is taller than Bo.")
    She tall.
    They very tired.
    My father always busy.
    The shoes too small.
    Ann taller than Bo.
    >>> kept(NO_BE_ADJECTIVE, "I am tall.", "She was tall.", "It's cold.", "Is she tall?", "She isn't tall.")
    True
    """
    for place, after in _omissible(text):
        at = after
        if text.low(at) in {"more", "most", "less", "as"} and text.tag(at + 1) in {"JJ", "VBN"}:
            at += 1
        adjective = text.tag(at) in {"JJ", "JJR", "JJS"} and not (text.tag(at) == "JJ" and _ends_in_noun(text, at))
        if adjective and (not text.low(at).endswith("ed") or "JJ" in uses(text.low(at))):
            yield _gone(text, place)


def no_be_before_places(text: Text) -> Iterator[Edit]:
    """No `is` or `are` before an expression of place.

    >>> changed(NO_BE_PLACE, "She is in the garden.", "They're here.", "My father is at work.",
    ...         "The keys are on the table.",
    ...         "Ann is from Wales.")
    She in the garden.
    They here.
    My father at work.
    The keys on the table.
    Ann from Wales.
    >>> kept(NO_BE_PLACE, "I am here.", "She was here.", "It's in the box.", "Is she at home?", "She isn't here.")
    True
    """
    for place in text.of("BE"):
        if text.low(place) not in PRESENT or text.low(before_adverbs(text, place - 1)) in KEEP_BE_AFTER:
            continue
        if text.tag(before_adverbs(text, place - 1)) not in {"NN", "NNS", "NNP", "PRP", "CD"}:
            continue
        at = place + 1
        while text.tag(at) == "RB" and text.low(at) not in PLACES:
            at += 1
        low = text.low(at)
        following = text.low(at + 1)
        somewhere = low in PLACES or (low in LOCATIVE and following not in TIMES and text.tag(at + 1) != "VBG") or (
            low == "next" and following == "to") or (low == "out" and following in {"of", "in"})  # fmt: skip
        if somewhere and not any(text.tag(mid) == "NOT" for mid in range(place, at)):
            yield _gone(text, place)


def was_for_were(text: Text) -> Iterator[Edit]:
    """`Was` for all persons.

    >>> changed(WAS, "We were late.", "They weren't home.", "You were right.", "The boys were asleep.",
    ...         "Where were you?")
    We was late.
    They wasn't home.
    You was right.
    The boys was asleep.
    Where was you?
    >>> kept(WAS, "She was late.", "We are late.", "If I were you, I'd go.", "I wish he were here.",
    ...         "We have been late.")
    True
    """
    for place in text.at("were"):
        first, _ = text.sentence(place)
        conditional = any(
            text.low(at) in {"if", "unless"}
            or lemma(text.low(at)) == "wish"
            or (text.low(at) == "though" and text.low(at - 1) == "as")
            for at in range(max(first, place - 6), place)
        ) and not any(text.low(at) == "," for at in range(max(first, place - 6), place))
        head = subject_of(text, place)
        single = (head is not None and singular_third(text, head)) or text.low(place - 1) == "i"
        if not conditional and not (text.opens(place) and text.low(place + 1) == "i"):
            if head is None or text.asks(place) or not single or text.tag(head) != "PRP":
                yield replaced(text, place, "was")


NO_S = Feature(
    170, "Invariant present tense forms due to zero marking for the third person singular", no_third_person_s
)
THERES = Feature(172, "Existential / presentational there's/there is/there was with plural subjects", theres_many)
ITS = Feature(173, "Variant forms of dummy subject there in existential clauses", its_for_there)
NO_BE_ING = Feature(174, "Deletion of auxiliary be: before progressive", no_be_before_ing)
NO_BE_GONNA = Feature(175, "Deletion of auxiliary be: before gonna", no_be_before_gonna)
NO_BE_NOUN = Feature(176, "Deletion of copula be: before NPs", no_be_before_nouns)
NO_BE_ADJECTIVE = Feature(177, "Deletion of copula be: before AdjPs", no_be_before_adjectives)
NO_BE_PLACE = Feature(178, "Deletion of copula be: before locatives", no_be_before_places)
WAS = Feature(180, "Was/were generalization", was_for_were)
AGREEMENT = (NO_S, THERES, ITS, NO_BE_ING, NO_BE_GONNA, NO_BE_NOUN, NO_BE_ADJECTIVE, NO_BE_PLACE, WAS)
