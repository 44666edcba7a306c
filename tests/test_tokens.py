"""Requests become token ids in one place: templates, one beginning token, the boundary, what fits."""

from __future__ import annotations

import hashlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints import TEMPLATE, make_tokenizer
from fairprobe.engines.tokens import REASONING, Encoded, Said, Tokens, chosen, divided
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, Chosen, DoesNotFit, Generate, Generated, Prompt, Unfinished

BOS, EOS = 0, 1
THINKS = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}"
OPENS = (
    THINKS + "{% if add_generation_prompt %}{{ '<think>' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '</think>' }}{% endif %}{{ '\\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tokenizers")


@pytest.fixture(scope="module")
def make(folder):
    def make(template_arguments=None, **options):
        path = folder / hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()[:8]
        make_tokenizer(**options).save_pretrained(path)
        return Tokens(path, template_arguments or {})

    return make


@pytest.fixture(scope="module")
def plain(make):
    return make()


@pytest.fixture(scope="module")
def chat(make):
    return make(chat=True)


@pytest.fixture(scope="module")
def thinking(make):
    return make(chat=THINKS)


@pytest.fixture(scope="module")
def opening(make):
    return make(chat=OPENS)


def ids(text, **options):
    return tuple(make_tokenizer(**options)(text, add_special_tokens=False)["input_ids"])


def asked(content, **options):
    return Generate(Prompt(content, **options))


def generated(tokens, text, ended=False, stop=(), **options):
    """What the tokens of a text are as a response; prompt and answer are counted elsewhere."""
    request = Generate(Prompt("Which bird?", **options), stop=stop)
    return tokens.generated(request, tokens.encode(request, None), ids(text), ended)


def test_a_plain_prompt_begins_with_the_tokenizers_own_bos_once(plain):
    assert plain.encode(asked("The river"), None) == Encoded((BOS, *ids("The river")))


def test_a_bos_that_the_prompt_brings_is_not_doubled(plain):
    assert plain.encode(asked("<s>The river"), None).prompt == (BOS, *ids("The river"))


def test_a_tokenizer_that_adds_no_bos_gets_none(make):
    assert make(bos=False).encode(asked("The river"), None).prompt == ids("The river")


@pytest.mark.parametrize("bos", [True, False])
def test_an_eos_that_the_tokenizer_appends_is_not_in_the_prompt(make, bos):
    tokens = make(bos=bos, eos=True)
    assert tokens.encode(asked("The river"), None).prompt == (BOS,) * bos + ids("The river")
    chosen = tokens.encode(Choose(Prompt("The"), ("river", "old bridge")), None)
    assert chosen.continuations == (ids(" river"), ids(" old bridge"))


