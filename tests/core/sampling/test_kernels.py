"""Every kernel against distributions that are known: invariance, detailed balance, bias, clamped coordinates."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from scipy import stats

from ebmsuite.density import Density, event_sum
from ebmsuite.energy import Clamped, Energy
from ebmsuite.errors import UserError
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import (
    HMC,
    MALA,
    NUTS,
    AnnealedLangevin,
    Descent,
    GibbsWithGradients,
    Langevin,
    ParallelTempering,
    run,
    target_of,
    warm_up,
)
from ebmsuite.schedule import Schedule, at
from ebmsuite_toy.densities import Banana, Funnel, IllConditioned, Mixture

ADJUSTED = {
    "mala": MALA(0.5),
    "hmc": HMC(0.3, leapfrog=5),
    "nuts": NUTS(0.4),
    "parallel-tempering": ParallelTempering(MALA(0.5), (1.0, 2.0, 4.0)),
}
CONTINUOUS = {
    **ADJUSTED,
    "langevin": Langevin(step_size=0.2),
    "annealed-langevin": AnnealedLangevin(step_size=0.2, over=50),
    "descent": Descent(0.05),
}


def two_modes() -> Mixture:
    return Mixture(torch.tensor([[-1.2, 0.0], [1.2, 0.5]]), sd=0.6)


KNOWN: dict[str, tuple[Density, float]] = {  # and the step size that suits it
    "condition number 100": (IllConditioned(dim=5, condition_number=100.0), 0.15),
    "mixture": (two_modes(), 0.5),
    "banana": (Banana(), 0.4),
    "funnel": (Funnel(), 0.3),
}


# -- exactness -----------------------------------------------------------------------------------------------------


def same_distribution(a: torch.Tensor, b: torch.Tensor, energy: Energy) -> float:
    """The smallest Kolmogorov-Smirnov p value over coordinates and the energy, times their number (Bonferroni)."""
    views = [*zip(a.T, b.T, strict=True), (energy(a), energy(b))]
    return len(views) * min(stats.ks_2samp(u.numpy(), v.numpy()).pvalue for u, v in views)


@pytest.mark.slow
@pytest.mark.parametrize("target", KNOWN)
@pytest.mark.parametrize("kernel", ADJUSTED)
def test_adjusted_kernels_leave_the_target_invariant(kernel: str, target: str) -> None:
    density, step_size = KNOWN[target]
    sampler = ADJUSTED[kernel]
    if isinstance(sampler, ParallelTempering):
        sampler = replace(sampler, kernel=MALA(step_size))
    else:
        sampler = replace(sampler, step_size=step_size)
    n = 4_000 if kernel == "nuts" else 20_000
    x = density.sample(n, rng(1))
    moved = []
    end, _ = run(sampler, target_of(density, x), x, 10, rng(2), lambda i, s, info: moved.append(info.acceptance))
    fresh = density.sample(n, rng(3))
    assert (end.x != x).any(1).double().mean() > 0.9
    assert torch.stack(moved).mean() > 0.4
    assert same_distribution(end.x, fresh, density) > 1e-3
    q = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    for i in range(x.shape[1]):  # quantiles, within five standard errors of the order statistic's rank
        ranks = (end.x[:, i, None] <= fresh[:, i].quantile(q)).double().mean(0)
        assert ((ranks - q).abs() < 5 * (2 * q * (1 - q) / n).sqrt()).all()


def test_the_two_sample_test_sees_the_bias_of_the_unadjusted_chain() -> None:
    density, step_size = KNOWN["mixture"]
    x = density.sample(20_000, rng(1))
    end, _ = run(Langevin(step_size=step_size), target_of(density, x), x, 20, rng(2))
    assert same_distribution(end.x, density.sample(20_000, rng(3)), density) < 1e-3


@pytest.mark.parametrize("kernel", ADJUSTED)
def test_chains_from_elsewhere_reach_the_moments(kernel: str) -> None:
    density, _ = KNOWN["mixture"]
    n = 2_000 if kernel == "nuts" else 10_000
    x = 4 + torch.zeros(n, 2)
    end, _ = run(ADJUSTED[kernel], target_of(density, x), x, 60 if kernel in ("hmc", "nuts") else 300, rng())
    exact = density.sample(200_000, rng(1))
    error = 5 * exact.std(0) / math.sqrt(n)
    assert ((end.x.mean(0) - exact.mean(0)).abs() < error).all()
    assert (torch.cov(end.x.T) - torch.cov(exact.T)).abs().max() < 5 * 2 / math.sqrt(n)


@pytest.mark.parametrize("kernel", ["mala", "hmc", "nuts"])
def test_detailed_balance(kernel: str) -> None:
    """In equilibrium as many chains go from cell i to cell j as from j to i."""
    density, n = two_modes(), 20_000
    x = density.sample(n, rng(1))
    counts = torch.zeros(36, 36)
    for seed in range(2 if kernel == "nuts" else 10):
        end = run(replace(ADJUSTED[kernel], step_size=0.9), target_of(density, x), x, 1, rng(seed))[0].x
        counts += torch.bincount(cells(x) * 36 + cells(end), minlength=36 * 36).view(36, 36)
        x = end
    p_value, pairs = symmetry(counts)
    assert pairs > 50
    assert p_value > 1e-3


def symmetry(counts: torch.Tensor) -> tuple[float, int]:
    """The chi-square p value of n_ij = n_ji, and how many pairs of cells with more than 20 passages it is of."""
    both = counts.triu(1) + counts.T.triu(1)
    there, back = counts[both > 20].double(), counts.T[both > 20].double()
    statistic = ((there - back).square() / (there + back)).sum().item()
    return stats.chi2.sf(statistic, len(there)), len(there)


def cells(x: torch.Tensor) -> torch.Tensor:
    edges = torch.tensor([-1.5, -0.8, 0.0, 0.8, 1.5])
    i, j = torch.bucketize(x.contiguous(), edges).unbind(1)
    return i * 6 + j


def test_the_test_of_detailed_balance_sees_a_kernel_without_it() -> None:
    """Langevin's joint law of here and there is not symmetric on this target at this step."""
    density, n = two_modes(), 20_000
    x = run(Langevin(step_size=0.9), target_of(density, torch.zeros(n, 2)), torch.zeros(n, 2), 100, rng())[0].x
    counts = torch.zeros(36, 36)
    for seed in range(10):
        end = run(Langevin(step_size=0.9), target_of(density, x), x, 1, rng(seed))[0].x
        counts += torch.bincount(cells(x) * 36 + cells(end), minlength=36 * 36).view(36, 36)
        x = end
    assert symmetry(counts)[0] < 1e-3


