"""Chains that may not go everywhere: linear constraints, clamped parts, intervals."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ebmsuite.constraint import LinearConstraint, Pool
from ebmsuite.density import Gaussian, Uniform
from ebmsuite.energy import Clamped, Energy, Projected
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.nets.mlp import mlp_energy
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import (
    HMC,
    MALA,
    NUTS,
    Descent,
    FastPath,
    Langevin,
    Noise,
    ParallelTempering,
    Phase,
    Visible,
    run,
    target_of,
    warm_up,
)
from ebmsuite.sampling import fast as fast_module
from ebmsuite.sampling.ais import forward
from ebmsuite.space import Batch, Space

KERNELS = {
    "langevin": Langevin(step_size=0.2),
    "mala": MALA(0.4),
    "hmc": HMC(0.3, leapfrog=5),
    "nuts": NUTS(0.3, max_depth=5),
    "parallel-tempering": ParallelTempering(MALA(0.4), (1.0, 2.0)),
    "descent": Descent(0.05),
}
DIM = 6


class Normal(Energy):
    """N(m, C) with C_ij = 0.8^|i - j|."""

    def __init__(self) -> None:
        super().__init__()
        i = torch.arange(float(DIM))
        self.m, self.C = torch.linspace(-1, 1, DIM), 0.8 ** (i[:, None] - i).abs()
        self.P = torch.linalg.inv(self.C)

    def forward(self, x: Tensor, condition: object = None) -> Tensor:
        d = x.flatten(1) - self.m
        return (d @ self.P * d).sum(1) / 2


class Differences(LinearConstraint):
    """x_1 - x_0 and x_2 + x_3, whose rows have different lengths and no blocks: a constraint of a plugin."""

    A = torch.tensor([[-1.0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]])

    def space(self, event: Space) -> Space:
        return Space((2,))

    def measure(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.A.T

    def lift(self, b: Tensor, shape: tuple[int, ...]) -> Tensor:
        return (b @ torch.linalg.pinv(self.A).T).view(-1, *shape)


def given_measurement(A: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of N(m, C) given A x = b."""
    p = Normal()
    K = p.C @ A.T @ torch.linalg.inv(A @ p.C @ A.T)
    return p.m + K @ (b - A @ p.m), p.C - K @ A @ p.C


