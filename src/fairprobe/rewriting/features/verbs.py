"""Tense, aspect, modal verbs and verb forms (eWAVE 88 to 147)."""

from __future__ import annotations

from collections.abc import Iterator

from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.features.feature import (
    WANTS_BASE,
    Feature,
    after_adverbs,
    before_adverbs,
    is_past_verb,
    participle,
    past,
    perfects,
    plural,
    replaced,
    subject_of,
)  # fmt: skip
from fairprobe.rewriting.words import FINITE, Text, form, lemma, uses

STATIVE = frozenset(
    "know want like love hate need believe understand own belong prefer remember think see hear mean seem contain cost "
    "have".split()
)
HABITS = frozenset("always usually often never sometimes".split())
REGULAR = {
    "knew": "knowed", "blew": "blowed", "grew": "growed", "threw": "throwed", "drew": "drawed", "caught": "catched",
    "taught": "teached", "told": "telled", "sold": "selled", "heard": "heared", "saw": "seed", "ran": "runned",
    "ate": "eated", "gave": "gived", "came": "comed", "drank": "drinked", "built": "builded", "swept": "sweeped",
    "kept": "keeped", "bought": "buyed", "brought": "bringed", "fell": "falled", "held": "holded",
}  # fmt: skip
PARTICIPLES = {
    "saw": "seen", "did": "done", "went": "gone", "came": "come", "ran": "run", "drank": "drunk", "sang": "sung",
    "rang": "rung", "swam": "swum", "began": "begun", "gave": "given", "took": "taken", "wrote": "written",
    "drove": "driven", "ate": "eaten", "broke": "broken", "fell": "fallen", "threw": "thrown", "knew": "known",
    "grew": "grown", "blew": "blown", "shook": "shaken", "rode": "ridden", "spoke": "spoken", "stole": "stolen",
    "froze": "frozen", "chose": "chosen", "woke": "woken", "wore": "worn", "tore": "torn", "sank": "sunk",
    "rose": "risen",
}  # fmt: skip
BEFORE_ING = frozenset(
    "be am is are was were been 'm 's 're keep keeps kept go goes went gone come comes came start starts started "
    "get gets got going coming keeping".split()
)
MOVING = frozenset(
    "sat sit sits stood stand stands lay lie lies ran run runs walked walk walks arrived rode rides left flew".split()
)
NOT_PREFIXED = frozenset(
    "interesting boring exciting amazing surprising during morning evening nothing something anything everything "
    "building missing willing charming disappointing".split()
)


def progressive_statives(text: Text) -> Iterator[Edit]:
    """Verbs of state stand in the progressive.

    >>> changed(STATIVES, "I know him.", "She wants a house.", "They believed him.", "He owns two shops.",
    ...         "We like it.")
    I am knowing him.
    She is wanting a house.
    They were believing him.
    He is owning two shops.
    We are liking it.
    >>> kept(STATIVES, "Do you know him?", "I can hear it.", "He has eaten.", "It looks like rain.",
    ...         "The known man left.")
    True
    """
    for place in text.of("VBP", "VBZ", "VBD", "HV", "NN", "IN", "VB"):
        low = text.low(place)
        tag = text.tag(place)
        base = "like" if low == "like" else lemma(low)
        if base not in STATIVE or low in {"having", "'ve", "'s", "'d"} or low.endswith("ing"):
            continue
        head = subject_of(text, place)
        if head is None or (tag in {"NN", "IN", "VB"} and text.tag(head) not in {"PRP", "NNS"}):
            continue
        if tag in {"NN", "IN", "VB"} and (_aided(text, head) or text.tag(place - 1) not in {"PRP", "NNS", "RB"}):
            continue
        if base == "have" and not _possesses(text, place):
            continue
        if base == "think" and text.tag(place + 1) not in {"PRP", "DT", "PP"} and text.low(place + 1) != "that":
            continue
        if low == "cost" and tag == "NN":
            continue
        if _aided(text, head) or text.low(head) in {"what", "who", "to"}:
            continue
        gone = tag == "VBD" or low in {"had", "thought", "knew"}
        be = _be(text, head, past=gone)
        ing = "having" if base == "have" else form(base, "VBG")
        yield replaced(text, place, f"{be} {ing}")


