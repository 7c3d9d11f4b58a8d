"""What a sampler is, what it may know of an energy, and the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.tree import Tree

__all__ = ["Sampler", "Target", "normal_like", "run", "target_of"]


class Target(NamedTuple):
    """All that a sampler may know of an energy."""

    value_and_grad: Callable[[Tensor], tuple[Tensor, Tensor]]
    """x -> (E [B], dE/dx like x)."""
    scale: Tensor | float
    """A unit of length a coordinate; 0 does not move."""


class Sampler(Protocol):
    """An MCMC kernel: a frozen dataclass of numbers.

    ``init`` makes the state of chains at x; ``step`` moves it, with all its randomness from ``rng``. States have
    a field ``x``; what a step reports has a field ``energy`` [B].
    """

    continuous: bool
    """Whether it moves along gradients of real coordinates (refused on one-hot events)."""

    def init(self, x: Tensor, target: Target) -> Any: ...

    def step(self, state: Any, target: Target, rng: torch.Generator) -> tuple[Any, Any]: ...


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

    return Target(value_and_grad_graph if graph else value_and_grad, energy.scale(x, condition))


def run(
    sampler: Sampler,
    target: Target,
    x: Tensor,
    steps: int,
    rng: torch.Generator,
    each: Callable[[int, Any, Any], None] | None = None,
) -> tuple[Any, Any]:
    """``steps`` steps from x: the last (state, info); info is None after no step.

    ``each(i, state, info)`` sees every step. It is the only way in which history is kept.
    """
    state, info = sampler.init(x, target), None
    for i in range(steps):
        state, info = sampler.step(state, target, rng)
        if each is not None:
            each(i, state, info)
    return state, info


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal noise of the shape, type and device of x."""
    return torch.randn(x.shape, generator=rng, dtype=x.dtype, device=x.device)
