"""Interpolation between the starts of short-run chains, or between latent vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.sampling import Phase, Start
from ebmsuite.space import Batch
from ebmsuite_image.codec import grid
from ebmsuite_image.latents import decoded, has_latent, infer
from ebmsuite_image.render import write_png
from ebmsuite_image.tasks.parts import Facts, finite, pictures, png, short_run, twin

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Interpolate", "between"]


@dataclass(frozen=True)
class Interpolate:
    """One PNG with a row a pair of samples and ``points`` pictures in a row, both samples included.

    Short-run chains are a generator x = M(z) whose code z is their start (Nijkamp et al., NeurIPS 2019); this needs a
    phase "negative" with chains that start from noise. A model with a generator of its own goes between latent
    vectors: those of the phase "prior" (of the generator's density, without one), or those inferred for the first
    2 ``pairs`` pictures of the input, the first with the second and so on.
    """

    pairs: int = 8
    points: int = 9

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = png(out, "interpolate")
        if has_latent(model):
            return self._between_codes(model, inputs, path, rng)
        phase, chains = short_run(model, "interpolate")
        first, second = (chains.start(self.pairs, rng).x for _ in range(2))
        x = finite(between(phase, first, second, self.points, rng), "interpolate")
        write_png(grid(x.flatten(0, 1), self.points), path)
        return {"pairs": self.pairs, "points": self.points, "steps": phase.steps}

    def _between_codes(self, model: Model, inputs: Path | None, path: Path, rng: torch.Generator) -> Facts:
        if inputs is not None:
            x, found = pictures(model, inputs, 2 * self.pairs, "interpolate")
            if found < 2:
                raise UserError(f"{inputs}: one picture; interpolate goes between two")
            z = infer(model, Batch(x), rng)[: len(x) // 2 * 2]
        else:
            z = drawn(model, 2 * self.pairs, rng)
        first, second = z[::2], z[1::2]
        codes = torch.stack([rho * first + sigma * second for rho, sigma in weights(self.points)], 1)
        x = finite(decoded(model, codes.flatten(0, 1)), "interpolate")
        write_png(grid(x, self.points), path)
        return {"pairs": len(first), "points": self.points, "between": "pictures" if inputs else "samples"}


def between(phase: Phase, first: Tensor, second: Tensor, points: int, rng: torch.Generator) -> Tensor:
    """Ends of the chains that start between ``first`` and ``second`` [B, *event]: [B, points, *event].

    They start at rho first + sqrt(1 - rho^2) second, with rho the cosine of evenly spaced angles, so that
    neither end is favoured. Point j of a row sees the noise that point 0 sees: the chains of each j run as
    one batch, with a generator in the state that ``rng`` is in now. Along a row only the start changes.
    """
    ends = [phase.refine(Start(rho * first + sigma * second), twin(rng)) for rho, sigma in weights(points)]
    return torch.stack(ends, 1)


def weights(points: int) -> list[tuple[float, float]]:
    """(rho, sqrt(1 - rho^2)) with rho the cosine of ``points`` evenly spaced angles, from (1, 0) to (0, 1)."""
    if points < 2:
        raise ValueError(f"an interpolation has at least 2 points, got {points}")
    angles = torch.linspace(0, math.pi / 2, points).tolist()
    pairs = [(math.cos(angle), math.sin(angle)) for angle in angles]
    return [*pairs[:-1], (0.0, 1.0)]  # the cosine of the last angle is 6e-17


def drawn(model: Model, n: int, rng: torch.Generator) -> Tensor:
    """``n`` latent vectors as the method draws them: of the phase "prior", or of the generator's own density."""
    if "prior" in model.phases:
        return model.phases["prior"].sample(n, rng)
    z: Tensor = model.players["generator"].latent.sample(n, rng)
    return z
