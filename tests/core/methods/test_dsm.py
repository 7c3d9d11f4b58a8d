"""Scores and recovery: against finite differences, convolved Gaussians and closed conditionals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmsuite.builtin.examples import (
    COOPERATIVE_RECOVERY_EXAMPLE,
    DSM_EXAMPLE,
    ENERGY_MATCHING_EXAMPLE,
    FCE_EXAMPLE,
    MLE_EXAMPLE,
    NCE_EXAMPLE,
    RECOVERY_EXAMPLE,
)
from ebmsuite.density import Gaussian, event_sum
from ebmsuite.energy import Energy, NoiseConditional, Recovery
from ebmsuite.errors import RecipeError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.generator import NormalGenerator
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.diffusion import COSINE, T6, Diffusion, Level
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.methods.cooperative_recovery import CooperativeRecovery
from ebmsuite.methods.dsm import DenoisingScoreMatching
from ebmsuite.methods.energy_matching import EnergyMatching, matched
from ebmsuite.methods.recovery import RecoveryLikelihood
from ebmsuite.model import load
from ebmsuite.nets.mlp import Quadratic
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import rng, watched_by
from ebmsuite.ranks import Ranks
from ebmsuite.sampling import Langevin, Noise, Phase, Proposal, Start
from ebmsuite.sampling.descent import Descent
from ebmsuite.sampling.kernel import normal_like, target_of
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

PLAIN = Optimiser(sgd, lr=1.0)
LABELLED = {"data": {"name": "normal", "n": 64, "dim": 2, "labels": True}}
TOLD = "players.energy={name: mlp-levels, low: 0.1, high: 1}"


def players_of(energy: Energy) -> Players:
    return Players({"energy": energy}, {"energy": PLAIN})


# -- denoising score matching -------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"sigma": 0.4}, {"sigma": 0.4, "low": 0.1, "high": 1.0},
                                      {"sigma": 0.4, "low": 0.1, "high": 1.0, "spacing": "geometric"}])  # fmt: skip
def test_the_gradient_is_that_of_the_squared_misses(settings: dict[str, float]) -> None:
    """On E = a x + b x^2 the slope is a + 2 b x: everything is written out."""
    energy = Quadratic(Space((2, 3))).double()
    with torch.no_grad():
        energy.a.copy_(torch.randn(2, 3, generator=rng(3)))
    x = torch.randn(50, 2, 3, generator=rng(1), dtype=torch.float64) + 1
    trainer = DenoisingScoreMatching(players_of(energy), {}, **settings)  # type: ignore[arg-type]
    levels = trainer.levels(x)
    added = levels[:, None, None] * normal_like(x, rng())
    a, b = energy.a.detach().clone().requires_grad_(), energy.log_b.detach().exp().requires_grad_()
    misses = (a + 2 * b * (x + added) - added / 0.4**2).square().flatten(1).sum(1)
    (0.5 * (0.4 / levels).square() * misses).mean().backward()
    before = energy.a.detach().clone(), energy.log_b.detach().clone()
    trainer.step(0, {"data": Batch(x)}, rng())
    assert a.grad is not None
    assert b.grad is not None
    assert torch.allclose(before[0] - energy.a, a.grad)
    assert torch.allclose(before[1] - energy.log_b, b.grad * b.detach())


def test_the_optimum_is_the_density_convolved_with_the_noise(tmp_path: Path) -> None:
    s, sigma = 0.5, 0.4
    run = train(
        DSM_EXAMPLE, f"data.data={{name: normal, n: 20000, mean: 1.0, sd: {s}}}", "players.energy={name: quadratic}",
        f"trainer={{name: dsm, sigma: {sigma}}}", "budget={steps: 800, batch: 500}",
        "energy.lr={start: 0.05, end: 1e-3, over: 800, shape: exponential}", "energy.ema=0.99", watched_by(),
        out=tmp_path / "run",
    )  # fmt: skip
    energy = load(run).players["energy"]
    a, b = energy.a.item(), energy.log_b.exp().item()
    assert -a / (2 * b) == pytest.approx(1.0, abs=0.03)
    assert 1 / (2 * b) == pytest.approx(s**2 + sigma**2, rel=0.04)


def test_levels_reach_from_low_to_high_and_denoising_expects_the_clean_event() -> None:
    x = torch.zeros(5, 1)
    energy = Quadratic(Space((1,)))  # N(0, 1): of variance 1 - sigma^2 before the noise
    phase = Phase(energy, Langevin(step_size=0.1), Proposal(), 0)
    phase.sample = lambda n, rng, condition=None: torch.full((n, 1), 2.0)  # type: ignore[method-assign, assignment]
    made = {"sigma": 0.5, "low": 0.1, "high": 1.6}
    trainer = DenoisingScoreMatching(players_of(energy), {"negative": phase}, denoise=True, **made)
    assert torch.allclose(trainer.levels(x), torch.tensor([0.1, 0.475, 0.85, 1.225, 1.6]))
    trainer.spacing = "geometric"
    assert torch.allclose(trainer.levels(x), torch.tensor([0.1, 0.2, 0.4, 0.8, 1.6]))
    assert torch.allclose(trainer.sample(3, rng()), torch.full((3, 1), 2.0 * (1 - 0.25)))


def test_random_levels_fill_each_interval_of_log_sigma_anew() -> None:
    trainer = DenoisingScoreMatching(
        players_of(Quadratic(Space((1,)))), {}, sigma=0.1, low=0.1, high=1.6, spacing="random"
    )
    generator, ends = rng(), torch.tensor([0.1, 0.2, 0.4, 0.8, 1.6])
    drawn = torch.stack([trainer.levels(torch.zeros(4, 1), generator) for _ in range(400)])
    assert bool(((drawn >= ends[:-1]) & (drawn <= ends[1:])).all())
    places = (drawn / ends[:-1]).log2()
    assert places.mean(0).tolist() == pytest.approx([0.5] * 4, abs=0.05)
    assert places.std(0).tolist() == pytest.approx([12**-0.5] * 4, abs=0.03)


class Shifted(Gaussian):
    """N(mean, sd^2) with the mean and standard deviation of the events that it is fitted to."""

    def fit(self, x: Tensor) -> None:
        self.mean, self.sd = float(x.mean()), float(x.std())


def test_chains_start_at_samples_of_the_fitted_density_plus_noise() -> None:
    event = Space((1,))
    energy, start = Quadratic(event), Shifted(event)
    players = Players({"energy": energy, "start": start}, {"energy": PLAIN})
    phase = Phase(energy, Langevin(step_size=0.1), Noise(Gaussian(event, sd=4.0)), 0)
    trainer = DenoisingScoreMatching(players, {"negative": phase}, sigma=0.5)
    trainer.step(0, {"data": Batch(torch.tensor([[8.0], [14.0]]))}, rng())
    trainer.step(1, {"data": Batch(torch.tensor([[0.0], [1.0]]))}, rng())  # only the first batch is fitted
    assert (start.mean, start.sd) == (11.0, pytest.approx(18**0.5))
    x = trainer.sample(20_000, rng())
    assert float(x.mean()) == pytest.approx(11.0, abs=0.15)
    assert float(x.var()) == pytest.approx(18 + 16, rel=0.04)


def test_a_start_must_be_fitted_and_has_no_optimiser() -> None:
    registry, players = Registry(), DSM_EXAMPLE["players"] | {"start": {"name": "gaussian"}}
    rated = DSM_EXAMPLE["optimisers"] | {"start": {"name": "adam", "lr": 0.1}}
    with pytest.raises(RecipeError, match=r"optimisers\.start: the trainer fits players\.start directly"):
        read_recipe(DSM_EXAMPLE | {"players": players, "optimisers": rated}, registry)
    recipe = read_recipe(DSM_EXAMPLE | {"players": players}, registry)
    with pytest.raises(RecipeError, match=r"players\.start: this density cannot be fitted"):
        Experiment.with_data(recipe, registry, torch.device("cpu"), Ranks())


# -- a noise-conditional energy -------------------------------------------------------------------------------------


def told(net: Callable[[Tensor, Tensor], Tensor], sd: float = 1.0) -> NoiseConditional:
    """One with this f(x, time), from 0.2 to 2.0."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.tensor([0.5, -0.25], dtype=torch.float64))

        def forward(self, x: Tensor, time: Tensor) -> Tensor:
            return net(x, time) + x @ self.a.to(x.dtype)

    return NoiseConditional(Net(), 0.2, 2.0, sd)


