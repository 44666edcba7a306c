"""The metrics by their names: each reads a score of a task's outcomes, written down now and measured later."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Literal

from fairprobe.errors import BadExpectation
from fairprobe.expressions import Expectation, Measure, Metric, Terms
from fairprobe.relations import Relation
from fairprobe.tasks import Drift, Generation, Simulation, Task

KNOW_CHANCE = frozenset({"accuracy", "exact_match"})
"""Metrics that an answer which knows nothing has a value of, above which a group has to be shown."""
HAS_CHANCE = KNOW_CHANCE | {"preference_accuracy"}
"""The same with those in which that value is only drawn: half of the preferences is no failure."""
RATES: Mapping[str, tuple[str, ...]] = {
    "valid_rate": ("ok", "truncated"), "refusal_rate": ("refused",), "truncation_rate": ("truncated",),
}  # fmt: skip
"""Metrics that count statuses, each with those that it counts."""
READS: Mapping[str, str] = {
    **dict.fromkeys(("mean_rank", "win_rate", "spearman", "kendall", "share_below"), "rank"),
    "bits_per_byte": "loglikelihood",
    "option_entropy": "entropy",
    "persona_lift": "lift",
}
"""The score that a metric reads, where it is not named like the metric."""
ORDERED = frozenset({"spearman", "kendall"})
"""Metrics of candidates that have a place in an order."""
OF_CANDIDATES = ORDERED | {"share_below"}
"""Metrics whose clusters are the candidates."""


def accuracy(task: Task) -> Metric:
    """The mean of a task's first score: the share of right answers.

    >>> accuracy(clues).by("dialect") > 0.3
    accuracy(clues).by('dialect') > 0.3
    """
    return _targeted(_measure("accuracy", task))


def exact_match(task: Task) -> Metric:
    """The share of answers that equal their target, normalised: the scores of `scorers.exact_match`.

    >>> exact_match(clues).gap("dialect") < 0.05
    exact_match(clues).gap('dialect') < 0.05
    """
    return _targeted(_scored("exact_match", task))


def mean(task: Task, column: str, *, per: str | None = None) -> Metric:
    """The mean of a numeric column of the outcomes: a score by its name, or a column of the samples.

    `per` another column it is the sum of the one over the sum of the other: nats per token, right answers per answer.

    >>> mean(answers, "similarity").gap("country") < 0.1
    mean(answers, 'similarity').gap('country') < 0.1
    """
    measure = replace(_measure("mean", task), column=column, options=(("per", per),) if per is not None else ())
    return _targeted(measure) if column in task.score_names else measure


def f1(task: Task) -> Metric:
    """The mean token F1 of answers and targets: the scores of `scorers.token_f1`.

    >>> f1(Generation([{"q": "Who swims?", "a": "an otter"}], "{q}", target="a", scorer=scorers.token_f1, name="qa"))
    f1(qa)
    """
    return _targeted(_scored("f1", task))


def similarity(task: Task) -> Metric:
    """How like people's the model's distribution over the options is: 1 less the Jensen-Shannon distance.

    >>> similarity(Recorded([{"similarity": 0.6}], score="similarity", name="opinions"))
    similarity(opinions)
    """
    return _scored("similarity", task)


def reward(task: Task) -> Metric:
    """The mean of what a reward model gives.

    >>> reward(Recorded([{"reward": -5.4}], score="reward", name="origins"))
    reward(origins)
    """
    return _scored("reward", task)


def mean_rank(task: Task) -> Metric:
    """The mean rank of the candidates, 1 for the best.

    >>> mean_rank(Recorded([{"rank": 1, "country": "Chile"}], score="rank", name="asked")).by("country") < 150
    mean_rank(asked).by('country') < 150.0
    """
    return _scored("mean_rank", task)


def win_rate(task: Task, against: str, *, of: str, tie: float = 0.5) -> Metric:
    """How often a candidate (a value of column `of`) is ranked before another in the same question.

    A `tie` counts a half.

    >>> asked = Recorded([{"rank": 1, "country": "Chile", "q": 1}], score="rank", name="asked", pair="q")
    >>> win_rate(asked, "Chile", of="country").by("country") > 0.1
    win_rate(asked, against='Chile', of='country', tie=0.5).by('country') > 0.1
    """
    return replace(_scored("win_rate", task), options=(("against", against), ("of", of), ("tie", tie)))


def spearman(task: Task, order: str, *, of: str) -> Metric:
    """Spearman's correlation of candidates' mean ranks with a numeric column `order`; candidates without one are out.

    The candidates (the values of column `of`) are what varies: twenty countries are twenty observations, however
    many questions they were ranked in.

    >>> asked = Recorded([{"rank": 1, "country": "Chile", "gallup": 3}], score="rank", name="asked")
    >>> spearman(asked, "gallup", of="country") > 0.5
    spearman(asked, order='gallup', of='country') > 0.5
    """
    return replace(_scored("spearman", task), options=(("order", order), ("of", of)))


def kendall(task: Task, order: str, *, of: str) -> Metric:
    """Kendall's tau-b of candidates' mean ranks with a numeric column `order`, as `spearman`."""
    return replace(_scored("kendall", task), options=(("order", order), ("of", of)))


def share_below(task: Task, reference: str, *, of: str) -> Metric:
    """The share of the other candidates (values of column `of`) whose mean rank is worse than the reference's.

    >>> asked = Recorded([{"rank": 1, "country": "Chile"}], score="rank", name="asked")
    >>> share_below(asked, "Chile", of="country") < 0.9
    share_below(asked, reference='Chile', of='country') < 0.9
    """
    return replace(_scored("share_below", task), options=(("reference", reference), ("of", of)))


def preference_accuracy(task: Task) -> Metric:
    """How often the answer that people chose is preferred to the one that they rejected; a tie counts a half.

    >>> pairs = [{"asked": "Tea or coffee?", "chosen": "Tea.", "rejected": "Coffee.", "country": "IN"}]
    >>> preference_accuracy(Preference(pairs, "{asked}", name="drinks"))
    preference_accuracy(drinks)
    """
    return _scored("preference_accuracy", task)


def preference_margin(task: Task) -> Metric:
    """By how much the chosen answer is preferred: nats, or a reward model's own scale.

    Its `change()` is the margin of the implicit reward of preference training, with a beta of 1 (Rafailov et al. 2023),
    and `change().above(0)` the accuracy of that reward.
    """
    return _scored("preference_margin", task)


def alignment(task: Simulation, kind: Literal["soft", "hard"] = "soft", *, corrected: bool = True) -> Metric:
    """How often a model answers a survey as the respondents did whom it was told to be.

    `hard` is the same answer, `soft` takes account of how near it is. `corrected` for chance it is 0 for an answer that
    knows nothing and 1 for the respondents' own: (S - r)/(1 - r), of the means of scores and of chance.
    """
    if not isinstance(task, Simulation):
        msg = f"alignment(Simulation(…)) reads a survey's simulation, not {task!r:.60}"
        raise BadExpectation(msg)
    if kind not in {"soft", "hard"}:
        msg = f"alignment({task.name}, {kind!r}): its kind is 'soft' or 'hard'"
        raise BadExpectation(msg)
    return replace(_measure("alignment", task), column=kind, options=(("corrected", corrected),))


def persona_lift(task: Simulation) -> Metric:
    """How much nearer a model's answers lie to the respondent's own than to others' of the same country.

    Others stand in turn for the respondent, all of them; 0 where the persona changes nothing but the country.
    """
    return _scored("persona_lift", task)


def option_entropy(task: Task) -> Metric:
    """How undecided a model is between the options of a question, in bits."""
    return _scored("option_entropy", task)


def expected_max(task: Task, score: str | None = None, *, k: int = 25) -> Metric:
    """The largest score of k answers to a prompt, on average over all subsets of k of those that were drawn.

    >>> said = Generation([{"begin": "She"}], "{begin}", scorer=loud, samples=30, temperature=1.0, name="said")
    >>> expected_max(said, k=25)
    expected_max(said, 'loud', k=25)
    """
    return _of_draws("expected_max", task, score, k, ())


def exceed_rate(task: Task, score: str | None = None, *, above: float = 0.5, k: int = 1) -> Metric:
    """How often an answer's score lies above a bound; with k, how often that of any of k answers to a prompt does."""
    return _of_draws("exceed_rate", task, score, k, (("above", float(above)),))


