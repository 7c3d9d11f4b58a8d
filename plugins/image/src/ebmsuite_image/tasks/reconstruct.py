"""Reconstruction of given pictures with short-run chains or with a generator."""

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
from ebmsuite.tasks.infer import reconstruct
from ebmsuite.tasks.short_run import ShortRunGenerator, invert, mean_squares, short_run, twin
from ebmsuite.tasks.validation import at_least
from ebmsuite_image.codec import Scale, grid
from ebmsuite_image.render import write_png
from ebmsuite_image.tasks.inputs import check_event, read_pictures

__all__ = ["Reconstruct"]

ITERATIONS, RATE = 200, 0.05


@dataclass(frozen=True)
class Reconstruct:
    """Reconstructs the first ``n`` pictures of the input, and writes a PNG with them above their reconstructions.

    Without a generator, the task minimises |x - M(z)|^2 over z, where M(z) is the end of the short-run chain from z. It
    uses gradient descent on z through the unrolled chain, for ``iterations`` iterations (200 by default; Nijkamp et
    al., NeurIPS 2019). The optimiser is Adam with learning rate ``lr`` (0.05 by default, our choice). Each picture
    keeps its best z. ``noise`` keeps the Langevin noise, the same in all iterations. ``steps`` is the length of the
    chain, by default that of the phase; an iteration costs one gradient and one second derivative per step. (With
    leaky-relu units and the uniform reference, the energy is piecewise linear and dM/dz is the identity almost
    everywhere; the descent still works.) This needs a phase "negative" with chains from noise and the Langevin sampler.

    A model of latent vectors infers z as in learning, takes ``descent`` noise-free steps (see
    `ebmsuite.tasks.infer.infer`), and gives g(z). A setting for the other kind of model is a `UserError`. ``scale`` is
    the scale of an array of floats.
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
        given = read_pictures(model, inputs, "reconstruct", self.n, self.scale)
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
        given = read_pictures(model, inputs, "reconstruct", self.n, self.scale)
        x = given.x
        made = reconstruct(model, Batch(x), rng, self.descent)
        write_png(grid(torch.cat([x, made]), len(x)), path)
        mse = mean_squares(made, x).mean().item()
        return given.facts | {"mse": mse, "descent": self.descent}
