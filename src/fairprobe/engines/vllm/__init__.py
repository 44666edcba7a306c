"""The engine `vllm`: large offline calls, each of one kind of request, to a vLLM in a process of its own."""

from fairprobe.engines.vllm.engine import VllmEngine, open  # noqa: A004

__all__ = ["VllmEngine", "open"]
