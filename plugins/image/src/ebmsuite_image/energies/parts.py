"""What the nets on pictures share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmsuite.energy import Tilted, full_precision
from ebmsuite.errors import RecipeError
from ebmsuite.nets.mlp import reference
from ebmsuite.space import Space

__all__ = ["Head", "picture", "tilted"]


def picture(event: Space, net: str, least: int = 1) -> tuple[int, int, int]:
    """(channels, height, width) of a space of pictures with sides of at least ``least``, or `RecipeError`."""
    if len(event.shape) != 3:
        raise RecipeError(f"{net} works on pictures [channels, height, width], not on events {event.shape}")
    channels, height, width = event.fixed
    if min(height, width) < least:
        raise RecipeError(f"{net} needs pictures of at least {least}x{least}, got {height}x{width}")
    return channels, height, width


def tilted(net: nn.Module, event: Space, reference_sd: float | None) -> Tilted:
    """The energy of a convolutional net f and one of the papers' two references."""
    return Tilted(net, reference(event, reference_sd))


class Head(nn.Module):
    """A linear map of features [B, ...] to f, [B], or to [B, outputs].

    It computes in float32 (float64 stays) under autocast too: energies are compared as differences of large
    numbers, and 8 bits of mantissa lose the difference.
    """

    def __init__(self, features: int, outputs: int | None = None) -> None:
        super().__init__()
        self.one = outputs is None
        self.linear = nn.Linear(features, outputs or 1)

    def forward(self, h: Tensor) -> Tensor:
        with torch.autocast(h.device.type, enabled=False):
            f: Tensor = self.linear(full_precision(h.flatten(1)))
        return f.squeeze(1) if self.one else f