def test_truncation_kept_in_the_tokenizers_file_cuts_nothing(folder):
    path = folder / "cutting"
    make_tokenizer().save_pretrained(path)
    state = json.loads((path / "tokenizer.json").read_text())
    state["truncation"] = {"max_length": 2, "direction": "Right", "strategy": "LongestFirst", "stride": 0}
    state["padding"] = {"strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                        "pad_type_id": 0, "pad_token": "<s>"}  # fmt: skip
    (path / "tokenizer.json").write_text(json.dumps(state))
    text = "The river ran past the mill"
    assert Tokens(path, {}).encode(asked(text), None).prompt == (BOS, *ids(text))


def test_auto_is_chat_where_there_is_a_template(chat, plain):
    assert chat.encode(asked("hello"), None) == Encoded((BOS, *ids("<|user|>hello<|end|><|assistant|>")), (), True)
    assert not plain.encode(asked("hello"), None).chat


def test_plain_leaves_the_template_alone(chat):
    assert chat.encode(asked("hello", format="plain"), None) == Encoded((BOS, *ids("hello")))


def test_chat_without_a_template_is_refused(plain):
    with pytest.raises(EngineError, match=r"has no chat template, and the prompt asks for format='chat'; use 'auto'"):
        plain.encode(asked("hello", format="chat"), None)


def test_a_template_that_writes_bos_gets_no_second_one(make):
    tokens = make(chat="{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}")
    assert tokens.encode(asked("hello"), None).prompt == (BOS, *ids("hello"))


def test_a_bos_is_not_added_to_a_chat_where_the_tokenizer_adds_none(make):
    tokens = make(chat=True, bos=False)
    assert tokens.encode(asked("hello"), None).prompt == ids("<|user|>hello<|end|><|assistant|>")


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (Prompt("hi", system="Be kind."), "<|system|>Be kind.<|end|><|user|>hi<|end|><|assistant|>"),
        (Prompt("hi", prefix="Sure, "), "<|user|>hi<|end|><|assistant|>Sure, "),
        (Prompt((("user", "a"), ("assistant", "b"), ("user", "c"))),
         "<|user|>a<|end|><|assistant|>b<|end|><|user|>c<|end|><|assistant|>"),
        (Prompt("hi", system="Be kind.", format="plain"), "Be kind.\n\nhi"),
        (Prompt("Question:", prefix="Sure", format="plain"), "Question: Sure"),
        (Prompt("Question:\n", prefix="Sure", format="plain"), "Question:\nSure"),
        (Prompt((("user", "a"), ("user", "c")), format="plain"), "a\n\nc"),
    ],
)  # fmt: skip
def test_a_prompt_is_dressed(chat, prompt, text):
    assert chat.dress(Generate(prompt))[0] == text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (Prompt("The", format="plain"), "The river"),
        (Prompt("Q", format="chat"), "<|user|>Q<|end|><|assistant|>river"),
        (Prompt("Q", format="chat", prefix="The"), "<|user|>Q<|end|><|assistant|>The river"),
        (Prompt("Q", format="chat", prefix="The "), "<|user|>Q<|end|><|assistant|>The river"),
    ],
)
def test_an_option_follows_a_space_except_where_it_begins_the_answer(chat, prompt, text):
    assert chat.dress(Choose(prompt, ("river",)))[1] == [text]


def test_template_arguments_are_read_as_what_they_say(make):
    tokens = make({"shout": "true", "level": "3", "name": "x", "off": "False"}, chat=True)
    assert tokens.template_arguments == {"shout": True, "level": 3, "name": "x", "off": False}
    assert "LOUD" in tokens.dress(asked("hello"))[0]
    assert "LOUD" not in make({"shout": "false"}, chat=True).dress(asked("hello"))[0]


def test_the_template_is_known_by_its_hash(chat, plain):
    assert chat.template == hashlib.sha256(TEMPLATE.encode()).hexdigest()
    assert plain.template is None


def test_a_template_that_refuses_a_system_message_says_why(make):
    tokens = make(chat="{% if messages[0].role == 'system' %}{{ raise_exception('no system role here') }}{% endif %}")
    with pytest.raises(EngineError, match=r"refuses these messages \(system, user\): no system role here"):
        tokens.encode(asked("hello", system="Be kind."), None)


def test_a_template_that_drops_a_message_in_silence_is_found_out(make):
    tokens = make(chat="{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}")
    with pytest.raises(EngineError, match=r"leaves out or changes the system message 'Be kind.'"):
        tokens.encode(asked("hello", system="Be kind."), None)


def test_options_are_the_tokens_after_the_prompt(plain):
    encoded = plain.encode(Choose(Prompt("Answer:"), ("cow", "honey", "cow and honey")), None)
    assert encoded.prompt == (BOS, *ids("Answer:"))
    assert encoded.continuations == (ids(" cow"), ids(" honey"), ids(" cow and honey"))
    assert encoded.moved == 0


def test_where_an_option_merges_with_the_prompt_the_boundary_moves_for_all(chat):
    # the prompt ends in a space, which is one token with the word that follows
    prompt = Prompt("Q", format="chat", prefix="The ")
    whole = chat.encode(Generate(prompt), None).prompt
    encoded = chat.encode(Choose(prompt, ("word", "river")), None)
    assert (encoded.prompt, encoded.moved) == (whole[:-1], 1)
    assert encoded.continuations == (ids(" word"), ids(" river"))


