"""Reconstruction of given pictures by short-run chains, or by a generator."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.errors import UserError
from ebmsuite.sampling import Langevin, target_of
from ebmsuite.space import Batch
from ebmsuite_image.codec import Scale, grid
from ebmsuite_image.latents import has_latent, reconstruct
from ebmsuite_image.render import write_png
from ebmsuite_image.tasks.parts import Facts, at_least, check_event, pictures, png, short_run, twin

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Decoder", "Reconstruct", "invert"]


ITERATIONS, RATE = 200, 0.05


@dataclass(frozen=True)
class Reconstruct:
    """min over z of |x - M(z)|^2 for the first ``n`` pictures of the input, M(z) a short-run chain from z.

    Gradient descent on z through the unrolled chain, 200 ``iterations`` unless given (Nijkamp et al., NeurIPS 2019).
    Adam takes the steps, with learning rate ``lr`` (0.05 unless given, a choice of ours), and the best z of each
    picture counts. ``noise`` keeps the Langevin noise, the same in all iterations; ``steps`` shortens the chain, which
    costs as many gradients and second derivatives per iteration. (With leaky-relu units and the uniform reference
    the energy is piecewise linear and dM/dz the identity almost everywhere; the descent works all the same.)

    This needs a phase "negative" with chains from noise and the Langevin sampler. A model with a generator of its own
    infers z as it does in learning and gives g(z), after ``descent`` noise-free steps at the end (see
    `ebmsuite_image.latents.infer`). A setting that is for the other kind of model is a `UserError`. ``scale`` is that
    of an array of floats.

    Writes a PNG with the pictures above and their reconstructions below.
    """

    iterations: int | None = None
    lr: float | None = None
    steps: int | None = None
    noise: bool = False
    n: int = 16
    descent: int = 0
    scale: Scale | None = None

    def __post_init__(self) -> None:
        at_least(1, "reconstruct", n=self.n)
        at_least(0, "reconstruct", iterations=self.iterations, steps=self.steps, descent=self.descent)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = png(out, "reconstruct")
        check_event(model, "reconstruct")
        if has_latent(model):
            return self._by_generator(model, inputs, path, rng)
        if self.descent:
            raise UserError("reconstruct: descent is for a model with a generator; this one has short-run chains")
        phase, chains = short_run(model, "reconstruct")
        if not isinstance(phase.sampler, Langevin):
            raise UserError(f"reconstruct unrolls Langevin chains, not those of {type(phase.sampler).__name__}")
        given = pictures(model, inputs, "reconstruct", self.n, self.scale)
        x = given.x
        iterations = ITERATIONS if self.iterations is None else self.iterations
        energy = copy.deepcopy(phase.energy).requires_grad_(False).train(phase.nets == "train")
        steps = phase.steps if self.steps is None else self.steps
        decoder = Decoder(energy, phase.sampler, steps, twin(rng) if self.noise else None)
        start = chains.start(len(x), rng).x
        before = per_pixel(decoder(start)[0], x)
        made, error = invert(decoder, x, start, iterations, RATE if self.lr is None else self.lr)
        write_png(grid(torch.cat([x, made]), len(x)), path)
        return given.facts | {
            "mse": error.mean().item(),
            "mse_at_random_start": before.mean().item(),
            "steps": steps,
            "iterations": iterations,
        }

    def _by_generator(self, model: Model, inputs: Path | None, path: Path, rng: torch.Generator) -> Facts:
        others = {"iterations": self.iterations, "lr": self.lr, "steps": self.steps, "noise": self.noise or None}
        ignored = [name for name, value in others.items() if value is not None]
        if ignored:
            raise UserError(
                f"reconstruct: {' and '.join(ignored)} would be for short-run chains; this model has a generator, for "
                "which n and descent are"
            )
        given = pictures(model, inputs, "reconstruct", self.n, self.scale)
        x = given.x
        made = reconstruct(model, Batch(x), rng, self.descent)
        write_png(grid(torch.cat([x, made]), len(x)), path)
        mse = per_pixel(made, x).mean().item()
        return given.facts | {"mse": mse, "descent": self.descent}


class Decoder:
    """x = M(z): the end of the Langevin chain from z, and the gradient through it.

    The gradient goes back a step at a time from the stored points of the chain, each step computed again:
    memory is that of one step however long the chain is. Noise (that of ``noise`` in its present state, the
    same at every call; None for none) is added to the points, so it is not in the derivative of a step.
    """

    def __init__(self, energy: Energy, sampler: Langevin, steps: int, noise: torch.Generator | None = None) -> None:
        self.energy, self.steps, self.noise = energy, steps, noise
        self.quiet = dataclasses.replace(sampler, temperature=None, noise_scale=0.0)
        self.sampler = self.quiet if noise is None else sampler

    def __call__(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        """M(z) [B, *event], and the points that the steps left."""
        target, points = target_of(self.energy, z), []
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
            target = target_of(self.energy, x, graph=True)
            state, _ = self.quiet.step(self.quiet.init(x, target), target, torch.Generator(x.device))
            (gradient,) = torch.autograd.grad(state.x, x, gradient)
        return gradient


def invert(decoder: Decoder, x: Tensor, z: Tensor, iterations: int, lr: float) -> tuple[Tensor, Tensor]:
    """The best M(z) [B, *event] on ``iterations`` steps of Adam from ``z``, and its error a pixel, [B]."""
    z = z.clone()
    adam = torch.optim.Adam([z], lr=lr)
    best, error = torch.zeros_like(x), x.new_full((len(x),), torch.inf)
    for i in range(iterations + 1):
        made, points = decoder(z)
        now = per_pixel(made, x)
        better = now < error
        best, error = torch.where(better[:, None, None, None], made, best), torch.where(better, now, error)
        if i < iterations:
            z.grad = decoder.back(points, 2 * (made - x))
            adam.step()
    if not torch.isfinite(error).all():
        raise UserError("reconstruct: the chains end at values that are not finite; are their steps too long?")
    return best, error


def per_pixel(made: Tensor, x: Tensor) -> Tensor:
    """Mean squared difference, [B], on the scale of the data ([-1, 1])."""
    return (made - x).square().flatten(1).mean(1)
