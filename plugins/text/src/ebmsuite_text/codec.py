"""The codecs ``text/words`` and ``text/bpe``: convert files of texts to rows of tokens and back."""

from __future__ import annotations

import functools
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import write_csv, write_text
from ebmsuite.space import Batch
from ebmsuite.tokens import CUT, FIRST, TokenCodec, TokenRows, Unfit, cut_off, short
from ebmsuite_text.drawing import pictures
from ebmsuite_text.lines import lines_of

__all__ = ["UNKNOWN", "Pieces", "Splitting", "TextCodec", "Words", "fit_pieces", "fit_words", "split"]

log = logging.getLogger("ebmsuite")

UNKNOWN = "<unk>"
"""The word that stands for every word outside of the vocabulary."""

Splitting = Literal["spaces", "words"]
"""``spaces``: words are separated by spaces already. ``words``: in lower case, marks are words of their own."""

_WORD = re.compile(r"<unk>|\w+(?:['’]\w+)*['’]?|[^\w\s]")
_TEXTS = (".txt", ".jsonl", ".csv")


def split(text: str, splitting: Splitting) -> list[str]:
    """Split a text into words."""
    return text.split() if splitting == "spaces" else _WORD.findall(text.lower())


@dataclass(frozen=True)
class TextCodec(TokenCodec):
    """The base of codecs between texts and rows of tokens, int64 [B, L] (`ebmsuite.tokens`)."""

    name: ClassVar[str]

    vocabulary: tuple[str, ...]
    longest: int

    def read(self, path: Path) -> Batch:
        """Read the texts of a file (`ebmsuite_text.lines`): x int64 [N, L], index 0..N-1.

        Raises `DataError` if a text is empty, too long or cannot be encoded; the message lists the first such lines.
        A warning states how many words are outside of the vocabulary.
        """
        found = lines_of(path)
        rows, unfit = self.encoded(found.texts)
        bad = {i: Unfit("empty", "no words") for i, n in enumerate(rows.lengths.tolist()) if n == 1} | unfit
        if bad:
            shown = "; ".join(
                f"line {found.numbers[i]}, {short(found.texts[i])}: {why}" for i, (_, why) in sorted(bad.items())[:5]
            )
            raise DataError(
                f"{path}: {len(bad):,} of {len(found.texts):,} lines are no texts for this model: {shown}; correct or "
                "remove them"
            )
        unknown, words = self.unknown(rows), len(rows.flat) - len(rows)
        if unknown:
            log.warning(
                "%s: %d of %d words are not in the vocabulary and are read as %s", path, unknown, words, UNKNOWN
            )
        return Batch(rows.padded(), index=torch.arange(len(rows)))

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write rows of tokens [N, L] as texts: one per line (.txt), JSON object (.jsonl) or row (.csv).

        The last two have a further column for each entry of the ``meta`` of ``batch``. A text that was cut off before
        its end ends in `CUT`; a warning states how many there are.
        """
        path, texts = Path(path), self.decode(x)
        meta = {} if batch is None or batch.meta is None else {k: v.tolist() for k, v in batch.meta.items()}
        names, rows = ["text", *meta], list(zip(texts, *meta.values(), strict=True))
        match path.suffix.lower():
            case ".txt":
                write_text(path, "".join(f"{text}\n" for text in texts))
            case ".jsonl":
                objects = (dict(zip(names, row, strict=True)) for row in rows)
                write_text(path, "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects))
            case ".csv":
                write_csv(path, names, rows)
            case _:
                raise DataError(f'{path}: texts are not written as "{path.suffix}", but as {", ".join(_TEXTS)}')
        if cut := int(cut_off(x).sum()):
            log.warning("%s: %d of %d texts were cut off before their end; they end in %s", path, cut, len(texts), CUT)

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """Draw rows of tokens [N, L] as wrapped lines of text: uint8 [N, H, W]."""
        return pictures(self.decode(x))

    def unknown(self, rows: TokenRows) -> int:
        """Count the tokens of rows that stand for words outside of the vocabulary."""
        token = self.numbers.get(UNKNOWN)
        return 0 if token is None else int((rows.flat == token).sum())

    @functools.cached_property
    def numbers(self) -> dict[str, int]:
        """Symbol -> token."""
        return {symbol: i for i, symbol in enumerate(self.vocabulary, FIRST)}

    def rows(self, texts: Iterable[Sequence[int]]) -> TokenRows:
        """Store rows of tokens in the smallest integer type."""
        return TokenRows.of(texts, np.min_scalar_type(self.classes))


@dataclass(frozen=True)
class Words(TextCodec):
    """A token per word. Words outside of the vocabulary are `UNKNOWN`, or an error if that is not in the vocabulary."""

    name: ClassVar[str] = "text/words"

    splitting: Splitting = "spaces"

    def encoded(self, texts: Sequence[str]) -> tuple[TokenRows, dict[int, Unfit]]:
        numbers, bad = self.numbers, {}
        unknown = numbers.get(UNKNOWN)
        rows = []
        for i, text in enumerate(texts):
            words = split(text, self.splitting)
            row = [numbers.get(word, unknown) for word in words]
            if None in row:
                bad[i] = Unfit("word", f"the word {short(words[row.index(None)])} is not in the vocabulary")
            rows.append([*(token or 0 for token in row), 1])
        made = self.rows(rows)
        return made, self.too_long(made) | bad

    def text(self, tokens: Sequence[int]) -> str:
        return " ".join([self.vocabulary[token - FIRST] for token in tokens])


@dataclass(frozen=True)
class Pieces(TextCodec):
    """Byte-level byte-pair encoding (BPE): every text can be encoded, and decoding returns it unchanged."""

    name: ClassVar[str] = "text/bpe"

    merges: tuple[tuple[str, str], ...] = ()

    def encoded(self, texts: Sequence[str]) -> tuple[TokenRows, dict[int, Unfit]]:
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        rows = self.rows([[*(i + FIRST for i in e.ids), 1] for e in encodings])
        return rows, self.too_long(rows)

    def text(self, tokens: Sequence[int]) -> str:
        # bytes that are not UTF-8, which a model can produce, become the replacement character
        return str(self._tokenizer.decode([token - FIRST for token in tokens], skip_special_tokens=False))

    @functools.cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers

        numbers = {symbol: i for i, symbol in enumerate(self.vocabulary)}
        made = Tokenizer(models.BPE(vocab=numbers, merges=list(self.merges)))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        return made


def fit_words(texts: Sequence[str], splitting: Splitting, most: int | None) -> tuple[str, ...]:
    """Return the ``most`` most frequent words (all if None), then alphabetical, with `UNKNOWN` among them."""
    counts = Counter(word for text in texts for word in split(text, splitting))
    counts.setdefault(UNKNOWN, 0)
    order = sorted(counts, key=lambda word: (-counts[word], word))
    if most is not None and UNKNOWN not in order[:most]:
        order = [*order[: most - 1], UNKNOWN]
    return tuple(order[:most])


def fit_pieces(texts: Sequence[str], most: int) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the ``most`` symbols and the merges of byte-pair encoding, from the frequencies in ``texts``."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if most < 256:
        raise RecipeError(f"words: byte-pair encoding has at least the 256 bytes as symbols, got {most}")
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        list(texts), trainers.BpeTrainer(vocab_size=most, initial_alphabet=alphabet, show_progress=False)
    )
    model = json.loads(made.to_str())["model"]
    symbols = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = (m.split(" ") if isinstance(m, str) else m for m in model["merges"])
    return tuple(symbols), tuple((a, b) for a, b in merges)
