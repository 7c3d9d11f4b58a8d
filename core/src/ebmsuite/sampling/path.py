"""The geometric path from a density to an energy, and step sizes along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.energy import Energy
from ebmsuite.progress import progress
from ebmsuite.sampling.kernel import Sampler, Target, per_row, target_of
from ebmsuite.sampling.warm_up import wanted_acceptance
from ebmsuite.schedule import fixed
from ebmsuite.tree import Tree

__all__ = ["GeometricPath", "Point", "tune"]

S = TypeVar("S", bound=Sampler)


class Point(NamedTuple):
    """A point with the energies and gradients of both ends of the path, which give E_b for every b."""

    x: Tensor
    reference: Tensor
    """E_0 [B]."""
    reference_gradient: Tensor
    energy: Tensor
    """E [B]."""
    gradient: Tensor

    def mixed(self, b: float) -> tuple[Tensor, Tensor]:
        """E_b [B] and its gradient."""
        return (
            (1 - b) * self.reference + b * self.energy,
            (1 - b) * self.reference_gradient + b * self.gradient,
        )


class GeometricPath:
    """E_b = (1 - b) E_0 + b E with E_0 = -log p_0, for chains that start at ``x``, with the unit of length of E."""

    def __init__(self, energy: Energy, base: Density, x: Tensor, condition: Tree = None) -> None:
        self.base, self.condition = base, condition
        self.model = target_of(energy, x, condition)
        if (torch.as_tensor(self.model.scale) == 0).any() or not torch.equal(self.model.place(x), x):
            raise ValueError("ais: Z is an integral over all events, but the energy keeps some coordinates fixed")

    def point(self, x: Tensor) -> Point:
        """Compute both ends of the path at ``x``."""
        return Point(x, *self._reference(x), *self.model.value_and_grad(x))

    def step(self, kernel: Sampler, b: float, here: Point, rng: torch.Generator) -> tuple[Point, Any]:
        """One step of the kernel on E_b: the new point and the info of the step.

        The start needs no evaluation, whatever the last b was, because both ends are known there. Neither does the end
        for MALA, HMC and Gibbs with gradients, which stay or move to the point that they evaluated last. NUTS and
        Langevin end elsewhere, which costs one more evaluation.
        """
        last = here

        def value_and_grad(x: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal last
            last = self.point(x)
            return last.mixed(b)

        state = kernel.init(here.x, Target(lambda x: here.mixed(b), self.model.scale))
        state, info = kernel.step(state, Target(value_and_grad, self.model.scale), rng)
        moved, stayed = _same(state.x, last.x), _same(state.x, here.x)
        if not (moved | stayed).all():
            return self.point(state.x), info
        return Point(*(torch.where(per_row(moved, new), new, old) for new, old in zip(last, here, strict=True))), info

    def _reference(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value: Tensor = -self.base.log_prob(x, self.condition)
            if not value.requires_grad:  # constant, as for uniform densities
                return value, torch.zeros_like(x)
            (gradient,) = torch.autograd.grad(value.sum(), x)
        return value.detach(), gradient


def _same(a: Tensor, b: Tensor) -> Tensor:
    return (a == b).flatten(1).all(1)


@torch.no_grad()
def tune(
    energy: Energy,
    base: Density,
    kernel: S,
    n: int,
    betas: Sequence[float],
    rng: torch.Generator,
    condition: Tree = None,
    accept: float | None = None,
    steps: int = 2,
    dtype: torch.dtype | None = None,
) -> list[S]:
    """Tuned copies of ``kernel`` (MALA, HMC or NUTS), one for each of betas[1:-1], from a forward run of ``n`` chains.

    Each makes ``steps`` steps. The scale of a coordinate is its standard deviation over the chains, in the energy's
    unit of length. After each step, log h += mean acceptance - ``accept`` (default: the kernel's
    ``target_acceptance``). The gain does not shrink, because the target changes with b.
    """
    adapted: Any = kernel
    wanted = wanted_acceptance(kernel, accept, "tune")
    x = base.sample(n, rng, condition).to(dtype=dtype)
    path, log_h, tuned = GeometricPath(energy, base, x, condition), math.log(fixed(adapted.step_size)), []
    here = path.point(x)
    with progress("step sizes", len(betas) - 2) as advance:
        for b in betas[1:-1]:
            scale = (here.x / path.model.scale).std(0)
            for _ in range(steps):
                adapted = replace(adapted, step_size=math.exp(log_h), scale=scale)
                here, info = path.step(adapted, b, here, rng)
                log_h += float(info.acceptance.mean()) - wanted
            tuned.append(replace(adapted, step_size=math.exp(log_h)))
            advance(1)
    return tuned