def test_an_option_that_keeps_the_boundary_is_scored_from_where_another_moved_it(chat):
    # the end token does not merge with the space, "word" does: both are scored with it, so that they stay comparable
    encoded = chat.encode(Choose(Prompt("Q", format="chat", prefix="The "), ("word", "<|end|>")), None)
    assert encoded.moved == 1
    assert encoded.continuations == (ids(" word"), ids(" <|end|>"))


@settings(max_examples=60)
@given(
    content=st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1, max_size=20),
    options=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1, max_size=8).filter(str.strip),
        min_size=1, max_size=4,
    ),
)  # fmt: skip
def test_prompt_and_continuation_are_always_the_joint_encoding(plain, content, options):
    encoded = plain.encode(Choose(Prompt(content), tuple(options)), None)
    for option, continuation in zip(options, encoded.continuations, strict=True):
        assert encoded.prompt + continuation == (BOS, *ids(f"{content} {option}"))
        assert continuation


def test_an_empty_option_is_refused(plain):
    with pytest.raises(
        EngineError, match=r"an option is empty, which cannot be chosen: \['cow', ' '\] after 'Answer:'"
    ):
        plain.encode(Choose(Prompt("Answer:"), ("cow", " ")), None)


def test_no_options_are_refused(plain):
    with pytest.raises(EngineError, match="no options to choose from"):
        plain.encode(Choose(Prompt("Answer:"), ()), None)


def test_a_prompt_without_any_token_is_refused(make):
    with pytest.raises(EngineError, match="has no token before the answer; a model needs at least one"):
        make(bos=False).encode(Choose(Prompt(""), ("cow",)), None)


def test_no_tokens_to_write_are_refused(plain):
    with pytest.raises(EngineError, match="max_tokens should be at least 1; it is 0"):
        plain.encode(Generate(Prompt("The"), max_tokens=0), None)


def test_what_is_longer_than_the_context_does_not_fit(plain):
    size = 1 + len(ids("The river"))
    assert isinstance(plain.encode(Generate(Prompt("The river"), max_tokens=8), size + 8), Encoded)
    assert plain.encode(Generate(Prompt("The river"), max_tokens=9), size + 8) == DoesNotFit(size + 9, size + 8)
    longest = len(ids(" they had been working"))
    choice = Choose(Prompt("The river"), ("x", "they had been working"))
    assert isinstance(plain.encode(choice, size + longest), Encoded)
    assert plain.encode(choice, size + longest - 1) == DoesNotFit(size + longest, size + longest - 1)


def test_many_are_encoded_as_one_by_one(plain):
    requests = [Choose(Prompt(f"Question {n}:"), ("cow", "honey")) for n in range(20)] + [asked("The river")]
    assert plain.encode_all(requests, 40) == [plain.encode(request, 40) for request in requests]


def test_what_must_be_written_after_an_option_takes_room(plain):
    prompt = Prompt("The river")
    size = 1 + len(ids("The river"))
    longer, letters, written = Choose(prompt, ("A", "AB")), Choose(prompt, ("A", "B")), Generate(prompt, max_tokens=1)
    assert plain.encode_all([longer], size + 5, room=3) == [plain.encode(longer, None)]
    assert plain.encode_all([longer], size + 4, room=3) == [DoesNotFit(size + 5, size + 4)]
    # a letter is itself what is written, and so is a text
    assert plain.encode_all([letters, written], size + 1, room=3) == [
        plain.encode(letters, None),
        plain.encode(written, None),
    ]


def test_letters_are_the_distinct_options_where_each_is_one_token():
    assert Encoded((BOS,), ((5,), (6,), (5,))).letters == (5, 6)
    assert Encoded((BOS,), ((5,), (6, 7))).letters == ()
    assert Encoded((BOS,)).letters == ()


def test_a_choice_sums_the_tokens_of_each_option():
    encoded = Encoded((BOS, 9), ((5,), (6, 7), (5, 8)))
    assert chosen(encoded, [-1.0, -2.0, -0.5, -3.0, -0.25]) == Chosen((-1.0, -2.5, -3.25), (1, 2, 2), 2, None)