def test_mala_is_hmc_with_one_leapfrog_step() -> None:
    density = two_modes().double()
    x = density.sample(500, rng()).double()
    target = target_of(density, x)
    a, info_a = run(MALA(0.7), target, x, 1, rng(1))
    b, info_b = run(HMC(0.7, leapfrog=1, jitter=0.0), target, x, 1, rng(1))
    assert torch.allclose(info_a.acceptance, info_b.acceptance, atol=1e-12)
    both = info_a.accepted & info_b.accepted
    assert both.any()
    assert torch.allclose(a.x[both], b.x[both], atol=1e-12)


class Quartic(Energy):
    def forward(self, x, condition=None):
        return event_sum(x**4) / 4


class Soft(Energy):
    """Not Gaussian, and of bounded gradient, so that unadjusted chains stay at any step."""

    def forward(self, x, condition=None):
        return event_sum(2 * (1 + x * x).sqrt())


def test_the_bias_of_langevin_halves_when_the_step_of_its_diffusion_does() -> None:
    """The step of the diffusion is h^2 / 2: first order, on a target that is not Gaussian."""
    grid = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    p = (-Soft()(grid[:, None])).exp()
    exact = ((grid.square() * p).sum() / p.sum()).item()
    bias = []
    for h2 in (0.4, 0.2):
        x, seen = torch.zeros(200_000, 1), []
        run(
            Langevin(step_size=math.sqrt(h2)), target_of(Soft(), x), x, int(60 / h2), rng(),
            lambda i, s, info, seen=seen, h2=h2: seen.append(s.x.square().mean()) if i >= 20 / h2 else None,
        )  # fmt: skip
        bias.append(torch.stack(seen).mean().item() - exact)
    assert bias[0] / bias[1] == pytest.approx(2.0, abs=0.25)
    assert bias[1] > 0.02


