"""A small world of riddles: 24 words with six facts each, told in three renderings.

A riddle states three or four facts that fit exactly one word. Each riddle is told three times with the same
facts in the same order: in `en_us`, and in two renderings made by rules of ours, `en_in` and `en_ng`, that
borrow from Indian and Nigerian English. No speaker has checked them: they show how fairprobe works, and say
nothing about how anyone speaks.

    python examples/demo/world.py        writes suites/demo/clues.jsonl
"""

import functools
import itertools
import json
import random
from pathlib import Path
from typing import NamedTuple

RENDERINGS = ("en_us", "en_in", "en_ng")
CLUES = Path(__file__).parents[2] / "suites" / "demo" / "clues.jsonl"
SPLIT_SEED = 2025

FACTS = ("kind", "place", "who", "use", "look", "part")
TABLE = """
knife    tool        kitchen  cook      food   thin   handle
broom    tool        yard     cleaner   clean  long   handle
needle   tool        market   tailor    dress  thin   hole
bucket   container   river    cleaner   clean  round  handle
basket   container   market   trader    carry  light  lid
pot      container   kitchen  cook      food   heavy  lid
goat     animal      field    farmer    food   soft   legs
hen      animal      yard     cook      food   small  legs
dog      animal      yard     guard     call   soft   tail
bicycle  vehicle     road     student   carry  light  wheels
boat     vehicle     river    trader    carry  long   wood
cart     vehicle     market   farmer    carry  heavy  wheels
shoe     clothing    road     guard     dress  small  leather
hat      clothing    field    farmer    dress  round  thread
scarf    clothing    bedroom  trader    dress  soft   thread
drum     instrument  market   musician  call   round  leather
flute    instrument  school   musician  rest   long   hole
bell     instrument  school   guard     call   small  handle
chair    furniture   school   tailor    rest   light  wood
table    furniture   kitchen  cook      rest   heavy  wood
bed      furniture   bedroom  child     rest   long   legs
ball     toy         field    student   play   round  leather
kite     toy         field    child     play   light  tail
doll     toy         bedroom  child     play   soft   thread
"""
WORLD = {word: dict(zip(FACTS, facts, strict=True)) for word, *facts in map(str.split, TABLE.split("\n")[1:-1])}

# One phrase per rendering, in the order of RENDERINGS.
PHRASES = {
    "kind": {
        "tool": ("a tool", "one implement", "a working tool"),
        "container": ("a container", "one vessel", "a holder"),
        "animal": ("an animal", "one living creature", "an animal"),
        "vehicle": ("a vehicle", "one conveyance", "a means of transport"),
        "clothing": ("something to wear", "one garment", "a wear"),
        "instrument": ("an instrument", "one instrument", "a sounding instrument"),
        "furniture": ("a piece of furniture", "one furniture", "a furniture"),
        "toy": ("a toy", "one plaything", "a playing toy"),
    },
    "place": {
        "kitchen": ("in the kitchen", "in the cooking room", "in the kitchen area"),
        "yard": ("in the yard", "outside the house", "inside the compound"),
        "market": ("at the market", "in the bazaar", "for the market side"),
        "river": ("by the river", "at the waterside", "near the stream"),
        "field": ("in the field", "on open ground", "on the farm side"),
        "road": ("on the road", "in the lane", "along the express"),
        "school": ("at school", "in the classroom", "inside the school compound"),
        "bedroom": ("in the bedroom", "in the sleeping room", "in the inner room"),
    },
    "who": {
        "cook": ("a cook", "the kitchen hand", "a caterer"),
        "cleaner": ("a cleaner", "the sweeper", "a washman"),
        "tailor": ("a tailor", "the stitching master", "a fashion designer"),
        "trader": ("a trader", "the shopkeeper", "a market seller"),
        "farmer": ("a farmer", "the cultivator", "a farm owner"),
        "guard": ("a guard", "the watchman", "a gateman"),
        "student": ("a student", "the college-goer", "an undergraduate"),
        "child": ("a child", "the little one", "a small child"),
        "musician": ("a musician", "the bandsman", "a player of music"),
    },
    "use": {
        "food": ("to make a meal", "for preparing tiffin", "to prepare food"),
        "clean": ("to clean up", "for doing the washing", "to wash the place"),
        "dress": ("to get dressed", "for dressing nicely", "to dress fine"),
        "carry": ("to move goods", "for shifting luggage", "to convey load"),
        "call": ("to call people", "for calling out", "to hail everybody"),
        "rest": ("to rest", "for taking ease", "to relax"),
        "play": ("to have fun", "for timepass", "to enjoy"),
    },
    "look": {
        "thin": ("thin", "lean", "slim"),
        "long": ("long", "lengthy", "tall"),
        "round": ("round", "circular", "roundish"),
        "heavy": ("heavy", "weighty", "full of weight"),
        "light": ("light", "not at all heavy", "lightweight"),
        "soft": ("soft", "nice to touch", "softish"),
        "small": ("small", "tiny", "smallish"),
    },
    "part": {
        "handle": ("a handle", "one grip", "a holding place"),
        "hole": ("a hole", "one opening", "an open place"),
        "lid": ("a lid", "one cover", "a covering"),
        "legs": ("legs", "standing legs", "leg parts"),
        "tail": ("a tail", "one end piece", "a back tail"),
        "wheels": ("wheels", "rolling wheels", "tyres"),
        "wood": ("wooden boards", "timber planks", "plank wood"),
        "leather": ("a leather skin", "one hide", "animal skin"),
        "thread": ("threads", "cotton strings", "thread ends"),
    },
}

