"""Tasks: samples, how to ask about them, and how to score what comes back."""

from fairprobe.tasks.generation import Generation
from fairprobe.tasks.multiple_choice import OPTION_MASS, MultipleChoice
from fairprobe.tasks.recorded import Recorded
from fairprobe.tasks.task import Asking, Outcomes, Samples, Task

__all__ = ["OPTION_MASS", "Asking", "Generation", "MultipleChoice", "Outcomes", "Recorded", "Samples", "Task"]