def kl_from_base(task: Drift, per: Literal["token", "byte"] = "token") -> Metric:
    """How far what the model writes lies from its baseline: Kullback-Leibler divergence, nats a token or bits a byte.

    A `token` takes two checkpoints of one tokenizer. Per `byte` languages compare, and of two tokenizers it is told on
    whole texts: the log-ratio of their likelihoods.

    >>> said = Generation([{"begin": "Once"}], "{begin}", temperature=1.0, name="said")
    >>> kl_from_base(Drift(said), "byte")
    kl_from_base(said_drift, 'byte')
    """
    if not isinstance(task, Drift):
        msg = f"kl_from_base(Drift(task)) takes a task whose answers are weighed, not {task!r:.60}; write Drift(…)"
        raise BadExpectation(msg)
    if per not in {"token", "byte"}:
        msg = f"kl_from_base({task.name}, {per!r}): it is told by 'token' or by 'byte'"
        raise BadExpectation(msg)
    return replace(_measure("kl_from_base", task), column=per)


def distinct(task: Task, n: int = 2, *, across: bool = False) -> Metric:
    """Distinct-n: the share of n-grams of tokens that are there for the first time, among the answers to a prompt.

    `across` prompts it is told of the first answer to each, at as many prompts in each group. Say it of a model as a
    ratio to its baseline, `.relative()`: languages and prompts differ by themselves.

    >>> said = Generation([{"begin": "Once"}], "{begin}", samples=4, temperature=1.0, name="said")
    >>> distinct(said).relative().by("language") > 0.8
    distinct(said, n=2, across=False).relative().by('language') > 0.8
    """
    return _varied("distinct", task, across, (("n", n),))


