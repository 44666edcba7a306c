"""Training data: do languages other than English have a share of it?

    pytest suites/training_languages --model=recorded:my-mix --fairprobe-data=DIR           DIR/messages/my-mix.jsonl
    pytest suites/training_languages --model=recorded:sample --fairprobe-profile=sample     messages of ours: no claim

No model is asked. py3langid says which language each message is in, and is sometimes wrong: see README.md.
"""

from pathlib import Path

import polars as pl

from fairprobe import BadData, Dataset, Recorded, mean

ASKED = ("es", "hi", "sw", "zh")  # ISO 639-1; the languages that your data is meant to hold
TEXTS = ("text", "content", "prompt", "completion")  # columns of text, where there is no column of messages
LEAST = 20  # letters in UTF-8 bytes, for a Chinese character says more than a Latin letter


def identified(path: Path) -> pl.DataFrame:
    """One row per message, with its language, and whether it is in another than English or in one of those asked.

    These are null where a message is too short to tell, or is in no language.
    """
    rows = said(pl.read_ndjson(path, infer_schema_length=None))
    letters = pl.col("text").str.replace_all(r"\P{L}", "").str.len_bytes()
    named = rows.with_columns(language=pl.when(letters >= LEAST).then("text").map_elements(language_of, pl.String))
    is_in = {code: pl.col("language") == code for code in ASKED}
    return named.with_columns(other=pl.col("language") != "en", **is_in)


def language_of(text: str) -> str | None:
    """The most likely language of a text, if it is in any."""
    try:
        from py3langid import classify
    except ImportError:
        msg = "languages are identified by py3langid, which is not installed: pip install py3langid"
        raise BadData(msg) from None
    code: str = classify(text)[0]
    return None if code == "zxx" else code  # formulas and the like


def said(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per message: its conversation, who said it and its text. A text alone is said by its column."""
    texts = [name for name in TEXTS if frame.schema.get(name) == pl.String]
    if not (texts or _holds_messages(frame)):
        found = ", ".join(f"{name} ({held.base_type()})" for name, held in frame.schema.items())
        msg = (
            "found no text to identify. Looked for a column 'messages', a list of {role, content} in texts, and for "
            f"columns of text named {', '.join(TEXTS)}; there are {found}. Rename one, or add its name to TEXTS in "
            f"{__file__}."
        )
        raise BadData(msg)
    if "conversation" not in frame.columns:
        frame = frame.with_row_index("conversation", offset=1)
    if _holds_messages(frame):
        each = frame.explode("messages").drop_nulls("messages")
        message = pl.col("messages").struct
        return each.with_columns(role=message.field("role"), text=message.field("content")).drop("messages")
    others = frame.select(pl.exclude(*TEXTS))
    # a file of single messages may say itself who said them
    return pl.concat(
        others.with_columns(role=pl.col("role") if "role" in others.columns else pl.lit(name), text=frame[name])
        for name in texts
    )


def _holds_messages(frame: pl.DataFrame) -> bool:
    held = frame.schema.get("messages")
    inside = held.inner if isinstance(held, pl.List) else None
    return isinstance(inside, pl.Struct) and {("role", pl.String), ("content", pl.String)} <= set(inside)


messages = Recorded(
    Dataset("messages/{model}.jsonl", sample="sample/messages.jsonl"),
    read=identified,
    score={"other": "other"} | {code: code for code in ASKED},
    missing={None: "drop"},  # not identified: counted in the report, not guessed
    name="messages",
    cluster="conversation",  # messages of one conversation are mostly in one language
)

# The share of messages in languages other than English. What is enough is for you to say.
test_other_languages_have_a_share = mean(messages, "other") > 0.10

# A share among the questions does not help if every answer is in English.
test_other_languages_have_a_share_of_each_role = mean(messages, "other").by("role") > 0.10

# A total may be one language: each that you mean to serve has a share of its own.
test_language_has_a_share = {code: mean(messages, code) > 0.01 for code in ASKED}
