"""The same event on several grids: pooling, energies that grow, multi-grid and coarse-to-fine learning."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmsuite.density import Diagonal, Gaussian
from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.grids import Grids, coarser, pool, upsample
from ebmsuite.learning import CoarseToFine, MultiGrid, Optimiser, Players
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.nets import Quadratic, mlp_energy
from ebmsuite.sampling import Langevin, Phase, Proposal
from ebmsuite.space import Batch, Space

SIGNAL = Space((1, 8), (-1.0, 1.0))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def phase_of(energy: Energy, h: float = 0.3, steps: int = 10) -> Phase:
    return Phase(energy, Langevin(step_size=h), Proposal(), steps)


@pytest.mark.parametrize("positions", [(8,), (8, 4), (4, 8, 4)])
def test_pooling_undoes_upsampling_and_keeps_the_mean(positions: tuple[int, ...]) -> None:
    x = torch.randn(3, 2, *positions, generator=rng())
    for factor in (1, 2, 4):
        small = pool(x, factor)
        assert small.shape[1:] == coarser(Space((2, *positions)), factor).shape
        assert torch.allclose(pool(upsample(small, factor), factor), small, atol=1e-6)
        assert torch.allclose(small.mean(), x.mean(), atol=1e-6)
    assert torch.allclose(pool(pool(x, 2), 2), pool(x, 4), atol=1e-6)
    flat = x.flatten(2).mean(2)
    if len(set(positions)) == 1:
        assert torch.allclose(pool(x, positions[0]).flatten(1), flat, atol=1e-6)


def test_an_event_is_of_the_grid_that_its_shape_says() -> None:
    torch.manual_seed(0)
    grids = Grids(SIGNAL, lambda s: mlp_energy(s, 8, 1), (4, 2, 1), units=(0.5, 0.7, 1.0))
    for k, n in enumerate((2, 4, 8)):
        x = torch.randn(3, 1, n)
        assert torch.equal(grids(x), grids.nets[k](x))
        assert grids.scale(x) == (0.5, 0.7, 1.0)[k]
    with pytest.raises(RecipeError, match=r"\[1, 3\] are of no grid"):
        grids(torch.randn(2, 1, 3))


def test_a_net_that_grows_starts_as_the_coarser_one() -> None:
    torch.manual_seed(0)
    grids = Grids(SIGNAL, lambda s: mlp_energy(s, 8, 1), (4, 2, 1), add=True)
    x = torch.randn(3, 1, 8)
    grids.fade.fill_(0.0)
    below = grids.nets[0](pool(x, 4)) + grids.nets[1](pool(x, 2))
    assert torch.allclose(grids(x), below, atol=1e-6)
    assert torch.allclose(grids(pool(x, 4)), grids.nets[0](pool(x, 4)))  # the coarsest is never faded
    grids.fade.fill_(1.0)
    assert torch.allclose(grids(x), below + grids.nets[2](x), atol=1e-6)


@pytest.mark.parametrize(
    ("factors", "message"),
    [((1, 2), "coarse to fine"), ((4, 2), "the last 1"), ((8, 3, 1), "each a multiple"), ((16, 1), "does not divide")],
)
def test_wrong_factors_are_refused(factors: tuple[int, ...], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Grids(SIGNAL, lambda s: mlp_energy(s, 8, 1), factors)


def ramp(n: int, rng: torch.Generator) -> Tensor:
    """Signals that rise: 8 independent normals of means -0.4 to 0.4 and sd 0.5."""
    return torch.linspace(-0.4, 0.4, 8).view(1, 1, 8) + 0.5 * torch.randn(n, 1, 8, generator=rng)


def test_the_samples_of_every_grid_come_to_have_the_moments_of_the_data() -> None:
    """The fixed point of quadratic energies, whether or not chains arrive: means and variances of chains' ends."""
    energy = Grids(SIGNAL, lambda s: Quadratic(s), (2, 1))
    coarsest = Diagonal(coarser(SIGNAL, 8))
    nets = {"energy": energy, "coarsest": coarsest}
    players = Players(nets, dict.fromkeys(nets, Optimiser(adam, 0.1)))
    trainer = MultiGrid(players, {"negative": phase_of(energy, 0.25, 10)}, factors=(8, 2, 1))
    draw, ends = rng(1), {}
    draw_of = trainer.phases["negative"].draw

    def watched(batch: Batch, *given, **named):
        drawn = draw_of(batch, *given, **named)
        ends[batch.x.shape[-1]] = drawn.x
        return drawn

    trainer.phases["negative"].draw = watched
    for t in range(150):
        trainer.players.at(t)
        trainer.step(t, {"data": Batch(ramp(384, draw))}, draw)
    ramped = torch.linspace(-0.4, 0.4, 8).view(1, 1, 8)
    for factor in (2, 1):
        end = ends[8 // factor]
        assert torch.allclose(end.mean(0), pool(ramped, factor)[0], atol=0.15)
        assert float(end.var(0).mean()) == pytest.approx(0.25 / factor, rel=0.12)
    assert coarsest.log_sd.exp().item() == pytest.approx(0.5 / 8**0.5, rel=0.2)
    x = trainer.sample(2000, rng(2))
    assert torch.allclose(x.mean(0), ramped[0], atol=0.15)
    assert float(x.var(0).mean()) == pytest.approx(0.25, rel=0.12)


def test_coarse_to_fine_grows_as_the_schedule_says() -> None:
    torch.manual_seed(0)
    energy = Grids(SIGNAL, lambda s: mlp_energy(s, 8, 1, reference_sd=1.0), (4, 2, 1), add=True)
    players = Players({"energy": energy}, {"energy": Optimiser(sgd, 0.01)})
    trainer = CoarseToFine(players, {"negative": phase_of(energy, 0.2, 2)}, SIGNAL, 4, lambda s: Gaussian(s))
    grown = [trainer.grown(t) for t in range(22)]
    assert [k for k, _ in grown] == [0] * 4 + [1] * 8 + [2] * 10
    assert [f for k, f in grown if k == 1] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    frozen = {n: p.detach().clone() for n, p in energy.nets[2].named_parameters()}
    draw = rng(1)
    for t in range(12):
        trainer.players.at(t)
        logs = trainer.step(t, {"data": Batch(ramp(16, draw))}, draw)
    assert float(logs["grid"]) == 1
    assert all(torch.equal(frozen[n], p) for n, p in energy.nets[2].named_parameters())  # its turn has not come
    assert players.born["energy"] == 4  # a fresh optimiser since the second grid began
    trainer.players.at(12)
    trainer.step(12, {"data": Batch(ramp(16, draw))}, draw)
    assert not all(torch.equal(frozen[n], p) for n, p in energy.nets[2].named_parameters())
    assert float(energy.fade) == 0.25  # drawing on coarser grids has not changed it
    assert trainer.sample(5, rng()).shape == (5, 1, 8)
    assert float(energy.fade) == 0.25


def test_trainers_on_grids_ask_for_energies_on_grids() -> None:
    energy = Grids(SIGNAL, lambda s: Quadratic(s), (2, 1))
    players = Players({"energy": energy}, {"energy": Optimiser(sgd, 0.1)})
    with pytest.raises(RecipeError, match=r'"grids" energy with factors \[4, 1\]'):
        MultiGrid(players, {}, factors=(8, 4, 1))
    with pytest.raises(RecipeError, match="add: true"):
        CoarseToFine(players, {}, SIGNAL, 4, lambda s: Gaussian(s))
