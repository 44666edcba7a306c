"""A run for other readers: Markdown, a model card, CSV, GitHub, and its page again."""

from __future__ import annotations

import csv
import io
import json

import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results
from typer.testing import CliRunner

from fairprobe.cli import app
from fairprobe.report import card, failure, load, markdown, render, table, workflow_commands
from fairprobe.report.schema import checker
from results_example import HOSTILE, results


def model_index(text):
    return yaml.safe_load(text.split("---\n")[1])["model-index"]


# -- Markdown


def test_markdown_has_every_verdict_and_the_groups_of_what_is_no_pass():
    text = markdown(results())
    assert text.startswith("## fairprobe: Not every claim was shown: of 9 expectations, 2 fail")
    rows = [line for line in text.splitlines() if line.startswith(("| ✅", "| ❌", "| ⛔", "| ❔", "| ⚠️"))]
    assert len(rows) == 9
    assert rows[0] == (
        "| ❌ fail | `test_dialect_gap` | 0.12 | 0.08 to 0.16 | < 0.05 | 600 clusters | `en_in: 0.59 / en_us: 0.71` |"
    )
    assert "| `en_in` | 0.59 | 0.56 to 0.62 | 600 |" in text
    assert "- guard `valid_rate` fired: `0.86 of the answers in orm can be read, shown below 0.90`" in text
    assert "| `zul` | no evidence |  | 500 |" in text


def test_what_others_wrote_means_nothing_in_markdown():
    poisoned = results()
    poisoned["verdicts"] = [
        {
            **poisoned["verdicts"][1],
            "test": f"t.py::test_x[{HOSTILE} ` | @everyone\n# heading]",
            "groups": [{"group": {"g": f"a|b`<b>{HOSTILE}"}, "value": 0.5, "samples": 9}],
            "between": [],
        }
    ]
    text = markdown(poisoned)
    for line in text.splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<" not in outside.replace("< 0.05", "")
        assert "@" not in outside
        assert not line.startswith("# ")
        assert line.count("`") % 2 == 0


def test_markdown_that_is_too_long_says_what_is_left_out():
    many = results()
    many["verdicts"] = [
        {**verdict, "test": f"t.py::test_{number}_{verdict['outcome']}"}
        for number in range(400)
        for verdict in many["verdicts"]
    ]
    text = markdown(many, 100_000)
    assert len(text.encode()) <= 100_000
    assert text.rstrip().endswith("more verdicts stand in results.json.")
    assert "`test_0_fail`" in text


# -- the model card


def test_a_card_is_read_by_the_hubs_own_library():
    index = model_index(card(results()))
    name, read = model_index_to_eval_results(index)
    assert name == "bluebell-8b-aligned"
    assert {each.dataset_name for each in read} == {"clues"}
    gap = next(each for each in read if each.metric_name == "accuracy(clues).gap('dialect') < 0.05")
    assert (gap.metric_value, gap.metric_args["low"], gap.metric_args["outcome"]) == (0.12, 0.0812, "fail")
    group = next(each for each in read if each.metric_args.get("group") == {"dialect": "en_in"})
    assert group.metric_args["confidence"] == 0.95
    assert group.metric_args["low"] < group.metric_value < group.metric_args["high"]


def test_what_was_not_measured_is_no_number_of_a_card():
    index = model_index(card(results()))
    metrics = [metric for result in index[0]["results"] for metric in result["metrics"]]
    assert all(isinstance(metric["value"], (int, float)) for metric in metrics)
    assert "zul" not in json.dumps(index)


def test_a_small_number_stays_a_number_in_a_card():
    small = results()
    small["verdicts"] = [{**small["verdicts"][1], "value": 5e-05, "low": 2e-07, "high": 1e-04, "bound": 1e22}]
    [metric, *_] = model_index(card(small))[0]["results"][0]["metrics"]
    assert (metric["value"], metric["args"]["low"], metric["args"]["bound"]) == (5e-05, 2e-07, 1e22)


def test_a_card_of_hostile_names_is_read_back_as_it_was():
    odd = results()
    odd["checkpoints"][0]["name"] = f"- a: {HOSTILE}\n---\n\x85\x07"
    [held] = model_index(card(odd))
    assert held["name"].startswith(f"- a: {HOSTILE}\n---\n")


# -- CSV


