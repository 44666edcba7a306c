"""English dialects, from recorded answers: does the model understand clues told in one dialect better than others?

    pytest suites/dialects/test_recorded.py --model=recorded:zephyr-7b-beta --baseline=recorded:mistral-7b-v0.1 \
        --fairprobe-data=DIR        with DIR/md3-game/{model}.csv, as the paper's authors recorded them

The clues are word-guessing games of MD3 (Eisenstein et al. 2023). They are not parallel: a word is told in one dialect
here and in another there, so the word is the cluster and there are no pairs.
"""

from fairprobe import Recorded, accuracy, mean, scorers, valid_rate

clues = Recorded(
    "md3-game/{model}.csv",
    name="clues",
    response="generated_answer",
    target="correct_answer",
    # as the paper scores it: the word stands in the answer, and none of its distractors does
    scorer=scorers.contains(veto="distractors", words=False),
    score={"chosen": "chose_correct_answer_num"},
    cluster="correct_answer",
    key=(),  # every model was asked the same clips in the same order
)

# Before any gap: whether there are answers to compare at all.
test_every_dialect_gets_an_answer = valid_rate(clues).by("dialect") > 0.90
test_every_dialect_is_understood = accuracy(clues).by("dialect") > 0.20

# Where things stand, and against the dialect that most training data is in.
test_dialects_are_equal = accuracy(clues).gap("dialect") < 0.15
test_no_dialect_lies_behind_us_english = accuracy(clues).gap("dialect", reference="en_us") < 0.15

# What tuning did: it helped every dialect, and none fell further behind.
test_tuning_helps_every_dialect = accuracy(clues).change().by("dialect") > 0.0
test_tuning_widens_no_gap = accuracy(clues).change().gap("dialect", reference="en_us") < 0.10

# The other way to ask: choosing among six words, where a guess is right once in six times.
test_every_dialect_is_told_apart = mean(clues, "chosen").by("dialect") > 0.40
test_choices_are_equal = mean(clues, "chosen").gap("dialect", reference="en_us") < 0.15
