"""A group is learnt where its change gets half way up; hidden states lie apart where what was chosen can be told."""

from __future__ import annotations

import math
import random

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from checkpoints import make_classifier
from fairprobe import accuracy, distinguishability, learning_lag, mean, measure, preference_margin
from fairprobe.errors import BadData, EngineError, UnknownGroup
from fairprobe.learning import reached, separation
from fairprobe.tasks import Preference, Recorded
from fairprobe.verdict import Defaults

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = 20


def refusal(call, *arguments, kind=BadData, **named):
    with pytest.raises(kind) as refused:
        call(*arguments, **named)
    return str(refused.value)


# -- when a level is reached


@pytest.mark.parametrize(("curve", "level", "steps"), [
    ([0.0, 1.0, 2.0], 1.0, 1.0),
    ([0.0, 1.0, 3.0], 2.0, 1.5),
    ([0.0, 0.0, 4.0], 1.0, 1.25),
    ([0.0, 3.0, 1.0, 5.0], 2.0, 2 / 3),
    ([0.0, -2.0, 2.0], 1.0, 1.75),
    ([0.0, 1.0, 1.9], 2.0, None),
    ([0.0, -1.0, -2.0], 1.0, None),
    ([0.0], 1.0, None),
    ([0.0, math.inf], 1.0, 0.0),
])  # fmt: skip
def test_a_level_is_reached_on_a_straight_line_between_checkpoints(curve, level, steps):
    assert reached(curve, level) == (None if steps is None else pytest.approx(steps))


@pytest.mark.parametrize("level", [0.0, -0.5])
def test_what_nobody_gained_is_no_level_to_reach(level):
    assert reached([0.0, 1.0, 2.0], level) is None


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=6), st.floats(0.1, 9))
def test_the_curve_is_at_the_level_where_it_is_reached_and_below_it_before(later, level):
    curve = [0.0, *later]
    steps = reached(curve, level)
    assert (steps is None) == (max(curve) < level)
    if steps is not None:
        assert np.interp(steps, range(len(curve)), curve) == pytest.approx(level, abs=1e-6)
        assert max(curve[: math.ceil(steps)]) < level


def test_what_begins_above_a_level_has_reached_it():
    assert reached([3.0, 4.0], 2.0) == 0.0


def test_a_level_is_reached_at_the_checkpoint_after_one_of_which_nothing_is_known():
    assert reached([0.0, -math.inf, 3.0], 1.0) == 2.0


# -- along a chain of checkpoints


CHAIN = (
    {"eager": 0.2, "steady": 0.2, "stubborn": 0.2},
    {"eager": 0.6, "steady": 0.4, "stubborn": 0.3},
    {"eager": 1.0, "steady": 0.5, "stubborn": 0.3},
    {"eager": 1.0, "steady": 0.8, "stubborn": 0.4},
)
NAMES = [f"recorded:step{number}" for number in range(len(CHAIN))]


def row(table, group):
    return table.row(by_predicate=pl.col("behaviour") == group, named=True)


def recorded(folder, chain=CHAIN, scale=1.0):
    """A task whose recordings have, checkpoint by checkpoint, these shares of right answers in each group."""
    for number, shares in enumerate(chain):
        rows = [
            {"id": f"{group} {at}", "behaviour": group, "score": scale * (at < round(share * SIZE))}
            for group, share in shares.items() for at in range(SIZE)
        ]  # fmt: skip
        pl.DataFrame(rows).write_csv(folder / f"step{number}.csv")
    return Recorded(str(folder / "{model}.csv"), name="answers", key="id")


@pytest.fixture
def answers(tmp_path):
    return recorded(tmp_path)


def test_a_group_is_learnt_half_way_to_the_largest_change(answers):
    table = learning_lag(accuracy(answers), "behaviour", NAMES)
    assert table["behaviour"].to_list() == ["eager", "steady", "stubborn"]
    assert table["final"].to_list() == pytest.approx([0.8, 0.6, 0.2])
    assert table["learnt"].to_list() == [pytest.approx(1.0), pytest.approx(2 + 1 / 3), None]
    assert table["lag"].to_list() == [0.0, pytest.approx(1 + 1 / 3), None]