def test_a_net_that_says_nothing_leaves_the_normal_of_its_level() -> None:
    x, sigma = torch.randn(6, 2, generator=rng()), torch.tensor([0.2, 0.5, 0.9, 1.3, 1.7, 2.0])
    energy = told(lambda x, time: torch.zeros(len(x)), sd=0.7)
    with torch.no_grad():
        energy.net.a.zero_()
    assert torch.allclose(energy(x, sigma), x.square().sum(1) / (2 * (0.49 + sigma**2)))
    assert torch.allclose(energy(x), x.square().sum(1) / (2 * (0.49 + 0.04)))


def test_the_level_is_told_by_its_place_between_the_ends() -> None:
    seen = []
    energy = told(lambda x, time: seen.append((x, time)) or torch.zeros(len(x)))  # type: ignore[func-returns-value]
    x, sigma = torch.ones(3, 2), torch.tensor([0.2, 0.4**0.5, 2.0])
    value = energy(x, sigma)
    given, time = seen[0]
    k = torch.arange(1.0, 9.0)
    assert torch.allclose(time, torch.stack([torch.cos(torch.pi * k * u) for u in (0.0, 0.5, 1.0)]), atol=1e-5)
    assert torch.allclose(given, (1 / (1 + sigma**2)).sqrt()[:, None].expand(3, 2))
    tilt = given @ energy.net.a.float() / sigma
    assert torch.allclose(value, 2 / (2 * (1 + sigma**2)) - tilt)


