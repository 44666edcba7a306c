"""Public data sets are known by name: where they lie, under which licence, and which columns hold what."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from fairprobe import BadData, Generation, MultipleChoice, public
from fairprobe.cli import app
from fairprobe.data import Dataset, Mapped, Places, mapped, read, source_of
from fairprobe.pytest_plugin.run import settings_of

SETS = {
    "askreddit_countries": ("AskRedditCountries", "SALT-NLP/AskRedditCountries", "MIT"),
    "bbq": ("BBQ", "heegyu/bbq", "CC-BY-4.0"),
    "belebele": ("Belebele", "facebook/belebele", "CC-BY-SA-4.0"),
    "blend": ("BLEnD", "nayeon212/BLEnD", "CC-BY-SA-4.0"),
    "community_alignment": ("Community Alignment", "facebook/community-alignment-dataset", "CC-BY-4.0"),
    "crows_pairs": ("CrowS-Pairs", "jannalu/crows_pairs_multilingual", "CC-BY-SA-4.0"),
    "culturalbench": ("CulturalBench", "kellycyy/CulturalBench", "CC-BY-4.0"),
    "global_mmlu": ("Global-MMLU", "CohereLabs/Global-MMLU", "Apache-2.0"),
    "global_opinion_qa": ("GlobalOpinionQA", "Anthropic/llm_global_opinions", "CC-BY-NC-SA-4.0"),
    "include": ("INCLUDE", "CohereLabs/include-base-44", "Apache-2.0"),
    "normad": ("NormAd", "akhilayerukola/NormAd", "CC-BY-4.0"),
    "prism": ("PRISM", "HannahRoseKirk/prism-alignment", "CC-BY-NC-4.0"),
    "tydiqa": ("TyDiQA-GoldP", "google-research-datasets/tydiqa", "Apache-2.0"),
    "winogender": ("WinoGender", "oskarvanderwal/winogender", "MIT"),
    "wvs": ("World Values Survey, wave 7", "worldvaluessurvey.org", "non-commercial"),
}
NON_COMMERCIAL = {"global_opinion_qa", "prism", "wvs"}
ON_THE_HUB = sorted(SETS.keys() - {"wvs"})

each_set = pytest.mark.parametrize("name", SETS)


def refusal(call, *arguments):
    with pytest.raises(BadData) as refused:
        call(*arguments)
    return str(refused.value)


def lines(rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def written(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def rows_of(dataset, places):
    return read(source_of(dataset, Path()), places)


# -- what is known


def test_the_known_sets_are_there():
    assert set(mapped()) == set(SETS)


@each_set
def test_a_set_has_a_title_a_source_and_a_licence(name):
    held = mapped()[name]
    assert (held.title, held.hub or held.url, held.licence) == SETS[name]
    assert (held.hub is None) != (held.url is None)


@each_set
def test_a_revision_is_one_of_the_hubs_or_said_to_be_verified_by_nobody(name):
    text = (files("fairprobe.data") / "public" / f"{name}.toml").read_text("utf-8")
    revision = tomllib.loads(text).get("revision")
    assert re.fullmatch("[0-9a-f]{40}", revision) if revision else "\n# revision: " in text
    assert mapped()[name].revision == public(name, "data.csv").revision == revision


@each_set
def test_columns_are_named_once_and_groups_pairs_and_clusters_are_among_them(name):
    held = mapped()[name]
    assert len(set(held.columns)) == len(held.columns) > 3
    assert {*held.group, *held.pair, *filter(None, [held.cluster])} <= {*held.columns}
    assert held.notes


def test_sets_without_a_column_of_groups_say_where_groups_are():
    folder = files("fairprobe.data") / "public"
    without = [name for name, held in mapped().items() if not held.group]
    assert without == ["askreddit_countries", "prism"]
    assert all("group = []  # no column" in (folder / f"{name}.toml").read_text("utf-8") for name in without)


@each_set
def test_a_dataset_by_name_has_the_sets_source_and_licence(name):
    held = mapped()[name]
    assert public(name, "a/*.csv") == Dataset(
        "a/*.csv", hub=held.hub, revision=held.revision, licence=held.licence, non_commercial=name in NON_COMMERCIAL
    )


def test_what_is_given_is_said_before_what_is_known():
    given = public(
        "belebele", "data/{dialect}.jsonl", revision="75b399394a9803252cfec289d103de462763db7c", sample="s.csv"
    )
    assert given.revision == "75b399394a9803252cfec289d103de462763db7c"
    assert given.sample == "s.csv"
    assert public("belebele", "data/{dialect}.jsonl", hub="mirror/belebele").hub == "mirror/belebele"


def test_an_unknown_set_is_refused_with_those_that_there_are():
    assert refusal(public, "bebele", "data.csv") == f"there is no set 'bebele'; there are {', '.join(sorted(SETS))}"


def test_a_file_of_a_set_holds_what_a_mapping_can_say():
    known = {each.name for each in fields(Mapped)}
    texts = [each.read_text("utf-8") for each in (files("fairprobe.data") / "public").iterdir()]
    assert len(texts) == len(SETS)
    assert [tomllib.loads(text).keys() - known for text in texts] == [set()] * len(SETS)


# -- licences


def test_the_sets_that_are_not_for_commercial_use_are_marked():
    assert {name for name, held in mapped().items() if held.non_commercial} == NON_COMMERCIAL


@pytest.mark.parametrize(
    ("name", "hub", "licence"),
    [
        ("global_opinion_qa", "Anthropic/llm_global_opinions", "CC-BY-NC-SA-4.0"),
        ("prism", "HannahRoseKirk/prism-alignment", "CC-BY-NC-4.0"),
    ],
)
def test_a_download_asks_for_the_licence_to_be_accepted_and_says_how(name, hub, licence, tmp_path):
    asked = public(name, "data/*.csv")
    message = (
        f"the data set {hub!r} is licensed {licence}, for non-commercial use: accept that with "
        f"--fairprobe-accept={licence}, or name a copy that you have: --fairprobe-data=DIR, with DIR/{hub}/data/*.csv"
    )
    assert refusal(rows_of, asked, Places(tmp_path)) == message
    assert refusal(rows_of, asked, Places(tmp_path, accepted=frozenset({"CC-BY-4.0"}))) == message


def test_ones_own_file_asks_for_the_licence_where_there_is_no_hub(tmp_path):
    written(tmp_path / "wvs/people.csv", "Q260,Q262\n1,30\n")
    asked = public("wvs", "wvs/people.csv")
    message = (
        "the data set 'wvs/people.csv' is licensed non-commercial, for non-commercial use: accept that with "
        "--fairprobe-accept=non-commercial"
    )
    assert refusal(rows_of, asked, Places(tmp_path)) == message
    assert refusal(rows_of, asked, Places(tmp_path, accepted=frozenset({"CC-BY-NC-4.0"}))) == message
    held = rows_of(asked, Places(tmp_path, accepted=frozenset({"non-commercial"})))
    assert held.frame.rows() == [(1, 30)]
    assert held.sources[0].licence == "non-commercial"


def test_a_suites_own_rows_ask_for_no_licence(tmp_path):
    sample = written(tmp_path / "own.csv", "Q260,Q262\n1,30\n")
    held = rows_of(public("wvs", "wvs/people.csv", sample=str(sample)), Places(sample=True))
    assert (held.frame.rows(), held.illustrative) == ([(1, 30)], True)


def test_a_file_that_is_nowhere_is_told_before_its_licence(tmp_path):
    assert f"no file 'wvs/people.csv': looked in {tmp_path}" in refusal(
        rows_of, public("wvs", "wvs/people.csv"), Places(tmp_path)
    )


@pytest.mark.parametrize("name", sorted(NON_COMMERCIAL))
def test_a_run_that_takes_the_option_of_the_refusal_has_accepted(name, pytester, tmp_path):
    written(tmp_path / "here.csv", "Q260\n1\n")
    asked = public(name, "here.csv", hub=None)
    option = re.findall(r"--fairprobe-accept=\S+", refusal(rows_of, asked, Places(tmp_path)))
    settings = settings_of(pytester.parseconfigure(*option, f"--fairprobe-data={tmp_path}"))
    assert rows_of(asked, settings.places).frame.rows() == [(1,)]


# -- a copy in the hub's layout


@pytest.mark.parametrize("name", ON_THE_HUB)
def test_a_copy_lies_in_a_folder_of_the_hubs_id_or_of_its_last_part(name, tmp_path):
    held = mapped()[name]
    for place, folder in (("full", held.hub), ("short", held.hub.rpartition("/")[2])):
        written(tmp_path / place / folder / "data/part.jsonl", lines([dict.fromkeys(held.columns, place)]))
        found = rows_of(public(name, "data/*.jsonl"), Places(tmp_path / place))
        assert sorted(found.frame.columns) == sorted(held.columns)
        assert set(found.frame.row(0)) == {place}
        assert [each.licence for each in found.sources] == [held.licence]


def parallel(path):
    """Belebele's rows with one key of a question and the place of its answer."""
    frame = pl.read_ndjson(path)
    key = pl.concat_str(pl.col("link"), pl.col("question_number").cast(pl.String), separator=" ").alias("key")
    return frame.with_columns(key, right=pl.col("correct_answer_num").cast(pl.Int64) - 1)


