"""Short-run chains as a generator of events, and its inversion."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.model import Model
from ebmsuite.sampling import Langevin, Noise, Phase, target_of
from ebmsuite.tasks.checks import finite
from ebmsuite.tree import Tree, per_row

__all__ = ["ShortRunGenerator", "invert", "mean_squares", "short_run", "twin"]


def short_run(model: Model, task: str) -> tuple[Phase, Noise]:
    """The phase "negative" and its chains, which must start from noise: then samples are a function of that noise."""
    phase = model.phase("negative")
    if not isinstance(phase.chains, Noise):
        kind = type(phase.chains).__name__
        raise UserError(
            f"{task} needs short-run chains, whose start is the code of an event: this model's "
            f'phase "negative" has chains of kind {kind}, not Noise'
        )
    return phase, phase.chains


def twin(rng: torch.Generator) -> torch.Generator:
    """A generator that will give what ``rng`` would give now, and leaves ``rng`` as it is."""
    other = torch.Generator(rng.device)
    other.set_state(rng.get_state())
    return other


class ShortRunGenerator:
    """x = M(z): the end of the Langevin chain from z, and the gradient through it (Nijkamp et al., NeurIPS 2019).

    The gradient goes back one step at a time from the stored points of the chain, and each step is computed again:
    the memory is that of one step however long the chain is. Noise (that of ``noise`` in its present state, the
    same in every call; None for none) is added to the points, so it is not in the derivative of a step.
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
        """M(z) [B, *event], and the points at which the steps began."""
        target, points = target_of(self.energy, z, self.condition), []
        rng = torch.Generator(z.device) if self.noise is None else twin(self.noise)
        state = self.sampler.init(z.detach(), target)
        for _ in range(self.steps):
            points.append(state.x)
            state, _ = self.sampler.step(state, target, rng)
        return state.x, points

    def back(self, points: list[Tensor], gradient: Tensor) -> Tensor:
        """The gradient with respect to z, given the one with respect to M(z)."""
        for point in reversed(points):
            x = point.detach().requires_grad_()
            target = target_of(self.energy, x, self.condition, graph=True)
            state, _ = self.quiet.step(self.quiet.init(x, target), target, torch.Generator(x.device))
            (gradient,) = torch.autograd.grad(state.x, x, gradient)
        return gradient


def invert(generator: ShortRunGenerator, x: Tensor, z: Tensor, iterations: int, lr: float) -> tuple[Tensor, Tensor]:
    """The M(z) [B, *event] nearest to x in ``iterations`` steps of Adam from ``z``, and its `mean_squares` [B].

    The nearest of all iterations counts, for each row. `UserError` if chains diverge.
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
    """Mean squared difference per coordinate, [B]."""
    return (made - x).square().flatten(1).mean(1)
