"""Fills of hidden voxels that learn nothing: interpolation in time, harmonic (l2) and total-variation (l1) fills.

All take clips ``values`` [N, C, T, H, W] and ``known`` (boolean, the same shape) and return clips whose known voxels
are unchanged. They are baselines, and starts of chains (`Fill`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.energy import Clamped
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.sampling import Chains, Start
from ebmsuite.seeded import seeded_uniform
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["Fill", "Kind", "filled", "harmonic", "temporal", "total_variation", "tuned"]

Kind: TypeAlias = Literal["temporal", "harmonic", "tv"]

WEIGHTS = (0.1, 1.0, 3.0, 10.0, 30.0)
"""Weights of differences in time, relative to those in space, among which `tuned` chooses."""
HELD = 0.05
"""The part of the known voxels that `tuned` hides."""


def temporal(values: Tensor, known: Tensor) -> Tensor:
    """Linear interpolation in time between the nearest known frames of each pixel, constant before and after them.

    `UserError` if some pixel is hidden in all frames, where it is undefined.
    """
    never = int((~known.any(2)).sum())
    if never:
        raise UserError(
            f"fill: {never:,} pixels are hidden in all frames, so there is nothing to interpolate between in time; use "
            "harmonic or tv"
        )
    frames = values.shape[2]
    time = torch.arange(frames, device=values.device).view(1, 1, -1, 1, 1).expand_as(values)
    before = torch.where(known, time, -1).cummax(2).values
    after = torch.where(known, time, frames).flip(2).cummin(2).values.flip(2)
    before, after = torch.where(before < 0, after, before), torch.where(after == frames, before, after)
    low, high = values.gather(2, before), values.gather(2, after)
    part = (time - before) / (after - before).clamp(min=1)
    return torch.where(known, values, low + part * (high - low))


def _differences(x: Tensor) -> list[Tensor]:
    """Differences between neighbours along time, height and width."""
    return [x.diff(dim=axis) for axis in (2, 3, 4)]


def _adjoint(differences: list[Tensor]) -> Tensor:
    """The transpose of `_differences`."""
    total: Tensor | None = None
    for axis, d in zip((2, 3, 4), differences, strict=True):
        edge = d.new_zeros(*d.shape[:axis], 1, *d.shape[axis + 1 :])
        part = torch.cat([edge, d], axis) - torch.cat([d, edge], axis)
        total = part if total is None else total + part
    assert total is not None
    return total


def _smoothest(values: Tensor, known: Tensor, weights: list[Tensor | float], start: Tensor, steps: int) -> Tensor:
    """Minimise the weighted sum of squared differences over the hidden voxels by conjugate gradients."""
    hidden = (~known).to(values.dtype)

    def operator(x: Tensor) -> Tensor:
        return hidden * _adjoint([w * d for w, d in zip(weights, _differences(x), strict=True)])

    x = torch.where(known, values, start)
    residual = -operator(x)
    direction, size = residual, residual.square().sum()
    first = size
    for _ in range(steps):
        if size <= 1e-10 * first or first == 0:
            break
        image = operator(direction)
        alpha = size / (direction * image).sum()
        x = x + alpha * direction
        residual = residual - alpha * image
        before, size = size, residual.square().sum()
        direction = residual + size / before * direction
    return torch.where(known, values, x)


def _middle(values: Tensor, known: Tensor) -> Tensor:
    """A first guess: interpolation in time where it is defined, elsewhere the mean of the known voxels."""
    mean = (values * known).sum((2, 3, 4), keepdim=True) / known.sum((2, 3, 4), keepdim=True).clamp(min=1)
    seen = known.any(2, keepdim=True).expand_as(known)
    whole = torch.where(seen, values, mean)
    return temporal(whole, known | ~seen)


def harmonic(values: Tensor, known: Tensor, weight: float = 1.0, steps: int = 200) -> Tensor:
    """The fill with the least squared differences between neighbours, those in time weighted by ``weight`` (l2 MRF)."""
    return _smoothest(values, known, [weight, 1.0, 1.0], _middle(values, known), steps)


def total_variation(values: Tensor, known: Tensor, weight: float = 1.0, rounds: int = 6, steps: int = 25) -> Tensor:
    """The fill with the least absolute differences between neighbours, by reweighted least squares (l1 MRF)."""
    x = harmonic(values, known, weight, 50)
    for _ in range(rounds):
        inverse = [1 / (d.square() + 1e-4).sqrt() for d in _differences(x)]
        x = _smoothest(values, known, [weight * inverse[0], inverse[1], inverse[2]], x, steps)
    return x


FILLS: dict[Kind, Callable[..., Tensor]] = {"harmonic": harmonic, "tv": total_variation}


def tuned(kind: Kind, values: Tensor, known: Tensor) -> float:
    """The weight of differences in time with the least error on known voxels that are hidden for this purpose.

    They are hidden as the unknown ones are: the mask of hidden voxels, shifted by half of the clip in time and turned
    upside down, covers known voxels; only those count.
    """
    moved = known.roll(known.shape[2] // 2, 2).flip(3, 4)
    if not (known & ~moved).any():
        seeds = torch.zeros(1, dtype=torch.int64)
        moved = seeded_uniform(seeds, known.shape[1:]).to(known.device) >= HELD
    seen, judged = known & moved, known & ~moved
    if not seen.any():
        seen = known
    errors = {}
    for weight in WEIGHTS:
        guess = FILLS[kind](values * seen, seen, weight, **({"steps": 50} if kind == "harmonic" else {"rounds": 2}))
        errors[weight] = float((guess - values).abs()[judged].mean())
    return min(errors, key=lambda weight: errors[weight])


def filled(
    kind: Kind, values: Tensor, known: Tensor, weight: float | None = None, steps: int | None = None
) -> tuple[Tensor, float | None]:
    """The fill ``kind``, and the weight of differences in time that it used; when None, `tuned` chooses it.

    ``steps`` of conjugate gradients, per round for tv; None: the default of the fill.
    """
    if kind == "temporal":
        return temporal(values, known), None
    chosen = tuned(kind, values, known) if weight is None else weight
    return FILLS[kind](values, known, chosen, **({} if steps is None else {"steps": steps})), chosen


class Fill(Chains):
    """Chains whose hidden voxels start at a fill of the visible ones (`filled`) and whose known voxels are as given.

    The condition must be that of a clamped energy, as the trainers ``incomplete`` and ``unrolled`` give. ``weight`` of
    differences in time, for harmonic and tv, is chosen on the visible voxels when None; ``steps`` bounds their
    conjugate gradients. As the start of ``memory``, a fill is computed once per chain. Otherwise it is computed in
    every learning step, so give a weight.
    """

    def __init__(self, fill: Kind = "harmonic", weight: float | None = None, steps: int | None = None) -> None:
        self.fill, self.weight, self.steps = fill, weight, steps

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        if not Clamped.is_given(condition):
            raise RecipeError(
                'chains "video/fill" start from the visible part of clips; use the trainer "unrolled" or "incomplete"'
            )
        values, known = condition["values"], condition["known"]
        distinct, which = torch.unique(torch.cat([values, known.to(values)], 1), dim=0, return_inverse=True)
        # the chains of one clip have the same fill, which is computed once
        rows = torch.stack([(which == i).nonzero()[0, 0] for i in range(len(distinct))])
        x, _ = filled(self.fill, values[rows], known[rows], self.weight, self.steps)
        return Start(x[which], condition)
