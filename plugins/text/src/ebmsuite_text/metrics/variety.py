"""Variety of sentences, and copies of training sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_subset
from ebmsuite.scores import Score
from ebmsuite.tokens import FIRST
from ebmsuite_text.metrics.samples import Of, drawn, facts_of, sentences_of

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["COPIED", "Variety", "distinct", "ngrams", "self_bleu"]

COPIED = 5
"""Length of the sequences that are compared with the training sentences."""

Row = tuple[int, ...]


@dataclass(frozen=True)
class Variety:
    """``distinct-1``, ``distinct-2``, ``length``, ``self-bleu``, ``copied-5-grams`` and ``copied`` of ``n`` sentences.

    Distinct-k is the share of the k-grams of all sentences that are different; it falls as n grows. Length is the mean
    number of tokens without the end. Self-BLEU (Zhu et al., 2018) is the mean BLEU, 0 to 100, of each of ``bleu``
    sentences against the others (sacrebleu, 4-grams, exponential smoothing): high where sentences repeat each other.
    Copied 5-grams are those that some training sentence has, as a share of all 5-grams; copied sentences are equal to a
    training sentence. Duplicates among the training sentences count once.
    """

    of: Of = "model"
    bleu: int = 200

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        train = sentences_of(data, "train")
        x = drawn(model, data, rng, n, self.of)
        facts = facts_of(model, self.of, x, train)
        found, known = _rows(x), set(_rows(train.tokens.padded()))
        copied = {gram for row in known for gram in ngrams(row, COPIED)}
        long = [gram for row in found for gram in ngrams(row, COPIED)]
        lengths = torch.tensor([len(row) for row in found]).double()
        error = 1.96 * float(lengths.std(correction=0)) / math.sqrt(len(found))
        some = [found[i] for i in fixed_subset(found, self.bleu).tolist()]
        mean = float(lengths.mean())

        def score(value: float, metric: str, **more: object) -> Score:
            return Score(value, None, None, {"metric": metric, **facts, **more})

        return {
            "distinct-1": score(distinct(found, 1), "distinct words"),
            "distinct-2": score(distinct(found, 2), "distinct pairs of words"),
            "length": Score(mean, mean - error, mean + error, {"metric": "mean length in tokens", **facts}),
            "self-bleu": score(self_bleu(some), "self-BLEU", n_bleu=len(some)),
            "copied-5-grams": score(_share(gram in copied for gram in long), "copied 5-grams", n_grams=len(long)),
            "copied": score(_share(row in known for row in found), "copied sentences"),
        }


def ngrams(row: Sequence[int], k: int) -> list[Row]:
    """Return all sequences of k tokens of a row."""
    return [tuple(row[i : i + k]) for i in range(len(row) - k + 1)]


def distinct(rows: Sequence[Row], k: int) -> float:
    """Return the share of the k-grams of all rows that are different."""
    found = [gram for row in rows for gram in ngrams(row, k)]
    return len(set(found)) / len(found) if found else 0.0


def self_bleu(rows: Sequence[Row]) -> float:
    """Return the mean BLEU, 0 to 100, of each row against all others; 0 for a single row."""
    from sacrebleu.metrics.bleu import BLEU

    if len(rows) < 2:
        return 0.0
    bleu = BLEU(tokenize="none", effective_order=True)
    texts = [" ".join(map(str, row)) for row in rows]
    values = [bleu.sentence_score(text, texts[:i] + texts[i + 1 :]).score for i, text in enumerate(texts)]
    return float(sum(values) / len(values))


def _rows(x: Tensor) -> list[Row]:
    """Return the tokens of padded rows [N, L] without ends."""
    return [tuple(token for token in row if token >= FIRST) for row in x.tolist()]


def _share(of: Iterable[bool]) -> float:
    found = list(of)
    return sum(found) / len(found) if found else 0.0
