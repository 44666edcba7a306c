"""The pace of the last run tells how long a plan takes; where nothing is known, nothing is said."""

from __future__ import annotations

import json

import pytest

from fairprobe import Generation, valid_rate
from fairprobe.pace import LEAST, Pace, keep, read
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.store import Origin

TINY = Origin("tiny", "f" * 64, "{}")


def test_it_is_told_by_tokens_where_they_are_known_and_by_requests_elsewhere():
    pace = Pace(seconds=10.0, requests=100, tokens=2000)
    assert pace.lasts(50, 4000) == 20.0
    assert pace.lasts(50, None) == 5.0
    assert Pace(10.0, 100, 0).lasts(50, 4000) == 5.0


def test_what_is_kept_is_read_for_the_same_content_and_engine_alone(tmp_path):
    file = tmp_path / "pace.json"
    keep(file, TINY, Pace(3.0, LEAST, 900))
    keep(file, Origin("other", "a" * 64, "{}"), Pace(9.0, LEAST, 900))
    assert read(file, TINY) == Pace(3.0, LEAST, 900)
    assert read(file, Origin("tiny", "f" * 64, '{"dtype": "bfloat16"}')) is None
    keep(file, TINY, Pace(4.0, LEAST, 900))
    assert read(file, TINY) == Pace(4.0, LEAST, 900)


def test_few_requests_tell_mostly_how_long_loading_took(tmp_path):
    keep(tmp_path / "pace.json", TINY, Pace(30.0, LEAST - 1, 100))
    assert read(tmp_path / "pace.json", TINY) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "null"])
def test_a_file_that_cannot_be_read_tells_nothing_and_is_written_anew(tmp_path, text):
    file = tmp_path / "pace.json"
    file.write_text(text)
    assert read(file, TINY) is None
    keep(file, TINY, Pace(3.0, LEAST, 900))


@pytest.mark.parametrize(
    "held", [{"seconds": 0, "requests": 9, "tokens": 1}, {"seconds": 1, "requests": 0, "tokens": 1}]
)
def test_numbers_that_no_run_has_tell_nothing(tmp_path, held):
    file = tmp_path / "pace.json"
    keep(file, TINY, Pace(3.0, LEAST, 900))
    [key] = json.loads(file.read_text())
    file.write_text(json.dumps({key: held}))
    assert read(file, TINY) is None


ROWS = [{"clue": f"clue {number}: it swims", "word": "otter"} for number in range(2 * LEAST)]


def test_a_session_keeps_the_pace_of_a_checkpoint_and_tells_how_long_the_next_takes(checkpoints_folder, tmp_path):
    def session(store):
        return Session(Settings(model=str(checkpoints_folder / "plain"), store=tmp_path / store))

    claim = valid_rate(Generation(ROWS, "{clue}", target="word", name="clues", max_tokens=2)) > 0.5
    first = session("store")
    first.check(claim)
    plan = first.plan([claim])
    assert first.seconds_left(first.lacking(plan)) is None
    first.ask(plan)
    first.close()
    # another store beside it: nothing is kept there, and the pace is known
    second = session("another")
    second.check(claim)
    spent = first._spent["model"]
    assert second.seconds_left(second.lacking(second.plan([claim]))) == pytest.approx(spent.seconds)
    assert spent.requests == len(ROWS)
    second.close()