def test_every_level_of_an_energy_that_is_told_weighs_alike() -> None:
    """1/2 sigma_i^2 |dE/dx~ - n / sigma_i|^2, on E = |x|^2 / 2 v - (a, x) / sigma v^1/2 with v = 1 + sigma^2."""
    energy = told(lambda x, time: torch.zeros(len(x), dtype=x.dtype))
    x = torch.randn(40, 2, generator=rng(1), dtype=torch.float64)
    trainer = DenoisingScoreMatching(players_of(energy), {})
    sigma = 0.2 * 10 ** torch.linspace(0, 1, 40, dtype=torch.float64)[:, None]
    noise = normal_like(x, rng())
    a, v = energy.net.a.detach().clone().requires_grad_(), 1 + sigma**2
    slope = (x + sigma * noise) / v - a / (sigma * v.sqrt())
    (0.5 * (sigma * slope - noise).square().sum(1).mean()).backward()
    before = energy.net.a.detach().clone()
    trainer.step(0, {"data": Batch(x)}, rng())
    assert a.grad is not None
    assert torch.allclose(before - energy.net.a, a.grad)


@pytest.mark.slow
def test_every_level_ends_at_the_density_with_its_noise(tmp_path: Path) -> None:
    """N(1, 0.5^2), noise from 0.3 to 2: the slope is (x - 1) / (0.25 + sigma^2) at all of them."""
    run = train(
        DSM_EXAMPLE, "data.data={name: normal, n: 20000, mean: 1.0, sd: 0.5}", "trainer={name: dsm, denoise: true}",
        "players.energy={name: mlp-levels, low: 0.3, high: 2.0, width: 32, depth: 2}",
        "budget={steps: 1200, batch: 256}",
        "energy.lr={start: 1e-2, end: 1e-4, over: 1200, shape: exponential}", "energy.ema=0.99", watched_by(),
        "negative.steps=300", "negative.sampler.step_size=0.2", out=tmp_path / "run",
    )  # fmt: skip
    model = load(run)
    energy = model.players["energy"]
    for sigma in (0.3, 0.6, 1.0, 2.0):
        spread = (0.25 + sigma**2) ** 0.5
        x = 1 + spread * torch.randn(500, 1, generator=rng(3))
        condition = torch.full((500,), sigma)
        _, slope = target_of(energy, x, condition).value_and_grad(x)
        assert float(spread * (slope - (x - 1) / spread**2).square().mean().sqrt()) < 0.12
    x = model.sample(2000, seed=4)  # at the least noise, and then without it: Tweedie shrinks by V / (V + sigma^2)
    assert float(x.mean()) == pytest.approx(1, abs=0.06)
    assert float(x.var()) == pytest.approx(0.25**2 / (0.25 + 0.09), rel=0.15)


