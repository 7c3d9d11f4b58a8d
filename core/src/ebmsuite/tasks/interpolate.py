"""Spherical interpolation between latent vectors, or between the starting points of short-run chains."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.sampling import Phase, Start
from ebmsuite.tasks.short_run import twin
from ebmsuite.tasks.validation import at_least
from ebmsuite.tree import Tree

__all__ = ["between", "mixtures", "weights"]


def weights(points: int) -> list[tuple[float, float]]:
    """Pairs (rho, sqrt(1 - rho^2)) from (1, 0) to (0, 1), where rho is the cosine of ``points`` evenly spaced angles.

    The sum of two independent N(0, I) vectors with such weights is N(0, I). `RecipeError` for fewer than 2 points.
    """
    at_least(2, "interpolate", points=points)
    angles = torch.linspace(0, math.pi / 2, points).tolist()
    pairs = [(math.cos(angle), math.sin(angle)) for angle in angles]
    return [*pairs[:-1], (0.0, 1.0)]  # the cosine of the last angle is 6e-17


def mixtures(first: Tensor, second: Tensor, points: int) -> Tensor:
    """Mix first and second [B, *shape] as rho first + sqrt(1 - rho^2) second for all `weights`: [B, points, *shape]."""
    return torch.stack([rho * first + sigma * second for rho, sigma in weights(points)], 1)


def between(
    phase: Phase, first: Tensor, second: Tensor, points: int, rng: torch.Generator, condition: Tree = None
) -> Tensor:
    """Run chains from the `mixtures` of ``first`` and ``second`` [B, *event]; return their ends [B, points, *event].

    All points of a row get the same noise, so only the start changes along a row. To this end, the chains of each point
    run as one batch with a copy of ``rng``. ``rng`` itself does not advance.
    """
    starts = (rho * first + sigma * second for rho, sigma in weights(points))
    return torch.stack([phase.refine(Start(start, condition), twin(rng)) for start in starts], 1)
