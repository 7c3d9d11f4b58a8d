"""The checks of the event space and the reference density that the energy nets for pictures share."""

from __future__ import annotations

from torch import nn

from ebmsuite.energy import Tilted
from ebmsuite.errors import RecipeError
from ebmsuite.nets.mlp import reference
from ebmsuite.space import Space

__all__ = ["picture", "tilted"]


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