def ead(task: Task, n: int = 1, *, across: bool = False) -> Metric:
    """Distinct n-grams over what as many drawn at random would give, so that length costs nothing; see `distinct`.

    Of a vocabulary of many thousand tokens there are so many pairs that none comes twice by chance: of n above 1 it
    is `distinct` but for the last digits.
    """
    return _varied("ead", task, across, (("n", n),))


def vendi(task: Task, n: int = 2, *, across: bool = False) -> Metric:
    """The Vendi score: how many answers that share no n-gram would be as varied; see `distinct`."""
    return _varied("vendi", task, across, (("n", n),))


def self_bleu(task: Task, *, across: bool = False) -> Metric:
    """How far answers repeat each other, between 0 and 1: BLEU with the others as references; see `distinct`."""
    return _varied("self_bleu", task, across, ())


def bits_per_byte(task: Task) -> Metric:
    """How many bits a byte of the texts takes: what tokenizers and languages share. All texts count by their bytes.

    >>> bits_per_byte(Likelihood([{"said": "It swims."}], text="said", name="lines"))
    bits_per_byte(lines)
    """
    return _scored("bits_per_byte", task)


def flip_rate(task: Task, *, drawn: bool = False) -> Metric:
    """How often a relation fails: the share of cases in which what should stay the same does not.

    It counts the cases that a seed fixes, or where `drawn` those that Hypothesis drew to search for failures as well,
    of which there is no rate to estimate. `invariant` makes such tasks.

    >>> from fairprobe.rewriting import dialects
    >>> invariant(accuracy(clues), under=dialects("indian"), field="clue", name="said").by("rewriting") < 0.1
    flip_rate(said).by('rewriting') < 0.1
    """
    measure = _scored("flip_rate", task)
    if isinstance(task, Relation) and not drawn:
        msg = (
            f"{measure!r}: the cases of {task!r} are drawn to find failures, and tell no rate; "
            "test_… = Relation(…) alone says that none is found"
        )
        raise BadExpectation(msg)
    return replace(measure, options=(("drawn", True),)) if drawn else measure


def found(task: Task, terms: Terms | None = None) -> Expectation:
    """That a search finds no case in which a relation fails: what a relation states by itself, of these very cases."""
    asked: Expectation = flip_rate(task, drawn=True) <= 0.0
    return replace(asked, terms=replace(terms or Terms(), scope="benchmark"))