def test_the_leapfrog_error_is_of_second_order_and_the_way_back_is_the_way() -> None:
    from ebmsuite.sampling.hmc import leapfrog
    from ebmsuite.sampling.kernel import hold

    density = two_modes().double()
    x = density.sample(200, rng()).double()
    p = torch.randn(x.shape, generator=rng(1), dtype=x.dtype)
    target, errors = target_of(density, x), []
    for h in (0.2, 0.1):
        state, q = hold(x, target), p
        hs = torch.tensor(h, dtype=x.dtype)
        for _ in range(round(1 / h)):
            state, q = leapfrog(state, q, hs, target)
        errors.append(((state.energy + event_sum(q * q) / 2) - (density(x) + event_sum(p * p) / 2)).abs().mean())
        for _ in range(round(1 / h)):
            state, q = leapfrog(state, q, -hs, target)
        assert torch.allclose(state.x, x, atol=1e-10)
    assert (errors[0] / errors[1]).item() == pytest.approx(4.0, rel=0.2)


# -- what every kernel must do ---------------------------------------------------------------------------------------


class Correlated(Energy):
    """N(m, C) in three dimensions."""

    m = torch.tensor([1.0, -2.0, 0.5])
    C = torch.tensor([[1.0, 0.6, 0.2], [0.6, 0.8, -0.1], [0.2, -0.1, 0.5]])

    def forward(self, x, condition=None):
        d = x - self.m.to(x.dtype)
        return (d @ torch.linalg.inv(self.C).to(x.dtype) * d).sum(1) / 2


@pytest.mark.parametrize("kernel", CONTINUOUS)
def test_clamped_coordinates_stay_and_the_others_follow_their_conditional(kernel: str) -> None:
    energy, n = Clamped(Correlated()), 2_000 if kernel == "nuts" else 20_000
    values, known = torch.tensor([[2.0, 0.0, 1.0]]).expand(n, 3), torch.tensor([[True, False, True]]).expand(n, 3)
    condition = Clamped.given(values, known)
    x = energy.place(torch.zeros(n, 3), condition)
    end, _ = run(CONTINUOUS[kernel], target_of(energy, x, condition), x, 60 if kernel == "nuts" else 200, rng())
    assert torch.equal(end.x[:, [0, 2]], values[:, [0, 2]])
    m, C, k = Correlated.m, Correlated.C, [0, 2]
    weights = torch.linalg.solve(C[k][:, k], C[k, 1])
    mean = (m[1] + weights @ (values[0, k] - m[k])).item()
    variance = (C[1, 1] - weights @ C[k, 1]).item()
    if kernel == "descent":
        assert (end.x[:, 1] - mean).abs().max() < 1e-3
        return
    assert end.x[:, 1].mean().item() == pytest.approx(mean, abs=5 * math.sqrt(variance / n))
    slack = 0.05 if "langevin" in kernel else 0.0  # the unadjusted ones have a bias
    assert end.x[:, 1].var().item() == pytest.approx(variance, rel=slack + 5 * math.sqrt(2 / n))


def test_chains_with_nothing_free_stay() -> None:
    energy, x = Clamped(Correlated()), torch.ones(4, 3)
    condition = Clamped.given(x, torch.ones(4, 3, dtype=torch.bool))
    for sampler in CONTINUOUS.values():
        assert torch.equal(run(sampler, target_of(energy, x, condition), x, 3, rng())[0].x, x)


@pytest.mark.parametrize("kernel", CONTINUOUS)
def test_same_seed_same_chain_in_both_precisions_and_the_state_is_what_it_says(kernel: str) -> None:
    for dtype in (torch.float32, torch.float64):
        x = torch.zeros(7, 3, dtype=dtype)
        target = target_of(Correlated(), x)
        (a, info), (b, _) = (run(CONTINUOUS[kernel], target, x, 6, rng(3)) for _ in range(2))
        assert torch.equal(a.x, b.x)
        assert a.x.dtype == info.energy.dtype == dtype
        assert not torch.equal(a.x, run(CONTINUOUS[kernel], target, x, 6, rng(4))[0].x) or kernel == "descent"
        if kernel in ("mala", "hmc", "nuts"):  # what is cached is what is there
            energy, gradient = target.value_and_grad(a.x)
            assert torch.equal(a.energy, energy)
            assert torch.equal(a.gradient, gradient)
            assert torch.equal(info.energy, energy)


