"""Interpolation between the starts of short-run chains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmsuite.sampling import Phase, Start
from ebmsuite_image.codec import grid
from ebmsuite_image.render import write_png
from ebmsuite_image.tasks.parts import Facts, finite, png, short_run, twin

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Interpolate", "between"]


@dataclass(frozen=True)
class Interpolate:
    """One PNG with a row a pair of samples and ``points`` pictures in a row, both samples included.

    Short-run chains are a generator x = M(z) whose code z is their start (Nijkamp et al., NeurIPS 2019).
    Needs a phase "negative" with chains that start from noise.
    """

    pairs: int = 8
    points: int = 9

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path, (phase, chains) = png(out, "interpolate"), short_run(model, "interpolate")
        first, second = (chains.start(self.pairs, rng).x for _ in range(2))
        x = finite(between(phase, first, second, self.points, rng), "interpolate")
        write_png(grid(x.flatten(0, 1), self.points), path)
        return {"pairs": self.pairs, "points": self.points, "steps": phase.steps}


def between(phase: Phase, first: Tensor, second: Tensor, points: int, rng: torch.Generator) -> Tensor:
    """Ends of the chains that start between ``first`` and ``second`` [B, *event]: [B, points, *event].

    They start at rho first + sqrt(1 - rho^2) second, with rho the cosine of evenly spaced angles, so that
    neither end is favoured. Point j of a row sees the noise that point 0 sees: the chains of each j run as
    one batch, with a generator in the state that ``rng`` is in now. Along a row only the start changes.
    """
    if points < 2:
        raise ValueError(f"an interpolation has at least 2 points, got {points}")
    ends = []
    for angle in torch.linspace(0, math.pi / 2, points).tolist():
        # the last weight of the first end is 0, not the 6e-17 that cos gives
        rho, sigma = (0.0 if abs(v) < 1e-6 else v for v in (math.cos(angle), math.sin(angle)))
        ends.append(phase.refine(Start(rho * first + sigma * second), twin(rng)))
    return torch.stack(ends, 1)
