"""Scorers: a response and its target to a number in [0, 1] and a status.

A scorer is a function `(response, target, row) -> float | Score`. Those here are used bare, or called with options:
`scorers.contains`, `scorers.contains(veto="distractors")`. Two wrap another: `scorers.until`, `scorers.refused`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, overload

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.judges import (  # noqa: F401 - users find every scorer here
    Calibrated,
    JudgedBy,
    Judging,
    calibrated,
    judged_by,
)

Status = Literal["ok", "empty", "unparsable", "refused", "truncated", "error", "missing"]
STATUSES: tuple[Status, ...] = ("ok", "empty", "unparsable", "refused", "truncated", "error", "missing")
UNSCORED = frozenset({"error", "missing"})
"""Statuses without a score: what was not answered is no number."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one response: a value in [0, 1], and whether the response was an answer at all.

    >>> Score(0.0, "unparsable")
    Score(value=0.0, status='unparsable')
    """

    value: float
    status: Status = "ok"


Target = str | Sequence[str] | None
Scorer = Callable[[str, Target, Mapping[str, Any]], float | Score | Judging]


Normalisation = Callable[[str], str]
"""A text to what of it is compared: tokens, with one space between them."""


UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\U00020000-\U0003ffff]"
)
"""Scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana, Han."""

UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "km"})

ARTICLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        language: frozenset(words.split())
        for language, words in {
            "en": "a an the",
            "de": "ein eine einen einem eines einer der die das den dem des",
            "es": "un una unos unas el la los las",
            "fr": "un une des le la les l",
            "it": "un uno una il lo la i gli le l",
            "pt": "um uma uns umas o a os as",
            "vi": "của là cái chiếc những",
        }.items()
    }
)
"""Words that are left out, by language; en, de, es and vi after MLQA's scoring. Other languages lose none."""

ARTICLE_PREFIXES: Mapping[str, str] = MappingProxyType({"ar": "ال"})
"""Articles that are written as one word with what follows."""

_CODES = {
    word: names.split()[0]
    for names in (
        "en eng english", "de deu ger german", "es spa spanish", "fr fra fre french", "it ita italian",
        "pt por portuguese", "vi vie vietnamese", "ar ara arb acm apc ars ary arz arabic", "th tha thai", "lo lao",
        "zh zho chi cmn yue chinese mandarin cantonese", "ja jpn japanese", "km khm khmer",
        "my mya bur shn burmese myanmar",
    )
    for word in names.split()
}  # fmt: skip