@pytest.mark.parametrize("kernel", CONTINUOUS)
def test_events_of_any_rank_and_conditions_by_row(kernel: str) -> None:
    class Around(Energy):
        def forward(self, x, condition=None):
            return event_sum((x - condition[:, None, None]).square()) * 50

    n = 400
    condition = torch.linspace(-3, 3, n)
    x = condition[:, None, None] + torch.zeros(n, 2, 3)
    sampler = CONTINUOUS[kernel]
    if isinstance(sampler, ParallelTempering):
        sampler = replace(sampler, kernel=MALA(0.1))
    elif not isinstance(sampler, Descent):
        sampler = replace(sampler, step_size=0.08)
    else:
        sampler = Descent(0.005)
    end, _ = run(sampler, target_of(Around(), x, condition), x, 10, rng())
    assert end.x.shape == x.shape
    assert ((end.x - x).abs() < 1.5).all()


@pytest.mark.parametrize(("kernel", "per_step"), [("mala", 1), ("hmc", 5), ("langevin", 1), ("descent", 1)])
def test_what_a_step_costs(kernel: str, per_step: int) -> None:
    calls = []

    class Counted(Correlated):
        def forward(self, x, condition=None):
            calls.append(1)
            return super().forward(x)

    x = torch.zeros(3, 3)
    run(CONTINUOUS[kernel], target_of(Counted(), x), x, 6, rng())
    assert len(calls) == 6 * per_step + (kernel in ("mala", "hmc"))


def test_nuts_counts_its_evaluations_and_the_wasted_ones() -> None:
    calls = []

    class Counted(Correlated):
        def forward(self, x, condition=None):
            calls.append(1)
            return super().forward(x)

    for chains in (1, 50):
        x, infos = torch.zeros(chains, 3), []
        calls.clear()
        run(NUTS(0.2), target_of(Counted(), x), x, 8, rng(), lambda i, s, info, infos=infos: infos.append(info))
        done = torch.stack([i.evaluations + i.wasted for i in infos])
        assert (done == done[:, :1]).all()
        assert done[:, 0].sum() == len(calls) - 1
        wasted = sum(i.wasted.sum().item() for i in infos)
        assert wasted == 0 if chains == 1 else wasted > 0
        assert all(((i.acceptance > 0) & (i.acceptance <= 1)).all() for i in infos)
        assert max(i.depth.max().item() for i in infos) >= 3


def test_nuts_sees_a_divergence() -> None:
    x = torch.full((8, 1), 30.0)
    _, info = run(NUTS(5.0), target_of(Quartic(), x), x, 1, rng())
    assert info.diverged.all()
    assert torch.isfinite(info.energy).all()


def test_a_proposal_without_an_energy_is_a_rejection() -> None:
    class Walled(Energy):
        def forward(self, x, condition=None):
            return torch.where(x[:, 0] > 0, x[:, 0], torch.nan)

    x = torch.full((200, 1), 0.1)
    for sampler in (MALA(1.0), HMC(0.5), NUTS(0.5)):
        end, _ = run(sampler, target_of(Walled(), x), x, 20, rng())
        assert (end.x > 0).all()
        assert not torch.equal(end.x, x)


# -- tempering and annealing -----------------------------------------------------------------------------------------


def far_modes() -> Mixture:
    return Mixture(torch.tensor([[-4.0, 0.0], [4.0, 0.0]]), sd=0.7)


def test_parallel_tempering_crosses_where_one_chain_does_not() -> None:
    density, n = far_modes(), 2_000
    x = torch.tensor([-4.0, 0.0]).expand(n, 2)
    target = target_of(density, x)
    alone, _ = run(MALA(0.8), target, x, 400, rng())
    swaps = []
    sampler = ParallelTempering(MALA(0.8), (1.0, 2.5, 6.0, 15.0))
    end, _ = run(sampler, target, x, 400, rng(), lambda i, s, info: swaps.append(info.swaps))
    assert (alone.x[:, 0] > 0).double().mean() < 0.05
    assert (end.x[:, 0] > 0).double().mean().item() == pytest.approx(0.5, abs=5 * math.sqrt(0.25 / n))
    rates = torch.stack(swaps)
    assert rates[0].isnan()[:, 1].all()
    assert (rates.nanmean((0, 1)) > 0.2).all()


