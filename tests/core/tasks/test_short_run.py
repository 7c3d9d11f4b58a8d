"""Short-run chains as a generator: its gradient and its inversion, for events of rank 1 and 3."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from ebmsuite.density import Uniform
from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.model import Model
from ebmsuite.sampling import Buffer, Chains, Data, Langevin, Noise, Phase, run, target_of
from ebmsuite.space import Space
from ebmsuite.tasks.short_run import ShortRunGenerator, invert, mean_squares, short_run, twin
from ebmsuite.tree import Tree, per_row

SHAPES = [(6,), (1, 3, 4)]
LANGEVIN = Langevin(gradient_weight=0.05, noise_scale=0.01)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Quartic(Energy):
    """A bowl about the condition, or 0, with a quartic term: its chains are no linear map."""

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        away = (x if condition is None else x - per_row(condition, x)).flatten(1)
        return (away.square() / 2 + 0.1 * away**4).sum(1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("conditional", [False, True])
def test_the_gradient_through_a_chain_is_that_of_the_whole_graph(
    shape: tuple[int, ...], noise: bool, conditional: bool
) -> None:
    z, weights = (torch.randn(3, *shape, dtype=torch.float64, generator=generator(i)) for i in (1, 2))
    condition = torch.tensor([0.5, 0.0, -1.0], dtype=torch.float64) if conditional else None
    made = ShortRunGenerator(Quartic(), LANGEVIN, 6, generator(7) if noise else None, condition)
    end, points = made(z)
    assert len(points) == 6
    leaf = z.clone().requires_grad_()
    state, _ = run(made.sampler, target_of(Quartic(), leaf, condition, graph=True), leaf, 6, generator(7))
    torch.testing.assert_close(end, state.x.detach())
    (whole,) = torch.autograd.grad((weights * state.x).sum(), leaf)
    torch.testing.assert_close(made.back(points, weights), whole)
    assert torch.equal(made(z)[0], end)  # the noise is the same in every call


@pytest.mark.parametrize("shape", SHAPES)
def test_inversion_reaches_the_samples_of_a_known_chain(shape: tuple[int, ...]) -> None:
    made = ShortRunGenerator(Quartic(), LANGEVIN, 10)
    density = Uniform(Space(shape))
    x = made(density.sample(2, generator(4)))[0]
    start = density.sample(2, generator(5))
    before = mean_squares(made(start)[0], x)
    found, error = invert(made, x, start, 100, 0.05)
    assert (error < 1e-4).all()
    assert (error < 0.01 * before).all()
    assert torch.equal((found - x).square().flatten(1).mean(1), error)


def test_chains_that_diverge_are_an_error() -> None:
    made = ShortRunGenerator(Quartic(), Langevin(gradient_weight=100.0, noise_scale=0.0), 20)
    with pytest.raises(UserError, match="reconstruct: the chains end at values that are not finite"):
        invert(made, torch.zeros(2, 3), torch.ones(2, 3), 1, 0.1)


@pytest.mark.parametrize("chains", [Buffer(Uniform(Space((2,))), 8), Data()])
def test_other_chains_have_no_code(chains: Chains) -> None:
    model = object.__new__(Model)
    model.recipe = SimpleNamespace(recipe="some/recipe")  # type: ignore[assignment]
    model.phases = {"negative": Phase(Quartic(), LANGEVIN, chains, 3)}
    kind = type(chains).__name__
    with pytest.raises(UserError, match=f"interpolate needs short-run chains.* of kind {kind}, not Noise"):
        short_run(model, "interpolate")
    noise = Noise(Uniform(Space((2,))))
    model.phases = {"negative": Phase(Quartic(), LANGEVIN, noise, 3)}
    assert short_run(model, "interpolate")[1] is noise


def test_a_twin_leaves_the_generator_alone() -> None:
    rng = generator(3)
    torch.rand(5, generator=rng)
    ahead = torch.rand(4, generator=twin(rng))
    assert torch.equal(torch.rand(4, generator=rng), ahead)