def test_the_group_table_has_a_row_for_each_group_of_each_expectation():
    rows = list(csv.DictReader(io.StringIO(table(results()))))
    assert len(rows) == sum(len(verdict["groups"]) for verdict in results()["verdicts"])
    orm = next(row for row in rows if row["group"] == "orm")
    assert (orm["value"], orm["statuses"]) == ("0.33", "ok:420 unparsable:71 truncated:9")
    assert next(row for row in rows if row["group"] == "zul")["value"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\t=1", " =1", '=HYPERLINK("x")'])
def test_no_cell_is_a_formula(name):
    poisoned = results()
    poisoned["verdicts"] = [{**poisoned["verdicts"][1], "groups": [{"group": {"g": name}, "value": -0.5}]}]
    [row] = csv.DictReader(io.StringIO(table(poisoned)))
    assert row["group"].startswith("'")
    assert row["value"] == "-0.5"


# -- GitHub


def red(count, outcome="fail"):
    return [
        {**results()["verdicts"][1], "test": f"suites/t.py::test_{n}", "line": n + 1, "outcome": outcome, "red": True}
        for n in range(count)
    ]


def test_a_red_verdict_is_an_annotation_at_its_line():
    [line] = workflow_commands({**results(), "verdicts": red(1)}, "reports/x/index.html")
    assert line.startswith("::error file=suites/t.py,line=1,title=fail%3A suites/t.py%3A%3Atest_0::accuracy(clues).gap")
    assert "%0A  dialect  accuracy    n" in line
    assert "\n" not in line


def test_of_each_kind_there_are_as_many_as_github_keeps():
    lines = workflow_commands({**results(), "verdicts": red(14) + red(3, "invalid")}, "x")
    errors = [line for line in lines if line.startswith("::error")]
    assert (len(errors), len(lines)) == (10, 13)
    assert errors[-1] == "::error title=fairprobe::5 more, all in the step's summary"


def test_what_is_green_or_expected_is_no_annotation():
    quiet = [{**each, "red": False} for each in red(2)] + [{**each, "expected_failure": True} for each in red(2)]
    assert workflow_commands({**results(), "verdicts": quiet}, "x") == []


def test_no_command_hides_in_a_name():
    odd = red(1)
    odd[0]["test"] = "t.py::test_x[a\n::error::b,file=c:d%0A]"
    [line] = workflow_commands({**results(), "verdicts": odd}, "x")
    assert line.count("::error") == 1 or "%3A%3Aerror" in line
    assert "\n" not in line


def test_a_group_cannot_give_commands_from_a_failure():
    verdict = {
        **results()["verdicts"][1],
        "groups": [{"group": {"g": "::error file=x::y"}, "value": 0.5, "samples": 3}],
    }
    lines = failure({**verdict, "groups": [{**verdict["groups"][0], "left_out": 0}]}, "page").splitlines()
    assert [line for line in lines if line.strip().startswith("::")] == []


# -- the command


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def run_folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/results.json").write_text(json.dumps(results()))
    return tmp_path / "run"


def test_a_page_is_rendered_again_beside_its_results(run_folder):
    done = invoke("report", run_folder / "results.json")
    assert (done.exit_code, done.output) == (0, f"{run_folder}/index.html\n")
    assert (run_folder / "index.html").read_text() == render(results())


@pytest.mark.parametrize(("form", "write"), [("markdown", markdown), ("card", card), ("csv", table)])
def test_other_forms_are_printed_or_written_to_a_file(run_folder, tmp_path, form, write):
    assert invoke("report", run_folder, f"--as={form}").output == write(results())
    assert invoke("report", run_folder, f"--as={form}", f"--to={tmp_path}/out").exit_code == 0
    assert (tmp_path / "out").read_text() == write(results())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory. Name the folder of a run, or its results.json."),
        ("{", "is no results.json of fairprobe: Expecting property name"),
        ("[]", "is no results.json of fairprobe: data must be object"),
        ("{}", "is no results.json of fairprobe: data must contain "),
        ('{"schema": 99, "fairprobe": "9.0"}', "has schema 99, written by fairprobe 9.0; this is fairprobe"),
        ('{"schema": 1, "fairprobe": "1", "verdicts": [{}]}', "data.verdicts[0] must contain"),
        ("[" * 100_000, "is no results.json of fairprobe"),
        (b"\xff\xfe", "is no results.json of fairprobe"),
    ],
)
def test_what_is_no_run_is_said_in_one_paragraph(tmp_path, content, said):
    file = tmp_path / "results.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = invoke("report", file)
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_verdict_of_the_wrong_shape_is_named():
    broken = results()
    broken["verdicts"][3]["value"] = "high"
    with pytest.raises(ValueError, match=r"data.verdicts\[3\].value must be number or null"):
        checker()(broken)


def test_an_unwritable_file_is_said(run_folder, tmp_path):
    done = invoke("report", run_folder, "--as=csv", f"--to={tmp_path}")
    assert done.exit_code == 1
    assert "cannot be written: Is a directory. Name another file: --to=FILE" in done.output


def test_two_runs_are_compared_and_written_as_json(run_folder, tmp_path):
    done = invoke("compare", run_folder, run_folder / "results.json", f"--json={tmp_path}/moved.json")
    assert done.exit_code == 0
    assert "test_dialect_gap" in done.output
    assert "not known: its samples are not kept" in done.output
    assert "moved by: the value of the groups that decide in the later run" in done.output
    moved = json.loads((tmp_path / "moved.json").read_text())
    assert [claim["outcome"] for claim in moved["claims"]] == [verdict["outcome"] for verdict in results()["verdicts"]]


def test_what_is_compared_cannot_move_the_cursor(run_folder):
    odd = results()
    odd["verdicts"].append({**odd["verdicts"][0], "test": "t.py::test_x[\x1b[31m]"})
    odd["checkpoints"][0]["name"] = "\x1b[31m"
    (run_folder.parent / "odd").mkdir()
    (run_folder.parent / "odd/results.json").write_text(json.dumps(odd))
    done = invoke("compare", run_folder, run_folder.parent / "odd")
    assert "in the later one only: t.py::test_x[␛[31m]" in done.output
    assert "\x1b" not in done.output


def test_a_comparison_that_cannot_be_written_is_said(run_folder, tmp_path):
    done = invoke("compare", run_folder, run_folder, f"--json={tmp_path}/no/where.json")
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
    assert "cannot be written: No such file or directory. Name another file: --json=FILE" in done.output


def test_names_that_are_no_names_of_tasks_are_refused(run_folder):
    odd = results()
    odd["verdicts"][0]["tasks"] = ["</style><img src=x>"]
    (run_folder / "results.json").write_text(json.dumps(odd))
    done = invoke("report", run_folder)
    assert done.exit_code == 1
    assert "data.verdicts[0].tasks[0] must match pattern" in done.output


def test_results_are_loaded_by_folder_or_file(run_folder):
    assert load(run_folder) == load(run_folder / "results.json") == results()