def test_annealed_langevin_cools_as_it_says_and_spreads_over_modes() -> None:
    sampler = AnnealedLangevin(step_size=0.3, over=5, start=16.0, end=1.0)
    assert [sampler.temperature(k) for k in (0, 2, 4, 9)] == pytest.approx([16.0, 4.0, 1.0, 1.0])
    density, n = far_modes(), 2_000
    x = torch.tensor([-4.0, 0.0]).expand(n, 2)
    cold, _ = run(Langevin(step_size=0.2), target_of(density, x), x, 600, rng())
    end, _ = run(AnnealedLangevin(0.2, over=500, start=20.0), target_of(density, x), x, 600, rng())
    assert (cold.x[:, 0] > 0).double().mean() < 0.05
    assert 0.3 < (end.x[:, 0] > 0).double().mean().item() < 0.7
    near = density.means[(end.x[:, 0] > 0).long()].float()
    assert (end.x - near).std().item() == pytest.approx(0.7, rel=0.05)  # cold again at the end


def test_descent_reaches_a_mode() -> None:
    density = far_modes()
    x = density.sample(100, rng())
    end, info = run(Descent(0.2), target_of(density, x), x, 200, rng())
    assert torch.allclose(end.x, density.means[(end.x[:, 0] > 0).long()].float(), atol=1e-3)
    assert (info.energy <= density(x) + 1e-5).all()


# -- discrete events -------------------------------------------------------------------------------------------------


class Ising(Energy):
    """Spins on a 2 x 3 grid with a field, as one-hot [2, 3, 2]."""

    def forward(self, x, condition=None):
        s = x[..., 1] - x[..., 0]
        pairs = (s[:, 1:] * s[:, :-1]).flatten(1).sum(1) + (s[:, :, 1:] * s[:, :, :-1]).flatten(1).sum(1)
        return -0.4 * pairs - 0.3 * s[:, 0].sum(1) + 0.1 * s.flatten(1).sum(1)


def every_state() -> torch.Tensor:
    spins = torch.tensor(list(itertools.product((0, 1), repeat=6)))
    return torch.nn.functional.one_hot(spins.view(-1, 2, 3), 2).float()


def code(x: torch.Tensor) -> torch.Tensor:
    return (x[..., 1].flatten(1).long() * torch.tensor([32, 16, 8, 4, 2, 1])).sum(1)


@pytest.mark.slow
def test_gibbs_with_gradients_on_an_ising_grid_that_is_enumerated() -> None:
    energy, n = Ising(), 30_000
    states = every_state()
    exact = (-energy(states)).softmax(0)
    x = states[torch.zeros(n, dtype=torch.long)]
    infos = []
    end, _ = run(
        GibbsWithGradients(), target_of(energy, x), x, 80, rng(), lambda i, s, info: infos.append(info.acceptance)
    )
    assert ((end.x == 0) | (end.x == 1)).all()
    assert (end.x.sum(-1) == 1).all()
    counts = torch.bincount(code(end.x), minlength=64)
    assert (
        stats.chisquare(counts.numpy(), (exact * n).double().numpy() * (n / (exact * n).double().sum()).item()).pvalue
        > 1e-3
    )
    assert torch.stack(infos).mean() > 0.5


def test_gibbs_with_gradients_is_in_detailed_balance() -> None:
    energy, n = Ising(), 200_000
    states = every_state()
    x = states[torch.multinomial((-energy(states)).softmax(0), n, replacement=True, generator=rng())]
    end = run(GibbsWithGradients(), target_of(energy, x), x, 1, rng(1))[0].x
    counts = torch.bincount(code(x) * 64 + code(end), minlength=64 * 64).view(64, 64)
    p_value, pairs = symmetry(counts)
    assert pairs > 60
    assert p_value > 1e-3


