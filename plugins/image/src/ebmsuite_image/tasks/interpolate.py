"""Interpolation between the starts of short-run chains, or between latent vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.files import printable
from ebmsuite.sampling import Phase, Start
from ebmsuite.space import Batch
from ebmsuite_image.codec import Scale, grid
from ebmsuite_image.latents import decoded, has_latent, infer
from ebmsuite_image.render import write_png
from ebmsuite_image.tasks.parts import Facts, at_least, check_event, finite, pictures, png, short_run, twin

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Interpolate", "between"]


@dataclass(frozen=True)
class Interpolate:
    """One PNG with a row per pair of samples and ``points`` pictures in a row, both samples included.

    Short-run chains are a generator x = M(z) whose code z is their start (Nijkamp et al., NeurIPS 2019); this needs a
    phase "negative" with chains that start from noise, and takes no input. A model with a generator of its own goes
    between latent vectors: those of the phase "prior" (of the generator's density, without one), or those inferred for
    the first 2 ``pairs`` pictures of the input, the first with the second and so on. ``scale`` is that of an array of
    floats.
    """

    pairs: int = 8
    points: int = 9
    scale: Scale | None = None

    def __post_init__(self) -> None:
        at_least(1, "interpolate", pairs=self.pairs)
        at_least(2, "interpolate", points=self.points)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = png(out, "interpolate")
        check_event(model, "interpolate")
        if inputs is None and self.scale is not None:
            raise UserError("interpolate: scale is that of the input, and there is none")
        if has_latent(model):
            return self._between_codes(model, inputs, path, rng)
        phase, chains = short_run(model, "interpolate")
        if inputs is not None:
            raise UserError(
                "interpolate goes between samples of this model, whose codes are the noise that its chains start from: "
                "leave out the input. Pictures need a model with a generator, as image/digits-latent"
            )
        first, second = (chains.start(self.pairs, rng).x for _ in range(2))
        x = finite(between(phase, first, second, self.points, rng), "interpolate")
        write_png(grid(x.flatten(0, 1), self.points), path)
        return {"pairs": self.pairs, "points": self.points, "steps": phase.steps}

    def _between_codes(self, model: Model, inputs: Path | None, path: Path, rng: torch.Generator) -> Facts:
        facts: Facts = {"between": "samples"}
        if inputs is not None:
            given = pictures(model, inputs, "interpolate", 2 * self.pairs, self.scale)
            whole = len(given.x) // 2 * 2
            if whole == 0:
                raise UserError(f"{printable(inputs)}: one picture; interpolate goes between two")
            z = infer(model, Batch(given.x[:whole]), rng)
            facts = {"between": "pictures"} | given.facts | {"pictures": whole}
        else:
            z = drawn(model, 2 * self.pairs, rng)
        first, second = z[::2], z[1::2]
        codes = torch.stack([rho * first + sigma * second for rho, sigma in weights(self.points)], 1)
        x = finite(decoded(model, codes.flatten(0, 1)), "interpolate")
        write_png(grid(x, self.points), path)
        return {"pairs": len(first), "points": self.points, **facts}


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
    at_least(2, "interpolate", points=points)
    angles = torch.linspace(0, math.pi / 2, points).tolist()
    pairs = [(math.cos(angle), math.sin(angle)) for angle in angles]
    return [*pairs[:-1], (0.0, 1.0)]  # the cosine of the last angle is 6e-17


def drawn(model: Model, n: int, rng: torch.Generator) -> Tensor:
    """``n`` latent vectors as the method draws them: of the phase "prior", or of the generator's own density."""
    if "prior" in model.phases:
        return model.phases["prior"].sample(n, rng)
    z: Tensor = model.players["generator"].latent.sample(n, rng)
    return z
