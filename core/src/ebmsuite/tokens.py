"""Texts as rows of tokens: the reserved tokens, many rows in one array, and what data sets and codecs of them share.

A row of tokens is int64 [L]: `END` ends it, `PAD` fills up after the end and counts for nothing, and the symbols of a
vocabulary are numbered from `FIRST`. A row without `END` is a text that was cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.dataset import Dataset, digest_of
from ebmsuite.errors import DataError
from ebmsuite.space import Batch, Space

__all__ = ["CUT", "END", "FIRST", "PAD", "TokenCodec", "TokenRows", "Tokenised", "Unfit", "cut_off", "short"]

PAD, END, FIRST = 0, 1, 2

CUT = "…"
"""The mark at the end of a decoded text whose row has no end. `cut_off` counts such rows: a text may end so itself."""


@dataclass(frozen=True, eq=False)
class TokenRows:
    """Rows of tokens without padding, one after the other: row i is ``flat[starts[i]:starts[i + 1]]``.

    ``flat`` is an array of any integer type; ``starts`` int64 [N + 1].
    """

    flat: NDArray[Any]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]], dtype: Any = np.int64) -> TokenRows:
        """These sequences of tokens, as they are: an `END` is part of a sequence."""
        arrays = [np.asarray(row, dtype) for row in rows]
        flat = np.concatenate([np.zeros(0, dtype), *arrays])
        return cls(flat, np.cumsum([0, *map(len, arrays)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of tokens of each row, [N]."""
        return np.diff(self.starts)

    def padded(self, index: Tensor | None = None) -> Tensor:
        """The rows ``index`` [B], by default all: int64 [B, L], L the longest of them, `PAD` after each."""
        flat, starts = torch.from_numpy(self.flat), torch.from_numpy(self.starts)
        index = torch.arange(len(self)) if index is None else index
        first, last = starts[index], starts[index + 1]
        longest = int((last - first).max()) if len(index) else 0
        at = first[:, None] + torch.arange(longest)
        inside = at < last[:, None]
        return torch.where(inside, flat[at.clamp(max=len(flat) - 1)].long(), PAD)


class Tokenised(Dataset):
    """A data set whose events are the rows of ``tokens``; ``lengths`` counts the tokens of each, its end included.

    ``classes`` counts all tokens, `PAD` and `END` included. ``longest`` is the most tokens of a row, by default of
    these rows; the splits of one source need the same. `DataError` names the first row that has no token, a token
    outside the vocabulary, padding, something after its end, or more than ``longest`` tokens.
    """

    def __init__(self, tokens: TokenRows, classes: int, longest: int | None = None) -> None:
        lengths = tokens.lengths
        longest = int(lengths.max(initial=1)) if longest is None else longest
        _check(tokens, classes, longest)
        self.tokens = tokens
        self.lengths = torch.from_numpy(lengths)
        self.event = Space((None,), kind="tokens", classes=classes, longest=longest)

    def __len__(self) -> int:
        return len(self.tokens)

    def digest(self) -> str:
        """Of all tokens, whatever the integer type that stores them."""
        flat = self.tokens.flat.astype(np.min_scalar_type(self.event.classes or 0), copy=False)
        return digest_of(torch.from_numpy(self.tokens.starts), torch.from_numpy(flat))

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        """Rows ``index`` [B]: x int64 [B, L], L the longest of them."""
        return Batch(self.tokens.padded(index), index=index)


def _check(tokens: TokenRows, classes: int, longest: int) -> None:
    flat, starts, lengths = tokens.flat, tokens.starts, tokens.lengths
    n = len(tokens)
    for wrong, why in (
        (lengths == 0, f"no tokens; an empty text is its end ({END}) alone"),
        (lengths > longest, f"more than {longest} tokens, the longest there may be"),
    ):
        if wrong.any():
            raise DataError(f"row {int(np.flatnonzero(wrong)[0]) + 1} of {n} has {why}")
    ends = flat == END
    ends[starts[1:] - 1] = False
    if not ends.any() and flat.min(initial=END) > PAD and flat.max(initial=END) < classes:
        return
    for wrong, why in (  # there are many tokens: look for the place only where there is one
        (flat >= classes, f"a token of {classes} or more, where the tokens are 0 to {classes - 1}"),
        (flat < 0, "a negative token"),
        (flat == PAD, f"padding ({PAD}) among its tokens"),
        (ends, f"tokens after its end ({END})"),
    ):
        if wrong.any():
            row = int(np.searchsorted(starts, np.flatnonzero(wrong)[0], side="right"))
            raise DataError(f"row {row} of {n} has {why}")


# -- codecs --------------------------------------------------------------------------------------------------------


class Unfit(NamedTuple):
    """Why a text is no row of a codec."""

    kind: str
    """A word for this kind of reason, by which inputs that are left out are grouped."""
    why: str


class TokenCodec:
    """What codecs between texts and rows of tokens share. A subclass is a frozen dataclass with the two fields below.

    It defines `encoded`, and `text` where a text is not just its symbols one after the other.
    """

    vocabulary: tuple[str, ...]
    """The symbols: ``vocabulary[i]`` is token i + `FIRST`."""
    longest: int
    """The most tokens of a row, its end included."""

    @property
    def classes(self) -> int:
        """Number of tokens, padding and end included."""
        return len(self.vocabulary) + FIRST

    def encoded(self, texts: Sequence[str]) -> tuple[TokenRows, dict[int, Unfit]]:
        """All texts as rows of tokens, and why some of them, by number from 0, are no rows of this codec."""
        raise NotImplementedError(f"{type(self).__name__} defines no encoded")

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens of the vocabulary: those of a row before its end."""
        vocabulary = self.vocabulary
        return "".join([vocabulary[token - FIRST] for token in tokens])

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Rows of tokens, int64 [B, L]. `DataError` names the first text, by number from 1, that is no row, and why."""
        rows, unfit = self.encoded(texts)
        for i, (_, why) in sorted(unfit.items()):
            raise DataError(f"string {i + 1} of {len(texts)}, {short(texts[i])}: {why}")
        return rows.padded()

    def too_long(self, rows: TokenRows) -> dict[int, Unfit]:
        """The rows, by number from 0, with more than `longest` tokens."""
        lengths = rows.lengths
        return {
            i: Unfit("length", f"{lengths[i]} tokens with the end, the most are {self.longest}")
            for i in np.flatnonzero(lengths > self.longest).tolist()
        }

    def decode(self, x: Tensor) -> list[str]:
        """The texts of rows of tokens [B, L], each up to its end; a row without an end is marked with `CUT`."""
        texts = []
        for row in x.detach().to("cpu").tolist():
            until = next((i for i, token in enumerate(row) if token < FIRST), len(row))
            ended = until < len(row) and row[until] == END
            texts.append(self.text(row[:until]) + ("" if ended else CUT))
        return texts


def cut_off(x: Tensor) -> Tensor:
    """Which rows of tokens [B, L] have no end: bool [B]."""
    first = (x < FIRST) & ((x < FIRST).cumsum(1) == 1)  # the first that is no symbol
    return ~(first & (x == END)).any(1)


def short(text: str) -> str:
    """The text in quotation marks for a message, at most 60 characters of it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
