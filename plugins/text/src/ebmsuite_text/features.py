"""Features of sentences, for distances between them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.errors import UserError
from ebmsuite.scores import Extractor, Features
from ebmsuite.tokens import FIRST
from ebmsuite_text.metrics.samples import sentences_of

__all__ = ["Bag"]


class Bag(Extractor):
    """Unit vectors of the tokens of a sentence, [B, vocabulary], each token weighted by its rarity (TF-IDF).

    The weight of a token is its count times log((1 + N) / (1 + N_t)) + 1, where N_t of the N training sentences have
    it. A distance is 0 between sentences with the same tokens, and the square root of 2 between those that share none.
    """

    id = "text/bag"

    def __init__(self) -> None:
        self._weights: Tensor | None = None

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        train = sentences_of(data, "train")
        counts = _counts(train.tokens.padded(), train.event.classes or 0)
        found = (counts > 0).sum(0)
        self._weights = ((1 + len(train)) / (1 + found)).log() + 1

    def __call__(self, x: Tensor) -> Features:
        if self._weights is None:
            raise UserError("text/bag: call prepare with the training data first")
        weighted = _counts(x, len(self._weights) + FIRST) * self._weights.to(x.device)
        return Features(torch.nn.functional.normalize(weighted, dim=1), None)


def _counts(x: Tensor, classes: int) -> Tensor:
    """Count the symbols of rows [B, L]: [B, classes - FIRST]."""
    counts = torch.zeros(len(x), classes, device=x.device)
    return counts.scatter_add_(1, x, torch.ones_like(x, dtype=counts.dtype))[:, FIRST:]
