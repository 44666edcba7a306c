"""Tasks: samples, how to ask about them, and how to score what comes back."""

from fairprobe.tasks.drift import Drift
from fairprobe.tasks.generation import Generation
from fairprobe.tasks.likelihood import Likelihood
from fairprobe.tasks.multiple_choice import EXPECTED, MultipleChoice
from fairprobe.tasks.options import OPTION_MASS
from fairprobe.tasks.preference import Preference
from fairprobe.tasks.ranking import Ranking
from fairprobe.tasks.ranks import ranked
from fairprobe.tasks.recorded import Recorded
from fairprobe.tasks.reward import Reward
from fairprobe.tasks.scoring import Scoring
from fairprobe.tasks.shots import Shots
from fairprobe.tasks.simulation import WORTH, Simulation
from fairprobe.tasks.survey import Survey
from fairprobe.tasks.task import Asking, Choices, Dropped, Followed, Labelled, Outcomes, Samples, Task, spent
from fairprobe.tasks.treatments import Treatment, anthropological

__all__ = [
    "EXPECTED",
    "OPTION_MASS",
    "WORTH",
    "Asking",
    "Choices",
    "Drift",
    "Dropped",
    "Followed",
    "Generation",
    "Labelled",
    "Likelihood",
    "MultipleChoice",
    "Outcomes",
    "Preference",
    "Ranking",
    "Recorded",
    "Reward",
    "Samples",
    "Scoring",
    "Shots",
    "Simulation",
    "Survey",
    "Task",
    "Treatment",
    "anthropological",
    "ranked",
    "spent",
]  # fmt: skip  # fmt: skip