def test_gibbs_with_gradients_leaves_clamped_sites_alone() -> None:
    energy, n = Clamped(Ising()), 20_000
    values = every_state()[37].expand(n, 2, 3, 2)
    known = torch.zeros(2, 3, dtype=torch.bool)
    known[0, 1] = known[1, 2] = True
    condition = Clamped.given(values, known[..., None].expand(n, 2, 3, 2))
    x = energy.place(every_state()[0].expand(n, 2, 3, 2), condition)
    end = run(GibbsWithGradients(), target_of(energy, x, condition), x, 60, rng())[0].x
    states = every_state()
    agree = (states[:, known] == values[0, known]).flatten(1).all(1)
    exact = torch.where(agree, (-Ising()(states)).softmax(0), 0.0).double()
    exact /= exact.sum()
    counts = torch.bincount(code(end), minlength=64)
    assert (counts[~agree] == 0).all()
    assert stats.chisquare(counts[agree].numpy(), (exact[agree] / exact[agree].sum() * n).numpy()).pvalue > 1e-3
    everything = Clamped.given(values, torch.ones_like(values, dtype=torch.bool))
    assert torch.equal(run(GibbsWithGradients(), target_of(energy, values, everything), values, 3, rng())[0].x, values)


# -- warm-up ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [MALA(0.01), HMC(2.0), NUTS(0.5)], ids=["mala", "hmc", "nuts"])
def test_warm_up_finds_scales_and_step_size_and_the_result_is_frozen(sampler) -> None:
    sd = torch.logspace(-1, 1, 6)

    class Scaled(Energy):
        def forward(self, x, condition=None):
            return event_sum((x / sd).square()) / 2

    n = 30 if isinstance(sampler, NUTS) else 100
    x = torch.randn(n, 6, generator=rng())
    target = target_of(Scaled(), x)
    adapted, x = warm_up(sampler, target, x, 300, rng(1))
    assert ((adapted.scale / sd - 1).abs() < 0.15).all()
    rates = []
    end, _ = run(adapted, target, x, 100, rng(2), lambda i, s, info: rates.append(info.acceptance.mean()))
    assert torch.stack(rates).mean().item() == pytest.approx(sampler.target_acceptance, abs=0.1)
    assert ((end.x / sd).square().mean(0) - 1).abs().max() < 5 * math.sqrt(2 / n)
    again, _ = warm_up(sampler, target, torch.randn(n, 6, generator=rng()), 300, rng(1))
    assert again.step_size == adapted.step_size


@pytest.mark.slow
def test_warm_up_does_not_count_the_unit_of_the_energy_twice() -> None:
    sd = torch.tensor([0.1, 10.0])

    class Scaled(Energy):
        def __init__(self, unit):
            super().__init__()
            self.unit = unit

        def forward(self, x, condition=None):
            return event_sum((x / sd).square()) / 2

        def scale(self, x, condition=None):
            return self.unit

    for unit in (1.0, sd, 3 / sd):
        x = sd * torch.randn(100, 2, generator=rng())
        adapted, _ = warm_up(HMC(0.1), target_of(Scaled(unit), x), x, 200, rng(1))
        assert ((adapted.scale * unit / sd - 1).abs() < 0.15).all()


def test_warm_up_says_what_it_cannot_do() -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="Langevin has no target acceptance"):
        warm_up(Langevin(step_size=0.1), target_of(Correlated(), x), x, 10, rng())
    with pytest.raises(ValueError, match="not finite"):
        warm_up(MALA(0.1), target_of(Correlated(), x), x + torch.nan, 10, rng())


def test_warm_up_keeps_clamped_coordinates() -> None:
    energy, x = Clamped(Correlated()), torch.ones(50, 3)
    known = torch.tensor([[True, False, False]]).expand(50, 3)
    adapted, end = warm_up(HMC(0.1), target_of(energy, x, Clamped.given(x, known)), x, 100, rng())
    assert torch.equal(end[:, 0], x[:, 0])
    assert adapted.scale[0] == 1
    assert torch.isfinite(adapted.scale).all()


def test_numbers_that_make_no_sense_are_refused() -> None:
    for make in (
        lambda: HMC(0.1, leapfrog=0),
        lambda: AnnealedLangevin(0.1, over=1),
        lambda: ParallelTempering(MALA(0.1), (1.0, 1.0)),
        lambda: ParallelTempering(Langevin(step_size=0.1)),
    ):
        with pytest.raises(ValueError):
            make()
    with pytest.raises(TypeError, match="has not been evaluated"):
        run(MALA(Schedule(0.1, 0.2, 10)), target_of(Quartic(), torch.zeros(1, 1)), torch.zeros(1, 1), 1, rng())
    moving = MALA(Schedule(0.1, 0.2, 10))
    assert at(moving, 5).step_size == pytest.approx(0.15)
    assert at(ParallelTempering(moving), 5).kernel.step_size == pytest.approx(0.15)


