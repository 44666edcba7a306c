"""The GitHub Action's scripts, run by bash as GitHub runs them: what they judge, write and end with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / "examples/github-action"
ACTION = yaml.safe_load((FOLDER / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
HOSTILE = ('"; touch pwned; "', "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", "x\ntouch pwned", "-p pwned")

SUITE = """
from fairprobe import Recorded, accuracy

rows = [dict(id=i, dialect=d, score=float(i < 160)) for d in ("en_us", "en_in") for i in range(200)]
answers = Recorded(rows, score="score", name="answers", pair="id")
test_gap = accuracy(answers).gap("dialect") < {bound}
test_floor = accuracy(answers).by("dialect") > {floor}
"""


@dataclass
class Ended:
    """How the action ended: its status, outputs, and what bash and the summary say."""

    status: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    said: str = ""
    summary: str = ""


@pytest.fixture
def python(tmp_path):
    """A folder whose `python` is this one, but only notes what pip, or with NOTE=1 anything, is asked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(
        f'#!/bin/sh\nif [ "$2" = pip ] || [ "$NOTE" ]; then printf "%s\\0" "$@" >>{tmp_path}/noted; '
        f'else exec {sys.executable} "$@"; fi\n'
    )
    (folder / "python").chmod(0o755)
    return folder


@pytest.fixture
def act(tmp_path, python):
    """Run the action's own steps in an empty workspace, one after the other, as GitHub does."""
    work = tmp_path / "work"
    work.mkdir()

    def run(environment=None, **given):
        inputs = {name: held.get("default", "") for name, held in ACTION["inputs"].items()}
        inputs |= {"install": "no", **{name.replace("_", "-"): value for name, value in given.items()}}
        ended = Ended()
        files = {"GITHUB_OUTPUT": tmp_path / "output", "GITHUB_STEP_SUMMARY": tmp_path / "summary"}
        for step in (each for each in STEPS if "run" in each):
            if (ended.status and "always()" not in step.get("if", "")) or (
                step.get("if") == "inputs.install != 'no'" and inputs["install"] == "no"
            ):
                continue
            for file in files.values():
                file.write_text("")
            own = {name: filled(value, inputs, ended.outputs) for name, value in step.get("env", {}).items()}
            (tmp_path / "script.sh").write_text(step["run"])
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", tmp_path / "script.sh"],
                cwd=work, capture_output=True, text=True, check=False, env={
                    **os.environ, "PATH": f"{python}:{os.environ['PATH']}", "GITHUB_ACTION_PATH": str(FOLDER),
                    **{name: str(file) for name, file in files.items()}, **(environment or {}), **own,
                },
            )  # fmt: skip
            ended.said += done.stdout + done.stderr
            ended.summary += files["GITHUB_STEP_SUMMARY"].read_text()
            ended.outputs |= dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
            ended.status = ended.status or done.returncode
        return ended

    run.work = work
    return run


def filled(value, inputs, outputs):
    """A value with its expressions replaced by what they name."""

    def held(said):
        kind, _, name = said[1].rpartition(".")
        return {"inputs": inputs, "steps.judge.outputs": outputs}[kind].get(name, "")

    return EXPRESSION.sub(held, value)


@pytest.fixture
def suite(act):
    def write(bound=0.2, floor=0.5):
        folder = act.work / "suite"
        folder.mkdir(exist_ok=True)
        (folder / "test_suite.py").write_text(SUITE.format(bound=bound, floor=floor))

    write()
    return write


def test_it_is_an_action_of_steps_that_github_knows():
    assert ACTION["runs"]["using"] == "composite"
    assert [step.get("uses") for step in STEPS if "uses" in step] == [
        "actions/setup-python@v5", "actions/upload-artifact@v4",
    ]  # fmt: skip
    assert all(step["shell"] == "bash" for step in STEPS if "run" in step), "a composite action names its shell"
    assert {name for name, held in ACTION["inputs"].items() if held.get("required")} == {"suite", "model"}
    assert all(held["description"] for held in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))


def test_no_input_is_part_of_a_script():
    assert not [step["name"] for step in STEPS if EXPRESSION.search(step.get("run", ""))]


def test_what_is_shown_passes(act, suite):
    ended = act(suite="suite", model="recorded:any")
    assert (ended.status, ended.outputs) == (0, {"status": "0", "report": "fairprobe-report"})
    assert ended.summary.count("test_gap") >= 1
    assert "judged nothing" not in ended.summary
    results = json.loads((act.work / "fairprobe-report/results.json").read_text())
    assert [each["outcome"] for each in results["verdicts"]] == ["pass", "pass"]


