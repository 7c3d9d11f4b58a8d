"""The energy ``tabular/mlp`` of a row of standardised columns."""

from __future__ import annotations

from torch import nn

from ebmsuite.density import Gaussian
from ebmsuite.energy import Tilted
from ebmsuite.errors import RecipeError
from ebmsuite.space import Space


def mlp(event: Space, width: int = 128, depth: int = 2, reference_sd: float = 1.0) -> Tilted:
    """E(x) = |x|^2 / (2 sd^2) - f(x), f an MLP with ``depth`` hidden layers of ``width`` SiLU units.

    ``reference_sd`` (sd above) is in standard deviations of the training rows; values above 1 suit columns
    with heavy tails. Before training, the energy approximately ranks rows by their distance from the mean.
    """
    if width < 1 or depth < 1 or reference_sd <= 0:
        raise RecipeError("tabular/mlp: width and depth must be 1 or more, reference_sd above 0")
    layers: list[nn.Module] = []
    inputs = event.size
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), nn.SiLU()]
        inputs = width
    return Tilted(
        nn.Sequential(*layers, nn.Linear(inputs, 1), nn.Flatten(0)), Gaussian(event, sd=reference_sd)
    )