def test_belebele_is_a_choice_whose_questions_are_the_same_in_every_language(tmp_path):
    words = {"eng_Latn": ["The tide.", "Why?", "sun", "moon", "wind", "rain"],
             "spa_Latn": ["La marea.", "¿Por qué?", "sol", "luna", "viento", "lluvia"]}  # fmt: skip
    for dialect, held in words.items():
        row = dict(zip(mapped()["belebele"].columns, ["https://x", 1, *held, "2", dialect, "2023-06-01"], strict=True))
        written(tmp_path / "facebook/belebele/data" / f"{dialect}.jsonl", lines([row]))
    task = MultipleChoice(
        public("belebele", "data/*.jsonl", read=parallel), "{flores_passage} {question}", name="belebele", pair="key",
        options=["mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4"], answer="right",
    )  # fmt: skip
    samples = task.load(Places(tmp_path))
    assert samples.frame["dialect"].to_list() == ["eng_Latn", "spa_Latn"]
    assert samples.pair.tolist() == ["https://x 1"] * 2
    [english, spanish] = [request.prompt.content for (request,) in task.requests(samples)]
    assert english == "The tide. Why?\nA. sun\nB. moon\nC. wind\nD. rain\nAnswer:"
    assert spanish == "La marea. ¿Por qué?\nA. sol\nB. luna\nC. viento\nD. lluvia\nAnswer:"
    assert task.outcomes(samples, [[None], [None]]).targets == ["moon", "luna"]


