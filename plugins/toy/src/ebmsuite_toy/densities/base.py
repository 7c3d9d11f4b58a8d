"""The base class of labelled densities, and functions that all densities share."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["Labelled", "log_normal", "positive", "single", "vectors"]


class Labelled(Density):
    """A density whose draws have classes 0..C-1."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        raise NotImplementedError(f"{type(self).__name__} defines no classes")

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws with their classes: x [n, D] and y int64 [n]."""
        raise NotImplementedError(f"{type(self).__name__} defines no draw")

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.draw(n, rng)[0]

    def given(self, label: int) -> Density:
        """The density p(x | y) of one class."""
        raise NotImplementedError(f"{type(self).__name__} defines no given")


def vectors(dim: int, event: Space | None) -> Space:
    """The space of vectors [dim].

    A density sets its dimension itself, because a data set has no event space before it is drawn. If there is an event
    space, in a phase or a player, it must have the same shape; otherwise this raises `RecipeError`.
    """
    if dim < 1:
        raise RecipeError(f"dim: a density needs at least one dimension, got {dim}")
    if event is not None and event.shape != (dim,):
        raise RecipeError(f"this density is for vectors [{dim}], but the events are {list(event.shape)}")
    return Space((dim,))


def positive(**values: float) -> None:
    """Raise a `RecipeError` that names the first setting that is not above 0, if any."""
    for name, value in values.items():
        if not value > 0:
            raise RecipeError(f"{name}: must be above 0, got {value:g}")


def log_normal(x: Tensor, sd: Tensor | float) -> Tensor:
    """log N(x; 0, sd^2), elementwise."""
    log_sd = sd.log() if isinstance(sd, Tensor) else math.log(sd)
    return -(x / sd).square() / 2 - log_sd - math.log(2 * math.pi) / 2


def single(x: Tensor) -> Tensor:
    """Convert draws to the default precision. They are made in float64, where tails and borders are exact."""
    return x.to(torch.get_default_dtype())