class Modes(NoiseConditional):
    """0.8 N(-4, s^2) + 0.2 N(4, s^2) with its noise, in closed form."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(1, 1), 0.3, 5.0)  # a player has parameters

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        sigma = x.new_full((len(x),), self.low) if condition is None else condition
        away = [math.log(share) - (x[:, 0] - at).square() / (2 * sigma**2) for share, at in ((0.8, -4.0), (0.2, 4.0))]
        return -torch.logsumexp(torch.stack(away), 0) + sigma.log()


def test_down_the_levels_modes_get_their_shares() -> None:
    energy = Modes()
    phase = Phase(energy, Langevin(step_size=0.15), Noise(Gaussian(Space((1,)), sd=5.0)), 60)
    down, at_once = (
        DenoisingScoreMatching(players_of(energy), {"negative": phase}, anneal=levels).sample(4000, rng())
        for levels in (12, 1)
    )
    assert float((down < 0).double().mean()) == pytest.approx(0.8, abs=0.03)
    assert float((at_once < 0).double().mean()) == pytest.approx(0.5, abs=0.05)  # where the chains started
    assert float(down[down < 0].std()) == pytest.approx(0.3, rel=0.1)


# -- diffusion ----------------------------------------------------------------------------------------------------


def test_the_published_levels() -> None:
    """The numbers of the two papers' codes (facts: image.md 7.1 and 7.2)."""
    t = torch.arange(6)
    level = Diffusion(T6).level(t)
    assert torch.allclose(level.a, torch.tensor([0.9462, 0.8563, 0.7748, 0.7009, 0.6340, 0.0228]), atol=1e-4)
    assert torch.allclose(level.sigma, torch.tensor([0.3237, 0.5165, 0.6322, 0.7132, 0.7734, 0.9997]), atol=1e-4)
    assert torch.allclose(level.noise, torch.tensor([0.0100, 0.3238, 0.5862, 0.7785, 0.8980, 0.9603]), atol=1e-4)
    assert torch.allclose(level.kept.square() + level.noise.square(), torch.ones(6))
    assert torch.allclose(level.noise[1:], level.noise_next[:-1])
    assert Diffusion(T6).least == pytest.approx(0.01, rel=1e-3)
    assert Diffusion(T6).first_sigma == pytest.approx(0.3237, abs=1e-4)
    assert [round(v, 2) for v in COSINE] == [9.8, 2.69, 1.2, 0.14, -0.88, -2.17, -5.1]
    trainer = RecoveryLikelihood(players_of(Quadratic(Space((1,)))), {}, event=Space((1,)))
    units = trainer._tied(torch.zeros(6, 1), level, None)[2]
    assert torch.allclose(units, torch.tensor([0.0046, 0.0416, 0.0685, 0.0890, 0.1036, 0.1386]), atol=1e-4)
    trainer.growth = 0.0
    assert torch.allclose(trainer._unit(level), 2e-4**0.5 * level.sigma)


V = 0.25
"""Variance of the data below."""