def _aided(text: Text, head: int) -> bool:
    """Whether an auxiliary stands before the subject, as in a question."""
    first = head
    while first > 0 and text.tag(first - 1) in {"DT", "PP", "JJ", "NN", "NNP", "POS"}:
        first -= 1
    return text.low(first - 1) in WANTS_BASE | {"n't"}


def _possesses(text: Text, place: int) -> bool:
    after = after_adverbs(text, place + 1)
    return text.low(place) in {"have", "has", "had"} and text.tag(after) in {"DT", "PP", "CD", "QT", "NN", "NNS", "JJ"}


def _be(text: Text, head: int, *, past: bool) -> str:
    low = text.low(head)
    if low == "i" and text.low(head - 1) != "and":
        return "was" if past else "am"
    many = plural(text, head) or low == "i"
    if low in {"who", "which", "that"}:
        many = text.tag(head - 1) == "NNS"
    return ("were" if many else "was") if past else ("are" if many else "is")


def invariant_be(text: Text) -> Iterator[Edit]:
    """What is so again and again, as `always`, `usually`, `often` or the like tells, has an unchanged `be`.

    >>> changed(HABITUAL, "She is always late.", "They're usually working.", "He is at home every Sunday.",
    ...         "You are never here.", "The shop is often closed.")
    She be always late.
    They be usually working.
    He be at home every Sunday.
    You be never here.
    The shop be often closed.
    >>> kept(HABITUAL, "She is late.", "They were always late.", "Is she always late?", "He isn't always here.",
    ...      "He is late today, as ever.")
    True
    """
    for place in text.of("BE"):
        low = text.low(place)
        if low not in {"am", "is", "are", "'m", "'s", "'re"} or text.tag(place + 1) == "NOT":
            continue
        head = before_adverbs(text, place - 1)
        if text.tag(head) not in {"NN", "NNS", "NNP", "PRP", "CD"} and text.low(head) not in {"who", "that", "which"}:
            continue
        if not (text.low(place + 1) in HABITS or text.low(place - 1) in HABITS or _every(text, place)):
            continue
        start = text.words[place].start
        yield Edit(start, text.words[place].end, " be" if low.startswith("'") else "be")


def _every(text: Text, place: int) -> bool:
    """Whether the rest of the clause says how often: `every day`, `all the time`."""
    for at in range(place + 1, min(place + 14, len(text.words))):
        if text.tag(at) in {"PUNCT", "CS"} or text.tag(at) in FINITE:
            return False
        if text.low(at) == "every" and text.tag(at + 1) in {"NN", "NNP", "CD", "JJ"} and text.tag(at + 2) not in FINITE:
            return True
        if text.low(at) == "all" and text.low(at + 1) == "the" and text.low(at + 2) == "time":
            return True
    return False


def simple_past_for_perfect(text: Text) -> Iterator[Edit]:
    """The simple past stands for the present perfect.

    >>> changed(PAST_FOR_PERFECT, "I have eaten.", "She has already gone home.", "They've just arrived.",
    ...         "He has never seen it.",
    ...         "My aunt has sold the shop.")
    I ate.
    She already went home.
    They just arrived.
    He never saw it.
    My aunt sold the shop.
    >>> kept(PAST_FOR_PERFECT, "I haven't eaten.", "Has she gone?", "They have to go.", "He could have seen it.",
    ...         "I have a car.")
    True
    """
    for have, main in perfects(text):
        low = text.low(main)
        told = past(low)
        if told is None or (low == "been" and text.tag(after_adverbs(text, main + 1)) in {"VBG", "VBN"}):
            continue
        if low == "been":
            head = subject_of(text, have)
            told = "was" if head is None else _be(text, head, past=True)
        if low in {"had", "done"}:
            told = {"had": "had", "done": "did"}[low]
        clitic = text.low(have).startswith("'")
        start = text.words[have].start
        between = text.text[text.words[have].end : text.words[main].start]
        new = f"{between}{told}" if clitic else f"{between.lstrip()}{told}"
        yield Edit(start, text.words[main].end, new)


