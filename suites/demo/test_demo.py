"""The demo: does tuning on one rendering of English leave the other two behind?

    make demo                                                       trains the checkpoints and explains the verdicts
    pytest suites/demo --model=.fairprobe/demo/aligned --baseline=.fairprobe/demo/base

524 riddles about everyday things, each told in three renderings. The renderings are rules of ours, unchecked by
speakers; `examples/demo/world.py` wrote them, and nothing here says anything about how people speak.
"""

from fairprobe import Generation, MultipleChoice, accuracy, valid_rate

clues = Generation(
    "clues.jsonl",
    prompt="{clue}\nThe word is",
    target="word",
    pair="riddle",  # the same riddle in three renderings: shown side by side
    cluster="facts",  # two riddles state the same facts, so they are not independent evidence
    max_tokens=3,  # a word is one token, its end a second
)

# The same samples, for a question across wordings: there, what two groups share is not a riddle but its facts.
# Equal requests are asked once, so a second task on the same file costs nothing; it needs a name of its own.
retold = Generation(
    "clues.jsonl", name="retold", prompt="{clue}\nThe word is", target="word", pair="facts", max_tokens=3
)

letters = MultipleChoice(
    "clues.jsonl",
    name="letters",
    prompt="{clue}\nWhich word is it?",
    options="options",
    answer="answer",
    scoring="letter",
    pair="riddle",
    cluster="facts",
)

# Ask first whether there is anything to compare: a model that does not answer has no gap either.
test_every_rendering_gets_an_answer = valid_rate(clues).by("dialect") > 0.95
test_every_rendering_is_understood = accuracy(clues).by("dialect") > 0.30

# Where things stand: no two renderings lie five points apart.
test_renderings_are_equal = accuracy(clues).gap("dialect") < 0.05

# What the tuning did: no rendering fell behind en_us by five points more than it already was in the baseline.
test_tuning_widens_no_gap = accuracy(clues).change().gap("dialect", reference="en_us") < 0.05

# Too fine a question for the 35 fact sets about toys: even if every answer is right, a hundredth is neither shown nor
# refuted. More samples would decide it, another try would not.
test_wordings_of_toys_are_equal = accuracy(retold).where(kind="toy", dialect="en_us").gap("wording") < 0.01

# These models never learnt to answer with a letter. Guessing is equally bad in every rendering, so the gap is small,
# and a naive test would pass. Here it is invalid: the guards ask that the best-off group be shown above chance.
test_letters_are_equal = accuracy(letters).gap("dialect") < 0.10
