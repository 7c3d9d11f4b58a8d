"""Spherical interpolation, between latent vectors or between the starts of short-run chains."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.sampling import Phase, Start
from ebmsuite.tasks.checks import at_least
from ebmsuite.tasks.short_run import twin
from ebmsuite.tree import Tree

__all__ = ["between", "mixtures", "weights"]


def weights(points: int) -> list[tuple[float, float]]:
    """(rho, sqrt(1 - rho^2)) with rho the cosine of ``points`` evenly spaced angles, from (1, 0) to (0, 1).

    A sum of two independent N(0, I) vectors with such weights is N(0, I). `RecipeError` for fewer than 2 points.
    """
    at_least(2, "interpolate", points=points)
    angles = torch.linspace(0, math.pi / 2, points).tolist()
    pairs = [(math.cos(angle), math.sin(angle)) for angle in angles]
    return [*pairs[:-1], (0.0, 1.0)]  # the cosine of the last angle is 6e-17


def mixtures(first: Tensor, second: Tensor, points: int) -> Tensor:
    """rho first + sqrt(1 - rho^2) second for the `weights`, [B, points, *shape], of first and second [B, *shape]."""
    return torch.stack([rho * first + sigma * second for rho, sigma in weights(points)], 1)


def between(
    phase: Phase, first: Tensor, second: Tensor, points: int, rng: torch.Generator, condition: Tree = None
) -> Tensor:
    """Ends of the chains that start at the `mixtures` of ``first`` and ``second`` [B, *event]: [B, points, *event].

    Point j of a row sees the noise that point 0 sees: the chains of each j run as one batch, with a generator in the
    state that ``rng`` is in now. Along a row only the start changes. ``rng`` itself does not advance.
    """
    starts = (rho * first + sigma * second for rho, sigma in weights(points))
    return torch.stack([phase.refine(Start(start, condition), twin(rng)) for start in starts], 1)