class Levels(Energy):
    """b^2 (a y + w y^2), b^2, a and w those of the level: mean -a / 2w, variance 1 / 2w."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.log_w = (torch.nn.Parameter(torch.zeros(3)) for _ in range(2))

    def know(self, trainer: RecoveryLikelihood) -> None:
        t = torch.arange(3)
        self.level = trainer.diffusion.level(t)
        self.unit = trainer._tied(torch.zeros(3, 1), self.level, None)[2]

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        t = torch.cdist(condition, self.level.time).argmin(1)
        a, w = self.a[t][:, None], self.log_w.exp()[t][:, None]
        return self.unit[t].square() * event_sum(a * x.flatten(1) + w * x.flatten(1).square())

    def variance(self, own: float) -> Tensor:
        """Of y_t = a x_t for data of this variance, [3]."""
        spread = self.level.kept.square() * own + self.level.noise.square()
        return torch.where(self.level.last, 1.0, self.level.a).square() * spread


def levels(steps: int, event: Space, **settings: float) -> RecoveryLikelihood:
    energy = Levels()
    players = Players({"energy": energy}, {"energy": Optimiser(adam, lr=0.03)})
    phase = Phase(RecoveryLikelihood.energies(players)["negative"], Langevin(step_size=1.0), Proposal(), steps)
    made = {"log_snr": (4.0, 1.0, -1.0, -6.0), "step_scale": 0.03, "noise_at_test": 1.0, **settings}
    trainer = RecoveryLikelihood(players, {"negative": phase}, event=event, **made)  # type: ignore[arg-type]
    energy.know(trainer)
    with torch.no_grad():
        energy.log_w.copy_((0.5 / energy.variance(V)).log())
    return trainer


def settled(trainer: RecoveryLikelihood) -> tuple[Tensor, Tensor]:
    """Shrinkage of x_{t+1} and variance, [3] each, of chains on the exact energy: precisions add up, the last level has
    no tether, and steps of b widen a normal."""
    energy = trainer.players["energy"]
    pull = torch.where(energy.level.last, 0.0, energy.level.sigma**-2)
    precision = 1 / energy.variance(V) + pull
    return pull / precision, 1 / (precision - energy.unit.square() * precision.square() / 4)


@pytest.mark.parametrize("t", [0, 1, 2])
def test_chains_reach_the_closed_conditional(t: int) -> None:
    """p(y_t | x_{t+1}) of normal data."""
    trainer = levels(150, Space((2,)))
    n = 3000
    level = trainer.diffusion.level(torch.full((n,), t))
    noisy = torch.tensor([1.0, -0.5]).expand(n, 2)
    y = trainer.phases["negative"].sample(n, rng(), None, Start(noisy, trainer._tied(noisy, level, None)))
    shrinkage, variance = settled(trainer)
    assert torch.allclose(y.mean(0), noisy[0] * shrinkage[t], atol=0.05)
    assert torch.allclose(y.var(0), variance[t].expand(2), rtol=0.08)


def test_down_all_levels_samples_are_data() -> None:
    trainer = levels(100, Space((1, 2)))
    x = trainer.sample(3000, rng())
    assert x.shape == (3000, 1, 2)
    expected, level = 1.0, trainer.players["energy"].level
    for t in (2, 1, 0):
        shrinkage, variance = settled(trainer)
        a = 1.0 if t == 2 else float(level.a[t])
        expected = float((shrinkage[t] ** 2 * expected + variance[t]) / a**2)
    assert float(x.var()) == pytest.approx(expected, rel=0.06)
    wide = float(level.kept[0]) ** 2 * V + float(level.noise[0]) ** 2
    assert expected == pytest.approx(wide, rel=0.12)  # which is not far from the data with the first level's noise
    trainer.denoise = True
    clean = trainer.sample(3000, rng())  # Tweedie: x kept V / wide
    assert torch.allclose(clean, x * float(level.kept[0]) * V / wide, atol=1e-4)


@pytest.mark.slow
def test_every_level_learns_its_own_gaussian() -> None:
    """The fixed point on exponential families, one a level: chains, converged or not, end as data do."""
    trainer = levels(30, Space((2,)))
    energy = trainer.players["energy"]
    with torch.no_grad():
        energy.log_w.add_(0.7)  # too narrow, and at 0
    assert float(trainer.sample(1000, rng()).var(0).mean()) < 0.75 * V
    for t in range(220):
        trainer.players.how["energy"] = Optimiser(adam, lr=0.06 if t < 140 else 0.005)
        x = 0.6 + V**0.5 * torch.randn(256, 2, generator=rng(1000 + t))
        trainer.step(t, {"data": Batch(x)}, rng(t))
    x = trainer.sample(4000, rng())
    first = energy.level
    assert torch.allclose(x.mean(0), 0.6 * first.kept[0], atol=0.05)
    assert float(x.var(0).mean()) == pytest.approx(float(first.kept[0] ** 2 * V + first.noise[0] ** 2), rel=0.15)


@pytest.mark.parametrize("weights", ["sigma", "likelihood"])
def test_a_level_gradient_is_the_weighted_difference_of_statistics(weights: str) -> None:
    """One level of a quadratic energy, which is not told the level: a x_t against the chains' ends."""

    class Deaf(Quadratic):
        def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
            return super().forward(x)

    energy = Deaf(Space((2,)))
    players = players_of(energy)
    phase = Phase(Recovery(energy), Langevin(step_size=1.0), Proposal(), 4)
    drawn = []
    draw = phase.draw
    phase.draw = lambda *a, **k: drawn.append(draw(*a, **k)) or drawn[-1]  # type: ignore[method-assign, func-returns-value]
    trainer = RecoveryLikelihood(
        players, {"negative": phase}, event=Space((2,)), log_snr=(4.0, 1.0, -5.0), weights=weights
    )
    x = torch.randn(60, 2, generator=rng(1))
    before = energy.a.detach().clone()
    trainer.step(0, {"data": Batch(x)}, rng())
    again = rng()
    level = trainer.diffusion.level(trainer._levels(60, again))
    less, noisy = trainer._noised(x, level, again)
    assert set(level.last.tolist()) == {True, False}
    assert torch.equal(drawn[0].start.x, noisy)
    positive = torch.where(level.last, 1.0, level.a)[:, None] * less
    unit = drawn[0].condition[2]
    of_level = (trainer.diffusion.first_sigma / level.sigma if weights == "sigma" else unit**-2)[:, None]
    assert torch.allclose(before - energy.a, (of_level * (positive - drawn[0].x)).mean(0), rtol=1e-4, atol=1e-5)


