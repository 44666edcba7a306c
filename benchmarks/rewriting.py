"""What rewriting costs: milliseconds a paragraph for all features of a profile, read afresh each time.

    python benchmarks/rewriting.py [folder of xquad.en.json]

The paragraphs are our own prose, or those of XQuAD where its folder is named. CPU seconds of one thread.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from fairprobe.rewriting import VARIETIES, dialects
from fairprobe.rewriting.words import parsed

sys.path.insert(0, str(Path(__file__).parent / "engines"))

MOST = 1.0
"""Milliseconds that a paragraph may take."""


def paragraphs() -> list[str]:
    """The texts, a hundred words each or as XQuAD has them."""
    if len(sys.argv) > 1:
        articles = json.loads(Path(sys.argv[1], "xquad.en.json").read_text(encoding="utf-8"))["data"]
        return [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
    from prose import Writer

    writer = Writer(seed=8)
    return [writer.passage(100) for _ in range(200)]


def main() -> int:
    """Print every profile; 1 where one takes longer."""
    texts = paragraphs()
    words = sum(len(text.split()) for text in texts) / len(texts)
    print(f"{len(texts)} paragraphs of {words:.0f} words")
    slow = False
    for variety in VARIETIES.values():
        [rewriting] = dialects(variety.name)
        changes = sum(len(rewriting.changes(text)) for text in texts) / len(texts)
        parsed.cache_clear()
        started = time.process_time()
        for text in texts:
            rewriting.taken(text, text)
        taken = 1000 * (time.process_time() - started) / len(texts)
        slow = slow or taken > MOST * words / 100
        print(f"{variety.name:14} {len(variety.ratings):3} features {taken:6.2f} ms {changes:6.1f} changes proposed")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
