"""The base of all data sets of texts: sources of texts, the choice of sentences, and fitted codecs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ebmsuite.dataset import Codec, digest_of
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.space import Batch, Space
from ebmsuite.tokens import Tokenised, TokenRows
from ebmsuite_text.codec import Pieces, Splitting, TextCodec, Words, fit_pieces, fit_words

__all__ = ["SPLITS", "Choice", "Part", "Sentences", "Source", "Split", "Tokeniser", "left_out", "sentences"]

Split: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

Tokeniser: TypeAlias = Literal["words", "bpe"]
"""``words``: a token per word. ``bpe``: byte-level byte-pair encoding."""


@dataclass(frozen=True)
class Part:
    """The texts of one split, with their names for messages ("line 7") and, if there are classes, their classes."""

    texts: Sequence[str]
    names: Sequence[str]
    labels: Sequence[int] | None = None
    classes: tuple[str, ...] = ()
    meta: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further facts of each text, by name."""
    skipped: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What the source itself left out: reason -> names."""


class Source(Protocol):
    """A source of texts. It is hashable, so that what is computed from it can be cached."""

    @property
    def splitting(self) -> Splitting:
        """How a text is split into words."""
        ...

    def __hash__(self) -> int: ...

    def part(self, split: Split) -> Part:
        """Return all texts of a split."""
        ...


@dataclass(frozen=True)
class Choice:
    """Which sentences of a source a data set has, and how they become tokens.

    ``longest`` is the maximum number of tokens of a sentence, by default that of the training sentences. ``words`` is
    the size of the vocabulary: the most frequent words of the training sentences, by default all; the other words are
    "<unk>". Byte-pair encoding has 4,000 symbols by default. ``n`` takes the first n sentences of each split.
    """

    tokeniser: Tokeniser = "words"
    words: int | None = None
    longest: int | None = None
    n: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (("words", self.words, 1), ("longest", self.longest, 1), ("n", self.n, 1)):
            if value is not None and value < least:
                raise RecipeError(f"{name}: must be at least {least}, got {value}")


class Sentences(Tokenised):
    """A data set of texts. Events are rows of tokens, int64 [L], encoded by ``codec``.

    ``texts`` are the texts as the source writes them. With ``conditional``, the condition is the class of a text.
    ``copies`` is the number of sentences that are equal to an earlier one, ``unknown`` the share of the words that are
    not in the vocabulary.
    """

    def __init__(
        self,
        texts: Sequence[str],
        rows: TokenRows,
        codec: TextCodec,
        labels: Tensor | None = None,
        classes: tuple[str, ...] = (),
        meta: Mapping[str, Sequence[str]] | None = None,
        conditional: bool = False,
        note: str = "",
        skipped: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(rows, codec.classes, codec.longest)
        self.texts, self.note, self.skipped = texts, note, skipped or {}
        self.codec: Codec | None = codec
        self.labels = labels
        self.meta = {name: np.array(values) for name, values in (meta or {}).items()}
        self.condition: Space | None = None
        if conditional:
            if labels is None:
                raise RecipeError("conditional: these texts have no classes; name the column of the classes (label)")
            self.condition = Space((), kind="label", classes=len(classes), names=classes)
        self.copies = len(texts) - len(set(texts))
        self.unknown = codec.unknown(rows) / max(1, len(rows.flat) - len(rows))

    def digest(self) -> str:
        """Return the digest of all texts, tokens and classes, in order."""
        return digest_of("\n".join(self.texts), super().digest(), self.labels)

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        """Return examples ``index`` [B]: x int64 [B, L], L their maximum length; condition int64 [B] or None."""
        given = self.labels[index] if self.condition is not None else None
        meta = {name: values[index.cpu().numpy()] for name, values in self.meta.items()} or None
        return Batch(self.tokens.padded(index), given, index, meta=meta)


def sentences(source: Source, split: Split, choice: Choice, conditional: bool = False) -> Sentences:
    """Return the chosen sentences of a split, encoded with the vocabulary of the chosen training sentences.

    Sentences of more than ``longest`` tokens, or of more than every training sentence, are left out; ``skipped`` names
    them. ``note`` states which part of the split this is, how many sentences are copies of others of the split or of
    training sentences, and the share of unknown words. Raises `DataError` if no sentence is left, or a class that is a
    condition has no training sentence.
    """
    if split not in SPLITS:
        raise RecipeError(f'split: "{split}" is not one of {", ".join(SPLITS)}')
    codec = _fitted(source, choice)
    part, kept, rows, skipped = _usable(source, split, choice)
    if not kept:
        why = ", ".join(f"{len(names):,} {reason}" for reason, names in skipped.items())
        raise DataError(f"{source}: no sentence of the split {split} can be used ({why or 'it has none'})")
    whole, kept = len(part.texts) - sum(map(len, skipped.values())), kept[: choice.n]
    texts = [part.texts[i] for i in kept]
    labels = None if part.labels is None else torch.tensor([part.labels[i] for i in kept], dtype=torch.int64)
    meta = {name: [values[i] for i in kept] for name, values in part.meta.items()}
    if split == "train" and labels is not None and conditional:
        empty = [c for i, c in enumerate(part.classes) if not bool((labels == i).any())]
        if empty:
            raise DataError(
                f"{source}: the class {empty[0]!r} has no training sentence; add some, or set conditional: false"
            )
    rows = TokenRows(rows.flat[: rows.starts[len(kept)]], rows.starts[: len(kept) + 1])
    notes = [f"the first {len(kept):,} of {whole:,} sentences"] if len(kept) < whole else []
    made = Sentences(
        texts, rows, codec, labels, part.classes, meta, conditional, "", {**part.skipped, **skipped}
    )  # fmt: skip
    if made.copies:
        notes.append(f"{made.copies:,} duplicate sentences")
    if split != "train":
        known = training_texts(source, choice)
        shared = sum(text in known for text in texts)
        if shared:
            notes.append(f"{shared:,} sentences that the training set also has")
    if made.unknown:
        notes.append(f"{made.unknown:.1%} of the words are <unk>")
    made.note = ", ".join(notes)
    return made


def left_out(source: Source, split: Split, choice: Choice) -> Mapping[str, Sequence[str]]:
    """Return what ``choice`` leaves out of a split because of its length: reason -> names."""
    return _usable(source, split, choice).skipped


@functools.lru_cache(maxsize=8)
def training_texts(source: Source, choice: Choice) -> frozenset[str]:
    """Return the different chosen training sentences."""
    part, kept, _, _ = _usable(source, "train", choice)
    return frozenset(part.texts[i] for i in kept[: choice.n])


@functools.lru_cache(maxsize=8)
def _fitted(source: Source, choice: Choice) -> TextCodec:
    """Return the codec of the chosen training sentences."""
    part = source.part("train")
    if choice.tokeniser == "bpe":
        # the symbols are fitted to all training texts, because the number of symbols of a text depends on them
        symbols, merges = fit_pieces(part.texts, choice.words or 4_000)
        unbounded: TextCodec = Pieces(symbols, 2**31, merges)
        lengths = unbounded.encoded(part.texts)[0].lengths
        return Pieces(symbols, _longest(source, lengths, choice), merges)
    unbounded = Words(fit_words(part.texts, source.splitting, None), 2**31, source.splitting)
    lengths = unbounded.encoded(part.texts)[0].lengths
    longest = _longest(source, lengths, choice)
    chosen = [part.texts[i] for i in np.flatnonzero(lengths <= longest)[: choice.n].tolist()]
    return Words(fit_words(chosen, source.splitting, choice.words), longest, source.splitting)


def _longest(source: Source, lengths: np.ndarray[tuple[int], np.dtype[np.int64]], choice: Choice) -> int:
    """Return the maximum number of tokens of a chosen training sentence, including its end."""
    most = choice.longest
    short = lengths if most is None else lengths[lengths <= most + 1]
    if not len(short):
        raise DataError(f"{source}: no training sentence has at most {most} tokens")
    return int(short[: choice.n].max())


class _Usable(NamedTuple):
    part: Part
    kept: list[int]
    rows: TokenRows
    skipped: dict[str, list[str]]


@functools.lru_cache(maxsize=8)
def _usable(source: Source, split: Split, choice: Choice) -> _Usable:
    """Return the texts of a split that the codec can encode, and the names of the others by reason."""
    part, codec, most = source.part(split), _fitted(source, choice), choice.longest
    rows, bad = codec.encoded(part.texts)
    over = {i for i in bad if most is not None and rows.lengths[i] > most + 1}
    reasons = {f"longer than {most} tokens": over}
    if split != "train":  # training sentences after the first n are not chosen, whatever their length
        reasons[f"longer than every training sentence ({codec.longest - 1} tokens)"] = bad.keys() - over
    kept = [i for i in range(len(part.texts)) if i not in bad]
    if bad:
        rows = TokenRows.of((rows.flat[rows.starts[i] : rows.starts[i + 1]].tolist() for i in kept), rows.flat.dtype)
    return _Usable(part, kept, rows, {why: [part.names[i] for i in sorted(of)] for why, of in reasons.items() if of})
