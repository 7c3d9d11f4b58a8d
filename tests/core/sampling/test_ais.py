"""Annealed importance sampling against partition functions that are known exactly."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ebmsuite.density import Categorical, Density, Gaussian, Uniform
from ebmsuite.energy import Clamped, Energy
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling.ais import Sandwich, forward, log_likelihood, reverse, sigmoidal
from ebmsuite.sampling.gibbs import GibbsWithGradients
from ebmsuite.sampling.hmc import HMC
from ebmsuite.sampling.kernel import Sampler
from ebmsuite.sampling.langevin import Langevin
from ebmsuite.sampling.mala import MALA
from ebmsuite.sampling.nuts import NUTS
from ebmsuite.sampling.path import GeometricPath, tune
from ebmsuite.space import Space


class Normal(Energy):
    """N(m, C) with standard deviations sd along random directions, and 3 nats less energy than -log p."""

    def __init__(self, sd: list[float], dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        d = len(sd)
        Q, _ = torch.linalg.qr(torch.randn(d, d, generator=rng(5), dtype=torch.float64))
        sds = torch.tensor(sd, dtype=torch.float64)
        self.m = torch.full((d,), 0.5, dtype=dtype)
        self.P, self.L = ((Q / sds**2) @ Q.T).to(dtype), (Q * sds).to(dtype)
        self.log_z = d / 2 * math.log(2 * math.pi) + sds.log().sum().item() + 3

    def forward(self, x, condition=None):
        d = x - self.m
        return (d @ self.P * d).sum(1) / 2 - 3

    def draw(self, n: int, seed: int) -> Tensor:
        noise = torch.randn(n, len(self.m), generator=rng(seed), dtype=self.m.dtype)
        return self.m + noise @ self.L.T


class Mixture(Energy):
    """1/4 N((-3, 0), 0.5^2) + 3/4 N((2, 2), 1), unnormalised by log Z = -2."""

    log_z = -2.0

    def __init__(self) -> None:
        super().__init__()
        self.m = torch.tensor([[-3.0, 0.0], [2.0, 2.0]])
        self.sd, self.w = torch.tensor([0.5, 1.0]), torch.tensor([0.25, 0.75])

    def forward(self, x, condition=None):
        d = ((x[:, None] - self.m) / self.sd[:, None]).square().sum(2) / 2
        return 2 - (self.w.log() - math.log(2 * math.pi) - 2 * self.sd.log() - d).logsumexp(1)

    def draw(self, n: int, seed: int) -> Tensor:
        which = torch.multinomial(self.w, n, replacement=True, generator=rng(seed))
        return self.m[which] + self.sd[which, None] * torch.randn(n, 2, generator=rng(seed + 1))


class RBM(Energy):
    """Ten visible units, one-hot [10, 2]; four hidden ones summed out: E = -b v - sum_j log(1 + e^(c_j + v W_j))."""

    def __init__(self) -> None:
        super().__init__()
        self.W = 0.7 * torch.randn(10, 4, generator=rng(1))
        self.b, self.c = torch.randn(10, generator=rng(2)), torch.randn(4, generator=rng(3))
        self.all = F.one_hot(torch.tensor(list(itertools.product((0, 1), repeat=10))), 2).float()
        self.log_z = (-self(self.all).double()).logsumexp(0).item()

    def forward(self, x, condition=None):
        v = x[..., 1]
        return -(v @ self.b) - F.softplus(self.c + v @ self.W).sum(1)

    def draw(self, n: int, seed: int) -> Tensor:
        p = (-self(self.all)).softmax(0)
        return self.all[torch.multinomial(p, n, replacement=True, generator=rng(seed))]


def sandwich(
    energy: Normal | Mixture | RBM, base: Density, kernel: Sampler | list, n: int, betas: list[float], seed: int = 1
) -> Sandwich:
    x = energy.draw(n, seed + 1)
    return Sandwich(
        forward(energy, base, kernel, n, betas, rng(seed + 2), dtype=x.dtype),
        reverse(energy, base, kernel, x, betas, rng(seed + 3)),
    )


def within_a_hundredth(both: Sandwich, log_z: float) -> None:
    """Both bounds are within 0.01 nats of the truth, and know it."""
    for estimate in both:
        assert ((estimate.high - estimate.log_z) / 2).item() < 0.004
        assert estimate.log_z.item() == pytest.approx(log_z, abs=0.01)
    assert both.low < log_z < both.high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sd", "dtype"),
    [
        ([0.1], torch.float64),
        ([10.0], torch.float64),
        ([0.3, 0.5, 1.0, 2.0, 3.0], torch.float64),
        ([0.3, 0.5, 1.0, 2.0, 3.0], torch.float32),
    ],
    ids=["narrow", "wide", "ill-conditioned", "float32"],
)
def test_gaussians(sd: list[float], dtype: torch.dtype) -> None:
    energy, base, betas = Normal(sd, dtype), Gaussian(Space((len(sd),))), sigmoidal(400)
    kernels = tune(energy, base, HMC(0.3, leapfrog=3), 100, betas, rng(), dtype=dtype, accept=0.8)
    both = sandwich(energy, base, kernels, 10_000, betas)
    assert both.lower.log_weights.dtype == both.lower.log_z.dtype == torch.float64
    within_a_hundredth(both, energy.log_z)


@pytest.mark.slow
def test_a_mixture_from_a_gaussian_and_from_a_box() -> None:
    energy, event, kernel = Mixture(), Space((2,)), HMC(0.9, leapfrog=3)
    within_a_hundredth(sandwich(energy, Gaussian(event, sd=3.0), kernel, 8000, sigmoidal(200)), energy.log_z)
    box = sandwich(energy, Uniform(event, -8.0, 8.0), kernel, 4000, sigmoidal(200))
    assert box.low < energy.log_z < box.high
    assert box.gap.abs() < 0.03


@pytest.mark.slow
def test_a_restricted_boltzmann_machine() -> None:
    energy, base = RBM(), Categorical(Space((10, 2), kind="one-hot"))
    within_a_hundredth(sandwich(energy, base, GibbsWithGradients(), 6000, sigmoidal(400)), energy.log_z)


@pytest.mark.slow
def test_the_intervals_hold_as_often_as_they_say() -> None:
    """2 standard errors: 95 of 100 times, or 34 of 40 to be sure of it in a thousand."""
    energy, base, betas = Normal([0.5, 2.0]), Gaussian(Space((2,))), sigmoidal(30)
    held = torch.zeros(2)
    for seed in range(40):
        both = sandwich(energy, base, MALA(0.7), 400, betas, seed=10 * seed)
        held += torch.tensor([float(e.low < energy.log_z < e.high) for e in both])
    assert (held >= 34).all()


def test_a_path_too_fast_to_follow_leaves_the_sandwich_open() -> None:
    energy, base, betas = Normal([0.1] * 10), Gaussian(Space((10,))), sigmoidal(5)
    kernels = tune(energy, base, HMC(0.3, leapfrog=3), 100, betas, rng(), dtype=torch.float64)
    both = sandwich(energy, base, kernels, 100, betas)
    assert both.lower.high < energy.log_z < both.upper.low
    assert both.gap > 5
    assert max(e.ess for e in both) < 10
    betas = sigmoidal(100)
    kernels = tune(energy, base, HMC(0.3, leapfrog=3), 100, betas, rng(), dtype=torch.float64)
    assert sandwich(energy, base, kernels, 100, betas).gap < both.gap / 5


def test_weights_are_unbiased_and_their_logs_are_not() -> None:
    energy, base, betas, n = Normal([0.5, 2.0]), Gaussian(Space((2,))), sigmoidal(8), 50_000
    both = sandwich(energy, base, NUTS(0.5, max_depth=2), n, betas)
    for estimate, sign in zip(both, (1, -1), strict=True):
        w = (estimate.log_weights - sign * energy.log_z).exp()
        assert w.mean().item() == pytest.approx(1, abs=4 * w.std().item() / math.sqrt(n))
        assert sign * (sign * estimate.log_weights.mean() - energy.log_z) < -0.1
        # the interval is the spread of the estimate over resampled weights
        again = w[torch.randint(n, (200, n), generator=rng())].mean(1).log().std()
        assert ((estimate.high - estimate.log_z) / 2).item() == pytest.approx(again.item(), rel=0.2)
        assert estimate.ess.item() == pytest.approx((w.sum() ** 2 / w.square().sum()).item())


def test_langevin_without_correction_runs_and_is_biased() -> None:
    energy, base, betas = Normal([0.3, 1.0]), Gaussian(Space((2,))), sigmoidal(100)
    biased = sandwich(energy, base, Langevin(step_size=0.4), 2000, betas)
    right = sandwich(energy, base, MALA(step_size=0.4), 2000, betas)
    assert right.low < energy.log_z < right.high
    assert biased.high < energy.log_z - 0.1  # where the upper bound is, the truth is not below


@pytest.mark.parametrize(("kernel", "per_step"), [(MALA(0.1), 1), (HMC(0.1, leapfrog=4), 4), (Langevin(0.1), 2)])
def test_a_change_of_beta_costs_no_evaluation(kernel: Sampler, per_step: int) -> None:
    calls = 0

    class Counted(Normal):
        def forward(self, x, condition=None):
            nonlocal calls
            calls += 1
            return super().forward(x)

    energy = Counted([1.0, 2.0])
    sandwich(energy, Gaussian(Space((2,))), kernel, 10, sigmoidal(20))
    assert calls == 2 * (1 + 19 * per_step)


def test_one_step_leaves_every_energy_of_the_path_invariant_and_knows_both_ends() -> None:
    energy, base = Normal([0.5, 2.0]), Gaussian(Space((2,)))
    C = torch.linalg.inv(0.7 * energy.P + 0.3 * torch.eye(2))
    m = C @ (0.7 * energy.P @ energy.m)
    x = m + torch.randn(40_000, 2, generator=rng(), dtype=torch.float64) @ torch.linalg.cholesky(C).T
    path = GeometricPath(energy, base, x)
    for kernel in (MALA(0.8), HMC(0.8, leapfrog=2), NUTS(0.8, max_depth=2), Langevin(0.1)):
        here, _ = path.step(kernel, 0.7, path.point(x), rng(1))
        assert (here.x.mean(0) - m).abs().max() < 0.03
        assert (torch.cov(here.x.T) - C).abs().max() < 0.03
        assert (here.x != x).any(1).double().mean() > 0.05
        assert torch.equal(here.energy, energy(here.x))
        assert torch.allclose(here.reference, -base.log_prob(here.x))
        assert torch.allclose(here.gradient, (here.x - energy.m) @ energy.P)
        assert torch.allclose(here.reference_gradient, here.x)


def test_step_sizes_follow_the_path() -> None:
    energy, base, betas = Normal([0.1, 0.1]), Gaussian(Space((2,))), sigmoidal(100)
    kernels = tune(energy, base, MALA(0.01), 200, betas, rng(), dtype=torch.float64)
    lengths = torch.tensor([k.step_size * k.scale.mean() for k in kernels])
    assert lengths.max() > 0.8  # near the base, from 0.01
    assert lengths[-1].item() == pytest.approx(0.16, rel=0.2)
    x = energy.draw(4000, 1)
    path = GeometricPath(energy, base, x)
    _, info = path.step(kernels[-1], betas[-2], path.point(x), rng())
    assert info.acceptance.mean().item() == pytest.approx(0.574, abs=0.05)
    assert kernels == tune(energy, base, MALA(0.01), 200, betas, rng(), dtype=torch.float64)
    with pytest.raises(ValueError, match="Langevin has no target acceptance"):
        tune(energy, base, Langevin(0.1), 10, betas, rng())


def test_the_mean_log_likelihood_and_what_is_known_of_it() -> None:
    energy, base, betas = Normal([0.5, 2.0]), Gaussian(Space((2,))), sigmoidal(100)
    both = sandwich(energy, base, MALA(0.7), 2000, betas)
    x = energy.draw(1001, 7)
    result = log_likelihood(energy, x, both)
    exact = (-energy(x) - energy.log_z).mean().item()
    assert result.low < exact < result.high
    assert result.value.item() == pytest.approx(exact, abs=0.05)
    assert (result.high - result.low).item() == pytest.approx((both.high - both.low).item())
    assert result.error.item() == pytest.approx(1 / math.sqrt(1001), rel=0.1)  # |d|^2 / 2 in 2-d has variance 1


def test_a_condition_reaches_the_energy_and_the_base() -> None:
    class Shifted(Normal):
        def forward(self, x, condition=None):
            return super().forward(x) + condition

    energy, base, betas = Shifted([0.5, 2.0]), Gaussian(Space((2,))), sigmoidal(50)
    c = torch.full((500,), 4.0, dtype=torch.float64)
    x = energy.draw(500, 1)
    both = Sandwich(
        forward(energy, base, MALA(0.7), 500, betas, rng(2), c, dtype=torch.float64),
        reverse(energy, base, MALA(0.7), x, betas, rng(3), c),
    )
    assert both.low < energy.log_z - 4 < both.high
    assert both.gap.abs() < 0.3
    result = log_likelihood(energy, x, both, c, batch=99)
    assert result.value.item() == pytest.approx((-energy(x, c) - energy.log_z + 4).mean().item(), abs=0.2)


def test_schedules() -> None:
    betas = sigmoidal(10)
    assert betas[0] == 0
    assert betas[-1] == 1
    assert betas[5] == pytest.approx(0.5)
    assert betas[1] == pytest.approx(1 - betas[-2])
    assert betas[1] < 0.04
    s = [1 / (1 + math.exp(-v)) for v in (-4.0, -3.2, 4.0)]
    assert betas[1] == pytest.approx((s[1] - s[0]) / (s[2] - s[0]))


def test_what_cannot_be_estimated_says_why() -> None:
    event = Space((2,))
    energy, base, kernel = Normal([1.0, 1.0], torch.float32), Gaussian(event), MALA(0.5)
    for betas in ([0.0], [0.0, 0.5], [0.1, 1.0], [0.0, 0.7, 0.3, 1.0]):
        with pytest.raises(ValueError, match="must rise from 0 to 1"):
            forward(energy, base, kernel, 10, betas, rng())
    with pytest.raises(ValueError, match="4 betas need 2 kernels"):
        forward(energy, base, [kernel], 10, [0.0, 0.2, 0.5, 1.0], rng())
    with pytest.raises(ValueError, match="take a wider base"):
        reverse(energy, Uniform(event), kernel, energy.draw(50, 1), sigmoidal(5), rng())
    x = energy.draw(10, 1)
    clamped = Clamped(energy)
    with pytest.raises(ValueError, match="keeps some coordinates fixed"):
        forward(clamped, base, kernel, 10, sigmoidal(5), rng(), Clamped.given(x, x > 0))
    with pytest.raises(ValueError, match="at least 2 chains are needed, got 1"):
        forward(energy, base, kernel, 1, sigmoidal(5), rng())

    class Broken(Energy):
        def forward(self, x, condition=None):
            return (x * math.nan).sum(1)

    with pytest.raises(ValueError, match="energy is NaN"):
        forward(Broken(), base, kernel, 10, sigmoidal(5), rng())


def test_categorical_is_uniform_over_one_hot_events() -> None:
    event = Space((3, 2, 4), kind="one-hot")
    density = Categorical(event)
    x = density.sample(8000, rng())
    assert x.shape == (8000, 3, 2, 4)
    assert torch.equal(x.sum(-1), torch.ones(8000, 3, 2))
    assert torch.equal(x, x.round())
    assert (x.mean(0) - 0.25).abs().max() < 5 * math.sqrt(0.25 * 0.75 / 8000)
    assert density.log_prob(x)[0].item() == pytest.approx(-6 * math.log(4))
    assert torch.equal(density(x), torch.zeros(8000))
    assert torch.equal(density.sample(5, rng(3)), density.sample(5, rng(3)))
    with pytest.raises(ValueError, match="one-hot events, got real"):
        Categorical(Space((3, 4)))
