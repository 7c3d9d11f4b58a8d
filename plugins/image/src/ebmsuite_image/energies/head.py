"""The last layer of the energy nets for pictures, and the checks that these nets share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmsuite.energy import Tilted, full_precision
from ebmsuite.errors import RecipeError
from ebmsuite.nets.mlp import reference
from ebmsuite.space import Space

__all__ = ["Head", "picture", "tilted"]


def picture(event: Space, net: str, least: int = 1) -> tuple[int, int, int]:
    """(channels, height, width) of a space of pictures. `RecipeError` for other events or sides below ``least``."""
    if len(event.shape) != 3:
        raise RecipeError(f"{net} works on pictures [channels, height, width], not on events {event.shape}")
    channels, height, width = event.fixed
    if min(height, width) < least:
        raise RecipeError(f"{net} needs pictures of at least {least}x{least}, got {height}x{width}")
    return channels, height, width


def tilted(net: nn.Module, event: Space, reference_sd: float | None) -> Tilted:
    """The energy E_0 - f of a net f: E_0 is a Gaussian of sd ``reference_sd``, or uniform when it is None."""
    return Tilted(net, reference(event, reference_sd))


class Head(nn.Module):
    """A linear map from features [B, ...] to f, [B], or to [B, outputs].

    It computes in float32 (or float64) even under autocast. Energies are compared as differences of large numbers, and
    the 8 mantissa bits of bfloat16 would lose the difference.
    """

    def __init__(self, features: int, outputs: int | None = None) -> None:
        super().__init__()
        self.one = outputs is None
        self.linear = nn.Linear(features, outputs or 1)

    def forward(self, h: Tensor) -> Tensor:
        with torch.autocast(h.device.type, enabled=False):
            f: Tensor = self.linear(full_precision(h.flatten(1)))
        return f.squeeze(1) if self.one else f