def normalised(text: str, language: str = "en") -> str:
    """Lower case, without any script's punctuation, a language's articles and extra space, after SQuAD's scoring.

    >>> normalised("The  Answer!"), normalised("水獭。"), normalised("Der Otter", "de")
    ('answer', '水獭', 'otter')
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    bare = "".join(" " if _is_punctuation(mark) else mark for mark in folded)
    words = (word.removeprefix(ARTICLE_PREFIXES.get(language, "")) for word in bare.split())
    return " ".join(word for word in words if word and word not in ARTICLES.get(language, ()))


def squad_normalised(text: str) -> str:
    """As SQuAD v1.1's own scoring has it: no ASCII punctuation (a joined word stays one), no English articles.

    >>> squad_normalised("The e-mail!"), squad_normalised("水獭。")
    ('email', '水獭。')
    """
    bare = "".join(mark for mark in text.lower() if mark not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def in_characters(text: str) -> str:
    """Normalised, and each character of a script without spaces a token of its own, as MLQA's scoring has Chinese.

    >>> in_characters("iPhone手机。")
    'iphone 手 机'
    """
    return " ".join(UNSPACED.sub(r" \g<0> ", normalised(text, "zh")).split())


NORMALISATIONS: Mapping[str, Normalisation] = MappingProxyType({
    "unicode": normalised, "squad": squad_normalised, "characters": in_characters,
})  # fmt: skip


def normalisation_of(language: str) -> Normalisation:
    """How texts of a language are normalised: by its ISO code, alone or with a script or country, or its English name.

    >>> normalisation_of("zho_Hans")("水獭"), normalisation_of("German")("der Otter"), normalisation_of("fi")("A")
    ('水 獭', 'otter', 'a')
    """
    words = re.findall(r"\w+", language.lower().replace("_", " ")) or [""]
    # a code stands first: the last of "ms-MY" is a country; a name may follow another word, as in "Egyptian Arabic"
    code = next((_CODES[word] for word in (words[0], *(w for w in words if len(w) > 3)) if word in _CODES), words[0])
    return in_characters if code in UNSPACED_LANGUAGES else partial(normalised, language=code)


@overload
def exact_match(response: str, target: Target, row: Mapping[str, Any]) -> float: ...
@overload
def exact_match(*, normalisation: str | None = None, language: str | None = None) -> Scorer: ...
def exact_match(
    response: str = "",
    target: Target = None,
    row: Mapping[str, Any] | None = None,
    *,
    normalisation: str | None = None,
    language: str | None = None,
) -> float | Scorer:
    """1 where the normalised response equals a normalised target.

    The normalisation is one of `NORMALISATIONS` ("unicode"), or that of each sample's language in column `language`.

    >>> exact_match("The Otter.", "otter", {})
    1.0
    >>> exact_match(language="language")("Das ist ein Otter", "ist Otter", {"language": "de"})
    1.0
    """
    scorer = _Compared("exact_match", normalisation, language)
    return scorer if row is None else scorer(response, target, row)


@overload
def token_f1(response: str, target: Target, row: Mapping[str, Any]) -> float: ...
@overload
def token_f1(*, normalisation: str | None = None, language: str | None = None) -> Scorer: ...
def token_f1(
    response: str = "",
    target: Target = None,
    row: Mapping[str, Any] | None = None,
    *,
    normalisation: str | None = None,
    language: str | None = None,
) -> float | Scorer:
    """The harmonic mean of precision and recall in tokens, against the nearest target; its scores are named `f1`.

    The normalisation is one of `NORMALISATIONS` ("unicode"), or that of each sample's language in column `language`.

    >>> token_f1("a sea otter", ["the otter", "a seal"], {})
    0.6666666666666666
    >>> token_f1(language="language")("海獭", "水獭", {"language": "zh"})
    0.5
    """
    scorer = _Compared("f1", normalisation, language)
    return scorer if row is None else scorer(response, target, row)


@dataclass(frozen=True)
class _Compared:
    metric: Literal["exact_match", "f1"]
    normalisation: str | None
    language: str | None

    def __post_init__(self) -> None:
        if self.normalisation is not None and self.language is not None:
            msg = (
                f"{self.metric} has normalisation={self.normalisation!r} and language={self.language!r}, a column "
                "that gives each sample's normalisation; give one of them"
            )
            raise BadData(msg)
        if self.normalisation is not None and self.normalisation not in NORMALISATIONS:
            msg = (
                f"{self.metric} has normalisation={self.normalisation!r}; it is one of {', '.join(NORMALISATIONS)}. "
                "Where each language has its own, name its column with language="
            )
            raise BadData(msg)

    @property
    def __name__(self) -> str:
        return self.metric

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float:
        compare, normalise = _f1 if self.metric == "f1" else _equals, self._normalisation(row)
        return max((float(compare(response, text, normalise)) for text in _texts(target)), default=0.0)

    def _normalisation(self, row: Mapping[str, Any]) -> Normalisation:
        if self.language is None:
            return NORMALISATIONS[self.normalisation or "unicode"]
        language = _cell(self, row, self.language)
        if not isinstance(language, str) or not language.strip():
            msg = (
                f"{self.metric} reads each sample's language in column {self.language!r}, which holds {language!r}; "
                "it should hold a code or a name, such as 'ar' or 'Arabic'"
            )
            raise BadData(msg)
        return normalisation_of(language)


@overload
def contains(response: str, target: Target, row: Mapping[str, Any]) -> float: ...
@overload
def contains(*, veto: str | None = None, words: bool = True) -> Scorer: ...
def contains(
    response: str = "",
    target: Target = None,
    row: Mapping[str, Any] | None = None,
    *,
    veto: str | None = None,
    words: bool = True,
) -> float | Scorer:
    """1 where a normalised target stands in the response as whole words; 0 where a text of column `veto` does too.

    Without `words`, where it stands there at all, upper or lower case. The veto is a list, or the text of one.

    >>> contains("I think it is an otter", "otter", {})
    1.0
    >>> contains(veto="distractors")("an otter or a seal", "otter", {"distractors": ["seal"]})
    0.0
    >>> contains(words=False)("three otters", "otter", {})
    1.0
    """
    scorer = _Contains(veto, words)
    return scorer if row is None else scorer(response, target, row)


@dataclass(frozen=True)
class _Contains:
    veto: str | None
    words: bool

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float:
        stands = stands_in if self.words else _is_part
        if any(stands(text, response) for text in self._vetoed(row)):
            return 0.0
        return float(any(stands(text, response) for text in _texts(target)))

    def _vetoed(self, row: Mapping[str, Any]) -> Sequence[str]:
        if self.veto is None:
            return ()
        held = _cell(self, row, self.veto)
        if isinstance(held, str) and held.lstrip().startswith("["):
            held = data.literal(held, f"column {self.veto!r}")
        return _texts(held)


def regex(pattern: str, group: int | str = 0, flags: int = 0) -> Scorer:
    r"""What the pattern finds is compared with the target, normalised; a response without it is `unparsable`.

    Raises `re.error` at once for a pattern that cannot be compiled.

    >>> regex(r"Answer: (\w+)", group=1)("Well. Answer: otter", "otter", {})
    1.0
    >>> regex(r"Answer: (\w+)", group=1)("otter", "otter", {})
    Score(value=0.0, status='unparsable')
    """
    re.compile(pattern, flags)
    return _Regex(pattern, group, flags)


@dataclass(frozen=True)
class _Regex:
    pattern: str
    group: int | str
    flags: int

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float | Score:
        found = re.search(self.pattern, response, self.flags)
        return exact_match(found[self.group] or "", target, row) if found else Score(0.0, "unparsable")


@overload
def numeric(response: str, target: Target, row: Mapping[str, Any]) -> float | Score: ...
@overload
def numeric(*, tolerance: float = 0.0) -> Scorer: ...
def numeric(
    response: str = "", target: Target = None, row: Mapping[str, Any] | None = None, *, tolerance: float = 0.0
) -> float | Score | Scorer:
    """1 where the last number of the response is the target's, give or take `tolerance`; without one, `unparsable`.

    "1,234.5" and "12,34,567" have thousands apart; "45%" is 45. What may be read in two ways is no number: a decimal
    comma ("3,5"), a fraction, a date.

    >>> numeric("12 boats of 100 make 1,200.", "1200", {}), numeric(tolerance=0.5)("about -3%", "-3.5", {})
    (1.0, 1.0)
    >>> numeric("3,5", "3.5", {})
    Score(value=0.0, status='unparsable')
    """
    scorer = _Numeric(tolerance)
    return scorer if row is None else scorer(response, target, row)


@dataclass(frozen=True)
class _Numeric:
    tolerance: float

    def __post_init__(self) -> None:
        if not self.tolerance >= 0:
            msg = f"numeric has tolerance={self.tolerance!r}; it is how far off a number may be, 0 or more"
            raise BadData(msg)

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float | Score:  # noqa: ARG002 - scorers differ
        wanted, said = [self._number(text) for text in _texts(target)], last_number(response)
        if said is None:
            return Score(0.0, "unparsable")
        return float(any(abs(said - number) <= Decimal(str(self.tolerance)) for number in wanted))

    @staticmethod
    def _number(text: str) -> Decimal:
        number = last_number(text)
        if number is None:
            msg = f"numeric compares numbers, but a target is {text!r:.60}; write it in digits, such as '1234.5'"
            raise BadData(msg)
        return number


_NUMERAL = re.compile(r"(?:(?<![a-zA-Z\d])[-+])?\.?\d[\d.,:/^]*(?:[eE][-+]?\d+)?")
_READABLE = re.compile(
    r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|\d+|(?=\.))(?:\.\d+)?(?:[eE][-+]?\d{1,3})?"
)
_AS_ASCII = str.maketrans(
    "\N{MINUS SIGN}\N{ARABIC DECIMAL SEPARATOR}\N{ARABIC THOUSANDS SEPARATOR}\u00a0\u202f", "-.,,,"
)


def last_number(text: str) -> Decimal | None:
    """The last number of a text, in any script's digits; none where it can be read in two ways.

    >>> last_number("from 1,000 to 2,500."), last_number("on 12/5/2020")
    (Decimal('2500'), None)
    """
    numerals = _NUMERAL.findall(text.translate(_AS_ASCII))
    last = numerals[-1].rstrip(".,:/^") if numerals else ""
    return Decimal(last.replace(",", "")) if _READABLE.fullmatch(last) else None


def until(marker: str, scorer: Scorer) -> Scorer:
    r"""Another scorer's score of what stands before the first `marker`; `empty` where nothing does.

    >>> until("\n\n", token_f1)("otter\n\nQuestion: Which", "an otter", {})
    1.0
    """
    if not marker:
        msg = r"until has the marker '', which stands everywhere; give the text at which answers end, such as '\n\n'"
        raise BadData(msg)
    _refuse_calibrated(scorer, "until")
    return _Until(marker, scorer)


@dataclass(frozen=True)
class _Until:
    marker: str
    scorer: Scorer

    @property
    def __name__(self) -> str:
        return name_of(self.scorer)

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float | Score | Judging:
        said = response.partition(self.marker)[0]
        return self.scorer(said, target, row) if said.strip() else Score(0.0, "empty")


REFUSALS = (
    r"(i am|i.?m) (so |very |really |truly )?(sorry|afraid (that )?i|unable|not able|not comfortable)\b",
    r"(unfortunately,? |sorry,? (but )?)?i (can.?t|cannot|can not|won.?t|will not|am not allowed to) "
    r"(help|assist|answer|provide|give|offer|share|discuss|comment|comply|fulfil|say|tell|engage|participate)",
    r"(my |our )?(sincere )?apologies\b",
    r"i (must )?(apologi[sz]e|(respectfully )?decline)\b",
    r"as an? (ai|artificial intelligence|(large )?language model)( (language )?model| assistant)?(,| i\b)",
)
"""How an English response begins that declines to answer."""


def refused(scorer: Scorer, patterns: str | Sequence[str] = REFUSALS) -> Scorer:
    """Another scorer's score, but `refused` where the response begins with one of the patterns, in any case.

    Raises `re.error` at once for a pattern that cannot be compiled.

    >>> refused(exact_match)("I'm sorry, but I can't help with that.", "otter", {})
    Score(value=0.0, status='refused')
    >>> refused(exact_match, patterns=(*REFUSALS, "no comment"))("an otter", "otter", {})
    1.0
    """
    given = (patterns,) if isinstance(patterns, str) else tuple(patterns)
    for pattern in given:
        re.compile(pattern)
    _refuse_calibrated(scorer, "refused")
    return _Refused(scorer, given)


def _refuse_calibrated(scorer: Scorer, wrapper: str) -> None:
    """What is calibrated is the whole scorer: inside another one its errors would not be corrected."""
    if isinstance(scorer, Calibrated):
        msg = f"{wrapper} wraps a calibrated scorer; calibrate the whole instead: calibrated({wrapper}(…), labelled)"
        raise BadData(msg)


@dataclass(frozen=True)
class _Refused:
    scorer: Scorer
    patterns: tuple[str, ...]

    @property
    def __name__(self) -> str:
        return name_of(self.scorer)

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float | Score | Judging:
        said = response.lstrip()
        if any(re.match(pattern, said, re.IGNORECASE) for pattern in self.patterns):
            return Score(0.0, "refused")
        return self.scorer(response, target, row)


def name_of(scorer: Scorer) -> str:
    """The name under which a scorer's values are read: `exact_match(task)` reads those of `exact_match`.

    >>> name_of(exact_match), name_of(contains(veto="distractors")), name_of(token_f1)
    ('exact_match', 'contains', 'f1')
    """
    if scorer is token_f1:
        return "f1"
    name = getattr(scorer, "__name__", None) or type(scorer).__name__
    return name.strip("_").lower()


def needs_target(scorer: Scorer) -> bool:
    """Whether a scorer is one of ours that compares a response with its target.

    >>> needs_target(exact_match), needs_target(lambda response, target, row: len(response) < 80)
    (True, False)
    """
    if isinstance(scorer, (_Until, _Refused, Calibrated)):
        return needs_target(scorer.scorer)
    return scorer in _OURS or isinstance(scorer, (_Compared, _Contains, _Regex, _Numeric))


_OURS = (exact_match, token_f1, contains, numeric)


def asks_a_judge(scorer: Scorer) -> bool:
    """Whether a scorer, or one that it wraps, asks a judge checkpoint.

    >>> asks_a_judge(until(".", judged_by("path/to/judge", "{response}?"))), asks_a_judge(exact_match)
    (True, False)
    """
    return isinstance(scorer, JudgedBy) or (hasattr(scorer, "scorer") and asks_a_judge(scorer.scorer))


def score(scorer: Scorer, response: str, target: Target, row: Mapping[str, Any]) -> Score | Judging:
    """One response's score, or what a judge is to be asked about it.

    An empty response is `empty` and scores 0 without being put to the scorer.
    """
    if not response.strip():
        return Score(0.0, "empty")
    try:
        given = scorer(response, target, row)
        if isinstance(given, Judging):
            return given
        scored = given if isinstance(given, Score) else Score(float(given))
    except BadData:
        raise
    except Exception as error:
        msg = f"scorer {name_of(scorer)} raised {error!r} for {response!r:.60} with the target {target!r:.60}"
        raise BadData(msg) from error
    if not 0.0 <= scored.value <= 1.0:
        msg = (
            f"scorer {name_of(scorer)} gave {scored.value!r} for {response!r:.60}; a score lies in [0, 1]: divide by "
            "the most that there can be, or cut it off there"
        )
        raise BadData(msg)
    if scored.status not in STATUSES or scored.status in UNSCORED:
        said = ", ".join(status for status in STATUSES if status not in UNSCORED)
        msg = f"scorer {name_of(scorer)} gave the status {scored.status!r} to {response!r:.60}; it is one of {said}"
        raise ValueError(msg)
    return scored


def refuses(scorer: Scorer, target: Any, row: Mapping[str, Any]) -> bool:
    """Whether a scorer that can read a sample's targets as answers takes none of them for right.

    >>> refuses(contains(veto="distractors", words=False), "snowball", {"distractors": ["ball"]})
    True
    >>> refuses(exact_match, ["an otter", "otter"], {}), refuses(regex("Answer: (.+)", 1), "otter", {})
    (False, False)
    """
    scored = [score(scorer, text, target, row) for text in _texts(target)]
    return bool(scored) and all(isinstance(each, Score) and each.status == "ok" and each.value < 1 for each in scored)


def _is_punctuation(mark: str) -> bool:
    return mark in string.punctuation or unicodedata.category(mark).startswith("P")


def _equals(response: str, target: str, normalise: Normalisation = normalised) -> bool:
    """Equal when normalised; as they stand where nothing of the target is left then ("A", "the")."""
    wanted = normalise(target)
    return normalise(response) == wanted if wanted else response.strip().lower() == target.strip().lower()


def _f1(response: str, target: str, normalise: Normalisation) -> float:
    said, wanted = normalise(response).split(), normalise(target).split()
    if not wanted:
        return float(_equals(response, target, normalise))
    return 2 * (Counter(said) & Counter(wanted)).total() / (len(said) + len(wanted))


def _is_part(text: str, response: str) -> bool:
    return bool(text.strip()) and text.lower() in response.lower()


def stands_in(text: str, response: str) -> bool:
    """Whether a text stands in a response as whole words, or anywhere where its script has no spaces."""
    wanted, said = normalised(text), normalised(response)
    if not wanted:
        return _equals(response, text)
    return wanted in said if UNSPACED.search(wanted) else f" {wanted} " in f" {said} "


def _cell(scorer: Scorer, row: Mapping[str, Any], column: str) -> Any:
    if column not in row:
        msg = f"{name_of(scorer)} reads column {column!r}, but the samples have {', '.join(row)}; name one of these"
        raise BadData(msg)
    return row[column]


def _texts(target: Any) -> Sequence[str]:
    if target is None:
        return ()
    if isinstance(target, (list, tuple)):
        return [str(text) for text in target]
    return [str(target)]
