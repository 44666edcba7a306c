"""Drawing cases, and shrinking those that fail together."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairprobe.relations import draw, shrink


def asked(*needs):
    """Says that case i fails where its parts hold `needs[i]`; counts what it was asked."""
    counts = []

    def fails(wanted):
        counts.append(len(wanted))
        return [needs[number] <= set(parts) for number, parts in wanted]

    return fails, counts


def test_a_seed_draws_the_same_cases():
    assert draw(st.integers(), 20, 3) == draw(st.integers(), 20, 3)
    assert draw(st.integers(), 20, 3) != draw(st.integers(), 20, 4)


def test_a_strategy_of_few_cases_gives_those():
    assert sorted(draw(st.sampled_from("ab"), 50, 0)) == ["a", "b"]


@given(st.lists(st.tuples(st.integers(1, 14), st.integers(1, 4), st.integers()), min_size=1, max_size=6))
def test_what_is_left_is_what_fails_and_no_more(cases):
    parts, needs = [], []
    for size, wanted, seed in cases:
        parts.append(tuple(range(size)))
        needs.append(set(random.Random(seed).sample(range(size), min(size, wanted))))
    fails, _ = asked(*needs)
    found = shrink(parts, fails, rounds=200, requests=10**6)
    assert [set(each.parts) for each in found] == needs
    assert all(each.is_minimal for each in found)


def test_what_one_came_to_is_asked_of_all_others_at_once():
    fails, counts = asked(*[{3}] * 30)
    found = shrink([tuple(range(8))] * 30, fails)
    assert counts == [2, 2, 2, 29]
    assert all(each.parts == (3,) and each.is_minimal for each in found)


def test_a_cause_that_few_have_is_found_too():
    needs = [{3}] * 20 + [{5}] * 20 + [{1, 2}] * 3
    fails, counts = asked(*needs)
    found = shrink([tuple(range(8))] * 43, fails)
    assert [set(each.parts) for each in found] == needs
    assert all(each.is_minimal for each in found)
    assert sum(counts) < 43 * 6


def test_nothing_is_asked_twice():
    seen = []

    def fails(wanted):
        seen.extend(wanted)
        return [{1, 6} <= set(parts) for _, parts in wanted]

    shrink([tuple(range(8))], fails)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("bound", [{"rounds": 1}, {"requests": 3}])
def test_a_bound_leaves_a_case_as_small_as_it_got(bound):
    fails, _ = asked({0, 7})
    [found] = shrink([tuple(range(8))], fails, **bound)
    assert {0, 7} <= set(found.parts)
    assert not found.is_minimal


def test_what_fails_without_order_is_brought_down_too():
    # two of three are enough, so several minimal cases exist; one of them is found
    def fails(wanted):
        return [len(set(parts) & {0, 3, 5}) >= 2 for _, parts in wanted]

    [found] = shrink([tuple(range(6))], fails)
    assert len(found.parts) == 2
    assert found.is_minimal
