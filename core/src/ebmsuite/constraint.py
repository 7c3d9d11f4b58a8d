"""Linear constraints on events, A x = b, and the orthogonal projection on their solutions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.space import Space

__all__ = ["LinearConstraint", "Pool"]


class LinearConstraint:
    """A linear map A of events with independent rows. A plugin registers its own under ``ebm_constraints``.

    A subclass defines ``space``, ``measure`` and ``lift``. The events with A x = b are an affine space, and `place`
    projects on it.
    """

    component_kind: ClassVar[str] = "constraint"

    def space(self, event: Space) -> Space:
        """The space of A x for these events. `RecipeError` if the constraint is not for them."""
        raise NotImplementedError(f"{type(self).__name__} defines no space")

    def measure(self, x: Tensor) -> Tensor:
        """A x for events x [B, *event]."""
        raise NotImplementedError(f"{type(self).__name__} defines no measure")

    def lift(self, b: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A^T (A A^T)^-1 b [B, *shape]: the shortest events of this shape with A x = b."""
        raise NotImplementedError(f"{type(self).__name__} defines no lift")

    def place(self, x: Tensor, b: Tensor) -> Tensor:
        """The nearest event with A x = b: x + A^T (A A^T)^-1 (b - A x)."""
        return x + self.lift(b - self.measure(x), tuple(x.shape[1:]))


@dataclass(frozen=True)
class Pool(LinearConstraint):
    """Means over blocks: A x is the event at a lower resolution. Events have any number of axes.

    ``factor`` is the side of a block: one number per axis of the event, or one number for all axes but the first, which
    holds the channels (for all axes of an event with one axis). None is the whole axis: ``factor: null`` keeps the
    mean of every channel.
    """

    factor: int | tuple[int, ...] | None = 2

    def sides(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The side of a block along every axis of events of this shape."""
        first, rest = (1,) * (len(shape) > 1), shape[len(shape) > 1 :]
        if isinstance(self.factor, tuple):
            return self.factor
        return first + (rest if self.factor is None else (self.factor,) * len(rest))

    def space(self, event: Space) -> Space:
        sides = self.sides(event.fixed)
        wrong = len(sides) != len(event.fixed) or any(s < 1 or n % s for s, n in zip(sides, event.fixed, strict=False))
        if wrong or math.prod(sides) == 1:
            raise RecipeError(
                f"constraint.factor: blocks of {list(sides)} do not divide events of {list(event.fixed)}; give one "
                "divisor per axis, at least one of them above 1"
            )
        return Space(tuple(n // s for n, s in zip(event.fixed, sides, strict=True)), event.range)

    def measure(self, x: Tensor) -> Tensor:
        for axis, side in enumerate(self.sides(tuple(x.shape[1:])), 1):
            if side > 1:
                x = x.reshape(*x.shape[:axis], -1, side, *x.shape[axis + 1 :]).mean(axis + 1)
        return x

    def lift(self, b: Tensor, shape: tuple[int, ...]) -> Tensor:
        for axis, side in enumerate(self.sides(shape), 1):
            if side > 1:
                b = b.repeat_interleave(side, axis)
        return b