def test_include_is_a_choice_whose_answer_counts_from_zero(tmp_path):
    columns = mapped()["include"].columns
    cells = {
        "Albanian": ["Albanian", "Albania", "Culture", "Art", "explicit", "Academic", "Kush?", "a", "b", "c", "d", 2],
        "Greek": [
            "Greek",
            "Greece",
            "Culture",
            "Art",
            "agnostic",
            "Academic",
            "Ποιος;",
            "Ζεύς",
            "Ήρα",
            "Άρης",
            "Ερμής",
            0,
        ],
    }
    for language, held in cells.items():
        folder = tmp_path / "include-base-44" / language
        folder.mkdir(parents=True)
        pl.DataFrame([dict(zip(columns, held, strict=True))]).write_parquet(folder / "test-00000-of-00001.parquet")
    task = MultipleChoice(
        public("include", "*/test-*.parquet"), "{question}", name="exams", answer="answer",
        options=["option_a", "option_b", "option_c", "option_d"],
    )  # fmt: skip
    samples = task.load(Places(tmp_path))
    assert samples.frame.select(mapped()["include"].group).rows() == [
        ("Albanian", "Albania", "explicit"),
        ("Greek", "Greece", "agnostic"),
    ]
    assert task.outcomes(samples, [[None], [None]]).targets == ["c", "Ζεύς"]


