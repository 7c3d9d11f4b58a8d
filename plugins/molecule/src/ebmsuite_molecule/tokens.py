"""Tokenisation of SMILES and SELFIES: symbols, vocabularies and fast encoding of many strings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ebmsuite.tokens import END, FIRST, PAD, TokenRows

__all__ = ["Encoded", "Tokeniser", "encode", "split", "vocabulary_of"]

Tokeniser = Literal["atoms", "characters", "selfies"]
"""How a string is split. ``atoms``: Cl, Br, a bracket atom and a ring number %nn are one symbol each.
``characters``: every character is a symbol. ``selfies``: every word in brackets is a symbol."""

_LONG = {
    "atoms": re.compile(r"\[[^\[\]\n]*\]|Br|Cl|%\d\d"),
    "characters": re.compile(r"(?!)"),
    "selfies": re.compile(r"\[[^\[\]\n]*\]"),
}
"""Patterns of the symbols of more than one character. Every other character is a symbol by itself."""

_PRIVATE = 0xE000
"""First code point of the single characters that replace long symbols. This is a private use area of Unicode."""
_CHUNK = 100_000


@dataclass(frozen=True, eq=False)
class Encoded(TokenRows):
    """Strings as rows of tokens, each with its end token. An unknown symbol has token 0.

    ``unknown`` maps the index of a string to its first symbol that is not in the vocabulary.
    """

    unknown: dict[int, str]


def split(tokeniser: Tokeniser, string: str) -> list[str]:
    """Split a string into its symbols."""
    return re.findall(rf"{_LONG[tokeniser].pattern}|[\s\S]", string)


def vocabulary_of(tokeniser: Tokeniser, strings: Sequence[str]) -> tuple[str, ...]:
    """Return the sorted symbols of all strings, without symbols outside ASCII."""
    long = _LONG[tokeniser]
    found: set[str] = set()
    for start in range(0, len(strings), _CHUNK):
        text = "\n".join(strings[start : start + _CHUNK])
        found |= {*long.findall(text), *long.sub("", text)}
    return tuple(sorted(s for s in found if s.isascii() and s not in "\n\0"))


def encode(tokeniser: Tokeniser, vocabulary: Sequence[str], strings: Sequence[str]) -> Encoded:
    """Encode strings as tokens, a few million per second; uint8 if the vocabulary is small enough, else uint16."""
    number = {symbol: i for i, symbol in enumerate(vocabulary, FIRST)}
    # maps characters to tokens; unknown characters become 0, which no valid string contains
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
        pieces = pattern.split("\n".join(chunk) + "\n")  # every second piece is a long symbol
        pieces[1::2] = [short.get(symbol, chr(_PRIVATE)) for symbol in pieces[1::2]]
        text = "".join(pieces)
        parts.append(table[np.frombuffer(text.encode("utf-16-le"), np.uint16)])
    flat = np.concatenate(parts)
    starts = np.concatenate([[0], np.flatnonzero(flat == END) + 1]).astype(np.int64)
    holes = np.searchsorted(starts, np.flatnonzero(flat == PAD), side="right") - 1
    unknown = {int(i): next(s for s in split(tokeniser, strings[i]) if s not in number) for i in np.unique(holes)}
    return Encoded(flat, starts, unknown)
