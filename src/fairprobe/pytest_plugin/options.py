"""What a run is told: the command line, else the chosen profile, else the ini file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest

SHORT = ("--model", "--baseline")
"""Names that another plugin or conftest may own; argparse knows `--fairprobe-model` and `--fairprobe-baseline`."""

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "sample": {"limit": 60},
    "smoke": {"limit": 400, "inconclusive": "warn"},
    "nightly": {"stop": "sequential"},
    "release": {"confidence": 0.975},
}
POWER = "--fairprobe-power"
AUDIT = "--fairprobe-audit"
AUDIT_JSON = "--fairprobe-audit-json"
NO_CLAIM = "sample"
"""The profile whose exit status reflects crashes only."""

HELP = {
    "model": "also --model: the checkpoint under test: a folder, a hub id (@revision), openai:NAME@URL, recorded:NAME; "
    "given several times, each is judged",
    "baseline": "also --baseline: the checkpoint that it is compared with, named likewise",
    "engine": "what answers requests: auto, transformers, vllm, openai, or another that is installed",
    "engine-arg": "KEY=VALUE passed through to the engine: dtype=bfloat16, adapter=PATH (repeatable)",
    "template-arg": "KEY=VALUE passed through to the chat template (repeatable)",
    "data": "folder under which relative data is looked up first",
    "accept": "a licence of non-commercial data that you agree to, so that it may be downloaded (repeatable)",
    "report": "the run's own report folder (default: reports/<time>-<model>)",
    "store": "folder in which answers are kept (default: .fairprobe/store)",
    "profile": "named settings: sample, smoke, nightly, release, or [tool.fairprobe.profiles.NAME] in pyproject.toml",
    "limit": "ask about N samples of each task at most: a seeded, group-balanced, pair-preserving subset",
    "seed": "seed of subsets and simulated limits (default: 0)",
    "stop": "full: ask everything; sequential: stop asking for what is decided",
    "confidence": "confidence of verdicts that do not say theirs (default: 0.95)",
    "inconclusive": "fail: only a shown pass is green; warn: only a shown fail is red; where none says",
}
REPEATABLE = {"engine-arg": "dtype=bfloat16", "template-arg": "enable_thinking=false", "accept": "LICENCE"}
"""Options that may be given several times, each with an example."""
CHOICES = {"inconclusive": ("fail", "warn"), "stop": ("full", "sequential")}
_CHECKPOINTS = pytest.StashKey[set[Path]]()
TYPES: Mapping[str, Callable[[Any], Any]] = {"limit": int, "seed": int, "confidence": float}


def add(parser: pytest.Parser) -> None:
    """Declare every option, and an ini key of the same name for each."""
    group = parser.getgroup("fairprobe", "fairprobe: expectations of how a checkpoint treats groups")
    for name, text in HELP.items():
        repeatable = name in REPEATABLE
        given: dict[str, Any] = {"choices": CHOICES[name]} if name in CHOICES else {"metavar": name.upper()}
        action = "append" if repeatable or f"--{name}" in SHORT else "store"
        group.addoption(f"--fairprobe-{name}", action=action, help=text, dest=_dest(name), default=None, **given)
        kind: Literal["linelist", "string"] = "linelist" if repeatable else "string"
        parser.addini(_dest(name), text, type=kind, default=None)
    group.addoption(POWER, action="store_true", help="ask nothing: print what each expectation could decide")
    group.addoption(AUDIT, action="store_true", help="ask nothing: print what each says of kept answers drawn again")
    group.addoption(AUDIT_JSON, metavar="FILE", help="write an audit to a file, too")


@contextmanager
def short_names(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> Iterator[None]:
    """Let `--model` and `--baseline` mean ours, unless a conftest owns the name.

    Before conftests are loaded, the value after a bare `--model` is taken out of the folders whose conftest pytest
    would execute: a checkpoint's folder may hold one. Afterwards the arguments are renamed in place.
    """
    folders = config.known_args_namespace.file_or_dir
    for option, following in pairwise(args):
        if option in SHORT and following in folders:
            folders.remove(following)
    yield
    ours = [option for option in SHORT if not _is_owned(option, parser)]
    args[:] = _renamed(args, ours)


def value(config: pytest.Config, name: str) -> Any:
    """A setting: from the command line, else the profile, else the ini file; None where nobody says."""
    given = config.getoption(_dest(name))
    if given is None:
        profile = profile_of(config)
        given = profile.get(name, profile.get(name.replace("-", "_")))
    if given is None:
        given = config.getini(_dest(name)) or None
    return _typed(name, given)


def single(config: pytest.Config, name: str) -> str | None:
    """A setting that may be given once."""
    given: list[str] | str | None = value(config, name)
    if isinstance(given, list) and len(given) > 1:
        msg = f"--{name} is given {len(given)} times ({', '.join(given)}); a run has one {name}"
        raise pytest.UsageError(msg)
    return given[0] if isinstance(given, list) else given


def several(config: pytest.Config, name: str) -> Sequence[str]:
    """A setting that may be given several times."""
    given: Sequence[str] | str = value(config, name) or ()
    return [given] if isinstance(given, str) else given


def pairs(config: pytest.Config, name: str) -> dict[str, str]:
    """The `KEY=VALUE` settings of a repeatable option."""
    given = several(config, name)
    for text in given:
        if "=" not in text:
            msg = f"--fairprobe-{name} {text!r}: write KEY=VALUE, as in --fairprobe-{name} {REPEATABLE[name]}"
            raise pytest.UsageError(msg)
    return {key: held for key, _, held in (text.partition("=") for text in given)}


def profile_of(config: pytest.Config) -> Mapping[str, Any]:
    """The settings of the chosen profile. Raises `pytest.UsageError` for one that nobody knows."""
    name = profile_name(config)
    if name is None:
        return {}
    known = {**PROFILES, **_own_profiles(config.rootpath / "pyproject.toml")}
    if name not in known:
        msg = (
            f"--fairprobe-profile={name}: there are {', '.join(known)}; add "
            f"[tool.fairprobe.profiles.{name}] to pyproject.toml"
        )
        raise pytest.UsageError(msg)
    if unknown := [key for key in known[name] if key.replace("_", "-") not in HELP]:
        msg = f"--fairprobe-profile={name}: there is no setting {unknown[0]!r}; there are {', '.join(HELP)}"
        raise pytest.UsageError(msg)
    return known[name]


def asks_nothing(config: pytest.Config) -> bool:
    """Whether only the expectations themselves are asked about."""
    return bool(config.getoption(POWER, default=False)) or audits(config)


def audits(config: pytest.Config) -> bool:
    """Whether an audit is asked for."""
    return bool(config.getoption(AUDIT, default=False))


def check_power(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` where power or an audit is asked of several processes."""
    if asks_nothing(config) and config.getoption("numprocesses", default=None):
        msg = f"{AUDIT if audits(config) else POWER} asks nothing and is told by one process: leave -n out, or add -n 0"
        raise pytest.UsageError(msg)


