"""Rewritings that keep the dialect: spelling in the United States or Britain, and contractions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Literal

from fairprobe.errors import BadData
from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.rewriting import Change, Rewriting

BRITISH = dict(pair.split(":") for pair in ["color:colour", "colors:colours", "colored:coloured",
"favorite:favourite", "favorites:favourites", "honor:honour", "honors:honours", "honored:honoured", "labor:labour",
"neighbor:neighbour", "neighbors:neighbours", "neighborhood:neighbourhood", "humor:humour", "flavor:flavour",
"flavors:flavours", "behavior:behaviour", "behaviors:behaviours", "harbor:harbour", "harbors:harbours",
"rumor:rumour", "rumors:rumours", "center:centre", "centers:centres", "centered:centred", "theater:theatre",
"theaters:theatres", "meter:metre", "meters:metres", "liter:litre", "liters:litres", "kilometer:kilometre",
"kilometers:kilometres", "fiber:fibre", "organize:organise", "organized:organised", "organizes:organises",
"organizing:organising", "organization:organisation", "organizations:organisations", "recognize:recognise",
"recognized:recognised", "realize:realise", "realized:realised", "analyze:analyse", "analyzed:analysed",
"criticize:criticise", "criticized:criticised", "apologize:apologise", "apologized:apologised", "memorize:memorise",
"traveled:travelled", "traveling:travelling", "traveler:traveller", "travelers:travellers", "canceled:cancelled",
"canceling:cancelling", "modeling:modelling", "labeled:labelled", "jewelry:jewellery", "gray:grey",
"defense:defence", "offense:offence", "license:licence", "catalog:catalogue", "dialog:dialogue", "plow:plough",
"tire:tyre", "tires:tyres", "pajamas:pyjamas", "program:programme", "programs:programmes", "aluminum:aluminium",
"mold:mould", "skeptical:sceptical", "enroll:enrol", "fulfill:fulfil", "skillful:skilful", "airplane:aeroplane",
"mom:mum", "moms:mums", "math:maths", "check:cheque", "checks:cheques", "curb:kerb", "mustache:moustache",
"cozy:cosy", "draft:draught"])  # fmt: skip
AMBIGUOUS = {"check", "checks", "tire", "tires", "meter", "meters", "draft", "program", "programs", "license", "curb"}
"""American spellings of words whose other meaning Britain spells likewise."""
FULL = {
    "n't": " not", "'re": " are", "'ve": " have", "'ll": " will", "'m": " am",
}  # fmt: skip
WHOLE = {"can't": "cannot", "won't": "will not", "shan't": "shall not"}
CONTRACTED = (
    (r"\b(is|are|was|were|do|does|did|has|have|had|would|could|should) not\b", r"\1n't"),
    (r"\bcannot\b", "can't"), (r"\bwill not\b", "won't"),
    (r"\b(I|you|we|they) have(?= (?:not )?\w+(?:ed|en|ne)\b)", r"\1've"),
    (r"\b(you|we|they) are\b(?!\s*[.?!,;]|n)", r"\1're"),
    (r"\bI am\b(?!\s*[.?!,;])", "I'm"), (r"\b(I|you|he|she|it|we|they) will\b(?!\s*(?:[.?!,;]|not\b))", r"\1'll"),
    (r"\b(he|she|it|that|there) is\b(?!\s*(?:[.?!,;]|not\b))", r"\1's"),
)  # fmt: skip


def spelling(country: Literal["US", "GB"]) -> Rewriting:
    """The spelling of the United States (`US`) or of Britain (`GB`), word by word from a list.

    >>> spelling("GB").changes("What color is it?")
    [Change(edit=Edit(start=5, end=10, new='colour'), name='spelling')]
    """
    if country not in {"US", "GB"}:
        msg = f"spelling({country!r}): the spellings are 'US' and 'GB'"
        raise BadData(msg)
    words = (
        {one: other for one, other in BRITISH.items() if one not in AMBIGUOUS}
        if country == "GB"
        else {other: one for one, other in BRITISH.items() if one != "draft"}
    )
    return Rewriting(f"spelling {country}", f"spelling({country!r})", partial(_respelt, words))


def contractions(*, full: bool = False) -> Rewriting:
    """Contracted forms (`isn't`, `I'm`), or where `full` the forms written out.

    >>> contractions().changes("It is not late.")
    [Change(edit=Edit(start=3, end=9, new="isn't"), name='contractions')]
    >>> contractions(full=True).changes("It isn't late.")
    [Change(edit=Edit(start=5, end=8, new=' not'), name='contractions')]
    """
    source = "contractions(full=True)" if full else "contractions()"
    return Rewriting(
        source.replace("(full=True)", " in full").removesuffix("()"), source, _in_full if full else _contracted
    )


def _respelt(words: Mapping[str, str], text: str) -> list[Change]:
    edits = [
        Edit(match.start(), match.end(), _like(match.group(), words[match.group().lower()]))
        for match in re.finditer(r"[A-Za-z]+", text)
        if match.group().lower() in words
    ]
    return [Change(edit, "spelling") for edit in edits]


def _contracted(text: str) -> list[Change]:
    edits: list[Edit] = []
    for pattern, new in CONTRACTED:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            edit = Edit(match.start(), match.end(), _like(match.group(), match.expand(new)))
            if all(edit.end <= other.start or other.end <= edit.start for other in edits):
                edits.append(edit)
    return [Change(edit, "contractions") for edit in sorted(edits)]


def _in_full(text: str) -> list[Change]:
    edits = []
    for match in re.finditer(
        r"(?i)\b(?:(can't|won't|shan't)|(?!ain)\w+(n't)|(?:you|we|they|I)('re|'ve|'ll|'m))\b", text.replace("’", "'")
    ):
        if match.group(1):
            edits.append(Edit(match.start(), match.end(), _like(match.group(), WHOLE[match.group().lower()])))
        else:
            place = 2 if match.group(2) else 3
            edits.append(Edit(match.start(place), match.end(place), FULL[match.group(place).lower()]))
    return [Change(edit, "contractions") for edit in edits]


def _like(old: str, new: str) -> str:
    """A word in the case of the one that it replaces."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