def test_mass_is_the_probability_that_distinct_letters_have_together():
    halves = [math.log(0.5), math.log(0.25)]
    assert chosen(Encoded((BOS,), ((5,), (6,))), halves).mass == pytest.approx(0.75)
    assert chosen(Encoded((BOS,), ((5,), (5,))), halves).mass is None
    # rounding may carry a sum beyond what a probability can be
    assert chosen(Encoded((BOS,), ((5,), (6,))), [0.0, -20.0]).mass == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_choice_with_a_value_that_is_no_number_is_none(value):
    assert chosen(Encoded((BOS,), ((5,), (6, 7))), [-1.0, value, -1.0]) is None


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(EngineError, match=f"the tokenizer in {tmp_path} cannot be loaded: "):
        Tokens(tmp_path, {})


def test_generated_text_has_no_special_tokens(plain):
    assert plain.text([*ids(" river"), EOS]) == " river"


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nA bird?\n</think>\n\nAn owl.",
        "<|channel|>analysis<|message|>A bird?<|channel|>final<|message|>An owl.",
        "[THINK]A bird?[/THINK]An owl.",
        "<reasoning>A bird?</reasoning> An owl.",
        "A bird?</think>An owl.",
    ],
)
def test_a_text_is_divided_into_reasoning_and_answer(text):
    assert divided(text) == Said("A bird?", "An owl.")


@pytest.mark.parametrize(("begin", "end"), REASONING)
def test_a_reasoning_goes_from_its_mark_to_the_first_that_ends_it(begin, end):
    assert divided(f"\n{begin} A bird?") == Said("A bird?", None)
    assert divided(f"{begin}{end}An owl.") == Said("", "An owl.")
    assert divided(f"{begin}A bird?{end}An owl.{end}") == Said("A bird?", f"An owl.{end}")
    assert divided(f"An owl. {begin}") == Said(None, f"An owl. {begin}")


def test_a_reasoning_is_kept_apart_from_the_answer(thinking):
    text = "<think>A bird?</think>\nAn owl."
    assert generated(thinking, text) == Generated(
        "An owl.", False, True, 1 + len(ids("Which bird?")), len(ids(text)), reasoning="A bird?"
    )


def test_a_model_that_may_reason_and_does_not_has_answered(thinking):
    found = generated(thinking, "An owl.</s>", ended=True)
    assert (found.text, found.ended, found.reasoning) == ("An owl.", True, None)


def test_the_token_that_ends_an_answer_is_not_in_it(chat):
    assert generated(chat, "An owl.\n", ended=True).text == "An owl."
    assert generated(chat, "An owl.\n").text == "An owl.\n"


def test_marks_that_are_special_tokens_divide_too(folder):
    tokenizer = make_tokenizer(chat=THINKS)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<think>", "</think>"]})
    tokenizer.save_pretrained(folder / "marked")
    tokens = Tokens(folder / "marked", {})
    written = tokenizer("<think>A bird?</think>An owl.", add_special_tokens=False)["input_ids"]
    assert tokens.text(written) == "A bird?An owl."
    assert tokens.said(written, tokens.encode(asked("Which bird?"), None)) == Said("A bird?", "An owl.")


def test_special_tokens_are_in_neither_reasoning_nor_answer(thinking):
    encoded = thinking.encode(asked("Which bird?"), None)
    assert thinking.said(ids("<s><think>A bird?</s></think></s> An owl.</s>"), encoded) == Said("A bird?", "An owl.")


def test_a_reasoning_that_has_not_ended_is_no_answer(thinking):
    text = "<think>A bird? An owl"
    assert generated(thinking, text) == Unfinished("A bird? An owl", 1 + len(ids("Which bird?")), len(ids(text)))


def test_a_reasoning_that_the_prompt_begins_is_the_models_to_end(opening, thinking):
    assert opening.encode(asked("Which bird?"), None).reasoning
    assert not thinking.encode(asked("Which bird?"), None).reasoning
    assert generated(opening, "A bird?").reasoning == "A bird?"
    assert isinstance(generated(opening, "A bird?"), Unfinished)
    found = generated(opening, "A bird?</think>An owl.")
    assert (found.text, found.reasoning) == ("An owl.", "A bird?")


