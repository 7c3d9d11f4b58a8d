"""Spherical interpolation: weights, mixtures, and chains that start at them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmsuite.density import Uniform
from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.sampling import Langevin, Noise, Phase, Start
from ebmsuite.space import Space
from ebmsuite.tasks.interpolate import between, mixtures, weights
from ebmsuite.tree import Tree, per_row

SHAPES = [(3,), (1, 4, 4)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Bowl(Energy):
    """|x - condition|^2 / 2: each step of a Langevin chain is affine."""

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        away = x if condition is None else x - per_row(condition, x)
        return away.flatten(1).square().sum(1) / 2


def chains(shape: tuple[int, ...], noise: float = 0.01) -> Phase:
    langevin = Langevin(gradient_weight=0.05, noise_scale=noise)
    return Phase(Bowl(), langevin, Noise(Uniform(Space(shape))), 10)


@pytest.mark.parametrize("points", [2, 3, 9])
def test_weights_are_points_of_a_quarter_circle(points: int) -> None:
    found = weights(points)
    assert (found[0], found[-1]) == ((1.0, 0.0), (0.0, 1.0))
    assert [math.atan2(sigma, rho) for rho, sigma in found] == pytest.approx(
        [i * math.pi / 2 / (points - 1) for i in range(points)], abs=1e-6
    )
    assert [math.hypot(*pair) for pair in found] == pytest.approx([1.0] * points)
    with pytest.raises(RecipeError, match="points is 1; it must be at least 2"):
        weights(1)


@pytest.mark.parametrize("shape", SHAPES)
def test_mixtures_of_normal_vectors_are_normal(shape: tuple[int, ...]) -> None:
    first, second = (torch.randn(5000, *shape, generator=generator(i)) for i in (1, 2))
    found = mixtures(first, second, 5)
    assert found.shape == (5000, 5, *shape)
    assert torch.equal(found[:, 0], first)
    assert torch.equal(found[:, 4], second)
    sd = found.transpose(0, 1).flatten(1).std(1)
    assert torch.allclose(sd, torch.ones(5), atol=4 / (2 * 5000 * math.prod(shape)) ** 0.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_ends_of_an_interpolation_are_the_samples_of_its_starts(shape: tuple[int, ...]) -> None:
    phase, rng = chains(shape), generator(3)
    first, second = (Uniform(Space(shape)).sample(4, rng) for _ in range(2))
    state = rng.get_state()
    x = between(phase, first, second, 5, rng)
    assert x.shape == (4, 5, *shape)
    for column, start in ((0, first), (4, second)):
        rng.set_state(state)
        torch.testing.assert_close(x[:, column], phase.refine(Start(start), rng), rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("conditional", [False, True])
def test_points_of_an_interpolation_see_the_same_noise(shape: tuple[int, ...], conditional: bool) -> None:
    # the chain is affine: differences of ends are differences of starts times (1 - w)^K, without any noise
    phase, rng = chains(shape), generator(3)
    first, second = (Uniform(Space(shape)).sample(2, rng) for _ in range(2))
    condition = torch.tensor([0.5, -2.0]) if conditional else None
    x = between(phase, first, second, 3, rng, condition)
    middle = (first + second) / 2**0.5
    torch.testing.assert_close(x[:, 1] - x[:, 0], 0.95**10 * (middle - first), rtol=0, atol=1e-5)
    # rows see different noise
    noise = x - between(chains(shape, 0.0), first, second, 3, rng, condition)
    assert (noise[0] - noise[1]).abs().max() > 0.01
    at = torch.zeros(2) if condition is None else condition
    exact = per_row(at, first) + 0.95**10 * (first - per_row(at, first))
    assert (x[:, 0] - exact).abs().max() < 0.2
