"""What is installed and what is here, and what would answer for a checkpoint: as a run chooses, without its weights."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from fairprobe import __version__
from fairprobe.engines import Checkpoint, Choice, Served, choose
from fairprobe.engines.checkpoints import RECORDED, Elsewhere, elsewhere, first_line
from fairprobe.errors import FairprobeError
from fairprobe.requests import Choose, Embed, Generate, Rate, Request
from fairprobe.store import Store, in_bytes

PACKAGES = (
    ("pytest", None), ("numpy", None), ("polars", None), ("scipy", None), ("torch", "transformers"),
    ("transformers", "transformers"), ("vllm", "vllm"), ("httpx", "openai"),
)  # fmt: skip
"""What fairprobe imports, each with the extra that brings it."""
SWITCHES = (
    "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT",
    "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_ADDOPTS",
)  # fmt: skip
"""Variables of the environment that change what a run does, none of which holds a secret."""
ASKED: Mapping[type[Request], str] = {
    Generate: "to write an answer",
    Choose: "to weigh options and texts",
    Rate: "to rate a response",
    Embed: "for vectors of texts",
}


class Finding(NamedTuple):
    """One thing that was looked at; `works` is false where a run as it was asked for cannot be."""

    name: str
    said: str
    works: bool = True


def examine(model: str | None, engine: str, arguments: Mapping[str, str], store: Path) -> Iterator[Finding]:
    """What there is to know before a run of this model, one finding after the other, the slow ones last."""
    yield Finding("python", f"{platform.python_version()}, {sys.executable}")
    yield Finding("platform", platform.platform())
    yield Finding("fairprobe", f"{__version__}, {Path(__file__).parent}")
    yield from (_installed(name, extra) for name, extra in PACKAGES)
    yield _plugin()
    yield from _devices()
    held = {name: os.environ[name] for name in SWITCHES if name in os.environ}
    yield Finding("environment", ", ".join(f"{name}={value}" for name, value in held.items()) or "no switch is set")
    yield _kept(store)
    try:
        yield from _answering(model, engine, arguments, store)
    except FairprobeError as error:
        yield Finding("cannot run", str(error), works=False)


def _installed(name: str, extra: str | None) -> Finding:
    wanted = f"fairprobe[{extra}]" if extra else "fairprobe"
    if find_spec(name) is None:
        return Finding(name, f"not installed: pip install '{wanted}'", works=extra is not None)
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, "of no known version")


def _plugin() -> Finding:
    """Whether this folder's pytest loads us: pytest itself is asked, since its settings are its own."""
    done = subprocess.run([sys.executable, "-m", "pytest", "--help"], check=False, capture_output=True, text=True)
    if "--fairprobe-model" in done.stdout:
        return Finding("plugin", "loaded by pytest in this folder")
    why = f" ({said.splitlines()[-1]})" if (said := done.stderr.strip()) else ""
    msg = f"not loaded by pytest in this folder{why}: leave out what keeps it away, or load it with -p fairprobe"
    return Finding("plugin", msg, works=False)


def _devices() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        import torch
    except Exception as error:  # what is half installed raises its own
        there = "is not there" if find_spec("torch") is None else f"cannot be imported: {first_line(error)}"
        yield Finding("devices", f"CPU, {cores} cores; torch {there}")
        return
    yield Finding("devices", f"CPU, {cores} cores, {torch.get_num_threads()} threads of torch's")
    for place in range(torch.cuda.device_count()):
        held = torch.cuda.get_device_properties(place)
        yield Finding("", f"cuda:{place}, {held.name}, {in_bytes(held.total_memory)}")


def _kept(folder: Path) -> Finding:
    store = Store(folder)
    try:
        kept = store.kept()
    except FairprobeError as error:
        return Finding("store", str(error), works=False)
    if not kept:
        return Finding("store", f"{store.path.absolute()}, nothing is kept yet")
    answers = sum(each.answers for each in kept)
    return Finding("store", f"{store.path.absolute()}, {in_bytes(store.size)}: {answers:,} answers")


def _answering(model: str | None, engine: str, arguments: Mapping[str, str], store: Path) -> Iterator[Finding]:
    """What answers for the model. Raises what a run of it would, by asking what a run asks."""
    if model is None:
        yield _engine_here(engine)
    elif model.startswith(RECORDED):
        yield Finding("model", f"{model}: nothing is loaded or asked, and no engine is used")
    elif (there := elsewhere(model, arguments)) is not None:
        yield from _to_download(there, engine)
    else:
        yield from _opened(model, engine, arguments, store)


def _engine_here(name: str) -> Finding:
    """The engine of a checkpoint on this machine. It is no fault that none is installed, where none is named."""
    try:
        return _chosen(choose(name), f"{name}, for a checkpoint on this machine: " if name == "auto" else "")
    except FairprobeError as error:
        return Finding("engine", str(error), works=name == "auto")


def _chosen(choice: Choice, before: str = "") -> Finding:
    return Finding("engine", f"{before}{choice.name}, since {choice.reason}")


def _to_download(there: Elsewhere, engine: str) -> Iterator[Finding]:
    at = f"{there.name}@{there.revision}" if there.revision else there.name
    yield Finding("model", f"{at} of the hub is not on this machine: a run downloads {in_bytes(there.size)}")
    yield Finding("architecture", _named(there.architectures))
    yield _chosen(choose(engine, Checkpoint("model", there.name, Path(), there.revision, "")))


def _opened(model: str, name: str, arguments: Mapping[str, str], store: Path) -> Iterator[Finding]:
    # what is broken above a session is told before it is imported
    from fairprobe.session import Session
    from fairprobe.settings import Settings

    session = Session(Settings(model, engine=name, engine_arguments=arguments, store=store))
    try:
        checkpoint = session.checkpoint("model")
        yield from _named_by(checkpoint)
        choice, engine = choose(name, checkpoint), session.engine("model")
        refused = {kind: engine.refuses(kind) for kind in ASKED}
        yield _chosen(choice)
        said = engine.describe()
    finally:
        session.close()
    yield Finding("", ", ".join(f"{each} {said[each]}" for each in ("version", "device", "dtype") if said.get(each)))
    able = [ASKED[kind] for kind, refusal in refused.items() if refusal is None]
    yield Finding("it is asked", ", ".join(able) or "nothing", works=bool(able))
    yield from (Finding("", f"not {ASKED[kind]}: {refusal}") for kind, refusal in refused.items() if refusal)


def _named_by(checkpoint: Checkpoint | Served) -> Iterator[Finding]:
    if isinstance(checkpoint, Served):
        yield Finding("model", f"{checkpoint.name}, which the server {checkpoint.url} answers for")
        return
    yield Finding("model", f"{checkpoint.name}, {_place(checkpoint)}, fingerprint {checkpoint.fingerprint[:12]}")
    config = json.loads((checkpoint.path / "config.json").read_text(encoding="utf-8"))
    yield Finding("architecture", _named(config.get("architectures") or ()))


def _place(checkpoint: Checkpoint) -> str:
    where = f"revision {checkpoint.revision} of the hub" if checkpoint.revision else "a folder"
    adapter = f", with the adapter {checkpoint.adapter}" if checkpoint.adapter else ""
    template = "a chat template" if checkpoint.template else "no chat template"
    return f"{where}, {checkpoint.path}{adapter}, {template}"


def _named(architectures: tuple[str, ...] | list[str]) -> str:
    return ", ".join(architectures) or "its configuration names none, so it is taken for a language model"
