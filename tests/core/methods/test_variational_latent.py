"""The variational latent energy prior, and the numbers that show posterior collapse."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmsuite.builtin.examples import (
    LATENT_EXAMPLE,
    LATENT_SCORE_EXAMPLE,
    SYMBOLS_EXAMPLE,
    VAE_EXAMPLE,
    VARIATIONAL_LATENT_EXAMPLE,
)
from ebmsuite.density import Density, Encoder, Gaussian
from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.run import read_log
from ebmsuite.experiment.train import train
from ebmsuite.generator import NormalGenerator
from ebmsuite.learning import Inferred, Optimiser, Players, infer
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.methods.variational_latent import VariationalLatent
from ebmsuite.nets.mlp import Quadratic, mlp_encoder, mlp_energy
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import (
    HMC,
    AnnealedLangevin,
    Descent,
    Langevin,
    Noise,
    ParallelTempering,
    Phase,
    Sampler,
    temperature,
)
from ebmsuite.schedule import Schedule
from ebmsuite.space import Batch, Space

PLANE = Space((2,))
BATCH = Batch(torch.randn(64, 4, generator=rng()))


def made(energy: Energy | None = None, encoder: Density | None = None, **how: Any) -> VariationalLatent:
    """x in four dimensions, z in the plane, linear nets."""
    torch.manual_seed(0)
    generator = NormalGenerator(nn.Linear(2, 4), Gaussian(PLANE), 0.5)
    nets = {"energy": energy or Quadratic(PLANE), "generator": generator}
    nets["encoder"] = encoder or Encoder(nn.Linear(4, 4), PLANE)
    players = Players(nets, {k: Optimiser(sgd, 0.0) for k in nets if list(nets[k].parameters())})
    phases = {"prior": Phase(nets["energy"], Langevin(0.4), Noise(Gaussian(PLANE)), 3)}
    return VariationalLatent(players, phases, **how)


def loss(trainer: VariationalLatent, player: str = "encoder", t: int = 0, seed: int = 0) -> float:
    return float(trainer.step(t, {"data": BATCH}, rng(seed))[f"loss/{player}"])


# -- the objective ------------------------------------------------------------------------------------------------


def test_the_loss_at_coupling_1_is_the_bound_up_to_log_z() -> None:
    """E is normal with known Z, so E_q[log p(x, z) - log q] can be computed from densities alone."""
    energy = Quadratic(PLANE)
    with torch.no_grad():
        energy.a += torch.tensor([0.5, -1.0])
    trainer = made(energy, coupling=1.0)
    players = trainer.players
    drawn = infer(players["encoder"], BATCH, rng())
    b = energy.log_b.exp()
    truth = torch.distributions.Normal(-energy.a / (2 * b), (2 * b).rsqrt())
    log_z = (energy.a.square() / (4 * b) + (math.pi / b).log() / 2).sum()
    log_q = players["encoder"].log_prob(drawn.z, BATCH.x)
    bound = players["generator"].log_prob(BATCH.x, drawn.z) + truth.log_prob(drawn.z).sum(1) - log_q
    # the analytic KL replaces log q - log p_0 at z: compare with the same estimate
    kl = drawn.divergence(Gaussian(PLANE)).sum(1) - log_q + players["generator"].latent.log_prob(drawn.z)
    assert loss(trainer) == pytest.approx(float((kl - bound - log_z).mean().detach()), rel=1e-5)


def test_coupling_0_hides_the_energy_from_the_encoder_and_the_energy_learns_all_the_same() -> None:
    plain = made(coupling=0.0)
    steep = made(coupling=0.0)
    with torch.no_grad():
        steep.players["energy"].a += 3.0
    assert loss(plain) == loss(steep)
    assert loss(plain, "energy") != loss(steep, "energy")
    for weight in (0.0, 0.1, 1.0):  # the energy's own weight is 1 whatever the others are
        other = made(coupling=0.0, kl_weight=weight)
        assert loss(other, "energy") == loss(plain, "energy")
    half, whole = made(coupling=0.5), made(coupling=1.0)
    assert loss(half) - loss(plain) == pytest.approx((loss(whole) - loss(plain)) / 2, rel=1e-4)


def test_the_analytic_divergence_is_that_of_torch() -> None:
    mean, log_sd = torch.randn(5, 3, generator=rng()), torch.randn(5, 3, generator=rng(1))
    base = Gaussian(Space((3,)), mean=0.5, sd=2.0)
    normal = torch.distributions.Normal
    truth = torch.distributions.kl_divergence(normal(mean, log_sd.exp()), normal(0.5, 2.0))
    assert torch.allclose(base.divergence(mean, log_sd), truth, atol=1e-5)


def gradient_of(trainer: VariationalLatent, kl: Tensor) -> Tensor:
    """The gradient of the free-bits term for a batch with the divergences ``kl`` [B, 2], reached by shifted means."""
    mean = (2 * kl).sqrt().requires_grad_()
    drawn = Inferred(mean, mean, torch.zeros_like(mean))
    (gradient,) = torch.autograd.grad(trainer._divergence(drawn, BATCH), mean)
    return gradient


def test_free_bits_hold_only_what_is_above_them() -> None:
    kl = torch.tensor([[0.2, 3.0], [1.5, 0.4]])
    # mask: each coordinate of each example by itself
    masked = gradient_of(made(free_bits=1.0, free_bits_mode="mask"), kl)
    assert ((masked != 0) == (kl > 1.0)).all()
    # clamp: the mean over the batch, 0.85 and 1.7
    clamped = gradient_of(made(free_bits=1.0), kl)
    assert (clamped[:, 0] == 0).all()
    assert (clamped[:, 1] != 0).all()
    mean = (2 * kl).sqrt()
    value = made(free_bits=1.0)._divergence(Inferred(mean, mean, torch.zeros_like(mean)), BATCH)
    assert float(value) == pytest.approx(1.0 + 1.7)
    none = gradient_of(made(), kl)
    assert torch.allclose(none, mean / 2)  # d/dm of the batch mean of m^2 / 2


def test_z_is_the_mean_during_a_plateau() -> None:
    cycle = Schedule(0.0, 1.0, over=2, delay=2, period=6)
    trainer = made(kl_weight=cycle, mean_at_zero=True)
    assert [cycle(t) for t in range(7)] == [0, 0, 0, 0.5, 1, 1, 0]
    assert loss(trainer, t=0, seed=0) == loss(trainer, t=0, seed=1)  # no noise
    assert loss(trainer, t=3, seed=0) != loss(trainer, t=3, seed=1)
    noisy = made(kl_weight=cycle)
    assert loss(noisy, t=0, seed=0) != loss(noisy, t=0, seed=1)


class Box(Density):
    """q(z | x) uniform on a square: a density without moments."""

    def sample(self, n: int, rng: torch.Generator, condition: Any = None) -> Tensor:
        return torch.rand(n, 2, generator=rng)

    def log_prob(self, x: Tensor, condition: Any = None) -> Tensor:
        return x.new_zeros(len(x))


def test_an_encoder_without_moments_learns_by_an_estimate_and_takes_no_free_bits() -> None:
    trainer = made(encoder=Box(), coupling=0.0)
    logs = trainer.step(0, {"data": BATCH}, rng())
    z = torch.rand(64, 2, generator=rng())
    rest = float(logs["loss/generator"] - logs["reconstruction"])
    assert rest == pytest.approx(float(-Gaussian(PLANE).log_prob(z).mean()), rel=1e-5)
    assert "active" not in logs
    assert "kl" not in logs
    with pytest.raises(RecipeError, match=r"trainer.free_bits: needs the KL divergence per coordinate"):
        made(encoder=Box(), free_bits=1.0)
    with pytest.raises(RecipeError, match=r"trainer.mean_at_zero: this encoder has no mean"):
        made(encoder=Box(), mean_at_zero=True)
    with pytest.raises(RecipeError, match=r"trainer.free_bits: must be at least 0"):
        made(free_bits=-1.0)


# -- the divergence at coupling 1 ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_encoder_and_energy_run_away_together_at_coupling_1_and_not_at_the_default() -> None:
    """Two modes in a plane, linear nets; only the coupling differs. Issue 16 measured a KL of 5.5 to 329."""

    def end(**how: Any) -> dict[str, float]:
        torch.manual_seed(0)
        generator = NormalGenerator(nn.Linear(2, 4), Gaussian(PLANE), 0.5)
        energy = mlp_energy(PLANE, width=64, depth=2, activation="gelu", reference_sd=1.0)
        nets: dict[str, nn.Module] = {
            "energy": energy,
            "generator": generator,
            "encoder": Encoder(nn.Linear(4, 4), PLANE),
        }
        players = Players(nets, {k: Optimiser(adam, 5e-3 if k == "energy" else 1e-2) for k in nets})
        phases = {"prior": Phase(energy, Langevin(0.4), Noise(Gaussian(PLANE)), 20)}
        trainer = VariationalLatent(players, phases, **how)
        draws = rng()
        w, spread = torch.randn(2, 4, generator=draws), torch.tensor([0.2, 1.0])
        logs = {}
        for t in range(400):
            side = torch.randint(2, (64, 1), generator=draws) * 2.0 - 1
            z = torch.cat([side, torch.zeros_like(side)], 1) + spread * torch.randn(64, 2, generator=draws)
            x = z @ w + 0.5 * torch.randn(64, 4, generator=draws)
            players.set_step(t)
            logs = trainer.step(t, {"data": Batch(x)}, draws)
        return {key: float(logs[key]) for key in ("kl", "active", "gap", "z/posterior", "z/prior")}

    whole, default = end(coupling=1.0), end()
    assert whole["kl"] > 5 * default["kl"]
    assert whole["z/posterior"] > 2 * default["z/posterior"]
    assert 2 < default["kl"] < 5
    assert default["z/posterior"] < 2.5
    assert default["z/prior"] < 2.5
    assert abs(default["gap"]) < 1
    assert default["active"] == 2


# -- the logs ------------------------------------------------------------------------------------------------------


def test_active_units_and_divergence_are_known() -> None:
    mean = torch.zeros(100, 3)
    mean[:, 0] = torch.linspace(-1, 1, 100)  # variance 0.34
    mean[:, 1] = torch.linspace(-0.1, 0.1, 100)  # variance 0.0034
    mean[:, 2] = 5.0  # far from the base, but the same for every example
    drawn = Inferred(mean, mean, torch.zeros_like(mean))
    logs = drawn.use(Gaussian(Space((3,))))
    assert logs["active"] == 1
    assert float(logs["kl"]) == pytest.approx(float(mean.square().sum(1).mean()) / 2)
    assert float(logs["z/posterior"]) == pytest.approx(float(mean.square().mean().sqrt()))


@pytest.mark.parametrize(
    "example", [VAE_EXAMPLE, LATENT_EXAMPLE, LATENT_SCORE_EXAMPLE, SYMBOLS_EXAMPLE, VARIATIONAL_LATENT_EXAMPLE]
)
def test_the_latent_family_logs_its_use_of_z(example: dict[str, Any], tmp_path: Path) -> None:
    made = {**example, "log": {"every": 1}, "budget": {"steps": 8, "batch": 16}, "compute": {"threads": 1}}
    rows = [r for r in read_log(train(made, out=tmp_path / "run", quiet=True) / "metrics.jsonl") if "kl" in r]
    assert len(rows) == 8
    for row in rows:
        assert row["kl"] > 0
        assert 0 <= row["active"] <= 2
        assert row["z/posterior"] > 0
    if example["recipe"] not in ("vae-example", "latent-dsm-example"):
        assert all({"gap", "z/prior"} <= row.keys() for row in rows)


# -- conditions ----------------------------------------------------------------------------------------------------


def test_the_encoder_sees_the_condition_and_the_energy_need_not() -> None:
    label = Space((), kind="label", classes=3)
    encoder = mlp_encoder(Space((4,)), PLANE, width=8, depth=1, conditional=True, condition=label)
    x = torch.zeros(3, 4)
    mean, _ = encoder.moments(encoder.sees(Batch(x, torch.arange(3))))
    assert len(mean.unique(dim=0)) == 3
    plain = mlp_encoder(Space((4,)), PLANE, width=8, depth=1, condition=label)
    mean, _ = plain.moments(plain.sees(Batch(x, torch.arange(3))))
    assert len(mean.unique(dim=0)) == 1
    prior = mlp_energy(PLANE, width=8, depth=1, conditional=False, condition=label)
    z = torch.randn(3, 2, generator=rng())
    assert torch.equal(prior(z, torch.arange(3)), prior(z))
    with pytest.raises(RecipeError, match=r"mlp-encoder.conditional: there is no condition"):
        mlp_encoder(Space((4,)), PLANE, conditional=True)


# -- temperatures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "truth"),
    [
        (Langevin(0.4), 1.0),
        (Langevin(0.4, noise_scale=0.0), 0.0),
        (Langevin(0.4, temperature=0.25), 0.25),
        (Langevin(gradient_weight=0.0, noise_scale=1.0), math.inf),
        (Descent(0.1), 0.0),
        (HMC(0.1, 3), 1.0),
        (AnnealedLangevin(0.1, 10, end=0.5), 0.5),
        (ParallelTempering(HMC(0.1, 3), (2.0, 4.0)), 2.0),
    ],
)
def test_samplers_say_their_temperature(sampler: Sampler, truth: float) -> None:
    assert temperature(sampler) == pytest.approx(truth)


@pytest.mark.parametrize(
    ("posterior", "prior", "words"),
    [
        (0.0, 1.0, "phases.posterior draws z at temperature 0 and phases.prior at temperature 1"),
        (1.0, 0.5, "phases.posterior draws z at temperature 1 and phases.prior at temperature 0.5"),
        (0.5, 0.5, ""),
    ],
)
def test_chains_of_different_temperature_are_noticed_at_the_start(
    posterior: float, prior: float, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changes = ["budget.steps=1", f"posterior.sampler.temperature={posterior}", f"prior.sampler.temperature={prior}"]
    with caplog.at_level(logging.WARNING, "ebmsuite"):
        run = train(LATENT_EXAMPLE, *changes, out=tmp_path / "run", quiet=True)
        train(None, "budget.steps=2", resume=run, quiet=True)  # a resumed run does not repeat it
    said = [r.getMessage() for r in caplog.records if "temperature" in r.getMessage()]
    assert len(said) == (1 if words else 0)
    assert all(words in line and "\n" not in line for line in said)


def test_an_encoder_counts_as_temperature_1(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ebmsuite"):
        for name, changes in (("a", ["prior.sampler.temperature=0.1"]), ("b", [])):
            train(VARIATIONAL_LATENT_EXAMPLE, "budget.steps=1", *changes, out=tmp_path / name, quiet=True)
    said = [r.getMessage() for r in caplog.records if "temperature" in r.getMessage()]
    assert len(said) == 1
    assert "the encoder draws z at temperature 1 and phases.prior at temperature 0.1" in said[0]


# -- schedules -----------------------------------------------------------------------------------------------------


def test_a_schedule_with_a_period_starts_again() -> None:
    ramp = Schedule(0.0, 1.0, over=4)
    cyclic = replace(ramp, period=10)
    assert [cyclic(t) for t in range(25)] == [ramp(t % 10) for t in range(25)]
    fall = Schedule(1.0, 0.01, over=2, shape="exponential", delay=1, period=4)
    assert [fall(t) for t in range(6)] == pytest.approx([1, 1, 0.1, 0.01, 1, 1])
    assert Schedule(2.0, 1.0, over=5)(100) == 1.0  # without a period it ends


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"over": 0}, "trainer.kl_weight: over: a schedule needs at least 1 step, got 0"),
        ({"period": 0}, "trainer.kl_weight: period: must be at least 1 step, got 0"),
        ({"shape": "exponential"}, "trainer.kl_weight: an exponential schedule needs start and end of one sign"),
        ({"periods": 3}, "trainer.kl_weight.periods: no such key; did you mean trainer.kl_weight.period"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    weight = {"start": 0.0, "end": 1.0, "over": 4, **change}
    with pytest.raises(RecipeError, match=message):
        read_recipe({**VAE_EXAMPLE, "trainer": {"name": "vae", "kl_weight": weight}}, Registry())
