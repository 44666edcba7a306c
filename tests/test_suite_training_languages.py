"""The suite of training data's languages reads the usual layouts, and guesses no language where it cannot tell."""

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fairprobe import BadData
from fairprobe.data import Places

pytest.importorskip("py3langid", reason="languages are identified by py3langid")

SUITE = Path(__file__).parents[1] / "suites" / "training_languages"
sys.path.insert(0, str(SUITE))

import test_training_languages as suite  # noqa: E402

KETTLE = "The kettle began to sing before the rain had stopped."
TEJADO = "La lluvia cayó toda la noche sobre el tejado de la casa."


def identified(folder: Path, *rows: dict[str, Any]) -> pl.DataFrame:
    """What the suite makes of a file of these rows."""
    file = folder / "mix.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return suite.identified(file)


def chat(*texts: str | None) -> dict[str, Any]:
    """A conversation in which user and assistant take turns."""
    roles = ["user", "assistant"] * len(texts)
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}


def test_the_sample_is_named_as_it_was_written_but_for_romanised_hindi() -> None:
    rows = suite.identified(SUITE / "sample" / "messages.jsonl")
    wrong = rows.filter(pl.col("language") != pl.col("written_in"))
    assert rows["written_in"].value_counts().sort("written_in").rows() == [
        ("en", 18), ("es", 12), ("hi", 8), ("sw", 8), ("zh", 10)
    ]  # fmt: skip
    assert rows.filter(pl.col("language").is_null())["text"].to_list() == ["Thanks!", "Gracias.", "好的。"]
    assert wrong["text"].str.slice(0, 14).to_list() == ["Mere ghar ka h", "Ek chhota sa p"]


def test_each_message_is_a_row_of_its_conversation(tmp_path: Path) -> None:
    rows = identified(tmp_path, chat(KETTLE, TEJADO) | {"source": "ours"}, chat(TEJADO) | {"source": "theirs"})
    assert rows.select("conversation", "source", "role", "language", "other", "es", "zh").rows() == [
        (1, "ours", "user", "en", False, False, False),
        (1, "ours", "assistant", "es", True, True, False),
        (2, "theirs", "user", "es", True, True, False),
    ]


def test_a_conversation_without_messages_is_no_row(tmp_path: Path) -> None:
    rows = identified(tmp_path, chat(KETTLE), chat(), {"messages": None})
    assert rows["conversation"].to_list() == [1]


@pytest.mark.parametrize("column", ["text", "content", "prompt", "completion"])
def test_a_column_of_texts_is_read_by_its_name(tmp_path: Path, column: str) -> None:
    rows = identified(tmp_path, {column: TEJADO, "id": 7}, {column: KETTLE, "id": 8})
    assert rows.select("conversation", "id", "role", "language").rows() == [(1, 7, column, "es"), (2, 8, column, "en")]


def test_a_prompt_and_its_completion_are_two_messages_of_one_conversation(tmp_path: Path) -> None:
    rows = identified(tmp_path, {"prompt": TEJADO, "completion": KETTLE})
    assert rows.select("conversation", "role", "language").rows() == [(1, "prompt", "es"), (1, "completion", "en")]


def test_single_messages_keep_the_conversation_and_role_that_the_file_gives_them(tmp_path: Path) -> None:
    rows = identified(tmp_path, {"conversation": "a", "role": "user", "text": KETTLE})
    assert rows.select("conversation", "role", "text").rows() == [("a", "user", KETTLE)]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Sí, muchas gracias.", None),  # 15 bytes of letters
        ("请告诉我怎么去车站。", "zh"),  # 27, in 9 characters
        ("2026-01-31 12:45:00 +0100, 1 234 567.89", None),
        (r"x^2 + 3xy - \frac{a}{b} = \sqrt{n+1}, \forall n \in \mathbb{N}", None),
        ("", None),
        (None, None),
    ],
)
def test_what_cannot_be_identified_is_null_and_not_guessed(tmp_path: Path, text: str | None, language: str) -> None:
    rows = identified(tmp_path, chat(KETTLE, text))
    assert rows["language"].to_list() == ["en", language]
    assert rows["other"].to_list() == [False, None if language is None else True]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"conversations": [{"from": "human", "value": KETTLE}], "id": 3}, "conversations (List), id (Int64)"),
        ({"messages": [{"role": "user", "content": [{"text": KETTLE}]}]}, "messages (List)"),
        ({"messages": KETTLE}, "messages (String)"),
        ({"text": 12}, "text (Int64)"),
    ],
)
def test_another_layout_is_refused_with_what_was_looked_for(tmp_path: Path, row: dict[str, Any], found: str) -> None:
    with pytest.raises(BadData) as refused:
        identified(tmp_path, row)
    assert str(refused.value) == (
        "found no text to identify. Looked for a column 'messages', a list of {role, content} in texts, and for "
        f"columns of text named text, content, prompt, completion; there are {found}. Rename one, or add its name to "
        f"TEXTS in {SUITE / 'test_training_languages.py'}."
    )


def test_without_the_library_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(BadData, match="not installed: pip install py3langid"):
        identified(tmp_path, chat(KETTLE))


def test_messages_that_cannot_be_identified_are_dropped_and_kept_count_of() -> None:
    samples = suite.messages.recorded("any", Places(sample=True))
    [dropped] = samples.dropped
    assert len(samples) == 53
    assert dropped.frame["role"].to_list() == ["user", "user", "user"]


def judged(pytester: pytest.Pytester, *options: str) -> tuple[pytest.RunResult, dict[str, dict[str, Any]]]:
    """A run of the suite, and its verdicts by the names of the tests."""
    report = pytester.path / "report"
    done = pytester.runpytest_inprocess(SUITE, "-W", "error", f"--fairprobe-report={report}", *options)
    verdicts = json.loads((report / "results.json").read_text())["verdicts"]
    return done, {each["test"].partition("::")[2]: each for each in verdicts}


def test_a_mix_in_english_alone_is_shown_to_lack_other_languages(pytester: pytest.Pytester) -> None:
    mix = pytester.mkdir("messages") / "my-mix.jsonl"
    mix.write_text(
        "".join(json.dumps(chat(KETTLE, f"It sang {n} times before we went to look.")) + "\n" for n in range(400))
    )
    done, verdicts = judged(pytester, "--model=recorded:my-mix", f"--fairprobe-data={pytester.path}")
    done.assert_outcomes(failed=6)
    assert {name: each["outcome"] for name, each in verdicts.items()} == {
        "test_other_languages_have_a_share": "fail",
        "test_other_languages_have_a_share_of_each_role": "fail",
        "test_language_has_a_share[es]": "fail",
        "test_language_has_a_share[hi]": "fail",
        "test_language_has_a_share[sw]": "fail",
        "test_language_has_a_share[zh]": "fail",
    }


def test_the_sample_runs_without_a_folder_and_makes_no_claim(pytester: pytest.Pytester) -> None:
    done, verdicts = judged(pytester, "--model=recorded:sample", "--fairprobe-profile=sample")
    done.assert_outcomes(passed=6)
    done.stdout.fnmatch_lines(["6 shown. This profile makes no claim."])
    share = verdicts["test_other_languages_have_a_share"]
    assert (round(share["value"], 3), share["samples"], share["clusters"]) == (0.679, 53, 25)
    assert [each["group"] for each in verdicts["test_other_languages_have_a_share_of_each_role"]["groups"]] == [
        {"role": "assistant"},
        {"role": "user"},
    ]
