"""The no-U-turn sampler."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.sampling.hmc import leapfrog
from ebmsuite.sampling.kernel import Held, Target, hold, normal_like, per_row, select, uniform_like, unit
from ebmsuite.schedule import Number, fixed

__all__ = ["NUTS", "Info"]


class Info(NamedTuple):
    energy: Tensor
    """E [B] at the new point."""
    acceptance: Tensor
    """Mean over the trajectory [B] of min(1, exp(H_0 - H)), from which the step size is adapted."""
    depth: Tensor
    """Number of doublings [B] that were kept."""
    diverged: Tensor
    """[B], boolean: H grew by more than 1000."""
    evaluations: Tensor
    """Number of gradients [B] that a chain needed."""
    wasted: Tensor
    """Number of gradients [B] computed for a chain that had already turned, while others in the batch had not."""


class Edge(NamedTuple):
    """An end of a trajectory: a point and its momentum."""

    point: Held
    p: Tensor


class Mark(NamedTuple):
    """Momenta at a leaf: that of the leaf, that of the leaf before it, and the sum of all before it."""

    p: Tensor
    previous: Tensor
    before: Tensor


class Stretch(NamedTuple):
    """A stretch of a trajectory, summarised: one point drawn in proportion to exp(-H), and sums over all its points.

    ``log_weight`` [B] is the logarithm of the sum of exp(H_0 - H), ``rho`` is the sum of the momenta.
    """

    draw: Held
    log_weight: Tensor
    rho: Tensor


@dataclass(frozen=True)
class NUTS:
    """NUTS: trajectories of H = E(x) + |p|^2 / 2 that double, forwards or backwards at random, until they turn back.

    The next point is drawn from the whole trajectory in proportion to exp(-H) (Hoffman and Gelman, JMLR 2014, with
    the multinomial draw and the criterion of Betancourt, 2017). A stretch has turned when the momentum at one of its
    ends points against rho, the sum of its momenta. When two halves are joined, the criterion is tested on the whole,
    and on each half together with the nearest point of the other half. Without these further tests, trajectories whose
    step divides a period would go round in circles (Stan 2.21). The criterion is tested on every subtree of a doubling,
    with one stored mark per level (Phan et al., 2019).

    All chains of a batch double together, and a chain that has turned waits for the others; ``Info`` counts the
    wasted gradients. ``scale`` is as in `HMC`.
    """

    step_size: Number
    max_depth: int = 10
    scale: Tensor | None = field(default=None, compare=False)
    """The unit of length per coordinate that `warm_up` learns, 1 / sqrt(mass)."""

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = True
    target_acceptance: ClassVar[float] = 0.8

    def init(self, x: Tensor, target: Target) -> Held:
        return hold(x, target)

    def step(self, state: Held, target: Target, rng: torch.Generator) -> tuple[Held, Info]:
        s = unit(target, self.scale)
        # directions in which nothing moves must not affect the U-turn criterion
        p = normal_like(state.x, rng) * (s != 0)
        if not isinstance(s, Tensor) or s[0].numel() == 1:  # with unequal units the dynamics leave the tangent space
            p = target.tangent(p)
        h0 = state.energy + event_sum(p * p) / 2
        left = right = Edge(state, p)
        stretch = Stretch(state, torch.zeros_like(h0), p)
        active = torch.ones_like(h0, dtype=torch.bool)
        counts = Counts(h0)
        for depth in range(self.max_depth):
            forwards = uniform_like(h0, rng) < 0.5
            h = per_row(torch.where(forwards, 1.0, -1.0).to(p.dtype), p) * fixed(self.step_size)
            edge = _select(forwards, right, left)
            end, grown, near, whole = _grow(edge, depth, h * s, target, h0, active, counts, rng)
            # a new half that turned or diverged is discarded, and the trajectory ends
            before = stretch.rho
            draw = whole & (uniform_like(h0, rng) < (grown.log_weight - stretch.log_weight).exp())
            stretch = Stretch(
                select(draw, grown.draw, stretch.draw),
                torch.where(whole, torch.logaddexp(stretch.log_weight, grown.log_weight), stretch.log_weight),
                torch.where(per_row(whole, p), before + grown.rho, before),
            )
            active = whole & ~_turned(_select(forwards, left, right).p, edge.p, before, near, end.p, grown.rho)
            right, left = _select(whole & forwards, end, right), _select(whole & ~forwards, end, left)
            counts.depth += whole
            if not active.any():
                break
        return stretch.draw, counts.info(stretch.draw.energy)


class Counts:
    """Counters of one step."""

    def __init__(self, like: Tensor) -> None:
        self.acceptance, self.evaluations = torch.zeros_like(like), torch.zeros_like(like)
        self.depth = torch.zeros_like(like, dtype=torch.long)
        self.diverged = torch.zeros_like(like, dtype=torch.bool)
        self.performed = 0

    def info(self, energy: Tensor) -> Info:
        acceptance = self.acceptance / self.evaluations
        wasted = self.performed - self.evaluations
        return Info(energy, acceptance, self.depth, self.diverged, self.evaluations, wasted)


def _grow(
    edge: Edge, depth: int, hs: Tensor, target: Target, h0: Tensor, active: Tensor, counts: Counts, rng: torch.Generator
) -> tuple[Edge, Stretch, Tensor, Tensor]:
    """Make 2^depth steps from an edge.

    Returns the new edge, the new half, the momentum of its first point, and a mask [B] of the chains in which the new
    half neither turned nor diverged.
    """
    point, p = edge
    going, stretch = active, Stretch(point, torch.full_like(h0, -torch.inf), torch.zeros_like(p))
    marks: dict[int, Mark] = {}
    for n in range(2**depth):
        previous = p
        point, p = leapfrog(point, p, hs, target)
        log_w = (h0 - point.energy - event_sum(p * p) / 2).nan_to_num(-torch.inf)
        counts.performed += 1
        counts.evaluations += going
        counts.acceptance += log_w.clamp(max=0).exp() * going
        counts.diverged |= going & (log_w < -1000)
        log_weight = torch.logaddexp(stretch.log_weight, log_w)
        taken = uniform_like(h0, rng) < (log_w - log_weight).exp()
        # a subtree of 2^k leaves that ends at leaf n begins at leaf n - 2^k + 1, which has k one-bits less than n, and
        # its second half at leaf n - 2^(k-1) + 1, which has k - 1 less: one mark per number of one-bits is enough
        ones = n.bit_count()
        marks[ones] = Mark(p, previous, stretch.rho)
        stretch = Stretch(select(taken, point, stretch.draw), log_weight, stretch.rho + p)
        going = going & (log_w >= -1000)
        for k in range(1, (n ^ (n + 1)).bit_length()):
            a, b = marks[ones - k], marks[ones - k + 1]
            going = going & ~_turned(a.p, b.previous, b.before - a.before, b.p, p, stretch.rho - b.before)
        if n == 0:
            near = p
        if not going.any():
            break
    return Edge(point, p), stretch, near, going


def _turned(
    first: Tensor, last: Tensor, rho: Tensor, next_first: Tensor, next_last: Tensor, next_rho: Tensor
) -> Tensor:
    """Whether two stretches, each given by the momenta of its ends and the sum of its momenta, turn when joined."""
    return (
        _against(first, next_last, rho + next_rho)
        | _against(first, next_first, rho + next_first)
        | _against(last, next_last, last + next_rho)
    )


def _against(first: Tensor, last: Tensor, rho: Tensor) -> Tensor:
    return (event_sum(first * rho) <= 0) | (event_sum(last * rho) <= 0)


def _select(mask: Tensor, new: Edge, old: Edge) -> Edge:
    return Edge(select(mask, new.point, old.point), torch.where(per_row(mask, new.p), new.p, old.p))
