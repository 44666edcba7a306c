"""Prose of invented words: it reads like English, means nothing, and is the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sc sh sl sm sp st str t th tr v w wh"
VOWELS = "a e i o u ai ea ee oa oo ou ow"
CODAS = "b ck d ft g l ld ll lt m mp n nd ng nk nt p r rd rk rm rn rt s sh sk st t th x"
CLAUSES = (
    "the {adjective} {noun} {verb}ed the {noun} {place}",
    "{name} {verb}ed a {noun} {place}",
    "{name} and {name} had {verb}ed the {adjective} {noun} of {name}",
    "the {noun} was {verb}ed by a {adjective} {noun}",
    "it was {adjective} {place}, where nobody {verb}ed",
    "some of the {noun}s were {adjective}er than the {noun}s of {name}",
    "they {verb}ed {adjective}ly {place}",
)
PLACES = ("near the {noun}", "in {name}", "under the {adjective} {noun}", "on the way to {name}", "behind her {noun}")
JOINTS = (", and ", ", but ", " because ", " while ", "; ", " until ")
QUESTIONS = (
    "What did {name} {verb} {place}?",
    "Which {noun} was {verb}ed by the {adjective} {noun}?",
    "Why had {name} {verb}ed the {noun} of {name}?",
    "Who {verb}ed the {adjective} {noun}?",
)
OPTIONS = (
    "the {noun}",
    "a {adjective} {noun}",
    "{name} and {name}",
    "the {noun}s of {name}",
    "the {adjective} {noun}s",
    "a {noun} {place}",
    "the {adjective} {noun} that {name} {verb}ed {place}",
    "because the {adjective} {noun} of {name} had {verb}ed {place}",
)


class Writer:
    """Writes sentences, questions and options from one lexicon; `seed` sets what is written, not the words."""

    def __init__(self, seed: int) -> None:
        words = random.Random(0)
        self._lexicon = {
            "noun": _words(words, 900),
            "verb": _words(words, 350),
            "adjective": _words(words, 350),
            "name": [word.capitalize() for word in _words(words, 200)],
        }
        # a few words are common and most are rare, as in a language
        self._weights = {kind: [1 / (rank + 5) for rank in range(len(words))] for kind, words in self._lexicon.items()}
        self.random = random.Random(seed)

    def sentence(self) -> str:
        """One or two clauses."""
        text = self._filled(CLAUSES)
        if self.random.random() < 0.5:
            text += self.random.choice(JOINTS) + self._filled(CLAUSES)
        return f"{text[0].upper()}{text[1:]}."

    def passage(self, words: int) -> str:
        """Sentences of about so many words together."""
        text = ""
        while len(text.split()) < words:
            text = f"{text} {self.sentence()}".strip()
        return text

    def question(self) -> str:
        """A question about something."""
        return self._filled(QUESTIONS)

    def options(self, count: int) -> list[str]:
        """So many different options."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self._filled(OPTIONS)] = None
        return list(found)

    def _filled(self, templates: Sequence[str]) -> str:
        template = self.random.choice(templates).replace("{place}", self.random.choice(PLACES))
        return "".join(self._pieces(template))

    def _pieces(self, template: str) -> Iterator[str]:
        for piece in template.replace("}", "{").split("{"):
            words = self._lexicon.get(piece)
            yield self.random.choices(words, self._weights[piece])[0] if words else piece


def _words(source: random.Random, count: int) -> list[str]:
    """Different words of one or two syllables."""
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = source.choice((1, 2, 2))
        parts = [
            source.choice((ONSETS if first else CODAS).split()) + source.choice(VOWELS.split())
            for first in [True, False][:syllables]
        ]
        found["".join(parts) + source.choice(CODAS.split())] = None
    return list(found)
