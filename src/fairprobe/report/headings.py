"""What stands over a column of numbers: what was measured, in words, with its unit where it is no share of 1."""

from __future__ import annotations

from collections.abc import Mapping

from fairprobe.expressions import Above, Change, Difference, Matched, Measure, Metric, Near, Relative, Treated, Where

WORDS: Mapping[str, str] = {
    "mean": "mean {column}", "mean_rank": "mean rank (1 is first)", "reward": "mean reward (own scale)",
    "tokens_per_sample": "tokens per {column}", "bits_per_byte": "bits per byte",
    "win_rate": "win rate against {against}", "share_below": "share below {reference}",
    "kl_from_base": "divergence from the baseline per {column}", "preference_margin": "preference margin",
    "expected_max": "largest {column} of {k}", "exceed_rate": "share with {column} above {above}",
    "distinct": "distinct {n}-grams", "ead": "distinct {n}-grams over expected ones", "vendi": "Vendi score",
    "spearman": "Spearman's rho with {order}", "kendall": "Kendall's tau with {order}",
}  # fmt: skip
UNITS: Mapping[str | None, str] = {"loglikelihood": " (nats)"}
"""The units of columns that tasks make."""


def heading(metric: Metric) -> str:  # noqa: PLR0911 - one for each kind of metric
    """What a metric's numbers are.

    >>> heading(accuracy(clues).where(dialect="en_in").change()), heading(mean(answers, "similarity"))
    ('change in accuracy', 'mean similarity')
    """
    match metric:
        case Measure():
            words = WORDS.get(metric.function, metric.function)
            if metric.function == "mean" and metric.options:
                words += " per {per}"
            if dict(metric.options).get("across"):
                words += ", across prompts"
            return words.format(column=metric.column, **dict(metric.options)) + UNITS.get(metric.column, "")
        case Where() | Matched() | Near():
            return heading(metric.metric)
        case Relative():
            return f"{heading(metric.metric)}, times the baseline's"
        case Treated():
            return f"change in {heading(metric.metric)} by {metric.treatment!r}"
        case Above():
            return f"share with {heading(metric.metric)} above {metric.bound:g}"
        case Change():
            return f"change in {heading(metric.metric)}"
        case Difference():
            return f"{heading(metric.left)} less {heading(metric.right)}"
    return repr(metric)