# Three wordings per fact and rendering.
TEMPLATES = {
    "en_us": {
        "kind": ("It is {}.", "People call it {}.", "You could say it is {}."),
        "place": ("You find it {}.", "It is kept {}.", "Look for it {}."),
        "who": ("It belongs to {}.", "You see it with {}.", "It is dear to {}."),
        "use": ("People need it {}.", "It helps {}.", "It is there {}."),
        "look": ("It looks {}.", "It feels {}.", "It is mostly {}."),
        "part": ("It has {}.", "It comes with {}.", "You will notice {}."),
    },
    "en_in": {
        "kind": ("It is {} only.", "People are calling it {}.", "It is {}, no?"),
        "place": ("You are finding it {}.", "It is being kept {} only.", "Kindly look {}."),
        "who": ("It is belonging to {}.", "You are seeing it with {}.", "It is {} who is liking it."),
        "use": ("People are needing it {}.", "It is helping {}.", "It is there {} only."),
        "look": ("It is looking {}.", "It is feeling {} only.", "Mostly it is {}, no?"),
        "part": ("It is having {}.", "It is coming with {}.", "You will be noticing {}."),
    },
    "en_ng": {
        "kind": ("The thing is {} o.", "They use to call it {}.", "It is {}, sha."),
        "place": ("You use to see it {}.", "They use to keep it {}.", "Find it {} o."),
        "who": ("It is {} that gets it.", "You will see it with {}, sha.", "It is {} that likes it."),
        "use": ("They need it {} o.", "It use to help {}.", "It is there {}, sha."),
        "look": ("It is looking {} o.", "The body is {}.", "It use to be {}."),
        "part": ("It gets {}.", "It comes with {} o.", "You will notice {}, sha."),
    },
}


class FactSet(NamedTuple):
    """A word, and facts that fit it and no other word."""

    word: str
    facts: tuple[str, ...]


class Wording(NamedTuple):
    """The order in which facts are told, and the template of each."""

    order: tuple[str, ...]
    templates: tuple[int, ...]


def fitting(facts: dict[str, str]) -> list[str]:
    """The words that every one of these facts fits."""
    return [word for word, known in WORLD.items() if facts.items() <= known.items()]


def fact_sets() -> list[FactSet]:
    """Every choice of three or four facts that fits exactly one word."""
    choices = [facts for size in (3, 4) for facts in itertools.combinations(FACTS, size)]
    return [
        FactSet(word, facts)
        for word, known in WORLD.items()
        for facts in choices
        if fitting({fact: known[fact] for fact in facts}) == [word]
    ]


@functools.cache
def split() -> dict[str, list[FactSet]]:
    """The same three parts every time: nobody trains on a held-out fact set, in any rendering."""
    sets = fact_sets()
    random.Random(SPLIT_SEED).shuffle(sets)
    held_out, dev = round(0.32 * len(sets)), round(0.44 * len(sets))
    return {"held_out": sets[:held_out], "dev": sets[held_out:dev], "train": sets[dev:]}


def wording(facts: tuple[str, ...], rng: random.Random) -> Wording:
    """A random order and a random template for each fact."""
    return Wording(tuple(rng.sample(facts, len(facts))), tuple(rng.randrange(3) for _ in facts))


def wordings(facts: tuple[str, ...], rng: random.Random) -> list[Wording]:
    """Two wordings that differ in the order of their facts."""
    first = wording(facts, rng)
    second = wording(facts, rng)
    while second.order == first.order:
        second = wording(facts, rng)
    return [first, second]


def tell(word: str, told: Wording, rendering: str) -> str:
    """The clue in one rendering.

    >>> tell("knife", Wording(("look", "place"), (0, 2)), "en_us")
    'It looks thin. Look for it in the kitchen.'
    """
    column = RENDERINGS.index(rendering)
    return " ".join(
        TEMPLATES[rendering][fact][template].format(PHRASES[fact][WORLD[word][fact]][column])
        for fact, template in zip(told.order, told.templates, strict=True)
    )


def rows() -> list[dict[str, object]]:
    """The held-out samples: every riddle in every rendering, with four options for a letter question."""
    rng = random.Random(SPLIT_SEED)
    riddles = [
        (number, index, word, told)
        for number, (word, facts) in enumerate(split()["held_out"])
        for index, told in enumerate(wordings(facts, rng))
    ]
    # each letter is right equally often, so that a model that always says A is at chance
    answers = rng.sample("ABCD" * -(-len(riddles) // 4), len(riddles))
    table: list[dict[str, object]] = []
    for (number, index, word, told), answer in zip(riddles, answers, strict=True):
        options = rng.sample([other for other in WORLD if other != word], 3)
        options.insert("ABCD".index(answer), word)
        table += [
            {
                "riddle": f"{number:03}-{index}",
                "facts": f"{number:03}",
                "wording": index,
                "dialect": rendering,
                "clue": tell(word, told, rendering),
                "word": word,
                "kind": WORLD[word]["kind"],
                "options": options,
                "answer": answer,
            }
            for rendering in RENDERINGS
        ]
    return table


def text() -> str:
    """The lines of `clues.jsonl`."""
    return "".join(json.dumps(row) + "\n" for row in rows())


if __name__ == "__main__":
    CLUES.write_text(text(), encoding="utf-8")
    print(f"wrote {CLUES}")
