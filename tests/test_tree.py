"""A tree of tokens reads of every strand what the strand alone would, and runs a shared beginning once."""

from __future__ import annotations

from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairprobe.engines.tokens import Encoded
from fairprobe.engines.transformers.tree import LOOSE, Node, Read, Strand, apart, batches, cut, grow, lay, strands

LONG = tuple(range(30))

repeatable = settings(deadline=None, derandomize=True)

ids = st.lists(st.integers(0, 2), min_size=1, max_size=5).map(tuple)
beginnings = st.sampled_from([(), LONG[:4], LONG[:9], LONG[:10]])
prompts = st.builds(lambda beginning, rest: beginning + rest, beginnings, ids)
choices = st.builds(Encoded, prompts, st.lists(ids, min_size=1, max_size=3).map(tuple))
asked = st.lists(choices, min_size=1, max_size=5)
budgets = st.integers(0, 60)


def wanted(encoded):
    """Of each slot: the tokens that come before what is read, and the token that is read."""
    reads = []
    for each in encoded:
        for option in each.continuations:
            reads += [(each.prompt + option[:step], token) for step, token in enumerate(option)]
    return dict(enumerate(reads))


def prefixes(encoded):
    """All that has to be run, once each."""
    texts = [strand.ids for strand in strands(encoded)]
    return {text[:size] for text in texts for size in range(1, len(text) + 1)}


def sees(row, column):
    return [before for before in range(column + 1) if row.until[before] > column]


def spelled(row, column, above=()):
    """The tokens that lead to a column, which have to lie at the positions that they have in the text."""
    path = sees(row, column)
    assert [row.places[each] for each in path] == list(range(len(path)))
    return (*above, *(row.ids[each] for each in path))


def found(trunk, above=()):
    """Each read in a trunk and on it: its slot, the tokens that lead to it, and its token."""
    for place, token, slot in trunk.node.reads:
        yield slot, (above + trunk.node.tokens[: place + 1], token)
    above += trunk.node.tokens
    for row in map(lay, trunk.rows):
        yield from ((slot, (spelled(row, place, above), token)) for place, token, slot in row.reads)
    for each in trunk.trunks:
        yield from found(each, above)


def trunks(trunk):
    yield trunk
    for each in trunk.trunks:
        yield from trunks(each)


def ran(trunk):
    return sum(len(each.node.tokens) + sum(len(lay(row).ids) for row in each.rows) for each in trunks(trunk))


def lines(node, above, columns):
    """The columns of each token and of all above it, node by node."""
    own = [next(columns) for _ in node.tokens]
    yield from ([*above, *own[: at + 1]] for at in range(len(own)))
    for child in node.children:
        yield from lines(child, [*above, *own], columns)


def test_a_strand_leaves_out_the_token_that_is_only_read():
    encoded = [Encoded((5, 6), ((1,), (2, 3))), Encoded((7,), ((4,),))]
    assert list(strands(encoded)) == [
        Strand((5, 6), (1,), 0),
        Strand((5, 6, 2), (2, 3), 1),
        Strand((7,), (4,), 3),
    ]


def test_what_is_read_is_counted_from_the_start_of_its_tokens():
    strand = Strand((5, 6, 2, 3), (2, 3, 4), 10)
    assert list(strand.reads(0, 4)) == [Read(1, 2, 10), Read(2, 3, 11), Read(3, 4, 12)]
    assert list(strand.reads(2, 3)) == [Read(0, 3, 11)]
    assert list(strand.reads(0, 1)) == []


@repeatable
@given(asked)
def test_a_tree_has_every_distinct_beginning_once(encoded):
    root = grow(strands(encoded))
    row = lay(root)
    assert sorted(spelled(row, column) for column in range(len(row.ids))) == sorted(prefixes(encoded))
    assert root.size == len(row.ids)


@repeatable
@given(asked)
def test_a_tree_branches_only_where_strands_part(encoded):
    waiting = [grow(strands(encoded))]
    while waiting:
        node = waiting.pop()
        firsts = [child.tokens[0] for child in node.children]
        assert len(set(firsts)) == len(firsts)
        # a node with one child ends where an option does, and is read there
        assert len(firsts) != 1 or node.reads
        waiting += node.children


@repeatable
@given(asked)
def test_a_token_of_a_row_sees_exactly_what_is_above_it(encoded):
    root = grow(strands(encoded))
    row = lay(root)
    assert [sees(row, column) for column in range(len(row.ids))] == list(lines(root, [], count()))


@repeatable
@given(asked, budgets, budgets)
def test_wherever_a_tree_is_cut_each_number_is_read_once_after_its_own_text(encoded, most, worth):
    reads = sorted(found(cut(grow(strands(encoded)), most, worth)))
    assert reads == sorted(wanted(encoded).items())


@repeatable
@given(asked, budgets, budgets)
def test_a_row_that_branches_is_short_and_saves_enough(encoded, most, worth):
    for trunk in trunks(cut(grow(strands(encoded)), most, worth)):
        for row in trunk.rows:
            assert not row.children or (row.size <= most and row.saved >= row.size / LOOSE)