# -- cooperative recovery -----------------------------------------------------------------------------------------


class Shift(NormalGenerator):
    """Moves a noisy event by a share of itself, which is the level's own."""

    def __init__(self, level_of: Callable[[], Level]) -> None:
        super().__init__(torch.nn.ParameterList([torch.zeros(3)]), Gaussian(Space((0,))), 1.0)
        self.level_of = level_of

    def forward(self, z: Tensor, condition: Tree = None) -> Tensor:
        noisy, time = condition
        return self.net[0][torch.cdist(time, self.level_of().time).argmin(1)][:, None] * noisy


def test_the_generator_learns_where_the_chains_go() -> None:
    """Under the exact energy, E[y | x_{t+1}] - x_{t+1} of normal data; both levels have the same noise."""
    energy = Levels()
    generator = Shift(lambda: energy.level)
    how = {"energy": Optimiser(sgd, lr=0.0), "generator": Optimiser(sgd, lr=0.5)}
    players = Players({"energy": energy, "generator": generator}, how)
    phase = Phase(CooperativeRecovery.energies(players)["negative"], Langevin(step_size=1.0), Proposal(), 12)
    trainer = CooperativeRecovery(
        players, {"negative": phase}, event=Space((2,)), log_snr=(4.0, 1.0, -1.0, -6.0), step_scale=0.03, denoise=False
    )
    energy.know(trainer)
    with torch.no_grad():
        energy.log_w.copy_((0.5 / energy.variance(V)).log())
    x = V**0.5 * torch.randn(400, 2, generator=rng(1))
    level = trainer.diffusion.level(torch.ones(400, dtype=torch.int64))
    less, more = trainer._noised(x, level, rng())
    noise = (less - level.kept[:, None] * x) / level.noise[:, None]
    assert torch.allclose(more, (level.a * level.kept)[:, None] * x + level.noise_next[:, None] * noise, atol=1e-5)
    for t in range(150):
        trainer.players.how["generator"] = Optimiser(sgd, lr=0.5 if t < 100 else 0.05)
        trainer.step(t, {"data": Batch(x)}, rng(t))
    assert torch.allclose(generator.net[0], settled(trainer)[0] - 1, atol=0.05)
    assert float(trainer.sample(3000, rng()).var()) == pytest.approx(V * 0.982 + 0.018, rel=0.2)