def completive_done(text: Text) -> Iterator[Edit]:
    """What is completed has `done` and the participle instead of `have`.

    >>> changed(DONE, "I have eaten.", "She has already gone home.", "They've just arrived.",
    ...         "My aunt has sold the shop.",
    ...         "We have finished.")
    I done eaten.
    She done gone home.
    They done arrived.
    My aunt done sold the shop.
    We done finished.
    >>> kept(DONE, "I haven't eaten.", "Has she gone?", "They have to go.", "He could have seen it.",
    ...         "He has never seen it.")
    True
    """
    for have, main in perfects(text):
        between = [text.low(at) for at in range(have + 1, main)]
        if text.low(main) in {"been", "had", "got"} or not set(between) <= {"already", "just"}:
            continue
        start = text.words[have].start
        space = " " if text.low(have).startswith("'") else ""
        yield Edit(start, text.words[main].start, f"{space}done ")


def double_modals(text: Text) -> Iterator[Edit]:
    """A modal and `be able to` are two modals: `might could`.

    >>> changed(MODALS, "I might be able to help.", "He may be able to come.", "They should be able to see it.",
    ...         "She would be able to tell you.", "We used to be able to swim here.")
    I might could help.
    He may could come.
    They should could see it.
    She would could tell you.
    We used to could swim here.
    >>> kept(MODALS, "I will be able to help.", "He might not be able to come.", "She is able to swim.",
    ...         "I might help.",
    ...      "Would you be able to help?")
    True
    """
    for place in text.at("able"):
        if text.low(place - 1) == "be" and text.low(place + 1) == "to":
            modal = before_adverbs(text, place - 2)
            used = text.low(modal) == "to" and text.low(modal - 1) == "used"
            if (text.low(modal) in {"might", "may", "should", "would"} or used) and modal == place - 2:
                if used or not _opens_question(text, modal):
                    yield Edit(text.words[place - 1].start, text.words[place + 1].end, "could")


def _opens_question(text: Text, modal: int) -> bool:
    return text.opens(modal)


def fixing_to(text: Text) -> Iterator[Edit]:
    """What is about to happen is `fixing to` happen.

    >>> changed(FIXING, "I am about to leave.", "She's about to cry.", "They were getting ready to go.",
    ...         "The shop is about to close.", "We are preparing to move.")
    I am fixing to leave.
    She's fixing to cry.
    They were fixing to go.
    The shop is fixing to close.
    We are fixing to move.
    >>> kept(FIXING, "It is about birds.", "How about today?", "He forgot about it.", "She is ready to go.",
    ...         "About ten came.")
    True
    """
    for place in text.at("about", "getting", "preparing"):
        last = place + 1 if text.low(place) == "getting" and text.low(place + 1) == "ready" else place
        if (text.low(place) == "getting") != (last > place) or text.low(last + 1) != "to":
            continue
        verb = text.words[last + 2].uses if last + 2 < len(text.words) else frozenset()
        base = "VB" in verb or text.tag(last + 2) in {"BE", "HV", "DO", "VB"} or text.tag(last + 2) == "RB"
        be = before_adverbs(text, place - 1)
        while text.tag(be) in {"NOT", "PRP", "RB"} or (text.tag(be) in {"NN", "NNS", "NNP"} and text.asks(place)):
            be -= 1
        if base and (text.tag(be) == "BE" or text.tag(be - 1) == "BE"):
            yield replaced(text, place, "fixing to", last + 1)


def regular_pasts(text: Text) -> Iterator[Edit]:
    """Irregular verbs are inflected like regular ones: `knowed`, `catched`.

    >>> changed(REGULAR_PASTS, "I knew him.", "She caught the bus.", "The boy ran home.", "They grew corn.",
    ...         "He told us.")
    I knowed him.
    She catched the bus.
    The boy runned home.
    They growed corn.
    He telled us.
    >>> kept(REGULAR_PASTS, "I have caught it.", "It was sold.", "I know him.", "She walked.", "The saw is blunt.")
    True
    """
    for place in text.at(*REGULAR):
        if is_past_verb(text, place):
            yield replaced(text, place, REGULAR[text.low(place)])


