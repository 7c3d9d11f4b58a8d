"""Hidden coordinates given the visible ones: an energy that sees which are visible, and a net without an energy."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.density import Density, event_sum
from ebmsuite.energy import Clamped, Energy, full_precision, in_precision
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.nets.convnet import CONVOLUTIONS, TRANSPOSED, Edges, PerLayer, convolutions, per_layer
from ebmsuite.nets.mlp import Activation
from ebmsuite.nets.mlp import activation as activation_of
from ebmsuite.space import ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = ["Filling", "FillingEnergy", "Hourglass", "convnet_filling", "convnet_filling_energy"]


class Filling(Density):
    """p(hidden | visible): each hidden coordinate is N(mean, sd^2), independent given the visible ones.

    ``net`` maps the visible values, 0 elsewhere, and the mask, [B, 2 channels, *positions], to the means [B, channels,
    *positions]. The condition is that of `Clamped.given`; visible coordinates keep their values. Maximum likelihood is
    least squares on the hidden coordinates, so ``sd`` changes the noise of draws only: with a small one, they are the
    means.
    """

    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, sd: float) -> None:
        super().__init__()
        self.net, self.sd = net, sd

    def mean(self, condition: Tree) -> Tensor:
        """The means of all coordinates; visible ones at their values."""
        if not Clamped.is_given(condition):
            raise UserError('a density of hidden coordinates needs the condition {"values": ..., "known": ...}')
        values, known = condition["values"], condition["known"]
        visible = values * known
        with in_precision(self.autocast, visible):
            guessed = self.net(torch.cat([visible, known.to(visible.dtype)], 1))
        return torch.where(known, values, full_precision(guessed))

    def log_prob(self, x: Tensor, condition: Tree = None, known: Tensor | None = None) -> Tensor:
        """log p [B] of the hidden coordinates of x, of those that are ``known`` (boolean like x) if it is given."""
        hidden = Clamped.hidden(condition, known)
        squares = event_sum((x - self.mean(condition)).square() * hidden)
        size = event_sum(hidden.to(x.dtype))
        return -squares / (2 * self.sd**2) - size * (math.log(self.sd) + math.log(2 * math.pi) / 2)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        mean = self.mean(condition)
        noise = torch.randn(mean.shape, generator=rng, device=mean.device)
        drawn: Tensor = mean + self.sd * noise * ~condition["known"]
        return drawn


class Hourglass(nn.Module):
    """Convolutions to a coarse grid and transposed ones back, which add the features of the same grid on the way down.

    It maps [B, channels[0], *positions] to [B, outputs, *positions].
    """

    def __init__(
        self,
        channels: list[int],
        outputs: int,
        kernels: list[tuple[int, ...]],
        strides: list[tuple[int, ...]],
        activation: Activation,
    ) -> None:
        super().__init__()
        self.act = activation_of(activation, 0.2)
        axes = len(kernels[0]) - 1
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for (low, high), kernel, stride in zip(pairwise(channels), kernels, strides, strict=True):
            pad = tuple((k - s) // 2 for k, s in zip(kernel, stride, strict=True))
            self.down.append(CONVOLUTIONS[axes](low, high, kernel, stride, pad))
            back = low if len(self.up) else outputs
            self.up.append(TRANSPOSED[axes](high, back, kernel, stride, pad))

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.down:
            features.append(self.act(layer(features[-1])))
        h = features.pop()
        for layer in reversed(self.up[1:]):
            h = self.act(layer(h) + features.pop())
        value: Tensor = self.up[0](h)
        return value


def convnet_filling(
    event: Space,
    condition: ConditionSpace,
    channels: tuple[int, ...] = (32, 64, 128),
    kernels: PerLayer = 4,
    strides: PerLayer = 2,
    activation: Activation = "silu",
    sd: float = 0.01,
) -> Filling:
    """Hidden coordinates as the output of a convolutional net of the visible ones: see `Filling` and `Hourglass`.

    Events are [channels, *positions] with one to three axes. Every kernel minus its stride must be even, and the
    strides must divide the positions.
    """
    if not Clamped.is_given(condition):
        raise RecipeError("convnet-filling: the data have no visible part; use the data set masked, given: condition")
    below, *positions = event.fixed
    if not 1 <= len(positions) <= 3:
        raise RecipeError(f"convnet-filling: events must be [channels, 1 to 3 axes of positions], got {event.shape}")
    if sd <= 0:
        raise RecipeError(f"convnet-filling.sd: must be above 0, got {sd:g}")
    kernels_, strides_ = per_layer("convnet-filling", len(positions), len(channels), kernels=kernels, strides=strides)
    for kernel, stride in zip(kernels_, strides_, strict=True):
        sizes = list(zip(kernel, stride, positions, strict=True))
        if any((k - s) % 2 or k < s or n % s for k, s, n in sizes):
            raise RecipeError(
                f"convnet-filling: the kernel {list(kernel)} with stride {list(stride)} does not fit {positions} "
                "positions: the stride must divide them, and kernel minus stride must be even and not negative"
            )
        positions = [n // s for _, s, n in sizes]
    net = Hourglass([2 * below, *channels], below, kernels_, strides_, activation)
    return Filling(net, sd)


class FillingEnergy(Energy):
    """E(hidden | visible): minus the sum of a net's features of the event and of the mask of its known coordinates.

    It is for clamped energies only. ``net`` maps x / ``sd`` and the share of the channels that are known at each
    position, from -1 for none to 1 for all, [B, channels + 1, *positions], to features [B, ...].
    """

    sees_known: ClassVar[bool] = True
    autocast: torch.dtype | None = None

    def __init__(self, net: nn.Module, sd: float) -> None:
        super().__init__()
        self.net, self.sd = net, sd

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        if not Clamped.is_given(condition):
            raise UserError("this energy is of hidden coordinates given the known ones; use it as a clamped energy")
        share = condition["known"].to(x.dtype).mean(1, keepdim=True)
        with in_precision(self.autocast, x):
            features = self.net(torch.cat([x / self.sd, 2 * share - 1], 1))
        return -event_sum(full_precision(features))


def convnet_filling_energy(
    event: Space,
    channels: tuple[int, ...] = (32, 32),
    kernels: PerLayer = (5, 3),
    strides: PerLayer = (2, 1),
    edges: Edges = "full",
    activation: Activation = "silu",
    sd: float = 1.0,
) -> FillingEnergy:
    """A `FillingEnergy` of convolutions, each followed by an activation: see `ebmsuite.nets.convnet.convnet`.

    ``sd`` is the standard deviation of the data.
    """
    if sd <= 0:
        raise RecipeError(f"convnet-filling-energy.sd: must be above 0, got {sd:g}")
    below, *positions = event.fixed
    both = Space((below + 1, *positions))
    layers, _ = convolutions(both, channels, kernels, strides, edges, activation, net="convnet-filling-energy")
    return FillingEnergy(nn.Sequential(*layers), sd)
