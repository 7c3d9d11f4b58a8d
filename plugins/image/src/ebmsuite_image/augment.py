"""Augmentations of stored chain states: random functions of pictures [B, C, H, W] that draw from ``rng`` only."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.sampling import Augmentation

__all__ = ["Flip", "Shift"]


class Flip(Augmentation):
    """Mirrors each picture left to right with probability 1/2."""

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Transform x [B, C, H, W], which is on the device of ``rng``, into a new tensor."""
        mirrored = torch.rand(x.shape[0], generator=rng, device=x.device) < 0.5
        return torch.where(mirrored.view(-1, 1, 1, 1), x.flip(-1), x)


class Shift(Augmentation):
    """Shifts each picture vertically and horizontally by uniform random whole numbers of at most ``pixels`` pixels.

    Vacated pixels repeat the border, so that no artificial edge appears.
    """

    def __init__(self, pixels: int = 2) -> None:
        if pixels < 0:
            raise RecipeError(f"pixels: {pixels} must not be negative")
        self.pixels = pixels

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Transform x [B, C, H, W], which is on the device of ``rng``, into a new tensor."""
        b, _, height, width = x.shape
        far = self.pixels
        by = torch.randint(-far, far + 1, (2, b, 1), generator=rng, device=x.device)
        rows = (torch.arange(height, device=x.device) - by[0]).clamp(0, height - 1)
        columns = (torch.arange(width, device=x.device) - by[1]).clamp(0, width - 1)
        each = torch.arange(b, device=x.device).view(b, 1, 1)
        # advanced indexing on both sides of the channel axis moves it to the end
        return x[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