def past_for_participle(text: Text) -> Iterator[Edit]:
    """After `have` the past form stands for the participle.

    >>> changed(HAVE_WENT, "She has gone home.", "I had seen it.", "They've written twice.", "Have you eaten?",
    ...         "He could have broken it.")
    She has went home.
    I had saw it.
    They've wrote twice.
    Have you ate?
    He could have broke it.
    >>> kept(HAVE_WENT, "She has been home.", "I have walked.", "It was written.", "He has done it.",
    ...         "I have a broken cup.")
    True
    """
    for place in text.of("HV", "MD"):
        if text.low(place) == "having" or (text.tag(place) == "MD" and text.low(place) != "'d"):
            continue
        at = after_adverbs(text, place + 1, negated=True)
        if text.tag(at) in {"PRP", "NNP", "DT", "PP", "NN"} and _asks_first(text, place):
            while text.tag(at) in {"PRP", "NNP", "DT", "PP", "NN", "NNS", "JJ", "RB"} and participle(text, at) is None:
                at += 1
            at = after_adverbs(text, at, negated=True)
        word = participle(text, at)
        told = past(word) if word else None
        if word and told and told != word and word not in {"been", "done"} and text.tag(at) not in {"NN", "NNS", "IN"}:
            if text.low(place) != "'d" or not uses(word) & {"VB"}:
                yield replaced(text, at, told)


def _asks_first(text: Text, place: int) -> bool:
    return (
        text.opens(place)
        or text.tag(place - 1) == "WP"
        or (text.asks(place) and text.tag(place - 1) in {"PUNCT", "NN", "NNS"})
    )


def participle_for_past(text: Text) -> Iterator[Edit]:
    """The participle stands for the simple past.

    >>> changed(I_SEEN, "I saw it.", "She went home.", "The boy did it.", "They came late.", "He wrote a letter.")
    I seen it.
    She gone home.
    The boy done it.
    They come late.
    He written a letter.
    >>> kept(I_SEEN, "I did not see it.", "The saw is blunt.", "A rose grows.", "Did he go?", "He walked.")
    True
    """
    for place in text.at(*PARTICIPLES):
        low = text.low(place)
        if low == "did":
            after = after_adverbs(text, place + 1)
            main = text.tag(after) in {"DT", "PP", "OBJ", "QT", "CD", "IN", "JJ", "NNS"} or text.low(after) in {
                "it", "that", "this", "everything", "nothing", "something", "well", "what", "his", "her", "better",
            }  # fmt: skip
            subject = text.tag(before_adverbs(text, place - 1)) in {"PRP", "NN", "NNS", "NNP"} or text.low(
                place - 1
            ) in {"who", "what"}
            if (
                main
                and subject
                and text.tag(place + 1) != "NOT"
                and not (text.low(place - 1) == "what" and text.asks(place))
            ):
                yield replaced(text, place, "done")
        elif is_past_verb(text, place):
            yield replaced(text, place, PARTICIPLES[low])


def a_prefixing(text: Text) -> Iterator[Edit]:
    """A form in -ing that goes on, and begins with a consonant, gets `a-`.

    >>> changed(A_PREFIX, "She is singing.", "They kept running.", "He went hunting.", "The rain came pouring down.",
    ...         "He sat talking to her.")
    She is a-singing.
    They kept a-running.
    He went a-hunting.
    The rain came a-pouring down.
    He sat a-talking to her.
    >>> kept(A_PREFIX, "The building fell.", "It is interesting.", "He is eating.", "She is good at singing.",
    ...      "During lunch it rained.")
    True
    """
    for place, word in enumerate(text.words):
        low = word.low
        if not low.endswith("ing") or low[0] in "aeiou" or low in NOT_PREFIXED or "VBG" not in word.uses:
            continue
        at = before_adverbs(text, place - 1)
        if text.tag(at) == "NOT":
            at -= 1
        if text.tag(at) == "PRP" and text.tag(at - 1) == "BE":
            at -= 1
        verb = text.low(at)
        going = low == "going" and text.low(place + 1) == "to" and text.tag(place + 2) in {"VB", "BE", "HV", "DO"}
        noun = text.tag(at + 1) == "DT" or (text.tag(place + 1) in {"NN", "NNS"} and low in {"running", "living"})
        if ((verb in BEFORE_ING and text.tag(at) != "POS") or verb in MOVING) and not going and not noun:
            yield Edit(word.start, word.end, f"a-{text.text[word.start : word.end]}")