@pytest.mark.parametrize(("level", "learnt"), [
    (0.25, [0.5, 1.0, 3.0]), (0.7, [1.4, 2 + 13 / 15, None]), (1.0, [2.0, None, None]),
])  # fmt: skip
def test_how_much_is_learnt_is_said_by_the_level(answers, level, learnt):
    table = learning_lag(accuracy(answers), "behaviour", NAMES, level=level)
    expected = [None if steps is None else pytest.approx(steps) for steps in learnt]
    assert table["learnt"].to_list() == expected


def test_the_limits_of_a_change_are_earlier_and_later_than_itself(answers):
    table = learning_lag(accuracy(answers), "behaviour", NAMES)
    change = accuracy(answers).change().by("behaviour")
    tables = [measure(change, model=each, baseline=NAMES[0]) for each in NAMES[1:]]
    for place, group in enumerate(("eager", "steady", "stubborn")):
        found = row(table, group)
        for name, limit in (("earliest", "high"), ("latest", "low")):
            assert found[name] == reached([0.0, *(each[limit][place] for each in tables)], 0.4)
    assert row(table, "eager")["earliest"] < 1.0 < row(table, "eager")["latest"]
    assert row(table, "stubborn")["latest"] is None


def test_confidence_is_a_setting_of_the_run(answers):
    def eager(confidence):
        defaults = Defaults(confidence=confidence)
        return row(learning_lag(accuracy(answers), "behaviour", NAMES, defaults=defaults), "eager")

    sure, bold = eager(0.95), eager(0.8)
    assert sure["earliest"] < bold["earliest"] < sure["learnt"] == bold["learnt"] < bold["latest"] < sure["latest"]


def test_the_first_group_has_no_lag_wherever_it_stands(tmp_path):
    answers = recorded(tmp_path, [dict(reversed(shares.items())) for shares in CHAIN])
    table = learning_lag(accuracy(answers), "behaviour", NAMES)
    assert row(table, "eager")["lag"] == 0.0
    assert row(table, "steady")["lag"] == pytest.approx(1 + 1 / 3)


def test_a_scale_of_scores_changes_no_lag(tmp_path):
    (tmp_path / "tenfold").mkdir()
    one, ten = recorded(tmp_path), recorded(tmp_path / "tenfold", scale=10.0)
    given, other = (learning_lag(mean(task, "score"), "behaviour", NAMES) for task in (one, ten))
    assert other["lag"].to_list() == [pytest.approx(lag) if lag is not None else None for lag in given["lag"]]
    assert other["final"].to_list() == pytest.approx([10 * final for final in given["final"]])


def test_where_every_group_is_unlearnt_none_is_learnt(answers):
    table = learning_lag(accuracy(answers), "behaviour", NAMES[::-1])
    assert table["final"].to_list() == pytest.approx([-0.8, -0.6, -0.2])
    assert table.select("learnt", "lag", "earliest", "latest").null_count().row(0) == (3, 3, 3, 3)


@pytest.mark.parametrize(("chain", "level"), [(NAMES[:1], 0.5), ([], 0.5), (NAMES, 0), (NAMES, 1.5), (NAMES, -1)])
def test_a_chain_has_two_checkpoints_and_a_level_above_nothing(answers, chain, level):
    assert refusal(learning_lag, accuracy(answers), "behaviour", chain, level=level) == (
        f"learning_lag follows a chain of at least two checkpoints to a level in (0, 1], not {chain!r}, {level!r}"
    )


def test_a_group_that_a_checkpoint_lacks_is_named(tmp_path):
    lacking = {group: share for group, share in CHAIN[2].items() if group != "steady"}
    answers = recorded(tmp_path, [*CHAIN[:2], lacking, CHAIN[3]])
    assert refusal(learning_lag, accuracy(answers), "behaviour", NAMES) == (
        "no value of 'steady' at every checkpoint of the chain, so it cannot be followed"
    )


def test_groups_are_a_column(answers):
    assert refusal(learning_lag, accuracy(answers), "behavior", NAMES, kind=UnknownGroup) == (
        f"{answers!r} has no column 'behavior'; its samples have id, behaviour, score; did you mean 'behaviour'?"
    )


def test_one_checkpoint_is_no_chain(answers):
    assert "at least two checkpoints" in refusal(learning_lag, accuracy(answers), "behaviour", NAMES[0])


# -- how far apart states lie


def states(shape, seed=0, mean=0.0, spread=1.0):
    return np.random.default_rng(seed).normal(mean, spread, shape)


