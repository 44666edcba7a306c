"""The engine `transformers`: a checkpoint's model in this process, on a CPU or a GPU."""

from fairprobe.engines.transformers.engine import TransformersEngine, open  # noqa: A004

__all__ = ["TransformersEngine", "open"]