def is_checkpoint(config: pytest.Config, path: Path) -> bool:
    """Whether a folder is one of those that `--model` and `--baseline` name: nothing in it is a test or a conftest."""
    if _CHECKPOINTS not in config.stash:
        config.stash[_CHECKPOINTS] = {Path(config.invocation_params.dir, spec).resolve() for spec in _specs(config)}
    return bool(config.stash[_CHECKPOINTS]) and path.resolve() in config.stash[_CHECKPOINTS]


def _specs(config: pytest.Config) -> Iterator[str]:
    """Every checkpoint that is named anywhere; what is wrong with the settings is said where they are used."""
    for name in SHORT:
        with suppress(pytest.UsageError):
            named = value(config, name[2:]) or []
            yield from filter(None, [named] if isinstance(named, str) else named)


def profile_name(config: pytest.Config) -> str | None:
    """The name of the chosen profile, if any."""
    name = config.getoption(_dest("profile")) or config.getini(_dest("profile")) or None
    return None if name is None else str(name)


def given(config: pytest.Config) -> dict[str, Any]:
    """Every setting that somebody gave, for the report."""
    held = {name: value(config, name) for name in HELP}
    held |= {
        name: each[0] if len(each) == 1 else each for name, each in held.items() if isinstance(each, list) and each
    }
    return {name: each for name, each in held.items() if each is not None}


def _dest(name: str) -> str:
    return f"fairprobe_{name.replace('-', '_')}"


def _typed(name: str, given: Any) -> Any:
    try:
        typed = TYPES[name](given) if name in TYPES and given is not None else given
    except ValueError:
        msg = f"--fairprobe-{name}={given!r} should be {'a number' if TYPES[name] is float else 'a whole number'}"
        raise pytest.UsageError(msg) from None
    refused = {
        "limit": typed is not None and name == "limit" and typed < 1,
        "confidence": typed is not None and name == "confidence" and not 0.5 < typed < 1,
        "inconclusive": name in CHOICES and typed is not None and typed not in CHOICES[name],
    }
    if any(refused.values()):
        wanted = {"limit": "at least 1", "confidence": "between 0.5 and 1"}.get(name, f"one of {CHOICES.get(name)}")
        msg = f"--fairprobe-{name}={given!r} should be {wanted}"
        raise pytest.UsageError(msg)
    return typed


def _is_owned(option: str, parser: pytest.Parser) -> bool:
    probe = f"{option}=fairprobe"
    _, unknown = parser.parse_known_and_unknown_args([probe])
    return probe not in unknown


def _renamed(args: Sequence[str], ours: Sequence[str]) -> list[str]:
    renamed: list[str] = []
    waiting = iter(args)
    for arg in waiting:
        name, has_value, held = arg.partition("=")
        if arg == "--":
            return [*renamed, arg, *waiting]
        if name not in ours:
            renamed.append(arg)
        elif has_value:
            renamed.append(f"--fairprobe-{name[2:]}={held}")
        elif (following := next(waiting, None)) is not None and not following.startswith("-"):
            renamed.append(f"--fairprobe-{name[2:]}={following}")
        else:
            msg = f"{name} needs a value: {name}=path/to/checkpoint"
            raise pytest.UsageError(msg)
    return renamed


def _own_profiles(file: Path) -> Mapping[str, Mapping[str, Any]]:
    if not file.is_file():
        return {}
    tables: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("fairprobe", {})
    own: Mapping[str, Mapping[str, Any]] = tables.get("profiles", {})
    return own
