"""The features that the rewriter knows, by their numbers in the electronic World Atlas of Varieties of English."""

from fairprobe.rewriting.features.agreement import AGREEMENT
from fairprobe.rewriting.features.clauses import CLAUSES
from fairprobe.rewriting.features.feature import Feature
from fairprobe.rewriting.features.negation import NEGATION
from fairprobe.rewriting.features.noun_phrases import NOUN_PHRASES
from fairprobe.rewriting.features.pronouns import PRONOUNS
from fairprobe.rewriting.features.verbs import VERBS

FEATURES = {each.ewave: each for each in (*PRONOUNS, *NOUN_PHRASES, *VERBS, *NEGATION, *AGREEMENT, *CLAUSES)}
"""Every feature by its number."""

__all__ = ["FEATURES", "Feature"]
