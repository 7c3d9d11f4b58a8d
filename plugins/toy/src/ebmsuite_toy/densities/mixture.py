"""Mixtures of Gaussians: on a circle, along two arcs, and at five asymmetric points."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_toy.densities.base import Labelled, positive, single, vectors

__all__ = ["Mixture", "constellation", "eight_gaussians", "two_moons"]


class Mixture(Labelled):
    """(1/K) sum_k N(x; means[k], sd^2 I), with ``means`` [K, D].

    ``labels`` [K] give the class 0..C-1 of each mode; by default each mode is a class.
    """

    means: Tensor
    labels: Tensor

    def __init__(self, means: Tensor, sd: float, event: Space | None = None, labels: Tensor | None = None) -> None:
        super().__init__()
        positive(sd=sd)
        self.event, self.sd = vectors(means.shape[1], event), sd
        # not persistent: they follow the module's device, and the settings determine them
        self.register_buffer("means", means.double(), persistent=False)
        self.register_buffer("labels", torch.arange(len(means)) if labels is None else labels, persistent=False)

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1

    def given(self, label: int) -> Mixture:
        return Mixture(self.means[self.labels == label], self.sd, self.event)

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        which = torch.randint(len(self.means), (n,), generator=rng, device=rng.device)
        noise = torch.randn((n, self.event.size), generator=rng, device=rng.device, dtype=torch.float64)
        return single(self.means.to(rng.device)[which] + self.sd * noise), self.labels.to(rng.device)[which]

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        count, dim = self.means.shape
        # [K, B] with the batch innermost, because two coordinates per row are too few to vectorise over
        away = (x.T[:, None] - self.means.to(x).T[:, :, None]).square().sum(0) / (2 * self.sd**2)
        constant = math.log(count) + dim * (math.log(self.sd) + math.log(2 * math.pi) / 2)
        return torch.logsumexp(-away, 0) - constant


def eight_gaussians(
    radius: float = 1.0, sd: float = 0.15, modes: int = 8, classes: int | None = None, event: Space | None = None
) -> Mixture:
    """Gaussians evenly spaced on a circle, the first at angle 0. Defaults: Nijkamp et al., AAAI 2020 (code, gmm).

    The ``classes`` (default: one per mode) alternate around the circle.
    """
    positive(radius=radius, modes=modes, classes=modes if classes is None else classes)
    which = torch.arange(modes)
    angle = 2 * math.pi / modes * which.double()
    means = radius * torch.stack([angle.cos(), angle.sin()], 1)
    return Mixture(means, sd, event, which % (classes or modes))


def two_moons(sd: float = 0.1, radius: float = 1.0, modes: int = 64, event: Space | None = None) -> Mixture:
    """Two interleaved half circles, each of ``modes`` evenly spaced Gaussians. Each moon is a class.

    The density is that of the mixture. It equals the integral along the arcs up to rounding if neighbouring modes are
    at most ``sd`` apart.
    """
    positive(radius=radius, modes=modes)
    angle = math.pi / modes * (torch.arange(modes, dtype=torch.float64) + 0.5)
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
    middle = torch.tensor([0.5, 0.25], dtype=torch.float64)
    labels = torch.arange(2).repeat_interleave(modes)
    return Mixture(radius * (torch.cat([upper, lower]) - middle), sd, event, labels)


def constellation(sd: float = 0.4, event: Space | None = None) -> Mixture:
    """Five Gaussians with unequal weights, 1/11 to 4/11, at points without symmetry."""
    places = torch.tensor([[-3.0, -2.0], [-1.5, 2.5], [2.0, 3.0], [3.0, -0.5], [0.5, -2.5]], dtype=torch.float64)
    which = torch.arange(5).repeat_interleave(torch.tensor([1, 4, 2, 3, 1]))
    return Mixture(places[which], sd, event, which)
