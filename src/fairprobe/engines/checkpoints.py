"""A checkpoint is found by folder or hub id, and is known by its content: a sha256 over every file that is read.

Nothing here loads weights. A pickle is passed over unless the user allows it: what loads one can be made to run code.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from fairprobe import cache as kept
from fairprobe.errors import EngineError, NoCheckpoint

CONFIG_FILES = ("config.json", "generation_config.json", "1_Pooling/config.json")
TOKENIZER_FILES = (
    "added_tokens.json", "chat_template*", "additional_chat_templates/*.jinja", "merges.txt", "*.model",
    "special_tokens_map.json", "tekken.json", "*.tiktoken", "tokenizer*", "vocab*",
)  # fmt: skip
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DOWNLOADED = (*CONFIG_FILES, *TOKENIZER_FILES, "model*.safetensors", INDEX, ADAPTER_CONFIG, ADAPTER_WEIGHTS)
CODE_FILES = ("*.py",)
PICKLE, PICKLE_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
PICKLE_FILES = ("pytorch_model*.bin", PICKLE_INDEX)
ALLOWED = {"trust_remote_code": CODE_FILES, "allow_pickle": PICKLE_FILES}
"""The arguments by which a user has more read than tensors and texts, and the files."""
RECORDED = "recorded:"
SERVED = re.compile(r"openai:(?P<name>[^@\s]+)@(?P<url>https?://\S+)")
HUB_ID = re.compile(r"(?P<id>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[^@\s]+))?")
SETTLED = 2.0
"""Seconds after which a file's time stamp tells a later change from the one that was hashed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on this machine: where its files lie, and the sha256 of all that is read of them.

    `role` is what it is to the run (`model`, `baseline`, the name of a judge); `adapter` the folder of a LoRA adapter
    to be put on the weights in `path`. The same content in another place has the same fingerprint.
    """

    role: str
    name: str
    path: Path
    revision: str | None
    fingerprint: str
    adapter: Path | None = None
    stamps: tuple[tuple[Path, list[object]], ...] = field(default=(), compare=False, repr=False)

    def check_unchanged(self) -> None:
        """Raise `EngineError` where a file is no longer the one whose hash is in the fingerprint."""
        for path, stamp in self.stamps:
            if not path.is_file() or _stamp(path) != stamp:
                msg = f"{path} was changed while {self.name} was asked, so nobody knows whose answers came; run again"
                raise EngineError(msg)

    @property
    def tokenizer(self) -> Path:
        """The folder whose tokenizer and chat template count: the adapter's where it brings its own."""
        return self.adapter if self.adapter and has_tokenizer(self.adapter) else self.path

    @property
    def template(self) -> str | None:
        """The sha256 of its chat template, where it has one."""
        file = self.tokenizer / "chat_template.jinja"
        if file.is_file():
            return hashlib.sha256(file.read_bytes()).hexdigest()
        config = self.tokenizer / "tokenizer_config.json"
        template = _read(config).get("chat_template") if config.is_file() else None
        return hashlib.sha256(str(template).encode()).hexdigest() if template else None


