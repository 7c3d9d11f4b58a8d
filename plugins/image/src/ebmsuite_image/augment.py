"""Augmentations of chains that are kept: functions of pictures [B, C, H, W], random from ``rng`` alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.sampling import Augmentation

__all__ = ["Flip", "Shift"]


class Flip(Augmentation):
    """Every picture is mirrored left to right with probability 1/2."""

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x [B, C, H, W] on the device of ``rng``; a new tensor."""
        mirrored = torch.rand(x.shape[0], generator=rng, device=x.device) < 0.5
        return torch.where(mirrored.view(-1, 1, 1, 1), x.flip(-1), x)


class Shift(Augmentation):
    """Every picture is moved by up to ``pixels`` up or down and left or right, whole pixels, uniformly.

    What moves in from outside repeats the border, so that no edge appears that the data does not have.
    """

    def __init__(self, pixels: int = 2) -> None:
        if pixels < 0:
            raise RecipeError(f"pixels: {pixels} must not be negative")
        self.pixels = pixels

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x [B, C, H, W] on the device of ``rng``; a new tensor."""
        b, _, height, width = x.shape
        far = self.pixels
        by = torch.randint(-far, far + 1, (2, b, 1), generator=rng, device=x.device)
        rows = (torch.arange(height, device=x.device) - by[0]).clamp(0, height - 1)
        columns = (torch.arange(width, device=x.device) - by[1]).clamp(0, width - 1)
        each = torch.arange(b, device=x.device).view(b, 1, 1)
        # indexing around the channels puts them last
        return x[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
