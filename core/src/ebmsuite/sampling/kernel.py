"""The interface of samplers, the view of an energy that they get, and the loop that runs them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.progress import progress
from ebmsuite.tree import Tree, per_row

__all__ = [
    "Held",
    "Info",
    "Sampler",
    "Target",
    "hold",
    "metropolis",
    "normal_like",
    "per_row",
    "run",
    "select",
    "target_of",
    "temperature",
    "tempered",
    "uniform_like",
    "unit",
]


def _anywhere(x: Tensor) -> Tensor:
    return x


class Target(NamedTuple):
    """Everything that a sampler may use of an energy."""

    value_and_grad: Callable[[Tensor], tuple[Tensor, Tensor]]
    """x -> (E [B], dE/dx like x)."""
    scale: Tensor | float
    """The unit of length per coordinate. A coordinate of scale 0 does not move."""
    place: Callable[[Tensor], Tensor] = _anywhere
    """x -> the nearest point that is allowed, an affine map under which E does not change (`Energy.place`)."""

    def tangent(self, v: Tensor) -> Tensor:
        """The part of the direction v that leads from allowed points to allowed points."""
        return self.place(v) - self.place(torch.zeros_like(v))


class Sampler(Protocol):
    """An MCMC kernel: a frozen dataclass of numbers.

    ``init`` makes the state of chains at x; ``step`` moves it, with all randomness from ``rng``. States have a field
    ``x``, a point that `Target.place` does not change. The info of a step has a field ``energy`` [B], which costs no
    further evaluation: the energy of the new point if the kernel knows it (adjusted kernels do), otherwise of the point
    before the step.
    """

    if not TYPE_CHECKING:  # lets a recipe nest a kernel in a sampler's setting; kernels do not repeat it
        component_kind = "sampler"
    continuous: ClassVar[bool]
    """Whether it moves real coordinates along gradients. Such a kernel is refused on one-hot events."""
    adjusted: ClassVar[bool]
    """Whether it leaves exp(-E) invariant. This requires that rows are independent and E is a function of x."""

    def init(self, x: Tensor, target: Target) -> Any: ...

    def step(self, state: Any, target: Target, rng: torch.Generator) -> tuple[Any, Any]: ...


class Held(NamedTuple):
    """The state of adjusted kernels: a point with its energy and gradient, so that a step evaluates only new points."""

    x: Tensor
    energy: Tensor
    """[B]."""
    gradient: Tensor
    """Like x."""


def hold(x: Tensor, target: Target) -> Held:
    """Place x and evaluate the target there."""
    x = target.place(x)
    return Held(x, *target.value_and_grad(x))


class Info(NamedTuple):
    """The info of a step that ends with a Metropolis test."""

    energy: Tensor
    """E [B] at the new point."""
    acceptance: Tensor
    """Probability [B] of accepting the proposal."""
    accepted: Tensor
    """[B], boolean."""


def metropolis(log_ratio: Tensor, new: Held, old: Held, rng: torch.Generator) -> tuple[Held, Info]:
    """Take each row of ``new`` with probability min(1, exp(log_ratio)), otherwise of ``old``. A NaN ratio rejects."""
    probability = log_ratio.clamp(max=0).exp().nan_to_num(0.0)
    accepted = torch.rand(probability.shape, generator=rng, device=probability.device) < probability
    state = select(accepted, new, old)
    return state, Info(state.energy, probability, accepted)


def select(mask: Tensor, new: Held, old: Held) -> Held:
    """Take the rows of ``new`` where the mask [B] is set, otherwise those of ``old``."""
    return Held(*(torch.where(per_row(mask, a), a, b) for a, b in zip(new, old, strict=True)))


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal noise of the shape, type and device of x."""
    return torch.randn(x.shape, generator=rng, dtype=x.dtype, device=x.device)


def uniform_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1) of the shape, type and device of x."""
    return torch.rand(x.shape, generator=rng, dtype=x.dtype, device=x.device)


def unit(target: Target, scale: Tensor | None) -> Tensor | float:
    """The energy's unit of length, times the scale that `warm_up` learned, if any."""
    return target.scale if scale is None else target.scale * scale


def target_of(energy: Energy, x: Tensor, condition: Tree = None, graph: bool = False) -> Target:
    """The target of chains that start at ``x``.

    With ``graph`` the results keep their autograd graph, in x and in the parameters of the energy.
    """

    def value_and_grad(x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = energy(x, condition)
            (gradient,) = torch.autograd.grad(value.sum(), x)
        return value.detach(), gradient

    def value_and_grad_graph(x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x if x.requires_grad else x.requires_grad_()
            value = energy(x, condition)
            (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        return value, gradient

    return Target(
        value_and_grad_graph if graph else value_and_grad,
        energy.scale(x, condition),
        partial(energy.place, condition=condition),
    )


def temperature(sampler: Sampler) -> float | None:
    """The T at which a chain ends as a sample of exp(-E / T).

    It is what the kernel's ``implied_temperature()`` says; without one, 1 for an adjusted kernel, and None (unknown)
    for others.
    """
    said = getattr(sampler, "implied_temperature", None)
    if said is not None:
        return float(said())
    return 1.0 if sampler.adjusted else None


def tempered(target: Target, temperature: float) -> Target:
    """E / T, with a unit of length that grows as sqrt(T): for a quadratic E, one step size then suits every T."""

    def value_and_grad(x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = target.value_and_grad(x)
        return value / temperature, gradient / temperature

    return target._replace(value_and_grad=value_and_grad, scale=target.scale * temperature**0.5)


def run(
    sampler: Sampler,
    target: Target,
    x: Tensor,
    steps: int,
    rng: torch.Generator,
    each: Callable[[int, Any, Any], None] | None = None,
) -> tuple[Any, Any]:
    """Run ``steps`` steps from x and return the last (state, info); info is None without a step.

    The callback ``each(i, state, info)`` is called after every step. It is the only way to record history.
    """
    state, info = sampler.init(x, target), None
    with progress("chains", steps) as advance:
        for i in range(steps):
            state, info = sampler.step(state, target, rng)
            if each is not None:
                each(i, state, info)
            advance(1)
    return state, info