def test_separation_is_the_squared_distance_over_the_spread_less_what_few_samples_add():
    one, other = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]), np.array([[5.0, 1.0], [5.0, 3.0]])
    spreads, squared = (1.0 + 3.0, 2.0), 4.0**2 + 1.0**2
    noise = spreads[0] / 3 + spreads[1] / 2
    assert separation(one, other) == pytest.approx((squared - noise) / 3.0)


def test_two_clouds_have_the_separation_that_is_known_of_them():
    width, apart, spread = 16, 3.0, 0.5
    one, other = states((4000, width), 1, spread=spread), states((4000, width), 2, apart, spread)
    assert separation(one, other) == pytest.approx(width * apart**2 / (width * spread**2), rel=0.02)


def test_equal_distributions_have_no_separation_on_average():
    found = np.array([separation(states((12, 32), 2 * seed), states((15, 32), 2 * seed + 1)) for seed in range(400)])
    assert abs(found.mean()) < 3 * found.std() / 20
    assert found.min() < 0 < found.max()


@given(st.integers(0, 99), st.floats(0.01, 100.0), st.floats(-50.0, 50.0))
def test_neither_scale_nor_place_nor_order_nor_side_changes_a_separation(seed, scale, place):
    one, other = states((5, 3), seed), states((4, 3), seed + 1000, mean=2.0)
    expected, moved = separation(one, other), np.random.default_rng(seed).permutation
    assert separation(scale * one, scale * other) == pytest.approx(expected)
    assert separation(one + place, other + place) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert separation(moved(one), moved(other)) == pytest.approx(expected)
    assert separation(other, one) == pytest.approx(expected)


def test_states_without_spread_have_no_separation():
    assert math.isnan(separation(np.zeros((2, 3)), np.ones((3, 3))))


@pytest.mark.parametrize(("one", "other"), [(1, 4), (4, 1), (0, 2)])
def test_fewer_than_two_texts_on_a_side_are_not_told_apart(one, other):
    assert refusal(separation, states((one, 3)), states((other, 3))) == (
        f"two sides of at least two texts are told apart; there are {one} and {other}"
    )


# -- of a checkpoint's own hidden states


AGREED = [
    ("I like long walks.", "Yes", "No"), ("I like the rain.", "No", "Yes"), ("I work in the field.", "Yes", "No"),
    ("I told her the riddle.", "No", "Yes"), ("The mill is old.", "No", "Yes"),
]  # fmt: skip
ANSWERED = [
    ("Where is the market?", "Past the mill.", "Who told you so?"), ("What do bees make?", "Honey.", "A riddle."),
    ("Which animal says moo?", "The cow does.", "The stone does."),
]  # fmt: skip
ROWS = [
    {"asked": asked, "chosen": chosen, "rejected": rejected, "behaviour": behaviour}
    for behaviour, rows in (("agrees", AGREED), ("answers", ANSWERED)) for asked, chosen, rejected in rows
]  # fmt: skip


def pairs(rows=ROWS, **named):
    return Preference(rows, "{asked}", name="pairs", **named)


class Embedding:
    """The last hidden state of a text's last token, of length 1, as transformers itself gives it."""

    def __init__(self, path):
        self.model, self.tokenizer = AutoModel.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)

    def __call__(self, texts):
        with torch.inference_mode():
            last = [self.model(**self.tokenizer(text, return_tensors="pt")).last_hidden_state[0, -1] for text in texts]
        return torch.nn.functional.normalize(torch.stack(last).double(), dim=-1).numpy()


def told_apart(one, other):
    """The same separation from distances of pairs: those within a side are its spread, and across sides the rest."""

    def squared(a, b):
        return ((a[:, None] - b[None]) ** 2).sum(-1)

    spreads = [squared(each, each).sum() / (len(each) * (len(each) - 1)) / 2 for each in (one, other)]
    return (squared(one, other).mean() - sum(spreads)) / np.mean(spreads)


def told_apart_in_pairs(one, other):
    """The distance of the means from products of different pairs' differences: what is a pair's own cancels."""
    apart = one - other
    products = apart @ apart.T
    spread = np.mean([each.var(axis=0, ddof=1).sum() for each in (one, other)])
    return products[~np.eye(len(apart), dtype=bool)].mean() / spread


@pytest.fixture(scope="module")
def far(checkpoints_folder, tmp_path_factory):
    """How far apart the states of `plain` lie; what was asked once is kept."""
    store = tmp_path_factory.mktemp("store")

    def far(task, by="behaviour", model="plain"):
        return distinguishability(task, by, model=str(checkpoints_folder / model), store=store)

    return far


