"""Masks that hide a part of an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.seeded import seeded_uniform
from ebmsuite.space import Batch

__all__ = ["Half", "Mask", "Random", "Region", "Slices"]

Fraction = float | tuple[float, float]
"""A fraction, or the interval that the fraction of each example is drawn from."""

FRACTION = 1_000
"""The salt of the random numbers that fractions are drawn with; masks use the salts below it."""


def _fraction(of: Fraction, seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """The fraction of each example, which broadcasts against [B, *shape]."""
    low, high = of if isinstance(of, tuple) else (of, of)
    return low + (high - low) * seeded_uniform(seeds, [1 for _ in shape], salt=FRACTION)


@dataclass(frozen=True)
class Mask:
    """A random part of an event that is hidden. A plugin registers its own under ``ebm_masks``.

    A subclass is a frozen dataclass of settings. Axes are counted from 0, without the batch; the channels, if there are
    any, are axis 0.
    """

    component_kind: ClassVar[str] = "mask"

    def __call__(self, shape: tuple[int, ...], seeds: Tensor, batch: Batch) -> Tensor:
        """True where an event is visible, boolean and broadcast against [B, *shape].

        ``shape`` is that of an event, without the categories of one-hot events. ``batch`` has the whole events, for
        masks that depend on them. All randomness is a function of ``seeds`` [B] (`ebmsuite.seeded`).
        """
        raise NotImplementedError(f"{type(self).__name__} defines no __call__")


@dataclass(frozen=True)
class Random(Mask):
    """Each coordinate is hidden with probability ``hidden``, independently of the others (salt-and-pepper).

    ``together`` names the axes along which all coordinates are hidden together, such as [0] for whole pixels.
    """

    hidden: Fraction = 0.5
    together: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_fraction(self.hidden)

    def __call__(self, shape: tuple[int, ...], seeds: Tensor, batch: Batch) -> Tensor:
        _check_axes(self.together, shape, "together")
        sites = [1 if i in self.together else n for i, n in enumerate(shape)]
        return seeded_uniform(seeds, sites) >= _fraction(self.hidden, seeds, shape)


@dataclass(frozen=True)
class Region(Mask):
    """A block at a random place is hidden, of the same fraction of every axis in ``axes`` (None: all axes).

    It covers all of the other axes. ``hidden`` is its fraction of the event. For each position along the axes ``per``
    a new place is drawn: a square in every frame of a clip [channels, time, height, width] has ``axes: [2, 3]`` and
    ``per: [1]``; without ``per``, it stays in place.
    """

    hidden: Fraction = 0.25
    axes: tuple[int, ...] | None = None
    per: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_fraction(self.hidden)
        if self.axes is not None and (not self.axes or set(self.axes) & set(self.per)):
            raise RecipeError(f"masks.axes: must name axes that are not in per, got {list(self.axes)}")

    def __call__(self, shape: tuple[int, ...], seeds: Tensor, batch: Batch) -> Tensor:
        axes = [i for i in range(len(shape)) if i not in self.per] if self.axes is None else self.axes
        _check_axes((*axes, *self.per), shape, "axes")
        fraction = _fraction(self.hidden, seeds, shape) ** (1 / len(axes))
        hidden = torch.ones((), dtype=torch.bool)
        for axis in axes:
            side = (fraction * shape[axis]).round().clamp(1, shape[axis])
            u = seeded_uniform(seeds, [n if i in self.per else 1 for i, n in enumerate(shape)], salt=axis)
            hidden = hidden & _run(u, side, axis, shape)
        return ~hidden


@dataclass(frozen=True)
class Half(Mask):
    """The first or the last part along one axis is hidden, or either with equal probability."""

    axis: int
    side: Literal["first", "last", "either"] = "either"
    hidden: Fraction = 0.5

    def __post_init__(self) -> None:
        _check_fraction(self.hidden)

    def __call__(self, shape: tuple[int, ...], seeds: Tensor, batch: Batch) -> Tensor:
        _check_axes((self.axis,), shape, "axis")
        last = seeded_uniform(seeds, [1 for _ in shape]) < {"first": 0.0, "last": 1.0, "either": 0.5}[self.side]
        side = (_fraction(self.hidden, seeds, shape) * shape[self.axis]).round()
        place = _places(self.axis, shape)
        return ~torch.where(last, place >= shape[self.axis] - side, place < side)


@dataclass(frozen=True)
class Slices(Mask):
    """Whole slices of one axis are hidden, such as the frames of a clip: ``hidden`` of them, rounded, at random places.

    With ``together`` they follow one another.
    """

    axis: int
    hidden: Fraction = 0.5
    together: bool = False

    def __post_init__(self) -> None:
        _check_fraction(self.hidden)

    def __call__(self, shape: tuple[int, ...], seeds: Tensor, batch: Batch) -> Tensor:
        _check_axes((self.axis,), shape, "axis")
        n = shape[self.axis]
        count = (_fraction(self.hidden, seeds, shape) * n).round()
        if self.together:
            return ~_run(seeded_uniform(seeds, [1 for _ in shape]), count, self.axis, shape)
        rank: Tensor = seeded_uniform(seeds, [n]).argsort(1).argsort(1)
        return rank.view(-1, *(n if i == self.axis else 1 for i in range(len(shape)))) >= count


def _places(axis: int, shape: Sequence[int]) -> Tensor:
    """0 to n - 1 along an axis, broadcast against [B, *shape]."""
    return torch.arange(shape[axis]).view(-1, *(1 for _ in shape[axis + 1 :]))


def _run(u: Tensor, count: Tensor, axis: int, shape: Sequence[int]) -> Tensor:
    """True at ``count`` positions along an axis, which follow one another at a place given by u in [0, 1)."""
    start, place = (u * (shape[axis] - count + 1)).floor(), _places(axis, shape)
    return (place >= start) & (place < start + count)


def _check_fraction(hidden: Fraction) -> None:
    low, high = hidden if isinstance(hidden, tuple) else (hidden, hidden)
    if not 0 <= low <= high <= 1:
        raise RecipeError(f"masks.hidden: must be a fraction or an interval of fractions, from 0 to 1, got {hidden}")


def _check_axes(axes: Sequence[int], shape: Sequence[int], key: str) -> None:
    for axis in axes:
        if not 0 <= axis < len(shape):
            raise RecipeError(f"masks.{key}: there is no axis {axis} in events of shape {list(shape)}")