# -- energy matching ----------------------------------------------------------------------------------------------


def matching(energy: Energy, how: Optimiser = PLAIN, **settings: object) -> EnergyMatching:
    players = Players({"energy": energy}, {"energy": how})
    noise = Noise(Gaussian(Space((2,))))
    phases = {"transport": Phase(energy, Descent(gradient_weight=0.1), noise, 10),
              "negative": Phase(energy, Langevin(gradient_weight=0.1, noise_scale=0.2), Proposal(), 40)}  # fmt: skip
    return EnergyMatching(players, phases, **settings)  # type: ignore[arg-type]


def test_the_coupling_is_the_cheapest_permutation() -> None:
    pytest.importorskip("scipy")
    x, y = torch.randn(5, 1, 3, generator=rng(1)), torch.randn(5, 1, 3, generator=rng(2))
    costs = {p: float((x - y[list(p)]).square().sum()) for p in itertools.permutations(range(5))}
    assert tuple(matched(x, y).tolist()) == min(costs, key=lambda p: costs[p])


@pytest.mark.parametrize("contrast", [False, True])
def test_the_gradient_is_that_of_flow_and_contrast(contrast: bool) -> None:
    """On V = a x + b x^2 the slope is a + 2 b x: everything is written out."""
    energy = Quadratic(Space((2,)))
    weight = 0.5 if contrast else 0.0
    trainer = matching(energy, flow_first=0 if contrast else 1, contrast_weight=weight, coupling="independent",
                       floor=None, trim=0.25)  # fmt: skip
    x = torch.randn(20, 2, generator=rng(1)) + 1
    again = rng()
    noise = normal_like(x, again)
    time = torch.rand(20, generator=again)[:, None]
    a, b = energy.a.detach().clone().requires_grad_(), energy.log_b.detach().exp().requires_grad_()
    loss = (a + 2 * b * ((1 - time) * noise + time * x) + x - noise).square().sum(1).mean()
    if contrast:
        y, _ = trainer._negative(Batch(x), again)
        of_y = (a * y + b * y.square()).sum(1)
        loss = loss + weight * ((a * x + b * x.square()).sum(1).mean() - of_y[of_y.argsort()[:15]].mean())
    loss.backward()
    before = energy.a.detach().clone(), energy.log_b.detach().clone()
    trainer.step(0, {"data": Batch(x)}, rng())
    assert a.grad is not None
    assert b.grad is not None
    assert torch.allclose(before[0] - energy.a, a.grad, atol=1e-5)
    assert torch.allclose(before[1] - energy.log_b, b.grad * b.detach(), atol=1e-5)


def test_half_of_the_negatives_come_from_noise_and_half_from_data() -> None:
    energy = Quadratic(Space((2,)))
    trainer = matching(energy, coupling="independent")
    trainer.phases["negative"].steps = 0
    x = torch.randn(9, 2, generator=rng(1)) + 5
    y, _ = trainer._negative(Batch(x), rng())
    start = Gaussian(Space((2,))).sample(4, rng())
    assert torch.allclose(y[:4], start * 0.9**10, atol=1e-5)  # down the slope of x^2 / 2
    assert torch.equal(y[4:], x[4:])