@repeatable
@given(asked, budgets, budgets)
def test_a_trunk_carries_more_than_a_row_holds_and_saves_what_it_is_worth(encoded, most, worth):
    whole = cut(grow(strands(encoded)), most, worth)
    for trunk in trunks(whole):
        assert trunk is whole or (trunk.node.size > most and trunk.node.saved >= worth)


@repeatable
@given(asked)
def test_strands_apart_are_rows_in_which_everything_is_read_once(encoded):
    trunk = apart(strands(encoded))
    assert (trunk.node.tokens, trunk.trunks) == ((), [])
    assert sorted(found(trunk)) == sorted(wanted(encoded).items())


@repeatable
@given(asked)
def test_strands_apart_are_a_row_each_but_those_that_begin_another(encoded):
    texts = {strand.ids for strand in strands(encoded)}
    longest = [text for text in texts if not any(other != text and other[: len(text)] == text for other in texts)]
    rows = [lay(row) for row in apart(strands(encoded)).rows]
    assert sorted(tuple(row.ids) for row in rows) == sorted(longest)
    assert all(row.until == [len(row.ids)] * len(row.ids) for row in rows)


def test_nothing_apart_is_no_row():
    assert apart([]).rows == []


@repeatable
@given(asked, budgets, budgets)
def test_a_cut_tree_runs_no_less_than_the_tree_and_no_more_than_strands_apart(encoded, most, worth):
    root = grow(strands(encoded))
    assert root.size <= ran(cut(root, most, worth)) <= ran(apart(strands(encoded)))


@repeatable
@given(asked)
def test_where_each_token_saved_is_worth_a_trunk_nothing_is_run_twice(encoded):
    assert ran(cut(grow(strands(encoded)), 0, 1)) == len(prefixes(encoded))


@repeatable
@given(asked)
def test_a_long_beginning_and_all_that_follows_it_are_one_row(encoded):
    # so long that a single branch on it saves enough, however much there is besides
    begun = [Encoded(LONG * 9 + each.prompt, each.continuations) for each in encoded]
    trunk = cut(grow(strands(begun)), 1000, 1)
    assert (len(trunk.rows), trunk.trunks) == (1, [])
    assert ran(trunk) == len(prefixes(begun))


@pytest.mark.parametrize(("most", "worth", "tail", "sizes"), [(8, 1, 4, [8]), (7, 2, 4, [4, 5]), (9, 1, 5, [4, 6])])
def test_branches_are_one_row_where_it_holds_them_and_an_eighth_is_saved(most, worth, tail, sizes):
    encoded = [Encoded((1, 2, 2, 2), ((5,),)), Encoded((1, *[3] * tail), ((5,),))]
    assert [row.size for row in cut(grow(strands(encoded)), most, worth).rows] == sizes


def test_a_beginning_longer_than_a_row_is_a_trunk():
    encoded = [Encoded((*LONG, token), ((5,),)) for token in (2, 3)]
    (trunk,) = cut(grow(strands(encoded)), 20, 30).trunks
    assert (trunk.node.tokens, [row.tokens for row in trunk.rows]) == (LONG, [(2,), (3,)])
    assert cut(grow(strands(encoded)), 20, 31).trunks == []


def rows(*sizes):
    return [Node((0,) * size, [Read(0, 1, 0)] * reads, [], size) for size, reads in sizes]


sized = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 5)), max_size=12)
limits = st.tuples(st.integers(0, 80), st.integers(0, 12), st.integers(0, 24))


def holds(batch, tokens, reads, depth):
    padded = len(batch) * (max(row.size for row in batch) + depth // 4)
    return padded <= tokens and sum(len(row.reads) for row in batch) <= reads


@repeatable
@given(sized, limits)
def test_batches_hold_every_row_once_the_longest_first(sizes, limits):
    given_rows = rows(*sizes)
    batched = [row for batch in batches(given_rows, *limits) for row in batch]
    assert sorted(map(id, batched)) == sorted(map(id, given_rows))
    assert [row.size for row in batched] == sorted((size for size, _ in sizes), reverse=True)


@repeatable
@given(sized, limits)
def test_a_batch_exceeds_its_budget_only_where_a_single_row_does(sizes, limits):
    for batch in batches(rows(*sizes), *limits):
        assert len(batch) == 1 or holds(batch, *limits)


@repeatable
@given(sized, limits)
def test_a_batch_ends_only_where_the_next_row_would_be_too_much(sizes, limits):
    for batch, after in pairwise(batches(rows(*sizes), *limits)):
        assert not holds([*batch, after[0]], *limits)


@pytest.mark.parametrize(
    ("tokens", "reads", "depth", "lengths"),
    [
        (12, 9, 0, [3]),
        (11, 9, 0, [2, 1]),  # padded to the longest, three are twelve
        (12, 2, 0, [2, 1]),
        (15, 9, 7, [3]),  # seven tokens of trunk weigh one
        (14, 9, 7, [2, 1]),
        (0, 0, 0, [1, 1, 1]),
    ],
)
def test_batches_are_filled(tokens, reads, depth, lengths):
    found = batches(rows((4, 1), (1, 1), (3, 1)), tokens, reads, depth)
    assert [len(batch) for batch in found] == lengths


def test_no_rows_are_no_batch():
    assert list(batches([], 10, 10)) == []
