"""Examples are never a sample's own, are of its group, and stand in one order that rows and limits do not change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from checkpoints import answered
from fairprobe.engines import open_engine, resolve
from fairprobe.errors import BadData, UnknownGroup
from fairprobe.requests import Choose, Prompt
from fairprobe.tasks.generation import Generation
from fairprobe.tasks.likelihood import Likelihood
from fairprobe.tasks.multiple_choice import MultipleChoice
from fairprobe.tasks.reward import Reward
from fairprobe.tasks.shots import Example, Shots, chosen, preceded, settled

ANIMALS = ("otter", "owl", "seal", "hare", "moth", "toad")
RIDDLES = [
    {"riddle": number, "language": language, "clue": f"{asks} {number}?", "word": word}
    for language, asks in (("en", "Which animal is number"), ("sw", "Mnyama gani ni namba"))
    for number, word in enumerate(ANIMALS)
]


def riddles(rows=RIDDLES, **named):
    return Generation(rows, "{clue}", target="word", **{"name": "riddles", **named})


def clues(samples):
    return samples.frame["clue"].to_list()


def drawn(samples, shots, pool=None):
    """For each clue the clues of its examples."""
    told = clues(samples if pool is None else pool)
    return {
        clue: [told[place] for place in places]
        for clue, places in zip(clues(samples), chosen(samples, shots, pool, clues), strict=True)
    }


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


# -- which examples

ROWS = st.lists(
    st.fixed_dictionaries({
        "language": st.sampled_from(["en", "sw"]), "riddle": st.integers(0, 5), "passage": st.integers(0, 5),
        "clue": st.sampled_from([f"clue {number}" for number in range(12)]),
    }),
    min_size=1, max_size=24,
)  # fmt: skip


@given(ROWS, st.integers(1, 3), st.sampled_from([None, "language"]), st.randoms(use_true_random=False))
def test_no_example_is_the_samples_own_or_of_its_pair_or_cluster_or_asks_the_same(rows, count, by, random):
    samples = Generation(rows, "{clue}", target="clue", name="any", pair="riddle", cluster="passage").load()
    part = samples.take(np.array(random.sample(range(len(rows)), random.randint(1, len(rows)))))
    try:
        places = chosen(part, Shots(count, by=by), samples, clues)
    except BadData:
        assume(False)
    for row, examples in zip(part.rows, places, strict=True):
        shown = [samples.rows[place] for place in examples]
        assert len(shown) == count
        assert len({each["riddle"] for each in shown}) == count
        for each in shown:
            assert each["riddle"] != row["riddle"]
            assert each["passage"] != row["passage"]
            assert each["clue"] != row["clue"]
            assert by is None or each["language"] == row["language"]


def test_examples_are_of_the_samples_group():
    for clue, examples in drawn(riddles().load(), Shots(3, by="language")).items():
        assert {each.split()[0] for each in examples} == {clue.split()[0]}


def test_a_group_may_be_several_columns():
    rows = [{**row, "level": row["riddle"] % 2} for row in RIDDLES]
    found = drawn(riddles(rows).load(), Shots(2, by=("language", "level")))
    assert set(found["Which animal is number 1?"]) == {"Which animal is number 3?", "Which animal is number 5?"}


def test_without_a_pair_a_sample_is_only_kept_from_itself():
    found = drawn(riddles(RIDDLES[:6]).load(), Shots(5))
    assert all(set(examples) == set(found) - {clue} for clue, examples in found.items())


def test_each_group_sees_the_same_pairs():
    found = drawn(riddles(pair="riddle").load(), Shots(2, by="language"))
    assert found["Which animal is number 0?"] == [
        each.replace("Mnyama gani ni namba", "Which animal is number") for each in found["Mnyama gani ni namba 0?"]
    ]


def test_prompts_of_a_group_begin_alike():
    found = drawn(riddles(RIDDLES[:6]).load(), Shots(2))
    shared = max(found.values(), key=list(found.values()).count)
    assert [clue for clue, examples in found.items() if examples != shared] == sorted(shared)


def test_neither_the_order_of_rows_nor_other_groups_nor_a_limit_change_them():
    shots = Shots(2, by="language")
    whole = riddles(pair="riddle").load()
    found = drawn(whole, shots)
    assert drawn(riddles(RIDDLES[::-1], pair="riddle").load(), shots) == found
    english = {clue: examples for clue, examples in found.items() if clue.startswith("Which")}
    assert drawn(riddles(RIDDLES[:6], pair="riddle").load(), shots) == english
    few = whole.take(np.array([7, 2]))
    assert drawn(few, shots, few.whole) == {clue: found[clue] for clue in clues(few)}


def test_a_seed_draws_them_again():
    samples = riddles(RIDDLES[:6]).load()
    draws = [drawn(samples, Shots(2, seed=seed)) for seed in range(5)]
    assert drawn(samples, Shots(2, seed=3)) == draws[3]
    assert len({str(draw) for draw in draws}) > 1


def test_another_files_keys_mean_other_things_but_the_same_question_is_kept_out():
    pool = riddles([{**RIDDLES[0], "riddle": 9}, {**RIDDLES[0], "clue": "Which one barks?"}], pair="riddle").load()
    samples = riddles(RIDDLES[:1], pair="riddle").load()
    shots = settled(Shots(1, data=[{"clue": "Which one barks?"}]), Path())
    assert drawn(samples, shots, pool) == {"Which animal is number 0?": ["Which one barks?"]}


def test_too_few_examples_are_an_error_of_their_group():
    rows = [*RIDDLES[:6], *RIDDLES[6:8]]
    assert refusal(drawn, riddles(rows, pair="riddle").load(), Shots(2, by="language")) == (
        "Shots(2, by=('language',)): sample 7 needs 2 examples of language 'sw', and of the 2 there only 1 can stand "
        "before it, since none may be of its pair or cluster or ask the same; ask for fewer, or name other data to "
        "draw them from"
    )
    assert "sample 1 needs 6 examples, and of the 6 there only 5 can" in refusal(
        drawn, riddles(RIDDLES[:6]).load(), Shots(6)
    )


def test_a_row_in_no_group_is_no_example():
    rows = [*RIDDLES[:3], {**RIDDLES[3], "language": None}]
    assert "sample 4 needs 1 examples of language None, and of the 0 there" in refusal(
        drawn, riddles(rows).load(), Shots(1, by="language")
    )


def test_a_group_is_a_column():
    assert refusal(drawn, riddles().load(), Shots(1, by="tongue"), kind=UnknownGroup) == (
        "Shots(1, by=('tongue',)) goes by 'tongue', but the data has no column 'tongue'; its samples have riddle, "
        "language, clue, word"
    )


def test_no_shots_are_no_examples():
    assert chosen(riddles().load(), Shots(0), None, clues) == [[]] * 12


# -- as values


def test_a_number_is_so_many_shots():
    assert settled(5, Path()) == Shots(5)
    assert settled(Shots(5, by="language"), Path()) == Shots(5, by=("language",))


def test_their_file_lies_beside_the_task():
    shots = settled(Shots(2, data="train.jsonl", by="language", seed=1), Path("suites"))
    assert shots == settled(shots, Path("elsewhere"))
    assert shots.data.beside == Path("suites")
    assert hash(shots) == hash(settled(Shots(2, data="train.jsonl", by="language", seed=1), Path("suites")))
    assert repr(shots) == "Shots(2, data='train.jsonl', by=('language',), seed=1)"


@pytest.mark.parametrize("count", [-1, 2.0, "2"])
def test_a_count_is_a_number_from_0_up(count):
    assert refusal(Shots, count).startswith(f"shots={count!r}: it is how many examples stand before a question")


# -- how they stand


def test_texts_are_parted_by_blank_lines():
    examples = [Example("Q: 1?\nA:", "otter"), Example("Q: 2?\nA:", "owl")]
    assert preceded("Q: 3?\nA:", examples) == "Q: 1?\nA: otter\n\nQ: 2?\nA: owl\n\nQ: 3?\nA:"
    assert preceded("", [Example("", "It swims.")]) == "It swims.\n\n"


def test_messages_are_turns_after_the_system_message():
    asked = [(("system", "Be brief."), ("user", f"{number}?")) for number in range(3)]
    assert preceded(asked[2], [Example(asked[0], "otter"), Example(asked[1], "owl")]) == (
        ("system", "Be brief."), ("user", "0?"), ("assistant", "otter"), ("user", "1?"), ("assistant", "owl"),
        ("user", "2?"),
    )  # fmt: skip


def test_a_whole_dialogue_stands_as_one_example():
    swims = (("user", "Guess."), ("assistant", "A hint?"), ("user", "It swims."))
    flies = (("user", "Guess."), ("assistant", "A hint?"), ("user", "It flies."))
    assert preceded(flies, [Example(swims, "otter")]) == (*swims, ("assistant", "otter"), *flies)


def test_a_text_and_messages_are_both_turns():
    assert preceded("2?", [Example((("user", "1?"),), "owl")]) == (("user", "1?"), ("assistant", "owl"), ("user", "2?"))


def test_without_examples_a_prompt_stands_as_it_is():
    assert preceded("2?", []) == "2?"
    assert preceded((("user", "2?"),), []) == (("user", "2?"),)


# -- what tasks answer


def test_an_answer_is_the_target_or_the_first_of_several():
    assert riddles()._answered(RIDDLES[0], 1) == "otter"
    assert riddles()._answered({**RIDDLES[0], "word": ["owl", "barn owl"]}, 1) == "owl"
    assert riddles()._answered({**RIDDLES[0], "word": 7}, 1) == "7"


@pytest.mark.parametrize("word", [None, []])
def test_a_row_without_a_target_is_no_example(word):
    assert refusal(riddles()._answered, {**RIDDLES[0], "word": word}, 4) == (
        "Generation('riddles', 12 samples): row 4 has no target to stand as an example's answer; name one with target="
    )


def test_a_task_puts_its_examples_before_each_question():
    rows = [{"q": f"What is {n}?", "a": f"number {n}", "b": f"no {n}", "lang": lang} for lang in "xy" for n in range(4)]
    written = Generation(rows, "{lang}: {q}", target="a", name="written", shots=Shots(1, by="lang"))
    for row, prompt in zip(rows, written.prompts(written.load()), strict=True):
        example, _, question = prompt.content.partition("\n\n")
        assert question == f"{row['lang']}: {row['q']}"
        assert example.startswith(f"{row['lang']}: What is ")
        assert not example.endswith(row["a"]), "never the sample itself"
    letters = MultipleChoice(rows, "{lang}: {q}", options=["a", "b"], answer="a", name="letters", shots=2)
    assert letters.prompts(letters.load())[0].content.count("Answer: A\n\n") == 2
    texts = MultipleChoice(rows, "{lang}: {q}", options=["a", "b"], answer="a", scoring="text", name="texts", shots=1)
    assert "? number " in texts.prompts(texts.load())[0].content
    lines = Likelihood(rows, text="q", name="lines", shots=1)
    assert lines.prompts(lines.load())[0].content.startswith("What is ")


def test_examples_do_not_depend_on_a_limit():
    task = riddles(shots=2)
    whole = task.load()
    assert task.prompts(whole.take(np.array([3, 7]))) == [task.prompts(whole)[place] for place in (3, 7)]


def test_examples_of_another_file_are_drawn_from_it(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"clue": "It barks.", "word": "dog"}\n')
    task = riddles(shots=Shots(1, data=str(tmp_path / "train.jsonl")))
    assert {prompt.content.partition("\n\n")[0] for prompt in task.prompts(task.load())} == {"It barks. dog"}


def test_a_task_without_right_answers_has_no_examples():
    task = Reward([{"q": "?", "response": "!"}], "{q}", name="rated", shots=1)
    assert refusal(lambda: task.prompts(task.load())) == (
        "Reward('rated', 1 samples) has no right answers to stand in examples; leave shots at 0"
    )


# -- before a model, and with a real data set


def test_examples_that_prompts_share_are_computed_once(checkpoints_folder):
    samples = riddles([{"clue": f"Which animal is number {number}?", "word": "otter"} for number in range(20)]).load()
    requests = [
        Choose(Prompt(preceded(clue, [Example(each, "otter") for each in examples])), ("otter", "owl"))
        for clue, examples in drawn(samples, Shots(2)).items()
    ]
    engine = open_engine("transformers", resolve(str(checkpoints_folder / "plain"), "model", {}), {}, {})
    tokens = sum(len(each.prompt) for each in engine.encode_all(requests))
    assert len(answered(engine, requests)) == 20
    assert engine.counts["prefill_tokens"] < 0.5 * tokens


def test_a_question_of_tydiqa_has_an_example_of_its_language(shared_data):
    rows = [
        {"language": path.stem.rpartition("-")[2], "passage": each["context"], "clue": each["qas"][0]["question"],
         "word": [answer["text"] for answer in each["qas"][0]["answers"]]}
        for path in sorted((shared_data / "unintended-impacts" / "tydiqa-goldp" / "gold").glob("*.json"))
        for article in json.loads(path.read_text())["data"] for each in article["paragraphs"]
    ]  # fmt: skip
    task = Generation(rows, "{passage}\n{clue}\nAnswer:", target="word", name="tydiqa", cluster="passage")
    samples = task.load()
    places = chosen(samples, Shots(1, by="language"), None, clues)
    examples = [samples.rows[place] for (place,) in places]
    assert len(examples) == 5077
    shown = {}
    for row, example in zip(samples.rows, examples, strict=True):
        assert example["language"] == row["language"]
        assert example["passage"] != row["passage"]
        shown.setdefault(row["language"], set()).add(example["clue"])
    # one for all, and another for those that it would tell their own answer
    assert {len(each) for each in shown.values()} == {2}
    [content] = {preceded("", [Example(task._content(examples[0], 1), task._answered(examples[0], 1))])}
    assert content.endswith(f"Answer: {examples[0]['word'][0]}\n\n")
