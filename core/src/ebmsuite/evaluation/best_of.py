"""The best of k samples per row: the metrics of models that predict a distribution, such as trajectories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.tree import Tree

__all__ = ["BestOf", "best_of"]


@dataclass(frozen=True)
class BestOf:
    """The distances of k samples per row from the truth of the row."""

    distances: Tensor
    """[B, k]."""

    @property
    def least(self) -> Tensor:
        """The smallest distance of each row, [B]: best-of-k errors such as minADE and minFDE."""
        return self.distances.amin(1)

    @property
    def index(self) -> Tensor:
        """The number of the sample with the smallest distance (the first if several have it), int64 [B]."""
        return self.distances.argmin(1)

    @property
    def average(self) -> Tensor:
        """The mean distance over the k samples of each row, [B]."""
        return self.distances.mean(1)

    def of(self, values: Tensor) -> Tensor:
        """From ``values`` [B, k, ...], such as the samples, those of the sample with the smallest distance: [B, ...].

        With distances of another kind [B, k] it gives the second error of one selected sample, for example the FDE of
        the sample with the smallest ADE.
        """
        return values[torch.arange(len(values), device=values.device), self.index.to(values.device)]


def best_of(samples: Tensor, truth: Tree, distance: Callable[[Tensor, Tree], Tensor]) -> BestOf:
    """Compare k samples per row with the truth of the row.

    ``samples`` is [B, k, *event], as `Model.sample_for` returns it. ``truth`` is a tree with one row per row of
    samples. ``distance`` takes events [B, *event] and the truth, and returns [B]; it is called once per sample number,
    so that memory does not grow with k. Errors: `UserError` when there is no sample, or when a distance has another
    shape or is not a number.
    """
    rows, k = samples.shape[:2]
    if k < 1:
        raise UserError("the best of k samples needs at least one sample per row")
    each = [distance(samples[:, j], truth) for j in range(k)]
    for wrong in (d for d in each if d.shape != (rows,)):
        raise UserError(f"a distance must be one number per row, [{rows}], got the shape {list(wrong.shape)}")
    distances = torch.stack(each, 1)
    if distances.isnan().any():
        row, sample = distances.isnan().nonzero()[0].tolist()
        raise UserError(f"the distance of sample {sample} of row {row} from its truth is not a number")
    return BestOf(distances)
