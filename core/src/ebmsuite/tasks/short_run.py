"""Short-run chains as a generator of events, and the inversion of this generator."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.model import Model
from ebmsuite.sampling import Langevin, Noise, Phase, target_of
from ebmsuite.tasks.validation import finite
from ebmsuite.tree import Tree, per_row

__all__ = ["ShortRunGenerator", "invert", "mean_squares", "short_run", "twin"]


def short_run(model: Model, task: str) -> tuple[Phase, Noise]:
    """The phase "negative" and its chains. `UserError` unless they start from noise, which is the code of a sample."""
    phase = model.phase("negative")
    if not isinstance(phase.chains, Noise):
        kind = type(phase.chains).__name__
        raise UserError(
            f"{task} needs short-run chains, whose start is the code of an event: this model's "
            f'phase "negative" has chains of kind {kind}, not Noise'
        )
    return phase, phase.chains


def twin(rng: torch.Generator) -> torch.Generator:
    """A copy of ``rng`` that gives the same numbers; ``rng`` does not advance."""
    other = torch.Generator(rng.device)
    other.set_state(rng.get_state())
    return other


class ShortRunGenerator:
    """The generator x = M(z), the end of the Langevin chain from z, and its gradient (Nijkamp et al., NeurIPS 2019).

    The backward pass goes through the stored points of the chain one step at a time and recomputes each step, so the
    graph of only one step is in memory, whatever the length of the chain. The Langevin noise comes from ``noise`` in
    its present state and is the same in every call (None: no noise). It is added to the points, so it is not part of
    the derivative of a step.
    """

    def __init__(
        self,
        energy: Energy,
        sampler: Langevin,
        steps: int,
        noise: torch.Generator | None = None,
        condition: Tree = None,
    ) -> None:
        self.energy, self.steps, self.noise, self.condition = energy, steps, noise, condition
        self.quiet = dataclasses.replace(sampler, temperature=None, noise_scale=0.0)
        self.sampler = self.quiet if noise is None else sampler

    def __call__(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return M(z) [B, *event] and the points [B, *event] at which the steps start."""
        target, points = target_of(self.energy, z, self.condition), []
        rng = torch.Generator(z.device) if self.noise is None else twin(self.noise)
        state = self.sampler.init(z.detach(), target)
        for _ in range(self.steps):
            points.append(state.x)
            state, _ = self.sampler.step(state, target, rng)
        return state.x, points

    def back(self, points: list[Tensor], gradient: Tensor) -> Tensor:
        """The gradient with respect to z, given the gradient with respect to M(z)."""
        for point in reversed(points):
            x = point.detach().requires_grad_()
            target = target_of(self.energy, x, self.condition, graph=True)
            state, _ = self.quiet.step(self.quiet.init(x, target), target, torch.Generator(x.device))
            (gradient,) = torch.autograd.grad(state.x, x, gradient)
        return gradient


def invert(generator: ShortRunGenerator, x: Tensor, z: Tensor, iterations: int, lr: float) -> tuple[Tensor, Tensor]:
    """Find the M(z) [B, *event] nearest to x with ``iterations`` steps of Adam from ``z``; also its `mean_squares` [B].

    Each row keeps the nearest M(z) of all iterations. `UserError` if chains diverge.
    """
    z = z.clone()
    adam = torch.optim.Adam([z], lr=lr)
    best, error = torch.zeros_like(x), x.new_full((len(x),), torch.inf)
    for i in range(iterations + 1):
        made, points = generator(z)
        now = mean_squares(made, x)
        better = now < error
        best, error = torch.where(per_row(better, made), made, best), torch.where(better, now, error)
        if i < iterations:
            z.grad = generator.back(points, 2 * (made - x))
            adam.step()
    return best, finite(error, "reconstruct")


def mean_squares(made: Tensor, x: Tensor) -> Tensor:
    """Mean squared difference over the coordinates of each event, [B]."""
    return (made - x).square().flatten(1).mean(1)