def conditional_was(text: Text) -> Iterator[Edit]:
    """`Was` stands for the `were` of conditions and wishes.

    >>> changed(IF_WAS, "If I were you, I would go.", "She talks as if he were deaf.", "I wish it were warmer.",
    ...         "If the house were mine, I'd sell.", "He acts as though she were ill.")
    If I was you, I would go.
    She talks as if he was deaf.
    I wish it was warmer.
    If the house was mine, I'd sell.
    He acts as though she was ill.
    >>> kept(IF_WAS, "They were late.", "If you were here, I'd stay.", "If the boys were here, I'd go.",
    ...         "Were I you, I'd go.",
    ...      "We were home when she called.")
    True
    """
    for place in text.at("were"):
        at = before_adverbs(text, place - 1)
        first, _ = text.sentence(place)
        opening = next(
            (back for back in range(at, max(first, at - 9) - 1, -1)
             if text.tag(back) == "CS" or lemma(text.low(back)) == "wish"
             or text.low(back) in {"if", "unless", "though"}), None)  # fmt: skip
        head = subject_of(text, place)
        if opening is None or head is None or head <= opening:
            continue
        conditional = (
            text.low(opening) in {"if", "unless"}
            or lemma(text.low(opening)) == "wish"
            or (text.low(opening) == "though" and text.low(opening - 1) == "as")
        )
        alone = (text.low(head) in {"i", "he", "she", "it", "this", "that"} and text.low(head - 1) != "and") or (
            text.tag(head) in {"NN", "NNP"} and not plural(text, head)
        )
        crossed = any(text.tag(mid) in FINITE for mid in range(opening + 1, place) if text.low(mid) != "were"
                      and lemma(text.low(mid)) != "wish")  # fmt: skip
        if conditional and alone and not crossed:
            yield replaced(text, place, "was")


STATIVES = Feature(88, "Wider range of uses of progressive be + V-ing than in StE: extension to stative verbs",
                   progressive_statives)  # fmt: skip
HABITUAL = Feature(90, "Invariant be as habitual marker", invariant_be)
PAST_FOR_PERFECT = Feature(
    99, "Levelling of the difference between present perfect and simple past: simple past for StE present perfect",
    simple_past_for_perfect,
)  # fmt: skip
DONE = Feature(104, "Completive/perfect done", completive_done)
MODALS = Feature(121, "Double modals", double_modals)
FIXING = Feature(126, "New quasi-modals: aspectual meanings", fixing_to)
REGULAR_PASTS = Feature(
    128, "Levelling of past tense/past participle verb forms: regularization of irregular verb paradigms", regular_pasts
)
HAVE_WENT = Feature(
    130, "Levelling of past tense/past participle verb forms: past tense replacing the past participle",
    past_for_participle,
)  # fmt: skip
I_SEEN = Feature(
    131, "Levelling of past tense/past participle verb forms: past participle replacing the past tense form",
    participle_for_past,
)  # fmt: skip
A_PREFIX = Feature(134, "A-prefixing on ing-forms", a_prefixing)
IF_WAS = Feature(147, "Was for conditional were", conditional_was)
VERBS = (
    STATIVES, HABITUAL, PAST_FOR_PERFECT, DONE, MODALS, FIXING, REGULAR_PASTS, HAVE_WENT, I_SEEN, A_PREFIX, IF_WAS,
)  # fmt: skip
