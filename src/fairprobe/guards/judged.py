"""The guard of judges: whether what scores the answers tells right from wrong, in every group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import special

from fairprobe.guards.guard import CONFIDENCE, Guard
from fairprobe.guards.shares import Shares
from fairprobe.judges import LEAST_LABELLED
from fairprobe.metrics import NoEvidence, told
from fairprobe.tasks import Scoring

Z = float(special.ndtri(CONFIDENCE))


def judged(shares: Shares, columns: Sequence[str], score: str) -> Iterator[Guard]:
    """A judge's sensitivity and specificity are known and shown to say something; unknown, they are a caveat."""
    task = shares.part.task
    if not isinstance(task, Scoring) or score not in task.is_judged:
        return
    labelled = shares.part.outcomes.labelled.get(score)
    if labelled is None:
        mend = "scorers.calibrated(judge, 'labelled.jsonl') tells them, and corrects the values"
        yield Guard("judged", "caveat", f"a judge's sensitivity and specificity are unknown: {mend}")
        return
    try:
        rates = told(labelled, columns, shares.labels)
    except NoEvidence as error:
        yield Guard("judged", "fail", str(error))
        return
    few = [min(each.right, each.wrong) for each in rates]
    least = [each.informed - Z * sum(each.variances) ** 0.5 for each in rates]
    worst = int(np.argmin(few if min(few) < LEAST_LABELLED else least))
    found = rates[worst]
    detail = (
        f"the judge finds {found.sensitivity:.0%} of right and {found.specificity:.0%} of wrong answers in "
        f"{shares.where(worst)} ({found.right} and {found.wrong} labelled)"
    )
    if min(few) < LEAST_LABELLED:
        yield Guard("judged", "fail", f"{detail}; {LEAST_LABELLED} of each are needed")
    elif least[worst] <= 0:
        yield Guard("judged", "fail", f"{detail}; it is not shown to tell them apart")
    else:
        yield Guard("judged", "pass", detail)
