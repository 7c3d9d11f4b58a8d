"""The same event on several grids: pooling, energies that grow, multi-grid, coarse-to-fine and pyramids."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmsuite.density import Diagonal, Gaussian
from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.learning import Optimiser, Players, Spaces
from ebmsuite.learning.optimisers import adam, adamw, sgd
from ebmsuite.methods.coarse_to_fine import CoarseToFine
from ebmsuite.methods.multi_grid import MultiGrid
from ebmsuite.methods.pyramid import Pyramid
from ebmsuite.nets.grids import Grids, coarser, pool, resize, upsample, windows
from ebmsuite.nets.mlp import Quadratic, mlp_energy, patches
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import Langevin, Phase, Proposal
from ebmsuite.schedule import Schedule
from ebmsuite.space import Batch, Space

SIGNAL = Space((1, 8), (-1.0, 1.0))


def phase_of(energy: Energy, h: float = 0.3, steps: int = 10, temperature: float = 1.0) -> Phase:
    return Phase(energy, Langevin(step_size=h, temperature=temperature), Proposal(), steps)


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
    with pytest.raises(RecipeError, match=r"\[1, 3\] belong to no grid"):
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
    ("factors", "add", "message"),
    [
        ((1, 2), False, "coarse to fine"),
        ((4, 2), False, "end with 1"),
        ((9, 1), False, "must be from 1 to the number"),
        ((1.05, 1), False, "the same shape"),
        ((6, 4, 1), True, "a multiple of the next"),
        ((3, 1), True, "and divide"),
    ],
)
def test_wrong_factors_are_refused(factors: tuple[int, ...], add: bool, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Grids(SIGNAL, lambda s: mlp_energy(s, 8, 1), factors, add=add)


def test_grids_between_blocks_are_resized() -> None:
    grids = Grids(Space((2, 20, 13)), lambda s: Quadratic(s), (2.6, 1.39, 1))
    assert grids.shapes == [(2, 8, 5), (2, 14, 9), (2, 20, 13)]
    with pytest.raises(RecipeError, match="a multiple of the next"):
        MultiGrid.roles["coarsest"].event(Spaces(Space((2, 20, 13)), None, None, {"factors": (2.6, 1)}))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_resizing_keeps_slow_waves_and_drops_fast_ones(axes: int) -> None:
    def wave(n: int, periods: float) -> Tensor:
        line = torch.cos(2 * torch.pi * periods * (torch.arange(n) + 0.5) / n)
        return line.view(1, 1, *[1] * (axes - 1), n).expand(2, 1, *[n] * (axes - 1), n)

    inside = (slice(None), slice(None), *[slice(3, -3)] * axes)
    slow = resize(wave(40, 2), [26] * axes)
    assert slow.shape == (2, 1, *[26] * axes)
    assert torch.allclose(slow[inside], wave(26, 2)[inside], atol=0.03)
    assert torch.allclose(resize(slow, [40] * axes)[inside], wave(40, 2)[inside], atol=0.03)
    # every fourth position alone would be a wave of height 0.9
    assert resize(wave(40, 19), [10] * axes)[inside].abs().max() < 0.03


def test_windows_are_all_there_are() -> None:
    x = torch.randn(2, 3, 5, 4)
    found = windows(x, 2)
    assert found.shape == (2 * 4 * 3, 3 * 2 * 2)
    assert torch.equal(found[1 * 12 + 2 * 3 + 1], x[1, :, 2:4, 1:3].flatten())
    assert torch.equal(windows(x[:, :, 0], 3)[1], x[0, :, 0, 1:4].flatten())
    for small, size in ((x, 5), (x, 0), (x.flatten(1), 2)):
        with pytest.raises(UserError, match=rf"windows of {size} positions do not fit events"):
            windows(small, size)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_scores_of_patches_see_no_further_than_the_patch(axes: int) -> None:
    """Changes further apart than a window add up; nearer ones do not. And a score is the same wherever its patch is."""
    torch.manual_seed(0)
    energy = patches(Space((2, *[12] * axes)), width=8, depth=2).double().eval()
    base = torch.zeros(1, 2, *[12] * axes, dtype=torch.float64)

    def at(*positions: int) -> Tensor:
        x = base.clone()
        for p in positions:
            x[(0, 0, *[p] * axes)] = 1.0
        change: Tensor = energy(x) - energy(base)
        return change

    assert torch.allclose(at(3, 8), at(3) + at(8), atol=1e-12)
    assert not torch.allclose(at(3, 5), at(3) + at(5), atol=1e-9)
    assert torch.allclose(at(5), at(6), atol=1e-12)
    first = energy.net.layers[0].weight.flatten(1)
    assert torch.linalg.matrix_norm(first, 2).item() == pytest.approx(1.0, abs=0.02)


def pyramid(energy: Grids, lr: float | Schedule = 0.1, **settings: object) -> Pyramid:
    players = Players({"energy": energy}, {"energy": Optimiser(adamw, lr)})
    phases = {name: phase_of(energy, 0.25, 10) for name in ("coarsest", "negative")}
    return Pyramid(players, phases, event=SIGNAL, noise=lambda s: Gaussian(s), **settings)  # type: ignore[arg-type]


def test_a_pyramid_learns_grid_by_grid_and_leaves_what_it_has_learned() -> None:
    """Quadratic energies on grids of 5 and 8 positions: the moments of the data, and a first grid that stays."""
    energy = Grids(SIGNAL, lambda s: Quadratic(s), (1.6, 1))
    trainer, draw = pyramid(energy, stage=120), rng(1)
    for t in range(240):
        if t == 120:
            learned = {n: p.detach().clone() for n, p in energy.nets[0].named_parameters()}
            assert float(energy.nets[1].a.detach().abs().max()) == 0.0
        trainer.players.set_step(t)
        logs = trainer.step(t, {"data": Batch(ramp(384, draw))}, draw)
        assert float(logs["grid"]) == t // 120
    assert all(torch.equal(learned[n], p) for n, p in energy.nets[0].named_parameters())
    x = trainer.sample(4000, rng(2))
    assert torch.allclose(x.mean(0), torch.linspace(-0.4, 0.4, 8).view(1, 8), atol=0.12)
    assert float(x.var(0).mean()) == pytest.approx(0.25, rel=0.12)


def test_what_is_recovered_has_its_share_of_the_gradient() -> None:
    """(1 + r) x - x~ - r x^ for the linear term, x^ from the example made coarser, by a step without noise."""
    energy = Grids(SIGNAL, lambda s: Quadratic(s), (1.6, 1))
    trainer = pyramid(energy, stage=1, recovery_weight=0.3)
    trainer.players = Players({"energy": energy}, {"energy": Optimiser(sgd, 1.0)})
    trainer.phases = {**trainer.phases, "recovery": phase_of(energy, 0.25, 1, temperature=0.0)}
    x, coarsest = ramp(16, rng(3)), trainer.phases["coarsest"]
    drawn, draw = [], coarsest.draw
    coarsest.draw = lambda *a, **k: drawn.append(draw(*a, **k)) or drawn[-1]  # type: ignore[method-assign]
    trainer.step(0, {"data": Batch(x)}, rng())
    top = resize(x, [5])
    recovered = (1 - 0.25**2 / 2) * resize(resize(x, [4]), [5])  # the slope of x^2 / 2 is x
    wanted = -(1.3 * top - drawn[0].x - 0.3 * recovered).mean(0)
    assert torch.allclose(energy.nets[0].a, wanted, atol=1e-5)
    assert float(energy.nets[1].a.detach().abs().max()) == 0.0


def test_schedules_begin_anew_on_every_grid() -> None:
    energy = Grids(SIGNAL, lambda s: Quadratic(s), (2, 1))
    trainer = pyramid(energy, Schedule(start=0.2, end=0.1, over=4), stage=4)
    draw, rates = rng(1), []
    for t in range(8):
        trainer.players.set_step(t)
        trainer.step(t, {"data": Batch(ramp(16, draw))}, draw)
        rates.append(round(trainer.players.lr("energy"), 4))
    assert rates == [0.2, 0.175, 0.15, 0.125] * 2


def test_samples_do_not_ask_when_the_run_was_loaded() -> None:
    """A loaded run is at the step that comes next, a running one at that which was: on a boundary another stage."""
    energy = Grids(SIGNAL, lambda s: Quadratic(s), (2, 1))
    trainer = pyramid(energy, stage=4)
    cooling = Langevin(step_size=0.3, temperature=Schedule(start=1.0, end=0.1, over=4))
    trainer.phases = dict.fromkeys(trainer.phases, Phase(energy, cooling, Proposal(), 5))
    for t in range(4):
        trainer.players.set_step(t)
        trainer.step(t, {"data": Batch(ramp(16, rng(t)))}, rng(t))
    running = trainer.sample(8, rng(1))
    for phase in trainer.phases.values():
        phase.set_step(4)
    trainer.players.set_step(4)
    assert torch.equal(trainer.sample(8, rng(1)), running)


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
        trainer.players.set_step(t)
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
        trainer.players.set_step(t)
        logs = trainer.step(t, {"data": Batch(ramp(16, draw))}, draw)
    assert float(logs["grid"]) == 1
    assert all(torch.equal(frozen[n], p) for n, p in energy.nets[2].named_parameters())  # its turn has not come
    assert players.reset_at["energy"] == 4  # a fresh optimiser since the second grid began
    trainer.players.set_step(12)
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