@dataclass(frozen=True, slots=True)
class Served:
    """A checkpoint behind a server's address: its content is not known, only what it is called there.

    `url` is the API's base (`http://127.0.0.1:8000/v1`), without a slash at its end and without a key.
    """

    role: str
    name: str
    url: str
    revision: ClassVar[None] = None
    template: ClassVar[None] = None

    def check_unchanged(self) -> None:
        """Nothing: a server does not tell."""

    @property
    def fingerprint(self) -> str:
        """The sha256 of name and address; what else the server says of itself is in its engine's numerics."""
        return hashlib.sha256(f"{self.name}@{self.url}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A checkpoint that the hub has and this machine has not: the bytes of its files, and its architectures."""

    name: str
    revision: str | None
    size: int
    architectures: tuple[str, ...]


def resolve(
    spec: str, role: str, arguments: Mapping[str, str] | None = None, cache: Path | None = None
) -> Checkpoint | Served:
    """The checkpoint that `spec` names: a folder, a hub id with an optional `@revision`, or `openai:NAME@URL`.

    A folder (or hub id) may be an adapter that names its base. Of the engine's `arguments` these count: `adapter`, a
    folder or hub id put on the *model*, never on its baseline; `revision`, for hub ids without one; and what
    `ALLOWED` names. `cache` is a JSON file in which hashes of unchanged files are kept.

    Raises `NoCheckpoint` where there is nothing by that name or the files are not all there, `EngineError` where
    they are and cannot be used.
    """
    arguments = arguments or {}
    if spec.startswith("openai:"):
        return _served(spec, role)
    allowed = (files for name, files in ALLOWED.items() if arguments.get(name, "").lower() == "true")
    patterns = sum(allowed, DOWNLOADED)
    place = _find(spec, arguments.get("revision"), patterns)
    named = arguments.get("adapter") if role == "model" else None
    adapter: Path | None = None
    base = place
    if (place.path / ADAPTER_CONFIG).is_file():
        if named:
            msg = f"{spec} is an adapter itself; adapter={named} cannot be put on top of it"
            raise EngineError(msg)
        adapter, base = place.path, _base_of(place.path, patterns)
    elif named:
        adapter = _find(named, None, patterns).path
    files = list(_files(base.path, patterns))
    if adapter:
        files += [(f"adapter/{name}", file) for name, file in _adapter_files(adapter)]
    name = f"{place.name}+{adapter.name}" if named and adapter else place.name
    stamps = tuple((path, _stamp(path)) for _, path in files)
    return Checkpoint(role, name, base.path, place.revision, _fingerprint(files, cache), adapter, stamps)


def short_name(spec: str) -> str:
    """What a checkpoint is called, of all that names it.

    >>> short_name("runs/aligned"), short_name("openai:tiny@http://127.0.0.1:8000/v1"), short_name("recorded:base")
    ('aligned', 'tiny', 'base')
    """
    if said := SERVED.fullmatch(spec):
        return said["name"]
    return spec.removeprefix(RECORDED) if spec.startswith(RECORDED) else (Path(spec).name or spec)


def _served(spec: str, role: str) -> Served:
    said = SERVED.fullmatch(spec)
    if said is None:
        msg = f"a server is named openai:NAME@URL, as in openai:my-model@http://127.0.0.1:8000/v1; this is {spec!r}"
        raise NoCheckpoint(msg)
    return Served(role, said["name"], said["url"].rstrip("/"))


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    path: Path
    revision: str | None = None


def _find(spec: str, revision: str | None, patterns: tuple[str, ...]) -> _Place:
    if not spec.strip():
        msg = "a checkpoint is named by a folder or a hub id; the name given is empty"
        raise NoCheckpoint(msg)
    if spec.startswith(RECORDED):
        msg = f"{spec} names recorded answers, which have nothing to ask; name a folder or a hub id"
        raise EngineError(msg)
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return _Place(folder.resolve().name, folder.resolve())
    if folder.is_file():
        msg = f"{folder.resolve()} is a file; name the folder that holds it: {folder.resolve().parent}"
        raise NoCheckpoint(msg)
    hub = _hub_id(spec, folder)
    if hub is None:
        raise NoCheckpoint(_missing(folder))
    return _download(hub["id"], hub["revision"] or revision, patterns, folder)


def _hub_id(spec: str, folder: Path) -> re.Match[str] | None:
    """The parts of a hub id; None of what can only be a folder."""
    hub = HUB_ID.fullmatch(spec)
    # a path with an existing parent is a misspelt folder: its name is nothing to send over the network
    local = spec.startswith((".", "~", os.sep)) or ("/" in spec and folder.parent.is_dir())
    if hub is None or (local and not hub["revision"]) or spec.startswith((".", "~", os.sep)):
        return None
    return hub


def _missing(folder: Path) -> str:
    wanted = folder.absolute()
    parent = next(path for path in wanted.parents if path.is_dir())
    names = sorted(entry.name for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    near = difflib.get_close_matches(wanted.relative_to(parent).parts[0], names, n=3) or names[:5]
    there = f"{parent} holds {', '.join(near)}" if near else f"{parent} holds no folders"
    return f"there is no folder {wanted}; {there}"


def _download(name: str, revision: str | None, patterns: tuple[str, ...], folder: Path) -> _Place:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        msg = f"{_missing(folder)}; to look for {name!r} on the hub: pip install 'fairprobe[transformers]'"
        raise NoCheckpoint(msg) from error
    try:
        path = Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # the hub's errors, and those of every layer under it
        raise _not_given(name, revision, folder, error) from error
    return _Place(name, path, path.name)


def _not_given(name: str, revision: str | None, folder: Path, error: Exception) -> NoCheckpoint:
    at = f"{name}@{revision}" if revision else name
    return NoCheckpoint(f"{_missing(folder)}; and the hub gives no {at}: {type(error).__name__}: {first_line(error)}")


def elsewhere(spec: str, arguments: Mapping[str, str] | None = None) -> Elsewhere | None:
    """What a run would download to have a checkpoint, as the hub says; None where it downloads nothing.

    Nothing is downloaded here. Raises `NoCheckpoint` where a run would, since the hub has nothing by that name or
    cannot be asked.
    """
    folder = Path(spec).expanduser()
    hub = None if folder.exists() or spec.startswith(("openai:", RECORDED)) else _hub_id(spec, folder)
    if hub is None or find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import HfApi, snapshot_download

    name, revision = hub["id"], hub["revision"] or (arguments or {}).get("revision")
    with contextlib.suppress(Exception):  # each layer says in its own way that something is not here
        snapshot_download(name, revision=revision, allow_patterns=list(DOWNLOADED), local_files_only=True)
        return None
    try:
        said = HfApi().model_info(name, revision=revision, files_metadata=True)
    except Exception as error:  # as it would a run
        raise _not_given(name, revision, folder, error) from error
    wanted = [each for each in said.siblings or () if any(fnmatch(each.rfilename, held) for held in DOWNLOADED)]
    architectures = (said.config or {}).get("architectures") or ()
    return Elsewhere(name, revision, sum(each.size or 0 for each in wanted), tuple(architectures))


def first_line(error: BaseException) -> str:
    """What an error says, without the pages that libraries add to it."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _base_of(adapter: Path, patterns: tuple[str, ...]) -> _Place:
    if (adapter / WEIGHTS).is_file() or (adapter / INDEX).is_file():
        msg = (
            f"{adapter} holds both full weights and {ADAPTER_CONFIG}, so it does not say which are meant; move the "
            f"adapter to a folder of its own, or delete {ADAPTER_CONFIG}"
        )
        raise EngineError(msg)
    config = _read(adapter / ADAPTER_CONFIG)
    base, revision = str(config.get("base_model_name_or_path") or ""), config.get("revision")
    # a relative base is meant from where one stands, or from the adapter it came with
    beside = adapter / base
    try:
        return _find(str(beside) if base and beside.is_dir() else base, str(revision) if revision else None, patterns)
    except (NoCheckpoint, EngineError) as error:
        msg = (
            f"{adapter} is an adapter for {base!r}, which cannot be had ({error}); name the base yourself: "
            f"--model=BASE --fairprobe-engine-arg adapter={adapter}"
        )
        raise NoCheckpoint(msg) from error


def _read(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{file} cannot be read as JSON: {error}"
        raise NoCheckpoint(msg) from error
    if not isinstance(content, dict):
        msg = f"{file} should hold a JSON object; it holds {content!r:.40}"
        raise NoCheckpoint(msg)
    return content


def _files(folder: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """The files of a checkpoint that are read, by name."""
    if not (folder / "config.json").is_file():
        msg = f"{folder} is no checkpoint: it has no config.json. {_holds(folder)}"
        raise NoCheckpoint(msg)
    code = CODE_FILES if set(CODE_FILES) <= set(patterns) else ()
    yield from _matching(folder, CONFIG_FILES + TOKENIZER_FILES + code)
    pickles = set(PICKLE_FILES) <= set(patterns)
    yield from ((name, folder / name) for name in _weights(folder, pickles=pickles))


def _weights(folder: Path, *, pickles: bool) -> list[str]:
    """The names of the weight files, an index included, that transformers would read."""
    for whole, index in ((WEIGHTS, INDEX), (PICKLE, PICKLE_INDEX))[: 1 + pickles]:
        if (folder / whole).is_file():
            return [whole]
        if (folder / index).is_file():
            return [index, *_shards(folder, index)]
    if found := sorted(path.name for path in folder.glob("*.bin")):
        step = (
            f"neither {PICKLE} nor {PICKLE_INDEX} is among them"
            if pickles
            else "if you trust them: --fairprobe-engine-arg allow_pickle=true"
        )
        msg = (
            f"{folder} holds its weights as pickles ({', '.join(found[:3])}), which can be made to run code; convert "
            f"them with model.save_pretrained(folder), which writes safetensors; {step}"
        )
        raise EngineError(msg)
    msg = f"{folder} has no weights: neither {WEIGHTS} nor {INDEX}. {_holds(folder)}"
    raise NoCheckpoint(msg)


def _shards(folder: Path, index: str) -> list[str]:
    shards = _read(folder / index).get("weight_map")
    names = sorted({str(name) for name in shards.values()}) if isinstance(shards, dict) else []
    lacking = [name for name in names if not (folder / name).is_file()]
    if lacking or not names:
        msg = f"{folder}: {index} names {len(names)} files; missing: {', '.join(lacking) or 'all'}"
        raise NoCheckpoint(msg)
    return names


def _holds(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    inner = [entry.parent.name for entry in sorted(folder.glob("*/config.json"))]
    step = f"; did you mean {folder / inner[-1]}?" if inner else ""
    return f"It holds {', '.join(names[:8]) or 'nothing'}{more}{step}"


def _adapter_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            msg = f"{folder} is no adapter in safetensors: it has no {name}. {_holds(folder)}"
            raise NoCheckpoint(msg)
        yield name, folder / name
    if has_tokenizer(folder):
        yield from _matching(folder, TOKENIZER_FILES)


def tokenizer_fingerprint(folder: Path) -> str:
    """The sha256 of a folder's tokenizer and chat template, whatever weights lie beside them."""
    return _fingerprint(list(_matching(folder, TOKENIZER_FILES)), None)


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer."""
    return any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json", "tokenizer.model"))


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for path in sorted([*folder.glob("*"), *folder.glob("additional_chat_templates/*"), *folder.glob("1_Pooling/*")]):
        name = path.relative_to(folder).as_posix()
        deep = "/" in name
        if path.is_file() and any(fnmatch(name, pattern) for pattern in patterns if deep == ("/" in pattern)):
            yield name, path


def _fingerprint(files: list[tuple[str, Path]], cache: Path | None) -> str:
    # an entry of another shape is none
    known = {key: entry for key, entry in (kept.read(cache) if cache else {}).items() if isinstance(entry, list)}
    seen: dict[str, list[object]] = {}
    lines = []
    for name, path in sorted(files):
        key, stamp = str(path.resolve()), _stamp(path)
        digest = known.get(key, [None])[-1] if known.get(key, [])[:-1] == stamp else None
        if not isinstance(digest, str):
            digest = _sha256(path)
            # a file written a moment ago could change again within the clock's tick
            if _stamp(path) != stamp or time.time() - path.stat().st_mtime < SETTLED:
                stamp = []
        if stamp:
            seen[key] = [*stamp, digest]
        lines.append(f"{name}\0{digest}\n")
    if cache and any(known.get(key) != entry for key, entry in seen.items()):
        kept.keep(cache, {**known, **seen})
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _stamp(path: Path) -> list[object]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
