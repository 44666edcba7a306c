"""No answer is ever reused for another checkpoint: whatever lies at a path, and however it is asked, has its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoints import TEMPLATE, make_adapter, make_checkpoint
from fairprobe.requests import Choose, Generate, Prompt
from fairprobe.session import Session
from fairprobe.settings import Settings

REQUESTS = (
    Choose(Prompt("Which animal says moo?"), ("cow", "the old mill")),
    Generate(Prompt("Which animal says moo?"), max_tokens=4),
)
STAMP = 1_700_000_000
"""The time of every file, so that nothing but its content tells it from another."""


class Variant(NamedTuple):
    """What lies at the path (weights, template), where the path is, and how the engine is told to ask."""

    weights: int
    template: str
    adapter: int | None
    dtype: str
    shout: str
    spec: str


VARIANTS = st.builds(
    Variant,
    st.sampled_from((0, 1)),
    st.sampled_from(("short", "long")),
    st.sampled_from((None, 0, 1)),
    st.sampled_from(("float32", "bfloat16")),
    st.sampled_from(("true", "false")),
    st.sampled_from(("folder", "hub@one", "hub@two")),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield Place(tmp_path_factory.mktemp("reuse"), patch)


class Place:
    """One folder and one hub id at which checkpoints come and go, one folder of an adapter, and what each answers."""

    def __init__(self, folder, patch):
        self.folder = folder
        self.known = {}
        for weights in (0, 1):
            for name, template in (("short", TEMPLATE), ("long", "Be kind. " + TEMPLATE)):
                make_checkpoint(folder / f"{weights}-{name}", chat=template, seed=weights)
        for number in (0, 1):
            make_adapter(folder / f"adapter-{number}", folder / "0-short", seed=number)
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def session(self, variant, store):
        """A session that asks a variant, after it was put where the others were."""
        content = self.folder / f"{variant.weights}-{variant.template}"
        spec = str(put(content, self.folder / "checkpoint"))
        if variant.spec != "folder":
            revision = variant.spec.partition("@")[2]
            put(content, self.folder / "hub" / "models--maker--tiny" / "snapshots" / revision)
            spec = f"maker/tiny@{revision}"
            (self.folder / "hub" / "models--maker--tiny" / "refs").mkdir(exist_ok=True)
            (self.folder / "hub" / "models--maker--tiny" / "refs" / revision).write_text(revision)
        arguments = {"dtype": variant.dtype}
        if variant.adapter is not None:
            arguments["adapter"] = str(put(self.folder / f"adapter-{variant.adapter}", self.folder / "adapter"))
        return Session(
            Settings(
                model=spec, engine="transformers", engine_arguments=arguments,
                template_arguments={"shout": variant.shout}, store=store,
            )
        )  # fmt: skip

    def answers(self, variant, store):
        """What a session says to the requests, and how many of them it asked."""
        session = self.session(variant, store)
        try:
            said = session.respond("model", REQUESTS)
        finally:
            session.close()
        return said, session.by_tests.asked

    def truth(self, variant):
        """What the variant says where nothing is kept; the place it is asked at makes no difference."""
        asked = variant._replace(spec="folder")
        if asked not in self.known:
            self.known[asked], _ = self.answers(asked, self.folder / "unkept" / str(len(self.known)))
        return self.known[asked]


def put(content, target):
    """Put a folder's files where another's were, each with the name, size and time that those may have had."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(content, target)
    for file in target.iterdir():
        os.utime(file, (STAMP, STAMP))
    return Path(target)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(VARIANTS, min_size=2, max_size=6))
def test_each_checkpoint_gets_its_own_answers_and_only_those(place, tmp_path_factory, turns):
    store = tmp_path_factory.mktemp("store")
    before = set()
    for variant in turns:
        said, asked = place.answers(variant, store)
        assert said == place.truth(variant)
        # the same content is the same checkpoint, by whatever name
        content = variant._replace(spec="")
        assert asked == (0 if content in before else len(REQUESTS))
        before.add(content)


def test_what_is_swapped_has_other_answers(place):
    one = Variant(0, "short", None, "float32", "false", "folder")
    others = [
        one._replace(weights=1), one._replace(template="long"), one._replace(adapter=0), one._replace(adapter=1),
        one._replace(dtype="bfloat16"), one._replace(shout="true"),
    ]  # fmt: skip
    # else the property would hold of a store that mixes them up
    assert len({repr(place.truth(each)) for each in (one, *others)}) == len(others) + 1
