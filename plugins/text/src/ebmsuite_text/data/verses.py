"""Verses of the King James Bible, which come with the package (see VERSES.md)."""

from __future__ import annotations

import functools
import importlib.resources
import lzma
from dataclasses import dataclass

from ebmsuite_text.codec import Splitting
from ebmsuite_text.data.sentences import SPLITS, Choice, Part, Sentences, Split, Tokeniser, sentences

__all__ = ["GENRES", "verses"]

GENRES = ("law", "history", "poetry", "prophets", "gospels", "letters")


def verses(
    split: Split = "train",
    tokeniser: Tokeniser = "words",
    words: int | None = 3_000,
    longest: int | None = None,
    n: int | None = None,
    conditional: bool = False,
) -> Sentences:
    """King James verses of at most 19 words and marks: 6,408 training, 500 validation and 500 test verses.

    Words are in lower case, and marks are words of their own. The class of a verse is the genre of its book (`GENRES`),
    which is the condition with ``conditional``. The other settings are those of `ebmsuite_text.data.sentences.Choice`.
    """
    return sentences(_Verses(), split, Choice(tokeniser, words, longest, n), conditional)


@dataclass(frozen=True)
class _Verses:
    splitting: Splitting = "words"

    def __str__(self) -> str:
        return "text/verses"

    def part(self, split: Split) -> Part:
        return _embedded()[SPLITS.index(split)]


@functools.cache
def _embedded() -> list[Part]:
    # tools/make_verses.py writes this file
    content = importlib.resources.files(__package__).joinpath("verses.txt.xz").read_bytes()
    made = []
    for part in lzma.decompress(content).decode("ascii").rstrip("\n").split("\n\n"):
        genres, references, texts = zip(*(line.split("\t") for line in part.split("\n")), strict=True)
        made.append(Part(texts, references, [int(g) for g in genres], GENRES, {"reference": references}))
    return made
