"""The guard of candidates' names: how a name is written is no opinion of whom it names."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fairprobe import statistics
from fairprobe.guards.guard import CONFIDENCE, Guard
from fairprobe.guards.shares import Shares
from fairprobe.tasks import Ranking

LEAST_NAMES = 5
FORMS = ("without an article", "with one")


def name_form(shares: Shares) -> Iterator[Guard]:
    """Candidates whose names have an article are ranked like the others."""
    task, outcomes = shares.part.task, shares.part.outcomes
    if not isinstance(task, Ranking):
        return
    has_article = task.with_article
    names = outcomes.samples.frame[task.group].to_numpy()
    used = shares.kept & ~np.isnan(outcomes.scores["rank"])
    means = {name: float(outcomes.scores["rank"][used & (names == name)].mean()) for name in dict.fromkeys(names[used])}
    form = np.array([int(has_article[name]) for name in means])
    if min(np.bincount(form, minlength=2)) < LEAST_NAMES:
        return
    ranks = statistics.estimate(list(means.values()), form, list(means), FORMS, low=-np.inf, high=np.inf)
    apart = statistics.decide(ranks, "gap", "<", 0.0, confidence=CONFIDENCE, least_clusters=LEAST_NAMES)
    plain, article = ranks.theta
    detail = f"names with an article have the mean rank {article:.1f}, others {plain:.1f}"
    if apart.outcome == "fail":
        detail += ": a part of what ranks say may be how names are written"
    yield Guard("name_form", "caveat" if apart.outcome == "fail" else "pass", detail)
