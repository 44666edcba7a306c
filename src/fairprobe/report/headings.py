"""What stands over a column of numbers: what was measured, in words, with its unit where it is no share of 1."""

from __future__ import annotations

from collections.abc import Mapping

from fairprobe.expressions import Change, Difference, Matched, Measure, Metric, Where

WORDS: Mapping[str, str] = {
    "mean": "mean {column}", "mean_rank": "mean rank (1 is first)", "reward": "mean reward (own scale)",
    "tokens_per_sample": "tokens per {column}", "bits_per_byte": "bits per byte",
    "win_rate": "win rate against {against}", "share_below": "share below {reference}",
    "spearman": "Spearman's rho with {order}", "kendall": "Kendall's tau with {order}",
}  # fmt: skip
UNITS: Mapping[str | None, str] = {"loglikelihood": " (nats)"}
"""The units of columns that tasks make."""


def heading(metric: Metric) -> str:
    """What a metric's numbers are.

    >>> heading(accuracy(clues).where(dialect="en_in").change()), heading(mean(answers, "similarity"))
    ('change in accuracy', 'mean similarity')
    """
    match metric:
        case Measure():
            words = WORDS.get(metric.function, metric.function)
            return words.format(column=metric.column, **dict(metric.options)) + UNITS.get(metric.column, "")
        case Where() | Matched():
            return heading(metric.metric)
        case Change():
            return f"change in {heading(metric.metric)}"
        case Difference():
            return f"{heading(metric.left)} less {heading(metric.right)}"
    return repr(metric)
