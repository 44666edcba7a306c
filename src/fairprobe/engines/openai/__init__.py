"""The engine `openai`: a checkpoint behind an OpenAI-compatible server, asked over HTTP."""

from fairprobe.engines.openai.engine import OpenAIEngine, open  # noqa: A004

__all__ = ["OpenAIEngine", "open"]