def test_what_is_not_shown_fails_with_a_mark_and_a_report(act, suite):
    suite(floor=0.95)
    ended = act(suite="suite", model="recorded:any", report="reports/it", profile="release")
    assert (ended.status, ended.outputs) == (1, {"status": "1", "report": "reports/it"})
    assert "::error file=suite/test_suite.py,line=7" in ended.said
    assert "test_floor" in ended.summary
    results = json.loads((act.work / "reports/it/results.json").read_text())
    assert results["settings"]["profile"] == "release"
    assert (act.work / "reports/it/index.html").is_file()


def test_arguments_and_suites_are_lines(act, suite):
    (act.work / "more of it").mkdir()
    (act.work / "more of it/test_more.py").write_text("def test_more(): ...\n")
    ended = act(
        suite="suite\nmore of it\n",
        model="recorded:any",
        baseline="recorded:other",
        arguments="-k\ntest_more or gap\n\n-q",
    )
    assert ended.status == 0, ended.said
    results = json.loads((act.work / "fairprobe-report/results.json").read_text())
    assert [each["test"].rpartition("::")[2] for each in results["verdicts"]] == ["test_gap"]
    assert results["settings"]["baseline"] == "recorded:other"
    assert "2 passed" in ended.said


def test_a_run_that_judges_nothing_says_so_in_the_summary(act, suite):
    ended = act(suite="nowhere", model="recorded:any")
    assert (ended.status, ended.outputs["status"]) == (4, "4")
    assert ended.summary == "fairprobe judged nothing: pytest ended with status 4, and its log says why.\n"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_input_is_what_it_says_and_runs_no_code(act, tmp_path, hostile):
    lines = hostile.split("\n")
    ended = act({"NOTE": "1"}, **dict.fromkeys(("suite", "model", "baseline", "profile", "arguments"), hostile))
    assert ended.status == 0, ended.said
    assert (tmp_path / "noted").read_text().rstrip("\0").split("\0") == [
        "-m", "pytest", f"--fairprobe-model={hostile}", "--fairprobe-report=fairprobe-report",
        f"--fairprobe-baseline={hostile}", f"--fairprobe-profile={hostile}", *lines, "--", *lines,
    ]  # fmt: skip
    assert not [*tmp_path.rglob("pwned")]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_report_is_one_folder_and_one_output(act, tmp_path, hostile):
    ended = act({"NOTE": "1"}, suite="suite", model="recorded:any", report=hostile)
    if "\n" in hostile:
        assert (ended.status, ended.outputs) == (4, {})
        assert "report should be the name of one folder" in ended.said
    else:
        assert (ended.status, ended.outputs) == (0, {"status": "0", "report": hostile})
    assert not [*tmp_path.rglob("pwned")]


def test_a_status_that_is_none_ends_no_job_well(act, tmp_path):
    ended = act({"NOTE": "1"}, suite="suite", model="recorded:any", report="")
    assert ended.status == 4


def test_pytest_itself_is_given_hostile_inputs_and_runs_no_code(act, suite, tmp_path):
    hostile = HOSTILE[0]
    ended = act(suite=hostile, model=hostile, baseline=hostile, profile=hostile, arguments=hostile, report=hostile)
    assert ended.status == 4, ended.said
    assert not [*tmp_path.rglob("pwned")]


@pytest.mark.parametrize(
    ("install", "asked"),
    [
        ("", [f"{FOLDER}/../..[transformers]"]),
        ("fairprobe[openai]\nscipy\n", ["fairprobe[openai]", "scipy"]),
        *((each, each.split("\n")) for each in HOSTILE),
    ],
)
def test_what_is_installed_is_one_package_a_line(act, tmp_path, install, asked):
    ended = act({"NOTE": "1"}, suite="suite", model="recorded:any", install=install)
    assert ended.status == 0, ended.said
    noted = (tmp_path / "noted").read_text().split("\0")
    assert noted[: noted.index("pytest") - 1] == ["-m", "pip", "install", "--quiet", "--", *asked]
    assert not [*tmp_path.rglob("pwned")]


def test_no_key_of_the_environment_is_told(act, suite):
    suite(floor=0.95)
    ended = act({"OPENAI_API_KEY": "sk-hidden", "HF_TOKEN": "hf_hidden"}, suite="suite", model="recorded:any")
    files = [each.read_bytes() for each in (act.work / "fairprobe-report").rglob("*") if each.is_file()]
    assert files
    assert not any(b"_hidden" in held or b"sk-hidden" in held for held in files)
    assert "hidden" not in ended.said + ended.summary


def test_the_readmes_workflow_names_inputs_that_there_are():
    [block] = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    workflow = yaml.safe_load(block)
    [step] = [each for each in workflow["jobs"]["fairness"]["steps"] if "github-action" in each["uses"]]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert {name for name, held in ACTION["inputs"].items() if held.get("required")} <= step["with"].keys()
    table = re.findall(r"^\| (`.*?) \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = {name for cell in table for name in re.findall(r"`([a-z-]+)`", cell)}
    assert told == {*ACTION["inputs"], *ACTION["outputs"]}
