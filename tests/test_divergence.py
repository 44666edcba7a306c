"""How far two distributions lie apart is told by the Jensen-Shannon divergence, or by its root."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from fairprobe import Survey
from fairprobe.requests import Chosen
from fairprobe.statistics.divergence import jensen_shannon

counts = st.lists(st.floats(0, 1e6), min_size=3, max_size=3).filter(lambda weights: sum(weights) > 1)


def test_it_is_known_by_hand():
    sure, even = [1.0, 0.0], [0.5, 0.5]
    # 3/4 ln 4/3, half of it from the sure side, the rest from the even one
    assert float(jensen_shannon(sure, even, kind="divergence")) == pytest.approx(0.2157615543)
    assert float(jensen_shannon(sure, even)) == pytest.approx(0.4645014041)
    assert float(jensen_shannon(sure, even, kind="divergence", base=2)) == pytest.approx(0.3112781245)
    assert float(jensen_shannon(sure, even, base=2)) == pytest.approx(0.5579230453)


def test_what_shares_no_option_lies_as_far_apart_as_can_be():
    assert float(jensen_shannon([1, 0], [0, 1], kind="divergence")) == pytest.approx(math.log(2))
    assert float(jensen_shannon([1, 0], [0, 1])) == pytest.approx(0.8325546112)
    assert float(jensen_shannon([1, 0, 0], [0, 0.5, 0.5], base=2)) == 1.0


def test_rows_have_a_number_each_and_an_option_that_nobody_has_changes_none():
    apart = jensen_shannon([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    assert apart == pytest.approx([0.4645014041, 0.0])


def test_what_is_not_known_is_no_number():
    assert np.isnan(jensen_shannon([[math.nan, math.nan], [1, 0]], [[1, 0], [1, 0]])).tolist() == [True, False]


@given(counts, counts)
def test_it_is_symmetric_bounded_and_the_distance_that_scipy_gives(p, q):
    apart = float(jensen_shannon(p, q))
    assert apart == float(jensen_shannon(q, p))
    assert 0 <= apart <= math.sqrt(math.log(2))
    # a root of rounding errors is no longer small
    assert apart == pytest.approx(np.nan_to_num(jensenshannon(p, q)), abs=1e-6)


@given(counts)
def test_nothing_lies_apart_from_itself(p):
    assert float(jensen_shannon(p, p)) == 0.0


def test_the_distance_of_a_few_draws_is_too_large_and_that_of_probabilities_is_not():
    people = np.array([0.4, 0.3, 0.2, 0.1])
    for number, distance in ((10, 0.15), (100, 0.05)):
        draws = np.random.default_rng(9).multinomial(number, people, size=4000) / number
        assert jensen_shannon(draws, np.tile(people, (4000, 1))).mean() > distance
    # by first order the divergence of n draws of K options is (K - 1) / 8n too large, whatever the truth
    divergence = jensen_shannon(draws, np.tile(people, (4000, 1)), kind="divergence")
    assert divergence.mean() == pytest.approx(3 / 800, rel=0.1)

    [row] = [{"question": "Tea?", "options": ["a", "b", "c", "d"], "human": people.tolist()}]
    asked = Survey([row], "{question}", name="tea")
    weighed = Chosen(tuple(np.log(people)), (1,) * 4, 5)
    said = asked.outcomes(asked.load(), [(weighed,)])
    assert said.scores["similarity"] == pytest.approx([1.0]), "who answers as people do lies nowhere else"
