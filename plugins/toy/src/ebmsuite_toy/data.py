"""The data set ``toy/points``: draws of a known density."""

from __future__ import annotations

from typing import Literal

import torch

from ebmsuite.dataset import InMemory
from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite_toy.codec import PointFiles
from ebmsuite_toy.densities.base import Labelled

__all__ = ["Points"]

SEEDS = {"train": 0, "valid": 1, "test": 2}


class Points(InMemory):
    """``n`` fixed draws per split from ``density``, float32 [n, *event]. The density is the attribute ``.density``.

    With ``labels`` the class of a draw is its condition. With ``labelled`` the training split has only that many
    events, the same number per class; with ``few`` it has only that many events. ``hidden`` is the fraction of
    coordinates, chosen at random, that batches hide; the true events are in ``.truth`` and in `Batch.truth`.
    """

    def __init__(
        self,
        density: Density,
        n: int = 10_000,
        split: Literal["train", "valid", "test"] = "train",
        labels: bool = False,
        labelled: int | None = None,
        hidden: float = 0.0,
        few: int | None = None,
    ) -> None:
        if split not in SEEDS:
            raise RecipeError(f'split: "{split}" is not one of {", ".join(SEEDS)}')
        if n < 1:
            raise RecipeError(f"n: at least one point is needed, got {n}")
        if few is not None and not 1 <= few <= n:
            raise RecipeError(f"few: must be from 1 to n = {n}, got {few}")
        if not 0 <= hidden < 1:
            raise RecipeError(f"hidden: must be at least 0 and below 1, got {hidden:g}")
        self.density = density
        rng = torch.Generator().manual_seed(SEEDS[split])
        y, classes = None, None
        if isinstance(density, Labelled):
            x, y = density.draw(n, rng)
        else:
            x = density.sample(n, rng)
        if labels or labelled is not None:
            if y is None or not isinstance(density, Labelled):
                raise RecipeError("labels: this density has no classes; use one that has, such as a mixture")
            classes = density.classes
            if labelled is not None and split == "train":
                these = _few(y, labelled, classes)
                x, y = x[these], y[these]
        if few is not None and split == "train":
            x = x[:few]
            y = None if y is None else y[:few]
        known = torch.rand(x.shape, generator=rng) >= hidden if hidden else None
        codec = PointFiles(columns=x.shape[1]) if x.dim() == 2 else None
        labels_of = None if classes is None else y
        super().__init__(x, labels_of, None, classes, codec, known, truth=None if known is None else x)


def _few(y: torch.Tensor, labelled: int, classes: int) -> torch.Tensor:
    """Numbers of the first examples of every class, the same number per class."""
    each, left = divmod(labelled, classes)
    if left or each < 1:
        raise RecipeError(f"labelled: must be a multiple of the {classes} classes, got {labelled}")
    return torch.cat([(y == c).nonzero().flatten()[:each] for c in range(classes)])
