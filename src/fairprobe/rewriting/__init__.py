"""Rewritings of texts that should leave an answer as it is: varieties of English, spelling, people, noise.

The features of varieties are rules of ours for what the electronic World Atlas of Varieties of English describes under
their numbers; how well they do what their gloss says is measured on sentences annotated by hand, and is no judgement
of how people speak.
"""

from fairprobe.rewriting.dialects import dialects, feature
from fairprobe.rewriting.edits import Edit, applied
from fairprobe.rewriting.features import FEATURES, Feature
from fairprobe.rewriting.noise import keyboard, typography
from fairprobe.rewriting.people import names, persona, pronouns
from fairprobe.rewriting.renderings import renderings
from fairprobe.rewriting.rewriting import Change, Rewriting, by_name, fitting, rewritten
from fairprobe.rewriting.spelling import contractions, spelling
from fairprobe.rewriting.varieties import VARIETIES, Variety

__all__ = [
    "FEATURES", "VARIETIES", "Change", "Edit", "Feature", "Rewriting", "Variety", "applied", "by_name", "contractions",
    "dialects", "feature", "fitting", "keyboard", "names", "persona", "pronouns", "renderings", "rewritten",
    "spelling", "typography",
]  # fmt: skip
