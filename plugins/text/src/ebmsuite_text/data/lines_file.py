"""The data set ``text/lines``: texts from a user's file."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebmsuite.errors import DataError
from ebmsuite.files import find
from ebmsuite_text.codec import Splitting
from ebmsuite_text.data.sentences import SPLITS, Choice, Part, Sentences, Split, Tokeniser, left_out, sentences
from ebmsuite_text.lines import lines_of

__all__ = ["lines"]


def lines(
    path: str,
    split: Split = "train",
    column: str | None = None,
    label: str | None = None,
    tokeniser: Tokeniser = "words",
    splitting: Splitting = "words",
    words: int | None = 10_000,
    longest: int | None = 40,
    n: int | None = None,
    conditional: bool = False,
    encoding: str = "utf-8-sig",
    seed: int = 0,
) -> Sentences:
    """The texts of a .txt, .jsonl, .csv or .tsv file, or one of these as .gz: one per line, object or row.

    ``column`` is the heading or key of the text, by default "text" or else "sentence"; ``label`` that of its class,
    which is the condition with ``conditional``. ``encoding`` is a name that Python knows, such as "latin-1". Lines
    without text, without class or of more than ``longest`` tokens are left out; ``skipped`` names those of the file.

    The valid and test splits each get a tenth of the different texts, drawn with ``seed``; equal texts belong to the
    same split, and all of them are used. The other settings are those of `ebmsuite_text.data.sentences.Choice`. Raises
    `DataError` if the file is not readable (the message names the line), the column or the label is missing, fewer than
    three texts differ, or a class that is a condition has no training text.
    """
    file = find(path).absolute()
    source = _Own(file, file.stat().st_mtime_ns, column, label, encoding, seed, splitting)
    choice = Choice(tokeniser, words, longest, n)
    made = sentences(source, split, choice, conditional)
    made.skipped = _skipped(source, choice)
    return made


@dataclass(frozen=True)
class _Own:
    path: Path
    changed: int
    column: str | None
    label: str | None
    encoding: str
    seed: int
    splitting: Splitting

    def __str__(self) -> str:
        return str(self.path)

    def part(self, split: Split) -> Part:
        return _cut(self)[SPLITS.index(split)]


def _skipped(source: _Own, choice: Choice) -> dict[str, list[str]]:
    """What is left out of the file: reason -> lines. All splits name it, since runs report only the training set."""
    found = defaultdict(list, {why: list(names) for why, names in source.part("train").skipped.items()})
    for split in SPLITS:
        for why, names in left_out(source, split, choice).items():
            found[why] += names
    return {why: sorted(names, key=lambda name: int(name.split()[-1])) for why, names in found.items()}


@functools.lru_cache(maxsize=4)
def _cut(own: _Own) -> list[Part]:
    try:
        numbers, texts, labels = lines_of(own.path, own.column, own.label, own.encoding)
    except DataError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            raise DataError(f"{error}, or name its encoding, such as encoding: latin-1") from error
        raise
    except LookupError as error:
        raise DataError(f'encoding: "{own.encoding}" is not an encoding that Python knows') from error
    skipped = {"empty": [f"line {i}" for i, text in zip(numbers, texts, strict=True) if not text]}
    kept = [i for i, text in enumerate(texts) if text]
    if labels is not None:
        skipped["without a class"] = [f"line {numbers[i]}" for i in kept if not labels[i]]
        kept = [i for i in kept if labels[i]]
    skipped = {reason: names for reason, names in skipped.items() if names}
    which: dict[str, int] = {}  # text -> its number among the different texts, in the order of the file
    text = np.array([which.setdefault(texts[i], len(which)) for i in kept], np.int64)
    n = len(which)
    if n < 3:
        lines = ", ".join([f"{len(texts):,} lines", *(f"{len(names):,} {why}" for why, names in skipped.items())])
        raise DataError(
            f"{own.path}: {n} different text{'s' * (n != 1)} ({lines}) cannot be cut into three splits; at least 3 are "
            "needed"
        )
    classes = () if labels is None else tuple(sorted({labels[i] for i in kept}))
    held = max(1, n // 10)
    place = np.argsort(np.random.RandomState(own.seed).permutation(n))[text]
    order = np.argsort(place, kind="stable")
    parts = []
    for first, last in ((2 * held, n), (0, held), (held, 2 * held)):
        chosen = [kept[j] for j in order[(first <= place[order]) & (place[order] < last)].tolist()]
        of = None if labels is None else [classes.index(labels[i]) for i in chosen]
        names = [f"line {numbers[i]}" for i in chosen]
        parts.append(
            Part([texts[i] for i in chosen], names, of, classes, {"line": [str(numbers[i]) for i in chosen]}, skipped)
        )
    return parts
