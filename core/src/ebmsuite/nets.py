"""Small nets that more than one domain uses: the components ``mlp`` and ``quadratic``."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ebmsuite.density import Density, Encoder, Gaussian, Uniform, event_sum
from ebmsuite.energy import Energy, Tilted
from ebmsuite.generator import NormalGenerator
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Quadratic",
    "activation",
    "mlp",
    "mlp_encoder",
    "mlp_energy",
    "mlp_generator",
    "reference",
]

Activation = Literal["leaky-relu", "relu", "silu", "gelu", "elu"]
ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU, "elu": nn.ELU}


def activation(name: Activation, slope: float = 0.2) -> nn.Module:
    """A fresh activation module; ``slope`` is that of leaky-relu."""
    return nn.LeakyReLU(slope) if name == "leaky-relu" else ACTIVATIONS[name]()


def mlp(sizes: list[int], name: Activation = "silu", slope: float = 0.2) -> nn.Sequential:
    """Linear layers of these sizes with an activation between them."""
    layers: list[nn.Module] = []
    for low, high in pairwise(sizes):
        layers += [nn.Linear(low, high), activation(name, slope)]
    return nn.Sequential(*layers[:-1])


def reference(event: Space, sd: float | None) -> Density:
    """The papers' two references: Gaussian of this sd, or (None) uniform."""
    return Uniform(event) if sd is None else Gaussian(event, sd=sd)


def mlp_energy(
    event: Space,
    width: int = 128,
    depth: int = 3,
    activation: Activation = "silu",
    reference_sd: float | None = None,
    slope: float = 0.2,
) -> Tilted:
    """An MLP on the flattened event: ``depth`` hidden layers of ``width`` units. ``slope`` is that of leaky-relu."""
    layers = mlp([event.size, *[width] * depth, 1], activation, slope)
    return Tilted(nn.Sequential(nn.Flatten(), layers, nn.Flatten(start_dim=0)), reference(event, reference_sd))


def mlp_generator(
    event: Space,
    latent: Space,
    width: int = 128,
    depth: int = 2,
    activation: Activation = "silu",
    sd: float = 0.3,
) -> NormalGenerator:
    """An MLP from a standard normal latent vector to the event; ``sd`` is that of the observation noise."""
    net = nn.Sequential(mlp([latent.size, *[width] * depth, event.size], activation), nn.Unflatten(1, event.fixed))
    return NormalGenerator(net, Gaussian(latent), sd)


def mlp_encoder(
    event: Space, latent: Space, width: int = 128, depth: int = 2, activation: Activation = "silu"
) -> Encoder:
    """An MLP from the event to a normal distribution of the latent vector."""
    net = nn.Sequential(nn.Flatten(), mlp([event.size, *[width] * depth, 2 * latent.size], activation))
    return Encoder(net, latent)


class Quadratic(Energy):
    """E(x) = sum_i a_i x_i + b_i x_i^2 with b > 0: the Gaussian as an exponential family.

    Its maximum-likelihood gradient is the difference of the statistics x and x^2, so it is the ground truth
    for learning: mean -a / 2b, variance 1 / 2b.
    """

    def __init__(self, event: Space) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(event.fixed))
        self.log_b = nn.Parameter(torch.full(event.fixed, 0.5).log())

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        return event_sum(self.a * x + self.log_b.exp() * x.square())
