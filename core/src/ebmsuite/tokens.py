"""Texts as rows of tokens: reserved tokens, storage of many rows in one array, and bases for data sets and codecs.

A row of tokens is int64 [L]. `END` ends it, `PAD` pads it after the end and is ignored, and the symbols of the
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
"""Mark at the end of a decoded text whose row has no `END`. A text can itself end in this character, so use `cut_off`
to find rows that were cut off."""


@dataclass(frozen=True, eq=False)
class TokenRows:
    """Concatenated rows of tokens without padding: row i is ``flat[starts[i]:starts[i + 1]]``.

    ``flat`` is an array of any integer type; ``starts`` int64 [N + 1].
    """

    flat: NDArray[Any]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]], dtype: Any = np.int64) -> TokenRows:
        """Store sequences of tokens unchanged; each sequence must already contain its `END`."""
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
        """Return the rows ``index`` [B], by default all, padded with `PAD`: int64 [B, L], L their maximum length."""
        flat, starts = torch.from_numpy(self.flat), torch.from_numpy(self.starts)
        index = torch.arange(len(self)) if index is None else index
        first, last = starts[index], starts[index + 1]
        longest = int((last - first).max()) if len(index) else 0
        index = first[:, None] + torch.arange(longest)
        inside = index < last[:, None]
        return torch.where(inside, flat[index.clamp(max=len(flat) - 1)].long(), PAD)


class Tokenised(Dataset):
    """A data set whose events are the rows of ``tokens``.

    ``lengths`` are the numbers of tokens per row, including its end. ``classes`` is the number of different tokens,
    including `PAD` and `END`. ``longest`` is the maximum number of tokens of a row, by default that of these rows; all
    splits of one source need the same value. Raises `DataError`, which names the first row that has no token, a token
    outside the vocabulary, padding, tokens after its end, or more than ``longest`` tokens.
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
        """Return the digest of all tokens. It does not depend on the integer type that stores them."""
        flat = self.tokens.flat.astype(np.min_scalar_type(self.event.classes or 0), copy=False)
        return digest_of(torch.from_numpy(self.tokens.starts), torch.from_numpy(flat))

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        """Return the rows ``index`` [B]: x int64 [B, L], L their maximum length."""
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
    for wrong, why in (  # slow on many tokens, so it runs only if there is an error
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
    """The reason why a codec cannot represent a text."""

    kind: str
    """Keyword of this kind of reason. Inputs that are left out are grouped by it."""
    why: str


class TokenCodec:
    """Base class of codecs between texts and rows of tokens.

    A subclass is a frozen dataclass with the two fields below. It defines `encoded`. It also defines `text` if a text
    is not simply the concatenation of its symbols.
    """

    vocabulary: tuple[str, ...]
    """The symbols; ``vocabulary[i]`` has token i + `FIRST`."""
    longest: int
    """Maximum number of tokens of a row, including its end."""

    @property
    def classes(self) -> int:
        """Number of different tokens, including padding and end."""
        return len(self.vocabulary) + FIRST

    def encoded(self, texts: Sequence[str]) -> tuple[TokenRows, dict[int, Unfit]]:
        """Encode texts as rows of tokens; also return, by index from 0, why some of them cannot be encoded."""
        raise NotImplementedError(f"{type(self).__name__} defines no encoded")

    def text(self, tokens: Sequence[int]) -> str:
        """Convert tokens of the vocabulary, those of a row before its end, to text."""
        vocabulary = self.vocabulary
        return "".join([vocabulary[token - FIRST] for token in tokens])

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Encode texts as rows of tokens, int64 [B, L].

        Raises `DataError` if this codec cannot represent a text; the message has its number, from 1, and the reason.
        """
        rows, unfit = self.encoded(texts)
        for i, (_, why) in sorted(unfit.items()):
            raise DataError(f"string {i + 1} of {len(texts)}, {short(texts[i])}: {why}")
        return rows.padded()

    def too_long(self, rows: TokenRows) -> dict[int, Unfit]:
        """Return, by index from 0, the rows with more than `longest` tokens."""
        lengths = rows.lengths
        return {
            i: Unfit("length", f"{lengths[i]} tokens with the end, the most are {self.longest}")
            for i in np.flatnonzero(lengths > self.longest).tolist()
        }

    def decode(self, x: Tensor) -> list[str]:
        """Decode rows of tokens [B, L] up to their ends. The text of a row without an end gets the mark `CUT`."""
        texts = []
        for row in x.detach().to("cpu").tolist():
            until = next((i for i, token in enumerate(row) if token < FIRST), len(row))
            ended = until < len(row) and row[until] == END
            texts.append(self.text(row[:until]) + ("" if ended else CUT))
        return texts


def cut_off(x: Tensor) -> Tensor:
    """Return which rows of tokens [B, L] have no end, bool [B]."""
    first = (x < FIRST) & ((x < FIRST).cumsum(1) == 1)  # the first token that is not a symbol
    return ~(first & (x == END)).any(1)


def short(text: str) -> str:
    """Quote a text for a message, shortened to at most 60 characters."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
