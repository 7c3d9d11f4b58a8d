"""The data set ``toy/points``: draws of a density that is known."""

from __future__ import annotations

from typing import Literal

import torch

from ebmsuite.dataset import InMemory
from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.toy.codec import PointFiles

__all__ = ["Points"]

SEEDS = {"train": 0, "valid": 1, "test": 2}


class Points(InMemory):
    """``n`` fixed draws a split from ``density``, float32 [n, dim]. The density stays at hand, as ``.density``."""

    def __init__(self, density: Density, n: int = 10_000, split: Literal["train", "valid", "test"] = "train") -> None:
        if split not in SEEDS:
            raise RecipeError(f'split: "{split}" is not one of {", ".join(SEEDS)}')
        if n < 1:
            raise RecipeError(f"n: at least one point is needed, got {n}")
        self.density = density
        x = density.sample(n, torch.Generator().manual_seed(SEEDS[split]))
        super().__init__(x, codec=PointFiles(columns=x.shape[1]))
