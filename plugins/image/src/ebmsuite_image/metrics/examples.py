"""Pictures in the form that metrics use: batches [B, C, H, W] in [-1, 1]."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.space import Space

__all__ = ["picture_batches", "signed"]


def signed(x: Tensor, event: Space) -> Tensor:
    """Map pictures ``x`` of the space ``event``, of any shape, to [-1, 1] and clamp them.

    The range of the space is mapped onto [-1, 1]; a space without a range is assumed to use [-1, 1] already. Chains may
    end slightly outside the range, but data never do: without clamping, a metric would evaluate values that no picture
    file can hold.
    """
    if event.range is not None and event.range != (-1.0, 1.0):
        low, high = event.range
        x = (x - low) * (2 / (high - low)) - 1
    return x.clamp(-1, 1)


def picture_batches(dataset: Dataset, index: Tensor | None = None, size: int = 256) -> Iterator[Tensor]:
    """Iterate over examples ``index`` [N] (all in order when None) in batches of ``size``, loaded with seed 0."""
    index = torch.arange(len(dataset)) if index is None else index.cpu()
    for part in torch.split(index, size):
        yield signed(dataset.batch(part, torch.zeros_like(part)).x, dataset.event)
