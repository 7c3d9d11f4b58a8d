"""Filling against the exact conditional of a Gaussian."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmsuite.density import Gaussian, Uniform
from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.sampling import MALA, Data, Noise, Phase
from ebmsuite.space import Space
from ebmsuite.tasks.fill import fill
from ebmsuite.tree import Tree


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Correlated(Energy):
    """N(condition, C) of flattened events, C with 1 on the diagonal and 0.6 beside it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.covariance = 0.6 + 0.4 * torch.eye(size)
        self.precision = torch.linalg.inv(self.covariance)

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        away = x.flatten(1) - (0.0 if condition is None else condition[:, None])
        return ((away @ self.precision) * away).sum(1) / 2


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2)])
@pytest.mark.parametrize("conditional", [False, True])
def test_filling_samples_the_exact_conditional(shape: tuple[int, ...], conditional: bool) -> None:
    n, size = 3000, math.prod(shape)
    energy = Correlated(size)
    phase = Phase(energy, MALA(step_size=0.7), Noise(Gaussian(Space(shape))), 60)
    known = torch.tensor([True, False, True, False]).view(shape)
    x = torch.tensor([0.5, 9.0, -1.5, 9.0]).view(shape).expand(n, *shape)
    mean = 2.0 if conditional else 0.0
    condition = torch.full((n,), mean) if conditional else None
    made = fill(phase, x, known, generator(), condition=condition).flatten(1)
    assert torch.equal(made[:, [0, 2]], x.flatten(1)[:, [0, 2]])
    c, given, asked = energy.covariance, [0, 2], [1, 3]
    gain = c[asked][:, given] @ torch.linalg.inv(c[given][:, given])
    exact_mean = mean + gain @ (torch.tensor([0.5, -1.5]) - mean)
    exact = c[asked][:, asked] - gain @ c[given][:, asked]
    error = 4 * (exact.diagonal() / n).sqrt()
    assert ((made[:, asked].mean(0) - exact_mean).abs() < error).all()
    assert torch.allclose(torch.cov(made[:, asked].T), exact, atol=0.06)


def test_filling_starts_where_the_chains_of_the_phase_start() -> None:
    density = Uniform(Space((6,)))
    phase = Phase(Correlated(6), MALA(step_size=0.5), Noise(density), 20)
    x, known = torch.zeros(3, 6), torch.arange(6) < 4
    made = fill(phase, x, known, generator(2), steps=0)
    assert torch.equal(made[:, :4], x[:, :4])
    assert torch.equal(made[:, 4:], density.sample(3, generator(2))[:, 4:])


def test_filling_needs_noise_to_start_from() -> None:
    phase = Phase(Correlated(2), MALA(step_size=0.5), Data(), 3)
    with pytest.raises(UserError, match="chains of kind Data have no noise"):
        fill(phase, torch.zeros(1, 2), torch.zeros(2, dtype=torch.bool), generator())
