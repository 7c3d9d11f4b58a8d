"""The symbols of SMILES and SELFIES, and the fast way from many strings to rows of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ebmsuite.tokens import END, FIRST, PAD, TokenRows

__all__ = ["Encoded", "Tokeniser", "encode", "split", "vocabulary_of"]

Tokeniser = Literal["atoms", "characters", "selfies"]
"""``atoms``: Cl, Br, a bracket atom, a ring number %nn are one symbol each; ``selfies``: a word in brackets."""

_LONG = {
    "atoms": re.compile(r"\[[^\[\]\n]*\]|Br|Cl|%\d\d"),
    "characters": re.compile(r"(?!)"),
    "selfies": re.compile(r"\[[^\[\]\n]*\]"),
}
"""What is a symbol of more than one character; every other character is a symbol."""

_PRIVATE = 0xE000
"""Long symbols become single characters from here on, a range that no text uses."""
_CHUNK = 100_000


@dataclass(frozen=True, eq=False)
class Encoded(TokenRows):
    """Strings as rows of tokens, each with its end; an unknown symbol is 0.

    ``unknown`` maps the number of a string to its first symbol that the vocabulary lacks.
    """

    unknown: dict[int, str]


def split(tokeniser: Tokeniser, string: str) -> list[str]:
    """The symbols of a string."""
    return re.findall(rf"{_LONG[tokeniser].pattern}|[\s\S]", string)


def vocabulary_of(tokeniser: Tokeniser, strings: Sequence[str]) -> tuple[str, ...]:
    """The symbols of all strings, sorted; what is not ASCII is no symbol."""
    long = _LONG[tokeniser]
    found: set[str] = set()
    for start in range(0, len(strings), _CHUNK):
        text = "\n".join(strings[start : start + _CHUNK])
        found |= {*long.findall(text), *long.sub("", text)}
    return tuple(sorted(s for s in found if s.isascii() and s not in "\n\0"))


def encode(tokeniser: Tokeniser, vocabulary: Sequence[str], strings: Sequence[str]) -> Encoded:
    """Tokens of all strings, a few million a second; uint8 where the vocabulary allows, else uint16."""
    number = {symbol: i for i, symbol in enumerate(vocabulary, FIRST)}
    # a table from characters to tokens: unknown ones become 0, which no string contains
    table = np.zeros(1 << 16, np.uint8 if len(vocabulary) + FIRST <= 256 else np.uint16)
    table[ord("\n")] = END
    for symbol, i in number.items():
        table[ord(symbol) if len(symbol) == 1 else _PRIVATE + i] = i
    pattern = re.compile(f"({_LONG[tokeniser].pattern})")
    short = {symbol: chr(_PRIVATE + i) for symbol, i in number.items()}
    parts = [table[:0]]
    for start in range(0, len(strings), _CHUNK):
        chunk = strings[start : start + _CHUNK]
        if not all(map(str.isascii, chunk)) or any("\n" in s for s in chunk):
            chunk = [re.sub(r"[^\x00-\x7f]|\n", "\0", s) for s in chunk]
        pieces = pattern.split("\n".join(chunk) + "\n")  # every second one is a long symbol
        pieces[1::2] = [short.get(symbol, chr(_PRIVATE)) for symbol in pieces[1::2]]
        text = "".join(pieces)
        parts.append(table[np.frombuffer(text.encode("utf-16-le"), np.uint16)])
    flat = np.concatenate(parts)
    starts = np.concatenate([[0], np.flatnonzero(flat == END) + 1]).astype(np.int64)
    holes = np.searchsorted(starts, np.flatnonzero(flat == PAD), side="right") - 1
    unknown = {int(i): next(s for s in split(tokeniser, strings[i]) if s not in number) for i in np.unique(holes)}
    return Encoded(flat, starts, unknown)
