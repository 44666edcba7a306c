"""What can be asked of a checkpoint, and what comes back: frozen values, so that equal ones are asked once.

`prompt_tokens` of a response are those of its prompt, chat template included.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Format = Literal["auto", "chat", "plain"]
Message = tuple[str, str]
"""A role and a text: `("user", "Who are you?")`."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put to a model: a text or chat messages, and how they are to be dressed.

    `format="auto"` uses the checkpoint's chat template where it has one. `prefix` is the beginning of the
    answer, put into the model's mouth.
    """

    content: str | tuple[Message, ...]
    system: str | None = None
    prefix: str = ""
    format: Format = "auto"

    @property
    def text(self) -> str:
        """The prompt as a person reads it, without a chat template."""
        said = (
            self.content
            if isinstance(self.content, str)
            else "\n".join(f"{role}: {text}" if role else str(text) for role, text in self.content)
        )
        before, after = f"system: {self.system}\n" if self.system else "", f"\n{self.prefix}" if self.prefix else ""
        return f"{before}{said}{after}"


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue the prompt by at most `max_tokens` tokens, to the first of `stop` or the model's own end.

    `draw` tells several samples of one prompt apart; it is 0 where `temperature` is.
    """

    prompt: Prompt
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    draw: int = 0

    @property
    def seed(self) -> int:
        """Where its random numbers begin, below 2**31: prompt and draw decide it, the rest of the run does not."""
        return int.from_bytes(hashlib.sha256(repr((self.prompt, self.draw)).encode()).digest()[:4]) >> 1


@dataclass(frozen=True, slots=True)
class Choose:
    """The log-likelihood of each option as a continuation of the prompt.

    Options are bare texts. The engine scores `" " + option` where it follows a text, in plain format or after a prefix,
    and the option itself where it begins an answer in chat format.
    """

    prompt: Prompt
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weigh(Choose):
    """The log-likelihood of each token of a text (the only option) that follows the prompt as it stands, unspaced."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a classifier says of the prompt, or of an answer to it: a reward model's one number, else one a label."""

    prompt: Prompt
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Embed:
    """Where an embedding model puts the prompt."""

    prompt: Prompt


Request = Generate | Choose | Rate | Embed


@dataclass(frozen=True, slots=True)
class Generated:
    """A continuation; `ended` when the model or a stop text ended it rather than `max_tokens`.

    `text` is what follows the model's `reasoning`, where it reasons; `output_tokens` counts both, and the token that
    ended it.
    """

    text: str
    ended: bool
    chat: bool
    prompt_tokens: int
    output_tokens: int
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The tokens ran out while the model was still reasoning, before the answer began."""

    reasoning: str
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Summed log-likelihoods (nats) of the options, and their token counts.

    `mass` is the probability that the next token is one of the options, where each is one token of its own.
    """

    loglikelihoods: tuple[float, ...]
    tokens: tuple[int, ...]
    prompt_tokens: int
    mass: float | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """The log-likelihood (nats) of each token of a text, and these tokens' ids."""

    loglikelihoods: tuple[float, ...]
    ids: tuple[int, ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Rated:
    """A classifier's raw scores (logits, no activation), one a label; a reward model has one."""

    scores: tuple[float, ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector of length 1: products of two are cosines."""

    vector: tuple[float, ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class DoesNotFit:
    """The prompt and its answer are longer than the checkpoint's context; it was not asked."""

    tokens: int
    limit: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The engine could not answer. Never stored: it is asked again next run."""

    error: str


Answer = Generated | Unfinished | Chosen | Weighed | Rated | Embedded
"""What an engine computed, and the store keeps."""
Response = Answer | DoesNotFit | Failed
