"""The base of all data sets of molecules: one array of tokens, from which batches take rows."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from ebmsuite.dataset import Codec, digest_of
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.space import Batch, Space
from ebmsuite.tokens import Tokenised, TokenRows
from ebmsuite_molecule import selfies_words, tokens, workers
from ebmsuite_molecule.chemistry import Property
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data.graphs import graphs
from ebmsuite_molecule.tokens import Tokeniser

__all__ = ["SPLITS", "Molecules", "Public", "Source", "View", "of_source"]

View: TypeAlias = Literal["graph"]
"""Alternative encoder inputs that replace the tokens (see `ebmsuite_molecule.data.graphs`)."""

SPLITS = ("train", "valid", "test")


class Molecules(Tokenised):
    """A data set of molecules. Events are rows of tokens, int64 [L], encoded by ``codec``.

    ``strings`` are the SMILES as the source writes them. ``values`` float64 [N, P] are the properties that the codec
    names; their standardised values are the condition. ``note`` says which part of the source this is, ``skipped``
    which inputs were left out. With ``view`` "graph", batches contain the molecules as graphs in addition to the
    tokens.
    """

    def __init__(
        self,
        strings: list[str],
        codec: Strings,
        values: Tensor | None = None,
        note: str = "",
        view: View | None = None,
        skipped: Mapping[str, Sequence[str]] = MappingProxyType({}),
        encoded: TokenRows | None = None,
    ) -> None:
        """``encoded`` are the strings encoded by the codec, if the caller already has them."""
        rows, bad = codec.encoded(strings) if encoded is None else (encoded, {})
        for i, unfit in sorted(bad.items()):
            raise DataError(f"molecule {i + 1} of {len(strings)}, {strings[i]!r}: {unfit.why}")
        super().__init__(rows, codec.classes, codec.longest)
        self.strings, self.values, self.note, self.view = strings, values, note, view
        self.skipped = skipped
        self.codec: Codec | None = codec
        self.condition: Space | None = None
        self._standardised: Tensor | None = None
        if values is not None:
            self.condition = Space((len(codec.properties),))
            mean, sd = torch.tensor(codec.means).double(), torch.tensor(codec.sds).double()
            self._standardised = ((values - mean) / sd).float()

    def digest(self) -> str:
        """Return the digest of all SMILES and property values, in order."""
        return digest_of("\n".join(self.strings), self.values)

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        """Return examples ``index`` [B]: x int64 [B, L], L their maximum length; condition float32 [B, P] or None."""
        known = None if self._standardised is None else self._standardised[index]
        view = None if self.view is None else graphs([self.strings[i] for i in index.tolist()])
        return Batch(self.tokens.padded(index), known, index, view=view)


class Source(Protocol):
    """A source of SMILES strings. It is hashable, so that results computed from it can be cached."""

    def __hash__(self) -> int: ...

    def strings(self, split: str) -> Sequence[str]:
        """Return all SMILES of a split. Raises `RecipeError` if there is no such split."""
        ...

    def name(self, split: str, number: int) -> str:
        """Return the name that messages use for the string with index ``number``, from 0, of a split."""
        ...

    def note(self, split: str) -> str:
        """Describe which part of a public data set the split is; empty if it is all of it."""
        ...

    def skipped(self) -> Mapping[str, Sequence[str]]:
        """Return the inputs that the source itself left out: reason -> names."""
        ...


class Public:
    """Base class of the sources of public data. By default it uses all molecules of a split."""

    def name(self, split: str, number: int) -> str:
        return f"molecule {number + 1} of {split}"

    def note(self, split: str) -> str:
        return ""

    def skipped(self) -> Mapping[str, Sequence[str]]:
        return {}


_REASONS = {
    "symbol": "with a symbol that no training molecule has",
    "length": "longer than every training molecule",
    "selfies": "that SELFIES cannot write",
}
"""Reasons for leaving out molecules, by the kind of `Unfit`. In messages they follow a count."""


def of_source(
    source: Source,
    split: str,
    tokeniser: Tokeniser,
    properties: Sequence[Property],
    n: int | None,
    view: View | None = None,
) -> Molecules:
    """Return the first ``n`` molecules (all if None) of a split, with the vocabulary of the whole training split.

    It leaves out molecules that SELFIES cannot represent, and molecules of the other splits that have a symbol that is
    not in the training split or that are longer than its longest molecule; ``skipped`` names them. The means and
    standard deviations of the properties are those of the first ``n`` training molecules.
    """
    if n is not None and n < 1:
        raise RecipeError(f"n: {n} must be at least 1")
    if len(set(properties)) < len(properties):
        raise RecipeError(f"properties: {', '.join(properties)} names one twice")
    vocabulary, longest = _fitted(source, tokeniser)
    codec = Strings(tokeniser, vocabulary, longest)
    found, encoded, left_out = _usable(source, split, codec)
    strings, notes = list(found[:n]), [source.note(split)]
    if len(strings) < len(found):
        notes.append(f"the first {n:,} of {len(found):,}")
    values = None
    if properties:
        names = tuple(properties)
        train, _, _ = _usable(source, "train", codec)
        of_train = _values(train[:n], names)
        sds = of_train.std(0, correction=0)
        sds = torch.where(sds > 0, sds, 1.0)
        codec = Strings(tokeniser, vocabulary, longest, names, tuple(of_train.mean(0).tolist()), tuple(sds.tolist()))
        values = of_train if split == "train" else _values(strings, names)
    note, skipped = ", ".join(filter(None, notes)), {**source.skipped(), **left_out}
    return Molecules(strings, codec, values, note, view, skipped, encoded if len(strings) == len(found) else None)


def _values(strings: Sequence[str], names: Sequence[Property]) -> Tensor:
    columns = [workers.each(name, strings, remember=True) for name in names]
    return torch.tensor(columns, dtype=torch.float64).T.contiguous()


@functools.lru_cache(maxsize=8)
def _fitted(source: Source, tokeniser: Tokeniser) -> tuple[tuple[str, ...], int]:
    """Return the vocabulary of the training split and its maximum number of tokens per string."""
    strings = source.strings("train")
    if tokeniser == "selfies":
        selfies_words.library()
        strings = [s for s in workers.each("selfies", strings, remember=True) if s]
    vocabulary = tokens.vocabulary_of(tokeniser, strings)
    return vocabulary, int(tokens.encode(tokeniser, vocabulary, strings).lengths.max())


@functools.lru_cache(maxsize=8)
def _usable(source: Source, split: str, codec: Strings) -> tuple[Sequence[str], TokenRows | None, dict[str, list[str]]]:
    """Return the strings of a split that the codec can represent, and the names of the others by reason.

    The second result is the encoded strings if the codec can represent all of them, else None.
    """
    strings = source.strings(split)
    encoded, bad = codec.encoded(strings)
    left_out: dict[str, list[str]] = {}
    for i, unfit in sorted(bad.items()):
        left_out.setdefault(_REASONS[unfit.kind], []).append(source.name(split, i))
    if bad:
        return [s for i, s in enumerate(strings) if i not in bad], None, left_out
    return strings, encoded, left_out