class Scales(Energy):
    """A normal distribution of these standard deviations; counts its evaluations."""

    def __init__(self, *sd: float) -> None:
        super().__init__()
        self.sd, self.evaluations = torch.tensor(sd), 0

    def forward(self, x, condition=None):
        self.evaluations += 1
        return event_sum((x / self.sd).square()) / 2


KERNELS = pytest.mark.parametrize("sampler", [MALA(0.1), HMC(0.1), NUTS(0.1)], ids=["mala", "hmc", "nuts"])


@KERNELS
@pytest.mark.parametrize("sd", [1e-8, 1e8, 1e-3, 1e14])
def test_warm_up_finds_a_step_size_that_is_wrong_by_orders_of_magnitude(sampler, sd: float) -> None:
    energy, n = Scales(sd, sd), 30
    x = sd * torch.randn(n, 2, generator=rng())
    target = target_of(energy, x)
    adapted, x = warm_up(sampler, target, x, 60, rng(1))
    assert energy.evaluations < 60 * (30 if isinstance(sampler, NUTS) else 13)
    assert ((adapted.step_size * adapted.scale / sd).log10().abs() < 1).all()
    end, info = run(adapted, target, x, 30, rng(2))
    assert 0.3 < info.acceptance.mean() < 0.99
    assert ((end.x / sd).square().mean(0) - 1).abs().max() < 5 * math.sqrt(2 / n)


@pytest.mark.parametrize("sd", [(1e-8, 1e8), (1e-8, 1.0), (1.0, 1e8)])
def test_a_trajectory_in_warm_up_is_bounded_whatever_the_scales(sd: tuple[float, float]) -> None:
    energy = Scales(*sd)
    x = torch.tensor(sd) * torch.randn(4, 2, generator=rng())
    warm_up(NUTS(0.1), target_of(energy, x), x, 2, rng(1))  # before the first scale is known
    assert energy.evaluations < 2 * 2**8 + 2 * 2 * 30


class Improper(Energy):
    """Energies for which exp(-E) has no finite integral."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x, condition=None):
        flat = event_sum(x)
        return {"flat": 0 * flat, "constant": 0 * flat + 1e3, "falls for ever": -flat}[self.kind]


@KERNELS
@pytest.mark.parametrize("kind", ["flat", "constant", "falls for ever"])
def test_warm_up_on_an_energy_of_no_finite_volume_is_an_error(sampler, kind: str) -> None:
    x = torch.randn(20, 2, generator=rng()).double()
    with pytest.raises(UserError, match=r"every size up to .* are accepted.*reference distribution"):
        warm_up(sampler, target_of(Improper(kind), x), x, 20, rng(1))


class Hole(Energy):
    """Finite at the origin alone (NaN, infinite or a step beside it)."""

    def __init__(self, beside: float) -> None:
        super().__init__()
        self.beside = beside

    def forward(self, x, condition=None):
        moved = (x != 0).flatten(1).any(1)
        return torch.where(moved, self.beside, 0.0) + 0 * event_sum(x)


@KERNELS
@pytest.mark.parametrize("beside", [math.nan, math.inf, 1e6])
def test_warm_up_where_no_step_is_accepted_is_an_error(sampler, beside: float) -> None:
    x = torch.zeros(20, 2)
    with pytest.raises(UserError, match=r"no step size from .* is accepted.*start them elsewhere, or rescale"):
        warm_up(sampler, target_of(Hole(beside), x), x, 20, rng(1))


@KERNELS
def test_warm_up_beside_a_region_without_energies_goes_on(sampler) -> None:
    class Half(Energy):
        def forward(self, x, condition=None):
            return torch.where(x[:, 0] > 0, event_sum(x.square()) / 2, math.nan)

    x = torch.randn(50, 2, generator=rng()).abs()
    adapted, x = warm_up(sampler, target_of(Half(), x), x, 100, rng(1))
    assert (x[:, 0] > 0).all()
    assert 0.01 < adapted.step_size < 10


def test_warm_up_of_chains_that_are_held_entirely_does_nothing() -> None:
    x = torch.ones(10, 3)
    known = torch.ones(10, 3, dtype=torch.bool)
    _, end = warm_up(HMC(0.1), target_of(Clamped(Correlated()), x, Clamped.given(x, known)), x, 20, rng())
    assert torch.equal(end, x)