def test_a_reasoning_that_the_prompt_closes_leaves_an_answer(make):
    tokens = make({"enable_thinking": "false"}, chat=OPENS)
    assert tokens.dress(asked("Which bird?"))[0].endswith("<think></think>\n")
    assert not tokens.encode(asked("Which bird?"), None).reasoning
    found = generated(tokens, "An owl.")
    assert (found.text, found.reasoning) == ("An owl.", None)


def test_a_stop_text_cuts_the_answer_and_not_the_reasoning(thinking):
    found = generated(thinking, "<think>A bird?\nYes.</think>An owl.\nOr not.", stop=("\n",))
    assert (found.reasoning, found.text, found.ended) == ("A bird?\nYes.", "An owl.", True)
    found = generated(thinking, "<think>A bird?\nYes.</think>An owl.", stop=("\n",))
    assert (found.text, found.ended) == ("An owl.", False)
    assert isinstance(generated(thinking, "<think>A bird?\nYes.", stop=("\n",)), Unfinished)


def test_without_a_template_that_knows_of_it_there_is_no_reasoning(chat, thinking):
    text = "<think>A bird?</think> An owl."
    for found in (generated(chat, text), generated(thinking, text, format="plain")):
        assert (found.text, found.reasoning) == (text, None)
    assert generated(chat, text, stop=(" bird",)).text == "<think>A"


def test_a_stop_text_is_looked_for_late_where_a_model_may_reason(chat, thinking):
    late = thinking.encode(asked("hello"), None), thinking.encode(asked("hello", format="plain"), None)
    assert [thinking.stops_late(each) for each in late] == [True, False]
    assert not chat.stops_late(chat.encode(asked("hello"), None))


def test_a_reasoning_that_a_prefix_goes_on_with_is_still_the_models_to_end(opening):
    assert opening.encode(asked("Which bird?", prefix="A bird"), None).reasoning
    assert isinstance(generated(opening, " or a bat", prefix="A bird"), Unfinished)
    assert not opening.encode(asked("Which bird?", prefix="A bird</think>An"), None).reasoning
    assert not opening.encode(asked("What is <think>?", format="plain"), None).reasoning


def test_a_question_about_a_mark_opens_no_reasoning(thinking):
    assert not thinking.encode(asked("What does <think> mean?"), None).reasoning


def test_special_tokens_without_a_name_are_in_neither_reasoning_nor_answer(thinking):
    encoded = thinking.encode(asked("Which bird?"), None)
    assert thinking.said(ids("An<|end|> owl."), encoded) == Said(None, "An owl.")
    assert thinking.said(ids("<think>A<|end|> bird?</think>An<|end|> owl."), encoded) == Said("A bird?", "An owl.")


def test_a_special_token_before_the_mark_hides_no_reasoning(thinking):
    encoded = thinking.encode(asked("Which bird?"), None)
    assert thinking.said(ids("<s><think>A bird"), encoded) == Said("A bird", None)


def test_only_the_templates_own_marks_divide(make):
    tokens = make(chat="{% for m in messages %}{{ m.content.split('[/THINK]')[-1] }}{% endfor %}")
    found = generated(tokens, "[THINK]Tags like </think> end it.[/THINK]An owl.")
    assert (found.reasoning, found.text) == ("Tags like </think> end it.", "An owl.")


def test_a_choice_that_lacks_values_or_has_too_many_is_none():
    encoded = Encoded((0,), ((5,), (6,)))
    assert chosen(encoded, [-1.0]) is chosen(encoded, [-1.0, -1.0, -1.0]) is None


@pytest.mark.parametrize("name", ["messages", "tokenize", "add_generation_prompt"])
def test_what_is_said_to_the_template_anyway_is_no_argument_of_it(make, name):
    with pytest.raises(EngineError, match=rf"^{name} is said to the chat template by fairprobe itself"):
        make({name: "true"}, chat=True)
