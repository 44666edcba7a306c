"""Samples are read from where users have them, and what is wrong with a file is named by file and line."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import polars as pl
import pytest

from fairprobe import BadData, Generation, Recorded, UnknownGroup
from fairprobe.data import Dataset, Files, Frame, Places, column, known, lies, read, source_of

ROWS = [{"dialect": "en_us", "score": 1.0}, {"dialect": "en_in", "score": 0.5}]


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return Files(Dataset(name), tmp_path)

    return write


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def refusal(call, *arguments):
    with pytest.raises(BadData) as refused:
        call(*arguments)
    return str(refused.value)


@pytest.mark.parametrize(("pattern", "name"), [
    ("clues.jsonl", "clues"), ("a/b/clues.test.jsonl", "clues"), ("hf://datasets/x/y-z.parquet", "y_z"),
    ("md3-game/{model}.csv", "md3_game"), ("outputs_{model}.jsonl", "outputs"), ("parts/*.jsonl", "parts"),
    ("2024.csv", "_2024"), ("{model}.csv", "samples"),
])  # fmt: skip
def test_a_name_is_the_stem_of_a_path(pattern, name):
    assert Generation(pattern, "{clue}").name == name


def test_a_dataframe_needs_a_name():
    assert refusal(lambda: Recorded(ROWS)) == (
        "a Recorded of a dataframe needs a name, as in Recorded(frame, name='clues', …)"
    )


@pytest.mark.parametrize("name", ["two words", "1st", "a-b", "class"])
def test_a_name_is_a_word_of_an_expression(name):
    assert refusal(lambda: Recorded(ROWS, name=name)) == (
        f"name={name!r}: a task's name is used in expressions, so it is a word of letters, digits and _; "
        "give another name="
    )


def test_dataframes_of_equal_rows_are_equal(tmp_path):
    frames = [
        ROWS, tuple(ROWS), pl.DataFrame(ROWS), pl.LazyFrame(ROWS), pd.DataFrame(ROWS),
    ]  # fmt: skip
    sources = [source_of(frame, tmp_path) for frame in frames]
    assert {source.digest for source in sources} == {sources[0].digest}
    assert len(set(sources)) == 1
    assert Recorded(ROWS, name="a") == Recorded(pd.DataFrame(ROWS), name="a")
    assert hash(Recorded(ROWS, name="a")) == hash(Recorded(pd.DataFrame(ROWS), name="a"))


def test_dataframes_of_other_rows_differ(tmp_path):
    one = source_of(ROWS, tmp_path)
    assert one != source_of(ROWS[::-1], tmp_path)
    assert one != source_of([{**ROWS[0], "score": 2.0}, ROWS[1]], tmp_path)
    assert one != source_of(pl.DataFrame(ROWS).rename({"score": "points"}), tmp_path)
    assert source_of([{"a": 1}], tmp_path) != source_of([{"a": 1.0}], tmp_path)


def test_what_pandas_calls_missing_is_null(tmp_path):
    frame = pd.DataFrame({
        "text": ["x", float("nan"), None], "number": [1.0, float("nan"), 2.0],
        "day": pd.to_datetime(["2024-01-01", None, None]), "count": pd.array([1, None, 3], dtype="Int64"),
    })  # fmt: skip
    rows = source_of(frame, tmp_path).rows
    assert rows["text"].to_list() == ["x", None, None]
    assert rows["number"].to_list() == [1.0, None, 2.0]
    assert rows["day"].null_count() == 2
    assert rows["count"].to_list() == [1, None, 3]


def test_rows_with_other_columns_have_nulls_there(tmp_path):
    assert source_of([{"a": 1}, {"b": 2}], tmp_path).rows.to_dicts() == [{"a": 1, "b": None}, {"a": None, "b": 2}]


@pytest.mark.parametrize("data", [3, [1, 2], {"a": [1]}, None])
def test_anything_else_is_no_data(data, tmp_path):
    said = refusal(source_of, data, tmp_path)
    assert said == (
        "samples come from a path, a glob, a URL, a dataframe or a list of dicts, not from "
        f"{type(data).__name__}: {data!r}"
    )


@pytest.mark.parametrize("data", [[], pd.DataFrame()])
def test_data_without_a_row_is_refused(data, tmp_path):
    assert refusal(source_of, data, tmp_path) == "the data holds no samples: it should hold one per row"
    empty = Frame(pl.DataFrame({"a": []}))
    assert refusal(read, empty) == "the dataframe holds no samples: it should hold one per row"


def test_json_lines_csv_and_parquet_hold_the_same_rows(write, tmp_path):
    write("a.jsonl", lines(ROWS))
    write("a.ndjson", lines(ROWS))
    pl.DataFrame(ROWS).write_csv(tmp_path / "a.csv")
    pl.DataFrame(ROWS).write_parquet(tmp_path / "a.parquet")
    for ending in ("jsonl", "ndjson", "csv", "parquet"):
        assert read(Files(Dataset(f"a.{ending}"), tmp_path)).frame.to_dicts() == ROWS


def test_blank_lines_and_late_columns_are_read(write):
    rows = [{"n": number} for number in range(200)] + [{"n": 200, "late": "x"}]
    frame = read(write("a.jsonl", "\n" + lines(rows) + "\n")).frame
    assert frame.height == 201
    assert frame["late"].to_list()[-1] == "x"


def test_a_file_is_known_by_its_content(write):
    [source] = read(write("a.jsonl", '{"a": 1}\n')).sources
    assert source.path.endswith("a.jsonl")
    assert source.rows == 1
    assert source.sha256 == "e8c628edc9968ef0c668f54e0ba2636b35503357eb1aca0ddc828aeace432f67"


def test_a_relative_path_lies_beside_the_module_that_builds_the_task(tmp_path):
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "clues.jsonl").write_text(lines(ROWS))
    (suite / "module.py").write_text(
        "from fairprobe import Recorded\nclues = Recorded('clues.jsonl')\nprint(len(clues.load()), clues.data.beside)\n"
    )
    done = subprocess.run(
        [sys.executable, suite / "module.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"2 {suite}\n"


def test_the_data_root_comes_before_the_module(write, tmp_path):
    beside = write("clues.jsonl", lines(ROWS))
    assert read(beside, Places(tmp_path / "elsewhere")).frame.height == 2
    write("root/clues.jsonl", lines(ROWS * 2))
    assert read(beside, Places(tmp_path / "root")).frame.height == 4


def test_a_full_path_is_the_same_from_every_module(tmp_path):
    file = tmp_path / "clues.jsonl"
    assert source_of(file, tmp_path / "a") == source_of(str(file), tmp_path / "b")
    assert source_of("hf://datasets/x/y.csv", tmp_path / "a") == source_of("hf://datasets/x/y.csv", tmp_path / "b")
    assert source_of("clues.jsonl", tmp_path / "a") != source_of("clues.jsonl", tmp_path / "b")


def test_a_glob_reads_every_file_in_order(write, tmp_path):
    write("parts/b.jsonl", lines(ROWS[1:]))
    write("parts/a.jsonl", lines(ROWS[:1]))
    write("parts/deep/c.jsonl", lines(ROWS))
    rows = read(Files(Dataset("parts/*.jsonl"), tmp_path))
    assert rows.frame.to_dicts() == ROWS
    assert [source.path[-7:] for source in rows.sources] == ["a.jsonl", "b.jsonl"]
    assert read(Files(Dataset("parts/**/*.jsonl"), tmp_path)).frame.height == 4


def test_files_of_a_glob_may_lack_columns(write, tmp_path):
    write("a.jsonl", '{"a": 1}\n')
    write("b.jsonl", '{"a": 2, "b": "x"}\n')
    assert read(Files(Dataset("*.jsonl"), tmp_path)).frame.to_dicts() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]


def test_a_word_in_a_path_becomes_a_column(write, tmp_path):
    write("gpt/en.jsonl", '{"a": 1}\n')
    write("gpt/sw.jsonl", '{"a": 2}\n')
    write("bert/en.jsonl", '{"a": 3}\n')
    rows = read(Files(Dataset("{model}/{language}.jsonl"), tmp_path)).frame
    assert rows.sort("a").to_dicts() == [
        {"a": 1, "model": "gpt", "language": "en"}, {"a": 2, "model": "gpt", "language": "sw"},
        {"a": 3, "model": "bert", "language": "en"},
    ]  # fmt: skip
    of_gpt = read(Files(Dataset("{model}/{language}.jsonl"), tmp_path), Places(known={"model": "gpt"}))
    assert of_gpt.frame.to_dicts() == [
        {"a": 1, "language": "en"}, {"a": 2, "language": "sw"},
    ]  # fmt: skip


def test_a_word_that_stands_twice_means_the_same(write, tmp_path):
    write("en/en.jsonl", '{"a": 1}\n')
    write("en/sw.jsonl", '{"a": 2}\n')
    assert read(Files(Dataset("{language}/{language}.jsonl"), tmp_path)).frame.to_dicts() == [
        {"a": 1, "language": "en"}
    ]


def test_a_brace_in_a_files_own_name_is_no_word(write):
    assert read(write("{odd}.jsonl", '{"a": 1}\n')).frame.columns == ["a"]


def test_whether_there_is_a_file_is_known_without_reading_it(write, tmp_path):
    broken = write("broken.jsonl", "{")
    assert lies(broken)
    assert not lies(Files(Dataset("{model}.csv"), tmp_path), Places(known={"model": "gpt"}))
    assert lies(Files(Dataset("{model}.jsonl"), tmp_path), Places(known={"model": "broken"}))
    assert lies(Frame(pl.DataFrame(ROWS)))


def test_a_file_that_is_not_there_is_told_where_it_was_looked_for(tmp_path):
    wanted = Files(Dataset("clues.jsonl"), tmp_path)
    assert refusal(read, wanted) == (
        f"no file 'clues.jsonl': looked in {tmp_path}. "
        "Give a path beside the test module, or name the root with --fairprobe-data=DIR."
    )
    assert f"looked in {tmp_path / 'root'} and {tmp_path}." in refusal(read, wanted, Places(tmp_path / "root"))
    assert f"looked in {tmp_path}." in refusal(read, source_of(tmp_path / "x.csv", tmp_path / "b"))
    assert "no file 'gpt.csv'" in refusal(read, Files(Dataset("{model}.csv"), tmp_path), Places(known={"model": "gpt"}))


def test_an_empty_file_is_refused(write, tmp_path):
    assert refusal(read, write("a.jsonl", "")) == f"{tmp_path}/a.jsonl is empty: it should hold one sample per row"
    assert refusal(read, write("a.csv", "a,b\n")) == f"{tmp_path}/a.csv holds no samples: it should hold one per row"
    assert refusal(read, write("b.jsonl", "\n\n")) == f"{tmp_path}/b.jsonl is empty: it should hold one sample per row"
    assert refusal(read, write("b.csv", "\n")) == f"{tmp_path}/b.csv is empty: it should hold one sample per row"


def test_an_unknown_ending_is_refused(write, tmp_path):
    assert refusal(read, write("a.txt", "x")) == (
        f"{tmp_path}/a.txt: samples are read from .jsonl, .ndjson, .json, .csv, .tsv, .parquet, not from '.txt'"
    )
    assert refusal(read, write("a", "x")).endswith("not from 'a file without an ending'")
    assert refusal(read, Files(Dataset("https://host/a.xlsx?x=1"), tmp_path)) == (
        "https://host/a.xlsx?x=1: samples are read from .jsonl, .ndjson, .json, .csv, .tsv, .parquet, not from '.xlsx'"
    )


def test_a_broken_line_is_named_by_its_number(write, tmp_path):
    assert refusal(read, write("a.jsonl", '{"a": 1}\n{"a": \n')) == (
        f"{tmp_path}/a.jsonl, line 2 is not JSON: Expecting value: line 2 column 1 (char 7). It begins '{{\"a\": \\n'."
    )
    assert "a.jsonl, line 3 is not JSON" in refusal(read, write("a.jsonl", '{"a": 1}\n\n{"a": 1} {"a": 2}\n'))


def test_a_nan_that_python_wrote_is_named_by_its_line(write):
    assert "line 2 is not JSON: NaN is Python's word; a value that is missing is null" in refusal(
        read, write("a.jsonl", '{"a": 1.0}\n{"a": NaN}\n')
    )


@pytest.mark.parametrize("line", ["[1, 2]", "5", "null", '"text"'])
def test_a_line_that_is_no_object_is_named_by_its_number(write, line, tmp_path):
    assert refusal(read, write("a.jsonl", f'{{"a": 1}}\n{line}\n')) == (
        f"{tmp_path}/a.jsonl, line 2 should be an object, one sample; it is {line + chr(10)!r}"
    )


def test_a_file_of_another_kind_is_refused(write):
    assert "a.parquet cannot be read: " in refusal(read, write("a.parquet", "a,b\n1,2\n"))


def test_a_row_with_too_many_cells_is_named_by_its_line(write, tmp_path):
    assert refusal(read, write("a.csv", "a,b\n1,2\n1,2,3\n")) == (
        f"{tmp_path}/a.csv, line 3 has 3 cells, and the header 2: a text that holds ',' stands in quotes"
    )
    assert "line 2 has 3 cells" in refusal(read, write("a.tsv", "a\tb\n1\t2\t3\n"))


def test_a_quote_that_is_not_closed_is_named_by_the_line_where_its_row_begins(write, tmp_path):
    assert refusal(read, write("a.csv", 'a,b\n1,2\n3,"x\n4,5\n')) == (
        f"{tmp_path}/a.csv, the row that begins in line 3 has a quote that is not closed (unexpected end of data)"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_file_in_utf_16_is_named_by_its_first_line(write, tmp_path, encoding):
    wanted = write("a.csv", "")
    (tmp_path / "a.csv").write_bytes("score,word\n1,owl\n".encode(encoding))
    assert "a.csv, line 1 is not UTF-8: byte 0x" in refusal(read, wanted)


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", '{"a": 1}\n'), ("a.csv", "a\n1\n"), ("a.json", '[{"a": 1}]')])
def test_a_mark_of_utf_8_is_no_part_of_the_first_line(write, name, text):
    assert read(write(name, f"\ufeff{text}")).frame.to_dicts() == [{"a": 1}]


def test_a_folder_is_no_file(write, tmp_path):
    write("parts/a.csv", "a\n1\n")
    assert refusal(read, Files(Dataset("parts"), tmp_path)) == (
        f"{tmp_path}/parts is a folder; name its files, as in 'parts/*.jsonl'"
    )


def test_the_values_of_a_word_are_those_of_the_files_there_are(write, tmp_path):
    write("out/gpt.csv", "a\n1\n")
    write("out/bert.csv", "a\n1\n")
    assert known(Files(Dataset("out/{model}.csv"), tmp_path), "model") == ["bert", "gpt"]
    assert known(Files(Dataset("out/gpt.csv"), tmp_path), "model") == []


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_function_that_reads_a_broken_line_has_it_named(write, tmp_path):
    write("a.jsonl", '{"a": 1}\n{"a": \n')
    assert refusal(read, Files(Dataset("a.jsonl", read=lines_of), tmp_path)).startswith(
        f"{tmp_path}/a.jsonl, line 2 is not JSON: "
    )


def test_a_function_that_raises_is_named_with_the_file(write, tmp_path):
    write("a.jsonl", '{"a": 1}\n')
    wrong = Dataset("a.jsonl", read=lambda path: [{"b": row["b"]} for row in lines_of(path)])
    assert refusal(read, Files(wrong, tmp_path)) == (
        f"{tmp_path}/a.jsonl cannot be read: read=<lambda> raised KeyError('b'); "
        "it gives a dataframe, one sample per row"
    )
    nothing = Dataset("a.jsonl", read=lambda _: None)
    assert refusal(read, Files(nothing, tmp_path)).startswith(
        f"{tmp_path}/a.jsonl, by read=<lambda>: samples come from"
    )


def test_files_of_one_glob_hold_the_same_kind_of_column(write, tmp_path):
    write("a.jsonl", '{"a": 1}\n')
    write("b.jsonl", '{"a": ["x"]}\n')
    assert refusal(read, Files(Dataset("*.jsonl"), tmp_path)).startswith(
        "the files of '*.jsonl' do not hold the same columns: "
    )


def test_an_unknown_column_is_told_with_those_there_are():
    with pytest.raises(UnknownGroup) as refused:
        column(pl.DataFrame(ROWS), "accent", "clues")
    assert str(refused.value) == "clues has no column 'accent'; its samples have dialect, score"
    with pytest.raises(UnknownGroup, match=r"; its samples have dialect, score; did you mean 'dialect'\?$"):
        column(pl.DataFrame(ROWS), "Dialct", "clues")
