"""Reconstruction of given pictures by short-run chains, or by a generator."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import UserError
from ebmsuite.files import output
from ebmsuite.model import Facts, Model
from ebmsuite.sampling import Langevin
from ebmsuite.space import Batch
from ebmsuite.tasks.checks import at_least
from ebmsuite.tasks.infer import reconstruct
from ebmsuite.tasks.short_run import ShortRunGenerator, invert, mean_squares, short_run, twin
from ebmsuite_image.codec import Scale, grid
from ebmsuite_image.render import write_png
from ebmsuite_image.tasks.parts import check_event, pictures

__all__ = ["Reconstruct"]

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
    `ebmsuite.tasks.infer.infer`). A setting that is for the other kind of model is a `UserError`. ``scale`` is that
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
        path = output(out, ".png", "reconstruct")
        check_event(model, "reconstruct")
        if model.has_latent:
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
        generator = ShortRunGenerator(energy, phase.sampler, steps, twin(rng) if self.noise else None)
        start = chains.start(len(x), rng).x
        before = mean_squares(generator(start)[0], x)
        made, error = invert(generator, x, start, iterations, RATE if self.lr is None else self.lr)
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
        mse = mean_squares(made, x).mean().item()
        return given.facts | {"mse": mse, "descent": self.descent}
