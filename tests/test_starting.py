"""`fairprobe init` writes a first suite that fits its data, says what it took for what, and overwrites nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest
from typer.testing import CliRunner

from fairprobe.cli import app

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
DIALECTS = {"en_us": "It swims in", "en_in": "It is swimming in"}


def riddles(count=60):
    return [
        {"riddle": at, "dialect": dialect, "clue": f"{said} river {at}, for fish", "word": ("otter", "heron")[at % 2]}
        for at in range(count)
        for dialect, said in DIALECTS.items()
    ]  # fmt: skip


def choices(count=60):
    return [
        {"qid": at, "language": language, "passage": f"{language}: {at} boats lie in the harbour.",
         "question": f"{language}: how many boats?", "mc_answer1": f"{at} boats", "mc_answer2": "none",
         "mc_answer3": f"{at + 2} boats", "mc_answer4": "a boat", "correct": "ABCD"[at % 4]}
        for at in range(count)
        for language in ("eng", "swh")
    ]  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(rows, name):
    frame, kind = pl.DataFrame(rows), name.rpartition(".")[2]
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[kind](name)


def init(*arguments):
    return CliRunner().invoke(app, ["init", *arguments])


def chosen(done):
    """What was taken for what, of the lines that say so."""
    assert done.exit_code == 0, done.output
    rows = (line.split(None, 1) for line in done.output.splitlines() if line.startswith("  ") and ": " in line)
    return {role: said.partition(":")[0] for role, said in rows if "cannot pass" not in said}


def test_an_open_question_becomes_a_module_to_decide_on(here):
    write(riddles(), "clues.csv")
    done = init("clues.csv")
    assert done.exit_code == 0
    assert done.output == (
        "suites/clues/test_clues.py: Generation of 120 samples\n"
        "  prompt    clue: called so\n"
        "  answer    word: called so\n"
        "  group     dialect: called so; 2 values: en_in, en_us\n"
        "  pair      riddle: 60 values, each once in up to 2 groups\n"
        "To choose otherwise: --prompt, --options, --answer, --group, --pair, and --to=FOLDER. Next:\n"
        "  fairprobe power suites/clues\n"
        "  pytest suites/clues --model=path/to/checkpoint\n"
    )
    assert (here / "suites/clues/test_clues.py").read_text() == (
        '"""What must hold of these samples. `fairprobe init` wrote this: every bound is yours to decide."""\n'
        "\n"
        "from fairprobe import Generation, accuracy, scorers, valid_rate\n"
        "\n"
        "clues = Generation(\n"
        '    "../../clues.csv",\n'
        '    prompt="{clue}\\nAnswer:",\n'
        '    target="word",\n'
        "    scorer=scorers.contains,\n"
        "    max_tokens=16,\n"
        '    pair="riddle",\n'
        ")\n"
        "\n"
        "# Decide how far apart any two groups may lie: 0.05 is five right answers in a hundred.\n"
        'test_dialect_gap = accuracy(clues).gap("dialect") < 0.05\n'
        "\n"
        "# Decide what every group is owed: guessing is right 0.05 of the time.\n"
        'test_every_dialect_is_served = accuracy(clues).by("dialect") > 0.1\n'
        "\n"
        "# Decide how many answers may be empty or cut short, in any group.\n"
        'test_every_dialect_gets_an_answer = valid_rate(clues).by("dialect") > 0.95\n'
        "\n"
        "# With --baseline=…, decide whom others are compared with (en_in is the commonest), and:\n"
        '# test_tuning_widens_no_gap = accuracy(clues).change().gap("dialect", reference="en_in") < 0.05\n'
    )


def test_what_it_wrote_for_a_choice_is_asked_of_a_checkpoint(here, checkpoints_folder):
    write(choices(12), "harbour.parquet")
    done = init("harbour.parquet")
    assert chosen(done) == {
        "prompt": "passage, question", "options": "mc_answer1, mc_answer2, mc_answer3, mc_answer4",
        "answer": "correct", "group": "language", "pair": "qid",
    }  # fmt: skip
    said = (here / "suites/harbour/test_harbour.py").read_text()
    assert 'prompt="{passage}\\n{question}",' in said
    assert '.by("language") > 0.3\n' in said, "guessing is right once in four"
    assert "valid_rate" not in said, "a choice by likelihood is always one"
    ran = subprocess.run(
        [*PYTEST, "suites/harbour", f"--model={checkpoints_folder / 'plain'}", "--fairprobe-report=report"],
        cwd=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    results = json.loads((here / "report/results.json").read_text())
    assert ran.returncode == 1, ran.stdout
    assert [each["outcome"] for each in results["verdicts"]] != ["error", "error"]
    assert results["requests"]["asked"] == 24


def test_what_it_wrote_for_recorded_answers_runs(here):
    rows = [{**row, "output": f"I think it is the {row['word']}."} for row in riddles(400)]
    write(rows, "said.jsonl")
    done = init("said.jsonl")
    assert chosen(done) == {"response": "output", "answer": "word", "group": "dialect", "pair": "riddle"}
    assert done.output.endswith("  pytest suites/said --model=recorded:any\n")
    for command in done.output.splitlines()[-2:]:
        words = command.split()
        run = [*PYTEST, *words[1:]] if words[0] == "pytest" else [
            sys.executable, "-c", "from fairprobe.cli import app; app()", *words[1:]
        ]  # fmt: skip
        ran = subprocess.run(run, cwd=here, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_scores_of_several_models_are_told_apart(here):
    rows = [
        {"item": at, "country": country, "model": model, "score": (at % 4) / 4}
        for at in range(80) for country in ("Chile", "Peru") for model in ("first", "second")
    ]  # fmt: skip
    write(rows, "scores.csv")
    done = init("scores.csv", "--to=mine")
    assert chosen(done) == {"score": "score", "group": "country", "pair": "item", "model": "model"}
    assert "pytest mine --model=recorded:first" in done.output
    said = (here / "mine/test_scores.py").read_text()
    assert 'Recorded(\n    "../scores.csv",\n    score="score",\n    pair="item",\n    model="model",\n)' in said
    assert "what guessing gives is not known" in said


@pytest.mark.parametrize(
    ("columns", "options", "answer"),
    [
        ({"choices": ["teal", "wren"], "label": 0}, "choices", "label"),
        ({"options": "['teal', 'wren']", "target": "wren"}, "options", "target"),
        ({"a": "teal", "b": "wren", "answer": "B"}, "a, b", "answer"),
        ({"option_a": "teal", "option_b": "wren", "correct_answer": "teal"}, "option_a, option_b", "correct_answer"),
        ({"Choice1": "teal", "Choice2": "wren", "best": "teal"}, "Choice1, Choice2", "best"),
        ({"ans0": "teal", "ans1": "wren", "ans2": "tern", "label": 2}, "ans0, ans1, ans2", "label"),
    ],
)
def test_options_are_told_by_their_names_and_values(here, columns, options, answer):
    write([{"question": f"Which bird is {at}?", "gender": "fm"[at % 2], **columns} for at in range(40)], "birds.jsonl")
    found = chosen(init("birds.jsonl"))
    assert (found["options"], found["answer"], found["group"]) == (options, answer, "gender")


def test_several_right_answers_are_no_options(here):
    write([{**row, "word": None, "answers": [row["word"], "fish"]} for row in riddles()], "open.jsonl")
    found = chosen(init("open.jsonl"))
    assert found["answer"] == "answers"
    assert "options" not in found


def test_the_only_other_text_is_the_answer_unless_it_could_be_the_groups(here):
    write([{"clue": row["clue"], "animal": f"{row['word']} {row['riddle']}", "dialect": row["dialect"]}
           for row in riddles()], "open.csv")  # fmt: skip
    done = init("open.csv")
    assert "  answer    animal: the only other text\n" in done.output
    write([{"clue": row["clue"], "who": row["dialect"], "pair": f"p{row['riddle']}"} for row in riddles()], "lost.csv")
    assert "lost.csv has no column of right answers. " in init("lost.csv").output


def test_what_ties_rows_together_is_no_column_of_groups(here):
    write(
        [{"clue": row["clue"], "word": row["word"], "pair": f"p{row['riddle'] % 9}"} for row in riddles()], "lost.csv"
    )
    assert "lost.csv has no column of groups: " in init("lost.csv").output


def test_a_name_of_the_field_comes_before_fewer_values(here):
    rows = [{"text": f"A sentence about {at}.", "label": "yes", "level": "ab"[at % 2], "speaker_country": f"c{at % 9}"}
            for at in range(90)]  # fmt: skip
    write(rows, "a.csv")
    assert chosen(init("a.csv"))["group"] == "speaker_country"


def test_without_a_known_name_the_fewest_repeated_values_are_taken_and_the_others_named(here):
    rows = [{"text": f"A sentence about {at}.", "label": "yes", "level": "abc"[at % 3], "side": "lr"[at % 2]}
            for at in range(90)]  # fmt: skip
    write(rows, "a.csv")
    done = init("a.csv")
    assert "  group     side: has the fewest values that repeat (others: level); 2 values: l, r\n" in done.output
    assert (
        "  pair      none: no column's values stand once in each group, so every row counts as evidence" in done.output
    )


def test_every_guess_can_be_overridden(here):
    rows = [{**row, "hint": f"A hint, {row['riddle']}", "kin": row["riddle"], "side": "lr"[row["riddle"] // 2 % 2],
             "bird": "heron"} for row in riddles()]  # fmt: skip
    write(rows, "clues.csv")
    done = init("clues.csv", "--prompt=hint,clue", "--answer=bird", "--group=side", "--pair=kin")
    assert chosen(done) == {"prompt": "hint, clue", "answer": "bird", "group": "side", "pair": "kin"}
    assert done.output.count("as you say") == 4
    write(choices(), "harbour.csv")
    done = init("harbour.csv", "--options=mc_answer1,mc_answer2", "--answer=mc_answer2")
    assert done.exit_code == 1, "an option is no answer to itself"
    write([{**row, "right": row["mc_answer1"]} for row in choices()], "harbour.csv")
    found = chosen(init("harbour.csv", "--options=mc_answer1,mc_answer2", "--answer=right"))
    assert (found["options"], found["answer"]) == ("mc_answer1, mc_answer2", "right")


def test_a_prompt_that_is_named_asks_a_checkpoint_though_answers_stand_in_the_file(here):
    write([{**row, "output": row["word"]} for row in riddles()], "said.csv")
    assert init("said.csv", "--prompt=clue").output.startswith("suites/said/test_said.py: Generation of ")


COLUMNS = "Its columns are "


@pytest.mark.parametrize(
    ("rows", "arguments", "said"),
    [
        ([{"n": at, "m": at + 2.5} for at in range(9)], [], [
            "none.csv has no column of texts that ask something. ", "--prompt=COL",
            COLUMNS + "n (Int64, 9 values), m (Float64, 9 values).",
        ]),
        ([{"question": f"Which is it, {at}?", "answer": "it"} for at in range(9)], [], [
            "none.csv has no column of groups: none called dialect, ", COLUMNS, "--group=COL",
        ]),
        ([{"question": f"Which is it, {at}?", "first": f"{at}", "second": f"{at}"} for at in range(9)], [], [
            "none.csv has no column of right answers. ", COLUMNS, "--answer=COL",
        ]),
        ([{"question": f"Which is it, {at}?", "a": "x", "b": "y", "answer": 5} for at in range(9)], [], [
            "none.csv has options in a, b and no column that says which is right. ", COLUMNS, "--answer=COL",
            "The first that was tried: ", "has the answer 5, which is none of its options",
        ]),
        ([{"question": f"Which is it, {at}?", "ans1": "x", "ans2": "y", "answer": at % 2 + 1} for at in range(9)], [], [
            "'answer' counts options from 1 to 2, and MultipleChoice counts from 0: subtract 1",
        ]),
        ([{"response": "it", "country": "ab"[at % 2]} for at in range(9)], [], [
            "none.csv has recorded answers in 'response' and nothing to compare them with. ", "--answer=COL",
        ]),
        ([{"question": f"Which is it, {at}?", "answer": "it", "side": "l"} for at in range(9)], ["--group=side"], [
            "--group=side: none.csv has fewer than two values there, 1 value: l",
        ]),
        ([{"question": f"Which is it, {at}?", "answer": "it"} for at in range(9)], ["--pair=qeustion"], [
            "--pair=qeustion: none.csv has no column 'qeustion'; its samples have question, answer; did you mean",
        ]),
        ([{"a.b": f"Which is it, {at}?", "answer": "it", "side": "lr"[at % 2]} for at in range(9)], [], [
            "none.csv: the column 'a.b' cannot stand in a prompt's braces; rename it",
        ]),
        ([{"score": [0.5, None][at % 2], "side": "lr"[at // 2 % 2]} for at in range(9)], [], [
            "test_side_gap = accuracy(none).gap('side') < 0.05 would not fit none.csv, so nothing is written: ",
            "4 of 9 scores in 'score' are missing", "missing='drop' or 'zero'",
        ]),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said_in_a_paragraph_and_nothing_is_written(here, rows, arguments, said):
    write(rows, "none.csv")
    done = init("none.csv", *arguments)
    assert done.exit_code == 1
    for part in said:
        assert part in done.output
    assert done.output.count("\n") == 1
    assert not (here / "suites").exists()


def test_options_in_structs_are_refused_with_the_step(here):
    rows = [{"question": f"Which is it, {at}?", "choices": {"text": ["x", "y"]}, "answerKey": "A"} for at in range(9)]
    write(rows, "arc.parquet")
    done = init("arc.parquet")
    assert done.exit_code == 1
    assert "'choices' holds Struct({'text': List(String)}), and options are a list of texts" in done.output


def test_no_file_is_overwritten_and_none_is_made_up(here):
    write(riddles(), "clues.csv")
    init("clues.csv")
    module = here / "suites/clues/test_clues.py"
    module.write_text("# mine\n")
    done = init("clues.csv")
    assert (done.exit_code, module.read_text()) == (1, "# mine\n")
    assert done.output == (
        "suites/clues/test_clues.py is there already, and init overwrites nothing: name another folder, --to=FOLDER\n"
    )
    done = init("elsewhere.csv")
    assert done.exit_code == 1
    assert done.output.startswith("there is no file elsewhere.csv; name one of samples")
    (here / "file").touch()
    done = init("clues.csv", "--to=file/folder")
    assert done.exit_code == 1
    assert "Name another folder: --to=FOLDER" in done.output


def test_tests_that_so_few_samples_cannot_pass_are_named(here):
    write(riddles(12), "clues.csv")
    assert "  test_dialect_gap cannot pass with so few samples, whatever is answered" in init("clues.csv").output


def test_data_lies_where_it_did_whatever_folder_the_suite_is_in(here):
    write(riddles(), "clues.csv")
    init("clues.csv", f"--to={here / 'a/b/c'}")
    assert '"../../../clues.csv",' in (here / "a/b/c/test_clues.py").read_text()


LONG = "a_name_that_is_as_long_as_some"
AWKWARD = 'say "who" it\'s'


@pytest.mark.parametrize(
    ("file", "module"),
    [("test-1 import.parquet", "test_samples_test_1_import"), ("import.jsonl", "test_samples_import"),
     (f"{LONG}_and_longer.jsonl", f"test_{LONG}")],
)  # fmt: skip
@pytest.mark.parametrize("group", [AWKWARD, LONG, "dialect"])
def test_odd_names_make_a_module_that_is_formatted_and_fits(here, file, module, group):
    write([{"What is asked?": row["clue"], "class": row["word"], group: row["dialect"]} for row in riddles()], file)
    assert init(file, "--prompt=What is asked?", "--answer=class", f"--group={group}").exit_code == 0
    [written] = here.glob("suites/*/*.py")
    assert written.stem == module
    pytest.importorskip("ruff", reason="it comes with requirements/dev.txt, and CI has it")
    ruff = [sys.executable, "-m", "ruff"]
    for step in (
        ["format", "--isolated", "--check", "--line-length=120"],
        ["check", "--isolated", "--select=F,I,UP,SIM"],
    ):
        done = subprocess.run([*ruff, *step, written], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_hostile_names_of_columns_and_values_run_no_code(here):
    hostile = '"); open("pwned", "w"); ("'
    rows = [{"clue": row["clue"], "word": row["word"], hostile: f'"""\n{hostile}{row["dialect"]}'} for row in riddles()]
    write(rows, "clues.parquet")
    done = init("clues.parquet", f"--group={hostile}")
    assert done.exit_code == 0, done.output
    compile((here / "suites/clues/test_clues.py").read_text(), "module", "exec")
    assert not (here / "pwned").exists()