@pytest.mark.slow
def test_the_contrast_makes_the_energy_that_of_the_data() -> None:
    """exp(-V / eps), eps = 0.2: of an exponential family by the contrast alone, as good as."""
    energy = Quadratic(Space((2,)))
    how = Optimiser(adam, lr=0.03)
    trainer = matching(energy, how, flow_first=0, contrast_weight=1e4, coupling="independent", floor=None, trim=0.0)
    for t in range(250):
        trainer.players.how["energy"] = Optimiser(adam, lr=0.03 if t < 180 else 0.004)
        x = 0.6 + 0.5 * torch.randn(200, 2, generator=rng(1000 + t))
        trainer.step(t, {"data": Batch(x)}, rng(t))
    b = energy.log_b.exp()
    assert torch.allclose(-energy.a / (2 * b), torch.full((2,), 0.6), atol=0.06)
    settles = 0.2 / (2 * b) / (1 - 0.1 * b)  # steps of weight w widen a normal by 1 / (1 - w b)
    assert torch.allclose(settles, torch.full((2,), 0.25), rtol=0.12)


@pytest.mark.parametrize(
    ("example", "change", "text"),
    [
        (DSM_EXAMPLE, "trainer.low=null", "low and high are the ends"),
        (DSM_EXAMPLE, TOLD, "trainer.sigma: leave it out; the noise-conditional energy"),
        (DSM_EXAMPLE | {"trainer": {"name": "dsm", "low": 0.1, "high": 1.0}}, TOLD, "trainer.low: leave it out"),
        (DSM_EXAMPLE | {"trainer": {"name": "dsm"}}, "log.every=1", "trainer.sigma: give the noise level"),
        (MLE_EXAMPLE, TOLD, 'players.energy: "mlp-levels" is noise-conditional, but the trainer "mle"'),
        (DSM_EXAMPLE | {"data": LABELLED}, TOLD, 'players.energy: "mlp-levels" takes no condition'),
        (
            DSM_EXAMPLE,
            "players.energy={name: mlp-levels, low: 0.1, high: 1, sd: 0}",
            "mlp-levels.sd: the standard",
        ),
        (DSM_EXAMPLE, "trainer.anneal=3", "trainer.anneal: the number of noise levels .* got 3"),
        (
            DSM_EXAMPLE,
            "players.energy={name: mlp-levels, low: 1, high: 1}",
            "mlp-levels.low: noise levels need",
        ),
        (DSM_EXAMPLE, "trainer.sigma=0", "trainer.sigma: the noise level must be above 0"),
        (RECOVERY_EXAMPLE, "trainer.log_snr=[1.0, 2.0]", "trainer.log_snr: give at least two levels in decreasing"),
        (RECOVERY_EXAMPLE, "trainer.step_scale=0", "trainer.step_scale: must be above 0"),
        (ENERGY_MATCHING_EXAMPLE, "trainer.trim=1", "trainer.trim: must be at least 0"),
    ],
)
def test_wrong_settings_are_one_error(example: dict[str, object], change: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=text):
        train(example, change, out=tmp_path / "run")


@pytest.mark.parametrize(
    "example", [DSM_EXAMPLE, RECOVERY_EXAMPLE, COOPERATIVE_RECOVERY_EXAMPLE, ENERGY_MATCHING_EXAMPLE, NCE_EXAMPLE,
                FCE_EXAMPLE], ids=lambda e: e["trainer"]["name"]
)  # fmt: skip
def test_labels_are_given_to_all(example: dict[str, object]) -> None:
    """Every trainer learns p(x | label) as it stands, and draws for the labels it is asked for."""
    registry = Registry()
    recipe = read_recipe(example | {"data": LABELLED}, registry)
    experiment = Experiment.with_data(recipe, registry, torch.device("cpu"), Ranks())
    try:
        for t in range(8):
            experiment.set_step(t)
            experiment.trainer.step(t, {"data": experiment.streams["data"].batch(t)}, rng(t))
        labels = torch.tensor([0, 1, 1])
        one = experiment.trainer.sample(3, rng(), labels)
        other = experiment.trainer.sample(3, rng(), 1 - labels)
    finally:
        experiment.close()
    assert one.shape == (3, 2)
    assert not torch.equal(one, other)