@pytest.mark.parametrize("constraint", [Pool(2), Pool(3), Differences()], ids=["pool2", "pool3", "differences"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_projected_normal_is_its_conditional_and_the_constraint_holds_after_every_step(
    kernel: str, constraint: LinearConstraint
) -> None:
    n = 500 if kernel == "nuts" else 2_000
    energy, x = Projected(Normal(), constraint), torch.randn(n, DIM, generator=rng(1))
    A = constraint.measure(torch.eye(DIM)).T
    b = torch.linspace(-1, 1, len(A))
    condition = Projected.given(b.expand(n, -1))
    off = []
    end, _ = run(
        KERNELS[kernel],
        target_of(energy, x, condition),
        x,
        30 if kernel == "nuts" else 600 if kernel == "langevin" else 100,
        rng(),
        lambda i, state, info: off.append((state.x @ A.T - b).abs().max()),
    )
    assert max(off) < 1e-6 * max(1.0, float(end.x.abs().max()))
    mean, C = given_measurement(A, b)
    if kernel == "descent":
        assert (end.x - mean).abs().max() < 0.05
        return
    assert (end.x.mean(0) - mean).abs().max() < 5 / math.sqrt(n)
    assert (torch.cov(end.x.T) - C).abs().max() < 10 / math.sqrt(n)


@pytest.mark.parametrize("kernel", ["mala", "hmc", "nuts"])
def test_learned_scales_keep_the_constraint_and_the_distribution(kernel: str) -> None:
    n = 500 if kernel == "nuts" else 4_000
    energy, constraint = Projected(Normal(), Pool(2)), Pool(2)
    x = torch.randn(n, DIM, generator=rng(1))
    b = torch.tensor([0.5, -0.5, 1.0])
    target = target_of(energy, x, Projected.given(b.expand(n, -1)))
    sampler, x = warm_up(KERNELS[kernel], target, x, 60, rng())
    assert sampler.scale is not None
    end, _ = run(sampler, target, x, 40, rng(2))
    assert (constraint.measure(end.x) - b).abs().max() < 2e-6
    mean, C = given_measurement(constraint.measure(torch.eye(DIM)).T, b)
    assert (end.x.mean(0) - mean).abs().max() < 5 / math.sqrt(n)
    assert (torch.cov(end.x.T) - C).abs().max() < 10 / math.sqrt(n)


@pytest.mark.parametrize(
    ("shape", "factor", "low"),
    [
        ((6,), 3, (2,)),
        ((3, 4, 6), 2, (3, 2, 3)),
        ((2, 4, 4, 8), (1, 4, 2, 2), (2, 1, 2, 4)),
        ((3, 5, 7), None, (3, 1, 1)),
    ],
)
def test_pools_of_any_rank_are_orthogonal_projections(
    shape: tuple[int, ...], factor: object, low: tuple[int, ...]
) -> None:
    constraint = Pool(factor)  # type: ignore[arg-type]
    assert constraint.space(Space(shape, (-1.0, 1.0))) == Space(low, (-1.0, 1.0))
    x, y = torch.randn(2, 5, *shape, generator=rng(), dtype=torch.float64)
    b = constraint.measure(y)
    placed = constraint.place(x, b)
    assert torch.allclose(constraint.measure(placed), b, atol=1e-12)
    # orthogonal: the way to the nearest point is orthogonal to every direction within the constraint
    within = y - placed
    assert ((placed - x) * within).flatten(1).sum(1).abs().max() < 1e-10


@pytest.mark.parametrize(("shape", "factor"), [((5,), 2), ((3, 4, 6), 4), ((3, 4), (2, 2, 2)), ((3, 4), 1)])
def test_blocks_that_do_not_fit_are_one_error(shape: tuple[int, ...], factor: object) -> None:
    with pytest.raises(RecipeError, match=r"constraint.factor: blocks of .* do not divide events of"):
        Pool(factor).space(Space(shape))  # type: ignore[arg-type]


def test_energies_without_their_condition_say_what_is_missing() -> None:
    x = torch.zeros(2, DIM)
    for condition in (None, (x, x > 0, None), {"values": x}):
        with pytest.raises(UserError, match=r"Clamped\.given"):
            Clamped(Normal())(x, condition)
        with pytest.raises(UserError, match=r"Projected\.given"):
            Projected(Normal(), Pool(2))(x, condition)
    base, given = Gaussian(Space((DIM,))), Projected.given(torch.zeros(8, 3))
    with pytest.raises(ValueError, match="keeps some coordinates fixed"):
        forward(Projected(Normal(), Pool(2)), base, HMC(0.1), 8, [0.0, 0.5, 1.0], rng(), given)


# -- intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["eager", "compiled"])
def test_every_route_of_the_fast_path_clips_and_places(route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(energy: Energy) -> Callable[..., tuple[Tensor, Tensor]]:  # a real compilation takes a minute
        return lambda x, condition: target_of(energy, x, condition).value_and_grad(x)

    monkeypatch.setattr(fast_module, "compiled", program)
    event = Space((3,), (-1.0, 0.5))
    torch.manual_seed(0)
    net, density = mlp_energy(event, width=4, depth=1, reference_sd=1.0), Uniform(event, -1.0, 0.5)
    for clip in (True, False):
        sampler = Langevin(step_size=0.5, clip=clip, event=event)
        phase = Phase(net, sampler, Noise(density), 10, fast=FastPath(net, route))  # type: ignore[arg-type]
        x = phase.draw(Batch(torch.zeros(200, 3)), rng()).x
        assert bool(x.min() >= -1.0 and x.max() <= 0.5) == clip
        assert clip == bool((x == 0.5).any())
    energy = Projected(net, Pool(3))
    phase = Phase(energy, Langevin(step_size=0.5), Noise(density), 10, fast=FastPath(energy, route))  # type: ignore[arg-type]
    x = phase.draw(Batch(torch.zeros(200, 3)), rng(), Projected.given(torch.full((200, 1), 0.2))).x
    assert (x.mean(1) - 0.2).abs().max() < 1e-6


def test_without_clip_the_numbers_are_those_without_a_range() -> None:
    x = torch.zeros(5, 3)
    target = target_of(Gaussian(Space((3,))), x)
    plain, ranged = (Langevin(step_size=0.3, event=e) for e in (None, Space((3,), (-0.1, 0.1))))
    assert torch.equal(run(plain, target, x, 5, rng())[0].x, run(ranged, target, x, 5, rng())[0].x)


@pytest.mark.parametrize("event", [None, Space((3,))])
def test_clip_needs_a_range(event: Space | None) -> None:
    with pytest.raises(ValueError, match="clip needs events with a range"):
        Langevin(step_size=0.1, clip=True, event=event)


# -- the visible part -------------------------------------------------------------------------------------------------


def test_chains_start_from_the_visible_part() -> None:
    values = torch.tensor([[1.0, 3.0, 9.0, 9.0], [2.0, 9.0, 9.0, 9.0], [9.0, 9.0, 9.0, 9.0]])
    known = torch.tensor([[True, True, False, False], [True, False, False, False], [False] * 4])
    condition = Clamped.given(values, known)
    x = Visible().start(3, rng(), None, condition).x
    assert x.tolist() == [[1, 3, 2, 2], [2, 2, 2, 2], [0, 0, 0, 0]]
    x = Visible(noise=0.1).start(3, rng(), None, condition).x
    assert torch.equal(x[known], values[known])
    assert 0 < (x[0, 2:] - 2).abs().max() < 1
    event = Space((4,))
    x = Visible(Uniform(event, 5.0, 6.0)).start(3, rng(), None, condition).x
    assert torch.equal(x[known], values[known])
    assert ((x[~known] >= 5) & (x[~known] <= 6)).all()
    for wrong in (None, values, {"values": values}):
        with pytest.raises(RecipeError, match="start at the visible part"):
            Visible().start(3, rng(), None, wrong)


def test_any_chains_on_a_clamped_energy_start_at_the_known_values_even_without_a_step() -> None:
    event = Space((4,))
    values, known = torch.full((3, 4), 7.0), torch.tensor([True, False, True, False]).expand(3, 4)
    phase = Phase(Clamped(Gaussian(event)), Langevin(step_size=0.1), Noise(Gaussian(event)), 0)
    for x in (
        phase.draw(Batch(torch.zeros(3, 4)), rng(), Clamped.given(values, known)).x,
        phase.sample(3, rng(), Clamped.given(values, known)),
    ):
        assert torch.equal(x[known], values[known])
        assert (x[~known].abs() < 5).all()