def by_language(path):
    """TyDiQA's rows with the language that an id begins with, and the texts of the answers."""
    return pl.read_parquet(path).with_columns(
        language=pl.col("id").str.extract("^([^-]+)-"), targets=pl.col("answers").struct.field("text")
    )


def test_tydiqa_is_a_question_with_a_passage_and_several_answers(tmp_path):
    columns = mapped()["tydiqa"].columns
    rows = [
        ["finnish-1", "Kuu", "Kuu on taivaalla.", "Missä kuu on?", {"text": ["taivaalla"], "answer_start": [7]}],
        ["swahili-2-0", "Mwezi", "Mwezi uko angani.", "Mwezi uko wapi?",
         {"text": ["angani", "uko angani"], "answer_start": [10, 6]}],
    ]  # fmt: skip
    folder = tmp_path / "google-research-datasets/tydiqa/secondary_task"
    folder.mkdir(parents=True)
    held = pl.from_dicts([dict(zip(columns, row, strict=True)) for row in rows])
    held.write_parquet(folder / "validation-00000-of-00001.parquet")
    data = public("tydiqa", f"{mapped()['tydiqa'].configuration}/*.parquet", read=by_language)
    task = Generation(data, "{context}\n{question}", target="targets", name="tydiqa")
    samples = task.load(Places(tmp_path))
    assert samples.frame["language"].to_list() == ["finnish", "swahili"]
    assert task.outcomes(samples, [[None], [None]]).targets == ["taivaalla", "angani | uko angani"]
    assert samples.sources[0].licence == "Apache-2.0"


# -- the real files, where they are here


@pytest.mark.parametrize("category", ["Nationality", "Physical_appearance"])
def test_bbqs_own_files_have_every_column_that_is_mapped(category, shared_data):
    found = rows_of(public("bbq", f"{category}.jsonl"), Places(shared_data))
    assert set(mapped()["bbq"].columns) <= set(found.frame.columns)
    assert found.frame.select(mapped()["bbq"].columns).null_count().sum_horizontal().item() == 0
    assert found.frame["category"].unique().to_list() == [category]
    assert sorted(found.frame["context_condition"].unique()) == ["ambig", "disambig"]


def test_askreddits_own_file_has_every_column_that_is_mapped(shared_data):
    file = shared_data / "unintended-impacts/askreddit_countries.csv"
    assert tuple(pl.read_csv(file).columns) == mapped()["askreddit_countries"].columns


# -- the command


def sets(*arguments):
    return CliRunner().invoke(app, ["sets", *arguments])


def test_the_command_lists_every_set_with_its_licence_and_where_it_lies():
    done = sets()
    assert done.exit_code == 0
    listed = [tuple(line.split()) for line in done.output.splitlines()]
    assert listed == [(name, licence, source) for name, (_, source, licence) in sorted(SETS.items())]


@each_set
def test_the_command_tells_a_sets_columns_and_whether_its_revision_is_verified(name):
    done = sets(name)
    told = dict(line.split(": ", 1) for line in done.output.splitlines())
    assert done.exit_code == 0
    assert told["title"] == SETS[name][0]
    assert told["licence"] == SETS[name][2]
    assert told["columns"] == ", ".join(mapped()[name].columns)
    assert told["revision"] == (mapped()[name].revision or "not verified against the hub")
    assert ("non_commercial" in told) == (name in NON_COMMERCIAL)
    assert all(told.values()), "what a set has not is not listed"


def test_the_command_refuses_an_unknown_set_with_those_that_there_are():
    done = sets("bebele")
    assert done.exit_code == 1
    assert f"there is no set 'bebele'; there are {', '.join(sorted(SETS))}" in done.output
