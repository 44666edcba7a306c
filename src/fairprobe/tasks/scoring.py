"""What tasks share whose answers scorers score: their targets, judges that are asked, and labelled answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fairprobe import data, scorers
from fairprobe.errors import BadData
from fairprobe.judges import Calibrated, Judging
from fairprobe.requests import Chosen, Response
from fairprobe.scorers import Score, Scorer, Status
from fairprobe.tasks.task import Labelled, Outcomes, Row, Samples, Task

Said = Mapping[Judging, Response]
"""What judges answered."""
NOBODY: Said = {}


@dataclass(frozen=True, repr=False)
class Scoring(Task):
    """A task whose answers are texts that scorers score, against a target column where one is named."""

    @property
    def own_scorers(self) -> tuple[tuple[str, Scorer], ...]:
        """The scorers by the names of their scores, in their order."""
        raise NotImplementedError

    @property
    def own_target(self) -> str | None:
        """The column of targets."""
        raise NotImplementedError

    def outcomes(
        self, samples: Samples, responses: Sequence[Sequence[Response | None]], said: Said = NOBODY
    ) -> Outcomes:
        """What came of each sample, given what judges said of it."""
        raise NotImplementedError

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The target, as it is written."""
        return () if self.own_target is None else (self.own_target,)

    @property
    def lacks_target(self) -> bool:
        """Whether a scorer of ours has no target to compare answers with."""
        return self.own_target is None and any(scorers.needs_target(scorer) for _, scorer in self.own_scorers)

    @property
    def is_judged(self) -> Mapping[str, bool]:
        """The scores that a judge gives, and whether its errors are known from labelled answers."""
        return {
            name: isinstance(scorer, Calibrated)
            for name, scorer in self.own_scorers
            if isinstance(scorer, Calibrated) or scorers.asks_a_judge(scorer)
        }

    def unwinnable(self, samples: Samples, score: str) -> np.ndarray | None:
        """Whether a scorer refuses each sample's own target; None where it is not known to compare with one."""
        scorer, target = dict(self.own_scorers).get(score), self.own_target
        if scorer is None or target is None or scorers.asks_a_judge(scorer):
            return None
        refused = samples.once(
            (self, "unwinnable", score),
            lambda: np.array([scorers.refuses(scorer, row[target], row) for row in samples.rows], dtype=bool),
        )
        # a scorer of the user's that takes no target for right compares answers with something else
        return refused if scorers.needs_target(scorer) or not refused.all() else None

    def scored(self, text: str, row: Row, said: Said) -> list[Score]:
        """What each scorer says of a text; a judge that did not answer leaves no number."""
        return [settled(scorers.score(scorer, text, self._target(row), row), said) for _, scorer in self.own_scorers]

    def texts(self, samples: Samples, responses: Sequence[Sequence[Response | None]]) -> Iterator[tuple[str, Row]]:
        """Every text that was written, with the sample's row."""
        raise NotImplementedError

    def questions(
        self, samples: Samples, responses: Sequence[Sequence[Response | None]], places: data.Places
    ) -> Iterator[Judging]:
        """What judges are to be asked of all that was written, and of labelled answers."""
        for _, scorer in self.own_scorers:
            if scorers.asks_a_judge(scorer):
                given = [
                    scorers.score(scorer, text, self._target(row), row) for text, row in self.texts(samples, responses)
                ]
                if isinstance(scorer, Calibrated):
                    given += self._of_labelled(scorer, self._sheet(scorer, samples, places))
                yield from (each for each in given if isinstance(each, Judging))

    def labelled(self, samples: Samples, places: data.Places, said: Said) -> Mapping[str, Labelled]:
        """The labelled answers of each score that has any. Raises `BadData` for labels that are neither 0 nor 1."""
        found = {}
        for name, scorer in self.own_scorers:
            if isinstance(scorer, Calibrated):
                sheet = self._sheet(scorer, samples, places)
                scored = [settled(given, said).value for given in self._of_labelled(scorer, sheet)]
                found[name] = Labelled(sheet, sheet[scorer.label].to_numpy() == 1, np.array(scored))
        return found

    def _sheet(self, scorer: Calibrated, samples: Samples, places: data.Places) -> pl.DataFrame:
        return samples.once((self, "labelled", scorer), lambda: self._read_sheet(scorer, places))

    def _read_sheet(self, scorer: Calibrated, places: data.Places) -> pl.DataFrame:
        me = f"the labelled answers of {self!r}"
        frame = data.read(scorer.labelled, places, (scorer.response,)).frame
        for column in filter(None, (scorer.response, scorer.label, scorer.target or self.own_target)):
            data.column(frame, column, me)
        held = frame[scorer.label]
        if not set(held.to_list()) <= {0, 1}:
            msg = f"{me}: {scorer.label!r} is 1 for right and 0 for wrong; it holds {held.unique().to_list()[:6]}"
            raise BadData(msg)
        return frame

    def _of_labelled(self, scorer: Calibrated, sheet: pl.DataFrame) -> Iterator[Score | Judging]:
        """What a scorer says of labelled answers, or what its judge is to be asked."""
        # the question is the one that is asked of the task's own answers
        target = scorer.target or self.own_target
        for row in sheet.to_dicts():
            yield scorers.score(scorer, row[scorer.response] or "", row[target] if target else None, row)

    def _target(self, row: Row) -> Any:
        return row[self.own_target] if self.own_target is not None else None


def settled(given: Score | Judging, said: Said) -> Score:
    """The score of what a judge was asked, if it answered."""
    if isinstance(given, Score):
        return given
    answer = said.get(given)
    if isinstance(answer, Chosen):
        return Score(given.score(answer))
    status: Status = "missing" if answer is None else "error"
    return Score(float("nan"), status)


def natural_range(values: np.ndarray) -> tuple[float, float]:
    """[0, 1] where all values lie in it, else unbounded."""
    inside = bool(np.all((values >= 0) & (values <= 1)))
    return (0.0, 1.0) if inside else (-np.inf, np.inf)