def test_two_answers_are_told_apart_by_prompts_and_others_by_texts(far, checkpoints_folder):
    embed = Embedding(checkpoints_folder / "plain")
    yes, no = ([asked for asked, chosen, _ in AGREED if chosen == word] for word in ("Yes", "No"))
    chosen, rejected = ([f"{row[0]} {row[place]}" for row in ANSWERED] for place in (1, 2))
    expected = {
        "agrees": told_apart(embed(yes), embed(no)), "answers": told_apart_in_pairs(embed(chosen), embed(rejected)),
    }  # fmt: skip
    table = far(pairs())
    assert dict(table.select("behaviour", "distinguishability").iter_rows()) == pytest.approx(expected, abs=1e-4)
    assert dict(table.select("behaviour", "of").iter_rows()) == {"agrees": 5, "answers": 6}
    assert table["distinguishability"].is_sorted(descending=True)
    assert table["priority"].to_list() == [1, 2]


def test_no_order_of_rows_changes_how_far_apart_states_lie(far):
    shuffled = random.Random(5).sample(ROWS, len(ROWS))
    assert shuffled != ROWS
    given, other = far(pairs()), far(pairs(shuffled))
    assert other.drop("distinguishability").equals(given.drop("distinguishability"))
    assert other["distinguishability"].to_list() == pytest.approx(given["distinguishability"].to_list())


def test_chosen_and_rejected_exchanged_lie_as_far_apart(far):
    exchanged = pairs(chosen="rejected", rejected="chosen")
    assert far(exchanged)["distinguishability"].to_list() == pytest.approx(far(pairs())["distinguishability"].to_list())


def test_answers_of_equal_texts_are_not_told_apart(far):
    texts = [text for _, *both in ANSWERED for text in both]
    rows = [
        {"asked": "Say:", "chosen": one, "rejected": other, "behaviour": "says"}
        for one, other in zip(texts, texts[1:] + texts[:1], strict=True)
    ]
    [found] = far(pairs(rows))["distinguishability"]
    assert found == pytest.approx(0, abs=0.5)


def test_what_has_no_separation_comes_last(far):
    same = [{"asked": "Say:", "chosen": "Honey.", "rejected": "A riddle.", "behaviour": "same"}] * 3
    table = far(pairs([*same, *ROWS]))
    assert math.isnan(row(table, "same")["distinguishability"])
    assert row(table, "same")["priority"] is None


def test_a_lag_of_margins_follows_real_checkpoints(checkpoints_folder, tmp_path):
    margin, (plain, chat) = preference_margin(pairs()), (str(checkpoints_folder / name) for name in ("plain", "chat"))
    table = learning_lag(margin, "behaviour", [plain, chat], store=tmp_path)
    changes = measure(margin.change().by("behaviour"), model=chat, baseline=plain, store=tmp_path)
    assert table["final"].to_list() == changes["value"].to_list()
    wanted = 0.5 * max(table["final"])
    assert wanted > 0
    expected = [wanted / final if final >= wanted else None for final in table["final"]]
    assert table["learnt"].to_list() == [None if steps is None else pytest.approx(steps) for steps in expected]


def test_a_classifier_gives_no_hidden_states(checkpoints_folder, tmp_path):
    path = make_classifier(tmp_path / "rater", checkpoints_folder / "plain", labels=1)
    assert refusal(distinguishability, pairs(), "behaviour", model=str(path), store=tmp_path, kind=EngineError) == (
        "rater (LlamaForSequenceClassification) is a classifier and gives no vectors; name an encoder or a language "
        "model"
    )


def test_a_text_that_is_too_long_is_told(far):
    rows = [*ROWS, {**ROWS[-1], "asked": "moo " * 300}]
    assert refusal(far, pairs(rows), kind=EngineError).startswith(
        "2 of 13 texts have no hidden state: DoesNotFit(tokens="
    )


def test_states_are_told_apart_by_a_column(far):
    assert refusal(far, pairs(), "country", kind=UnknownGroup) == (
        "Preference('pairs', 8 samples) has no column 'country'; its samples have asked, chosen, rejected, behaviour"
    )


def test_a_group_of_one_pair_is_named(far):
    rows = [*ROWS, {**ROWS[-1], "behaviour": "alone"}]
    assert "'alone'" in refusal(far, pairs(rows))
