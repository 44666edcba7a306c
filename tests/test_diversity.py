"""How varied texts are is told on token ids, at equal numbers of texts, and as anyone else would count it."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import chain, combinations

import numpy as np
import pytest
import sacrebleu
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from tokenizers import Tokenizer, models, pre_tokenizers

from fairprobe import BadExpectation, FairprobeError, Generation, MultipleChoice, Recorded, Survey, diversity
from fairprobe.diversity import rarefied
from fairprobe.expressions import Question
from fairprobe.metrics import distinct, ead, grouped, measured, option_entropy, self_bleu, vendi
from fairprobe.requests import Chosen, DoesNotFit, Failed, Generated
from fairprobe.verdict import judge

NAN = float("nan")
ids = st.lists(st.integers(0, 5), min_size=2, max_size=8).map(tuple)
sets = st.lists(ids, min_size=2, max_size=6)


class Numbers:
    """Words that are numbers, read as the ids of tokens."""

    size = 50

    def ids(self, texts):
        return [tuple(map(int, text.split())) for text in texts]


def anything(text, target, row):
    return 1.0


def said(*answers, language=(), tokens=Numbers, **named):
    """A task whose n-th prompt was answered so, and a look at it."""
    spoken = [*language, *["en"] * (len(answers) - len(language))]
    rows = [{"begin": f"{at}", "language": each, "topic": at // 3} for at, each in enumerate(spoken)]
    task = Generation(
        rows, "{begin}", scorer=anything, samples=max(map(len, answers)), temperature=1.0, name="said", **named
    )
    given = [[Generated(each, True, False, 1, 1) if isinstance(each, str) else each for each in own] for own in answers]
    found = replace(task.outcomes(task.load(), given), encode=tokens and tokens())
    return task, lambda asked, role: found


def numbers(metric, look):
    [values] = measured(metric, look)
    return values.value


def estimates(question, look):
    asked = question if isinstance(question, Question) else question._asked()
    return grouped(asked, measured(asked.metric, look)).estimates()


def written(texts):
    """Texts of ids, each the one answer to a prompt."""
    return [(" ".join(map(str, text)),) for text in texts]


def drawn(count, seed=0, length=10, vocabulary=20):
    """Texts of tokens drawn at random."""
    return list(map(tuple, np.random.default_rng(seed).integers(0, vocabulary, (count, length)).tolist()))


def grams(texts, n):
    return [gram for text in texts for gram in zip(*(text[start:] for start in range(n)), strict=False)]


def published_ead(texts, n, vocabulary):
    kinds, found = vocabulary**n, grams(texts, n)
    expected = kinds * (1 - Fraction(kinds - 1, kinds) ** len(found))
    return float(len(set(found)) / expected)


def vendi_by_eigenvalues(texts, n):
    held = [[*chain.from_iterable(grams([text], size) for size in range(1, n + 1))] for text in texts]
    kinds = sorted({*chain.from_iterable(held)})
    counts = [[own.count(kind) for kind in kinds] for own in held]
    eigenvalues = scipy.linalg.eigvalsh((1 - cdist(counts, counts, "cosine")) / len(texts))
    return math.exp(entropy(eigenvalues.clip(0)))


def bleu_by_sacrebleu(texts):
    lines = [" ".join(map(str, text)) for text in texts]
    scores = [
        sacrebleu.sentence_bleu(own, lines[:at] + lines[at + 1 :], tokenize="none", use_effective_order=True).score
        for at, own in enumerate(lines)
    ]
    return sum(scores) / len(scores) / 100


# -- distinct n-grams


def test_distinct_is_the_share_of_n_grams_that_are_new():
    texts = [(1, 2, 1, 2), (1, 2, 3)]
    assert diversity.distinct(texts, 1) == pytest.approx(3 / 7)
    assert diversity.distinct(texts, 2) == pytest.approx(3 / 5)
    assert diversity.distinct(texts, 3) == 1.0


@given(sets, st.integers(1, 2))
def test_distinct_counts_a_plain_set(texts, n):
    assert diversity.distinct(texts, n) == len(set(grams(texts, n))) / len(grams(texts, n))
    assert 0 < diversity.distinct(texts, n) <= 1


@pytest.mark.parametrize("measure", [diversity.distinct, partial(diversity.ead, vocabulary=50)])
def test_no_n_gram_reaches_from_one_text_into_the_next(measure):
    assert measure([(1, 2), (2, 1)], 2) == measure([(1, 2), (3, 4)], 2)
    assert measure([(1,), (2,), (3,)], 2) == 0
    assert math.isnan(measure([], 1))


# -- by ids, not by words or characters


def test_the_same_text_is_as_varied_in_a_script_without_spaces():
    pieces = ("rain", "falls", "stops", "wind", "雨", "落", "停", "风")
    tokens = Tokenizer(models.Unigram([("?", -99.0), *((piece, -1.0) for piece in pieces)], unk_id=0))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    latin, han = ["rain falls rain stops", "wind falls wind stops"], ["雨落雨停", "风落风停"]

    def told(texts):
        return diversity.distinct([tuple(tokens.encode(text).ids) for text in texts], 1)

    assert told(latin) == told(han) == 0.5
    words, characters = ([diversity.distinct([*map(tuple, map(split, texts))], 1) for texts in (latin, han)]
                         for split in (str.split, list))  # fmt: skip
    assert words == [0.5, 1.0]
    assert characters == [pytest.approx(13 / 42), 0.5]


# -- distinct n-grams over those expected


def test_ead_is_known_by_hand():
    # of 2 tokens, 3 draws are expected to find 2 (1 - 1/8)
    assert diversity.ead([(0, 1, 0)], 1, vocabulary=2) == pytest.approx(8 / 7)
    # of 9 pairs of 3 tokens, 2 draws find 9 (1 - 64/81)
    assert diversity.ead([(0, 1, 0)], 2, vocabulary=3) == pytest.approx(18 / 17)


@given(sets, st.integers(1, 2), st.integers(6, 2_000))
def test_ead_is_the_published_form_and_at_most_what_every_kind_once_gives(texts, n, vocabulary):
    found = diversity.ead(texts, n, vocabulary)
    assert found == pytest.approx(published_ead(texts, n, vocabulary), rel=1e-9)
    assert 0 <= found <= math.e / (math.e - 1)


def test_every_kind_once_comes_near_the_largest_ead():
    assert diversity.ead([tuple(range(5_000))], 1, vocabulary=5_000) == pytest.approx(math.e / (math.e - 1), rel=1e-3)


def test_more_kinds_than_floats_tell_apart_are_counted_all_the_same():
    kinds = 50_000**4
    assert 1 - ((kinds - 1) / kinds) ** 3 == 0
    assert diversity.ead([(1, 2, 3, 4, 1, 2)], 4, 50_000) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "vocabulary"), [(1, 50), (2, 12)])
def test_longer_random_texts_lose_distinct_n_grams_and_no_ead(n, vocabulary):
    short, long = drawn(60, length=20, vocabulary=vocabulary), drawn(60, length=500, vocabulary=vocabulary)
    assert [np.mean([diversity.ead([text], n, vocabulary) for text in texts]) for texts in (short, long)] == (
        pytest.approx([1.0, 1.0], abs=0.02)
    )
    before, after = (np.mean([diversity.distinct([text], n) for text in texts]) for texts in (short, long))
    assert after < before / 2


# -- the Vendi score


def test_vendi_is_known_by_hand():
    # a cosine of 1/2 has eigenvalues 3/4 and 1/4 over two texts; one of 1/3 has 2/3 and 1/3
    assert diversity.vendi([(1, 2), (1, 3)], 1) == pytest.approx(4 / 3**0.75)
    assert diversity.vendi([(1, 2), (1, 3)], 2) == pytest.approx(3 / 2 ** (2 / 3))


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_texts_that_share_nothing_count_each_and_the_same_text_counts_once(count):
    assert diversity.vendi([(2 * at, 2 * at + 1) for at in range(count)]) == pytest.approx(count)
    assert diversity.vendi([(1, 2, 3)] * count) == pytest.approx(1.0)


def test_texts_of_no_token_are_one_text():
    assert diversity.vendi([(), (), ()]) == pytest.approx(1.0)
    assert diversity.vendi([(), (), (1, 2), (3, 4)]) == pytest.approx(math.exp(entropy([0.5, 0.25, 0.25])))
    assert math.isnan(diversity.vendi([]))


@given(sets, st.integers(1, 3))
def test_vendi_is_of_the_eigenvalues_of_cosines_and_lies_between_one_text_and_all(texts, n):
    found = diversity.vendi(texts, n)
    assert found == pytest.approx(vendi_by_eigenvalues(texts, n), rel=1e-6)
    assert 1 - 1e-9 <= found <= len(texts) + 1e-9


@given(sets)
def test_every_text_twice_is_as_varied_by_vendi(texts):
    assert diversity.vendi(texts * 2) == pytest.approx(diversity.vendi(texts), rel=1e-6)


# -- self-BLEU


def test_self_bleu_is_known_by_hand():
    # 4/5, 3/4, 2/3 and 1/2 of the n-grams: their product is 1/5
    assert diversity.self_bleu([(1, 2, 3, 4, 5), (1, 2, 3, 4, 6)]) == pytest.approx(0.2**0.25)
    assert diversity.self_bleu([(1, 2, 3), (4, 5, 6)]) == 0.0
    assert diversity.self_bleu([(1, 2, 3), (1, 2, 3), (1, 2, 3)]) == pytest.approx(1.0)
    assert math.isnan(diversity.self_bleu([(1, 2, 3)]))


def test_an_id_is_one_word_whatever_its_digits():
    assert diversity.self_bleu([(12, 34), (1, 2, 3, 4)]) == 0.0


@given(sets)
def test_self_bleu_is_the_mean_that_sacrebleu_gives_each_text_against_the_others(texts):
    found = diversity.self_bleu(texts)
    assert found == pytest.approx(bleu_by_sacrebleu(texts), abs=1e-12)
    assert 0 <= found <= 1


def test_self_bleu_without_sacrebleu_says_what_to_install(monkeypatch):
    task, look = said(("1 2 3", "1 2 4"))
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(FairprobeError, match=r"self_bleu needs sacrebleu: pip install 'fairprobe\[diversity\]'"):
        numbers(self_bleu(task), look)
    assert numbers(distinct(task), look) == [0.75]


# -- the order of texts


@given(st.data(), sets)
def test_the_order_of_texts_changes_nothing(data, texts):
    other = data.draw(st.permutations(texts))
    for exact in (diversity.distinct, partial(diversity.ead, n=2, vocabulary=50)):
        assert exact(other) == exact(texts)
    for rounded in (diversity.vendi, diversity.self_bleu):
        assert rounded(other) == pytest.approx(rounded(texts), rel=1e-9)


# -- sets of equal size


def subsets(texts, size, keys):
    found = []
    rarefied(lambda each: found.append({*each}) or 0.0, texts, size, keys)
    return found


def test_more_texts_are_rarefied_to_what_all_their_subsets_have_on_average():
    texts = drawn(7, vocabulary=6)
    every = np.mean([diversity.distinct(each) for each in combinations(texts, 3)])
    assert rarefied(diversity.distinct, texts, 3, range(7), subsets=600) == pytest.approx(every, abs=0.005)
    assert diversity.distinct(texts) < every - 0.1


def test_as_many_texts_are_left_as_they_are_and_fewer_have_no_value():
    texts = drawn(5)
    assert rarefied(diversity.distinct, texts, 5, range(5)) == diversity.distinct(texts)
    assert math.isnan(rarefied(diversity.distinct, texts, 6, range(5)))


def test_subsets_depend_on_keys_and_not_on_positions():
    texts, keys = drawn(12), [f"prompt {at}" for at in range(12)]
    order = np.random.default_rng(1).permutation(12)
    shuffled, their_keys = [texts[at] for at in order], [keys[at] for at in order]
    assert subsets(shuffled, 5, their_keys) == subsets(texts, 5, keys)
    assert rarefied(diversity.distinct, shuffled, 5, their_keys) == rarefied(diversity.distinct, texts, 5, keys)
    assert subsets(shuffled, 5, keys) != subsets(texts, 5, keys)


def test_leaving_a_text_out_changes_only_the_subsets_that_held_it():
    texts, keys = drawn(12), [*range(12)]
    before, after = subsets(texts, 5, keys), subsets(texts[:4] + texts[5:], 5, keys[:4] + keys[5:])
    gone = [one - other for one, other in zip(before, after, strict=True) if one != other]
    assert gone == [{texts[4]}] * sum(texts[4] in each for each in before)
    assert 0 < len(gone) < len(before)


@pytest.mark.parametrize(
    ("metric", "plain", "few", "many"),
    [
        (distinct, diversity.distinct, 20, 200),
        (partial(ead, n=2), partial(diversity.ead, n=2, vocabulary=50), 20, 200),
        (vendi, diversity.vendi, 20, 200),
        (self_bleu, diversity.self_bleu, 12, 60),
    ],
)
def test_groups_of_unequal_size_are_as_varied_as_their_texts(metric, plain, few, many):
    texts = drawn(few + many)
    task, look = said(*written(texts), language=["few"] * few + ["many"] * many)
    across = estimates(metric(task, across=True).by("language"), look)
    assert across.groups == ("few", "many")
    assert across.theta[0] == pytest.approx(across.theta[1], rel=0.1)
    assert plain(texts[:few]) != pytest.approx(plain(texts[few:]), rel=0.4)


# -- how values across prompts vary


def left_out(measure, texts, topics):
    """The standard error of a jackknife over topics."""
    kinds = sorted({*topics})
    without = [measure([text for text, topic in zip(texts, topics, strict=True) if topic != left]) for left in kinds]
    return math.sqrt((len(kinds) - 1) * np.var(without))


@pytest.mark.parametrize("cluster", [None, "topic"])
@pytest.mark.parametrize(("metric", "plain"), [(distinct, diversity.distinct), (vendi, diversity.vendi)])
def test_an_error_across_prompts_is_that_of_leaving_clusters_out(metric, plain, cluster):
    texts = drawn(30, seed=3)
    task, look = said(*written(texts), cluster=cluster)
    topics = [at // 3 if cluster else at for at in range(30)]
    found = estimates(metric(task, across=True), look)
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(left_out(plain, texts, topics))


def test_resampled_texts_are_less_varied_than_any_that_were_written():
    texts, rng = drawn(30, seed=3), np.random.default_rng(0)
    task, look = said(*written(texts))
    found = estimates(distinct(task, across=True), look)
    truth = np.mean([diversity.distinct(drawn(29, seed=seed)) for seed in range(200)])
    assert abs(found.theta[0] - truth) < 1.7 * math.sqrt(found.covariance[0, 0])
    resampled = [diversity.distinct([texts[at] for at in rng.integers(0, 30, 30)]) for _ in range(400)]
    assert np.quantile(resampled, 0.975) < truth - 0.1


def test_a_checkpoint_is_exactly_as_varied_as_itself():
    task, look = said(*written(drawn(30)), language=["en"] * 18 + ["id"] * 12)
    ratio = estimates(distinct(task, across=True).relative().by("language"), look)
    assert ratio.theta.tolist() == [1.0, 1.0]
    assert ratio.covariance == pytest.approx(np.zeros((2, 2)))


# -- metrics


def test_a_prompt_has_the_value_of_its_own_answers():
    task, look = said(("1 2 3", "1 2 4"), ("1 2", "3 4"), ("1 1 1", "1 1 1"))
    assert numbers(distinct(task), look) == pytest.approx([0.75, 1.0, 0.25])
    assert numbers(distinct(task, 1), look) == pytest.approx([4 / 6, 1.0, 1 / 6])
    # a cosine of 2/3
    assert numbers(vendi(task, 1), look) == pytest.approx([math.exp(entropy([5 / 6, 1 / 6])), 2.0, 1.0])
    assert numbers(self_bleu(task), look)[1:] == pytest.approx([0.0, 1.0])
    # the vocabulary is the checkpoint's, of 50 tokens
    assert numbers(ead(task, 1), look)[1] == pytest.approx(published_ead([(1, 2), (3, 4)], 1, 50))


def test_a_group_has_the_value_of_the_first_answers_across_its_prompts():
    texts = drawn(12)
    task, look = said(*((own, "7 7 7") for (own,) in written(texts)))
    found = estimates(distinct(task, across=True), look).theta[0]
    without = [diversity.distinct(texts[:at] + texts[at + 1 :]) for at in range(12)]
    assert min(without) <= found <= max(without)


def test_each_metric_has_its_range():
    task, look = said(("1 2", "3 4"))
    ranges = {}
    for metric in (distinct, ead, vendi, self_bleu):
        [values] = measured(metric(task), look)
        ranges[metric.__name__] = (values.low, values.high)
    assert ranges == {
        "distinct": (0, 1),
        "ead": (0, pytest.approx(1.5819767)),
        "vendi": (0, math.inf),
        "self_bleu": (0, 1),
    }


def test_answers_that_did_not_all_come_have_no_value():
    lacking, unfit = Failed("no"), DoesNotFit(9, 2)
    task, look = said(("1 2", lacking, "3 4"), ("1 2", "3 4", unfit), ("1 2", "1 2", "3 4"))
    [values] = measured(distinct(task), look)
    assert np.array_equal(values.value, [NAN, NAN, 2 / 3], equal_nan=True)
    assert values.lacking.tolist() == [True, False, False]
    [across] = measured(distinct(task, across=True), look)
    assert across.lacking.tolist() == [True, False, False]


def test_answers_without_an_n_gram_are_not_varied_at_all():
    task, look = said(("1", "2"), ("1 2", "1 2"), ("", ""))
    assert numbers(distinct(task), look).tolist() == [0.0, 0.5, 0.0]
    assert numbers(ead(task), look)[2] == 0.0
    assert numbers(vendi(task), look)[2] == 1.0
    assert numbers(self_bleu(task), look)[1:].tolist() == [1.0, 1.0]


def test_what_a_prompt_that_does_not_fit_would_say_is_left_out_and_counted():
    task, look = said(("1 2", "3 4"), ("1 2", DoesNotFit(9, 2)))
    [values] = measured(distinct(task), look)
    assert [(each.rows.reason, each.rows.frame["begin"].to_list()) for each in values.left_out] == [
        ("it does not fit, so an answer was not written", ["1"])
    ]


def test_empty_answers_of_a_group_are_no_evidence_of_its_variety():
    words = ["1 2 3", "4 5 6"]
    task, look = said(*[("", "") if n % 4 == 1 else words for n in range(80)], language=["en", "id"] * 40)
    judged = judge(distinct(task).by("language") > 0.1, look)
    assert judged.outcome == "invalid"
    assert [guard.name for guard in judged.guards if guard.outcome == "fail"] == ["valid_rate"]


def test_two_prompts_are_too_few_to_leave_one_out():
    task, look = said(*written(drawn(5)), language=["en"] * 3 + ["id"] * 2)
    with pytest.raises(ValueError, match="takes at least three of each group"):
        estimates(distinct(task, across=True).by("language"), look)


def test_one_answer_to_a_prompt_is_varied_across_prompts_alone():
    task, _ = said(("1 2",), ("3 4",))
    for metric in (distinct, ead, vendi, self_bleu):
        with pytest.raises(BadExpectation, match="across=True for one to each"):
            metric(task)
        assert repr(metric(task, across=True)).endswith("across=True)")
    with pytest.raises(BadExpectation, match="takes a Generation with several to a prompt"):
        distinct(Recorded([{"score": 1.0}], name="answers"), across=True)


# -- the entropy of options


def asked(*shares, kind=Survey):
    """A question for each distribution, answered with it, and a look at the answers."""
    rows = [
        {"question": f"{at}?", "options": [*"abcdef"[: len(own)]], "human": own, "right": "a"}
        for at, own in enumerate(shares)
    ]
    named = {"options": "options", "name": "views"}
    task = kind(rows, "{question}", **named) if kind is Survey else kind(rows, "{question}", answer="right", **named)
    answers = [[Chosen(tuple(map(math.log, own)), (1,) * len(own), 5)] for own in shares]
    found = task.outcomes(task.load(), answers)
    return task, lambda asked, role: found


@pytest.mark.parametrize("kind", [Survey, MultipleChoice])
def test_option_entropy_is_known_by_hand(kind):
    task, look = asked([0.5, 0.5], [0.25] * 4, [0.75, 0.25], [0.5, 0.25, 0.25], kind=kind)
    assert numbers(option_entropy(task), look) == pytest.approx([1.0, 2.0, 0.8112781245, 1.5])
    [values] = measured(option_entropy(task), look)
    assert (values.low, values.high) == (0.0, 2.0)


@given(st.lists(st.floats(1e-6, 1), min_size=2, max_size=6))
def test_option_entropy_is_what_scipy_gives_in_bits_of_any_likelihoods(likelihoods):
    people = [1.0] + [0.0] * (len(likelihoods) - 1)
    task = Survey(
        [{"question": "?", "options": [*"abcdef"[: len(people)]], "human": people}], "{question}", name="views"
    )
    answer = Chosen(tuple(map(math.log, likelihoods)), (1,) * len(people), 5)
    found = task.outcomes(task.load(), [[answer]])
    assert numbers(option_entropy(task), lambda asked, role: found) == pytest.approx([entropy(likelihoods, base=2)])


@pytest.mark.parametrize("response", [None, Failed("no"), DoesNotFit(9, 2)])
def test_a_question_that_was_not_answered_has_no_entropy(response):
    task, _ = asked([0.5, 0.5])
    found = task.outcomes(task.load(), [[response]])
    assert np.isnan(numbers(option_entropy(task), lambda asked, role: found)).all()


def test_an_option_that_is_written_has_no_entropy_to_read():
    rows = [{"question": "?", "options": ["a", "b"], "right": "a"}]
    task = MultipleChoice(rows, "{question}", options="options", answer="right", scoring="generate", name="written")
    with pytest.raises(BadExpectation, match="reads the score 'entropy'"):
        option_entropy(task)