def refusal_rate(task: Task) -> Metric:
    """The share of answered samples that a scorer calls refused.

    >>> refusal_rate(clues).gap("dialect") < 0.05
    refusal_rate(clues).gap('dialect') < 0.05
    """
    return _measure("refusal_rate", task)


def truncation_rate(task: Task) -> Metric:
    """The share of answered samples whose answer was cut, or whose prompt did not fit.

    >>> truncation_rate(clues).by("dialect") < 0.1
    truncation_rate(clues).by('dialect') < 0.1
    """
    return _measure("truncation_rate", task)


def tokens_per_sample(task: Task, part: Literal["prompt", "answer"] = "prompt") -> Metric:
    """How many tokens a prompt (or an answer) takes: the same question costs some languages several times as many.

    >>> tokens_per_sample(clues).gap("dialect", reference="en_us", two_sided=True) < 20
    tokens_per_sample(clues, 'prompt').gap('dialect', reference='en_us', two_sided=True) < 20.0
    """
    if part not in {"prompt", "answer"}:
        msg = f"tokens_per_sample({task!r}, {part!r}): tokens are counted of the 'prompt' or the 'answer'"
        raise BadExpectation(msg)
    return replace(_measure("tokens_per_sample", task), column=part)


def valid_rate(task: Task) -> Metric:
    """The share of answered samples that are answers: neither empty, nor unparsable, nor refused.

    >>> valid_rate(clues).by("dialect") > 0.95
    valid_rate(clues).by('dialect') > 0.95
    """
    return _measure("valid_rate", task)


def _measure(function: str, task: object) -> Measure:
    if not isinstance(task, Task):
        msg = f"{function}() takes a task, as in {function}(Generation('clues.jsonl', …)), not {task!r:.60}"
        raise BadExpectation(msg)
    return Measure(function, task)


def _of_draws(
    function: str, task: Task, score: str | None, k: int, options: tuple[tuple[str, Hashable], ...]
) -> Measure:
    drawn = task.samples if isinstance(task, Generation) else 0
    if not isinstance(k, int) or not 1 <= k <= drawn:
        msg = (
            f"{function}(k={k}) takes k answers to a prompt, and {task!r} draws {drawn or 'none'}; give a Generation "
            f"samples={max(1, int(k))} or more, at a temperature, or a smaller k"
        )
        raise BadExpectation(msg)
    name = score or task.score_names[0]
    if name not in task.score_names:
        msg = f"{function}: {task!r} has no score {name!r}; it has {', '.join(task.score_names)}"
        raise BadExpectation(msg)
    return replace(_measure(function, task), column=name, options=(*options, ("k", k)))


def _varied(function: str, task: Task, across: bool, options: tuple[tuple[str, Hashable], ...]) -> Measure:
    measure = replace(_measure(function, task), options=(*options, ("across", across)))
    n = dict(options).get("n", 1)
    if not isinstance(n, int) or n < 1:
        msg = f"{measure!r}: n-grams are of 1 token or more, not n={n!r}"
        raise BadExpectation(msg)
    if not isinstance(task, Generation) or (not across and task.samples < 2):
        msg = (
            f"{measure!r}: how varied answers are takes a Generation with several to a prompt, "
            f"Generation(samples=, temperature=), or across=True for one to each; there is {task!r:.60}"
        )
        raise BadExpectation(msg)
    return measure


def _scored(function: str, task: object) -> Measure:
    """A measure of a score; raises where the task has none of its name."""
    measure, name = _measure(function, task), READS.get(function, function)
    if name not in measure.task.score_names:
        msg = (
            f"{measure!r} reads the score {name!r}, and {measure.task!r} has none of that name; it has "
            f"{', '.join(measure.task.score_names)}"
        )
        raise BadExpectation(msg)
    return measure


def _targeted(measure: Measure) -> Measure:
    if measure.task.lacks_target:
        msg = (
            f"{measure!r} would be 0 for every model: {measure.task!r} names no target to compare answers with. "
            "Give it one, target='column', or a scorer of your own."
        )
        raise BadExpectation(msg)
    return measure
