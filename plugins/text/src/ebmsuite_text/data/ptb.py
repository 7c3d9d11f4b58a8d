"""Penn Treebank: sentences of the Wall Street Journal."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from ebmsuite.errors import DataError
from ebmsuite.files import data_folder, missing, read_text, rows_of
from ebmsuite_text.codec import Splitting
from ebmsuite_text.data.sentences import SPLITS, Choice, Part, Sentences, Split, Tokeniser, sentences

__all__ = ["ptb"]


def ptb(
    split: Split = "train",
    tokeniser: Tokeniser = "words",
    words: int | None = None,
    longest: int | None = None,
    n: int | None = None,
) -> Sentences:
    """Penn Treebank as Mikolov preprocessed it: 42,068 training, 3,370 validation and 3,761 test sentences.

    It needs the files text/ptb/ptb.{train,valid,test}.txt.gz in EBMSUITE_DATA. The text is in lower case, without marks
    and with numbers as "N"; words outside of the 10,000 most frequent are "<unk>". 980 training sentences are
    duplicates of others. The other settings are those of `ebmsuite_text.data.sentences.Choice`. Raises `MissingData` if
    a file is not there.
    """
    folder = data_folder()
    paths = tuple(None if folder is None else folder / "text" / "ptb" / f"ptb.{name}.txt.gz" for name in SPLITS)
    for path, name in zip(paths, SPLITS, strict=True):
        if path is None or not path.is_file():
            raise missing("text/ptb", f"text/ptb/ptb.{name}.txt.gz, one sentence per line,")
    files = tuple((path, path.stat().st_mtime_ns) for path in paths if path is not None)
    return sentences(_Ptb(files), split, Choice(tokeniser, words, longest, n))


@dataclass(frozen=True)
class _Ptb:
    files: tuple[tuple[Path, int], ...]
    """The files of train, valid and test, with their times of change, so that a changed file is read again."""

    splitting: Splitting = "spaces"

    def __str__(self) -> str:
        return "text/ptb"

    def part(self, split: Split) -> Part:
        return _read(*self.files[SPLITS.index(split)])


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> Part:
    texts = [" ".join(line.split()) for line in rows_of(read_text(path, "sentences", "ascii"))]
    if "" in texts:
        raise DataError(f"{path}, line {texts.index('') + 1}: no sentence; get the file again")
    return Part(texts, [f"line {i}" for i in range(1, len(texts) + 1)])
